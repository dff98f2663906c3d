// Each file operation of the state and the rejects failing in turn: what is left can be read, the
// run says so by its exit code, and a run that goes on afterwards loses and doubles nothing.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

#include "fs_matrix.h"
#include "program.h"

namespace etl::test {
namespace {

constexpr std::int64_t kRows = 2000;
constexpr int kDone = 0, kRejected = 3, kStateFault = 7, kCrashed = 86;

/// Rows with ids 1 to kRows, and before every hundredth of them a line that is none.
void WriteInput(const Pipeline& pipeline, bool bad_lines) {
  std::string text;
  for (std::int64_t id = 1; id <= kRows; ++id) {
    if (bad_lines && id % 100 == 0) text += "this is no row " + std::to_string(id) + "\n";
    AppendNdjson(MakeRow(id, 1, Profile::kPlain), text);
  }
  pipeline.dir().Write("in.ndjson", text);
  WriteNdjson({1, kRows, 1, Profile::kPlain}, pipeline.file("expected.ndjson"));
  WriteSqlite({1, kRows, 1, Profile::kPlain}, pipeline.file("expected.db"), "rows");
}

constexpr char kSource[] = R"(
[source]
type = "ndjson"
path = "in.ndjson"
split_bytes = "128KiB"
batch = { rows = 100 }
)";

struct Target {
  const char* toml;
  const char* file;
};
constexpr Target kSqlite = {
    "[[sink]]\ntype = \"sqlite\"\npath = \"out.db\"\ntable = \"rows\"\nbatch = { rows = 300 }\n",
    "out.db"};
constexpr Target kFile = {"[[sink]]\ntype = \"ndjson\"\npath = \"out.ndjson\"\n", "out.ndjson"};

/// Which bad lines the rejects file has, each at least once and whole.
std::string WrongRejects(const Pipeline& pipeline) {
  const Finished listed = RunProcess(Etl({"rejects", "show", pipeline.file("p.toml")}));
  if (listed.exit_code != 0) return "etl rejects show: " + Describe(listed) + ": " + listed.err;
  const std::string file = ReadFile(pipeline.state_folder() + "/rejects.ndjson");
  for (std::int64_t id = 100; id <= kRows; id += 100) {
    if (file.find("this is no row " + std::to_string(id) + "\"") == std::string::npos)
      return "bad line " + std::to_string(id) + " is lost";
  }
  return "";
}

class Faults {
 public:
  Faults(const Target& target, bool bad_lines)
      : target_(target),
        bad_lines_(bad_lines),
        pipeline_((bad_lines ? "on_reject = \"file\"\n" : "") + std::string(kSource) +
                  target.toml) {
    WriteInput(pipeline_, bad_lines);
  }

  void Run(const std::vector<std::string>& kinds, std::size_t step, bool sticky = false) {
    FsMatrix matrix;
    matrix.command = pipeline_.Run({"-q"});
    matrix.path = pipeline_.file(".etl");
    matrix.kinds = kinds;
    matrix.step = step;
    matrix.sticky = sticky;
    matrix.before = [this] { pipeline_.StartOver(target_.file); };
    matrix.after = [this](const FsFault& fault, const Finished& finished) {
      Judge(fault, finished);
    };
    matrix.after_clean = [this](const Finished& finished) {
      CHECK_MESSAGE(finished.exit_code == Good(), Describe(finished), ": ", finished.err);
      CheckTarget("left alone");
    };
    const FsMatrixReport report = RunFsMatrix(matrix);
    for (const auto& [kind, count] : report.by_kind) MESSAGE(kind << ": " << count << " faults");
    CHECK(report.faults > 0);
  }

 private:
  int Good() const { return bad_lines_ ? kRejected : kDone; }

  void Judge(const FsFault& fault, const Finished& finished) {
    const std::string what = Describe(fault);
    const bool crashes = fault.kind == "CRASH" || fault.kind == "TORN";
    const bool harmless = fault.kind == "SHORT" || fault.kind == "EINTR";
    const std::set<int> right = crashes    ? std::set{kCrashed}
                                : harmless ? std::set{Good()}
                                           : std::set{kStateFault, Good()};
    CHECK_MESSAGE(right.count(finished.exit_code) == 1, what, ": ", Describe(finished), ": ",
                  finished.err);
    const std::string standing = pipeline_.ShowState();
    // A pass whose last save failed after it had reached the disk is over; another run would be
    // another pass.
    if (standing.find("is complete") == std::string::npos) {
      CHECK_MESSAGE(finished.exit_code != Good(), what,
                    ": the run says that all is well, the state: ", standing);
      const Finished next = RunProcess(pipeline_.Run({"-q"}));
      CHECK_MESSAGE((next.exit_code == kDone || next.exit_code == Good()), what,
                    ": the next run: ", Describe(next), ": ", next.err);
    }
    CheckTarget(what);
  }

  void CheckTarget(const std::string& what) {
    const bool sqlite = std::string(target_.file) == "out.db";
    const std::string wrong =
        sqlite ? Wrong(pipeline_.file("expected.db"), pipeline_.file("out.db"), {"--table", "rows"})
               : Wrong(pipeline_.file("expected.ndjson"), pipeline_.file("out.ndjson"),
                       {"--numbers", "value"});
    CHECK_MESSAGE(wrong.empty(), what, ": ", wrong);
    const std::string rejects = bad_lines_ ? WrongRejects(pipeline_) : "";
    CHECK_MESSAGE(rejects.empty(), what, ": ", rejects);
  }

  const Target& target_;
  const bool bad_lines_;
  const Pipeline pipeline_;
};

/// Sampled, with steps that are no multiples of what a save takes.
std::size_t Step(std::size_t step) { return Full() ? 1 : kSanitized ? step * 3 : step; }

}  // namespace

TEST_CASE(
    "with any file operation of the state failing, nothing is lost or doubled in a database") {
  Faults(kSqlite, false).Run({"EIO", "ENOSPC", "SHORT", "EINTR"}, Step(13));
}

TEST_CASE("with any file operation of the state failing, nothing is lost or doubled in a file") {
  Faults(kFile, false).Run({"EIO", "ENOSPC", "SHORT", "EINTR"}, Step(11));
}

TEST_CASE("after a crash at any file operation of the state, the next run goes on") {
  Faults(kSqlite, false).Run({"CRASH", "TORN"}, Step(11));
  Faults(kFile, false).Run({"CRASH", "TORN"}, Step(11));
}

TEST_CASE(
    "with any file operation of the state or the rejects failing, each bad line is among the "
    "rejects") {
  Faults(kSqlite, true).Run({"EIO", "ENOSPC", "SHORT", "EINTR", "CRASH", "TORN"}, Step(29));
  Faults(kFile, true).Run({"EIO", "CRASH", "TORN"}, Step(23));
}

TEST_CASE("with the disk of the state gone from any moment on, the next run goes on") {
  Faults(kSqlite, true).Run({"EIO", "ENOSPC"}, Step(19), true);
  Faults(kFile, true).Run({"ENOSPC"}, Step(19), true);
}

}  // namespace etl::test
