// Rows of a SQLite table or query, each value as the storage class that it has.
#include <sqlite3.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "table.h"

namespace verify {
namespace {

/// The shortest spelling that reads back as the same double, marked as a real.
std::string SpellReal(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  std::string text(buffer, end);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string Quote(const std::string& name) {
  std::string result = "\"";
  for (const char c : name) result += c == '"' ? "\"\"" : std::string(1, c);
  return result + "\"";
}

}  // namespace

void ReadSqlite(const Input& input, Columns& columns, const RowSink& sink) {
  if (input.table.empty() && input.query.empty()) {
    throw Unusable(input.path + ": say which table (or query) of the database");
  }
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(input.path.c_str(), &raw, SQLITE_OPEN_READWRITE, nullptr);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> db(raw, &sqlite3_close);
  const auto fail = [&] {
    return Unusable(input.path + ": " + (raw ? sqlite3_errmsg(raw) : "out of memory"));
  };
  if (opened != SQLITE_OK) throw fail();
  // Opened for writing, as the last run may have left a journal that must be rolled back before
  // anybody reads.
  sqlite3_busy_timeout(raw, 10'000);
  const std::string sql = input.query.empty() ? "SELECT * FROM " + Quote(input.table) : input.query;
  sqlite3_stmt* statement = nullptr;
  const int prepared = sqlite3_prepare_v2(raw, sql.c_str(), -1, &statement, nullptr);
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> done(statement,
                                                                        &sqlite3_finalize);
  if (prepared != SQLITE_OK) throw fail();
  if (statement == nullptr) throw Unusable(input.path + ": the query is empty");

  std::vector<std::uint32_t> header;
  const int width = sqlite3_column_count(statement);
  for (int i = 0; i < width; ++i)
    header.push_back(columns.Number(sqlite3_column_name(statement, i)));
  std::vector<Cell> cells;
  std::vector<std::string> texts(static_cast<std::size_t>(width));
  int step;
  for (std::size_t number = 1; (step = sqlite3_step(statement)) == SQLITE_ROW; ++number) {
    cells.clear();
    for (int i = 0; i < width; ++i) {
      std::string& text = texts[static_cast<std::size_t>(i)];
      Kind kind = Kind::kNull;
      const auto take = [&](const void* bytes) {
        text.assign(static_cast<const char*>(bytes ? bytes : ""),
                    static_cast<std::size_t>(sqlite3_column_bytes(statement, i)));
      };
      text.clear();
      switch (sqlite3_column_type(statement, i)) {
        case SQLITE_INTEGER:
          kind = Kind::kInteger;
          text = std::to_string(sqlite3_column_int64(statement, i));
          break;
        case SQLITE_FLOAT:
          kind = Kind::kReal;
          text = SpellReal(sqlite3_column_double(statement, i));
          break;
        case SQLITE_TEXT:
          kind = Kind::kText;
          take(sqlite3_column_text(statement, i));
          break;
        case SQLITE_BLOB:
          kind = Kind::kBlob;
          take(sqlite3_column_blob(statement, i));
          break;
        default:
          break;
      }
      cells.push_back({header[static_cast<std::size_t>(i)], kind, text});
    }
    sink(cells, "row " + std::to_string(number));
  }
  if (step != SQLITE_DONE) throw fail();
}

}  // namespace verify
