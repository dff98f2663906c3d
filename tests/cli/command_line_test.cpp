#include <doctest/doctest.h>

#include <functional>

#include "cli.h"
#include "error.h"
#include "help.h"

using namespace etl::cli;

namespace {

struct Parsed {
  Args args;
  std::string command, error;
  bool help = false;
};

Parsed Run(std::vector<const char*> words) {
  words.insert(words.begin(), "etl");
  Parsed p;
  const auto root = Declare(p.args);
  try {
    p.help = Parse(*root, static_cast<int>(words.size()), words.data());
  } catch (const etl::host::Error& e) {
    p.error = e.what();
    CHECK(e.exit() == etl::host::Exit::kConfig);
  }
  p.command = FullName(Chosen(*root));
  return p;
}

}  // namespace

TEST_CASE("options of every command may stand anywhere") {
  const Parsed p = Run({"--log-format", "json", "run", "a.toml", "--set", "a.b=1", "--plugin-dir",
                        "x", "--set", "c=[1, 2]", "--report", "r.json", "-q"});
  CHECK(p.error == "");
  CHECK(p.command == "etl run");
  CHECK(p.args.pipeline == "a.toml");
  CHECK(p.args.sets == std::vector<std::string>{"a.b=1", "c=[1, 2]"});
  CHECK(p.args.plugin_dirs == std::vector<std::string>{"x"});
  CHECK(p.args.log_format == "json");
  CHECK(p.args.report == "r.json");
  CHECK(p.args.quiet);
}

TEST_CASE("--set does not swallow the file after it") {
  const Parsed p = Run({"run", "--set", "a=1", "a.toml"});
  CHECK(p.error == "");
  CHECK(p.args.pipeline == "a.toml");
  CHECK(Run({"check", "-"}).args.pipeline == "-");
}

TEST_CASE("lists are given with commas or one by one") {
  CHECK(Run({"plugin", "check", "x.so", "--only", "1,2", "--only", "7"}).args.only ==
        std::vector<int>{1, 2, 7});
  CHECK(Run({"schema", "csv", "sqlite"}).args.types == std::vector<std::string>{"csv", "sqlite"});
  CHECK(Run({"schema"}).error == "");
}

TEST_CASE("a slip of the finger is answered with the nearest name") {
  CHECK(Run({"rnu", "a.toml"}).error ==
        "unknown command \"rnu\"; did you mean \"run\"? See etl --help");
  CHECK(Run({"plugin", "lst"}).error ==
        "unknown command \"lst\"; did you mean \"list\"? See etl plugin --help");
  CHECK(Run({"run", "a.toml", "--reprot", "x"}).error ==
        "unknown option --reprot of etl run; did you mean \"--report\"? See etl run --help");
  CHECK(Run({"run", "a.toml", "--reprot=x"}).error ==
        "unknown option --reprot of etl run; did you mean \"--report\"? See etl run --help");
  CHECK(
      Run({"run", "a.toml", "--plugin-dri", "x"}).error ==
      "unknown option --plugin-dri of etl run; did you mean \"--plugin-dir\"? See etl run --help");
  CHECK(Run({"xyzzy"}).error == "unknown command \"xyzzy\"; see etl --help");
  CHECK(Run({"run", "a.toml", "b.toml"}).error ==
        "unexpected argument \"b.toml\" of etl run; see etl run --help");
}

TEST_CASE("what is missing or not among the choices is said") {
  CHECK(Run({}).error ==
        "etl needs a command: run, check, preview, plan, tune, verify, state, rejects, plugin, schema, "
        "completion; see etl --help");
  CHECK(Run({"run"}).error == "etl run needs PIPELINE; see etl run --help");
  CHECK(Run({"state"}).error ==
        "etl state needs a command: show, reset, accept; see etl state --help");
  CHECK(Run({"run", "a.toml", "--log-format", "xml"}).error ==
        "--log-format is one of text|json, not \"xml\"; see etl run --help");
  CHECK(Run({"completion", "csh"}).error ==
        "SHELL is one of bash|zsh|fish, not \"csh\"; see etl completion --help");
  CHECK(Run({"run", "a.toml", "--report"}).error.find("--report") != std::string::npos);
  CHECK(Run({"preview", "a.toml", "-n", "ten"}).error.find("ten") != std::string::npos);
}

TEST_CASE("every command has help with an example, and the exit codes stand in that of etl") {
  Args args;
  const auto root = Declare(args);
  CHECK(HelpText(*root).find("\n  11") != std::string::npos);
  CHECK(HelpText(*root).find("rejected rows stopped the run") != std::string::npos);
  std::function<void(const CLI::App&)> visit = [&](const CLI::App& c) {
    const std::string help = HelpText(c);
    INFO(help);
    CHECK(help.find("Examples:\n  etl") != std::string::npos);
    CHECK(c.get_description().back() == (c.get_description().back() == '?' ? '?' : '.'));
    for (const auto* o : Options(c)) CHECK_MESSAGE(!o->get_description().empty(), o->get_name());
    for (const auto* sub : Commands(c)) visit(*sub);
  };
  visit(*root);
  CHECK(Run({"run", "--help"}).help);
  CHECK(Run({"--help"}).help);
  CHECK(Run({"plugin", "check", "-h"}).command == "etl plugin check");
}

TEST_CASE("help of a command reads like this") {
  Args args;
  const auto root = Declare(args);
  const std::string help = HelpText(*root->get_subcommand("completion"));
  CHECK(help.substr(0, help.find("\nOptions")) ==
        "Prints a script that completes etl's commands and options in a shell.\n"
        "\n"
        "Usage: etl completion SHELL [OPTION...]\n"
        "\n"
        "Examples:\n"
        "  etl completion bash > ~/.local/share/bash-completion/completions/etl\n"
        "  etl completion fish > ~/.config/fish/completions/etl.fish\n"
        "\n"
        "Arguments:\n"
        "  SHELL bash|zsh|fish  The shell.\n");
}

TEST_CASE("manual, reference and completion name every command and option") {
  Args args;
  const auto root = Declare(args);
  const std::string man = ManPage(*root, "1.0.0"), reference = CommandReference(*root);
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = Completion(*root, shell);
    for (const char* word : {"replay", "plugin", "http", "allow-unsafe-plugins"})
      CHECK(script.find(word) != std::string::npos);
    CHECK(script.find("docs") == std::string::npos);
  }
  for (const char* text : {"etl rejects replay", "Exit codes"})
    CHECK(reference.find(text) != std::string::npos);
  for (const char* text :
       {"etl plugin check", "\\-\\-http\\-required", ".SH EXIT STATUS", "ETL_STATE_DIR"})
    CHECK(man.find(text) != std::string::npos);
}
