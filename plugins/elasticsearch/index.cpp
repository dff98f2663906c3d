// SPDX-License-Identifier: Apache-2.0
#include "index.h"

#include <simdjson.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

namespace etl::elasticsearch {
namespace {

namespace dom = simdjson::dom;
using arrow::Kind;

std::string Json(simdjson::simdjson_result<dom::element> value, const char* otherwise = "{}") {
  dom::element e;
  return value.get(e) ? otherwise : simdjson::minify(e);
}

std::string_view String(simdjson::simdjson_result<dom::element> value) {
  std::string_view s;
  return value.get(s) ? std::string_view() : s;
}

/// The members of an object but those of these names, without its braces.
std::string MembersBut(dom::element value, std::initializer_list<std::string_view> names) {
  std::string out;
  dom::object object;
  if (value.get(object)) return out;
  for (const auto& [key, member] : object) {
    if (std::find(names.begin(), names.end(), key) != names.end()) continue;
    out += (out.empty() ? "" : ",") + Quote(key) + ":" + std::string(simdjson::minify(member));
  }
  return out;
}

// ---- the mapping that a schema makes ----

struct Maker {
  const CreateOptions& options;
  const Version& version;
  const std::vector<std::string>& keywords;
  bool knn = false;                    // OpenSearch: the index needs a setting for it

  std::string Vector(std::int64_t dims) {
    const std::string n = std::to_string(dims);
    if (version.opensearch) {
      knn = true;
      const std::string space = options.similarity == "cosine" ? "cosinesimil" : options.similarity == "l2_norm" ? "l2" : "innerproduct";
      return R"({"type":"knn_vector","dimension":)" + n + R"(,"method":{"name":"hnsw","engine":"lucene","space_type":")" + space + "\"}}";
    }
    if (version.major < 8) return R"({"type":"dense_vector","dims":)" + n + "}";
    return R"({"type":"dense_vector","dims":)" + n + R"(,"index":true,"similarity":")" + options.similarity + "\"}";
  }

  /// Empty: the cluster shall find out.
  std::string Type(const ArrowSchema& s, const std::string& column) {
    const arrow::Format f = arrow::ParseFormat(s.dictionary ? s.dictionary->format : s.format);
    const auto simple = [](const char* type) { return std::string(R"({"type":")") + type + "\"}"; };
    switch (f.kind) {
      case Kind::kBool: return simple("boolean");
      case Kind::kInt8: return simple("byte");
      case Kind::kUInt8: case Kind::kInt16: return simple("short");
      case Kind::kUInt16: case Kind::kInt32: return simple("integer");
      case Kind::kUInt32: case Kind::kInt64: return simple("long");
      case Kind::kUInt64: return simple("unsigned_long");
      case Kind::kFloat16: return simple("half_float");
      case Kind::kFloat32: return simple("float");
      case Kind::kFloat64: return simple("double");
      case Kind::kDecimal: return simple(f.precision <= 15 ? "double" : "keyword");
      case Kind::kBinary: case Kind::kFixedBinary: return simple("binary");
      // Not date_nanos, which has no time before 1970: the document itself keeps all digits.
      case Kind::kDate32: case Kind::kDate64: case Kind::kTimestamp: return simple("date");
      case Kind::kTime: case Kind::kDuration: case Kind::kMonths: case Kind::kDayTime: case Kind::kMonthDayNano: return simple("keyword");
      case Kind::kUtf8:
        if (IsJson(s)) return {};
        if (std::find(keywords.begin(), keywords.end(), column) != keywords.end()) return simple("keyword");
        return R"({"type":"text","fields":{"keyword":{"type":"keyword","ignore_above":256}}})";
      case Kind::kFixedList:
        if (IsVector(s)) return Vector(f.size);
        [[fallthrough]];
      case Kind::kList: return Type(*s.children[0], {});
      case Kind::kStruct: {
        std::string out;
        for (std::int64_t i = 0; i < s.n_children; ++i) {
          const std::string type = Type(*s.children[i], {});
          if (!type.empty()) out += (out.empty() ? "" : ",") + Quote(s.children[i]->name) + ":" + type;
        }
        return R"({"properties":{)" + out + "}}";
      }
      default: return {};
    }
  }
};

std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) throw ConfigError("create.mapping", "\"" + path + "\" cannot be read");
  return text.str();
}

// ---- does a column fit ----

bool IsNumber(Kind k) { return (k >= Kind::kInt8 && k <= Kind::kDecimal); }
bool IsTime(Kind k) { return k == Kind::kDate32 || k == Kind::kDate64 || k == Kind::kTimestamp; }

/// What a field of this type cannot be made of, in words; null: it fits, or rows decide.
const char* Misfit(std::string_view type, const ArrowSchema& column) {
  static constexpr std::string_view kNumeric[] = {"long", "integer", "short", "byte", "double", "float", "half_float", "scaled_float", "unsigned_long"};
  const ArrowSchema* s = &column;
  Kind k = arrow::ParseFormat(s->format).kind;
  if (type == "dense_vector" || type == "knn_vector") return IsVector(column) || IsJson(column) ? nullptr : "takes vectors of floats";
  while (k == Kind::kList || k == Kind::kFixedList) {
    s = s->children[0];
    k = arrow::ParseFormat(s->format).kind;
  }
  if (IsJson(*s) || k == Kind::kNull || k == Kind::kUnion || s->dictionary) return nullptr;
  const bool object = k == Kind::kStruct || k == Kind::kMap;
  if (type == "object" || type == "nested" || type == "flattened" || type == "flat_object") return object ? nullptr : "takes objects";
  if (object) return type.find("_range") != type.npos || type.substr(0, 4) == "geo_" || type == "point" || type == "shape" || type == "completion" || type == "join" || type == "percolator"
                         ? nullptr : "takes no objects";
  if (std::find(std::begin(kNumeric), std::end(kNumeric), type) != std::end(kNumeric)) return IsNumber(k) || k == Kind::kUtf8 ? nullptr : "takes numbers";
  if (type == "boolean") return k == Kind::kBool || k == Kind::kUtf8 ? nullptr : "takes true and false";
  if (type == "date" || type == "date_nanos") return IsTime(k) || k == Kind::kUtf8 || (k >= Kind::kInt8 && k <= Kind::kUInt64) ? nullptr : "takes dates";
  if (type == "binary") return k == Kind::kBinary || k == Kind::kFixedBinary || k == Kind::kUtf8 ? nullptr : "takes bytes";
  if (type == "ip" || type == "version") return k == Kind::kUtf8 ? nullptr : "takes text";
  return nullptr;
}

/// A field's mapping by its dotted name; `strict`: a field that is not there would be refused.
std::optional<dom::element> FindField(dom::element mappings, std::string_view path, bool& strict) {
  dom::element at = mappings;
  for (;;) {
    const std::string_view dynamic = String(at["dynamic"]);
    if (!dynamic.empty()) strict = dynamic == "strict";
    dom::element properties;
    if (at["properties"].get(properties)) return std::nullopt;
    dom::object fields;
    if (properties.get(fields)) return std::nullopt;
    if (!fields.at_key(path).get(at)) return at;
    const auto dot = path.find('.');
    if (dot == path.npos || fields.at_key(path.substr(0, dot)).get(at)) return std::nullopt;
    path.remove_prefix(dot + 1);
  }
}

/// What columns say of what made their values (a model): field, fingerprint.
std::vector<std::pair<std::string, std::string>> Fingerprints(const ArrowSchema& rows, const ShapeOptions& shape) {
  std::vector<std::pair<std::string, std::string>> all;
  for (const auto& [field, column] : Fields(rows, shape)) {
    const std::string made = MetadataValue(*rows.children[FindColumn(rows, column, "columns")], "etl.fingerprint");
    if (!made.empty()) all.emplace_back(field, made);
  }
  return all;
}

}  // namespace

const Concrete* Place::Written() const {
  if (data_stream) return indices.empty() ? nullptr : &indices.back();
  if (indices.size() == 1) return &indices[0];
  for (const Concrete& c : indices) {
    if (c.is_write_index) return &c;
  }
  return nullptr;
}

Place Resolve(Cluster& cluster, const std::string& name) {
  Place place;
  const auto text = cluster.Find("/" + http::Escape(name), "looking for \"" + name + "\"");
  if (!text) return place;
  dom::parser parser;
  dom::object found;
  if (parser.parse(*text).get(found)) throw Retry("looking for \"" + name + "\": the reply is not JSON");
  for (const auto& [concrete, about] : found) {
    Concrete c;
    c.name = concrete;
    c.mappings = Json(about["mappings"]);
    c.settings = Json(about["settings"]["index"]);
    dom::element alias;
    if (!about["aliases"].at_key(name).get(alias)) {
      place.alias = true;
      bool writes = false;
      if (!alias["is_write_index"].get(writes)) c.is_write_index = writes;
    }
    if (!String(about["data_stream"]).empty()) place.data_stream = true;
    place.indices.push_back(std::move(c));
  }
  std::sort(place.indices.begin(), place.indices.end(), [](const Concrete& a, const Concrete& b) { return a.name < b.name; });
  if (!place.alias && !place.indices.empty() && place.indices[0].name != name) place.data_stream = true;
  return place;
}

std::string CreateBody(const CreateOptions& options, const Version& version, const ArrowSchema& rows, const ShapeOptions& shape,
                       const std::vector<std::string>& keywords) {
  if (!options.mapping.empty()) {
    const std::string text = ReadFile(options.mapping);
    dom::parser parser;
    dom::object body;
    if (parser.parse(text).get(body)) throw ConfigError("create.mapping", "\"" + options.mapping + "\" is not a JSON object");
    for (const auto& [key, value] : body) {
      if (key != "settings" && key != "mappings" && key != "aliases") {
        throw ConfigError("create.mapping", "\"" + options.mapping + "\" has \"" + std::string(key) + "\" where settings, mappings and aliases may stand");
      }
    }
    return text;
  }
  Maker maker{options, version, keywords};
  std::string fields;
  for (const auto& [field, column] : Fields(rows, shape)) {
    const std::string type = maker.Type(*rows.children[FindColumn(rows, column, "columns")], column);
    // A dotted name is a path in a mapping, too.
    if (!type.empty()) fields += (fields.empty() ? "" : ",") + Quote(field) + ":" + type;
  }
  return R"({"settings":{"index":{"number_of_shards":)" + std::to_string(options.shards) + R"(,"number_of_replicas":)" + std::to_string(options.replicas) +
         (maker.knn ? R"(,"knn":true)" : "") + R"(}},"mappings":{"properties":{)" + fields + "}}}";
}

std::string CopyBody(const Concrete& index) {
  dom::parser parser;
  dom::element settings, mappings, meta;
  const std::string chosen = parser.parse(index.settings).get(settings)
                                 ? ""
                                 : MembersBut(settings, {"uuid", "creation_date", "provided_name", "version", "resize", "routing", "history", "replication", "blocks"});
  std::string fields = "{}";
  if (!parser.parse(index.mappings).get(mappings)) {
    fields = MembersBut(mappings, {"_meta"});
    if (!mappings["_meta"].get(meta)) fields += (fields.empty() ? "" : ",") + std::string(R"("_meta":{)") + MembersBut(meta, {kFingerprints, kLoad}) + "}";
    fields = "{" + fields + "}";
  }
  return R"({"settings":{"index":{)" + chosen + R"(}},"mappings":)" + fields + "}";
}

bool CreateIndex(Cluster& cluster, const Host& host, const std::string& name, std::string body) {
  for (;;) {
    const http::Reply reply = cluster.Ask("PUT", "/" + http::Escape(name), body);
    if (reply.status >= 200 && reply.status < 300) return true;
    if (reply.body.find("resource_already_exists_exception") != std::string::npos) return false;
    const auto at = body.find("\"unsigned_long\"");
    // It is in a part of Elasticsearch that not every installation has.
    if (at == std::string::npos || reply.body.find("unsigned_long") == std::string::npos) Throw(reply, "making the index \"" + name + "\"");
    host.Warn("the cluster has no unsigned_long: such columns become long, and greater values are rejected");
    for (auto next = at; next != std::string::npos; next = body.find("\"unsigned_long\"")) body.replace(next, 15, "\"long\"");
  }
}

void CheckMapping(const std::string& mappings, const ArrowSchema& rows, const ShapeOptions& shape, const std::string& index) {
  dom::parser parser;
  dom::element root;
  if (parser.parse(mappings).get(root)) return;   // without one there is nothing to compare with
  for (const auto& [field, column] : Fields(rows, shape)) {
    const ArrowSchema& s = *rows.children[FindColumn(rows, column, "columns")];
    bool strict = false;
    const auto found = FindField(root, field, strict);
    if (!found) {
      if (strict) throw ConfigError("index", "index \"" + index + "\" takes no new fields, and has none for column \"" + column + "\"; exclude it, or extend the mapping");
      continue;
    }
    std::string_view type = String((*found)["type"]);
    if (type.empty()) type = "object";
    if (type == "alias") throw ConfigError("index", "field \"" + field + "\" of index \"" + index + "\" is an alias, which cannot be written");
    if (const char* why = Misfit(type, s)) {
      throw ConfigError("index", "field \"" + field + "\" of index \"" + index + "\" is of type " + std::string(type) + ", which " + why + "; column \"" + column +
                                     "\" is of Arrow type \"" + s.format + "\"");
    }
    const auto f = arrow::ParseFormat(s.format);
    std::int64_t dims = 0;
    if (f.kind == Kind::kFixedList && IsVector(s) && (!(*found)["dims"].get(dims) || !(*found)["dimension"].get(dims)) && dims != f.size) {
      throw ConfigError("index", "field \"" + field + "\" of index \"" + index + "\" takes vectors of " + std::to_string(dims) + " numbers; those of column \"" + column +
                                     "\" have " + std::to_string(f.size));
    }
  }
}

dom::element Own(dom::parser& parser, const std::string& reply, const std::string& index) {
  dom::element own;
  if (parser.parse(reply).at_key(index).get(own)) throw Retry("reading about index \"" + index + "\": the reply says nothing of it");
  return own;
}

bool PutMeta(Cluster& cluster, const std::string& index, const std::string& member, const std::string& json) {
  const auto mapping = cluster.Find("/" + http::Escape(index) + "/_mapping");
  if (!mapping) return false;
  dom::parser parser;
  dom::element meta;
  std::string members;
  if (!Own(parser, *mapping, index)["mappings"]["_meta"].get(meta)) members = MembersBut(meta, {member});
  if (!json.empty()) members += (members.empty() ? "" : ",") + Quote(member) + ":" + json;
  cluster.Call("PUT", "/" + http::Escape(index) + "/_mapping", "{\"_meta\":{" + members + "}}", "noting \"" + member + "\" in index \"" + index + "\"");
  return true;
}

void CheckFingerprints(Cluster& cluster, const Concrete& index, const ArrowSchema& rows, const ShapeOptions& shape) {
  const auto now = Fingerprints(rows, shape);
  if (now.empty()) return;
  std::map<std::string, std::string> all;
  dom::parser parser;
  dom::object noted;
  if (!parser.parse(index.mappings)["_meta"][kFingerprints].get(noted)) {
    for (const auto& [field, made] : noted) all.emplace(field, String(simdjson::simdjson_result<dom::element>(dom::element(made))));
  }
  bool added = false;
  for (const auto& [field, made] : now) {
    const auto [known, is_new] = all.emplace(field, made);
    added = added || is_new;
    if (known->second == made) continue;
    throw ConfigError("index", "field \"" + field + "\" of index \"" + index.name + "\" holds what was made by " + known->second + ", and these rows' was made by " + made +
                                   ": they cannot be compared with each other; write into another field or index, or build a new one with swap_alias");
  }
  std::string members;
  for (const auto& [field, made] : all) members += (members.empty() ? "" : ",") + Quote(field) + ":" + Quote(made);
  if (added) PutMeta(cluster, index.name, kFingerprints, "{" + members + "}");
}

/// The document is refused for what it holds, or else because it is not at the sequence number that is asked for: that is
/// looked at only when the document could be read.
std::vector<std::string> ProbeBase64(Cluster& cluster, const Concrete& index, const ArrowSchema& rows, const ShapeOptions& shape) {
  std::vector<std::string> taken;
  dom::parser parser;
  dom::element root;
  if (parser.parse(index.mappings).get(root)) return taken;
  for (const auto& [field, column] : Fields(rows, shape)) {
    if (!IsVector(*rows.children[FindColumn(rows, column, "columns")])) continue;
    bool strict = false;
    std::int64_t dims = 0;
    const auto found = FindField(root, field, strict);
    if (!found || String((*found)["type"]) != "dense_vector" || (*found)["dims"].get(dims)) continue;
    std::string bytes(static_cast<std::size_t>(dims) * 4, '\0');
    bytes[0] = '\x3f';
    bytes[1] = '\x80';   // 1, 0, 0 ...: of length 1, as some similarities want it
    const std::string body = "{\"index\":{\"_id\":\"etl-probe\",\"if_seq_no\":4611686018427387904,\"if_primary_term\":1}}\n{" + Quote(field) + ":\"" + http::Base64(bytes) + "\"}\n";
    const http::Reply reply = cluster.client().Call({"POST", "/" + http::Escape(index.name) + "/_bulk", body, "application/x-ndjson", {}});
    std::int64_t status = 0;
    dom::parser items;
    if (reply.status == 200 && !items.parse(reply.body)["items"].at(0)["index"]["status"].get(status) && status == 409) taken.push_back(field);
  }
  return taken;
}

}  // namespace etl::elasticsearch
