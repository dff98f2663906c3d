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

/// An SQLite file of the job's folder, open for the test itself.
struct File {
  sqlite3* db = nullptr;
  explicit File(const Job& job, const char* name = "v.db") { REQUIRE(sqlite3_open((job.dir.path() / name).c_str(), &db) == SQLITE_OK); }
  ~File() { sqlite3_close(db); }
  void Run(const char* sql) const {
    CAPTURE(sql);
    REQUIRE(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  }
};

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
  CHECK(Rows(job) > 1900);
  job.Texts(Distinct(4000));
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
  CHECK(Rows(job) > 1900);
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

TEST_CASE("a cache that cannot be used is said by the check, and before the first row") {
  Job noise("cache = \"v.db\"");
  noise.dir.Write("v.db", std::string(5000, 'x'));
  Refused(noise, "v.db cannot be used: file is not a database", true);
  Job nowhere("cache = \"none/v.db\"");
  Refused(nowhere, "none/v.db cannot be used: its folder is not there, or may not be written", true);
  Job other("cache = \"v.db\"");
  File(other).Run("CREATE TABLE vectors (id INTEGER, x REAL)");
  Refused(other, "v.db cannot be used: its table vectors is another's", true);
  Job cut("cache = \"v.db\"");
  cut.Texts(Distinct(500));
  cut.Must();
  std::filesystem::resize_file(cut.dir.path() / "v.db", 8192);
  Refused(cut, "v.db cannot be used: database disk image is malformed; it may be deleted", true);
  Job none("cache = \"v.db\"");
  none.Texts(Distinct(3));
  CHECK(none.Run({"--connect"}, "check").exit_code == 0);
  CHECK(!std::filesystem::exists(none.dir.path() / "v.db"));
}

TEST_CASE("a vector that the disk has changed is made again") {
  Job job("cache = \"v.db\"");
  job.Texts(Distinct(40));
  job.Must();
  const auto right = Read(job);
  {
    const File file(job);
    for (const std::int64_t row : {3, 17}) {
      sqlite3_blob* blob = nullptr;
      REQUIRE(sqlite3_blob_open(file.db, "main", "vectors", "vector", row, 1, &blob) == SQLITE_OK);
      CHECK(sqlite3_blob_bytes(blob) == 64 * 4 + 8);
      CHECK(sqlite3_blob_write(blob, "?", 1, 100) == SQLITE_OK);
      sqlite3_blob_close(blob);
    }
    // A row of a version that wrote no sum.
    file.Run("UPDATE vectors SET vector = substr(vector, 1, 256) WHERE rowid = 5");
  }
  const Finished ran = job.Must();
  CHECK(Figure(ran.err, "model_texts") == 2);
  CHECK(ran.err.find("v.db has damaged vectors; their texts go to the model again") != std::string::npos);
  for (const auto& [id, row] : Read(job)) CHECK(Cosine(row.vector, right.at(id).vector) >= 0.999999);
  CHECK(Figure(job.Must().err, "model_texts") == 0);
}

TEST_CASE("a cache that another holds keeps a run for seconds, not for ever") {
  Job job("cache = \"v.db\"");
  job.Texts(Distinct(20));
  job.Must();
  const File file(job);
  file.Run("BEGIN IMMEDIATE");
  job.Texts(Distinct(40));
  const Finished ran = job.Must();
  CHECK(Figure(ran.err, "cache_hits") == 20);
  CHECK(ran.err.find("v.db can no longer be written, later runs embed these texts again: database is locked") != std::string::npos);
  CHECK(Read(job).size() == 40);
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
