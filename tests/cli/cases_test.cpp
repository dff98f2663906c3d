// cases/*.case: a command line and files in; exit code, standard output and standard error out.
//   === name
//   --- args        one argument a line
//   --- file NAME   the content, to the next line with ---
//   --- exit N, --- out, --- err     what must come, exactly; the folder of the files shows as DIR.
//   Left out: not checked
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "program.h"
#include "temp_dir.h"

namespace {

struct Case {
  std::string name;
  std::vector<std::pair<std::string, std::string>> sections;  ///< heading and content
};

std::vector<Case> Read(const std::string& file) {
  std::vector<Case> cases;
  std::istringstream in(etl::test::ReadFile(file));
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("=== ", 0) == 0)
      cases.push_back({line.substr(4), {}});
    else if (line.rfind("--- ", 0) == 0)
      cases.back().sections.emplace_back(line.substr(4), "");
    else if (!cases.empty() && !cases.back().sections.empty())
      cases.back().sections.back().second += line + "\n";
  }
  return cases;
}

std::string Shown(std::string text, const std::string& folder) {
  for (std::size_t at = 0; (at = text.find(folder, at)) != std::string::npos;)
    text.replace(at, folder.size(), "DIR");
  return text;
}

void RunCase(const Case& c) {
  const etl::test::TempDir folder;
  const std::string path = folder.path().string();
  std::vector<std::string> args;
  for (const auto& [heading, content] : c.sections) {
    if (heading.rfind("file ", 0) == 0) folder.Write(heading.substr(5), content);
    if (heading != "args") continue;
    std::istringstream lines(content);
    for (std::string line; std::getline(lines, line);) args.push_back(line);
  }
  const auto ended = etl::test::Etl(args, path);
  INFO("standard error: ", ended.err);
  for (const auto& [heading, content] : c.sections) {
    if (heading == "out") CHECK(Shown(ended.out, path) == content);
    if (heading == "err") CHECK(Shown(ended.err, path) == content);
    if (heading.rfind("exit ", 0) == 0) CHECK(ended.exit_code == std::stoi(heading.substr(5)));
  }
}

}  // namespace

TEST_CASE("the cases") {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(ETL_CLI_CASES))
    files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  REQUIRE(!files.empty());
  for (const auto& file : files) {
    for (const Case& c : Read(file)) {
      INFO(file, ": ", c.name);
      RunCase(c);
    }
  }
}
