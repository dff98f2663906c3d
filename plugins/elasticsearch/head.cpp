// SPDX-License-Identifier: Apache-2.0
// The sink's head: what is made sure before the first row, and done after the last.
#include <simdjson.h>

#include <algorithm>

#include "sink.h"
#include "tune.h"

namespace etl::elasticsearch {
namespace {

constexpr auto kWatchEvery = std::chrono::seconds(3);
constexpr auto kLongestEnd = std::chrono::seconds(4);   // for ending when the run is to stop at once

/// A name for the index that this pass builds: the same again when the pass goes on after an interruption.
std::string Build(const std::string& alias, const std::string& key) {
  std::uint64_t h = 14695981039346656037u;   // http://www.isthe.com/chongo/tech/comp/fnv/
  for (const char c : key) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
  static const char kHex[] = "0123456789abcdef";
  std::string name = alias + "-";
  for (int shift = 60; shift >= 0; shift -= 4) name += kHex[h >> shift & 15];
  return name;
}

}  // namespace

const void* ElasticsearchSink::Extension(std::string_view id) {
  if (id == ETL_EXT_COMPARE) return CompareTable<ElasticsearchSink>();
  return id == ETL_EXT_TUNE ? TuneTable() : nullptr;
}

void ElasticsearchSink::CheckOptions() const {
  const bool may_create = action == "create" || action[0] == '{';
  if (index.empty()) throw ConfigError("index", "no index is named");
  if (!templated() && index.find_first_of(" \"*\\<|,>/?#ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string::npos) {
    throw ConfigError("index", "\"" + index + "\" is no name of one index: it has a capital letter, a blank, a comma or one of \" * \\ < | > / ? #");
  }
  if (templated() && (create || load || swap_alias)) {
    throw ConfigError(create ? "create" : load ? "load" : "swap_alias", "it needs one index, and the rows of \"" + index + "\" go to many");
  }
  if (id.empty() && (action == "update" || action == "upsert" || action == "delete")) throw ConfigError("id", "action \"" + action + "\" needs the columns of an id");
  if (version.empty() && version_type != "internal") throw ConfigError("version", "version_type \"" + version_type + "\" needs a column version");
  if (!version.empty() && version_type == "internal") {
    throw ConfigError("version_type", "a version can only be external or external_gte; the cluster's own are compared by if_seq_no and if_primary_term");
  }
  if (!version.empty() && (action == "update" || action == "upsert")) throw ConfigError("version", "updates take no versions; use action \"index\", or if_seq_no");
  if (!version.empty() && may_create) throw ConfigError("version", "action \"create\" takes no versions: it writes what is not there");
  if (!version.empty() && id.empty()) throw ConfigError("version", "a version needs an id");
  if (if_seq_no.empty() != if_primary_term.empty()) throw ConfigError(if_seq_no.empty() ? "if_seq_no" : "if_primary_term", "if_seq_no and if_primary_term go together");
  if (!if_seq_no.empty() && may_create) throw ConfigError("if_seq_no", "action \"create\" takes no sequence number: it writes what is not there");
  if (!if_seq_no.empty() && !version.empty()) throw ConfigError("if_seq_no", "there are a version and a sequence number; only one can be compared");
  if (!wait_for_active_shards.empty() && wait_for_active_shards != "all" &&
      (wait_for_active_shards.size() > 4 || wait_for_active_shards.find_first_not_of("0123456789") != std::string::npos)) {
    throw ConfigError("wait_for_active_shards", "\"" + wait_for_active_shards + "\" is neither a number of copies nor \"all\"");
  }
  if (parts && id.empty()) throw ConfigError("id", "parts of texts need the columns of their text's id");
  if (parts && (!version.empty() || !if_seq_no.empty() || action == "delete" || may_create)) {
    throw ConfigError("parts", "parts that are gone are deleted whatever their version, which goes with action index, update or upsert and without version and if_seq_no only");
  }
  if (swap_alias && (action == "update" || action == "delete")) throw ConfigError("swap_alias", "action \"" + action + "\" changes documents, and a new index has none");
}

http::Target ElasticsearchSink::Hosts() const {
  http::Target t = MakeTarget(*this);
  if (!sniffed_.empty()) t.hosts = sniffed_;
  return t;
}

Cluster& ElasticsearchSink::Connected() {
  if (!cluster_) cluster_ = std::make_unique<Cluster>(MakeTarget(*this), [this] { return host.Cancelled(); });
  return *cluster_;
}

void ElasticsearchSink::Check() {
  CheckOptions();
  Cluster& c = Connected();
  c.Root();
  if (templated()) return;
  const Place place = Resolve(c, index);
  if (!place.indices.empty()) CheckPlace(place);
}

/// A position is of no use for another index, or for one that was made anew: its rows would be missing in it.
std::string ElasticsearchSink::Identity() {
  CheckOptions();
  Cluster& c = Connected();
  std::string lines = "cluster=" + c.Root().uuid + "\n";
  if (templated() || swap_alias) return lines;
  const Place place = Resolve(c, index);
  const Concrete* written = place.Written();
  // What rolls over is another index by itself.
  if (!written || place.data_stream || place.indices.size() > 1) return lines;
  std::string_view uuid;
  simdjson::dom::parser parser;
  if (!parser.parse(written->settings)["uuid"].get(uuid)) lines += "index=" + std::string(uuid) + "\n";
  return lines;
}

/// All nodes that serve HTTP, instead of the hosts that are named.
void ElasticsearchSink::Sniff(Cluster& c) {
  const std::string text = c.Call("GET", "/_nodes/http?filter_path=nodes.*.http.publish_address", {}, "asking the cluster for its nodes");
  const std::string scheme = c.client().target().hosts[0].substr(0, c.client().target().hosts[0].find("://") + 3);
  simdjson::dom::parser parser;
  simdjson::dom::object nodes;
  if (parser.parse(text)["nodes"].get(nodes)) return;
  sniffed_.clear();
  for (const auto& [name, node] : nodes) {
    std::string_view address;
    if (node["http"]["publish_address"].get(address)) continue;
    sniffed_.push_back(scheme + std::string(address.substr(address.find('/') + 1)));   // "NAME/IP:PORT" where a name is published
  }
  host.Info("writing to " + std::to_string(sniffed_.size()) + " nodes of the cluster");
}

/// A cluster takes a coding that it does not know for text, and says that each document is malformed.
void ElasticsearchSink::ProbeCompression(Cluster& c) {
  if (Coding() == http::Coding::kNone) return;
  const std::string body = http::Compress(Coding(), R"({"docs":[]})");
  const http::Reply reply = c.client().Call({"POST", "/_mget", body, "application/json", http::Name(Coding())}, [this] { return host.Cancelled(); });
  if (reply.fault != http::Fault::kNone) http::ThrowFault(reply, "asking whether the cluster takes " + compression);
  const int s = reply.status;
  if (s == 408 || s == 425 || s == 429 || s >= 500) Throw(reply, "asking whether the cluster takes " + compression);
  simdjson::dom::parser parser;
  if (parser.parse(reply.body).error()) throw Retry("asking whether the cluster takes " + compression + ": " + reply.host + " does not answer as a cluster does");
  // Read, it is refused for asking for nothing; or for want of a privilege.
  if (reply.status != 401 && reply.status != 403 && reply.body.find("no documents to get") == std::string::npos) {
    throw ConfigError("compression", "the cluster does not take requests that are compressed by " + compression);
  }
}

std::vector<std::string> ElasticsearchSink::Keywords() const {
  std::vector<std::string> names = id;
  if (!routing.empty()) names.push_back(routing);
  return names;
}

void ElasticsearchSink::Begin(const etl::Run& run) {
  CheckOptions();
  const Encoder fits(*run.schema, Encoding());
  resumed_ = run.resumed;
  replay_ = run.replay;
  into_ = index;
  const http::Target target = MakeTarget(*this);
  for (const std::string& url : target.hosts) {
    if (!target.authorization.empty() && url.rfind("https:", 0) != 0 && !http::IsLocal(url)) host.Warn("credentials go to " + url + " in clear; use https");
  }
  if (!target.verify) host.Warn("tls.verify is false: whoever is on the way to the cluster can read and change everything");
  Cluster& c = Connected();
  version_ = c.Root();
  if (sniff) Sniff(c);
  ProbeCompression(c);
  if (!templated()) Prepare(c, run);
  if (id.empty()) host.Info("no id is given: the cluster makes ids, and a document whose reply was lost is written twice");
  if (!watch_) watch_ = std::make_unique<Watch>(host, Hosts(), templated() ? "" : into_, kWatchEvery);
}

/// The index that is written into is there, takes the rows, and is set up for the load.
void ElasticsearchSink::Prepare(Cluster& c, const etl::Run& run) {
  const ShapeOptions shape = Encoding().shape;
  if (swap_alias && !replay_) PrepareSwap(c, run);
  Place place = Resolve(c, into_);
  if (place.indices.empty() && create) {
    if (CreateIndex(c, host, into_, CreateBody(*create, version_, *run.schema, shape, Keywords()))) host.Info("made the index \"" + into_ + "\"");
    place = Resolve(c, into_);
  }
  if (place.indices.empty()) {
    if (require_alias) throw ConfigError("index", "there is no alias \"" + into_ + "\", and require_alias is set");
    host.Warn("there is no index \"" + into_ + "\": the cluster makes one with the first row, and guesses the types that no template says; see create");
    if (load) throw ConfigError("load", "there is no index \"" + into_ + "\" whose settings could be changed; let create make it");
    return;
  }
  CheckPlace(place);
  const Concrete& written = *place.Written();
  CheckMapping(written.mappings, *run.schema, shape, written.name);
  CheckFingerprints(c, written, *run.schema, shape);
  ChooseVectors(c, written, *run.schema);
  if (replay_) return;
  load_.Find(c, run.kept, {written.name});
  if (load && load->any()) {
    load_.Begin(c, host, *load, {written.name});
  } else if (load_.any()) {
    host.Info("an earlier run did not come to put back the settings of index \"" + written.name + "\": they are put back now");
    load_.End(c, host);
  }
}

void ElasticsearchSink::CheckPlace(const Place& place) const {
  const Concrete* written = place.Written();
  if (!written) {
    throw ConfigError("index", "alias \"" + into_ + "\" stands for " + std::to_string(place.indices.size()) + " indices, and none of them is its write index");
  }
  if (place.data_stream && action != "create" && action[0] != '{') {
    throw ConfigError("action", "\"" + into_ + "\" is a data stream, which takes action \"create\" only");
  }
  if (require_alias && !place.alias) throw ConfigError("index", "\"" + into_ + "\" is no alias, and require_alias is set");
  if (!id.empty() && (place.data_stream || place.indices.size() > 1)) {
    host.Warn("\"" + into_ + "\" stands for several indices, and an id is one of a kind in each of them only: a document may be in two");
  }
  std::string_view durability;
  simdjson::dom::parser parser;
  if (!parser.parse(written->settings)["translog"]["durability"].get(durability) && (durability == "async" || durability == "ASYNC")) {
    host.Warn("index \"" + written->name + "\" has index.translog.durability = async: a node that crashes can lose documents that it has confirmed");
  }
}

void ElasticsearchSink::ChooseVectors(Cluster& c, const Concrete& written, const ArrowSchema& rows) {
  base64_.clear();
  const ShapeOptions shape = Encoding().shape;
  bool any = false;
  for (const auto& [field, column] : Fields(rows, shape)) any = any || IsVector(*rows.children[FindColumn(rows, column, "columns")]);
  if (!any || vectors == "floats" || version_.opensearch) {
    if (vectors == "base64" && any) throw ConfigError("vectors", "OpenSearch takes vectors as numbers only");
    return;
  }
  base64_ = ProbeBase64(c, written, rows, shape);
  if (vectors == "base64" && base64_.empty()) throw ConfigError("vectors", "the cluster does not take vectors as base64 into index \"" + written.name + "\"");
  if (!base64_.empty()) host.Info("the cluster takes vectors as base64");
}

/// Makes the index that the alias will stand for.
void ElasticsearchSink::PrepareSwap(Cluster& c, const etl::Run& run) {
  const Place now = Resolve(c, index);
  if (!now.indices.empty() && !now.alias) throw ConfigError("swap_alias", "\"" + index + "\" is an index and no alias; only an alias can be moved");
  into_ = Build(index, run.key);
  if (!resumed_) {
    // Of a try at beginning this pass that failed half-way.
    const http::Reply gone = c.Ask("DELETE", "/" + http::Escape(into_));
    if (gone.status != 200 && gone.status != 404) Throw(gone, "removing what is left in index \"" + into_ + "\"");
  }
  if (!Resolve(c, into_).indices.empty()) return;
  if (resumed_) throw Fatal("index \"" + into_ + "\", which the interrupted pass was building, is gone: start over with 'etl state reset'");
  const Concrete* before = now.Written();
  if (create) CreateIndex(c, host, into_, CreateBody(*create, version_, *run.schema, Encoding().shape, Keywords()));
  else if (before) CreateIndex(c, host, into_, CopyBody(*before));
  else throw ConfigError("create", "there is no index behind \"" + index + "\" whose settings and mappings could be taken; say with create how to make one");
  host.Info("building \"" + into_ + "\" for the alias \"" + index + "\"");
}

void ElasticsearchSink::End(std::uint32_t outcome, bool rejects) {
  const auto since = std::chrono::steady_clock::now();
  // What was changed is put back although the run is to stop at once.
  Cluster c(MakeTarget(*this), [&] { return host.Cancelled() && std::chrono::steady_clock::now() - since > kLongestEnd; });
  if (watch_) {
    watch_->Conclude();
    watch_.reset();
  }
  const bool complete = outcome == ETL_COMPLETE && !into_.empty() && !templated();
  if (complete && load && load->force_merge) {
    c.Call("POST", "/" + http::Escape(into_) + "/_refresh", {}, "refreshing index \"" + into_ + "\"");
    try {
      ForceMerge(c, into_, *load->force_merge);
    } catch (const Retry& slow) {
      host.Warn(std::string(slow.what()) + "; the cluster goes on merging by itself");
    }
  }
  load_.End(c, host);
  if (complete && swap_alias && !replay_) SwapAlias(c, rejects);
}

/// When, and only when, all is there.
void ElasticsearchSink::SwapAlias(Cluster& c, bool rejects) {
  if (rejects) {
    return host.Warn("the alias \"" + index + "\" stays where it was: rows were rejected, so that \"" + into_ + "\" is not complete; replay them, and move it by hand");
  }
  c.Call("POST", "/" + http::Escape(into_) + "/_refresh", {}, "refreshing index \"" + into_ + "\"");
  const std::string text = c.Call("GET", "/" + http::Escape(into_) + "/_count", {}, "counting the documents of index \"" + into_ + "\"");
  simdjson::dom::parser parser;
  std::int64_t count = -1;
  if (parser.parse(text)["count"].get(count)) throw Retry("counting the documents of index \"" + into_ + "\": the reply has no count");
  const std::int64_t created = tally_.created, delivered = tally_.delivered;
  if (count < created || (!resumed_ && count > delivered)) {
    throw Fatal("index \"" + into_ + "\" has " + std::to_string(count) + " documents, and should have " + std::to_string(created) + " to " +
                std::to_string(delivered) + ": the alias \"" + index + "\" stays where it was");
  }
  const Place now = Resolve(c, index);
  std::string actions, before;
  for (const Concrete& old : now.indices) {
    if (old.name == into_) continue;
    actions += R"({"remove":{"index":)" + Quote(old.name) + R"(,"alias":)" + Quote(index) + "}},";
    before += (before.empty() ? "" : ", ") + old.name;
  }
  actions += R"({"add":{"index":)" + Quote(into_) + R"(,"alias":)" + Quote(index) + "}}";
  c.Call("POST", "/_aliases", R"({"actions":[)" + actions + "]}", "moving the alias \"" + index + "\"");
  host.Info("alias \"" + index + "\" stands for \"" + into_ + "\" now, with " + std::to_string(count) + " documents" +
            (before.empty() ? "" : "; \"" + before + "\" is still there: delete it when nobody needs it"));
}

}  // namespace etl::elasticsearch
