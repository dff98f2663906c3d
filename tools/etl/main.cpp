// The command `etl`.
#include <Poco/Exception.h>
#include <fmt/format.h>
#include <malloc.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>

#include "commands.h"
#include "help.h"

namespace etl::cli {
namespace {

using host::Error;
using host::Exit;

int Complete(Context& c) {
  Print(Completion(c.root, c.args.shell));
  return 0;
}

int Man(Context& c) {
  Print(ManPage(c.root, host::Version()));
  return 0;
}

int Dispatch(Context& c) {
  static const std::map<std::string, int (*)(Context&)> kCommands = {
      {"run", RunPipeline},
      {"check", CheckPipeline},
      {"preview", Preview},
      {"plan", Plan},
      {"tune", Tune},
      {"verify", Verify},
      {"state show", StateShow},
      {"state reset", StateReset},
      {"state accept", StateAccept},
      {"rejects list", RejectsList},
      {"rejects show", RejectsShow},
      {"rejects replay", RejectsReplay},
      {"plugin list", PluginList},
      {"plugin info", PluginInfo},
      {"plugin check", PluginCheck},
      {"plugin new", PluginNew},
      {"schema", Schema},
      {"completion", Complete},
      {"man", Man},
      {"docs", Docs}};
  return kCommands.at(FullName(Chosen(c.root)).substr(4))(c);
}

/// Known before the command line is understood, so that what is wrong with it is said in the right
/// form too.
LogFormat FormatOf(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--log-format=json") == 0) return LogFormat::kJson;
    if (std::strcmp(argv[i], "--log-format") == 0 && i + 1 < argc &&
        std::strcmp(argv[i + 1], "json") == 0)
      return LogFormat::kJson;
  }
  return LogFormat::kText;
}

int Failed(Console& console, const std::string& message, Exit exit) {
  console.Fail(message, exit);
  return static_cast<int>(exit);
}

int Guarded(Console& console, const std::function<int()>& work) {
  try {
    return work();
  } catch (const OutputClosed&) {
    return 0;
  } catch (const host::ConfigErrors& e) {
    console.Show(e.problems());
    return static_cast<int>(Exit::kConfig);
  } catch (const Error& e) {
    return Failed(console, e.what(), e.exit());
  } catch (const Poco::Exception& e) {
    return Failed(console, "internal error: " + e.displayText(), Exit::kInternal);
  } catch (const std::exception& e) {
    return Failed(console, fmt::format("internal error: {}", e.what()), Exit::kInternal);
  }
}

int Main(int argc, const char* const* argv) {
  Console early({FormatOf(argc, argv), ETL_INFO, 2});
  return Guarded(early, [&] {
    Args args;
    if (argc == 2 && std::strcmp(argv[1], "--version") == 0)
      args.version = true;  // the declarations cost milliseconds
    const auto root = args.version ? nullptr : Declare(args);
    if (root && Parse(*root, argc, argv)) {
      Print(HelpText(Chosen(*root)));
      return 0;
    }
    if (args.version) {
      Print(fmt::format("etl {}\n", host::Version()));
      return 0;
    }
    Console console(
        {FormatOf(argc, argv),
         args.quiet ? std::max<int>(ETL_WARN, LevelOf(args.log_level)) : LevelOf(args.log_level),
         2});
    Context context{args, *root, console};
    return Guarded(console, [&] { return Dispatch(context); });
  });
}

}  // namespace
}  // namespace etl::cli

int main(int argc, char** argv) {
  std::signal(SIGPIPE,
              SIG_IGN);  // a peer that goes away is an error of a write, not the end of the process
  // Libraries of plugins that tell their makers what they are used for: ONNX Runtime reads this when it is loaded.  Nothing leaves the
  // machine that the pipeline does not name.
  ::setenv("ORT_DISABLE_TELEMETRY", "1", 1);
  ::setenv("DO_NOT_TRACK", "1", 1);
  // Memory of big batches goes back when it is freed, and is not kept in pieces: the limit is of what is used.
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 8 << 20);
  return etl::cli::Main(argc, argv);
}
