// Pipelines that the documentation shows and those in pipelines/.
#include <doctest/doctest.h>

#include <cstdlib>

#include <algorithm>

#include "pages.h"

using namespace etl::test;

namespace {

namespace fs = std::filesystem;

/// pipelines/ in a folder of its own, with a build/ beside it.
struct Checkout {
  TempDir folder;
  std::string cwd = folder.path().string();
  Checkout() {
    fs::copy(ETL_SOURCE_DIR "/pipelines", folder.path() / "pipelines", fs::copy_options::recursive);
    fs::remove_all(folder.path() / "pipelines/.etl");
    fs::create_directory(folder.path() / "build");
  }
  Finished MustRun(const std::string& pipeline) const {
    Finished ran = Etl({"run", "pipelines/" + pipeline}, cwd);
    INFO(pipeline, "\n", ran.err);
    CHECK(ran.exit_code == 0);
    return ran;
  }
};

}  // namespace

TEST_CASE("every marked pipeline in the documentation passes etl check") {
  int blocks = 0;
  for (const std::string& path : AllPages()) {
    for (const Block& block : MarkedBlocks(Page(path), "test")) {
      ++blocks;
      const TempDir folder;
      folder.Write(block.name, block.text);
      const Finished checked = Etl({"check", block.name}, folder.path().string());
      INFO(path, "\n", checked.err);
      CHECK(checked.exit_code == 0);
    }
  }
  CHECK(blocks >= 1);
}

TEST_CASE("the pipeline of the README gives the rows that it shows") {
  const std::string page = Page("README.md");
  const TempDir folder;
  folder.Write("people.csv", IndentedAfter(page, "`people.csv`:"));
  for (const Block& block : MarkedBlocks(page, "test")) folder.Write(block.name, block.text);
  const std::string commands = IndentedAfter(page, "Then:"),
                    query = "sqlite3 people.db 'SELECT * FROM people'\n";
  const auto shown = commands.find(query);
  REQUIRE(shown != std::string::npos);
  const std::string expected = commands.substr(shown + query.size());
  REQUIRE(!expected.empty());
  for (int pass = 0; pass < 2; ++pass) {
    const Finished ran = Etl({"run", "people.toml"}, folder.path().string());
    INFO(ran.err);
    CHECK(ran.exit_code == 0);
    CHECK(Query(folder / "people.db", "SELECT * FROM people") == expected);
  }
  CHECK(Etl({"preview", "people.toml", "-n", "5"}, folder.path().string()).exit_code == 0);
}

TEST_CASE("all pipelines in pipelines/ pass etl check") {
  const Checkout here;
  int pipelines = 0;
  for (const auto& entry : fs::directory_iterator(here.folder.path() / "pipelines")) {
    if (entry.path().extension() != ".toml") continue;
    ++pipelines;
    // The secrets that they name.
    ::setenv("NEWS_PASSWORD", "x", 1);
    ::setenv("CLICKHOUSE_PASSWORD", "x", 1);
    ::setenv("WAREHOUSE_PASSWORD", "x", 1);
    const Finished checked = Etl({"check", entry.path().string()}, here.cwd);
    INFO(checked.err);
    CHECK(checked.exit_code == 0);
  }
  CHECK(pipelines >= 4);
}

TEST_CASE("the pipelines with sample data run") {
  const Checkout here;
  here.MustRun("csv-to-sqlite.toml");
  CHECK(Query(here.folder / "build/people.db",
              "SELECT id, name, born, height_m FROM people WHERE id IN (1, 4)") ==
        "1|Ada Lovelace|1815-12-10|\n4|Backus, John|1924-12-03|1.8\n");
  CHECK(Query(here.folder / "build/people.db", "SELECT count(*) FROM people") == "6\n");

  here.MustRun("ndjson-to-ndjson.toml");
  const Finished visits = Run({"gzip", "-dc", "build/visits.ndjson.gz"}, here.cwd);
  CHECK(std::count(visits.out.begin(), visits.out.end(), '\n') == 5);
  CHECK(
      visits.out.find(
          R"({"at":"2024-03-01T08:17:03.000000Z","page":"/search","query":"postgresql","ms":1904,"user_id":12,"lang":"fr","slow":true})") !=
      std::string::npos);

  here.MustRun("sqlite-to-ndjson.toml");
  std::string events;
  for (const auto& entry : fs::directory_iterator(here.folder.path() / "build")) {
    if (entry.path().filename().string().rfind("events-", 0) == 0)
      events += ReadFile(entry.path().string());
  }
  CHECK(std::count(events.begin(), events.end(), '\n') == 4);
  CHECK(events.find(R"({"id":2,"at":"2024-03-01T08:02:10Z","what":"paid","amount":19.9})") !=
        std::string::npos);
  CHECK(here.MustRun("sqlite-to-ndjson.toml").err.find("read 0") != std::string::npos);
}
