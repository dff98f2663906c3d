// Kills a program again and again at random instants: the test of everything that promises to
// resume.
#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "run_process.h"

namespace etl::test {

enum class KillKind {
  kKill,          ///< SIGKILL
  kTerminate,     ///< SIGTERM; the program is given `grace` to end
  kStopThenKill,  ///< SIGSTOP, wait until it stands, SIGKILL: what a frozen and then lost machine
                  ///< looks like
};

enum class KillPhase { kStart, kMiddle, kEnd };

struct Kill {
  std::size_t number = 0;  ///< of the kills that landed, from 1
  KillKind kind = KillKind::kKill;
  KillPhase phase = KillPhase::kStart;
  std::chrono::nanoseconds after{0};  ///< since the start of the run
  Ending ending;
};

/// What to do.  The commands' output goes to files, of which the last run's is shown when something
/// is wrong.
struct KillPlan {
  Command command;  ///< its time limit bounds each run
  std::size_t kills = 20;
  std::vector<KillKind> kinds = {KillKind::kKill};  ///< taken in turn
  std::uint64_t seed = 0;                           ///< 0: a fresh one; it is printed either way
  double start_share = 0.15;                        ///< how much of a whole run counts as start-up
  std::chrono::milliseconds grace = std::chrono::seconds(30);
  std::set<int> clean_codes = {0};  ///< right for a run that ended by itself
  std::set<int> terminated_codes = {143,
                                    0};  ///< right after SIGTERM, if not ended by the signal itself
  std::size_t max_runs = 0;              ///< 0: ten for each kill, and 100
  bool quiet = false;

  /// What is left of a whole run, 0 to 1, told before each run: a run that resumes is shorter.
  /// Without it each run is taken for a whole one, and more of them end before they are killed.
  std::function<double()> left;
  /// After each kill that landed, with no process of the command running: is what lies there
  /// readable?
  std::function<void(const Kill&)> after_kill;
  /// Each time a run ended by itself, also the first and the last: verify the result, then clear it
  /// away so that the next run has something to do.
  std::function<void()> after_pass;
};

struct KillReport {
  std::uint64_t seed = 0;
  std::size_t runs = 0;    ///< of all kinds
  std::size_t landed = 0;  ///< kills that met a running program: the number that counts
  std::array<std::size_t, 3> in_phase{};  ///< landed, by KillPhase
  std::size_t passes = 0;  ///< runs that ended by themselves; the first and the last are clean runs
  std::chrono::nanoseconds whole{0};  ///< how long a whole run took
};

/// A first clean run measures; then runs are killed until `kills` have landed, 30 % of them in
/// start-up, 60 % in the middle and 10 % near the end; then a final clean run.  Throws
/// std::runtime_error, with the seed and what the program said, when a run ends in a way that is
/// not right; what a callback throws comes out.
KillReport RunKillLoop(const KillPlan& plan);

}  // namespace etl::test
