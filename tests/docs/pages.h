// Pages of the documentation, and the program `etl` as their reader calls it.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "run_process.h"
#include "temp_dir.h"

namespace etl::test {

struct Block {
  std::string name, text;
};

/// A file of the project.
std::string Page(const std::string& path);
/// Blocks between ``` that come after a line "<!-- MARK: NAME -->".
std::vector<Block> MarkedBlocks(const std::string& page, const std::string& mark);
/// The lines indented by four spaces that follow the first line which is `before`, without the
/// indent.
std::string IndentedAfter(const std::string& page, const std::string& before);
/// README.md, and every page below docs/ and plugins/, by their paths in the project.
std::vector<std::string> AllPages();

Finished Run(std::vector<std::string> argv, const std::string& folder);
/// etl with these arguments.
Finished Etl(std::vector<std::string> args, const std::string& folder);
/// All rows of a query, a line each, columns with | between them, as sqlite3 prints them.
std::string Query(const std::string& database, const std::string& sql);

}  // namespace etl::test
