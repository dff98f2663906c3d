// Everything that is said on standard error: log lines, messages, the live view.  Nothing else
// writes there.
#pragma once
#include <mutex>
#include <string>
#include <vector>

#include "json.h"
#include "run/run.h"

namespace etl::cli {

enum class LogFormat { kText, kJson };

struct ConsoleOptions {
  LogFormat format = LogFormat::kText;
  int level = ETL_INFO;  ///< lower ones are left out
  int fd = 2;            ///< another one in tests
};

/// Any thread.  In the format kJson every line is one JSON object.
class Console : public host::LogSink {
 public:
  explicit Console(ConsoleOptions options) : options_(options) {}

  LogFormat format() const { return options_.format; }
  /// From here on lines name the pipeline, and its secrets are hidden.
  void Know(const std::string& pipeline, const std::vector<std::string>& secrets);

  void Log(int level, const std::string& stage, const std::string& message) override {
    Log(level, stage, message, nullptr);
  }
  /// `more`: further keys of the JSON form.
  void Log(int level, const std::string& stage, const std::string& message, const Json::Ptr& more);
  /// Text as it stands, several lines too; as JSON one object with `more`.
  void Say(int level, const std::vector<std::string>& lines, const Json::Ptr& more = nullptr);
  /// "etl: message": what a command ends with.
  void Fail(const std::string& message, host::Exit exit);
  void Show(const std::vector<host::Problem>& problems);

  /// Draws the view in place of the last one; other lines appear above it.
  void Draw(std::vector<std::string> view);
  /// Leaves the terminal without the view.
  void EndView() { Draw({}); }

  std::string Clean(const std::string& text) const;  ///< redacted, line by line

 private:
  void Write(const std::string& text);  ///< requires the lock
  std::string Erase() const;
  std::string Redraw() const;
  std::string JsonLine(int level, const std::string& stage, const std::string& message,
                       const Json::Ptr& more) const;

  const ConsoleOptions options_;
  mutable std::mutex mutex_;
  std::string pipeline_;
  host::Redactor redactor_;
  std::vector<std::string> view_;
};

const char* LevelName(int level);
/// "trace" .. "error" to ETL_TRACE .. ETL_ERROR; -1: none of them.
int LevelOf(const std::string& name);

/// May a view be drawn there?  A terminal that is not dumb.
bool CanDraw(int fd);
bool WantsColour(int fd);
std::size_t TerminalWidth(int fd);

/// Data, on standard output.  A reader that has gone away (`etl preview … | head`) ends the command
/// without complaint.
class OutputClosed {};
void Print(std::string_view text);

}  // namespace etl::cli
