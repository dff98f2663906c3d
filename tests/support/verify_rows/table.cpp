#include "table.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace verify {
namespace {

template <typename Int>
void PutInt(std::string& out, Int value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

template <typename Int>
Int TakeInt(std::string_view& in) {
  Int value;
  std::memcpy(&value, in.data(), sizeof value);
  in.remove_prefix(sizeof value);
  return value;
}

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

std::uint32_t Columns::Number(std::string_view name) {
  const auto [place, fresh] =
      numbers_.try_emplace(std::string(name), static_cast<std::uint32_t>(names_.size()));
  if (fresh) names_.emplace_back(name);
  return place->second;
}

std::string Pack(std::vector<Cell>& cells, const Columns& columns) {
  std::sort(cells.begin(), cells.end(),
            [](const Cell& a, const Cell& b) { return a.column < b.column; });
  std::string packed;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Cell& cell = cells[i];
    if (i > 0 && cells[i - 1].column == cell.column) {
      throw Unusable("column \"" + columns.name(cell.column) + "\" comes twice in a row");
    }
    if (cell.text.size() > std::numeric_limits<std::uint32_t>::max())
      throw Unusable("a value of over 4 GiB");
    PutInt(packed, cell.column);
    packed += static_cast<char>(cell.kind);
    PutInt(packed, static_cast<std::uint32_t>(cell.text.size()));
    packed += cell.text;
  }
  return packed;
}

std::vector<Cell> Unpack(std::string_view packed) {
  std::vector<Cell> cells;
  while (!packed.empty()) {
    Cell cell;
    cell.column = TakeInt<std::uint32_t>(packed);
    cell.kind = static_cast<Kind>(packed.front());
    packed.remove_prefix(1);
    const auto size = TakeInt<std::uint32_t>(packed);
    cell.text = packed.substr(0, size);
    packed.remove_prefix(size);
    cells.push_back(cell);
  }
  return cells;
}

void SetFormat(Input& input) {
  if (input.format.empty()) {
    for (const char* end : {".ndjson", ".jsonl", ".json"}) {
      if (EndsWith(input.path, end)) input.format = "ndjson";
    }
    if (EndsWith(input.path, ".csv")) input.format = "csv";
    for (const char* end : {".db", ".sqlite", ".sqlite3"}) {
      if (EndsWith(input.path, end)) input.format = "sqlite";
    }
  }
  if (input.format != "ndjson" && input.format != "csv" && input.format != "sqlite") {
    throw Unusable(input.path +
                   ": the format must be ndjson, csv or sqlite; say it with ndjson:PATH and so on");
  }
}

void ReadRows(const Input& input, Columns& columns, const RowSink& sink) {
  if (input.format == "ndjson") return ReadNdjson(input, columns, sink);
  if (input.format == "csv") return ReadCsv(input, columns, sink);
  return ReadSqlite(input, columns, sink);
}

void CheckUtf8(std::string_view text) {
  std::size_t at = 0;
  const auto wrong = [&] { return Unusable("not UTF-8 at byte " + std::to_string(at + 1)); };
  while (at < text.size()) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xc2 ? 0
                               : lead < 0xe0 ? 2
                               : lead < 0xf0 ? 3
                               : lead < 0xf5 ? 4
                                             : 0;
    if (length == 0 || length > text.size() - at) throw wrong();
    std::uint32_t point = length == 1 ? lead : lead & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      if ((next & 0xc0) != 0x80) throw wrong();
      point = point << 6 | (next & 0x3f);
    }
    const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
    if (overlong || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) throw wrong();
    at += length;
  }
}

}  // namespace verify
