// SPDX-License-Identifier: Apache-2.0
#include "lookup.h"

#include <etl/compare.h>
#include <etl/take.h>
#include <openssl/sha.h>

#include <algorithm>

namespace etl::elasticsearch {
namespace {

using simdjson::dom::element;

std::size_t ColumnAt(const Schema& in, const std::string& name, const char* option) {
  const auto at = std::find_if(in.begin(), in.end(), [&name](const Field& f) { return f.name == name; });
  if (at == in.end()) throw ConfigError(option, "the rows have no column \"" + name + "\"");
  return static_cast<std::size_t>(at - in.begin());
}

bool Passing(std::string_view type) {
  return type == "es_rejected_execution_exception" || type == "circuit_breaking_exception" || type == "cluster_block_exception" ||
         type == "unavailable_shards_exception" || type == "no_shard_available_action_exception" || type == "node_disconnected_exception";
}

}  // namespace

detail::DeclaredList ElasticsearchLookup::Options() {
  using L = ElasticsearchLookup;
  return Join(
      AccessOptions<L>(),
      etl::Options(
          Option("index", &L::index, "Index or alias to look in; columns and dates in braces, as in the sink: \"logs-{tenant}\".").Required(),
          Option("id", &L::id, "Columns that the ids are made of, as in the sink.").Required(),
          Option("routing", &L::routing, "Column that holds the routing."),
          Option("columns", &L::columns, "New column = field of the document (\"author.name\"): what to add; null where there is none."),
          Option("types", &L::types, "New column = type, where the mapping's does not do: utf8, int64, float64, bool, timestamp, json ..."),
          Option("only_missing", &L::only_missing, "Pass only rows whose id the index does not hold."),
          Option("only_changed", &L::only_changed, "Pass only rows that the index does not hold, or holds with another content of these columns. The content's hash is added to the rows."),
          Option("hash", &L::hash, "Of only_changed: the column that is added, and the field that the index keeps it in.").Advanced(),
          Option("batch_ids", &L::batch_ids, "Most ids in a request.").Range("1..100000").Tuning().Advanced(),
          Option("batch_bytes", &L::batch_bytes, "Most bytes of a request.").Range("1KiB..64MiB").Tuning().Advanced(),
          Option("concurrency", &L::concurrency, "Most requests under way at a time.").Range("1..64").Tuning().Advanced(),
          Option("linger", &L::linger, "Longest wait of a row for its request to fill.").Range("0s..1m").Tuning().Advanced()));
}

void ElasticsearchLookup::Check() {
  Cluster cluster(MakeTarget(*this), [this] { return stop_.load(); });
  cluster.Root();
}

Schema ElasticsearchLookup::Describe(const Schema& in) {
  Prepare(in);
  Schema out = in;
  out.insert(out.end(), added_.begin(), added_.end());
  return out;
}

void ElasticsearchLookup::Open(const Schema& in) {
  Prepare(in);
  comparing_ = Comparing(host);
  json_ = std::make_unique<JsonWriter>(in_schema(), JsonOptions::Exact());
  client_ = std::make_unique<http::Client>(MakeTarget(*this));
  EncodeOptions options;
  options.index = index;
  options.id = id;
  options.routing = routing;
  encoder_ = std::make_unique<Encoder>(in_schema(), options);
}

void ElasticsearchLookup::Prepare(const Schema& in) {
  if (id.empty()) throw ConfigError("id", "name at least one column");
  if (only_missing && !only_changed.empty()) throw ConfigError("only_changed", "only_missing and only_changed exclude each other");
  if (only_missing && !columns.empty()) throw ConfigError("columns", "rows that are not in the index have nothing to add; leave out columns or only_missing");
  if (!only_missing && only_changed.empty() && columns.empty()) throw ConfigError("columns", "say what to look up: columns, only_missing or only_changed");
  fields_.clear();
  hashed_.clear();
  added_.clear();
  for (const std::string& name : only_changed) hashed_.push_back(ColumnAt(in, name, "only_changed"));
  Cluster cluster(MakeTarget(*this), [this] { return stop_.load(); });
  PrepareColumns(cluster, in);
  std::string wanted;
  for (const LookupField& f : fields_) wanted += (wanted.empty() ? "" : ",") + http::Escape(f.path);
  if (!only_changed.empty()) wanted += (wanted.empty() ? "" : ",") + http::Escape(hash);
  path_ = (IsFixed() ? "/" + http::Escape(index) : "") + "/_mget?_source" + (wanted.empty() ? "=false" : "_includes=" + wanted) + "&filter_path=docs.found,docs._source,docs.error";
}

void ElasticsearchLookup::PrepareColumns(Cluster& cluster, const Schema& in) {
  const auto add = [&](const std::string& name, const Type& type, const char* option) {
    if (std::any_of(in.begin(), in.end(), [&](const Field& f) { return f.name == name; })) {
      throw ConfigError(option, "the rows have a column \"" + name + "\" already");
    }
    added_.push_back({name, type, true});
  };
  for (const auto& [name, type] : types) {
    if (std::none_of(columns.begin(), columns.end(), [&n = name](const auto& c) { return c.first == n; })) {
      throw ConfigError("types", "\"" + name + "\" is none of the new columns");
    }
  }
  if (!columns.empty()) {
    const auto mapping = IsFixed() ? cluster.Find("/" + http::Escape(index) + "/_mapping", "asking for the mapping of \"" + index + "\"") : std::nullopt;
    if (!mapping && IsFixed() && only_changed.empty()) throw ConfigError("index", "there is no index \"" + index + "\"");
    simdjson::dom::parser parser;
    const simdjson::padded_string text(mapping.value_or("{}"));
    const element root = parser.parse(text);
    for (const auto& [name, path] : columns) {
      const auto given = std::find_if(types.begin(), types.end(), [&n = name](const auto& t) { return t.first == n; });
      fields_.push_back({path, files::ColumnOf(name, given == types.end() ? ColumnTypeOf(root, path) : given->second)});
      fields_.back().column.declared = true;
      add(name, files::ArrowType(fields_.back().column), "columns");
    }
  }
  if (!only_changed.empty()) add(hash, Utf8(), "hash");
}

/// Throws Retry before anything is taken, or else takes the rows and goes through: the host repeats a call that says Retry.
void ElasticsearchLookup::Apply(const Rows& in) {
  Wait(static_cast<std::size_t>(concurrency) - 1);
  Take(in);
  Pump();
  EmitAnswered();
  if (!held_.empty()) host.Wake(host.Now() + linger);
}

void ElasticsearchLookup::Flush() {
  CloseRequest();
  Wait(0);
  EmitAnswered();
}

void ElasticsearchLookup::Take(const Rows& in) {
  auto held = std::make_unique<Held>();
  held->batch = in.id();
  held->first_row = in.row(0);
  held->fates.assign(static_cast<std::size_t>(in.size()), Fate::kAsked);
  held->added = std::make_unique<Batch>(added_);
  encoder_->Begin(in.array());
  for (std::int64_t row = 0; row < in.size(); ++row) {
    if (!hashed_.empty()) held->hashes.push_back(HashOf(in, row));
    if (!AddToRequest(*held, row)) held->fates[static_cast<std::size_t>(row)] = Fate::kRejected;
  }
  held->array = in.Keep();
  held_.push_back(std::move(held));
}

/// False: the row has no id, and is rejected.
bool ElasticsearchLookup::AddToRequest(Held& held, std::int64_t row) {
  if (!open_) {
    open_ = std::make_unique<Request>();
    open_->body = "{\"docs\":[";
  }
  std::string& body = open_->body;
  const std::size_t before = body.size();
  try {
    if (!open_->rows.empty()) body += ',';
    encoder_->Place(row, -1, body);
  } catch (const std::invalid_argument& e) {
    body.resize(before);
    host.Reject(held.first_row + static_cast<std::uint64_t>(row), e.what());
    return false;
  }
  open_->rows.emplace_back(&held, row);
  ++held.unanswered;
  if (static_cast<std::int64_t>(open_->rows.size()) >= batch_ids || static_cast<std::int64_t>(body.size()) >= batch_bytes.value) CloseRequest();
  return true;
}

/// 128 bits of SHA-256 over the values, each as JSON on a line.
std::string ElasticsearchLookup::HashOf(const Rows& in, std::int64_t row) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const std::size_t column : hashed_) {
    json_->Value(column, in.array(), row, text);
    text += '\n';
  }
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::string out;
  for (std::size_t i = 0; i < 16; ++i) out += {kHex[digest[i] >> 4], kHex[digest[i] & 15]};
  return out;
}

void ElasticsearchLookup::CloseRequest() {
  if (!open_ || open_->rows.empty()) return;
  open_->body += "]}";
  requests_.push_back(std::move(open_));
}

/// Sends what may be sent, and takes what has come.
void ElasticsearchLookup::Pump() {
  for (const auto& r : requests_) {
    if (flying_ >= static_cast<std::size_t>(concurrency)) break;
    if (r->state != Request::State::kReady) continue;
    r->state = Request::State::kFlying;
    ++flying_;
    client_->Submit({"POST", path_, r->body, "application/json", {}}, [this, request = r.get()](http::Reply&& reply) {
      request->reply = std::move(reply);
      request->state = Request::State::kAnswered;
      --flying_;
    });
  }
  client_->Poll(std::chrono::nanoseconds(0));
}

/// Until no more requests than that wait for their answers.  Throws Retry for one that failed; it goes out again with the
/// next call.
void ElasticsearchLookup::Wait(std::size_t most_waiting) {
  Pump();
  Answered();
  while (requests_.size() > most_waiting) {
    if (stop_) throw Cancelled();
    client_->Poll(std::chrono::milliseconds(100));   // and then looks whether it is to stop
    Pump();
    Answered();
  }
}

/// Takes the answers up to the first that is not there.
void ElasticsearchLookup::Answered() {
  while (!requests_.empty() && requests_.front()->state == Request::State::kAnswered) {
    Request& request = *requests_.front();
    request.state = Request::State::kReady;   // should this throw
    TakeReply(request);
    requests_.pop_front();
  }
}

void ElasticsearchLookup::TakeReply(Request& request) {
  const http::Reply reply = std::move(request.reply);
  const char* const doing = "looking rows up";
  const simdjson::dom::array documents = DocumentsOf(parser_, reply, request.rows.size(), doing);
  for (const element document : documents) {
    std::string_view type, reason;
    if (!document["error"]["type"].get(type) && Passing(type)) {
      if (document["error"]["reason"].get(reason)) reason = type;
      throw Retry(std::string(doing) + ": " + std::string(type) + ": " + std::string(reason).substr(0, 300), 429);
    }
  }
  auto at = request.rows.begin();
  for (const element document : documents) {
    TakeDocument(document, *at->first, at->second);
    --at->first->unanswered;
    ++at;
  }
}

void ElasticsearchLookup::TakeDocument(const element& document, Held& held, std::int64_t row) {
  Fate& fate = held.fates[static_cast<std::size_t>(row)];
  std::string_view type, reason, kept;
  bool found = false;
  if (!document["error"]["type"].get(type)) {
    // The first load: nothing is there yet.
    if (type != "index_not_found_exception" || (!only_missing && only_changed.empty())) {
      if (document["error"]["reason"].get(reason)) reason = "";
      fate = Fate::kRejected;
      host.Reject(held.first_row + static_cast<std::uint64_t>(row), "cannot be looked up: " + std::string(type) + ": " + std::string(reason));
      return;
    }
  } else if (document["found"].get(found)) {
    found = false;
  }
  if (only_missing) {
    fate = found && !comparing_ ? Fate::kDropped : Fate::kPasses;
    return;
  }
  const bool same = !comparing_ && !hashed_.empty() && found && !document["_source"][hash].get(kept) && kept == held.hashes[static_cast<std::size_t>(row)];
  fate = same ? Fate::kDropped : AddFields(document, found, held, row) ? Fate::kPasses : Fate::kRejected;
}

/// False: a field does not fit its column, and the row is rejected.
bool ElasticsearchLookup::AddFields(const element& document, bool found, Held& held, std::int64_t row) {
  const std::int64_t before = held.added->rows();
  element source;
  const bool has = found && !document["_source"].get(source);
  std::string why;
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    if (!has) {
      (*held.added)[i].Null();
    } else if (!AppendField(fields_[i], source, (*held.added)[i], why)) {
      held.added->Truncate(before);
      host.Reject(held.first_row + static_cast<std::uint64_t>(row), "in \"" + index + "\", " + why);
      return false;
    }
  }
  if (!hashed_.empty()) (*held.added)[fields_.size()].Append(held.hashes[static_cast<std::size_t>(row)]);
  return true;
}

void ElasticsearchLookup::EmitAnswered() {
  while (!held_.empty() && held_.front()->unanswered == 0) {
    Emit(*held_.front());
    host.Finished(held_.front()->batch);
    held_.pop_front();
  }
}

void ElasticsearchLookup::Emit(Held& held) {
  std::vector<std::int64_t> rows;
  std::vector<std::uint64_t> origin;
  for (std::size_t row = 0; row < held.fates.size(); ++row) {
    if (held.fates[row] != Fate::kPasses) continue;
    rows.push_back(static_cast<std::int64_t>(row) + held.array.offset);
    origin.push_back(held.first_row + row);
  }
  if (rows.empty()) return;
  const auto width = static_cast<std::size_t>(held.array.n_children);
  std::vector<ArrowArray> out_columns(width + added_.size());
  for (std::size_t c = 0; c < width; ++c) etl::Take(*in_schema().children[c], *held.array.children[c], rows, &out_columns[c]);
  for (std::size_t a = 0; a < added_.size(); ++a) (*held.added)[a].Finish(&out_columns[width + a]);
  ArrowArray out;
  MakeBatch(out_columns, static_cast<std::int64_t>(rows.size()), &out);
  host.Emit(&out, origin.data());
}

}  // namespace etl::elasticsearch
