// Everything that stores, networks and proxies do wrong: nothing is lost, nothing comes twice.
#include "lab.h"

#include <algorithm>
#include <cstdlib>
#include <random>
#include <regex>

using namespace etl::test;

namespace {

constexpr std::int64_t kCount = 3000;

std::string Limited(const Store& store, const std::string& url, const std::string& more = "", int limit = 500) {
  return store.Options(url) + "table = \"t\"\ntime_column = \"ts\"\nmax_rows_per_request = " + std::to_string(limit) + "\n" + more + "\n";
}

const std::string kQuick = "retry = {max_elapsed = \"20s\", initial = \"1ms\", max = \"2ms\"}";

Finished Exact(const Pull& pull, std::int64_t count = kCount) {
  const Finished f = pull.Run();
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  CHECK(pull.Numbers() == UpTo(count));
  return f;
}

/// The limit at a statement's end: its digits.
std::size_t LimitAt(const std::string& body) {
  const auto at = body.rfind(" LIMIT ");
  const auto comma = body.find(", ", at);
  return comma != std::string::npos && comma < body.find(" FORMAT", at) ? comma + 2 : at + 7;
}

}  // namespace

TEST_CASE("a store that gives fewer rows than it was said to, without a word, or refuses to give more") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Rows(kCount, "intDiv(number, 3)");
    for (const std::string strategy : {"auto", "slices"}) {
      const Gate truncating(store, [](const Gate::Asked& asked, Gate::Answer& answer, const auto& forward) {
        if (!asked.rows) return false;
        const std::size_t at = LimitAt(asked.body);
        const long wanted = std::atol(asked.body.c_str() + at);
        std::string body = asked.body;
        body.replace(at, std::to_string(wanted).size(), std::to_string(std::min(wanted, 120L)));
        answer = forward(body);
        return true;
      });
      const Finished f = Exact(Pull(Limited(store, truncating.url(), "strategy = \"" + strategy + "\"")));
      CHECK(f.err.find("the store gives at most 120 rows a request") != std::string::npos);
      const Gate refusing(store, [](const Gate::Asked& asked, Gate::Answer& answer, const auto&) {
        if (!asked.rows || std::atol(asked.body.c_str() + LimitAt(asked.body)) <= 130) return false;
        answer = {500, "Code: 396. DB::Exception: Limit for result exceeded, max rows: 130. (TOO_MANY_ROWS_OR_BYTES)\n", "", -1, true};
        return true;
      });
      Exact(Pull(Limited(store, refusing.url(), "strategy = \"" + strategy + "\"", 500)));
    }
    const Gate article(store, [](const Gate::Asked& asked, Gate::Answer& answer, const auto& forward) {
      if (!asked.rows) return false;
      std::string body = asked.body;
      body.replace(LimitAt(body), 3, "120");
      answer = forward(body);
      return true;
    });
    const Pull pull(Limited(store, article.url(), "strategy = \"article\""));
    const Finished f = pull.Run();
    CHECK(f.exit_code == 4);
    CHECK(f.err.find("gives fewer rows than max_rows_per_request; make that 120") != std::string::npos);
  }
}

TEST_CASE("a store that was found to give fewer rows, now these and now those, loses none") {
  const unsigned seed = std::random_device()();
  MESSAGE("seed ", seed);
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Rows(kCount, "intDiv(number, 3)");
    for (const std::string more : {"strategy = \"auto\"", "strategy = \"slices\"", "strategy = \"auto\"\nreaders = 4"}) {
      std::mt19937 random(seed);
      std::mutex mutex;
      const Gate gate(store, [&](const Gate::Asked& asked, Gate::Answer& answer, const auto& forward) {
        if (!asked.rows) return false;
        const std::size_t at = LimitAt(asked.body);
        const long wanted = std::atol(asked.body.c_str() + at);
        std::string body = asked.body;
        {
          const std::lock_guard lock(mutex);
          body.replace(at, std::to_string(wanted).size(), std::to_string(std::min(wanted, std::uniform_int_distribution<long>(100, 300)(random))));
        }
        answer = forward(body);
        return true;
      });
      CAPTURE(name);
      CAPTURE(more);
      const Finished f = Exact(Pull(Limited(store, gate.url(), more)));
      CHECK(f.err.find("and does not say so") != std::string::npos);
    }
  }
}

TEST_CASE("503, busy, out of memory, out of time, text behind rows, no end, wrong counts: each third answer") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Rows(kCount, "intDiv(number, 3)");
    const std::vector<std::pair<std::string, Gate::Answer>> wrongs = {
        {"503", {503, "<html>no upstream</html>", "Content-Type: text/html\r\n", -1, true}},
        {"429", {429, "", "Retry-After: 0\r\n", -1, true}},
        {"202", {500, "Code: 202. DB::Exception: Too many simultaneous queries. (TOO_MANY_SIMULTANEOUS_QUERIES)", "", -1, true}},
        {"241", {500, "Code: 241. DB::Exception: Memory limit (for query) exceeded. (MEMORY_LIMIT_EXCEEDED)", "", -1, true}},
        {"159", {408, "Code: 159. DB::Exception: Timeout exceeded: elapsed 5 seconds. (TIMEOUT_EXCEEDED)", "", -1, true}},
        {"160", {500, "Code: 160, e.displayText() = DB::Exception: Query is executing too slow", "", -1, true}},
        {"html", {200, "<html>Please log in</html>", "", -1, true}},
        {"nothing", {200, "", "", 0, true}}};
    for (const auto& [what, wrong] : wrongs) {
      for (const std::string more : {"readers = 2", "strategy = \"article\"\nretry_pause = \"1ms\""}) {
        CAPTURE(name);
        CAPTURE(what);
        const Gate gate(store, [w = wrong](const Gate::Asked& asked, Gate::Answer& answer, const auto&) {
          if (!asked.rows || asked.number % 3) return false;
          answer = w;
          if (w.cut == 0) {
            answer.body = "xxxx";
          }
          return true;
        });
        Exact(Pull(Limited(store, gate.url(), more)));
      }
    }
    // Behind the rows of a page, in the old form and the new; a body whose end is nowhere said; counts that lie.
    const std::vector<std::string> tails = {"Code: 241, e.displayText() = DB::Exception: Memory limit exceeded", "Code: 159. DB::Exception: Timeout exceeded",
                                            "\r\n__exception__\r\nabcdefghijklmnop\r\nCode: 241. DB::Exception: Memory limit exceeded\n48 abcdefghijklmnop\r\n__exception__\r\n"};
    for (const std::string& tail : tails) {
      const Gate gate(store, [&](const Gate::Asked& asked, Gate::Answer& answer, const auto& forward) {
        if (!asked.rows || asked.number % 3) return false;
        answer = forward(asked.body);
        answer.body += tail;
        return true;
      });
      Exact(Pull(Limited(store, gate.url())));
      Exact(Pull(store.Options(gate.url()) + "table = \"t\"\npage_bytes = \"64KiB\"\nreaders = 2"));
      Exact(Pull(store.Options(gate.url()) + "query = \"SELECT * FROM t ORDER BY id\""));
    }
    const Gate endless(store, [](const Gate::Asked& asked, Gate::Answer& answer, const auto& forward) {
      if (!asked.rows || asked.number % 3) return false;
      answer = forward(asked.body);
      answer.body.clear();   // an empty body whose end is the connection's
      answer.ends = false;
      return true;
    });
    Exact(Pull(Limited(store, endless.url())));
    for (const std::string lie : {"0\n", "999999\n", "nonsense\n"}) {
      const Gate lying(store, [&](const Gate::Asked& asked, Gate::Answer& answer, const auto&) {
        if (asked.body.find("SELECT count()") != 0 || asked.body.find("AND 0") != std::string::npos) return false;
        answer = {200, lie, "", -1, true};
        return true;
      });
      Exact(Pull(Limited(store, lying.url(), "strategy = \"auto\"")));
    }
  }
}

TEST_CASE("a page that is cut after every byte is asked for again, and counts once") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Rows(60, "intDiv(number, 3)");
    std::int64_t cuts = 0;
    for (const bool limited : {true, false}) {
      for (std::int64_t cut = 0;; ++cut) {
        bool whole = false, done = false;
        const Gate gate(store, [&](const Gate::Asked& asked, Gate::Answer& answer, const auto& forward) {
          if (!asked.rows || done) return false;
          answer = forward(asked.body);
          whole = cut >= static_cast<std::int64_t>(answer.body.size());
          done = true;
          if (!whole) answer.cut = cut;
          return true;
        });
        const Pull pull(limited ? Limited(store, gate.url(), "slice = \"1h\"") : store.Options(gate.url()) + "table = \"t\"", "", kQuick);
        CAPTURE(name);
        CAPTURE(cut);
        Exact(pull, 60);
        if (whole) break;
        ++cuts;
        if (!Full() && cut > 40) cut += store.old() ? 12 : 120;   // all of them with ETL_FULL
      }
    }
    MESSAGE(name, ": ", cuts, " cuts");
    CHECK(cuts > (Full() ? 800 : 80));
  }
}

TEST_CASE("an answer whose first bytes come alone is read on") {
  const Store store("ch26");
  store.Rows(kCount, "intDiv(number, 3)");
  for (const std::int64_t first : {1, 3, 5}) {
    const Gate gate(store, [&](const Gate::Asked& asked, Gate::Answer& answer, const auto& forward) {
      if (!asked.rows) return false;
      answer = forward(asked.body);
      answer.first = first;
      return true;
    });
    Exact(Pull(Limited(store, gate.url(), "compression = \"lz4\"", 100), "", kQuick));
  }
}

TEST_CASE("a query that fails in mid-stream is no data: text, tag and cut of a real engine") {
  const Store store("ch26");
  for (const std::string how : {"text", "tag", "cut"}) {
    for (const std::string compression : {"none", "lz4", "zstd"}) {
      const Pull pull(store.Options() + "query = \"SELECT number AS id, throwIf(number = 700000) AS x FROM numbers(1000000)\"\nsettings = {etl_midstream = \"" + how + "\", max_block_size = \"65536\", max_threads = \"1\"}\ncompression = \"" +
                          compression + "\"",
                      "", "retry = {max_elapsed = \"1s\", initial = \"100ms\"}");
      const Finished f = pull.Run();
      CAPTURE(how);
      CAPTURE(compression);
      CHECK_MESSAGE((how == "cut" ? f.exit_code == 6 : f.exit_code == 4), f.err);
      const auto ids = pull.Numbers();
      CHECK(ids == UpTo(static_cast<std::int64_t>(ids.size())));   // what came before, once
      CHECK(ids.size() <= 700'000);
      if (how != "cut") CHECK(f.err.find("Code: 395") != std::string::npos);
    }
  }
}

TEST_CASE("a server that is gone, one that says no, and exit codes") {
  const Store store("ch18");
  store.Rows(100, "number");
  const std::string little = "retry = {max_elapsed = \"300ms\", initial = \"1ms\", max = \"20ms\"}";
  CHECK(Pull("type = \"clickhouse\"\nurl = \"http://127.0.0.1:1\"\ntable = \"t\"", "", little).Run().exit_code == 6);
  const Gate dead(store, [](const Gate::Asked& asked, Gate::Answer& answer, const auto&) {
    if (!asked.rows) return false;
    answer = {503, "", "", -1, true};
    return true;
  });
  CHECK(Pull(Limited(store, dead.url()), "", little).Run().exit_code == 6);
  const Gate fatal(store, [](const Gate::Asked& asked, Gate::Answer& answer, const auto&) {
    if (!asked.rows) return false;
    answer = {500, "Code: 49. DB::Exception: Logical error", "", -1, true};
    return true;
  });
  CHECK(Pull(Limited(store, fatal.url()), "", little).Run().exit_code == 4);
}

TEST_CASE("a budget of requests is kept by all readers together") {
  const Store store("ch18");
  store.Rows(kCount, "intDiv(number, 3)");
  std::atomic<int> now{0}, most{0};
  const Gate gate(store, [&](const Gate::Asked& asked, Gate::Answer& answer, const auto& forward) {
    if (!asked.rows) return false;
    most = std::max(most.load(), ++now);
    answer = forward(asked.body);
    --now;
    return true;
  });
  const auto began = std::chrono::steady_clock::now();
  Exact(Pull(Limited(store, gate.url(), "readers = 8\nconcurrency = 2\nrequests_per_second = 20", 100)));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  CHECK(most <= 2);
  CHECK(seconds >= 29 / 20.0);
}
