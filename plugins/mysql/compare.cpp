// SPDX-License-Identifier: Apache-2.0
// The sink's table read back for `etl verify`, by the plugin's own source.
#include <etl/compare.h>

#include <algorithm>

#include "sink.h"
#include "source.h"

namespace etl::mysql {
namespace {

/// A column that is written: the table's own name of it, and the batch's.
struct Written {
  std::string table, batch;
  bool key = false;
};

class TableRows : public SourceReadBack<MysqlSource> {
 public:
  TableRows(const MysqlSink& sink, const std::vector<Written>& written)
      : SourceReadBack(sink.host, [&sink, &written](MysqlSource& s) {
          static_cast<Server&>(s) = sink;
          s.table = sink.table;
          s.zero_dates = "string";   // as they stand there, whatever they are
          for (const Written& w : written) s.columns.push_back(w.table);
        }) {
    for (Field& f : schema) {
      const auto at = std::find_if(written.begin(), written.end(), [&](const Written& w) { return SameName(w.table, f.name); });
      f.name = at->batch;
      if (at->key) keys.push_back(at->batch);
    }
    adds = sink.mode != "update";
    replaces = sink.mode == "upsert" || sink.mode == "replace" || sink.mode == "update";
    one = sink.mode != "insert";
  }
};

}  // namespace

std::unique_ptr<ReadBack> MysqlSink::OpenReadBack(const etl::Run& run) {
  if (mode == "delete") throw ConfigError("mode", "mode \"delete\" leaves nothing behind that could be compared");
  const std::optional<Table> there = ReadTable(link_.Get(), table);
  if (!there) throw ConfigError("table", "the database has no table \"" + table + "\"");
  std::vector<Written> written;
  for (const ColumnMap& m : Mapped(*run.schema)) {
    const TableColumn* at = there->Find(m.to);
    if (!at) throw ConfigError("table", "table \"" + table + "\" has no column \"" + m.to + "\"");
    written.push_back({at->name, run.schema->children[m.from]->name, false});
  }
  // The key that was named; else the table's own, if all of it is written.
  std::vector<std::string> wanted = keys;
  if (keys.empty() && !there->unique.empty()) wanted = there->unique[0].columns;
  const auto find = [&](const std::string& k) { return std::find_if(written.begin(), written.end(), [&](const Written& w) { return SameName(w.table, k); }); };
  const bool whole = std::all_of(wanted.begin(), wanted.end(), [&](const std::string& k) { return find(k) != written.end(); });
  for (const std::string& k : wanted) {
    if (whole) find(k)->key = true;
    else if (!keys.empty()) throw ConfigError("keys", "\"" + k + "\" is no column that is written");
  }
  return std::make_unique<TableRows>(*this, written);
}

}  // namespace etl::mysql
