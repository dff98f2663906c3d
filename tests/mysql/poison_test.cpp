// Rows that only the server can refuse, one in a hundred: they alone are rejected, at the price of few statements.
#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "error_proxy.h"
#include "sink_lab.h"

using namespace etl::test;

namespace {

constexpr int kRows = 20'000, kPoison = 200, kStatement = 1000;

struct Kind {
  std::string name;
  std::string columns;     ///< of table poison, behind id, v
  std::string after;       ///< statements
  unsigned mysql, mariadb; ///< the code of the refusal
};

/// A row is poison when its v is -1.
const Kind kKinds[] = {
    {"check", ", CHECK (v >= 0)", "", 3819, 4025},
    {"foreign key", ", FOREIGN KEY (v) REFERENCES parent(id)", "", 1452, 1452},
    {"trigger", "", "DELIMITER //\nCREATE TRIGGER refuse BEFORE INSERT ON poison FOR EACH ROW IF NEW.v < 0 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'poison'; END IF//", 1644, 1644},
    {"duplicate", "", "", 1062, 1062},
};

std::size_t Writes(const std::vector<Sent>& sent) {
  return static_cast<std::size_t>(std::count_if(sent.begin(), sent.end(), [](const Sent& s) {
    return s.kind != 22 && s.text.rfind("INSERT INTO `poison`", 0) == 0;
  }));
}

/// The number behind a key of a line of the file of rejects.
unsigned NumberAt(const std::string& line, const std::string& key) {
  const auto at = line.find(key);
  REQUIRE_MESSAGE(at != std::string::npos, line);
  return static_cast<unsigned>(std::stoul(line.substr(at + key.size())));
}

using Rejected = std::vector<std::pair<int, unsigned>>;   // id, code

Rejected RejectsOf(const Load& load) {
  Rejected out;
  for (const std::string& line : SplitLines(ReadFile(load.dir() / ".etl/p/rejects.ndjson"))) {
    if (line.find("\"reason\":") != std::string::npos) out.emplace_back(NumberAt(line, "\"row\":{\"id\":"), NumberAt(line, "\"code\":"));
  }
  return out;
}

}  // namespace

TEST_CASE("one poison row in a hundred: just those are rejected, each found with at most 2 log2(n) statements more") {
  const auto seed = std::random_device{}();
  std::mt19937_64 random(seed);
  for (const Target& t : Targets()) {
    for (const Kind& kind : kKinds) {
      for (const std::string& way : t.mariadb() ? Lines{"prepared", "text", "bulk"} : Lines{"prepared", "text"}) {
        CAPTURE(t.name);
        CAPTURE(kind.name);
        CAPTURE(way);
        CAPTURE(seed);
        const bool duplicate = kind.name == "duplicate";
        t.Sql("DROP TABLE IF EXISTS poison, parent; CREATE TABLE parent (id INT PRIMARY KEY); INSERT INTO parent VALUES (0); "
              "CREATE TABLE poison (id INT PRIMARY KEY, v INT" + kind.columns + ")");
        if (!kind.after.empty()) t.Sql(kind.after);
        std::set<int> bad;
        while (bad.size() < kPoison) bad.insert(static_cast<int>(random() % kRows));
        std::string rows, there;
        for (int i = 0; i < kRows; ++i) rows += "{\"id\":" + std::to_string(i) + ",\"v\":" + (!duplicate && bad.count(i) ? "-1" : "0") + "}\n";
        for (const int i : bad) there += (there.empty() ? "(" : ", (") + std::to_string(i) + ", 7)";
        if (duplicate) t.Sql("INSERT INTO poison VALUES " + there);

        ErrorProxy proxy(static_cast<std::uint16_t>(t.port));
        Load load(t, "id = \"int64\", v = \"int64\"",
                  "table = \"poison\"\nway = \"" + way + "\"\nrows_per_statement = " + std::to_string(kStatement) + "\n", proxy.port());
        const Finished f = load.Rows(rows).Run();
        CHECK_MESSAGE(f.exit_code == 3, f.err);
        const Rejected rejects = RejectsOf(load);
        std::set<int> found;
        for (const auto& [id, code] : rejects) {
          CHECK(found.insert(id).second);
          CHECK(code == (t.mariadb() ? kind.mariadb : kind.mysql));
        }
        std::string differ;
        std::vector<int> difference;
        std::set_symmetric_difference(found.begin(), found.end(), bad.begin(), bad.end(), std::back_inserter(difference));
        for (const int i : difference) differ += " " + std::to_string(i);
        CHECK_MESSAGE(differ.empty(), "rejected or poison, but not both:" << differ);
        CHECK(t.One("SELECT COUNT(*) FROM poison WHERE v = 0") == std::to_string(kRows - kPoison));
        const std::size_t writes = Writes(proxy.sent()), clean = kRows / kStatement;
        const double each = static_cast<double>(writes - clean) / kPoison;
        MESSAGE(t.name << ", " << kind.name << ", " << way << ": " << each << " statements more a poison row, " << proxy.sent().size() << " commands in all");
        CHECK(each <= 2 * std::log2(kStatement));
      }
    }
  }
}
