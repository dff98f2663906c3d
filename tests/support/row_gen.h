// Rows made up for tests: the content of each is a pure function of its number, the seed and the
// profile.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace etl::test {

enum class Profile {
  kNasty,  ///< what breaks pipelines: all of Unicode, quotes, line ends, extremes of the integers,
           ///< nulls, empty and long texts
  kPlain,  ///< what most tables look like: mostly ASCII, 200 to 370 bytes a row, for benchmarks
};

struct GeneratedRow {
  std::int64_t id = 0;
  std::string name;                   ///< never null, may be empty in kNasty
  std::optional<std::string> note;    ///< null in one of eight rows
  std::optional<std::int64_t> count;  ///< from the least int64 to the greatest in kNasty
  std::optional<double> ratio;        ///< finite, never -0.0 (which SQLite does not keep)
  std::optional<bool> active;
  std::string day;         ///< "2024-02-29"
  std::string created_at;  ///< "2024-02-29T23:59:59.123456Z"
  std::string body;        ///< up to 20,000 bytes in kNasty
};

GeneratedRow MakeRow(std::int64_t id, std::uint64_t seed, Profile profile);

/// One JSON object with its line feed; texts in UTF-8 with only the escapes that JSON demands,
/// reals always with a fraction or an exponent.
void AppendNdjson(const GeneratedRow& row, std::string& out);

/// The header and a record of RFC 4180, ended by a line feed.  Null is nothing between the commas,
/// empty text is "". Texts are always quoted, numbers and bools (true, false) never.
extern const char kCsvHeader[];
void AppendCsv(const GeneratedRow& row, std::string& out);

struct RowRange {
  std::int64_t first = 1;  ///< id of the first row; the rest follow in order
  std::int64_t count = 0;
  std::uint64_t seed = 1;
  Profile profile = Profile::kNasty;
};

/// Write all rows into a new file (an old one is replaced).
void WriteNdjson(const RowRange& rows, const std::string& path);
void WriteCsv(const RowRange& rows, const std::string& path);

/// Writes all rows in one transaction into a table that is made if need be; bools as 0 and 1.
void WriteSqlite(const RowRange& rows, const std::string& path, const std::string& table);

}  // namespace etl::test
