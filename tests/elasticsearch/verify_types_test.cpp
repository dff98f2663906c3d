// Every type that a batch may carry, into documents of real nodes and verified there.
#include "../types/handover.h"
#include "../types/samples.h"
#include "lab.h"
#include "run/compare.h"
#include "run/run.h"

using namespace etl;
using namespace etl::test;

namespace {

host::Registry& Plugins() {
  static host::Registry registry({{ETL_HANDOVER_DIR, ETL_PLUGIN_DIR}, true});
  return registry;
}

class Checked {
 public:
  Checked(const Node& node, const std::string& index, const Sample& sample) : sample_(sample) {
    handover_.schema = [this](ArrowSchema* out) {
      host::SchemaHandle schema = SchemaOf(sample_);
      *out = *schema;
      schema.out()->release = nullptr;
      given_ = false;
    };
    handover_.next = [this](ArrowArray* out) {
      if (given_) return false;
      given_ = true;
      MakeBatchOf(sample_, out);
      return true;
    };
    dir_.Write("p.toml", "pipeline.on_reject = \"file\"\n[source]\ntype = \"handover\"\naddress = " + handover_.address() + "\n[sink]\n" + SinkTo(node.url(), index) + "id = [\"n\"]\n");
  }
  host::PipelineConfig Config() const { return host::LoadConfig(dir_ / "p.toml", {}, Plugins()); }
  host::RunResult Run() const {
    const host::PipelineConfig config = Config();
    return host::Run(config, {}).Execute();
  }
  host::VerifyRound Verify() const { return host::Verifier(Config(), {}, {}).Execute().round; }
  void MustBeEqual() const {
    const host::RunResult run = Run();
    REQUIRE_MESSAGE((run.exit == host::Exit::kOk || run.exit == host::Exit::kRejected), run.message);
    const host::VerifyRound round = Verify();
    CHECK(round.expected == static_cast<std::int64_t>(sample_.values.size()));
    CHECK(round.missing == run.status.rows_rejected);
    CHECK(round.changed == 0);
    CHECK(round.extra == 0);
    CHECK(round.unreadable == 0);
  }

 private:
  const Sample& sample_;
  TempDir dir_;
  Handover handover_;
  bool given_ = false;
};

}  // namespace

TEST_CASE("values of every type are equal to their documents, and those that were refused are missing") {
  for (const std::string& name : NodeNames()) {
    CAPTURE(name);
    const Node node(name);
    int number = 0;
    for (const Sample& sample : Samples()) {
      CAPTURE(host::SchemaText(*SchemaOf(sample)));
      const std::string index = node.prefix() + std::to_string(++number);
      node.Must("PUT", "/" + index, R"({"settings":{"number_of_shards":1,"number_of_replicas":0},"mappings":{"dynamic":false}})");
      const Checked c(node, index, sample);
      c.MustBeEqual();
      if (sample.type.format == "n") continue;
      node.Must("POST", "/" + index + "/_update/0", R"({"doc":{"v":null}})");
      CHECK(c.Verify().changed == 1);
      node.Must("POST", "/" + index + "/_update/0", R"({"doc":{"v":"another"}})");
      CHECK(c.Verify().changed == 1);
      node.Must("DELETE", "/" + index);
    }
  }
}

TEST_CASE("vectors are equal in whatever form the cluster keeps them") {
  for (const std::string& name : NodeNames()) {
    CAPTURE(name);
    const Node node(name);
    for (const bool doubles : {false, true}) {
      CAPTURE(doubles);
      const std::string index = node.prefix() + (doubles ? "doubles" : "floats");
      const std::string field = node.opensearch() ? R"({"type":"knn_vector","dimension":3,"method":{"name":"hnsw","engine":"lucene","space_type":"l2"}})" : R"({"type":"dense_vector","dims":3})";
      const HttpReply made = node.Call("PUT", "/" + index, std::string(R"({"settings":{"number_of_replicas":0)") + (node.opensearch() ? ",\"index.knn\":true" : "") + R"(},"mappings":{"properties":{"v":)" + field + "}}}");
      if (name == "es7" && made.status == 400) {   // its vectors are in a part that has no free licence
        MESSAGE("es7 has no vectors: " << made.body);
        continue;
      }
      REQUIRE(made.status == 200);
      const Sample sample{FixedList(doubles ? Float64() : Float32(), 3), {"[0.1,-0.2,0.3]", "[1.0,2.0,-3.0]", "[1e-20,0.5,123456.0]", "null"}, Encoding::kPlain, ""};
      const Checked c(node, index, sample);
      if (!doubles) c.MustBeEqual();
      else CHECK(c.Run().exit == host::Exit::kOk);
      node.Must("POST", "/" + index + "/_update/1", R"({"doc":{"v":[1,2,-3.0000002]}})");
      CHECK(c.Verify().changed >= 1);
    }
  }
}

TEST_CASE("vectors of two models do not come into one field") {
  for (const std::string& name : NodeNames()) {
    CAPTURE(name);
    const Node node(name);
    const std::string index = node.prefix() + "models";
    node.Must("PUT", "/" + index, R"({"settings":{"number_of_replicas":0},"mappings":{"_meta":{"mine":1},"dynamic":false}})");
    const auto by = [](const char* model) {
      Type type = FixedList(Float32(), 2);
      type.metadata = detail::Metadata("etl.fingerprint", model);
      return Sample{type, {"[0.5,0.25]"}, Encoding::kPlain, ""};
    };
    const Sample first = by("model a, 12ab"), second = by("model b, 34cd");
    for (int pass = 0; pass < 2; ++pass) CHECK(Checked(node, index, first).Run().exit == host::Exit::kOk);
    CHECK(node.Must("GET", "/" + index + "/_mapping").At("/" + index + "/mappings/_meta") == R"({"mine":1,"etl_fingerprints":{"v":"model a, 12ab"}})");
    const host::RunResult refused = Checked(node, index, second).Run();
    CHECK(refused.exit == host::Exit::kSink);
    CHECK_MESSAGE(refused.message.find("holds what was made by model a, 12ab, and these rows' was made by model b, 34cd") != std::string::npos, refused.message);
  }
}
