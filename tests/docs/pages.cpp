#include "pages.h"

#include <sqlite3.h>

#include <algorithm>
#include <sstream>

namespace etl::test {

std::string Page(const std::string& path) { return ReadFile(ETL_SOURCE_DIR "/" + path); }

std::vector<Block> MarkedBlocks(const std::string& page, const std::string& mark) {
  std::vector<Block> blocks;
  const std::string begin = "<!-- " + mark + ": ";
  std::istringstream in(page);
  bool marked = false, inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(begin, 0) == 0) {
      blocks.push_back({line.substr(begin.size(), line.rfind(" -->") - begin.size()), ""});
      marked = true;
    } else if (marked && line.rfind("```", 0) == 0) {
      if (inside) marked = false;
      inside = !inside;
    } else if (inside) {
      blocks.back().text += line + "\n";
    }
  }
  return blocks;
}

std::string IndentedAfter(const std::string& page, const std::string& before) {
  std::istringstream in(page);
  std::string line, text;
  while (std::getline(in, line) && line != before) {
  }
  while (std::getline(in, line) && (line.empty() || line.rfind("    ", 0) == 0)) {
    if (!line.empty()) text += line.substr(4) + "\n";
  }
  return text;
}

std::vector<std::string> AllPages() {
  namespace fs = std::filesystem;
  std::vector<std::string> pages;
  const fs::path root = ETL_SOURCE_DIR;
  const auto add = [&](const fs::directory_entry& entry) {
    if (entry.path().extension() == ".md")
      pages.push_back(fs::relative(entry.path(), root).string());
  };
  for (const auto& entry : fs::directory_iterator(root)) add(entry);
  for (const char* folder : {"docs", "plugins"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) add(entry);
  }
  std::sort(pages.begin(), pages.end());
  return pages;
}

Finished Run(std::vector<std::string> argv, const std::string& folder) {
  static const TempDir cache;
  Command command;
  command.argv = std::move(argv);
  command.cwd = folder;
  command.env = {"XDG_CACHE_HOME=" + cache.path().string(),
                 "XDG_DATA_HOME=" + cache.path().string(), "ETL_STATE_DIR", "ETL_PLUGIN_PATH",
                 "TERM=dumb"};
  command.time_limit = std::chrono::minutes(5);
  return RunProcess(command);
}

Finished Etl(std::vector<std::string> args, const std::string& folder) {
  args.insert(args.begin(), ETL_PROGRAM);
  return Run(std::move(args), folder);
}

std::string Query(const std::string& database, const std::string& sql) {
  sqlite3* db = nullptr;
  std::string out;
  const auto row = [](void* to, int columns, char** values, char**) {
    auto& text = *static_cast<std::string*>(to);
    for (int i = 0; i < columns; ++i)
      text += (i ? "|" : "") + std::string(values[i] ? values[i] : "");
    text += "\n";
    return 0;
  };
  if (sqlite3_open_v2(database.c_str(), &db, SQLITE_OPEN_READONLY, nullptr) != SQLITE_OK ||
      sqlite3_exec(db, sql.c_str(), row, &out, nullptr) != SQLITE_OK) {
    out += std::string("error: ") + sqlite3_errmsg(db);
  }
  sqlite3_close(db);
  return out;
}

}  // namespace etl::test
