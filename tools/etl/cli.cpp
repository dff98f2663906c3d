#include "cli.h"

#include <fmt/format.h>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "config/config.h"
#include "console.h"
#include "error.h"

namespace etl::cli {
namespace {

using CLI::App;
using CLI::Option;
using host::Error;
using host::Exit;

App* Add(App& parent, const char* name, const char* summary, const char* examples) {
  App* command = parent.add_subcommand(name, summary);
  command->footer(examples)->fallthrough()->allow_extras();
  return command;
}

void Pipeline(App& command, Args& args) {
  command.add_option("PIPELINE", args.pipeline, "The pipeline file; \"-\" is standard input.")
      ->type_name("FILE");
}

void Many(Option* option) { option->take_all()->allow_extra_args(false); }

void Globals(App& app, Args& args) {
  Many(app.add_option("--plugin-dir", args.plugin_dirs,
                      "Look for plugins here first; may be given several times.")
           ->type_name("DIR"));
  app.add_flag("--allow-unsafe-plugins", args.allow_unsafe,
               "Load plugins that others than you and root may write to.");
  app.add_option("--state-dir", args.state_dir,
                 "Where states and rejects lie, a folder for each pipeline [default: "
                 "$ETL_STATE_DIR, else .etl beside the pipeline file].")
      ->type_name("DIR");
  app.add_option("--log-format", args.log_format,
                 "How lines on standard error are written [default: text].")
      ->type_name("text|json");
  app.add_option("--log-level", args.log_level, "The least of what is said [default: info].")
      ->type_name("trace|debug|info|warn|error");
  Many(app.add_option("--set", args.sets,
                      "Set a key of the pipeline file, as in sink.batch.rows=500; may be given "
                      "several times.")
           ->type_name("KEY=VALUE"));
  app.add_flag("-q,--quiet", args.quiet, "Say warnings and errors only.");
}

void AddRun(App& app, Args& args) {
  App* run =
      Add(app, "run", "Runs a pipeline to its end; goes on from where an interrupted run stood.",
          "etl run pipeline.toml\n"
          "etl run pipeline.toml --set pipeline.memory_limit=1GiB --report report.json\n"
          "etl run pipeline.toml --http 127.0.0.1:8088 --log-format json");
  Pipeline(*run, args);
  run->add_option("--report", args.report, "Write the summary there as JSON, however the run ends.")
      ->type_name("FILE");
  run->add_option(
         "--http", args.http,
         "Serve /metrics, /status and /healthz while the run goes on; port 0 takes a free one.")
      ->type_name("ADDR:PORT");
  run->add_flag("--http-required", args.http_required,
                "Stop when the port of --http cannot be had; else the run goes on without.");
  run->add_flag("--no-progress", args.no_progress,
                "Neither a live view nor a line every ten seconds.");
}

void AddFile(App& app, Args& args) {
  App* check =
      Add(app, "check", "Checks a pipeline file and says every mistake in it; contacts nothing.",
          "etl check pipeline.toml\netl check pipeline.toml --connect");
  Pipeline(*check, args);
  check->add_flag("--connect", args.connect, "Reach every system as well, and check the columns along the chain.");

  App* preview =
      Add(app, "preview", "Shows the first rows as they would reach the sinks; writes nothing.",
          "etl preview pipeline.toml -n 10\netl preview pipeline.toml | jq .title");
  Pipeline(*preview, args);
  preview->add_option("-n,--rows", args.rows, "How many rows [default: 10].")->type_name("N");

  App* plan = Add(app, "plan",
                  "Shows the splits, the estimated rows, and what resumes where; delivers nothing.",
                  "etl plan pipeline.toml\netl plan pipeline.toml --json\netl plan pipeline.toml --write slices.json");
  Pipeline(*plan, args);
  plan->add_option("-n,--splits", args.splits, "Most splits to ask for [default: 100].")
      ->type_name("N");
  plan->add_flag("--json", args.json, "As JSON.");
  plan->add_option("--write", args.write_to, "Save the source's plan to this file, where it has one.");
}

void AddTune(App& app, Args& args) {
  App* tune = Add(app, "tune",
                  "Finds the fastest options of a sink with the pipeline's own rows, in a scratch "
                  "copy of its target.",
                  "etl tune pipeline.toml\netl tune pipeline.toml --rows 20000 --report "
                  "tune.svg\netl tune pipeline.toml --write");
  tune->add_option("PIPELINE", args.pipeline, "The pipeline file.")->type_name("FILE");
  tune->add_option("--rows", args.tune_rows,
                   "How many rows each measurement writes; never more than half of memory_limit "
                   "[default: 100000].")
      ->type_name("N");
  tune->add_option("--time", args.time, "How long all measurements may take [default: 10m].")
      ->type_name("TIME");
  tune->add_option("--stage", args.stage, "The sink, where there are several, as in sink[0].")
      ->type_name("STAGE");
  tune->add_option("--report", args.report,
                   "Write a plot there: a page where the name ends in .html, else SVG.")
      ->type_name("FILE");
  tune->add_flag("--write", args.write, "Put the best values into the pipeline file.");
}

void AddVerify(App& app, Args& args) {
  App* verify = Add(app, "verify",
                    "Compares what a sink holds with what the source gives now, and names the rows "
                    "that differ.  Exit 10 if any do.",
                    "etl verify pipeline.toml\netl verify pipeline.toml --sample 1%\netl verify "
                    "pipeline.toml --repair --report differences.ndjson");
  Pipeline(*verify, args);
  verify->add_option("--sample", args.sample,
                     "Compare only this part of the keys; both sides are read all the same "
                     "[default: 100%].")
      ->type_name("PART");
  verify->add_flag("--repair", args.repair,
                   "Write the rows again that are missing or changed, then compare once more.  "
                   "Deletes nothing.");
  verify->add_flag("--ignore-extra", args.ignore_extra,
                   "Rows that the source does not give are no difference.");
  verify->add_option("--stage", args.stage, "The sink, where there are several, as in sink[0].")
      ->type_name("STAGE");
  verify->add_option("--report", args.report,
                     "Write every difference there, one JSON object a line.")
      ->type_name("FILE");
}

void AddState(App& app, Args& args) {
  App* state = Add(app, "state", "Where a pipeline stands.",
                   "etl state show pipeline.toml\netl state reset pipeline.toml");
  App* show =
      Add(*state, "show", "Shows what is saved: the pass, its splits and their positions, totals.",
          "etl state show pipeline.toml\netl state show pipeline.toml --json");
  Pipeline(*show, args);
  show->add_flag("--json", args.json, "As JSON.");
  Pipeline(
      *Add(*state, "reset", "Forgets it: the next run reads everything again.  The rejects stay.",
           "etl state reset pipeline.toml"),
      args);
  Pipeline(*Add(*state, "accept",
                "Takes it over for the pipeline as it now is, where the source, the target or a "
                "query has changed.",
                "etl state accept pipeline.toml"),
           args);
}

void AddRejects(App& app, Args& args) {
  App* rejects = Add(app, "rejects", "Rows that were rejected.",
                     "etl rejects list pipeline.toml\netl rejects replay pipeline.toml");
  App* list =
      Add(*rejects, "list", "Counts them by stage and reason.", "etl rejects list pipeline.toml");
  Pipeline(*list, args);
  list->add_flag("--json", args.json, "As JSON.");
  App* show = Add(*rejects, "show", "Shows them, one JSON object a line.",
                  "etl rejects show pipeline.toml -n 5\netl rejects show pipeline.toml --stage "
                  "'sink[0]' | jq .row");
  Pipeline(*show, args);
  show->add_option("-n,--rows", args.records, "Most rows to show; 0: all [default: 20].")
      ->type_name("N");
  show->add_option("--stage", args.stage, "Only those of this stage, as in sink[0].")
      ->type_name("STAGE");
  App* replay = Add(
      *rejects, "replay",
      "Gives them back to the stage that refused them; what is delivered leaves the file.",
      "etl rejects replay pipeline.toml\netl rejects replay pipeline.toml --set sink.on_long=cut");
  Pipeline(*replay, args);
  replay->add_option("--report", args.report, "Write the summary there as JSON.")
      ->type_name("FILE");
}

void AddPlugin(App& app, Args& args) {
  App* plugin = Add(app, "plugin", "Plugins: what there is, what they take, and making one's own.",
                    "etl plugin list\netl plugin info csv");
  App* list = Add(*plugin, "list",
                  "Lists the plugins that are found, the refused and the shadowed ones too.",
                  "etl plugin list\netl plugin list --plugin-dir ./build");
  list->add_flag("--json", args.json, "As JSON.");
  Add(*plugin, "info",
      "Shows what a component is and each option with type, default, range and meaning.",
      "etl plugin info csv\netl plugin info csv --sink")
      ->add_option("TYPE", args.type, "A component, as `type` in a pipeline file names it.");
  App* check = Add(*plugin, "check",
                   "Is this plugin safe to load and true to its contract?  Each check runs in a "
                   "process of its own.",
                   "etl plugin check build/lines.so\netl plugin check build/lines.so --options "
                   "example.toml --only 12,13");
  check->add_option("LIBRARY", args.library, "The .so file.")->type_name("FILE");
  check->add_option("--only", args.only, "Numbers of the checks to run, with commas between them.")
      ->type_name("NUMBERS")
      ->delimiter(',')
      ->allow_extra_args(false);
  check
      ->add_option("--options", args.options,
                   "A pipeline file that gives the options for the checks that run the components.")
      ->type_name("FILE");
  check->add_flag("--json", args.json, "As JSON.");
  App* make = Add(
      *plugin, "new", "Makes a folder with a plugin that builds, its test and its manual.",
      "etl plugin new acme.lines --source\netl plugin new acme.upper --transform --dir plugins");
  make->add_option("NAME", args.name, "vendor.name: small letters, digits and _.");
  make->add_option("--dir", args.folder, "The folder to make it in [default: here].")
      ->type_name("DIR");
  for (App* c : {plugin->get_subcommand("info"), make}) {
    c->add_flag("--source", args.source, "A source.");
    c->add_flag("--transform", args.transform, "A transform.");
    c->add_flag("--sink", args.sink, "A sink.");
  }
}

void AddRest(App& app, Args& args) {
  Add(app, "schema", "Prints a JSON Schema of the pipeline file, for editors.",
      "etl schema > pipeline.schema.json\netl schema csv sqlite")
      ->add_option("TYPE", args.types, "Only these components [default: all that are installed].");
  Add(app, "completion", "Prints a script that completes etl's commands and options in a shell.",
      "etl completion bash > ~/.local/share/bash-completion/completions/etl\netl completion fish > "
      "~/.config/fish/completions/etl.fish")
      ->add_option("SHELL", args.shell, "The shell.")
      ->type_name("bash|zsh|fish");
  Add(app, "man", "Prints the manual page.", "etl man | man -l -")->group("");
  Add(app, "docs", "Writes the reference pages of the documentation.", "etl docs docs/reference")
      ->group("")
      ->add_option("DIR", args.folder, "The folder.");
}

[[noreturn]] void Usage(const App& command, const std::string& message) {
  throw Error(Exit::kConfig,
              fmt::format("{}{} {} --help", message, message.ends_with('?') ? " See" : "; see",
                          FullName(command)));
}

std::string Suggestion(const std::string& typed, const std::vector<std::string>& names) {
  const std::string nearest = host::Nearest(typed, names);
  return nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest);
}

/// What nobody took: an unknown command, an unknown option, or one argument too many.
void RefuseExtras(const App& root, const App& command) {
  const std::vector<std::string> extras = root.remaining(true);
  if (extras.empty()) return;
  const std::string typed = extras[0].substr(0, extras[0].find('='));
  if (typed.size() > 1 && typed[0] == '-') {
    std::vector<std::string> names = {"--help"};
    for (const App* app = &command; app != nullptr; app = app->get_parent())
      for (const Option* option : Options(*app))
        for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    Usage(command, fmt::format("unknown option {} of {}{}", typed, FullName(command),
                               Suggestion(typed, names)));
  }
  std::vector<std::string> names;
  for (const App* sub : Commands(command)) names.push_back(sub->get_name());
  if (names.empty())
    Usage(command, fmt::format("unexpected argument \"{}\" of {}", extras[0], FullName(command)));
  Usage(command, fmt::format("unknown command \"{}\"{}", extras[0], Suggestion(typed, names)));
}

void RequireChoices(const App& root, const App& command) {
  for (const App* app : {&root, &command}) {
    for (const Option* option : app->get_options()) {
      const std::string choices = "|" + ValueName(*option) + "|";
      if (choices.find('|', 1) == choices.size() - 1) continue;
      for (const std::string& value : option->results())
        if (choices.find("|" + value + "|") == std::string::npos)
          Usage(command,
                fmt::format("{} is one of {}, not \"{}\"",
                            option->get_positional() ? option->get_name(true) : option->get_name(),
                            choices.substr(1, choices.size() - 2), value));
    }
  }
}

void RequireArguments(const App& command) {
  for (const Option* option : Positionals(command))
    if (option->count() == 0 && option->get_expected_max() == 1)
      Usage(command, fmt::format("{} needs {}", FullName(command), option->get_name(true)));
  if (const auto commands = Commands(command); !commands.empty()) {
    std::vector<std::string> names;
    for (const App* sub : commands) names.push_back(sub->get_name());
    Usage(command,
          fmt::format("{} needs a command: {}", FullName(command), fmt::join(names, ", ")));
  }
}

}  // namespace

std::unique_ptr<App> Declare(Args& args) {
  auto app = std::make_unique<App>(
      "Moves and transforms data as a pipeline file says, through plugins.", "etl");
  app->set_help_flag("-h,--help", "Show this.")->configurable(false);
  app->require_subcommand(0, 1)->allow_extras();
  app->footer("etl run pipeline.toml\netl check pipeline.toml\netl plugin list");
  Globals(*app, args);
  app->add_flag("--version", args.version, "Show the version.");
  AddRun(*app, args);
  AddFile(*app, args);
  AddTune(*app, args);
  AddVerify(*app, args);
  AddState(*app, args);
  AddRejects(*app, args);
  AddPlugin(*app, args);
  AddRest(*app, args);
  return app;
}

const App& Chosen(const App& root) {
  const auto parsed = root.get_subcommands();
  return parsed.empty() ? root : Chosen(*parsed.front());
}

std::string FullName(const App& command) {
  return command.get_parent() ? FullName(*command.get_parent()) + " " + command.get_name()
                              : command.get_name();
}

bool Parse(App& root, int argc, const char* const* argv) {
  try {
    root.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return true;
  } catch (const CLI::ParseError& e) {
    const App& command = Chosen(root);
    RefuseExtras(root, command);
    Usage(command, e.what());
  }
  const App& command = Chosen(root);
  RefuseExtras(root, command);
  RequireChoices(root, command);
  if (root.get_option("--version")->count() == 0) RequireArguments(command);
  return false;
}

bool Hidden(const App& command) { return command.get_group().empty(); }

std::vector<const App*> Commands(const App& command) {
  std::vector<const App*> commands =
      command.get_subcommands([](const App* c) { return !Hidden(*c); });
  return commands;
}

std::vector<const Option*> Positionals(const App& command) {
  return command.get_options([](const Option* o) { return o->get_positional(); });
}

std::vector<const Option*> Options(const App& command) {
  return command.get_options(
      [&command](const Option* o) { return o->nonpositional() && o != command.get_help_ptr(); });
}

std::string ValueName(const Option& option) {
  return option.get_type_size() == 0 ? "" : option.get_type_name();
}

std::string Flags(const Option& option) {
  std::vector<std::string> names;
  for (const auto& name : option.get_snames()) names.push_back("-" + name);
  for (const auto& name : option.get_lnames()) names.push_back("--" + name);
  const std::string value = ValueName(option);
  return fmt::format("{}{}{}", fmt::join(names, ", "), value.empty() ? "" : " ", value);
}

}  // namespace etl::cli
