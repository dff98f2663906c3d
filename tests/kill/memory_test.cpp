// A slow target slows the source, and nothing grows: peak memory stays near memory_limit, however
// many rows come.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>

#include "program.h"

namespace etl::test {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::int64_t kMiB = 1 << 20;
constexpr std::int64_t kBesides = 64 * kMiB;  // what a run may take besides its memory_limit
constexpr std::int64_t kPayload = 4000;

/// VmHWM in bytes; nothing when the process has gone.
std::optional<std::int64_t> Peak(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoll(line.substr(6)) * 1024;
  }
  return std::nullopt;
}

/// Runs it to its end, which must be a good one, or only for `longest`; its highest memory.
std::int64_t PeakOf(const Command& command, std::optional<std::chrono::milliseconds> longest = {}) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  Process process(command, null, null, null);
  ::close(null);
  const auto until = process.started() + longest.value_or(command.time_limit);
  std::int64_t peak = 0;
  while (!process.WaitUntil(std::min(Clock::now() + 5ms, until))) {
    peak = std::max(peak, Peak(process.pid()).value_or(0));
    if (Clock::now() < until) continue;
    REQUIRE_MESSAGE(longest, "it did not end in time");
    REQUIRE(process.Signal(SIGKILL));
    process.Join();
    return peak;
  }
  REQUIRE_MESSAGE(!longest, "it ended before it could be stalled");
  const Ending ending = process.Join();
  CHECK_MESSAGE(ending.exit_code == 0, Describe(ending));
  return peak;
}

/// 4 MB batches into a sink that takes `slow` for each.
std::string Slow(const std::string& source, std::int64_t rows, const std::string& slow,
                 const std::string& limit) {
  return (limit.empty() ? "" : "memory_limit = \"" + limit + "\"\n") + "[source]\ntype = \"" +
         source + "\"\nrows = " + std::to_string(rows) +
         "\nsplits = 4\npayload = " + std::to_string(kPayload) +
         (source == "generate" ? "\nbatch_rows = 1000\n" : "\nbatch = 1000\n") +
         "[[sink]]\ntype = \"probe\"\npath = \"out\"\nslow = \"" + slow + "\"\n";
}

double InMiB(std::int64_t bytes) { return static_cast<double>(bytes) / static_cast<double>(kMiB); }

struct Limit {
  const char* text;
  std::int64_t bytes;
};
constexpr Limit kSmall{"64MiB", 64 * kMiB}, kDefault{"", 256 * kMiB};

}  // namespace

TEST_CASE("with a slow sink peak memory is bounded, and the same at ten times the rows") {
  for (const std::string source : {"generate", "probe"}) {
    for (const Limit& limit : {kSmall, kDefault}) {
      // Twice the limit, then ten times as much.
      const std::int64_t rows = limit.bytes * 2 / kPayload;
      const bool many = Full() || limit.bytes == kSmall.bytes;
      const Pipeline pipeline(Slow(source, rows, "5ms", limit.text));
      const std::int64_t once = PeakOf(pipeline.Run());
      CHECK_MESSAGE(once <= limit.bytes + kBesides, source, " with memory_limit ",
                    InMiB(limit.bytes), " MiB: ", InMiB(once), " MiB");
      if (!many) continue;
      const Pipeline larger(Slow(source, rows * 10, "5ms", limit.text));
      const std::int64_t tenfold = PeakOf(larger.Run());
      CHECK_MESSAGE(tenfold <= limit.bytes + kBesides, source, " ten times: ", InMiB(tenfold),
                    " MiB");
      CHECK_MESSAGE(tenfold <= once + 16 * kMiB, source, ": ", InMiB(once),
                    " MiB, with ten times the rows ", InMiB(tenfold), " MiB");
      MESSAGE(source << ", memory_limit " << InMiB(limit.bytes) << " MiB: " << InMiB(once)
                     << " MiB, tenfold " << InMiB(tenfold) << " MiB");
    }
  }
}

TEST_CASE("while the sink stalls nothing grows") {
  for (const std::string source : {"generate", "probe"}) {
    for (const Limit& limit : {kSmall, kDefault}) {
      const Pipeline pipeline(Slow(source, 10'000'000, "1h", limit.text));
      const std::int64_t peak = PeakOf(pipeline.Run(), Full() ? 20s : 2s);
      CHECK_MESSAGE(peak <= limit.bytes + kBesides, source, " with memory_limit ",
                    InMiB(limit.bytes), " MiB: ", InMiB(peak), " MiB");
      MESSAGE(source << " stalled, memory_limit " << InMiB(limit.bytes) << " MiB: " << InMiB(peak)
                     << " MiB");
    }
  }
}

TEST_CASE("an unstalled run from ndjson to ndjson stays within 100 MiB in all") {
  const Pipeline pipeline(
      "[source]\ntype = \"ndjson\"\npath = \"in.ndjson\"\n[[sink]]\ntype = \"ndjson\"\npath = "
      "\"out.ndjson\"\n");
  WriteNdjson({1, Full() ? 1'000'000 : 300'000, 1, Profile::kPlain}, pipeline.file("in.ndjson"));
  const std::int64_t peak = PeakOf(pipeline.Run());
  CHECK_MESSAGE(peak <= 100 * kMiB, InMiB(peak), " MiB");
  MESSAGE("ndjson to ndjson: " << InMiB(peak) << " MiB");
}

}  // namespace etl::test
