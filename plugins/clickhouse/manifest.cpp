// SPDX-License-Identifier: Apache-2.0
#include "manifest.h"

#include <simdjson.h>

#include <cstdio>

#include "table.h"

namespace etl::clickhouse {

void Packer::Close(std::int64_t at) {
  if (at > begin_) slices_.push_back({begin_, at, rows_});
  begin_ = at;
  rows_ = 0;
}

void Packer::Second(std::int64_t time, std::int64_t rows) {
  total_ += rows;
  // One less than the limit: a page that is quite full does not say that it is all.
  if (rows_ && rows_ + rows >= limit_) Close(time);
  if (rows >= limit_) {
    Close(time);   // the empty time before it costs nothing when it is part of the slice before
    rows_ = rows;
    Close(time + grain_);
    return;
  }
  rows_ += rows;
}

std::vector<Slice> Packer::Finish(std::int64_t to) {
  Close(to);
  // Slices without rows belong to the one before.
  std::vector<Slice> out;
  for (const Slice& s : slices_) {
    const bool join = !out.empty() && s.rows == 0 && out.back().rows < limit_;
    if (join) out.back().to = s.to;
    else if (!out.empty() && out.back().rows == 0 && s.rows < limit_) out.back() = {out.back().from, s.to, s.rows};
    else out.push_back(s);
  }
  return out;
}

std::int64_t Packer::Requests(const std::vector<Slice>& slices, std::int64_t limit) {
  std::int64_t n = 0;
  for (const Slice& s : slices) n += s.rows / limit + 1;   // a full page is followed by one more
  return n;
}

std::string ToJson(const Manifest& m) {
  const auto text = [](const std::string& s) {
    std::string out = "\"";
    for (const char c : s) {
      char code[8];
      if (c == '"' || c == '\\') out += '\\';
      if (static_cast<unsigned char>(c) < 0x20) {
        std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
        out += code;
      } else {
        out += c;
      }
    }
    return out + "\"";
  };
  std::string out = "{\"etl_manifest\": 1, \"table\": " + text(m.table) + ", \"time_column\": " + text(m.time_column) + ", \"shard_by\": " + text(m.shard_by) +
                    ",\n \"limit\": " + std::to_string(m.limit) + ", \"from\": \"" + TimeText(m.from) + "\", \"to\": \"" + TimeText(m.to) + "\",\n \"shards\": [";
  bool first = true;
  for (const auto& [name, slices] : m.shards) {
    out += std::string(first ? "" : ",") + "\n  {\"shard\": " + text(name) + ", \"slices\": [";
    for (std::size_t i = 0; i < slices.size(); ++i) {
      const Slice& s = slices[i];
      out += std::string(i ? "," : "") + "\n   {\"from\": \"" + TimeText(s.from) + "\", \"to\": \"" + TimeText(s.to) + "\", \"rows\": " + std::to_string(s.rows) + "}";
    }
    out += "]}";
    first = false;
  }
  return out + "\n]}\n";
}

Manifest FromJson(const std::string& text) {
  const auto wrong = [](const std::string& why) { return ConfigError("manifest", "the file is no manifest of slices: " + why + "; make it with 'etl plan PIPELINE --write FILE'"); };
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(text).get(root)) throw wrong("it is not JSON");
  std::int64_t version = 0;
  if (root["etl_manifest"].get(version) || version != 1) throw wrong("it does not say etl_manifest = 1");
  const auto get_text = [&](simdjson::dom::element e, const char* key) {
    std::string_view v;
    if (e[key].get(v)) throw wrong(std::string("it lacks \"") + key + "\"");
    return std::string(v);
  };
  Manifest m;
  m.table = get_text(root, "table");
  m.time_column = get_text(root, "time_column");
  m.shard_by = get_text(root, "shard_by");
  m.from = ParseTime(get_text(root, "from"), "manifest");
  m.to = ParseTime(get_text(root, "to"), "manifest");
  if (m.to < m.from) throw wrong("its \"to\" lies before its \"from\"");
  if (root["limit"].get(m.limit) || m.limit < 1) throw wrong("it lacks \"limit\"");
  simdjson::dom::array shards;
  if (root["shards"].get(shards)) throw wrong("it lacks \"shards\"");
  for (const simdjson::dom::element shard : shards) {
    const std::string name = get_text(shard, "shard");
    if (m.shards.count(name)) throw wrong("it lists the shard \"" + name + "\" twice");
    if (m.shard_by.empty() && !name.empty()) throw wrong("it has a shard \"" + name + "\" and no \"shard_by\"");
    std::vector<Slice>& slices = m.shards[name];
    simdjson::dom::array list;
    if (shard["slices"].get(list)) throw wrong("a shard lacks \"slices\"");
    std::int64_t at = m.from;
    for (const simdjson::dom::element e : list) {
      Slice s{ParseTime(get_text(e, "from"), "manifest"), ParseTime(get_text(e, "to"), "manifest"), 0};
      if (e["rows"].get(s.rows) || s.rows < 0) throw wrong("a slice lacks \"rows\", or has fewer than none");
      if (s.from != at || s.to <= s.from) throw wrong("its slices do not follow each other at " + TimeText(s.from));
      at = s.to;
      slices.push_back(s);
    }
    if (at != m.to) throw wrong("its slices end before \"to\"");
  }
  return m;
}

}  // namespace etl::clickhouse
