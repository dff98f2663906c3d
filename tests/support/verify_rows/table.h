// Rows as the verifier holds them: packed bytes, so that a million of them fit.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "value.h"

namespace verify {

/// Numbers for names of columns, shared by both sides.
class Columns {
 public:
  std::uint32_t Number(std::string_view name);
  const std::string& name(std::uint32_t number) const { return names_.at(number); }
  std::size_t size() const { return names_.size(); }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
};

/// Sorts the cells by column and packs them; throws Unusable when a column comes twice.
std::string Pack(std::vector<Cell>& cells, const Columns& columns);

/// The cells of a packed row, borrowing its bytes.
std::vector<Cell> Unpack(std::string_view packed);

/// Where rows come from.
struct Input {
  std::string path;
  std::string format;        ///< "ndjson", "csv" or "sqlite"; empty: by the end of the path
  std::string table;         ///< sqlite
  std::string query;         ///< sqlite, instead of a table
  std::string csv_null;      ///< csv: this spelling, unquoted, is null
  bool csv_has_null = true;  ///< csv: false when nothing is null
};

/// Called for each row with its cells, which live until the call returns, and with "line 17" or
/// "row 17".
using RowSink = std::function<void(std::vector<Cell>& cells, const std::string& where)>;

/// Sets the format when it is empty; throws Unusable when the path does not tell.
void SetFormat(Input& input);

/// Reads all rows; throws Unusable when anything is wrong with them.
void ReadRows(const Input& input, Columns& columns, const RowSink& sink);

void ReadNdjson(const Input& input, Columns& columns, const RowSink& sink);
void ReadCsv(const Input& input, Columns& columns, const RowSink& sink);
void ReadSqlite(const Input& input, Columns& columns, const RowSink& sink);

/// Throws Unusable unless the text is UTF-8.
void CheckUtf8(std::string_view text);

}  // namespace verify
