#include <fmt/format.h>

#include "../config/config.h"
#include "../config/describe.h"
#include "docs.h"
#include "facts.h"

namespace etl::host {
namespace {

constexpr std::string_view kGenerated =
    "<!-- Generated from the option tables; edit those. -->\n";

// Text inside a cell of a table.
std::string Cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|')
      out += "\\|";
    else if (c == '\n')
      out += "<br>";
    else if (c == '<')
      out += "&lt;";
    else
      out += c;
  }
  return out;
}

std::string Code(std::string_view text) { return fmt::format("`{}`", Cell(text)); }

void Options(std::string& out, const etl_option* const* options) {
  const std::vector<Described> all = Describe(options);
  if (all.empty()) {
    out += "None.\n";
    return;
  }
  out += "| Option | Type | Default | Meaning |\n|---|---|---|---|\n";
  for (const Described& one : all) {
    const etl_option& option = *one.option;
    const bool required = (option.flags & ETL_REQUIRED) != 0;
    const std::string def = required                                 ? "**required**"
                            : option.def && option.type != ETL_TABLE ? Code(option.def)
                                                                     : "";
    std::string meaning = option.doc ? Cell(Sentence(option.doc)) : "";
    if ((option.flags & ETL_DEPRECATED) != 0) meaning = fmt::format("Deprecated: {}", meaning);
    for (const std::string& fact : Facts(option))
      if (fact != "deprecated")
        meaning += fmt::format(
            "{}{}", meaning.empty() ? "" : " ",
            Cell(Sentence(static_cast<char>(std::toupper(static_cast<unsigned char>(fact[0]))) +
                          fact.substr(1))));
    if ((option.flags & ETL_TUNING) == 0 && (option.flags & (ETL_SECRET | ETL_DEPRECATED)) == 0 &&
        option.type != ETL_TABLE)
      meaning += " ◆";
    out += fmt::format("| {} | {} | {} | {} |\n", Code(one.name), TypeName(option), def, meaning);
  }
}

constexpr std::string_view kMark =
    "\n◆: saved state belongs to this value; with another one, `etl run` refuses to go on from "
    "it.\n";

}  // namespace

std::string ReferencePage(const Component& component) {
  const etl_component& table = component.table;
  std::string out(kGenerated);
  out += fmt::format("# `{}` ({})\n\n{}\n", table.type, KindName(component.kind),
                     Sentence(table.summary ? table.summary : ""));
  if (table.doc && *table.doc) out += fmt::format("\n{}\n", table.doc);
  out += fmt::format("\nIn the plugin `{}`.", component.plugin);
  if ((table.flags & ETL_PARALLEL) != 0) out += " Several workers can share its work.";
  if ((table.flags & ETL_IDEMPOTENT) != 0)
    out += " Writing the same rows twice is the same as writing them once.";
  if ((table.flags & ETL_LOCAL) != 0) out += " `etl check` looks at its files and libraries, also without `--connect`.";
  if ((table.flags & ETL_ORDERED) != 0)
    out += " Rows of a split are written in the source's order.";
  if (table.sink && table.sink->positions)
    out += " It commits positions with the rows: each row arrives exactly once.";
  out += fmt::format("\n\n## Example\n\n```toml\n{}```\n\n## Options\n\n", ExampleToml(component));
  Options(out, table.options);
  const etl_option* const* common = CommonOptions(component.kind, table.flags);
  if (common[0]) {
    out += "\n## Keys of etl for it\n\n";
    Options(out, common);
  }
  return out + std::string(kMark);
}

std::string PipelineReference() {
  std::string out(kGenerated);
  out += R"(# The pipeline file

A pipeline file is TOML 1.0 in UTF-8, at most 1 MiB, with these tables:

| Table | How often | Holds |
|---|---|---|
| `[pipeline]` | at most once | the settings below |
| `[source]` | once | where rows come from |
| `[[transform]]` | any number, in this order | what happens to them |
| `[[sink]]` | at least once | where they go; each row goes to every sink |

`type` names the component of a source, transform or sink; `etl plugin list` shows which there are, `etl plugin info TYPE` what
each takes. One transform or sink may also be written `[transform]`, `[sink]`.

## `[pipeline]`

)";
  Options(out, PipelineOptions());
  for (const Kind kind : {Kind::kSource, Kind::kTransform, Kind::kSink}) {
    out += fmt::format("\n## Keys of every `{}`\n\n", Header(kind));
    if (kind == Kind::kTransform) out += "With components whose work can be shared:\n\n";
    if (kind == Kind::kSource) out += "With components whose work can be shared:\n\n";
    if (kind == Kind::kSink) out += "`writers` with components whose work can be shared:\n\n";
    Options(out, CommonOptions(kind, ETL_PARALLEL));
  }
  out += R"(
## Values

| Type | Written |
|---|---|
| boolean | `true`, `false` |
| integer | `8192`, `8_192` |
| number | `0.5`, `3` |
| string | `"text"`, `'text as it stands'` |
| path | `"data/in.csv"`: from the pipeline file's folder, or absolute; `"-"` is standard input or output |
| duration | `"500ms"`, `"1h30m"`, `"2d"`; units are `ns`, `us`, `ms`, `s`, `m`, `h`, `d` |
| size | `"8MiB"`, `"64KB"`, or a number of bytes; `KB`, `MB`, `GB`, `TB` are thousands, `KiB`, `MiB`, `GiB`, `TiB` are times 1024 |
| list | `["a", "b"]`; a single value stands for a list of one |
| table | `{ rows = 500 }`, or a header of its own, as in `[sink.batch]` |
| map | as a table, with keys of your own |

## References

In any string, `${env:NAME}` stands for an environment variable and `${file:/path}` for the text of a file without its last line
end; a relative path begins at the pipeline file's folder. `$${` is the text `${`. What a reference stands for is hidden in
messages, logs, state and reports, as is the value of every option marked secret.

## From the command line

`--set TABLE.KEY=VALUE` lays a value over the file's: `--set source.path=other.csv`, `--set sink.batch.rows=100`. One of several
transforms or sinks is named by its number, from 0: `--set transform.1.query='SELECT 1'`. The value is TOML; a word that is not
is a string. Relative paths begin at the current folder.
)";
  return out + std::string(kMark);
}

}  // namespace etl::host
