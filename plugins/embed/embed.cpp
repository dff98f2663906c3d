// SPDX-License-Identifier: Apache-2.0
#include "embed.h"

#include <etl/bytes.h>
#include <etl/take.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <future>

namespace etl::embed {
namespace {

constexpr std::chrono::milliseconds kLook{4};        // how often it is seen what the model has done
constexpr std::chrono::seconds kReportEvery{1};
constexpr std::int64_t kRowsOut = 256;               // of a batch that leave together
constexpr std::int64_t kBytesOut = 4 << 20;          // of a row's copies that leave together
constexpr std::size_t kTokenizedTogether = 1 << 20;  // bytes
constexpr std::size_t kWorthAThread = 32;            // texts

using Clock = std::chrono::steady_clock;

/// "1,204"
std::string Grouped(std::int64_t n) {
  std::string s = std::to_string(n);
  for (std::size_t i = s.size(); i > 3; i -= 3) s.insert(i - 3, ",");
  return s;
}

std::string Percent(double part, double all) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", all > 0 ? 100 * part / all : 0);
  return text;
}

Element ElementOf(const std::string& name) {
  return name == "float16" ? Element::kFloat16 : name == "int8" ? Element::kInt8 : name == "binary" ? Element::kBinary : Element::kFloat32;
}

ChunkEnd EndOf(const std::string& name) { return name == "token" ? ChunkEnd::kToken : name == "line" ? ChunkEnd::kLine : ChunkEnd::kSentence; }

bool Finite(const std::vector<float>& v) {
  return std::all_of(v.begin(), v.end(), [](float f) { return std::isfinite(f); });
}

}  // namespace

Embed::~Embed() {
  if (!is_worker() || !engine_) return;
  try {
    Report(true);
  } catch (...) {  // a line less in the log
  }
  interruptible_ = nullptr;
}

ModelOptions Embed::Wanted() const {
  ModelOptions o;
  const auto allows = [this](const char* what) { return std::find(allow.begin(), allow.end(), what) != allow.end(); };
  o.choice = {model, file, pooling, prefix, prompt, normalize, max_tokens, sha256, allows("external_data"), allows("custom_ops")};
  o.runtime = runtime;
  o.provider = provider;
  o.provider_options = provider_options;
  o.bf16 = precision == "bf16";
  o.output = model_output;
  o.custom_ops_library = custom_ops_library;
  return o;
}

const Model& Embed::Load() {
  if (!loaded_) loaded_ = std::make_shared<Model>(Wanted());
  return *loaded_;
}

/// What is wrong with the options by themselves.
void Embed::CheckOptions() const {
  if (chunks() && chunk.key.empty()) throw ConfigError("chunk.key", "name the columns that tell texts apart, so that chunks have ids");
  const bool named = on_long == "fail" || on_empty == "fail";   // chunk.key says which row it was
  if (!chunks() && ((!chunk.key.empty() && !named) || chunk.tokens || chunk.overlap || chunk.at != "sentence" || !chunk.text.empty())) {
    throw ConfigError("chunk", "has no effect without on_long = \"chunk\"");
  }
  if (prefix && prompt) throw ConfigError("prompt", "names what goes before each text, and prefix says it; give one of them");
  if (provider == "cpu" && !provider_options.empty()) throw ConfigError("provider_options", "the provider cpu has none");
}

void Embed::Check() {
  CheckOptions();
  std::error_code ignored;
  // A pipeline may be checked where its model is not; with --connect Describe() asks for it.
  if (!std::filesystem::exists(model, ignored)) return host.Warn("was not checked: the model " + model + " is not there");
  Load();
}

std::string Embed::Identity() { return "fingerprint=" + Load().fingerprint(); }

void Embed::CheckNew(const Schema& in, const std::string& name, const char* option) const {
  if (name.empty()) throw ConfigError(option, "name a column");
  if (std::any_of(in.begin(), in.end(), [&](const Field& f) { return f.name == name; })) {
    throw ConfigError(option, "the rows have a column \"" + name + "\" already");
  }
}

Schema Embed::Describe(const Schema& in) {
  CheckOptions();
  const auto arrow = detail::OwnSchema(in);
  const TextOf checked(text, *arrow);
  for (const std::string& k : chunk.key) TextOf("{" + k + "}", *arrow, "chunk.key");
  CheckNew(in, output, "output");
  if (!cache.empty()) Cache::Check(cache);
  const Model& m = Load();
  if (element == "int8" && !m.folder().normalize) host.Warn("element = \"int8\" cuts numbers off at -1 and 1, and the model's vectors are not scaled to length 1; normalize = true does it");
  if (on_empty == "embed" && m.tokenizer().specials() == 0 && m.prefix_ids().empty()) {
    throw ConfigError("on_empty", "the model's tokenizer puts no tokens around a text: of an empty one there is nothing to embed; take null, zero, reject or fail");
  }
  if (chunks()) {
    // What the prefix leaves: a chunk has it, too.
    const std::size_t room = m.room(), beside = room - m.prefix_ids().size(), window = chunk.tokens ? std::min(static_cast<std::size_t>(chunk.tokens), beside) : beside;
    if (static_cast<std::size_t>(chunk.tokens) > room) throw ConfigError("chunk.tokens", "the model takes " + std::to_string(room) + " tokens");
    if (static_cast<std::size_t>(chunk.overlap) >= window) throw ConfigError("chunk.overlap", "the overlap must be less than a chunk, which has " + std::to_string(window) + " tokens");
  }
  Schema out = in;
  Field vector{output, VectorType(ElementOf(element), m.dims()), true};
  vector.type.metadata = detail::Metadata("etl.fingerprint", m.FingerprintAs(element));
  vector.type.children[0].nullable = false;
  out.push_back(std::move(vector));
  const auto add = [&](const std::string& name, Type type, const char* option) {
    CheckNew(out, name, option);
    out.push_back({name, std::move(type), false});
  };
  if (!cut_column.empty()) add(cut_column, Bool(), "cut_column");
  if (chunks()) {
    add("chunk_id", Utf8(), "on_long");
    add("chunk", Int32(), "on_long");
    add("chunks", Int32(), "on_long");
    if (!chunk.text.empty()) add(chunk.text, Utf8(), "chunk.text");
  }
  return out;
}

void Embed::Open(const Schema&) {
  HeadAs<Embed>().Load();
  loaded_ = HeadAs<Embed>().loaded_;
  element_ = ElementOf(element);
  text_of_ = std::make_unique<TextOf>(text, in_schema());
  for (const std::string& k : chunk.key) keys_.emplace_back("{" + k + "}", in_schema());
  if (!cache.empty()) {
    cache_ = std::make_unique<Cache>(cache, cache_limit.value, static_cast<std::size_t>(loaded_->dims()), stopped_, [this](const std::string& m) { host.Warn(m); });
  }
  engine_ = std::make_unique<Engine>(loaded_, Setting{static_cast<int>(sessions), static_cast<int>(threads), static_cast<std::size_t>(batch_tokens)},
                                     static_cast<std::size_t>(window));
  interruptible_ = engine_.get();
  began_ = host.Now();
  host.Info("model " + loaded_->folder().file + ": " + std::to_string(loaded_->dims()) + " dimensions, " + Name(loaded_->folder().pooling) + " pooling, at most " +
            std::to_string(loaded_->folder().max_tokens) + " tokens; provider " + loaded_->provider() + " of ONNX Runtime " + loaded_->runtime().version() +
            "; fingerprint " + loaded_->fingerprint());
  if (loaded_->provider() == "cpu" && !provider_options.empty()) host.Warn("provider_options have no effect: the provider is cpu");
}

void Embed::Apply(const Rows& in) {
  const auto source = std::make_shared<Source>();
  source->id = in.id();
  source->first_row = in.row(0);
  source->parts = 1;   // until all rows are seen
  source->array = in.Keep();
  for (std::int64_t first = 0; first < in.size(); first += kRowsOut) {
    const std::int64_t last = std::min(first + kRowsOut, in.size());
    Held& held = held_.emplace_back();
    held.source = source;
    ++source->parts;
    for (std::int64_t row = first; row < last;) {
      for (RowText& text : ReadRows(in, row, last)) {
        AddRow(in, text, held);
        while (engine_->full()) Pump(std::chrono::milliseconds(100));
      }
    }
    held.whole = in.size() <= kRowsOut && static_cast<std::int64_t>(held.pieces.size()) == in.size() && !chunks();
    if (--held.open == 0) EmitHeld(held);
    engine_->StartFew();
  }
  if (--source->parts == 0) host.Finished(source->id);
  Pump(std::chrono::nanoseconds(0));
}

/// The values of chunk.key, of which no two rows give the same text; nothing if one is null.
std::optional<std::string> Embed::KeyOf(const ArrowArray& batch, std::int64_t row) const {
  std::string text;
  for (const TextOf& key : keys_) {
    std::string value;
    if (!key.Append(batch, row, value)) return {};
    if (keys_.size() > 1) (text += std::to_string(value.size())) += ':';   // as the elasticsearch sink joins an id
    text += value;
  }
  return text;
}

std::string Embed::RowName(const Rows& in, std::int64_t row) const {
  const std::string name = KeyOf(in.array(), row).value_or("");
  return name.empty() ? "row " + std::to_string(in.row(row) + 1) : name;
}

/// The texts of rows from `row` on, which comes to stand behind them, with their tokens.  Not all of them where they are large.
std::vector<Embed::RowText> Embed::ReadRows(const Rows& in, std::int64_t& row, std::int64_t last) {
  std::vector<RowText> texts;
  for (std::size_t bytes = 0; row < last && bytes < kTokenizedTogether; ++row) {
    RowText text;
    text.row = row;
    if (!ReadRow(in, text)) continue;
    bytes += text.value.size();
    texts.push_back(std::move(text));
  }
  // Two at a time: where most vectors are known the tokens are what a run waits for.
  const auto tokenize = [this](RowText* from, RowText* to) {
    const auto begin = Clock::now();
    for (; from != to; ++from) Tokenize(*from);
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  RowText* const all = texts.data();
  RowText* const half = all + (texts.size() < kWorthAThread ? 0 : texts.size() / 2);
  std::future<double> other;
  if (half != all) other = std::async(std::launch::async, tokenize, all, half);
  count_.tokenizing += tokenize(half, all + texts.size());
  if (other.valid()) count_.tokenizing += other.get();
  return texts;
}

/// False: it was rejected.
bool Embed::ReadRow(const Rows& in, RowText& text) {
  const auto reject = [&](const std::string& reason) {
    host.Reject(in.row(text.row), reason);
    return false;
  };
  try {
    if (chunks() && !KeyOf(in.array(), text.row)) return reject("a column of chunk.key is null");
    text.there = text_of_->Append(in.array(), text.row, text.value);
  } catch (const std::invalid_argument& e) {
    return reject(e.what());
  }
  if (ValidUtf8(text.value) == text.value.size()) return true;
  if (on_invalid_utf8 == "error") return reject("the text is not UTF-8 at byte " + std::to_string(ValidUtf8(text.value)));
  text.value = Repaired(text.value);
  ++count_.repaired;
  return true;
}

/// Any thread.
void Embed::Tokenize(RowText& text) const {
  const Tokenizer& tokenizer = loaded_->tokenizer();
  const std::string& before = loaded_->folder().prefix;
  if (text.there || on_empty == "embed") text.tokens = tokenizer.Encode(before.empty() ? text.value : before + text.value);
  text.empty = !text.there || Blank(text.value) || text.tokens.empty() || (!before.empty() && tokenizer.Encode(text.value).empty());
}

void Embed::AddRow(const Rows& in, RowText& text, Held& held) {
  const Tokenizer& tokenizer = loaded_->tokenizer();
  const std::int64_t row = text.row;
  std::string& value = text.value;
  std::vector<Token>& tokens = text.tokens;
  ++count_.texts;
  count_.tokens += static_cast<std::int64_t>(tokens.size());
  Piece piece;
  piece.row = row;
  if (text.empty) {
    ++count_.empty;
    if (on_empty == "reject") return host.Reject(in.row(row), "the text is empty");
    if (on_empty == "fail") throw Fatal("the text of " + RowName(in, row) + " is empty");
    if (on_empty == "zero" || on_empty == "null") {
      piece.chunk_text = value;
      held.pieces.push_back(std::move(piece));
      return;
    }
  }
  if (tokens.size() > loaded_->room()) {
    if (chunks()) return AddChunks(value, row, held);
    const auto size = static_cast<std::int64_t>(tokens.size());
    const std::string most = Grouped(static_cast<std::int64_t>(loaded_->room()));
    // One reason for all, so that they are counted together; the code tells them apart.
    if (on_long == "reject") return host.Reject(in.row(row), "the text has more than " + most + " tokens; the code says how many", size);
    if (on_long == "fail") throw Fatal("the text of " + RowName(in, row) + " has " + Grouped(size) + " tokens, " + most + " is the most");
    ++count_.cut_texts;
    count_.cut_tokens += static_cast<std::int64_t>(tokens.size() - loaded_->room());
    tokens.resize(loaded_->room());
    piece.cut = true;
  } else if (chunks() && chunk.tokens && tokens.size() > static_cast<std::size_t>(chunk.tokens)) {
    return AddChunks(value, row, held);
  }
  if (!chunk.text.empty()) piece.chunk_text = value;
  std::vector<std::uint32_t> ids = tokenizer.before();
  for (const Token& t : tokens) ids.push_back(t.id);
  ids.insert(ids.end(), tokenizer.behind().begin(), tokenizer.behind().end());
  AddPiece(std::move(piece), std::move(ids), held);
}

void Embed::AddChunks(const std::string& value, std::int64_t row, Held& held) {
  const Tokenizer& tokenizer = loaded_->tokenizer();
  const std::vector<Token> tokens = tokenizer.Encode(value, true);
  const std::size_t room = loaded_->room() - loaded_->prefix_ids().size();
  const std::size_t most = chunk.tokens ? std::min(static_cast<std::size_t>(chunk.tokens), room) : room;
  const std::vector<Chunk> all = CutChunks(value, tokens, most, static_cast<std::size_t>(chunk.overlap), EndOf(chunk.at));
  for (std::size_t i = 0; i < all.size(); ++i) {
    Piece piece;
    piece.row = row;
    piece.chunk = static_cast<std::int32_t>(i);
    piece.chunks = static_cast<std::int32_t>(all.size());
    const std::string part = value.substr(all[i].begin, all[i].end - all[i].begin);
    if (!chunk.text.empty()) piece.chunk_text = part;
    std::vector<std::uint32_t> ids = tokenizer.before();
    // A prefix may be of other tokens together with a text than alone: BPE has one of a space and the word behind it.
    std::vector<Token> whole;
    if (!loaded_->prefix_ids().empty()) whole = tokenizer.Encode(loaded_->folder().prefix + part);
    if (!whole.empty() && whole.size() <= loaded_->room()) {
      for (const Token& t : whole) ids.push_back(t.id);
    } else {
      ids.insert(ids.end(), loaded_->prefix_ids().begin(), loaded_->prefix_ids().end());
      for (std::size_t t = all[i].first; t < all[i].last; ++t) ids.push_back(tokens[t].id);
    }
    ids.insert(ids.end(), tokenizer.behind().begin(), tokenizer.behind().end());
    AddPiece(std::move(piece), std::move(ids), held);
  }
}

void Embed::AddPiece(Piece piece, std::vector<std::uint32_t> ids, Held& held) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  std::string known = loaded_->fingerprint();
  known.append(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof ids[0]);
  if (!EVP_Digest(known.data(), known.size(), digest, nullptr, EVP_sha256(), nullptr)) throw Fatal("OpenSSL cannot compute SHA-256");
  Key key{};
  std::memcpy(key.half, digest, sizeof key.half);

  const auto there = under_way_.find(key);
  if (there != under_way_.end()) {
    ++count_.same;
    piece.text = there->second.text;
    there->second.held.push_back(&held);
    ++held.open;
  } else {
    piece.text = std::make_shared<Text>();
    std::memcpy(piece.text->key, key.half, sizeof key.half);
    if (cache_ && cache_->Find(*piece.text) && Finite(piece.text->vector)) {
      ++count_.hits;
    } else {
      piece.text->ids = std::move(ids);
      if (engine_->window_empty()) oldest_ = host.Now();
      under_way_[key] = {piece.text, {&held}};
      ++held.open;
      engine_->Add(piece.text);
    }
  }
  held.pieces.push_back(std::move(piece));
}

void Embed::Finish(const TextPtr& done) {
  if (!Finite(done->vector)) done->vector.clear();   // its rows are rejected
  else if (cache_) cache_->Put(*done);
  Key key{};
  std::memcpy(key.half, done->key, sizeof key.half);
  const auto at = under_way_.find(key);
  const std::vector<Held*> waiting = std::move(at->second.held);
  under_way_.erase(at);
  for (Held* h : waiting) {
    if (--h->open == 0) EmitHeld(*h);
  }
}

void Embed::Pump(std::chrono::nanoseconds wait) {
  const auto now = host.Now();
  if (!engine_->window_empty() && engine_->hungry() && now >= oldest_ + linger) engine_->Start();
  for (const TextPtr& t : engine_->Done(wait)) Finish(t);
  if (engine_->working()) host.Wake(now + kLook);
  else if (!engine_->window_empty()) host.Wake(oldest_ + linger);
  if (now >= reported_ + kReportEvery) {
    if (cache_) cache_->Save();
    Report(false);
  }
}

void Embed::Tick() { Pump(std::chrono::nanoseconds(0)); }

void Embed::Flush() {
  engine_->Start();
  while (engine_->working()) {
    for (const TextPtr& t : engine_->Done(std::chrono::milliseconds(100))) Finish(t);
  }
  if (cache_) cache_->Save();
}

void Embed::Interrupt() noexcept {
  stopped_ = true;
  if (Engine* engine = interruptible_.load()) engine->Interrupt();
}

/// A row whose text, or one of its chunks, has no vector that can be used.
void Embed::RejectBroken(Held& held) {
  std::vector<std::int64_t> rows;
  for (const Piece& p : held.pieces) {
    if (p.text && p.text->vector.empty() && (rows.empty() || rows.back() != p.row)) rows.push_back(p.row);
  }
  if (rows.empty()) return;
  for (const std::int64_t row : rows) host.Reject(held.source->first_row + static_cast<std::uint64_t>(row), "the text's vector holds NaN or infinity");
  const auto among = [&](const Piece& p) { return std::binary_search(rows.begin(), rows.end(), p.row); };
  held.pieces.erase(std::remove_if(held.pieces.begin(), held.pieces.end(), among), held.pieces.end());
  held.whole = false;
}

void Embed::EmitHeld(Held& held) {
  RejectBroken(held);
  const std::int64_t most = std::clamp<std::int64_t>(host.MemoryLimit() / 16, 64 << 10, kBytesOut);
  std::size_t first = 0;
  std::int64_t bytes = 0, of_row = 0;
  for (std::size_t i = 0; i < held.pieces.size(); ++i) {
    // One row may have become many, each with all of its columns.
    if (chunks() && (i == 0 || held.pieces[i].row != held.pieces[i - 1].row)) of_row = arrow::ValueBytes(in_schema(), held.source->array, held.pieces[i].row, 1);
    if (i > first && (i - first == static_cast<std::size_t>(kRowsOut) * 4 || bytes + of_row > most)) {
      EmitPieces(held, std::exchange(first, i), i);
      bytes = 0;
    }
    bytes += of_row;
  }
  if (first < held.pieces.size()) EmitPieces(held, first, held.pieces.size());
  Source& source = *held.source;
  if (--source.parts == 0) host.Finished(source.id);
  held_.remove_if([&](const Held& h) { return &h == &held; });
}

void Embed::EmitPieces(const Held& held, std::size_t first, std::size_t last) {
  ArrowArray& in = held.source->array;
  const auto there = static_cast<std::size_t>(in.n_children);
  const std::vector<float> zeros(static_cast<std::size_t>(loaded_->dims()), 0.0f);
  Column vectors(VectorType(element_, loaded_->dims())), cut(Bool()), ids(Utf8()), numbers(Int32()), counts(Int32()), texts(Utf8());
  std::vector<std::uint64_t> origin;
  std::vector<std::int64_t> rows;
  for (std::size_t i = first; i < last; ++i) {
    const Piece& p = held.pieces[i];
    rows.push_back(p.row + in.offset);
    origin.push_back(held.source->first_row + static_cast<std::uint64_t>(p.row));
    if (!p.text && on_empty == "null") {
      vectors.Null();
    } else {
      AppendVector(element_, p.text ? p.text->vector : zeros, vectors.child(0));
      vectors.EndRow();
    }
    if (!cut_column.empty()) cut.Append(p.cut);
    if (!chunks()) continue;
    ids.Append(*KeyOf(in, p.row) + "#" + std::to_string(p.chunk));
    numbers.Append(p.chunk);
    counts.Append(p.chunks);
    if (!chunk.text.empty()) texts.Append(p.chunk_text);
  }
  std::vector<ArrowArray> columns(there);
  for (std::size_t c = 0; c < there; ++c) {
    const auto i = static_cast<std::int64_t>(c);
    if (held.whole) columns[c] = MoveColumn(in, i);
    else Take(*in_schema().children[i], *in.children[i], rows, &columns[c]);
  }
  const auto add = [&](Column& column) { column.Finish(&columns.emplace_back()); };
  add(vectors);
  if (!cut_column.empty()) add(cut);
  if (chunks()) {
    add(ids);
    add(numbers);
    add(counts);
    if (!chunk.text.empty()) add(texts);
  }
  ArrowArray out{};
  MakeBatch(columns, static_cast<std::int64_t>(last - first), &out);
  host.Emit(&out, origin.data());
}

void Embed::Report(bool last) {
  const auto now = host.Now();
  reported_ = now;
  const Figures f = engine_->figures();
  const double seconds = std::max(1e-9, std::chrono::duration<double>(now - began_).count());
  host.Gauge("texts_per_s", static_cast<double>(count_.texts) / seconds);
  host.Gauge("tokens_per_s", static_cast<double>(f.tokens) / seconds);
  host.Gauge("padding_percent", f.padded ? 100.0 * static_cast<double>(f.padded - f.tokens) / static_cast<double>(f.padded) : 0);
  host.Gauge("model_texts", static_cast<double>(f.texts));
  host.Gauge("cache_hits", static_cast<double>(count_.hits));
  host.Gauge("same_texts", static_cast<double>(count_.same));
  host.Gauge("texts_cut", static_cast<double>(count_.cut_texts));
  host.Gauge("texts_empty", static_cast<double>(count_.empty));
  host.Gauge("model_busy_percent", 100 * f.busy_seconds / seconds);
  host.Gauge("tokenizer_busy_percent", 100 * count_.tokenizing / seconds);
  if (const auto s = engine_->setting(); s && !setting_said_) {
    setting_said_ = true;
    host.Info("calls the model with up to " + Grouped(static_cast<std::int64_t>(s->tokens)) + " tokens, " + std::to_string(s->sessions) + " at once with " +
              std::to_string(s->threads) + (s->threads == 1 ? " thread each" : " threads each"));
  }
  if (!last) return;
  if (count_.cut_texts) {
    host.Warn(Grouped(count_.cut_texts) + " of " + Grouped(count_.texts) + " texts cut at " + Grouped(loaded_->folder().max_tokens) + " tokens; " +
              Percent(static_cast<double>(count_.cut_tokens), static_cast<double>(count_.tokens)) + " of tokens");
  }
  if (count_.repaired) host.Warn(Grouped(count_.repaired) + " texts had bytes that are not UTF-8, embedded as U+FFFD");
  if (count_.empty) host.Info(Grouped(count_.empty) + " of " + Grouped(count_.texts) + " texts were empty");
}

}  // namespace etl::embed
