#include "fixture.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

namespace etl::host {

namespace {
Registry& Probes() {
  static Registry registry({{ETL_BUILD_DIR "/tests/plugins"}, true});
  return registry;
}
}  // namespace

Fixture::Fixture() {
  std::string name = std::filesystem::temp_directory_path() / "etl-run-XXXXXX";
  REQUIRE(mkdtemp(name.data()));
  dir_ = name;
}
Fixture::~Fixture() { std::filesystem::remove_all(dir_); }

PipelineConfig Fixture::Load(const std::string& toml) {
  std::ofstream(dir_ / "p.toml") << toml;
  return LoadConfig(dir_ / "p.toml", {}, Probes());
}

RunResult Fixture::RunToml(const std::string& toml, const std::function<void(Run&)>& during) { return Do(&Run::Execute, toml, during); }
RunResult Fixture::ReplayToml(const std::string& toml, const std::function<void(Run&)>& during) { return Do(&Run::Replay, toml, during); }

RunResult Fixture::Do(RunResult (Run::*what)(), const std::string& toml, const std::function<void(Run&)>& during) {
  const PipelineConfig config = Load(toml);
  Run run(config, {});
  std::thread other;
  if (during) other = std::thread([&] { during(run); });
  RunResult result = (run.*what)();
  if (other.joinable()) other.join();
  if (std::getenv("ETL_TEST_VERBOSE")) MESSAGE(result.message);
  return result;
}

std::string Fixture::Read(const std::string& name) const {
  std::ifstream in(dir_ / name);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::int64_t> Fixture::Ids(const std::string& name) const {
  std::ifstream in(dir_ / name);
  std::vector<std::int64_t> ids;
  for (std::string word; in >> word;) {
    if (word == "id") continue;
    if (word == "key" || word == "mark") {
      std::getline(in, word);
      continue;
    }
    ids.push_back(std::stoll(word));
  }
  return ids;
}

State Fixture::Saved() const { return PeekState((dir_ / ".etl" / "p").string()); }

std::vector<std::int64_t> UpTo(std::int64_t n) {
  std::vector<std::int64_t> v(static_cast<std::size_t>(n));
  std::iota(v.begin(), v.end(), 0);
  return v;
}
std::vector<std::int64_t> Sorted(std::vector<std::int64_t> v) {
  std::sort(v.begin(), v.end());
  return v;
}

}  // namespace etl::host
