#include <fmt/format.h>

#include <functional>

#include "help.h"

namespace etl::cli {
namespace {

using CLI::App;
using CLI::Option;

/// "" for etl itself, else "plugin check".
std::string Path(const App& command) {
  return command.get_parent() ? FullName(command).substr(4) : "";
}

void EachCommand(const App& command, const std::function<void(const App&)>& visit) {
  visit(command);
  for (const App* c : Commands(command)) EachCommand(*c, visit);
}

std::vector<std::string> Choices(const Option& option) {
  const std::string names = ValueName(option);
  std::vector<std::string> choices;
  if (names.find('|') == std::string::npos) return choices;
  for (std::size_t at = 0; at <= names.size();) {
    const std::size_t end = std::min(names.find('|', at), names.size());
    choices.push_back(names.substr(at, end - at));
    at = end + 1;
  }
  return choices;
}

std::vector<std::string> Names(const Option& option) {
  std::vector<std::string> names;
  for (const auto& name : option.get_lnames()) names.push_back("--" + name);
  for (const auto& name : option.get_snames()) names.push_back("-" + name);
  return names;
}

std::string Words(const App& command) {
  std::vector<std::string> words;
  for (const App* c : Commands(command)) words.push_back(c->get_name());
  for (const Option* o : Positionals(command))
    for (const auto& choice : Choices(*o)) words.push_back(choice);
  for (const App* app = &command; app != nullptr; app = app->get_parent())
    for (const Option* o : Options(*app))
      for (const auto& name : Names(*o)) words.push_back(name);
  words.push_back("--help");
  return fmt::format("{}", fmt::join(words, " "));
}

/// case branches that follow the commands already typed; the same in bash and zsh.
std::string PathCases(const App& root) {
  std::string out;
  EachCommand(root, [&](const App& c) {
    for (const App* sub : Commands(c))
      out += fmt::format("      '{}:{}') ", Path(c), sub->get_name()) +
             fmt::format("at='{}' ;;\n", Path(*sub));
  });
  return out;
}

/// case branches on the option before the cursor.
std::string ValueCases(const App& root, const std::string& files, const std::string& folders,
                       const std::string& words) {
  std::string out;
  EachCommand(root, [&](const App& c) {
    for (const Option* o : Options(c)) {
      const std::string value = ValueName(*o);
      if (value.empty()) continue;
      std::string action = ":";
      if (const auto choices = Choices(*o); !choices.empty())
        action = fmt::format(fmt::runtime(words), fmt::join(choices, " "));
      else if (value == "FILE")
        action = files;
      else if (value == "DIR")
        action = folders;
      out += fmt::format("    '{}:{}') {}; return ;;\n", Path(c),
                         fmt::join(Names(*o), fmt::format("'|'{}:", Path(c))), action);
      if (c.get_parent() == nullptr)
        out += fmt::format("    *:{}) {}; return ;;\n", fmt::join(Names(*o), "|*:"), action);
    }
  });
  return out;
}

std::string WordCases(const App& root) {
  std::string out;
  EachCommand(root, [&](const App& c) {
    out += fmt::format("    '{}') offers='{}' ;;\n", Path(c), Words(c));
  });
  return out;
}

std::string Bash(const App& root) {
  return "# bash completion of etl; made by `etl completion bash`\n"
         "_etl() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at='' offers='' "
         "i\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case \"$at:${COMP_WORDS[i]}\" in\n" +
         PathCases(root) +
         "    esac\n  done\n"
         "  case \"$at:$prev\" in\n" +
         ValueCases(root, "COMPREPLY=($(compgen -f -- \"$cur\"))",
                    "COMPREPLY=($(compgen -d -- \"$cur\"))",
                    "COMPREPLY=($(compgen -W '{}' -- \"$cur\"))") +
         "  esac\n"
         "  case \"$at\" in\n" +
         WordCases(root) +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$offers\" -- \"$cur\"))\n"
         "  [[ ${#COMPREPLY[@]} -gt 0 || $cur == -* ]] || COMPREPLY=($(compgen -f -- \"$cur\"))\n"
         "}\n"
         "complete -o filenames -F _etl etl\n";
}

std::string Zsh(const App& root) {
  return "#compdef etl\n# zsh completion of etl; made by `etl completion zsh`\n"
         "_etl() {\n"
         "  local at='' found='' i\n"
         "  for ((i = 2; i < CURRENT; i++)); do\n"
         "    case \"$at:${words[i]}\" in\n" +
         PathCases(root) +
         "    esac\n  done\n"
         "  case \"$at:${words[CURRENT-1]}\" in\n" +
         ValueCases(root, "_files", "_files -/", "compadd -- {}") +
         "  esac\n"
         "  local cur=${words[CURRENT]} offers=''\n"
         "  case \"$at\" in\n" +
         WordCases(root) +
         "  esac\n"
         "  [[ $cur == -* ]] || _files\n"
         "  compadd -- ${=offers}\n"
         "}\n"
         // Read from a folder of $fpath, the file is the function itself.
         "if [[ ${funcstack[1]} == _etl ]]; then _etl \"$@\"; else compdef _etl etl; fi\n";
}

std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text)
    out += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return out + "'";
}

std::string FishOption(const Option& o, const std::string& condition) {
  std::string line = "complete -c etl" + condition;
  for (const auto& name : o.get_lnames()) line += " -l " + name;
  for (const auto& name : o.get_snames()) line += " -s " + name;
  const std::string value = ValueName(o);
  if (const auto choices = Choices(o); !choices.empty())
    line += fmt::format(" -x -a '{}'", fmt::join(choices, " "));
  else if (value == "FILE")
    line += " -r -F";
  else if (value == "DIR")
    line += " -x -a '(__fish_complete_directories)'";
  else if (!value.empty())
    line += " -x";
  return line + " -d " + Quoted(o.get_description()) + "\n";
}

std::string Fish(const App& root) {
  std::string out =
      "# fish completion of etl; made by `etl completion fish`\n"
      "function __etl_at\n  set -l at ''\n  for word in (commandline -opc)[2..]\n    switch "
      "\"$at:$word\"\n";
  EachCommand(root, [&](const App& c) {
    for (const App* sub : Commands(c))
      out += fmt::format("      case '{}:{}'\n        set at '{}'\n", Path(c), sub->get_name(),
                         Path(*sub));
  });
  out += "    end\n  end\n  test \"$at\" = \"$argv[1]\"\nend\n";
  EachCommand(root, [&](const App& c) {
    const std::string condition = fmt::format(" -n \"__etl_at '{}'\"", Path(c));
    for (const App* sub : Commands(c))
      out += fmt::format("complete -c etl{} -f -a {} -d {}\n", condition, sub->get_name(),
                         Quoted(sub->get_description()));
    for (const Option* o : Positionals(c))
      if (const auto choices = Choices(*o); !choices.empty())
        out += fmt::format("complete -c etl{} -f -a '{}'\n", condition, fmt::join(choices, " "));
    for (const Option* o : Options(c)) out += FishOption(*o, c.get_parent() ? condition : "");
  });
  return out;
}

}  // namespace

std::string Completion(const App& root, const std::string& shell) {
  return shell == "zsh" ? Zsh(root) : shell == "fish" ? Fish(root) : Bash(root);
}

}  // namespace etl::cli
