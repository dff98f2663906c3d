// SPDX-License-Identifier: Apache-2.0
// The sink's index read back for `etl verify`.
#include <algorithm>
#include <atomic>

#include "compare.h"
#include "sink.h"

namespace etl::elasticsearch {
namespace {

constexpr auto kKeepAlive = "5m";                // between two pages
constexpr std::size_t kFirstPage = 200, kLargestPage = 5000;   // documents
constexpr std::size_t kPageBytes = 8 << 20;      // about
constexpr auto kLongestClose = std::chrono::seconds(2);

/// A point in time is a view that can be asked for the same page twice; a scroll is not, and is for what has no such view.
class IndexRows : public ReadBack {
 public:
  IndexRows(const ElasticsearchSink& sink, std::vector<ReadField> fields)
      : host_(sink.host),
        target_(MakeTarget(sink)),
        name_(sink.index),
        path_("/" + http::Escape(sink.index)),
        reader_(std::move(fields)),
        cluster_(target_, [this] { return interrupted_ || host_.Cancelled(); }) {
    schema = reader_.schema();
    const Version version = cluster_.Root();
    // By _shard_doc, which searches in a point in time are put in order by, from 7.12 on; OpenSearch 2 has none.
    scroll_ = version.opensearch || version.major < 7 || (version.major == 7 && version.minor < 12);
    whole_vectors_ = !version.opensearch && (version.major > 9 || (version.major == 9 && version.minor >= 2));
  }
  ~IndexRows() override { Close(); }
  IndexRows(const IndexRows&) = delete;

  void Rewind() override {
    Close();
    cluster_.Call("POST", path_ + "/_refresh", {}, "refreshing \"" + name_ + "\"");
    after_.clear();
    page_ = kFirstPage;
    read_ = 0;
    total_ = -1;
    ended_ = lost_ = false;
    if (scroll_) return Measure();
    const std::string text = cluster_.Call("POST", path_ + "/_pit?keep_alive=" + kKeepAlive, {}, "opening a point in time of \"" + name_ + "\"");
    simdjson::dom::parser parser;
    std::string_view id;
    if (parser.parse(text)["id"].get(id)) throw Retry("opening a point in time of \"" + name_ + "\": the reply has no id");
    context_ = id;
  }

  bool Next(ArrowArray* out) override {
    if (ended_) return false;
    std::string text = scroll_ ? Scroll() : Search();
    Batch rows(schema);
    const PageReader::Page page = reader_.Read(text, rows);
    if (page.failed_shards || page.timed_out) {
      throw Retry(doing() + ": " + (page.timed_out ? "not all documents came in time" : std::to_string(page.failed_shards) + " shards failed"));
    }
    lost_ = false;
    if (!page.context.empty()) context_ = page.context;
    if (!page.after.empty()) after_ = page.after;
    if (page.total >= 0) total_ = page.total;
    for (const auto& [id, why] : page.unreadable) host_.RejectInput("document " + id, {}, why);
    read_ += static_cast<std::int64_t>(page.hits);
    if (page.hits == 0) return End();
    Fit(text.size() / page.hits);
    rows.Finish(out);
    return true;
  }

  void Interrupt() noexcept override {
    interrupted_ = true;
    cluster_.client().Wake();
  }

 private:
  std::string doing() const { return "reading the documents of \"" + name_ + "\""; }

  bool End() {
    ended_ = true;
    Close();
    if (total_ == read_) return false;
    throw Fatal(doing() + ": the cluster says that there are " + std::to_string(total_) + ", and gave " + std::to_string(read_) + "; verify again");
  }

  /// Pages of about kPageBytes.
  void Fit(std::size_t document_bytes) {
    page_ = std::clamp<std::size_t>(kPageBytes / std::max<std::size_t>(document_bytes, 1), 1, std::min(2 * page_, kLargestPage));
  }

  /// Each page may be tried again, smaller.
  std::string Search() {
    const std::string source = whole_vectors_ ? R"(,"_source":{"exclude_vectors":false})" : "";
    for (;;) {
      // The source as a whole: where the cluster chooses fields from it, numbers lose digits.
      const std::string body = "{\"size\":" + std::to_string(page_) + source + R"(,"sort":[{"_shard_doc":"asc"}],"pit":{"id":)" + Quote(context_) + R"(,"keep_alive":")" +
                               kKeepAlive + "\"},\"track_total_hits\":" + (after_.empty() ? "true" : "false,\"search_after\":" + after_) + "}";
      const http::Reply reply = Ask("/_search?allow_partial_search_results=false", body);
      const bool too_much = reply.fault == http::Fault::kMalformed || reply.status == 413 || reply.status == 429;
      if (reply.status == 200) return reply.body;
      if (too_much && page_ > 1) page_ = (page_ + 3) / 4;
      if (reply.status == 404) throw Fatal(doing() + ": " + Words(reply) + "; the view of them is gone: verify again", 404);
      if (reply.fault != http::Fault::kMalformed || page_ == 1) Throw(reply, doing());
    }
  }

  /// What a scroll has given it does not give again.
  std::string Scroll() {
    if (lost_) throw Fatal(doing() + ": a page of them was lost on its way; verify again");
    const bool first = context_.empty();
    lost_ = !first;
    const http::Reply reply =
        first ? Ask(path_ + "/_search?allow_partial_search_results=false&scroll=" + kKeepAlive, "{\"size\":" + std::to_string(page_) + R"(,"sort":["_doc"],"track_total_hits":true})")
              : Ask("/_search/scroll", std::string(R"({"scroll":")") + kKeepAlive + R"(","scroll_id":)" + Quote(context_) + "}");
    if (reply.status != 200) Throw(reply, doing());
    return reply.body;
  }

  http::Reply Ask(const std::string& path, const std::string& body) {
    return cluster_.client().Call({"POST", path, body, "application/json", {}}, [this] { return interrupted_ || host_.Cancelled(); });
  }

  /// How many documents make a page of a scroll, which are as many for all of its pages.
  void Measure() {
    const std::string text = cluster_.Call("POST", path_ + "/_search", "{\"size\":" + std::to_string(kFirstPage) + "}", "looking at the documents of \"" + name_ + "\"");
    page_ = kLargestPage;
    Fit(text.size() / kFirstPage);
  }

  void Close() noexcept {
    if (context_.empty()) return;
    const std::string context = std::exchange(context_, {});
    try {
      // Also when the run is to stop at once: they cost the cluster memory.
      const auto since = std::chrono::steady_clock::now();
      Cluster c(target_, [since] { return std::chrono::steady_clock::now() - since > kLongestClose; });
      const http::Reply reply = scroll_ ? c.Ask("DELETE", "/_search/scroll", "{\"scroll_id\":[" + Quote(context) + "]}") : c.Ask("DELETE", "/_pit", "{\"id\":" + Quote(context) + "}");
      if (reply.status != 200 && reply.status != 404) host_.Debug("closing the view of \"" + name_ + "\": " + Words(reply));
    } catch (const std::exception& e) {
      host_.Debug("closing the view of \"" + name_ + "\", which the cluster now does by itself in " + kKeepAlive + ": " + e.what());
    }
  }

  Host host_;
  http::Target target_;
  std::string name_, path_;
  PageReader reader_;
  Cluster cluster_;
  std::atomic<bool> interrupted_ = false;
  bool scroll_ = false, whole_vectors_ = false;
  std::string context_, after_;        // the point in time or the scroll; the last page's end
  std::size_t page_ = kFirstPage;      // documents
  std::int64_t read_ = 0, total_ = -1;
  bool ended_ = false, lost_ = false;  // lost_: a page of a scroll is asked for, and has not come
};

FieldForm FormOf(const ArrowSchema& column) {
  using arrow::Kind;
  const Kind kind = arrow::ParseFormat(column.format).kind;
  if (IsVector(column)) return arrow::ParseFormat(column.children[0]->format).kind == Kind::kFloat32 ? FieldForm::kFloats : FieldForm::kDoubles;
  if (IsJson(column) || (kind >= Kind::kList && kind <= Kind::kUnion)) return FieldForm::kJson;
  if (kind == Kind::kBinary || kind == Kind::kFixedBinary) return FieldForm::kBytes;
  return kind == Kind::kFloat16 || kind == Kind::kFloat32 || kind == Kind::kFloat64 ? FieldForm::kFloat : FieldForm::kScalar;
}

std::vector<std::string> Path(const std::string& field, bool nested) {
  std::vector<std::string> path;
  std::string_view rest = field;
  for (std::size_t dot; nested && (dot = rest.find('.')) != rest.npos; rest.remove_prefix(dot + 1)) path.emplace_back(rest.substr(0, dot));
  path.emplace_back(rest);
  return path;
}

void CheckThere(const Host& host, const Place& place, const std::string& index) {
  if (place.indices.empty()) throw ConfigError("index", "the cluster has no index, alias or data stream \"" + index + "\"");
  for (const Concrete& c : place.indices) {
    simdjson::dom::parser parser;
    bool kept = true;
    if (!parser.parse(c.mappings)["_source"]["enabled"].get(kept) && !kept) {
      throw ConfigError("index", "index \"" + c.name + "\" keeps no documents as they were written (_source is off), so that they cannot be compared");
    }
    std::string_view mode;
    if (!parser.parse(c.settings)["mapping"]["source"]["mode"].get(mode) && mode == "synthetic") {
      host.Warn("index \"" + c.name + "\" makes documents anew from its fields (synthetic _source): what it keeps in another form counts as changed");
    }
  }
}

}  // namespace

std::unique_ptr<ReadBack> ElasticsearchSink::OpenReadBack(const etl::Run& run) {
  CheckOptions();
  if (templated()) throw ConfigError("index", "rows go to many indices by \"" + index + "\", and only a fixed one can be verified");
  if (action[0] == '{') throw ConfigError("action", "the rows themselves say by " + action + " what becomes of documents, so that it is not known which should be there");
  if (action == "delete") throw ConfigError("action", "action \"delete\" leaves nothing behind that could be compared");
  if (id.empty()) throw ConfigError("id", "the cluster makes the ids of these documents, so that a document is not known to be of a row; name the columns of an id");
  const EncodeOptions encoding = Encoding();
  const Encoder fits(*run.schema, encoding);
  std::vector<ReadField> fields;
  for (const auto& [field, column] : Fields(*run.schema, encoding.shape)) {
    const auto same = [&column = column](const ReadField& f) { return f.column == column; };
    if (std::any_of(fields.begin(), fields.end(), same)) continue;   // written twice
    fields.push_back({Path(field, nested), column, FormOf(*run.schema->children[FindColumn(*run.schema, column, "columns")])});
  }
  std::vector<std::string> keys = id;
  if (parts) keys.push_back(parts->number);
  for (const std::string& column : keys) {
    if (std::any_of(fields.begin(), fields.end(), [&](const ReadField& f) { return f.column == column; })) continue;
    if (keys.size() > 1) {
      throw ConfigError("id", "column \"" + column + "\" of the id is not written, so that documents cannot be told apart by it; take it out of exclude, or into columns");
    }
    fields.push_back({{}, column, FieldForm::kId});
  }
  CheckThere(host, Resolve(Connected(), index), index);
  auto rows = std::make_unique<IndexRows>(*this, std::move(fields));
  rows->keys = std::move(keys);
  rows->adds = action != "update";
  // Another version of a document is refused, whatever it holds.
  rows->replaces = action != "create" && version.empty() && if_seq_no.empty();
  rows->one = true;
  return rows;
}

}  // namespace etl::elasticsearch
