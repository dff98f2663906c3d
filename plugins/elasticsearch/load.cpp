// SPDX-License-Identifier: Apache-2.0
#include "load.h"

#include <etl/pack.h>
#include <simdjson.h>

#include "index.h"

namespace etl::elasticsearch {
namespace {

namespace dom = simdjson::dom;

/// `absent` where there is none.
std::string Json(simdjson::simdjson_result<dom::element> value, const char* absent) {
  dom::element e;
  return value.get(e) ? absent : simdjson::minify(e);
}

std::string SettingsBody(const std::string& refresh_interval, const std::string& replicas) {
  std::string body;
  if (!refresh_interval.empty()) body += "\"refresh_interval\":" + refresh_interval;
  if (!replicas.empty()) body += std::string(body.empty() ? "" : ",") + "\"number_of_replicas\":" + replicas;
  return "{\"index\":{" + body + "}}";
}

}  // namespace

std::string LoadSettings(const LoadOptions& o) {
  return SettingsBody(o.refresh_interval.empty() ? "" : Quote(o.refresh_interval), o.replicas ? std::to_string(*o.replicas) : "");
}

Load::Lease* Load::Known(const std::string& index) {
  for (Lease& l : leases_) {
    if (l.index == index) return &l;
  }
  return nullptr;
}

void Load::Find(Cluster& cluster, const std::string& note, const std::vector<std::string>& indices) {
  leases_.clear();
  for (const std::string& text : Unpack(note)) {
    const std::vector<std::string> parts = Unpack(text);
    if (parts.size() == 3) leases_.push_back({parts[0], parts[1], parts[2]});
  }
  for (const std::string& index : indices) {
    if (Known(index)) continue;
    const auto mapping = cluster.Find("/" + http::Escape(index) + "/_mapping");
    if (!mapping) continue;
    dom::parser parser;
    dom::element lease;
    if (Own(parser, *mapping, index)["mappings"]["_meta"][kLoad].get(lease)) continue;
    leases_.push_back({index, Json(lease["refresh_interval"], ""), Json(lease["number_of_replicas"], "")});
  }
}

void Load::Begin(Cluster& cluster, const Host& host, const LoadOptions& options, const std::vector<std::string>& indices) {
  for (const std::string& index : indices) {
    const std::string text = cluster.Call("GET", "/" + http::Escape(index) + "/_settings", {}, "reading the settings of index \"" + index + "\"");
    dom::parser parser;
    const auto settings = Own(parser, text, index)["settings"]["index"];
    Lease& l = Known(index) ? *Known(index) : leases_.emplace_back(Lease{index, "", ""});
    // What an earlier run has changed stands as it was before that one; what nobody changes is nobody's to put back.
    if (l.refresh_interval.empty() && !options.refresh_interval.empty()) l.refresh_interval = Json(settings["refresh_interval"], "null");
    if (l.replicas.empty() && options.replicas) l.replicas = Json(settings["number_of_replicas"], "null");
  }
  std::vector<std::string> note;
  for (const Lease& l : leases_) note.push_back(Pack({l.index, l.refresh_interval, l.replicas}));
  host.Keep(Pack(note));
  for (const std::string& index : indices) {
    const Lease& l = *Known(index);
    PutMeta(cluster, index, kLoad, "{\"pipeline\":" + Quote(host.pipeline()) + (l.refresh_interval.empty() ? "" : ",\"refresh_interval\":" + l.refresh_interval) +
                                            (l.replicas.empty() ? "" : ",\"number_of_replicas\":" + l.replicas) + "}");
    cluster.Call("PUT", "/" + http::Escape(index) + "/_settings",
                 LoadSettings(options),
                 "setting index \"" + index + "\" up for the load");
  }
}

void Load::End(Cluster& cluster, const Host& host) {
  while (!leases_.empty()) {
    const Lease l = leases_.back();
    const http::Reply reply = cluster.Ask("PUT", "/" + http::Escape(l.index) + "/_settings", SettingsBody(l.refresh_interval, l.replicas));
    if (reply.status == 404) {
      host.Warn("index \"" + l.index + "\" is gone: its settings from before the load cannot be put back");
    } else if (reply.status != 200) {
      Throw(reply, "putting back the settings of index \"" + l.index + "\"");
    } else {
      cluster.Call("POST", "/" + http::Escape(l.index) + "/_refresh", {}, "refreshing index \"" + l.index + "\"");
      PutMeta(cluster, l.index, kLoad, {});
    }
    leases_.pop_back();
  }
}

void ForceMerge(Cluster& cluster, const std::string& index, std::int64_t segments) {
  cluster.Call("POST", "/" + http::Escape(index) + "/_forcemerge?max_num_segments=" + std::to_string(segments), {}, "merging the segments of index \"" + index + "\"");
}

}  // namespace etl::elasticsearch
