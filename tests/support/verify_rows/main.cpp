// verify_rows: are these the rows that should be there?  Shares no code with what it judges.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>

#include "compare.h"

namespace {

constexpr char kHelp[] =
    R"(verify_rows --expected FILE --actual FILE --key COLUMN[,COLUMN…] [options]

Compares rows by key and says which are lost, duplicated, changed or invented.
FILE is PATH or FORMAT:PATH with ndjson, csv or sqlite as the format.

  --expected-table T, --actual-table T, --table T   table of a SQLite file
  --expected-query Q, --actual-query Q              SELECT instead of a table
  --columns A,B      compare only these columns (and the key)
  --ignore A,B       leave these columns out
  --numbers strict   1 and 1.0 differ (default); "value": they are the same
  --missing null     a row without a column is like one with null in it
  --csv-null TEXT    unquoted TEXT in CSV is null (default: nothing between the commas)
  --csv-no-null      nothing in CSV is null
  --show N           name the first N of each kind (default 10)

Without --key the whole row is its key: both sides must be of the same format,
and a changed row shows as a lost and an invented one.
Exit code: 0 the same, 1 different, 2 not comparable.
)";

std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

void SetPath(verify::Input& input, const std::string& text) {
  input.path = text;
  for (const char* format : {"ndjson", "csv", "sqlite"}) {
    const std::string prefix = std::string(format) + ":";
    if (text.rfind(prefix, 0) == 0) input.format = format, input.path = text.substr(prefix.size());
  }
}

std::string OneOf(const std::string& option, const std::string& value, const char* a,
                  const char* b) {
  if (value == a || value == b) return value;
  throw verify::Unusable(option + " takes " + a + " or " + b + ", not " + value);
}

verify::Question Parse(int argc, char** argv) {
  verify::Question question;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--help") std::fputs(kHelp, stdout), std::exit(0);
    if (option == "--csv-no-null") {
      question.expected.csv_has_null = question.actual.csv_has_null = false;
      continue;
    }
    if (i + 1 == argc)
      throw verify::Unusable(option + " needs a value, or is no option; see --help");
    const std::string value = argv[++i];
    if (option == "--expected")
      SetPath(question.expected, value);
    else if (option == "--actual")
      SetPath(question.actual, value);
    else if (option == "--key")
      question.key = Split(value);
    else if (option == "--columns")
      question.columns = Split(value);
    else if (option == "--ignore")
      question.ignored = Split(value);
    else if (option == "--table")
      question.expected.table = question.actual.table = value;
    else if (option == "--expected-table")
      question.expected.table = value;
    else if (option == "--actual-table")
      question.actual.table = value;
    else if (option == "--expected-query")
      question.expected.query = value;
    else if (option == "--actual-query")
      question.actual.query = value;
    else if (option == "--csv-null")
      question.expected.csv_null = question.actual.csv_null = value;
    else if (option == "--numbers")
      question.rules.numbers_by_value = OneOf(option, value, "strict", "value") == "value";
    else if (option == "--missing")
      question.rules.missing_is_null = OneOf(option, value, "null", "differs") == "null";
    else if (option == "--show")
      question.shown = std::strtoul(value.c_str(), nullptr, 10);
    else
      throw verify::Unusable("unknown option " + option + "; see --help");
  }
  if (question.expected.path.empty() || question.actual.path.empty()) {
    throw verify::Unusable("both --expected and --actual are needed; see --help");
  }
  return question;
}

void Print(const char* name, const verify::Finding& finding) {
  std::printf("%s %zu\n", name, finding.count);
  for (const auto& text : finding.first) std::printf("  %s\n", text.c_str());
  if (finding.count > finding.first.size()) std::printf("  …\n");
}

}  // namespace

int main(int argc, char** argv) try {
  const verify::Verdict verdict = verify::Compare(Parse(argc, argv));
  std::printf("expected %zu rows, actual %zu rows\n", verdict.expected, verdict.actual);
  Print("lost", verdict.lost);
  Print("duplicated", verdict.duplicated);
  Print("changed", verdict.changed);
  Print("invented", verdict.invented);
  return verdict.ok() ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "verify_rows: %s\n", error.what());
  return 2;
}
