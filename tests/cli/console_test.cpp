#include "console.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <Poco/JSON/Parser.h>

#include <sstream>

#include "progress.h"
#include "sample.h"
#include "temp_dir.h"

using namespace etl::cli;

namespace {

/// A console that writes to a file.
struct Paper {
  explicit Paper(LogFormat format, int level = ETL_INFO)
      : fd(::open((folder / "err").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)),
        console({format, level, fd}) {}
  ~Paper() { ::close(fd); }
  std::string text() const { return etl::test::ReadFile(folder / "err"); }

  etl::test::TempDir folder;
  int fd;
  Console console;
};

/// Without the times.
std::string Timeless(std::string text) {
  for (std::size_t at = 0; (at = text.find("Z", at)) != std::string::npos; ++at) {
    if (at >= 23 && text[at - 13] == 'T') text.replace(at - 23, 24, "TIME"), at -= 20;
  }
  return text;
}

}  // namespace

TEST_CASE("a log line is level, time, stage and message, without secrets and control characters") {
  Paper paper(LogFormat::kText);
  paper.console.Know("p", {"hunter22"});
  paper.console.Log(ETL_WARN, "sink[0]", "refused hunter22\n\x1b[31mred");
  paper.console.Log(ETL_DEBUG, "", "not said");
  const std::string text = Timeless(paper.text());
  CHECK(text.rfind("warn  TIME sink[0]: refused ***", 0) == 0);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
}

TEST_CASE("with --log-format json each line is one object, whatever is said") {
  Paper paper(LogFormat::kJson);
  paper.console.Know("p", {"hunter22"});
  paper.console.Log(ETL_INFO, "source", "a \"quoted\" line\nwith hunter22");
  paper.console.Fail("it broke", etl::host::Exit::kSink);
  paper.console.Show({{{"a.toml", 3, 4}, "unknown key \"x\"", "x = 1", false}});
  paper.console.Say(ETL_INFO, {"one", "two"});
  std::istringstream in(paper.text());
  std::vector<Json::Ptr> lines;
  for (std::string line; std::getline(in, line);)
    lines.push_back(Poco::JSON::Parser().parse(line).extract<Json::Ptr>());
  REQUIRE(lines.size() == 4);
  CHECK(lines[0]->getValue<std::string>("stage") == "source");
  CHECK(lines[0]->getValue<std::string>("pipeline") == "p");
  CHECK(lines[0]->getValue<std::string>("msg").find("hunter22") == std::string::npos);
  CHECK(lines[1]->getValue<int>("exit") == 5);
  CHECK(lines[1]->getValue<std::string>("msg") == "it broke");
  CHECK(lines[2]->getValue<int>("line") == 3);
  CHECK(lines[2]->getValue<std::string>("level") == "error");
  CHECK(lines[2]->getValue<std::string>("msg") == "unknown key \"x\"");
  CHECK(lines[3]->getValue<std::string>("msg") == "one\ntwo");
}

TEST_CASE("log lines appear above the live view, which is erased in the end") {
  Paper paper(LogFormat::kText);
  paper.console.Draw({"one", "two"});
  CHECK(paper.text() == "one\ntwo\n");
  paper.console.Log(ETL_ERROR, "", "boom");
  CHECK(Timeless(paper.text()) == "one\ntwo\n\x1b[2A\r\x1b[Jerror TIME boom\none\ntwo\n");
  paper.console.EndView();
  CHECK(paper.text().substr(paper.text().size() - 8) == "\x1b[2A\r\x1b[J");
}

TEST_CASE("off a terminal there is a line every ten seconds, the first after ten") {
  Paper paper(LogFormat::kText);
  Progress progress(paper.console, ProgressMode::kLines);
  etl::host::RunStatus s;
  s.phase = "running";
  for (std::int64_t ms = 0; ms <= 31'000; ms += 500) {
    s.elapsed_ns = ms * 1'000'000;
    s.rows_read = ms;
    progress.Step(s);
  }
  CHECK(Timeless(paper.text()) ==
        "info  TIME 00:00:10 running: read 10,000 rows (0/s, 0 B/s), delivered 0, filtered 0, "
        "rejected 0\n"
        "info  TIME 00:00:20 running: read 20,000 rows (0/s, 0 B/s), delivered 0, filtered 0, "
        "rejected 0\n"
        "info  TIME 00:00:30 running: read 30,000 rows (0/s, 0 B/s), delivered 0, filtered 0, "
        "rejected 0\n");
}

TEST_CASE("busy is that of the last three seconds") {
  Paper paper(LogFormat::kText);
  Progress progress(paper.console, ProgressMode::kNone);
  auto s = etl::test::Middle();
  for (int i = 0; i < 10; ++i) {
    s.elapsed_ns += 1'000'000'000;
    s.stages[0].busy = i < 6 ? 0 : 0.8;
    progress.Step(s);
  }
  CHECK(progress.Latest().stages[0].busy == doctest::Approx(0.8));
}

TEST_CASE("a report is written whole or not at all") {
  etl::test::TempDir folder;
  folder.Write("report.json", "old");
  WriteAtomically(folder / "report.json", "new\n");
  CHECK(etl::test::ReadFile(folder / "report.json") == "new\n");
  CHECK_THROWS_WITH(WriteAtomically("/nowhere/x.json", "new"),
                    "cannot write /nowhere/x.json: No such file or directory; name a file in a "
                    "folder that you may write to");
  CHECK_THROWS_AS(CheckWritable("/nowhere/x.json"), etl::host::Error);
  CheckWritable("here.json");
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}
