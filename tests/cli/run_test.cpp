// Runs of the program: summary, report, signals, state, --http.
#include <Poco/JSON/Parser.h>
#include <Poco/Net/StreamSocket.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "program.h"

using namespace etl::test;
using Json = Poco::JSON::Object;

namespace {

constexpr const char* kSmall =
    "[source]\ntype = \"generate\"\nrows = 1000\n[sink]\ntype = \"ndjson\"\npath = "
    "\"out.ndjson\"\n";
// Ends by a signal only, in any time that a test takes.
constexpr const char* kEndless =
    "[source]\ntype = \"generate\"\nrows = 4000000000000000000\n[sink]\ntype = \"discard\"\n";

Json::Ptr Parse(const std::string& text) {
  return Poco::JSON::Parser().parse(text).extract<Json::Ptr>();
}

/// A run whose standard error is a pipe that can be waited on.
struct Live {
  Live(const std::vector<std::string>& args, const std::string& folder) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    err = ends[0];
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    process = std::make_unique<Process>(EtlCommand(args, folder), null, null, ends[1]);
    ::close(ends[1]);
    ::close(null);
  }
  ~Live() { ::close(err); }

  /// Reads until the text has come; false when the program ended before.
  bool Await(const std::string& text) {
    char buffer[4096];
    while (seen.find(text) == std::string::npos) {
      const ssize_t n = ::read(err, buffer, sizeof buffer);
      if (n <= 0) return false;
      seen.append(buffer, static_cast<std::size_t>(n));
    }
    return true;
  }
  int End() {
    Await("\x01 never");
    const Ending ending = process->Join();
    INFO(Describe(ending));
    return ending.exit_code;
  }

  int err = -1;
  std::unique_ptr<Process> process;
  std::string seen;
};

}  // namespace

TEST_CASE("a run ends with a summary, and the report says the same") {
  const TempDir folder;
  folder.Write("p.toml", kSmall);
  const Finished run = Etl({"run", "p.toml", "--report", "report.json"}, folder.path().string());
  INFO(run.err);
  CHECK(run.exit_code == 0);
  CHECK(run.out == "");
  CHECK(run.err.find("p: complete in ") == 0);
  CHECK(run.err.find("  read 1,000, delivered 1,000, filtered 0, rejected 0") != std::string::npos);
  const Json::Ptr report = Parse(ReadFile(folder / "report.json"));
  CHECK(report->getValue<int>("exit") == 0);
  CHECK(report->getObject("status")->getValue<int>("rows_delivered") == 1000);
}

TEST_CASE("with --log-format json every line of standard error is an object") {
  const TempDir folder;
  folder.Write("p.toml", kSmall);
  for (const char* set : {"source.rows=10", "source.rwos=10"}) {
    const Finished run =
        Etl({"run", "p.toml", "--log-format", "json", "--set", set}, folder.path().string());
    std::istringstream in(run.err);
    int lines = 0;
    for (std::string line; std::getline(in, line); ++lines) CHECK_NOTHROW(Parse(line));
    CHECK(lines > 0);
  }
}

TEST_CASE("a run that never began is reported too") {
  const TempDir folder;
  folder.Write("p.toml", kSmall);
  const Finished run = Etl({"run", "p.toml", "--set", "sink.pth=x", "--report", "report.json"},
                           folder.path().string());
  CHECK(run.exit_code == 2);
  const Json::Ptr report = Parse(ReadFile(folder / "report.json"));
  CHECK(report->getValue<int>("exit") == 2);
  CHECK(report->getArray("problems")->size() == 1);
}

TEST_CASE("the first signal drains and saves, whichever it is, and the summary is there") {
  const TempDir folder;
  folder.Write("p.toml", kEndless);
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, {SIGTERM, 143}, {SIGHUP, 143}}) {
    Live run(
        {"run", "p.toml", "--http", "127.0.0.1:0", "--report", "r.json", "--log-level", "debug"},
        folder.path().string());
    REQUIRE(run.Await("status at "));
    REQUIRE(run.Await("phase: running"));
    run.process->Signal(signal);
    CHECK(run.End() == code);
    CHECK(run.seen.find("interrupted, state saved") != std::string::npos);
    CHECK(Parse(ReadFile(folder / "r.json"))->getValue<int>("exit") == code);
  }
}

TEST_CASE("two runs of one pipeline exclude each other, and so does a reset") {
  const TempDir folder;
  folder.Write("p.toml", kEndless);
  Live run({"run", "p.toml", "--log-level", "debug"}, folder.path().string());
  REQUIRE(run.Await("phase: running"));
  CHECK(Etl({"run", "p.toml"}, folder.path().string()).exit_code == 8);
  CHECK(Etl({"state", "reset", "p.toml"}, folder.path().string()).exit_code == 8);
  run.process->Signal(SIGTERM);
  CHECK(run.End() == 143);
}

TEST_CASE("state is shown, and forgotten when asked") {
  const TempDir folder;
  folder.Write("p.toml", kSmall);
  const std::string cwd = folder.path().string();
  CHECK(Etl({"state", "show", "p.toml"}, cwd).out.find("p: nothing has run yet\n") == 0);
  CHECK(Etl({"run", "p.toml", "-q"}, cwd).err == "");
  CHECK(Etl({"state", "show", "p.toml"}, cwd).out.find("p: pass 1 is complete, saved ") == 0);
  CHECK(Parse(Etl({"state", "show", "p.toml", "--json"}, cwd).out)->getValue<bool>("complete"));
  CHECK(Etl({"state", "reset", "p.toml"}, cwd).out.find("p: forgot pass 1 with 1,000 rows read") ==
        0);
  CHECK(Etl({"state", "show", "p.toml"}, cwd).out.find("p: nothing has run yet\n") == 0);
}

TEST_CASE("a port that is taken is warned about, or stops the run when it is required") {
  const TempDir folder;
  folder.Write("p.toml", kEndless);
  folder.Write("q.toml", kSmall);
  Live run({"run", "p.toml", "--http", "127.0.0.1:0"}, folder.path().string());
  REQUIRE(run.Await("/status\n"));
  const auto at = run.seen.find("http://") + 7;
  const std::string address = run.seen.substr(at, run.seen.find("/status") - at);
  const Finished without = Etl({"run", "q.toml", "--http", address}, folder.path().string());
  CHECK(without.exit_code == 0);
  CHECK(without.err.find("the run goes on without") != std::string::npos);
  CHECK(Etl({"run", "q.toml", "--http", address, "--http-required"}, folder.path().string())
            .exit_code == 2);
  run.process->Signal(SIGTERM);
  CHECK(run.End() == 143);
}

TEST_CASE("connections that say nothing, more than the server takes, do not hold a run up") {
  const TempDir folder;
  folder.Write("p.toml", kEndless);
  Live run({"run", "p.toml", "--http", "127.0.0.1:0"}, folder.path().string());
  REQUIRE(run.Await("/status\n"));
  const auto at = run.seen.find("http://") + 7;
  const std::string address = run.seen.substr(at, run.seen.find("/status") - at);
  std::vector<Poco::Net::StreamSocket> idle;
  for (int i = 0; i < 20; ++i) idle.emplace_back(Poco::Net::SocketAddress(address));
  run.process->Signal(SIGTERM);
  CHECK(run.End() == 143);
  CHECK(run.seen.find("interrupted, state saved") != std::string::npos);
}

TEST_CASE("a reader of standard output that goes away is no error") {
  const TempDir folder;
  folder.Write("p.toml", kSmall);
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  ::close(ends[0]);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  Process process(EtlCommand({"preview", "p.toml", "-n", "1000"}, folder.path().string()), null,
                  ends[1], null);
  CHECK(process.Join().exit_code == 0);
  ::close(ends[1]);
  ::close(null);
}

TEST_CASE("help goes to standard output, and so does the version") {
  const TempDir folder;
  for (const char* command :
       {"run", "check", "preview", "plan", "tune", "verify", "state", "rejects", "plugin", "schema", "completion"}) {
    const Finished help = Etl({command, "--help"}, folder.path().string());
    CHECK(help.exit_code == 0);
    CHECK(help.out.find("Examples:") != std::string::npos);
    CHECK(help.err == "");
  }
  CHECK(Etl({"--version"}, folder.path().string()).out.rfind("etl ", 0) == 0);
}

TEST_CASE("the completion scripts are understood by their shells") {
  const TempDir folder;
  for (const char* shell : {"bash", "zsh"})
    folder.Write(shell, Etl({"completion", shell}, folder.path().string()).out);
  Command bash;
  bash.argv = {
      "bash", "-c",
      "source " + folder / "bash" +
          "; COMP_WORDS=(etl plugin ch); COMP_CWORD=2; _etl; echo \"${COMPREPLY[@]}\"; "
          "COMP_WORDS=(etl run --log-format ''); COMP_CWORD=3; _etl; echo \"${COMPREPLY[@]}\""};
  const Finished said = RunProcess(bash);
  CHECK(said.err == "");
  CHECK(said.out == "check\ntext json\n");
  // zsh's own functions complete at a terminal only; these say what they are given.
  Command zsh;
  zsh.argv = {"zsh", "-f", "-c",
              "compdef() { print $* }; compadd() { shift; print -r -- $@ }; _files() {}; source " +
                  folder / "zsh" +
                  "; words=(etl plugin ''); CURRENT=3; _etl; "
                  "words=(etl run --log-format ''); CURRENT=4; _etl"};
  const Finished answered = RunProcess(zsh);
  CHECK(answered.err == "");
  CHECK(answered.out.rfind("_etl etl\nlist info check new --", 0) == 0);
  CHECK(answered.out.substr(answered.out.size() - 11) == "\ntext json\n");
}

TEST_CASE("the reference pages are those that this program makes") {
  const TempDir folder;
  const Finished docs = Etl({"docs", "made"}, folder.path().string());
  REQUIRE(docs.exit_code == 0);
  std::size_t pages = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "made")) {
    if (!entry.is_regular_file()) continue;
    const auto relative = std::filesystem::relative(entry.path(), folder / "made");
    const auto kept = std::filesystem::path(ETL_REFERENCE) / relative;
    INFO(relative.string(), " is out of date: cmake --build <folder> --target reference");
    REQUIRE(std::filesystem::exists(kept));
    CHECK(ReadFile(entry.path().string()) == ReadFile(kept.string()));
    ++pages;
  }
  CHECK(pages > 2);
}
