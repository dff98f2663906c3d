#include "conformance.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>

#include "../error.h"
#include "child.h"
#include "harness.h"
#include "loader.h"

namespace etl::host {
namespace {

constexpr int kFirstThatLoads = 12;
constexpr int kLive = 44;
constexpr int kTerminated = 86;

/// Goes with all that is in it, also when the check's process did not end well.
class CheckFolder {
 public:
  CheckFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "etl-check-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw Error(Exit::kPlugin, "no temporary folder can be made at " + name + "; set TMPDIR to one that can be written to");
    path = name;
  }
  ~CheckFolder() {
    std::error_code left_behind;  // a file that a check made unremovable is no verdict on the plugin
    std::filesystem::remove_all(path, left_behind);
  }
  CheckFolder(const CheckFolder&) = delete;
  CheckFolder& operator=(const CheckFolder&) = delete;
  std::string path;
};

std::string RunBody(const Check& check, CheckRun& run) {
  try {
    return "P" + check.run(run);
  } catch (const CheckFailed& failure) {
    return std::string("F") + failure.what();
  } catch (const CheckSkipped& skip) {
    return std::string("S") + skip.what();
  } catch (const std::exception& error) {
    return std::string("F") + error.what();
  } catch (...) {
    return "Flets an exception out that is no std::exception";
  }
}

CheckResult RunCheck(const Check& check, const std::string& path, const CheckOptions& options) {
  CheckResult result{check.number, check.name, CheckResult::kFail, {}};
  const CheckFolder folder;
  const ChildEnd end = RunInChild({options.time_limit, true, options.memory_limit}, [&] {
    std::set_terminate([] { std::_Exit(kTerminated); });
    CheckRun run{path, options, folder.path, false, 0, {}};
    std::filesystem::current_path(folder.path);
    return RunBody(check, run);
  });
  if (end.how == ChildEnd::kExited && end.code == kTerminated) {
    result.detail = "lets an exception out: std::terminate() was called";
    return result;
  }
  if (end.how != ChildEnd::kReturned || end.output.empty()) {
    result.detail = end.how == ChildEnd::kTimedOut        ? fmt::format("did not end within {} ms", options.time_limit.count())
                    : end.how == ChildEnd::kTooMuchMemory ? fmt::format("took more than {} MiB of memory", options.memory_limit >> 20)
                                                          : end.Text();
    return result;
  }
  result.verdict = end.output.front() == 'P'   ? CheckResult::kPass
                   : end.output.front() == 'S' ? CheckResult::kSkip
                                               : CheckResult::kFail;
  result.detail = end.output.substr(1);
  return result;
}

/// Why the plugin cannot be loaded at all, or nothing.
std::string WhyNotLoaded(const std::string& path, const CheckOptions& options) {
  const Check load{0, "", [](CheckRun& run) { return run.Load(), std::string(); }};
  const CheckResult result = RunCheck(load, path, options);
  return result.verdict == CheckResult::kPass ? std::string() : "loading it " + (result.detail.starts_with("plugin ") ? "fails: " : std::string()) + result.detail;
}

std::vector<Check> AllChecks() {
  std::vector<Check> all;
  for (auto group : {FileChecks, LoadChecks, OptionChecks, LifeChecks, DataChecks, StateChecks})
    for (Check& check : group()) all.push_back(std::move(check));
  return all;
}

}  // namespace

std::vector<CheckResult> CheckPlugin(const std::string& path, const CheckOptions& options) {
  const std::string real = RealPluginPath(path);
  std::vector<CheckResult> results;
  std::optional<std::string> not_loaded;
  bool said = false;
  for (const Check& check : AllChecks()) {
    if (!options.only.empty() && !options.only.contains(check.number)) continue;
    CheckResult result{check.number, check.name, CheckResult::kFail, {}};
    if (check.number > kFirstThatLoads && check.number < kLive && !not_loaded) not_loaded = WhyNotLoaded(real, options);
    if (check.number > kFirstThatLoads && check.number < kLive && !not_loaded->empty()) {
      result.verdict = said ? CheckResult::kSkip : CheckResult::kFail;
      result.detail = said ? "not run, as it does not load" : *not_loaded;
    } else {
      result = RunCheck(check, real, options);
    }
    said |= check.number >= kFirstThatLoads && result.verdict == CheckResult::kFail;
    if (options.progress) options.progress(result);
    results.push_back(std::move(result));
  }
  return results;
}

bool Passed(const std::vector<CheckResult>& results) {
  return std::none_of(results.begin(), results.end(), [](const CheckResult& r) { return r.verdict == CheckResult::kFail; });
}

}  // namespace etl::host
