// SPDX-License-Identifier: Apache-2.0
#include "encode.h"

#include <openssl/sha.h>

#include <algorithm>
#include <ctime>
#include <functional>

#include "cluster.h"

namespace etl::elasticsearch {
namespace {

constexpr std::string_view kHashed = "sha256:";
constexpr std::size_t kLongestPart = 21;   // "#" and a number

[[noreturn]] void Fail(const std::string& why) { throw std::invalid_argument(why); }

JsonOptions WriterOptions(const EncodeOptions& o) {
  JsonOptions j;
  j.omit_nulls = o.nulls == "omit";
  j.non_finite = o.shape.nan_as_null ? JsonNonFinite::kNull : JsonNonFinite::kThrow;
  j.bad_text = o.on_invalid_utf8 == "replace" ? JsonBadText::kReplace : JsonBadText::kThrow;
  return j;
}

JsonOptions MetaOptions() {
  JsonOptions j;
  j.raw_json = false;
  return j;
}

bool IsText(const ArrowSchema& s) { return arrow::ParseFormat(s.format).kind == arrow::Kind::kUtf8; }
bool IsInteger(const ArrowSchema& s) {
  const auto kind = arrow::ParseFormat(s.format).kind;
  return kind >= arrow::Kind::kInt8 && kind <= arrow::Kind::kUInt64;
}

bool ParseAction(std::string_view word, Action& action) {
  if (word == "index") action = Action::kIndex;
  else if (word == "create") action = Action::kCreate;
  else if (word == "update") action = Action::kUpdate;
  else if (word == "upsert") action = Action::kUpsert;
  else if (word == "delete") action = Action::kDelete;
  else return false;
  return true;
}

std::uint64_t Mix(std::uint64_t h, std::string_view text) {
  h ^= std::hash<std::string_view>()(text) + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
  return h;
}

std::string Sha256(std::string_view text) {
  static const char kHex[] = "0123456789abcdef";
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::string out(kHashed);
  for (const unsigned char c : digest) out += {kHex[c >> 4], kHex[c & 15]};
  return out;
}

}  // namespace

Template::Template(const std::string& text, const ArrowSchema& rows, const char* option) : text_(text) {
  Part part;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '}') throw ConfigError(option, "\"" + text + "\" has a } without its {");
    if (text[i] != '{') {
      part.text += text[i];
      continue;
    }
    const auto end = text.find('}', i);
    if (end == std::string::npos) throw ConfigError(option, "\"" + text + "\" has a { without its }");
    std::string name = text.substr(i + 1, end - i - 1);
    if (const auto colon = name.find(":%"); colon != std::string::npos) {
      part.format = name.substr(colon + 1);
      name.resize(colon);
    }
    part.column = FindColumn(rows, name, option);
    const auto kind = arrow::ParseFormat(rows.children[part.column]->format).kind;
    const bool time = kind == arrow::Kind::kTimestamp || kind == arrow::Kind::kDate32 || kind == arrow::Kind::kDate64;
    if (!part.format.empty() && !time) throw ConfigError(option, "column \"" + name + "\" is neither a date nor a timestamp: it has no " + part.format);
    parts_.push_back(std::move(part));
    part = Part();
    i = end;
  }
  if (!parts_.empty() && !part.text.empty()) parts_.push_back(std::move(part));
}

Encoder::Encoder(const ArrowSchema& rows, const EncodeOptions& o)
    : rows_(&rows),
      options_(o),
      shape_(rows, o.shape),
      document_(shape_.schema(), WriterOptions(o)),
      meta_(rows, MetaOptions()),
      action_(o.action, rows, "action"),
      index_(o.index, rows, "index") {
  if (action_.fixed() && !ParseAction(action_.text(), fixed_)) {
    throw ConfigError("action", "\"" + o.action + "\" is none of index, create, update, upsert, delete, nor a column in braces");
  }
  for (const std::string& name : o.id) {
    id_.push_back(FindColumn(rows, name, "id"));
    const auto layout = arrow::ParseFormat(rows.children[id_.back()]->format).layout;
    if (layout != arrow::Layout::kFixed && layout != arrow::Layout::kText32 && layout != arrow::Layout::kText64 && layout != arrow::Layout::kBits) {
      throw ConfigError("id", "column \"" + name + "\" is of a type that makes no id");
    }
  }
  const auto column = [&](const std::string& name, const char* option) { return name.empty() ? -1 : FindColumn(rows, name, option); };
  const auto number = [&](const std::string& name, const char* option) {
    const std::int64_t at = column(name, option);
    if (at >= 0 && !IsInteger(*rows.children[at])) throw ConfigError(option, "column \"" + name + "\" does not hold integers");
    return at;
  };
  part_ = number(o.part, "parts.number");
  parts_ = number(o.parts, "parts.count");
  routing_ = column(o.routing, "routing");
  version_ = number(o.version, "version");
  seq_no_ = number(o.if_seq_no, "if_seq_no");
  term_ = number(o.if_primary_term, "if_primary_term");
  plain_id_ = part_ < 0 && id_.size() == 1 && (IsText(*rows.children[id_[0]]) || IsInteger(*rows.children[id_[0]]));
  for (int a = 0; a < 5; ++a) prefix_[a] = "{\"" + std::string(Word(static_cast<Action>(a))) + "\":{";
  if (o.require_alias) tail_ += ",\"require_alias\":true";
  if (version_ >= 0 && o.version_type != "internal") tail_ += ",\"version_type\":\"" + o.version_type + "\"";
  plain_line_ = index_.fixed() && routing_ < 0 && version_ < 0 && seq_no_ < 0 && term_ < 0 && !o.retry_on_conflict && tail_.empty() && plain_id_;
}

void Encoder::Begin(const ArrowArray& batch) {
  batch_ = &batch;
  shape_.Begin(batch);
  views_.clear();
  for (std::int64_t i = 0; i < batch.n_children; ++i) {
    const bool viewed = std::find(id_.begin(), id_.end(), i) != id_.end() || i == part_ || i == parts_ || i == routing_ || i == version_ || i == seq_no_ || i == term_ ||
                        !action_.fixed() || !index_.fixed();
    const auto layout = arrow::ParseFormat(rows_->children[i]->format).layout;
    const bool simple = layout == arrow::Layout::kFixed || layout == arrow::Layout::kBits || layout == arrow::Layout::kText32 || layout == arrow::Layout::kText64;
    views_.push_back(viewed && simple ? ColumnView(*rows_->children[i], *batch.children[i], batch.offset) : ColumnView());
  }
}

/// A value as plain text: strings as they are, all else as JSON writes it, without quotes.  Good until the next call.
std::string_view Encoder::PlainText(std::int64_t column, std::int64_t row) {
  const auto& view = views_[static_cast<std::size_t>(column)];
  if (view.IsNull(row)) Fail("column \"" + std::string(rows_->children[column]->name) + "\" is null, and a document's place depends on it");
  if (IsText(*rows_->children[column])) return view.Str(row);
  scratch_.clear();
  meta_.Value(static_cast<std::size_t>(column), *batch_, row, scratch_);
  const std::string_view text = scratch_;
  return text.size() > 1 && text[0] == '"' ? text.substr(1, text.size() - 2) : text;
}

std::string Encoder::Formatted(const Template::Part& part, std::int64_t row) {
  if (part.format.empty()) return std::string(PlainText(part.column, row));
  const auto& view = views_[static_cast<std::size_t>(part.column)];
  if (view.IsNull(row)) Fail("column \"" + std::string(rows_->children[part.column]->name) + "\" is null, and a document's place depends on it");
  const auto format = arrow::ParseFormat(rows_->children[part.column]->format);
  std::int64_t units = format.kind == arrow::Kind::kDate32 ? 1 : format.kind == arrow::Kind::kDate64 ? 1000 : 1;
  for (int i = 0; i < format.digits; ++i) units *= 10;
  const std::int64_t value = format.width == 4 ? view.Get<std::int32_t>(row) : view.Get<std::int64_t>(row);
  std::time_t seconds = value >= 0 ? value / units : -((-value + units - 1) / units);
  if (format.kind == arrow::Kind::kDate32) seconds = value * 86400;
  std::tm parts{};
  char text[200];
  if (!gmtime_r(&seconds, &parts)) Fail("column \"" + std::string(rows_->children[part.column]->name) + "\" holds a time beyond all calendars");
  return {text, std::strftime(text, sizeof text, part.format.c_str(), &parts)};
}

Action Encoder::ActionOf(std::int64_t row) {
  if (action_.fixed()) return fixed_;
  std::string word;
  for (const auto& p : action_.parts()) {
    word += p.text;
    if (p.column >= 0) word += PlainText(p.column, row);
  }
  Action action = fixed_;
  if (!ParseAction(word, action)) Fail("action \"" + word + "\" is none of index, create, update, upsert, delete");
  return action;
}

void Encoder::PutIndex(std::int64_t row, std::string& out) {
  std::string name;
  for (const auto& p : index_.parts()) {
    name += p.text;
    if (p.column >= 0) name += Formatted(p, row);
  }
  if (name.empty() || name.size() > 255 || name == "." || name == ".." || name[0] == '-' || name[0] == '_' || name[0] == '+' ||
      name.find_first_of("\\/*?\"<>| ,#:ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string::npos) {
    Fail("\"" + name + "\" is no index's name");
  }
  out += "\"_index\":";
  AppendQuoted(name, out);
}

/// What the id columns say; as a hash where it is too long.
std::string Encoder::JoinedId(std::int64_t row) {
  std::string joined;
  for (const std::int64_t column : id_) {
    const std::string_view part = PlainText(column, row);
    if (id_.size() > 1) (joined += std::to_string(part.size())) += ':';   // so that no two keys become one id
    joined += part;
  }
  if (joined.empty()) Fail("the id is empty");
  if (ValidUtf8(joined) != joined.size()) Fail("the id is not valid UTF-8");
  const std::size_t most = part_ < 0 ? kLongestId : kLongestId - kLongestPart;
  const bool hashed = joined.size() > most || std::string_view(joined).substr(0, kHashed.size()) == kHashed;
  return hashed ? Sha256(joined) : joined;
}

std::int64_t Encoder::Integer(std::int64_t column, std::int64_t row) {
  const std::string_view text = PlainText(column, row);
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) Fail("column \"" + std::string(rows_->children[column]->name) + "\" holds " + std::string(text) + ", which numbers no part");
  return value;
}

std::optional<Encoder::LastPart> Encoder::Last(std::int64_t row) {
  const std::int64_t count = Integer(parts_, row);
  if (Integer(part_, row) + 1 != count) return std::nullopt;
  std::string place = JoinedId(row);
  if (!index_.fixed()) place += '\n', PutIndex(row, place);
  return LastPart{count, Mix(1, place)};
}

void Encoder::PutId(std::int64_t row, std::int64_t part, std::string& out) {
  if (plain_id_) {
    const std::int64_t column = id_[0];
    const auto& view = views_[static_cast<std::size_t>(column)];
    if (view.IsNull(row)) Fail("column \"" + std::string(rows_->children[column]->name) + "\" is null: the document would have no id");
    if (!IsText(*rows_->children[column])) {
      char text[24];
      char* end = arrow::ParseFormat(rows_->children[column]->format).kind == arrow::Kind::kUInt64
                      ? std::to_chars(text, text + sizeof text, view.Get<std::uint64_t>(row)).ptr
                      : std::to_chars(text, text + sizeof text, view.kind() == 'I' ? std::int64_t{view.Get<std::uint32_t>(row)} : view.Int(row)).ptr;
      out += '"';
      out.append(text, end);
      out += '"';
      return;
    }
    const std::string_view text = view.Str(row);
    if (text.size() <= kLongestId && !text.empty() && text.substr(0, kHashed.size()) != kHashed) {
      return meta_.Value(static_cast<std::size_t>(column), *batch_, row, out);
    }
  }
  std::string text = JoinedId(row);
  if (part_ >= 0) (text += '#') += std::to_string(part >= 0 ? part : Integer(part_, row));
  AppendQuoted(text, out);
}

void Encoder::PutNumber(std::int64_t column, const char* name, std::int64_t row, std::string& out) {
  if (column < 0) return;
  ((out += ",\"") += name) += "\":";
  out += PlainText(column, row);
}

/// Index, id and routing, as members; returns the key of the document.
std::uint64_t Encoder::PutPlace(std::int64_t row, std::int64_t number, std::string& out) {
  std::uint64_t key = 1;
  std::size_t at = out.size();
  const auto part = [&](const char* name) {
    if (out.back() != '{') out += ',';
    out += name;
    at = out.size();
  };
  const auto mixed = [&] { key = Mix(key, std::string_view(out).substr(at)); };
  if (!index_.fixed()) part(""), PutIndex(row, out), mixed();
  if (!id_.empty()) part("\"_id\":"), PutId(row, number, out), mixed();
  if (routing_ >= 0 && !views_[static_cast<std::size_t>(routing_)].IsNull(row)) {
    part("\"routing\":");
    AppendQuoted(PlainText(routing_, row), out);
    mixed();
  }
  return id_.empty() ? 0 : key | 1;
}

void Encoder::Place(std::int64_t row, std::int64_t part, std::string& out) {
  const std::size_t begin = out.size();
  try {
    out += '{';
    PutPlace(row, part, out);
    out += '}';
  } catch (...) {
    out.resize(begin);
    throw;
  }
}

Encoder::Line Encoder::Put(std::int64_t row, Action action, std::int64_t number, std::string& out) {
  const std::size_t begin = out.size();
  try {
    Line line{action, 0};
    const ArrowArray& shaped = shape_.ForRow(row);
    if (const std::string* why = shape_.Wrong(row); why && line.action != Action::kDelete) Fail(*why);
    const bool changes = line.action == Action::kUpdate || line.action == Action::kUpsert;
    out += prefix_[static_cast<int>(line.action)];
    if (plain_line_) {
      out += "\"_id\":";
      const std::size_t at = out.size();
      PutId(row, number, out);
      line.key = Mix(1, std::string_view(out).substr(at)) | 1;
      out += "}}\n";
    } else {
      if (id_.empty() && (changes || line.action == Action::kDelete)) Fail("an update or a delete needs an id");
      line.key = PutPlace(row, number, out);
      PutNumber(version_, "version", row, out);
      PutNumber(seq_no_, "if_seq_no", row, out);
      PutNumber(term_, "if_primary_term", row, out);
      if (changes && options_.retry_on_conflict) (out += ",\"retry_on_conflict\":") += std::to_string(options_.retry_on_conflict);
      out += out.back() == '{' && !tail_.empty() ? tail_.substr(1) : tail_;
      out += "}}\n";
    }
    if (line.action == Action::kDelete) return line;
    if (changes) out += "{\"doc\":";
    document_.Row(shaped, row, out);
    out += line.action == Action::kUpsert ? ",\"doc_as_upsert\":true}\n" : changes ? "}\n" : "\n";
    return line;
  } catch (...) {
    out.resize(begin);
    throw;
  }
}

}  // namespace etl::elasticsearch
