// gen_rows: rows made up for tests and benchmarks; the same arguments always give the same rows.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#include "row_gen.h"

namespace {

constexpr char kHelp[] =
    R"(gen_rows --out FILE --count N [--first ID] [--seed S] [--profile nasty|plain] [--format ndjson|csv|sqlite] [--table T]

Writes rows with ids ID, ID+1, … (default 1) whose content depends on id, seed (default 1) and profile alone.
nasty (default): all that breaks pipelines.  plain: 200 to 370 bytes of ordinary data a row.
The format follows from the end of FILE unless given; the table is "rows" unless given.
)";

struct Options {
  etl::test::RowRange rows;
  std::string out, format, table = "rows";
};

std::int64_t Number(const std::string& option, const std::string& text) {
  std::size_t end = 0;
  const std::int64_t value = std::stoll(text, &end);
  if (end != text.size()) throw std::runtime_error(option + " takes a whole number, not " + text);
  return value;
}

Options Parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--help") std::fputs(kHelp, stdout), std::exit(0);
    if (i + 1 == argc)
      throw std::runtime_error(option + " needs a value, or is no option; see --help");
    const std::string value = argv[++i];
    if (option == "--out")
      options.out = value;
    else if (option == "--count")
      options.rows.count = Number(option, value);
    else if (option == "--first")
      options.rows.first = Number(option, value);
    else if (option == "--seed")
      options.rows.seed = static_cast<std::uint64_t>(Number(option, value));
    else if (option == "--format")
      options.format = value;
    else if (option == "--table")
      options.table = value;
    else if (option == "--profile" && value == "plain")
      options.rows.profile = etl::test::Profile::kPlain;
    else if (option != "--profile" || value != "nasty")
      throw std::runtime_error("cannot use " + option + " " + value);
  }
  if (options.out.empty()) throw std::runtime_error("--out is needed; see --help");
  if (options.format.empty()) {
    options.format = options.out.substr(options.out.rfind('.') + 1);
    if (options.format == "db" || options.format == "sqlite3") options.format = "sqlite";
    if (options.format == "jsonl" || options.format == "json") options.format = "ndjson";
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = Parse(argc, argv);
  if (options.format == "ndjson") {
    etl::test::WriteNdjson(options.rows, options.out);
  } else if (options.format == "csv") {
    etl::test::WriteCsv(options.rows, options.out);
  } else if (options.format == "sqlite") {
    etl::test::WriteSqlite(options.rows, options.out, options.table);
  } else {
    throw std::runtime_error("the format is ndjson, csv or sqlite, not " + options.format);
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "gen_rows: %s\n", error.what());
  return 2;
}
