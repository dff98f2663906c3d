// Each case of cases/*.case: a pipeline file in, the complete text of all its mistakes and warnings
// out.  With ETL_REWRITE_CASES=1 the files are written anew with what is said now: read the
// difference.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "components.h"
#include "error.h"

namespace {

namespace fs = std::filesystem;

struct Case {
  std::string title, file, text, expected;
  std::vector<std::string> sets;
  bool escaped = false;
};

// A case: "##### title", optionally "=== set a.b=c" lines, "=== FILE" (or "=== escaped FILE": \xNN
// are bytes), the text,
// "=== says", what is said.
std::vector<Case> ReadCases(const fs::path& path) {
  std::ifstream in(path);
  std::vector<Case> cases;
  std::string* into = nullptr;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("##### ")) {
      cases.emplace_back().title = line.substr(6);
      into = nullptr;
    } else if (line.starts_with("=== set ")) {
      cases.back().sets.push_back(line.substr(8));
    } else if (line == "=== says") {
      into = &cases.back().expected;
    } else if (line.starts_with("=== ")) {
      cases.back().escaped = line.starts_with("=== escaped ");
      cases.back().file = line.substr(cases.back().escaped ? 12 : 4);
      into = &cases.back().text;
    } else if (into) {
      *into += line + "\n";
    }
  }
  return cases;
}

std::string Unescaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && text.compare(i, 2, "\\x") == 0) {
      out += static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string Said(const Case& test) {
  try {
    const auto config = etl::host::LoadConfigText(test.escaped ? Unescaped(test.text) : test.text,
                                                  test.file, test.sets, etl::test::Resolver());
    std::string text;
    for (const auto& warning : config.warnings) text += warning.Text() + "\n";
    return text + "ok\n";
  } catch (const etl::host::ConfigErrors& errors) {
    return errors.what() + std::string("\n");
  } catch (const etl::host::Error& error) {
    return fmt::format("exit {}: {}\n", static_cast<int>(error.exit()), error.what());
  }
}

void Rewrite(const fs::path& path, const std::vector<Case>& cases) {
  std::ofstream out(path);
  for (const Case& test : cases) {
    out << "##### " << test.title << '\n';
    for (const std::string& set : test.sets) out << "=== set " << set << '\n';
    out << "=== " << (test.escaped ? "escaped " : "") << test.file << '\n'
        << test.text << "=== says\n"
        << Said(test);
  }
}

}  // namespace

TEST_CASE("every pipeline file of the cases gives exactly its messages") {
  ::setenv("ETL_CASE_SECRET", "hunter2-from-env", 1);
  ::setenv("ETL_CASE_TABLE", "orders", 1);
  ::setenv("ETL_CASE_EMPTY", "", 1);
  ::unsetenv("ETL_CASE_MISSING");
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(ETL_SOURCE_DIR "/tests/config/cases"))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::size_t bad = 0, good = 0;
  for (const fs::path& path : paths) {
    const std::vector<Case> cases = ReadCases(path);
    if (std::getenv("ETL_REWRITE_CASES")) Rewrite(path, cases);
    for (const Case& test : cases) {
      CAPTURE(path.filename().string());
      CAPTURE(test.title);
      const std::string said = Said(test);
      CHECK(said == test.expected);
      CHECK(said.find("hunter2") == std::string::npos);
      ++(said == "ok\n" ? good : bad);
    }
  }
  MESSAGE(bad << " pipeline files with mistakes or warnings, " << good << " without");
  CHECK(bad >= 160);
}
