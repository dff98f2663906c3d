// The parts of the plugin that need no server: what replies mean, and what rows become.
#include <doctest/doctest.h>
#include <etl/sdk.h>

#include <array>
#include <limits>

#include "encode.h"
#include "index.h"
#include "pace.h"
#include "reply.h"
#include "watch.h"

namespace etl::elasticsearch {
namespace {

/// An outcome of one document as a node tells it.
struct Told {
  Action sent;
  const char* item;
  bool unsure;
  Verdict verdict;
};
const std::array<Told, 14> kOutcomes = {{
    {Action::kIndex, R"({"index":{"_shards":{"failed":0},"status":201}})", false, Verdict::kDelivered},
    {Action::kUpdate, R"({"update":{"status":200,"_shards":{"failed":1}}})", false, Verdict::kDelivered},
    {Action::kDelete, R"({"delete":{"status":404}})", false, Verdict::kDelivered},
    {Action::kCreate, R"({"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"[1]: document already exists"}}})", true, Verdict::kDuplicate},
    {Action::kCreate, R"({"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"[1]: document already exists"}}})", false, Verdict::kReject},
    {Action::kIndex, R"({"index":{"status":400,"error":{"type":"document_parsing_exception","reason":"[1:5] failed to parse","caused_by":{"type":"x","reason":"For input string: \"a\""}}}})", false, Verdict::kReject},
    {Action::kUpdate, R"({"update":{"status":404,"error":{"type":"document_missing_exception","reason":"[9]: document missing"}}})", false, Verdict::kReject},
    {Action::kIndex, R"({"index":{"status":404,"error":{"type":"index_not_found_exception","reason":"no such index [x]"}}})", false, Verdict::kStop},
    {Action::kIndex, R"({"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"rejected execution of"}}})", false, Verdict::kRetry},
    {Action::kIndex, R"({"index":{"status":503,"error":{"type":"unavailable_shards_exception","reason":"primary shard is not active"}}})", false, Verdict::kRetry},
    {Action::kIndex, R"({"index":{"status":403,"error":{"type":"cluster_block_exception","reason":"index [x] blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];"}}})", false, Verdict::kRetry},
    {Action::kIndex, R"({"index":{"status":403,"error":{"type":"security_exception","reason":"action is unauthorized"}}})", false, Verdict::kStop},
    {Action::kIndex, R"({"index":{"status":500,"error":{"type":"null_pointer_exception","reason":null}}})", false, Verdict::kRetryFew},
    {Action::kIndex, R"({"index":{"status":299}})", false, Verdict::kProtocol},
}};

struct Owned {
  ArrowArray array{};
  std::shared_ptr<const ArrowSchema> schema;
  Owned(const Schema& s, Batch& b) : schema(etl::detail::OwnSchema(s)) { b.Finish(&array); }
  ~Owned() { array.release(&array); }
};

std::string Encode(const Owned& rows, const EncodeOptions& options, std::int64_t row = 0) {
  Encoder encoder(*rows.schema, options);
  encoder.Begin(rows.array);
  std::string out;
  encoder.Row(row, out);
  return out;
}

EncodeOptions Ids(std::vector<std::string> id, std::string action = "index") {
  EncodeOptions o;
  o.action = std::move(action);
  o.index = "i";
  o.id = std::move(id);
  return o;
}

TEST_CASE("each of 2,744 triples of outcomes is read and judged item by item") {
  ReplyReader reader;
  for (const Told& a : kOutcomes) {
    for (const Told& b : kOutcomes) {
      for (const Told& c : kOutcomes) {
        std::string text = std::string(R"({"took":3,"errors":true,"items":[)") + a.item + "," + b.item + "," + c.item + "]}";
        const auto& bulk = reader.Read(text);
        REQUIRE(bulk.why == "");
        REQUIRE(bulk.items.size() == 3);
        const Told* told[] = {&a, &b, &c};
        for (std::size_t i = 0; i < 3; ++i) {
          REQUIRE(Word(bulk.items[i].said) == Word(told[i]->sent));
          REQUIRE(JudgeItem(bulk.items[i], told[i]->sent, told[i]->unsure, {}) == told[i]->verdict);
        }
      }
    }
  }
}

TEST_CASE("an item's reason, its cause, and replicas that failed are read") {
  ReplyReader reader;
  std::string text = std::string(R"({"items":[)") + kOutcomes[5].item + "," + kOutcomes[1].item + "]}";
  const auto& bulk = reader.Read(text);
  CHECK(bulk.items[0].reason == "[1:5] failed to parse");
  CHECK(bulk.items[0].cause == "For input string: \"a\"");
  CHECK(bulk.items[1].failed_shards == 1);
}

TEST_CASE("what is not a whole reply to a bulk request says so") {
  ReplyReader reader;
  for (const std::string t : {"", "<html>welcome</html>", "{}", "[]", R"({"errors":false})", R"({"items":{}})", R"({"items":[{}]})", R"({"items":[{"index":{}}]})",
                        R"({"items":[{"index":{"status":"201"}}]})", R"({"items":[{"index":{"status":201}}])", R"({"items":[{"index":{"status":201}}]}{})",
                        R"({"items":[{"insert":{"status":201}}]})", R"({"items":[{"index":{"status":201},"create":{"status":201}}]})", R"({"items":[3]})"}) {
    CAPTURE(t);
    std::string text = t;
    CHECK(reader.Read(text).why != "");
  }
}

TEST_CASE("a reply that is cut anywhere is none") {
  ReplyReader reader;
  const std::string whole = std::string(R"({"took":3,"errors":true,"items":[)") + kOutcomes[0].item + "," + kOutcomes[5].item + "]}";
  for (std::size_t n = 0; n < whole.size(); ++n) {
    CAPTURE(n);
    std::string text = whole.substr(0, n);
    CHECK(reader.Read(text).why != "");
  }
}

TEST_CASE("a conflict is judged by the action, the options, and whether it may be our own") {
  const Item conflict{Action::kIndex, 409, 0, false, false, "version_conflict_engine_exception", "", ""};
  Policy skip, external;
  skip.skip_conflicts = true;
  external.external_versions = true;
  CHECK(JudgeItem(conflict, Action::kCreate, false, skip) == Verdict::kSkipped);
  CHECK(JudgeItem(conflict, Action::kCreate, true, skip) == Verdict::kDuplicate);
  CHECK(JudgeItem(conflict, Action::kIndex, false, external) == Verdict::kSuperseded);
  CHECK(JudgeItem(conflict, Action::kIndex, true, {}) == Verdict::kReject);
  CHECK(JudgeItem(conflict, Action::kUpdate, false, {}) == Verdict::kRetryFew);
}

TEST_CASE("a reply to the whole request is judged by its status first") {
  CHECK(JudgeReply(400, "illegal_argument_exception", "id is too long, must be no longer than 512 bytes but was: 513") == Verdict::kSplit);
  CHECK(JudgeReply(400, "illegal_argument_exception", "request [/i/_bulk] contains unrecognized parameter: [x]") == Verdict::kStop);
  CHECK(JudgeReply(401, "security_exception", "") == Verdict::kStop);
  CHECK(JudgeReply(403, "cluster_block_exception", "blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]") == Verdict::kRetry);
  CHECK(JudgeReply(403, "security_exception", "") == Verdict::kStop);
  CHECK(JudgeReply(404, "index_not_found_exception", "") == Verdict::kStop);
  CHECK(JudgeReply(413, "", "") == Verdict::kSplit);
  CHECK(JudgeReply(429, "es_rejected_execution_exception", "") == Verdict::kRetry);
  CHECK(JudgeReply(429, "circuit_breaking_exception", "durability PERMANENT") == Verdict::kSplit);
  CHECK(JudgeReply(302, "", "") == Verdict::kStop);
  CHECK(JudgeReply(204, "", "") == Verdict::kProtocol);
  for (const int status : {408, 425, 502, 503, 504}) CHECK(JudgeReply(status, "", "") == Verdict::kRetry);
}

TEST_CASE("ids are texts as they are, numbers in decimal, and several columns so that no two keys meet") {
  const Schema schema = {{"a", Utf8()}, {"b", Utf8()}, {"n", Int64()}, {"u", UInt64()}, {"d", Date32()}};
  Batch batch(schema);
  batch[0].Append("x\"y");
  batch[1].Append("z");
  batch[2].Append(-5);
  batch[3].Append(std::numeric_limits<std::uint64_t>::max());
  batch[4].Append(1);
  const Owned rows(schema, batch);
  const auto line = [&](std::vector<std::string> id) {
    const std::string text = Encode(rows, Ids(std::move(id), "delete"));
    return text.substr(text.find("\"_id\":") + 6, text.find("}}") - text.find("\"_id\":") - 6);
  };
  CHECK(line({"a"}) == R"("x\"y")");
  CHECK(line({"n"}) == "\"-5\"");
  CHECK(line({"u"}) == "\"18446744073709551615\"");
  CHECK(line({"d"}) == "\"1970-01-02\"");
  CHECK(line({"a", "b"}) == R"("3:x\"y1:z")");
}

TEST_CASE("an id of more than 512 bytes goes as its hash, and so does one that looks like a hash") {
  const Schema schema = {{"a", Utf8()}};
  Batch batch(schema);
  batch[0].Append(std::string(512, 'k'));
  batch[0].Append(std::string(513, 'k'));
  batch[0].Append("sha256:00");
  batch[0].Append("");
  batch[0].Null();
  const Owned rows(schema, batch);
  CHECK(Encode(rows, Ids({"a"}, "delete"), 0).find(std::string(512, 'k')) != std::string::npos);
  CHECK(Encode(rows, Ids({"a"}, "delete"), 1).size() == std::string(R"({"delete":{"_id":"sha256:"}}n)").size() + 64);
  CHECK(Encode(rows, Ids({"a"}, "delete"), 2).find("\"sha256:00\"") == std::string::npos);
  CHECK_THROWS_AS(Encode(rows, Ids({"a"}, "delete"), 3), std::invalid_argument);
  CHECK_THROWS_AS(Encode(rows, Ids({"a"}, "delete"), 4), std::invalid_argument);
}

TEST_CASE("each action has its lines") {
  const Schema schema = {{"k", Int64()}, {"v", Utf8()}, {"r", Utf8()}, {"ver", Int64()}};
  Batch batch(schema);
  batch[0].Append(1);
  batch[1].Append("a");
  batch[2].Append("s");
  batch[3].Append(7);
  const Owned rows(schema, batch);
  EncodeOptions o = Ids({"k"});
  o.shape.exclude = {"r", "ver"};
  CHECK(Encode(rows, o) == "{\"index\":{\"_id\":\"1\"}}\n{\"k\":1,\"v\":\"a\"}\n");
  o.action = "create";
  CHECK(Encode(rows, o) == "{\"create\":{\"_id\":\"1\"}}\n{\"k\":1,\"v\":\"a\"}\n");
  o.action = "update";
  o.retry_on_conflict = 3;
  CHECK(Encode(rows, o) == "{\"update\":{\"_id\":\"1\",\"retry_on_conflict\":3}}\n{\"doc\":{\"k\":1,\"v\":\"a\"}}\n");
  o.action = "upsert";
  o.routing = "r";
  CHECK(Encode(rows, o) == "{\"update\":{\"_id\":\"1\",\"routing\":\"s\",\"retry_on_conflict\":3}}\n{\"doc\":{\"k\":1,\"v\":\"a\"},\"doc_as_upsert\":true}\n");
  o.action = "index";
  o.version = "ver";
  o.version_type = "external";
  CHECK(Encode(rows, o) == "{\"index\":{\"_id\":\"1\",\"routing\":\"s\",\"version\":7,\"version_type\":\"external\"}}\n{\"k\":1,\"v\":\"a\"}\n");
  EncodeOptions none;
  none.action = "index";
  none.index = "i";
  none.require_alias = true;
  none.shape.columns = {{"w", "v"}};
  CHECK(Encode(rows, none) == "{\"index\":{\"require_alias\":true}}\n{\"w\":\"a\"}\n");
}

TEST_CASE("action and index come from columns and dates in braces") {
  const Schema schema = {{"op", Utf8()}, {"tenant", Utf8()}, {"ts", TimestampMicros()}};
  Batch batch(schema);
  batch[0].Append("delete");
  batch[1].Append("acme");
  batch[2].Append(std::int64_t{-1});
  batch[0].Append("replace");
  batch[1].Append("Acme");
  batch[2].Append(std::int64_t{0});
  const Owned rows(schema, batch);
  EncodeOptions o = Ids({"tenant"}, "{op}");
  o.index = "logs-{tenant}-{ts:%Y.%m.%d}";
  CHECK(Encode(rows, o) == "{\"delete\":{\"_index\":\"logs-acme-1969.12.31\",\"_id\":\"acme\"}}\n");
  CHECK_THROWS_WITH_AS(Encode(rows, o, 1), "action \"replace\" is none of index, create, update, upsert, delete", std::invalid_argument);
  o.action = "delete";
  CHECK_THROWS_AS(Encode(rows, o, 1), std::invalid_argument);
  o.index = "logs-{nobody}";
  CHECK_THROWS_AS(Encode(rows, o), ConfigError);
}

TEST_CASE("rows of one document have one key, rows of others another") {
  const Schema schema = {{"k", Int64()}, {"r", Utf8()}};
  Batch batch(schema);
  for (const auto& [k, r] : std::vector<std::pair<int, const char*>>{{1, "a"}, {1, "a"}, {2, "a"}, {1, "b"}}) {
    batch[0].Append(k);
    batch[1].Append(r);
  }
  const Owned rows(schema, batch);
  EncodeOptions o = Ids({"k"});
  o.routing = "r";
  Encoder encoder(*rows.schema, o);
  encoder.Begin(rows.array);
  std::string out;
  const auto first = encoder.Row(0, out).key;
  CHECK(encoder.Row(1, out).key == first);
  CHECK(encoder.Row(2, out).key != first);
  CHECK(encoder.Row(3, out).key != first);
}

TEST_CASE("a row that cannot be written leaves nothing behind") {
  const Schema schema = {{"v", Utf8()}, {"f", Float64()}};
  Batch batch(schema);
  batch[0].Append("bad \xff text");
  batch[1].Append(1.5);
  batch[0].Append("good");
  batch[1].Append(std::numeric_limits<double>::quiet_NaN());
  const Owned rows(schema, batch);
  EncodeOptions o = Ids({});
  Encoder encoder(*rows.schema, o);
  encoder.Begin(rows.array);
  std::string out = "before";
  CHECK_THROWS_AS(encoder.Row(0, out), std::invalid_argument);
  CHECK_THROWS_AS(encoder.Row(1, out), std::invalid_argument);
  CHECK(out == "before");
  o.on_invalid_utf8 = "replace";
  o.shape.nan_as_null = true;
  CHECK(Encode(rows, o, 0) == "{\"index\":{}}\n{\"v\":\"bad \xEF\xBF\xBD text\",\"f\":1.5}\n");
  CHECK(Encode(rows, o, 1) == "{\"index\":{}}\n{\"v\":\"good\",\"f\":null}\n");
}

TEST_CASE("dotted columns become objects, and vectors shortest floats or base64") {
  const Schema schema = {{"a.b", Int64()}, {"v", FixedList(Float32(), 2)}, {"a.c.d", Utf8()}};
  Batch batch(schema);
  for (int i = 0; i < 300; ++i) {      // more rows than are converted at a time
    batch[0].Append(i);
    batch[1].child(0).Append(i == 299 ? 0.1f : 1.0f);
    batch[1].child(0).Append(i == 298 ? std::numeric_limits<float>::infinity() : -2.5f);
    batch[1].EndRow();
    batch[2].Append("x");
  }
  const Owned rows(schema, batch);
  EncodeOptions o = Ids({});
  o.shape.nested = true;
  CHECK(Encode(rows, o, 299) == "{\"index\":{}}\n{\"a\":{\"b\":299,\"c\":{\"d\":\"x\"}},\"v\":[0.1,-2.5]}\n");
  CHECK_THROWS_AS(Encode(rows, o, 298), std::invalid_argument);
  o.shape.base64 = {"v"};
  CHECK(Encode(rows, o, 0) == "{\"index\":{}}\n{\"a\":{\"b\":0,\"c\":{\"d\":\"x\"}},\"v\":\"P4AAAMAgAAA=\"}\n");
}

TEST_CASE("API keys are taken in three forms, and anything else is refused") {
  const auto key = [](const std::string& text) {
    Access a;
    a.url = {"https://es.example:9200/"};
    a.api_key = text;
    return MakeTarget(a).authorization;
  };
  CHECK(key("id:secret") == "ApiKey aWQ6c2VjcmV0");
  CHECK(key("aWQ6c2VjcmV0") == "ApiKey aWQ6c2VjcmV0");
  CHECK(key("essu_abc") == "ApiKey essu_abc");
  for (const std::string bad : {":secret", "id:", "aWQ", "a key", "###"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(key(bad), ConfigError);
  }
}

TEST_CASE("a cloud id names the deployment's address") {
  Access a;
  a.cloud_id = "deploy:" + http::Base64("eu.example.com$abc123$kib");
  CHECK(MakeTarget(a).hosts == std::vector<std::string>{"https://abc123.eu.example.com:443"});
  a.cloud_id = "deploy:" + http::Base64("eu.example.com:9243$abc123$kib");
  CHECK(MakeTarget(a).hosts == std::vector<std::string>{"https://abc123.eu.example.com:9243"});
  a.cloud_id = "nonsense";
  CHECK_THROWS_AS(MakeTarget(a), ConfigError);
}

TEST_CASE("a URL with a password, a query or no host is refused without being repeated") {
  for (const std::string bad : {"es:9200", "https://u:secret@es", "http://es?secret", "https://", "https://secret es"}) {
    CAPTURE(bad);
    try {
      http::NormalUrl(bad);
      FAIL("taken");
    } catch (const ConfigError& e) {
      CHECK(std::string(e.what()).find("secret") == std::string::npos);
    }
  }
  CHECK(http::NormalUrl("https://es:9200/prefix/") == "https://es:9200/prefix");
}

TEST_CASE("columns that a mapping cannot take are refused") {
  const auto check = [](const Type& type, const std::string& mapping, bool strict = false) {
    const auto schema = etl::detail::OwnSchema({{"f", type}});
    CheckMapping(std::string(strict ? R"({"dynamic":"strict",)" : "{") + "\"properties\":{" + mapping + "}}", *schema, {}, "i");
  };
  CHECK_NOTHROW(check(Int64(), R"("f":{"type":"long"})"));
  CHECK_NOTHROW(check(Utf8(), R"("f":{"type":"integer"})"));
  CHECK_NOTHROW(check(List(Utf8()), R"("f":{"type":"keyword"})"));
  CHECK_NOTHROW(check(Int64(), R"("g":{"type":"long"})"));
  CHECK_NOTHROW(check(FixedList(Float32(), 3), R"("f":{"type":"dense_vector","dims":3})"));
  CHECK_THROWS_AS(check(Int64(), R"("g":{"type":"long"})", true), ConfigError);
  CHECK_THROWS_AS(check(Bool(), R"("f":{"type":"long"})"), ConfigError);
  CHECK_THROWS_AS(check(Struct({{"x", Int64()}}), R"("f":{"type":"long"})"), ConfigError);
  CHECK_THROWS_AS(check(Int64(), R"("f":{"properties":{"x":{"type":"long"}}})"), ConfigError);
  CHECK_THROWS_AS(check(Float64(), R"("f":{"type":"date"})"), ConfigError);
  CHECK_THROWS_AS(check(Utf8(), R"("f":{"type":"dense_vector","dims":3})"), ConfigError);
  CHECK_THROWS_AS(check(FixedList(Float32(), 4), R"("f":{"type":"dense_vector","dims":3})"), ConfigError);
}

TEST_CASE("a schema makes a mapping") {
  const auto schema = etl::detail::OwnSchema({{"id", Utf8()}, {"t", Utf8()}, {"n", UInt16()}, {"d", Date32()}, {"v", FixedList(Float32(), 3)}});
  Version v8, os;
  v8.major = 8;
  os.opensearch = true;
  os.major = 2;
  const std::string eight = CreateBody({}, v8, *schema, {}, {"id"});
  CHECK(eight.find(R"("id":{"type":"keyword"})") != std::string::npos);
  CHECK(eight.find(R"("n":{"type":"integer"},"d":{"type":"date"})") != std::string::npos);
  CHECK(eight.find(R"("v":{"type":"dense_vector","dims":3,"index":true,"similarity":"cosine"})") != std::string::npos);
  CHECK(CreateBody({}, os, *schema, {}, {}).find(R"("knn":true)") != std::string::npos);
}

TEST_CASE("fixed sizes stay, found ones shrink under overload, and a cap holds") {
  Pace fixed({100, 1000, 3});
  fixed.Overload(1'000'000'000);
  CHECK(fixed.bytes() == 1000);
  CHECK(fixed.concurrency() == 3);
  Pace found({});
  const std::size_t bytes = found.bytes(), concurrency = found.concurrency();
  for (std::int64_t t = 1; t < 10; ++t) found.Overload(t * 1'000'000'000);
  CHECK(found.concurrency() == 1);
  CHECK(concurrency > 1);
  CHECK(found.bytes() < bytes);
  found.Cap(1000);
  CHECK(found.bytes() == 1000);
}

TEST_CASE("sizes grow while more gets through, and go back when it does not") {
  // Throughput that is proportional to concurrency up to 4.
  Pace pace({0, 1 << 20, 0});
  std::int64_t now = 1;
  for (int i = 0; i < 4000; ++i) {
    const auto flying = static_cast<std::int64_t>(std::min<std::size_t>(pace.concurrency(), 4));
    now += 100'000'000 / flying;
    pace.Delivered(1 << 20, 1000, 100'000'000, now);
  }
  CHECK(pace.concurrency() >= 4);
  CHECK(pace.concurrency() <= 6);
}

TEST_CASE("what limited a load is said in words") {
  Sample first, last;
  first.nodes = last.nodes = 1;
  last.at = 10'000'000'000;
  CHECK(Findings(first, last).empty());
  last.write_rejected = 412;
  REQUIRE(Findings(first, last).size() == 1);
  CHECK(Findings(first, last)[0].second == "the write pool rejected 412 requests: lower concurrency, or add nodes");
  last.gc_ms = 2000;
  CHECK(Findings(first, last).size() == 2);
}

}  // namespace
}  // namespace etl::elasticsearch
