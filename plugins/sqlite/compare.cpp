// SPDX-License-Identifier: Apache-2.0
// The sink's table read back for `etl verify`, by the plugin's own source.
#include <etl/compare.h>

#include <algorithm>

#include "sink.h"
#include "source.h"

namespace etl::sqlite {
namespace {

bool Same(const std::string& a, const std::string& b) { return sqlite3_stricmp(a.c_str(), b.c_str()) == 0; }

/// A column that is written: the table's own name of it, the batch's, and whether it holds bytes.
struct Written {
  std::string table, batch;
  bool bytes = false, key = false;
};

class TableRows : public SourceReadBack<SqliteSource> {
 public:
  TableRows(const SqliteSink& sink, std::vector<Written> written)
      : SourceReadBack(sink.host, [&sink, &written](SqliteSource& s) {
          s.path = sink.path;
          s.table = sink.table;
          // Any value of any column has an exact text; what it was written as, the host knows.
          for (const Written& w : written) {
            s.columns.push_back(w.table);
            s.types[w.table] = w.bytes ? "binary" : "utf8";
          }
        }) {
    for (Field& f : schema) {
      const auto at = std::find_if(written.begin(), written.end(), [&](const Written& w) { return w.table == f.name; });
      f.name = at->batch;
      if (at->key) keys.push_back(at->batch);
    }
    adds = sink.mode != "update";
    replaces = sink.mode == "upsert" || sink.mode == "replace" || sink.mode == "update";
    one = sink.mode != "insert";
  }
};

}  // namespace

const void* SqliteSink::Extension(std::string_view id) { return id == ETL_EXT_COMPARE ? CompareTable<SqliteSink>() : nullptr; }

std::unique_ptr<ReadBack> SqliteSink::OpenReadBack(const Run& run) {
  if (mode == "delete") throw ConfigError("mode", "mode \"delete\" leaves nothing behind that could be compared");
  const Database db(path, false);
  const std::vector<TableColumn> there = db.Columns(table);
  if (there.empty()) throw ConfigError("table", path + " has no table \"" + table + "\"");
  std::vector<Written> written;
  for (const ColumnMap& m : Mapped(*run.schema)) {
    const auto at = std::find_if(there.begin(), there.end(), [&](const TableColumn& c) { return Same(c.name, m.to); });
    if (at == there.end()) throw ConfigError("table", "table \"" + table + "\" has no column \"" + m.to + "\"");
    const std::string_view format = run.schema->children[m.from]->format;
    written.push_back({at->name, run.schema->children[m.from]->name, format == "z" || format == "Z" || format[0] == 'w', false});
  }
  // The key that was named; else the table's own, if all of it is written.
  std::vector<std::string> wanted = keys;
  for (const TableColumn& c : there) {
    if (keys.empty() && c.key) wanted.push_back(c.name);
  }
  const auto find = [&](const std::string& k) { return std::find_if(written.begin(), written.end(), [&](const Written& w) { return Same(w.table, k); }); };
  const bool whole = std::all_of(wanted.begin(), wanted.end(), [&](const std::string& k) { return find(k) != written.end(); });
  for (const std::string& k : wanted) {
    if (whole) find(k)->key = true;
    else if (!keys.empty()) throw ConfigError("keys", "\"" + k + "\" is no column that is written");
  }
  return std::make_unique<TableRows>(*this, std::move(written));
}

}  // namespace etl::sqlite
