// Every error that a server can answer with, at every statement of a run: the run does what the error's class says.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>

#include "error_proxy.h"
#include "fault.h"
#include "lab.h"

using etl::mysql::Classify;
using etl::mysql::Fault;
using etl::mysql::Side;
using namespace etl::test;

namespace {

using Lines = std::vector<std::string>;

/// What is expected of some codes, in a source, in a sink, and as the answer to a sink's COMMIT: Retry, Few (retried a few times),
/// Split, roW, stop (X), Unknown, Bug; '-': cannot happen there.
struct Rule {
  std::vector<unsigned> codes;
  char source, sink, commit;
  bool closes = false;   ///< the connection is at its end
};

const std::vector<Rule> kRules{
    {{2001, 2002, 2003, 2004, 2005, 2006, 2011, 2013}, 'R', 'R', 'U', true},   // no connection, or lost
    {{2012, 2027}, 'F', 'F', 'U', true},                                       // handshake, malformed packet
    {{2014}, 'B', 'B', 'B', true},                                             // commands out of sync
    {{2020}, 'W', 'S', '-', true},                                             // packet larger than the client takes
    {{2026}, 'X', 'X', '-', true},                                             // TLS
    {{2008}, 'S', 'S', 'S'},                                                   // client out of memory
    {{1020}, 'R', 'R', 'R'},                                                   // record has changed
    {{1021, 1037, 1038, 1041, 1114}, 'R', 'R', 'R'},                           // disk, memory, table full
    {{1040}, 'R', 'R', '-', true},                                             // too many connections
    {{1203, 1226}, 'R', 'R', 'R'},                                             // limits
    {{1042, 1043}, 'R', 'R', 'R'},                                             // bad host, bad handshake
    {{1129, 1044, 1045, 1130, 1142, 1143, 1227}, 'X', 'X', 'X'},               // access
    {{1046, 1049, 1051, 1054, 1064, 1136, 1146, 1149}, 'X', 'X', 'X'},         // schema, syntax
    {{1048, 1062, 1264, 1265, 1292, 1364, 1366, 1406, 1452, 3819, 4025}, '-', 'W', 'W'},
    {{1053, 1077, 1078, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031}, 'R', 'R', 'U', true},
    {{1105}, 'F', 'F', 'F'},                                                   // unknown error
    {{1153}, 'X', 'S', '-', true},                                             // packet larger than the server takes
    {{1180}, '-', 'U', 'U'},                                                   // error during commit
    {{1197, 1206}, '-', 'S', 'S'},                                             // transaction cache, lock table full
    {{1205, 1213}, 'R', 'R', 'R'},                                             // lock wait, deadlock
    {{1236, 1412}, 'X', '-', '-'},                                             // binary log position, definition changed
    {{1290, 1792, 1836, 3101}, '-', 'R', 'R'},                                 // read-only, group replication
    {{1317, 1969, 3024}, 'R', 'R', 'R'},                                       // interrupted, time limit
    {{3572}, 'R', 'R', 'R'},                                                   // NOWAIT
};

char Letter(Fault f) {
  switch (f) {
    case Fault::kRetry: return 'R';
    case Fault::kRetryFew: return 'F';
    case Fault::kSplit: return 'S';
    case Fault::kRow: return 'W';
    case Fault::kStop: return 'X';
    case Fault::kUnknown: return 'U';
    case Fault::kBug: return 'B';
  }
  return '?';
}

/// A small pipeline, and what is right after it.
struct Shape {
  std::string name;
  bool sink = false, once = false;
  std::string options;
};

const std::vector<Shape> kShapes{
    {"table in ranges", false, false, "table = \"numbered\"\nchunk_rows = 100\n"},
    {"shared snapshot", false, false, "table = \"numbered\"\nchunk_rows = 100\nsnapshot = \"shared\"\nconnections = 4\n"},
    {"query", false, false, "query = \"SELECT id, v FROM numbered ORDER BY id\"\n"},
    {"plain sink", true, false, ""},
    {"exactly once", true, true, "exactly_once = true\n"},
    {"exactly once as text", true, true, "exactly_once = true\nway = \"text\"\n"},
};

constexpr int kRows = 300, kWritten = 64;

class Bench {
 public:
  Bench(const std::string& server, const Shape& shape) : lab_(server), proxy_(lab_.port()), shape_(shape) {
    if (shape.sink) {
      lab_.Run("CREATE TABLE got (n BIGINT AUTO_INCREMENT PRIMARY KEY, id BIGINT, v VARCHAR(40))");
      for (int i = 1; i <= kWritten; ++i) input_ += "{\"id\":" + std::to_string(i) + ",\"v\":\"value " + std::to_string(i) + "\"}\n";
    } else {
      lab_.Run("CREATE TABLE numbered (id BIGINT PRIMARY KEY, v VARCHAR(40)); INSERT INTO numbered SELECT n, CONCAT('value ', n) FROM (" + Lab::Numbers(kRows) + ") x");
    }
    const Finished f = Run({});
    REQUIRE_MESSAGE(f.exit_code == 0, f.err);
    REQUIRE_MESSAGE(Right(false) == "", Right(false));
    clean_ = proxy_.sent();
  }

  const std::vector<Sent>& clean() const { return clean_; }
  int hits() const { return proxy_.hits(); }
  /// The command that met the error, in this run.
  std::string Hit() const {
    for (const Sent& s : proxy_.sent()) {
      if (s.hit) return s.text;
    }
    return "the login";
  }

  Finished Run(const Injected& injected) {
    const std::string head = "[pipeline]\nname = \"p\"\non_reject = \"file\"\nretry = {initial = \"1ms\", max = \"5ms\"}\n[source]\n";
    const std::string server = lab_.Options(proxy_.port()) + shape_.options;
    const Job job(shape_.sink ? head + "type = \"ndjson\"\npath = \"in\"\nbatch = {rows = 32}\ncolumns = {id = \"int64\", v = \"utf8\"}\n[[sink]]\n" + server +
                                    "table = \"got\"\nbatch = {rows = 32}\nrows_per_statement = 16\n"
                              : head + server + "[[sink]]\ntype = \"ndjson\"\npath = \"out\"\n");
    if (shape_.sink) {
      job.dir.Write("in", input_);
      lab_.Run("DELETE FROM got; DROP TABLE IF EXISTS _etl_owner, _etl_checkpoint");
    }
    proxy_.Arm(injected);
    const Finished f = job.Run();
    lines_ = shape_.sink ? Lines() : job.Lines("out");
    return f;
  }

  /// What is wrong with the rows that have arrived.  `again`: some may have come twice.
  std::string Right(bool again) {
    if (!shape_.sink) {
      Lines wanted;
      for (int i = 1; i <= kRows; ++i) wanted.push_back("{\"id\":" + std::to_string(i) + ",\"v\":\"value " + std::to_string(i) + "\"}");
      std::sort(wanted.begin(), wanted.end());
      return lines_ == wanted ? "" : "other lines, " + std::to_string(lines_.size());
    }
    const std::string n = std::to_string(kWritten);
    const std::string got = lab_.Value("SELECT " + std::string(again ? n : "COUNT(*)") + ", COUNT(DISTINCT id), SUM(v = CONCAT('value ', id)) >= COUNT(*), MIN(id), MAX(id) FROM got");
    return got == n + "|" + n + "|1|1|" + n ? "" : "rows, different, right, least, greatest: " + got;
  }

 private:
  Lab lab_;
  ErrorProxy proxy_;
  Shape shape_;
  std::string input_;
  std::vector<Sent> clean_;
  Lines lines_;
};

struct Case {
  std::size_t bench;
  int nth;
  unsigned code;
  bool closes, done, silent;
};

/// The ways in which a code can be met at a position.
void Cases(std::size_t bench, const Shape& shape, int nth, const std::string& text, std::vector<Case>& out) {
  const bool commit = shape.sink && text == "COMMIT";
  for (const Rule& r : kRules) {
    const char expected = commit ? r.commit : shape.sink ? r.sink : r.source;
    if (expected == '-') continue;
    for (const unsigned code : r.codes) {
      // What a server sends under a number of the client's own, the client library takes for a malformed packet.
      const bool own = code >= 2000 && code < 3000;
      if (own && code != 2013 && code != 2027) continue;
      if (code != 2013) out.push_back({bench, nth, code, r.closes, false, false});
      if (code != 2013 && commit && expected == 'U') out.push_back({bench, nth, code, r.closes, true, false});
      if (code != 2013) continue;
      out.push_back({bench, nth, code, true, false, true});
      if (nth > 0) out.push_back({bench, nth, code, true, true, true});
    }
  }
}

char Expected(const Shape& shape, unsigned code, bool commit) {
  for (const Rule& r : kRules) {
    if (std::count(r.codes.begin(), r.codes.end(), code)) return commit ? r.commit : shape.sink ? r.sink : r.source;
  }
  return '?';
}

Injected Of(const Case& c) {
  Injected injected;
  injected.code = c.code;
  injected.nth = c.nth;
  injected.closes = c.closes;
  injected.done = c.done;
  injected.silent = c.silent;
  return injected;
}

std::string Name(const Shape& shape, const Case& c, const std::string& text) {
  return shape.name + ", " + std::to_string(c.code) + (c.done ? " (done)" : "") + (c.silent ? " (silent)" : "") + " at " + std::to_string(c.nth) + " " + text.substr(0, 80);
}

/// Runs one case; what is wrong with its end, or nothing.
std::string Try(Bench& bench, const Shape& shape, const Case& c) {
  const Finished f = bench.Run(Of(c));
  const std::string text = bench.hits() ? bench.Hit() : "no statement";
  const bool data = shape.sink && text.find("INTO `got`") != std::string::npos, commit = shape.sink && text == "COMMIT";
  const char expected = bench.hits() ? Expected(shape, c.code, commit) : 'R';
  const bool stops = expected == 'X' || expected == 'B' || (expected == 'W' && !data);
  std::string wrong;
  if (stops) {
    const int code = shape.sink ? 5 : 4;
    if (f.exit_code != code) wrong = "not exit " + std::to_string(code);
    if (f.err.find(std::to_string(c.code)) == std::string::npos) wrong += " no code in the message";
  } else {
    if (f.exit_code != 0) wrong = "not exit 0";
    wrong += (wrong.empty() ? "" : "; ") + bench.Right(c.done && commit && !shape.once);
  }
  if (wrong.empty()) return "";
  return Name(shape, c, text) + ", class " + expected + ": " + Describe(f) + "; " + wrong + ": " + f.err;
}

bool Full() {
  const char* full = std::getenv("ETL_FULL");
  return full && *full && *full != '0';
}

std::size_t Setting(const char* name, std::size_t otherwise) {
  const char* value = std::getenv(name);
  return value ? std::strtoull(value, nullptr, 10) : otherwise;
}

}  // namespace

TEST_CASE("each code has the class of the table of faults") {
  for (const Rule& r : kRules) {
    for (const unsigned code : r.codes) {
      CAPTURE(code);
      if (r.source != '-') CHECK(Letter(Classify(code, Side::kSource)) == r.source);
      if (r.sink != '-') CHECK(Letter(Classify(code, Side::kSink)) == r.sink);
      if (r.commit != '-') CHECK(Letter(Classify(code, Side::kSink, true)) == r.commit);
      if (r.closes) CHECK(etl::mysql::LosesConnection(code));
    }
  }
  CHECK(Letter(Classify(60'000, Side::kSink)) == 'F');   // one that nobody has heard of
}

TEST_CASE("an error at any statement ends the run as its class says, and no row is lost or doubled") {
  const std::size_t seed = Setting("ETL_TEST_SEED", std::random_device{}());
  std::mt19937_64 random(seed);
  for (const char* server : {"mysql", "mariadb"}) {
    std::vector<std::unique_ptr<Bench>> benches;
    std::vector<Case> cases;
    for (std::size_t i = 0; i < kShapes.size(); ++i) {
      benches.push_back(std::make_unique<Bench>(server, kShapes[i]));
      const auto& clean = benches[i]->clean();
      Cases(i, kShapes[i], 0, "", cases);
      for (std::size_t n = 0; n < clean.size(); ++n) Cases(i, kShapes[i], static_cast<int>(n) + 1, clean[n].text, cases);
    }
    const std::size_t all = cases.size(), most = Setting("ETL_TEST_CASES", Full() ? all : 120);
    std::shuffle(cases.begin(), cases.end(), random);
    if (cases.size() > most) cases.resize(most);
    std::size_t missed = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (const Case& c : cases) {
      const std::string wrong = Try(*benches[c.bench], kShapes[c.bench], c);
      missed += benches[c.bench]->hits() == 0;
      CHECK_MESSAGE(wrong.empty(), std::string(server) << ", " << wrong);
    }
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    MESSAGE(std::string(server) << ": " << cases.size() << " of " << all << " pairs of code and statement in " << took << " s, " << missed << " not met; ETL_TEST_SEED=" << seed);
    CHECK(missed * 20 <= cases.size());   // readers share the ranges: a run may have a statement less
  }
}

TEST_CASE("a second error soon after the first, where the run mends what the first has done, changes nothing") {
  const std::size_t seed = Setting("ETL_TEST_SEED", std::random_device{}());
  std::mt19937_64 random(seed);
  const auto pick = [&random](int from, int to) { return std::uniform_int_distribution<int>(from, to)(random); };
  for (const char* server : {"mysql", "mariadb"}) {
    int twice = 0;
    const int runs = static_cast<int>(Setting("ETL_TEST_CASES", Full() ? 2000 : 40));
    std::vector<std::unique_ptr<Bench>> benches;
    for (const Shape& shape : kShapes) benches.push_back(std::make_unique<Bench>(server, shape));
    for (int i = 0; i < runs; ++i) {
      const int at = pick(0, static_cast<int>(benches.size()) - 1);
      Bench& bench = *benches[static_cast<std::size_t>(at)];
      const Shape& shape = kShapes[static_cast<std::size_t>(at)];
      Case c{static_cast<std::size_t>(at), pick(1, static_cast<int>(bench.clean().size())), 0, false, false, false};
      const unsigned codes[] = {2013, 2013, 2027, 1927, 1053, 1205, 1213, 1105};
      c.code = codes[pick(0, 7)];
      c.silent = c.code == 2013;
      c.done = c.silent && pick(0, 1);
      c.closes = c.silent || c.code == 2027 || c.code == 1927 || c.code == 1053;
      Injected injected = Of(c);
      injected.also = pick(1, 10);
      const Finished f = bench.Run(injected);
      twice += bench.hits() == 2;
      CAPTURE(seed);
      const std::string wrong = bench.Right(c.done && shape.sink && !shape.once);
      CHECK_MESSAGE((f.exit_code == 0 && wrong.empty()), std::string(server) << ", " << Name(shape, c, bench.Hit()) << ", and " << injected.also << " later: " << wrong << ": " << f.err);
    }
    MESSAGE(std::string(server) << ": " << runs << " runs, in " << twice << " both errors were met; ETL_TEST_SEED=" << seed);
    CHECK(twice > 0);
  }
}

TEST_CASE("an error that may pass is tried a few times only") {
  for (const char* server : {"mysql", "mariadb"}) {
    for (const Shape& shape : kShapes) {
      CAPTURE(shape.name);
      Bench bench(server, shape);
      Injected injected;
      injected.code = 1105;
      injected.always = true;
      for (const std::size_t nth : {std::size_t{1}, bench.clean().size() / 2, bench.clean().size()}) {
        CAPTURE(nth);
        injected.nth = static_cast<int>(nth);
        const Finished f = bench.Run(injected);
        CHECK_MESSAGE(f.exit_code == (shape.sink ? 5 : 4), bench.Hit() << ": " << f.err);
        CHECK(f.err.find("1105") != std::string::npos);
      }
    }
  }
}
