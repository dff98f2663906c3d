// A pipeline of probes in a folder of its own.
#pragma once
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "run/run.h"
#include "state/store.h"

namespace etl::host {

class Fixture {
 public:
  Fixture();
  ~Fixture();
  /// Runs a pipeline with this source line, transforms and sink; `during` is called from another thread.
  RunResult RunToml(const std::string& toml, const std::function<void(Run&)>& during = {});
  /// Gives its rejects back likewise.
  RunResult ReplayToml(const std::string& toml, const std::function<void(Run&)>& during = {});
  PipelineConfig Load(const std::string& toml);
  std::string File(const std::string& name) const { return (dir_ / name).string(); }
  std::string Read(const std::string& name) const;
  /// The ids in a file, in its order.
  std::vector<std::int64_t> Ids(const std::string& name = "out") const;
  State Saved() const;
  RunOptions options() const { return {}; }

 private:
  RunResult Do(RunResult (Run::*what)(), const std::string& toml, const std::function<void(Run&)>& during);

  std::filesystem::path dir_;
};

/// 0 .. n-1
std::vector<std::int64_t> UpTo(std::int64_t n);
std::vector<std::int64_t> Sorted(std::vector<std::int64_t> v);

}  // namespace etl::host
