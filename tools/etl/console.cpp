#include "console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "text.h"

namespace etl::cli {
namespace {

constexpr std::array kLevels = {"trace", "debug", "info", "warn", "error"};

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

const char* LevelName(int level) {
  return kLevels[static_cast<std::size_t>(level < 0 ? 0 : level > ETL_ERROR ? ETL_ERROR : level)];
}

int LevelOf(const std::string& name) {
  for (std::size_t i = 0; i < kLevels.size(); ++i)
    if (name == kLevels[i]) return static_cast<int>(i);
  return -1;
}

void Console::Know(const std::string& pipeline, const std::vector<std::string>& secrets) {
  const std::lock_guard lock(mutex_);
  pipeline_ = pipeline;
  redactor_ = host::Redactor(secrets);
}

std::string Console::Clean(const std::string& text) const {
  std::string out;
  for (std::size_t at = 0;;) {
    const std::size_t end = text.find('\n', at);
    out += redactor_.Clean(
        std::string_view(text).substr(at, end == std::string::npos ? end : end - at));
    if (end == std::string::npos) return out;
    out += '\n';
    at = end + 1;
  }
}

std::string Console::JsonLine(int level, const std::string& stage, const std::string& message,
                              const Json::Ptr& more) const {
  Json::Ptr json = NewObject();
  json->set("ts", UtcNow());
  json->set("level", LevelName(level));
  json->set("pipeline", pipeline_);
  json->set("stage", stage);
  json->set("msg", message);
  if (more) {
    for (const auto& name : more->getNames()) json->set(name, more->get(name));
  }
  return Text(json) + "\n";
}

void Console::Log(int level, const std::string& stage, const std::string& message,
                  const Json::Ptr& more) {
  if (level < options_.level) return;
  const std::lock_guard lock(mutex_);
  const std::string clean = redactor_.Clean(message);
  if (options_.format == LogFormat::kJson) return Write(JsonLine(level, stage, clean, more));
  Write(fmt::format("{:5} {} {}{}{}\n", LevelName(level), UtcNow(), stage,
                    stage.empty() ? "" : ": ", clean));
}

void Console::Say(int level, const std::vector<std::string>& lines, const Json::Ptr& more) {
  if (level < options_.level) return;
  const std::lock_guard lock(mutex_);
  const std::string clean = Clean(fmt::format("{}", fmt::join(lines, "\n")));
  if (options_.format == LogFormat::kJson)
    Write(JsonLine(level, "", clean, more));
  else
    Write(clean + "\n");
}

void Console::Fail(const std::string& message, host::Exit exit) {
  Json::Ptr more = NewObject();
  more->set("exit", static_cast<int>(exit));
  Say(ETL_ERROR, {options_.format == LogFormat::kJson ? message : "etl: " + message}, more);
}

void Console::Show(const std::vector<host::Problem>& problems) {
  for (const host::Problem& problem : problems) {
    Json::Ptr more = ToJson(problem);
    more->remove("level");
    more->remove("message");
    const bool text = options_.format == LogFormat::kText;
    Say(problem.warning ? ETL_WARN : ETL_ERROR, {text ? problem.Text() : problem.message}, more);
  }
}

std::string Console::Erase() const {
  return view_.empty() ? "" : fmt::format("\x1b[{}A\r\x1b[J", view_.size());
}

std::string Console::Redraw() const {
  return view_.empty() ? "" : fmt::format("{}\n", fmt::join(view_, "\n"));
}

// A standard error that cannot be written to is no reason to stop a run, and there is nowhere to
// say it.
void Console::Write(const std::string& text) { WriteAll(options_.fd, Erase() + text + Redraw()); }

void Console::Draw(std::vector<std::string> view) {
  const std::lock_guard lock(mutex_);
  const std::string erase = Erase();
  view_ = std::move(view);
  for (std::string& line : view_) {
    // Colour codes are ours; the rest has been cut to the width, and holds no control characters
    // once it is clean.
    if (line.find('\x1b') == std::string::npos) line = redactor_.Clean(line);
  }
  WriteAll(options_.fd, erase + Redraw());
}

bool CanDraw(int fd) {
  const char* term = std::getenv("TERM");
  return ::isatty(fd) == 1 && term != nullptr && *term != '\0' && std::strcmp(term, "dumb") != 0;
}

bool WantsColour(int fd) {
  const char* no = std::getenv("NO_COLOR");
  return CanDraw(fd) && (no == nullptr || *no == '\0');
}

std::size_t TerminalWidth(int fd) {
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void Print(std::string_view text) {
  if (WriteAll(STDOUT_FILENO, text)) return;
  if (errno == EPIPE) throw OutputClosed();
  throw host::Error(host::Exit::kInternal,
                    fmt::format("cannot write to standard output: {}", std::strerror(errno)));
}

}  // namespace etl::cli
