#include "config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "../error.h"
#include "across.h"
#include "load.h"
#include "scan.h"
#include "values.h"

namespace etl::host {
namespace {

std::string ReadAll(const std::string& file) {
  const bool standard_input = file == kStandardInput;
  const int fd = standard_input ? STDIN_FILENO : ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const auto fail = [&](const char* did) {
    throw Error(
        Exit::kConfig,
        fmt::format("cannot {} the pipeline file {}: {}; check the path and its permissions", did,
                    file, std::strerror(errno)));
  };
  if (fd < 0) fail("open");
  const struct Closer {
    int fd;
    ~Closer() {
      if (fd > STDIN_FILENO) ::close(fd);
    }
  } closer{fd};
  std::string text(kMaxConfigBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

}  // namespace

PipelineConfig LoadConfig(const std::string& file, const std::vector<std::string>& sets,
                          Registry& registry) {
  const TypeResolver resolver{[&](Kind kind, std::string_view type) -> const Component& {
                                return registry.Find(kind, type);
                              },
                              [&](Kind kind) { return registry.Types(kind); }};
  PipelineConfig config = LoadConfigText(ReadAll(file), file, sets, resolver);
  std::vector<Problem> problems = CheckAcross(config);
  for (const StageConfig& sink : config.sinks) {
    if (sink.when.empty()) continue;
    if (!config.filter) config.filter = registry.WithExtension(Kind::kTransform, ETL_EXT_FILTER);
    if (!config.filter) {
      problems.push_back(
          config.At(sink, "when",
                    "no installed plugin serves \"when\"; install one that does, such as etl.sql"));
    }
  }
  if (!problems.empty()) throw ConfigErrors(std::move(problems));
  return config;
}

Problem PipelineConfig::At(const StageConfig& stage, const std::string& option,
                           const std::string& message) const {
  Place place = stage.place;
  for (std::string path = option; !path.empty();) {
    if (const auto found = stage.places.find(path); found != stage.places.end()) {
      place = found->second;
      break;
    }
    const std::size_t dot = path.find_last_of(".[");
    path.resize(dot == std::string::npos ? 0 : dot);
  }
  std::string_view line;
  if (place.line > 0 && text) {
    line = *text;
    if (line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    for (int i = 1; i < place.line; ++i)
      line.remove_prefix(std::min(line.find('\n'), line.size() - 1) + 1);
    line = line.substr(0, line.find('\n'));
  }
  return MakeProblem(place, line,
                     option.empty() ? message : fmt::format("\"{}\": {}", option, message), false);
}

Values::Values() : store(std::make_unique<Store>()) {}
Values::~Values() = default;
Values::Values(Values&&) noexcept = default;
Values& Values::operator=(Values&&) noexcept = default;
const etl_value* Values::data() const { return store->root.data(); }

}  // namespace etl::host
