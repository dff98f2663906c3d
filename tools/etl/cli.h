// The command line: declared once, and from that come parsing, help, the manual page, the reference
// and completion.
#pragma once
#include <CLI/App.hpp>

#include <memory>
#include <string>
#include <vector>

namespace etl::cli {

/// What was given, of all commands together.
struct Args {
  // every command
  std::vector<std::string> plugin_dirs, sets;
  bool allow_unsafe = false, quiet = false, version = false;
  std::string state_dir, log_format = "text", log_level = "info";
  // one or several
  std::string pipeline, report, http, stage, type, library, name, folder, options, shell, write_to;
  std::vector<std::string> types;
  std::vector<int> only;
  bool http_required = false, no_progress = false, connect = false, json = false;
  bool repair = false, ignore_extra = false;
  bool write = false, source = false, transform = false, sink = false;
  std::string time = "10m", sample = "100%";
  std::int64_t tune_rows = 100'000, rows = 10, splits = 100, records = 20;
};

/// The commands.  Values go to `args`, which must outlive what is returned.
std::unique_ptr<CLI::App> Declare(Args& args);

/// The command that was named, as deep as it goes: "plugin check" is below "plugin" is below "etl".
const CLI::App& Chosen(const CLI::App& root);
/// "etl plugin check".
std::string FullName(const CLI::App& command);

/// Parses; true: help was asked for.  Throws Error(kConfig) with the nearest right name.
bool Parse(CLI::App& root, int argc, const char* const* argv);

bool Hidden(const CLI::App& command);
std::vector<const CLI::App*> Commands(const CLI::App& command);  ///< below it, but the hidden ones
std::vector<const CLI::Option*> Positionals(const CLI::App& command);
std::vector<const CLI::Option*> Options(const CLI::App& command);  ///< without --help
std::string Flags(const CLI::Option& option);                      ///< "-n, --rows N"
std::string ValueName(const CLI::Option& option);  ///< "N"; "text|json"; empty: takes none

}  // namespace etl::cli
