#include "help.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <sstream>

#include "text.h"

namespace etl::cli {
namespace {

using CLI::App;
using CLI::Option;

struct ExitCode {
  const char *code, *meaning;
};
constexpr std::array kExitCodes = {
    ExitCode{"0", "all is well: every row is delivered"},
    ExitCode{"1", "an internal error: a bug of etl"},
    ExitCode{"2", "the command line or the pipeline file is wrong; nothing was read or written"},
    ExitCode{"3", "finished, but rows are among the rejects"},
    ExitCode{"4", "a source or a transform stopped the run for good"},
    ExitCode{"5", "a sink stopped the run for good"},
    ExitCode{"6", "retries are used up; run again to resume"},
    ExitCode{"7", "the state or the rejects are unusable, corrupt, or of something else"},
    ExitCode{"8", "another run holds the pipeline, or has taken it over"},
    ExitCode{"9", "a plugin was refused, or failed its checks"},
    ExitCode{"10", "verification found a difference"},
    ExitCode{"11", "rejected rows stopped the run; mend them or the limit and run again to resume"},
    ExitCode{"130", "interrupted (SIGINT), state saved; run again to resume"},
    ExitCode{"143", "ended (SIGTERM, SIGHUP), state saved; run again to resume"},
};

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string ArgumentName(const Option& o) {
  return o.get_name(true) + (o.get_expected_max() > 1 ? "..." : "");
}

std::string Usage(const App& command) {
  std::string text = FullName(command);
  if (!Commands(command).empty()) text += " COMMAND";
  for (const Option* o : Positionals(command))
    text += o->get_expected_max() > 1 ? " [" + ArgumentName(*o) + "]" : " " + ArgumentName(*o);
  return text + " [OPTION...]";
}

struct Row {
  std::string name, text;
};

std::vector<Row> OptionRows(const App& command) {
  std::vector<Row> rows;
  for (const Option* o : Options(command)) rows.push_back({Flags(*o), o->get_description()});
  return rows;
}

std::vector<Row> ArgumentRows(const App& command) {
  std::vector<Row> rows;
  for (const Option* o : Positionals(command)) {
    const std::string choices =
        ValueName(*o).find('|') == std::string::npos ? "" : " " + ValueName(*o);
    rows.push_back({ArgumentName(*o) + choices, o->get_description()});
  }
  return rows;
}

std::vector<Row> CommandRows(const App& command) {
  std::vector<Row> rows;
  for (const App* c : Commands(command)) rows.push_back({c->get_name(), c->get_description()});
  return rows;
}

std::vector<Row> ExitRows() {
  std::vector<Row> rows;
  for (const auto& [code, meaning] : kExitCodes) rows.push_back({code, meaning});
  return rows;
}

/// Two columns; the right one is broken at blanks to keep to 100 cells.
void Table(std::string& out, const char* title, const std::vector<Row>& rows) {
  if (rows.empty()) return;
  out += fmt::format("\n{}:\n", title);
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, Width(row.name));
  width = std::min<std::size_t>(width, 26);
  for (const Row& row : rows) {
    std::string line = "  " + Left(row.name, width) + " ";
    if (Width(row.name) > width) {
      out += "  " + row.name + "\n";
      line = std::string(width + 3, ' ');
    }
    std::istringstream words(row.text);
    for (std::string word; words >> word;) {
      if (Width(line) + 1 + Width(word) > 100) {
        out += line + "\n";
        line = std::string(width + 3, ' ');
      }
      line += " " + word;
    }
    out += line + "\n";
  }
}

void Each(const App& command, const std::function<void(const App&)>& visit) {
  for (const App* c : Commands(command)) {
    if (Commands(*c).empty()) visit(*c);
    Each(*c, visit);
  }
}

std::string Troff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n'))
      out += "\\&" + std::string(1, c);
    else
      out += c;
  }
  return out;
}

void TroffRows(std::string& out, const std::vector<Row>& rows) {
  for (const Row& row : rows)
    out += fmt::format(".TP\n.B {}\n{}\n", Troff(row.name), Troff(row.text));
}

std::string Cell(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : std::string(1, c);
  return out;
}

void MarkdownRows(std::string& out, const char* left, const char* right,
                  const std::vector<Row>& rows) {
  if (rows.empty()) return;
  out += fmt::format("\n| {} | {} |\n|---|---|\n", left, right);
  for (const Row& row : rows) out += fmt::format("| `{}` | {} |\n", Cell(row.name), Cell(row.text));
}

}  // namespace

std::string HelpText(const App& command) {
  std::string out = command.get_description() + "\n\nUsage: " + Usage(command) + "\n\nExamples:\n";
  for (const auto& line : Lines(command.get_footer())) out += "  " + line + "\n";
  const App* root = &command;
  while (root->get_parent()) root = root->get_parent();
  Table(out, "Commands", CommandRows(command));
  Table(out, "Arguments", ArgumentRows(command));
  if (&command != root) Table(out, "Options", OptionRows(command));
  auto shared = OptionRows(*root);
  shared.push_back({"-h, --help", "Show this; after a command: what that takes."});
  if (&command != root)
    shared.erase(std::remove_if(shared.begin(), shared.end(),
                                [](const Row& r) { return r.name == "--version"; }),
                 shared.end());
  Table(out, "Options of every command", shared);
  if (&command == root) Table(out, "Exit codes", ExitRows());
  return out;
}

std::string ManPage(const App& root, const std::string& version) {
  std::string out = fmt::format(
      ".TH ETL 1 \"\" \"etl {}\" \"User Commands\"\n.SH NAME\netl \\- {}\n.SH SYNOPSIS\n", version,
      Troff(root.get_description()));
  Each(root, [&](const App& c) { out += fmt::format(".B {}\n.br\n", Troff(Usage(c))); });
  out += ".SH COMMANDS\n";
  Each(root, [&](const App& c) {
    out += fmt::format(".SS {}\n{}\n", Troff(FullName(c)), Troff(c.get_description()));
    TroffRows(out, ArgumentRows(c));
    TroffRows(out, OptionRows(c));
    out += ".PP\nExamples:\n.nf\n.RS\n";
    for (const auto& line : Lines(c.get_footer())) out += Troff(line) + "\n";
    out += ".RE\n.fi\n";
  });
  out += ".SH OPTIONS OF EVERY COMMAND\n";
  TroffRows(out, OptionRows(root));
  out += ".SH EXIT STATUS\n";
  TroffRows(out, ExitRows());
  out += ".SH ENVIRONMENT\n";
  TroffRows(
      out,
      {{"ETL_STATE_DIR", "Where states and rejects lie, unless --state-dir says otherwise."},
       {"ETL_PLUGIN_PATH",
        "Folders to look for plugins in, with colons between them, after those of --plugin-dir."},
       {"NO_COLOR", "When set, the live view has no colours."}});
  return out;
}

std::string CommandReference(const App& root) {
  std::string out = "<!-- Made by `etl docs`; do not edit. -->\n# The command\n\n" +
                    root.get_description() +
                    "\n\nData goes to standard output, everything else to standard error.\n";
  Each(root, [&](const App& c) {
    out += fmt::format("\n## {}\n\n{}\n\n    {}\n", FullName(c), c.get_description(), Usage(c));
    MarkdownRows(out, "Argument", "", ArgumentRows(c));
    MarkdownRows(out, "Option", "", OptionRows(c));
    out += "\nExamples:\n\n";
    for (const auto& line : Lines(c.get_footer())) out += "    " + line + "\n";
  });
  out += "\n## Options of every command\n";
  MarkdownRows(out, "Option", "", OptionRows(root));
  out += "\n## Exit codes\n";
  MarkdownRows(out, "Code", "Meaning", ExitRows());
  return out;
}

}  // namespace etl::cli
