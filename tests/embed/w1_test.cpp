// MySQL to embeddings to Elasticsearch: the pipeline in pipelines/ on real servers, and a search that finds what it should.
#include <fstream>
#include <iterator>

#include "../elasticsearch/lab.h"
#include "../mysql/lab.h"

using namespace etl::test;

namespace {

struct Known {
  const char *content, *question;
};
const Known kKnown[] = {
    {"A small cat sleeps on the warm sofa.", "Which pet is having a nap?"},
    {"The central bank raised its interest rate by half a percent.", "What happened to the cost of borrowing money?"},
    {"Mount Everest was first climbed in 1953.", "When did people reach the highest summit on Earth?"},
    {"Knead the dough for ten minutes and let it rise before baking.", "How do I make bread?"},
    {"The goalkeeper saved a penalty in the last minute of the match.", "Who stopped the ball in the football game?"},
};

std::string Model() { return ETL_BUILD_DIR "/models/minilm"; }

Finished RunEtl(const TempDir& dir, const std::string& file, const std::vector<std::string>& sets) {
  Command c;
  c.argv = {ETL_BUILD_DIR "/bin/etl", "run", file, "--allow-unsafe-plugins"};
  for (const std::string& s : sets) {
    c.argv.push_back("--set");
    c.argv.push_back(s);
  }
  c.cwd = dir.path().string();
  c.env = {"NEWS_PASSWORD=etl", "WAREHOUSE_PASSWORD=none"};
  c.time_limit = std::chrono::minutes(10);
  Finished ran = RunProcess(c);
  INFO(ran.err);
  REQUIRE(ran.exit_code == 0);
  return ran;
}

/// A text's vector as JSON.
std::string VectorOf(const std::string& text) {
  const TempDir dir;
  dir.Write("in.ndjson", "{\"text\":\"" + text + "\"}\n");
  dir.Write("q.toml", "[source]\ntype = \"ndjson\"\npath = \"in.ndjson\"\n[[transform]]\ntype = \"embed\"\nmodel = \"" + Model() + "\"\ntext = \"text\"\n[[sink]]\ntype = \"ndjson\"\npath = \"out.ndjson\"\n");
  RunEtl(dir, "q.toml", {});
  std::ifstream in(dir.path() / "out.ndjson");
  const std::string line((std::istreambuf_iterator<char>(in)), {});
  return line.substr(line.find('['), line.find(']') - line.find('[') + 1);
}

}  // namespace

TEST_CASE("rows of MySQL become vectors in Elasticsearch, and a kNN query finds what it should") {
  Lab lab("mysql");
  const Node node("es8");
  const std::string index = node.prefix() + "articles";
  constexpr int kRows = 400;
  lab.Run("CREATE TABLE article (id BIGINT PRIMARY KEY, title VARCHAR(40), content TEXT);\nINSERT INTO article SELECT n, 'none', CONCAT('Report ', n, ' of department ', n % 17, ' about item ', n * 7 % 1000, REPEAT(' and more', n % 23)) FROM (" +
          Lab::Numbers(kRows) + ") x;");
  for (std::size_t i = 0; i < std::size(kKnown); ++i) {
    lab.Run("UPDATE article SET content = '" + std::string(kKnown[i].content) + "' WHERE id = " + std::to_string(10 + 70 * i) + ";");
  }
  const TempDir dir;
  dir.Write("w1.toml", ReadFile(ETL_SOURCE_DIR "/pipelines/mysql-embed-elasticsearch.toml"));
  const std::vector<std::string> here = {"source.url=\"mysql://etl@127.0.0.1:" + std::to_string(lab.port()) + "/" + lab.database() + "\"", "source.chunk_rows=100", "sink[0].url=\"" + node.url() + "\"",
                                         "sink[0].user=\"\"", "sink[0].password=\"\"", "sink[0].index=\"" + index + "\"", "transform[0].model=\"" + Model() + "\"", "transform[0].cache=\"" + (dir.path() / "v.db").string() + "\""};
  const Finished first = RunEtl(dir, "w1.toml", here);
  CHECK(first.err.find("delivered 400, filtered 0, rejected 0") != std::string::npos);
  CHECK(node.Count(index) == kRows);
  const HttpReply mapping = node.Must("GET", "/" + index + "/_mapping");
  CHECK(mapping.At("/" + index + "/mappings/properties/content_vector/type") == "dense_vector");
  CHECK(mapping.At("/" + index + "/mappings/properties/content_vector/dims") == "384");
  const HttpReply one = node.Must("GET", "/" + index + "/_doc/10");
  CHECK(one.At("/_source/id") == "10");
  CHECK(one.At("/_source/content") == "");
  // All are candidates: what is looked for lies far from hundreds of texts that hardly differ, where the graph of HNSW leads a search of
  // 100 to 3 or 4 of the 5.  (So do whole floats and int8; without a graph, `flat`, 10 candidates find all 5.)
  for (std::size_t i = 0; i < std::size(kKnown); ++i) {
    CAPTURE(kKnown[i].question);
    const HttpReply found = node.Must("POST", "/" + index + "/_search", R"({"_source":false,"knn":{"field":"content_vector","k":1,"num_candidates":400,"query_vector":)" + VectorOf(kKnown[i].question) + "}}");
    CHECK(found.At("/hits/hits/0/_id") == std::to_string(10 + 70 * i));
  }
  // Again: the same documents, and nothing for the model to do.
  const Finished second = RunEtl(dir, "w1.toml", here);
  CHECK(second.err.find("cache_hits 400") != std::string::npos);
  CHECK(second.err.find("model_texts 0") != std::string::npos);
  CHECK(node.Count(index) == kRows);
}
