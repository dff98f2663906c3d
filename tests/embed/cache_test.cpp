// The cache: a text costs the model once; what is in it is right, whoever was killed.
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "kill_loop.h"
#include "lab.h"

using namespace etl::test;

namespace {

std::vector<std::string> Distinct(int count, int changed = 0) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    const int n = i % 100 == 7 ? i + changed : i;
    texts.push_back("\"" + Words(3 + i % 40, i) + " " + std::to_string(n) + "\"");
  }
  return texts;
}

std::int64_t Rows(const Job& job) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open_v2((job.dir.path() / "v.db").c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK);
  sqlite3_stmt* s = nullptr;
  std::int64_t n = -1;
  if (sqlite3_prepare_v2(db, "SELECT count(*) FROM vectors", -1, &s, nullptr) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) n = sqlite3_column_int64(s, 0);
  sqlite3_finalize(s);
  sqlite3_close(db);
  return n;
}

}  // namespace

TEST_CASE("a later run embeds only what has changed") {
  Job job("cache = \"v.db\"");
  job.Texts(Distinct(3000));
  CHECK(Figure(job.Must().err, "model_texts") == 3000);
  const auto first = Read(job);
  job.Texts(Distinct(3000, 1'000'000));   // 1 %
  const Finished second = job.Must();
  CHECK(Figure(second.err, "model_texts") == 30);
  CHECK(Figure(second.err, "cache_hits") == 2970);
  const auto rows = Read(job);
  CHECK(rows.size() == 3000);
  for (const auto& [id, row] : rows) {
    if (std::stoi(id) % 100 != 7) CHECK(row.vector == first.at(id).vector);
  }
  CHECK(Figure(job.Must().err, "model_texts") == 0);
}

TEST_CASE("a text is embedded once in a run, wherever it comes again") {
  Job job("cache = \"v.db\"\nwindow = 50");
  std::vector<std::string> texts;
  for (int i = 0; i < 2000; ++i) texts.push_back("\"" + Words(2 + i % 20) + "\"");
  job.Texts(texts);
  CHECK(Figure(job.Must().err, "model_texts") == 20);
  CHECK(Read(job).size() == 2000);
  // Also while its vector waits to be written, which takes 512 of them or a second.
  Job waiting("cache = \"v.db\"");
  texts.clear();
  for (int i = 0; i < 20'000; ++i) texts.push_back("\"" + Words(4 + i % 50) + "\"");
  waiting.Texts(texts);
  CHECK(Figure(waiting.Must().err, "model_texts") == 50);
  CHECK(Read(waiting).size() == 20'000);
}

TEST_CASE("another model, tokenizer, pooling, prefix or length finds nothing in the cache") {
  Job job("cache = \"v.db\"");
  job.Texts(Distinct(50));
  job.Must();
  for (const std::string change : {"transform[0].pooling=\"cls\"", "transform[0].normalize=true", "transform[0].prefix=\"a \"", "transform[0].max_tokens=64"}) {
    CAPTURE(change);
    CHECK(Figure(job.Must({"--set", change}).err, "model_texts") == 50);
  }
  CHECK(Figure(job.Must().err, "model_texts") == 0);
  std::ofstream(job.model() + "/tokenizer.json", std::ios::app) << "\n";
  CHECK(Figure(job.Must().err, "model_texts") == 50);
}

TEST_CASE("the cache and its log stay below the limit, and a larger one shrinks to it") {
  Job job("cache = \"v.db\"");
  const auto bytes = [&](const char* name) {
    std::error_code none;
    const auto size = std::filesystem::file_size(job.dir.path() / name, none);
    return none ? 0 : size;
  };
  job.Texts(Distinct(6000));   // 256 bytes each and their keys: almost 2 MiB
  job.Must();
  CHECK(bytes("v.db") > 3 << 19);
  CHECK(Rows(job) == 6000);
  const std::vector<std::string> limited = {"--set", "transform[0].cache_limit=\"1MiB\""};
  job.Texts(Distinct(1));
  job.Must(limited);
  CHECK(bytes("v.db") <= 1 << 20);
  CHECK(Rows(job) > 2000);
  job.Texts(Distinct(12'000));
  std::atomic<bool> done{false};
  std::uintmax_t most = 0;
  std::thread watch([&] {
    for (; !done; std::this_thread::yield()) most = std::max(most, bytes("v.db") + bytes("v.db-wal"));
  });
  const Finished ran = job.Run(limited);
  done = true;
  watch.join();
  INFO(ran.err);
  CHECK(ran.exit_code == 0);
  CHECK(most <= 1 << 20);
  CHECK(Rows(job) > 2000);
}

TEST_CASE("what each run uses stays in a full cache, and what one run used goes") {
  Job job("cache = \"v.db\"\ncache_limit = \"1MiB\"");
  for (int run = 0; run < 5; ++run) {
    std::vector<std::string> texts;
    for (int i = 0; i < 800; ++i) {
      texts.push_back("\"the data " + std::to_string(i) + "\"");
      texts.push_back("\"hello world " + std::to_string(run * 1000 + i) + "\"");
    }
    job.Texts(texts);
    CAPTURE(run);
    CHECK(Figure(job.Must().err, "cache_hits") == (run ? 800 : 0));
  }
}

TEST_CASE("a file that is no cache is said before the first row") {
  Job job("cache = \"v.db\"");
  job.dir.Write("v.db", std::string(5000, 'x'));
  job.Texts(Distinct(3));
  const std::string said = job.Fails();
  INFO(said);
  CHECK(said.find("v.db cannot be used: file is not a database") != std::string::npos);
}

TEST_CASE("two runs share a cache") {
  Job job("cache = \"v.db\"");
  job.Texts(Distinct(2000));
  std::string toml = ReadFile((job.dir.path() / "p.toml").string());
  job.dir.Write("two.toml", toml.replace(toml.find("out.ndjson"), 10, "two.ndjson"));
  Command other = job.Make();
  other.argv[2] = "two.toml";
  Finished b;
  std::thread beside([&] { b = RunProcess(other); });
  const Finished a = job.Run();
  beside.join();
  INFO(a.err, b.err);
  CHECK(a.exit_code == 0);
  CHECK(b.exit_code == 0);
  CHECK(a.err.find("can no longer") == std::string::npos);
  CHECK(b.err.find("can no longer") == std::string::npos);
  CHECK(Rows(job) == 2000);
}

TEST_CASE("kill -9 at any instant: every vector in the cache is the text's own") {
  constexpr int kTexts = 4000;
  Job clean("batch_tokens = 512\nsessions = 1\nthreads = 1");
  clean.Texts(Distinct(kTexts));
  clean.Must();
  const auto expected = Read(clean);
  Job job("cache = \"v.db\"\nbatch_tokens = 512\nsessions = 1\nthreads = 1");
  job.Texts(Distinct(kTexts));
  const auto clear = [&] {
    for (const char* name : {"v.db", "v.db-wal", "v.db-shm", "out.ndjson"}) std::filesystem::remove(job.dir.path() / name);
  };
  std::int64_t before = 0;
  KillPlan plan;
  plan.command = job.Make();
  plan.kills = Full() ? 100 : 10;
  plan.after_kill = [&](const Kill&) {
    if (!std::filesystem::exists(job.dir.path() / "v.db")) return;
    const std::int64_t n = Rows(job);
    CHECK(n >= -1);
    if (n >= 0) CHECK(n >= before);   // what was once in it stays
    before = std::max(before, n);
  };
  plan.after_pass = [&] {
    const auto rows = Read(job);
    CHECK(rows.size() == kTexts);
    int wrong = 0;
    for (const auto& [id, row] : rows) wrong += Cosine(row.vector, expected.at(id).vector) < 0.99999;
    CHECK(wrong == 0);
    CHECK(Rows(job) == kTexts);
    clear();
    before = 0;
  };
  RunKillLoop(plan);
}
