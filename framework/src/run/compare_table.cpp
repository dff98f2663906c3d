#include "compare_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <tuple>

#include "../error.h"

namespace etl::host {
namespace {

constexpr std::int64_t kRowsInMemory = 200'000;
constexpr std::int64_t kMostFiles = 256;

[[noreturn]] void FailFile(const char* doing) {
  throw Error(Exit::kInternal, fmt::format("cannot {} a temporary file for the rows that differ: {}; make room in the folder for temporary files",
                                           doing, std::strerror(errno)));
}

void Put(std::FILE* file, const void* from, std::size_t n) {
  if (n && std::fwrite(from, 1, n, file) != n) FailFile("write");
}

bool Get(std::FILE* file, void* to, std::size_t n) {
  if (n == 0 || std::fread(to, 1, n, file) == n) return true;
  if (std::ferror(file)) FailFile("read");
  return false;
}

/// What precedes a record's column hashes and key.
struct Header {
  std::uint64_t key, row;
  std::uint32_t stored, columns;
  std::uint64_t key_size;
};

/// Rows without a counterpart on the other side; both are in the order of their hashes.
std::vector<const RowRecord*> Without(std::span<RowRecord> rows, std::span<RowRecord> others) {
  std::vector<const RowRecord*> out;
  std::size_t at = 0;
  for (const RowRecord& r : rows) {
    while (at < others.size() && others[at].hash.row < r.hash.row) ++at;
    if (at < others.size() && others[at].hash.row == r.hash.row) ++at;
    else out.push_back(&r);
  }
  return out;
}

std::vector<std::string> Columns(const RowRecord& a, const RowRecord& b, const std::vector<ComparedColumn>& columns) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (a.each[i] != b.each[i]) names.push_back(columns[i].name);
  }
  return names;
}

}  // namespace

RecordFiles::RecordFiles(std::int64_t rows) {
  const std::int64_t count = std::clamp<std::int64_t>(rows / kRowsInMemory + 1, 1, kMostFiles);
  for (std::int64_t i = 0; i < count; ++i) {
    files_.emplace_back(std::tmpfile());
    if (!files_.back()) FailFile("make");
  }
}

void RecordFiles::Add(const RowRecord& r) {
  std::FILE* file = files_[r.hash.key % files_.size()].get();
  const Header header{r.hash.key, r.hash.row, r.stored, static_cast<std::uint32_t>(r.each.size()), r.key.size()};
  Put(file, &header, sizeof header);
  Put(file, r.each.data(), r.each.size() * sizeof r.each[0]);
  Put(file, r.key.data(), r.key.size());
}

void RecordFiles::Take(const std::function<void(std::vector<RowRecord>&)>& portion) {
  for (auto& file : files_) {
    std::rewind(file.get());
    std::vector<RowRecord> rows;
    for (Header h{}; Get(file.get(), &h, sizeof h);) {
      RowRecord& r = rows.emplace_back(RowRecord{{h.key, h.row}, h.stored != 0, std::string(h.key_size, '\0'), std::vector<std::uint32_t>(h.columns)});
      if (!Get(file.get(), r.each.data(), h.columns * sizeof r.each[0]) || !Get(file.get(), r.key.data(), h.key_size)) FailFile("read");
    }
    file.reset();
    portion(rows);
  }
}

std::int64_t TellApart(std::vector<RowRecord>& rows, const std::vector<ComparedColumn>& columns, bool one,
                       const std::function<void(std::uint64_t, const Difference&)>& found) {
  const auto same_key = [](const RowRecord& a, const RowRecord& b) { return a.hash.key == b.hash.key && a.key == b.key; };
  std::sort(rows.begin(), rows.end(), [](const RowRecord& a, const RowRecord& b) {
    return std::tie(a.hash.key, a.key, a.stored, a.hash.row) < std::tie(b.hash.key, b.key, b.stored, b.hash.row);
  });
  std::int64_t repeated = 0;
  for (std::size_t first = 0, end = 0; first < rows.size(); first = end) {
    std::size_t middle = first;
    for (end = first; end < rows.size() && same_key(rows[first], rows[end]); ++end) middle += !rows[end].stored;
    const std::span<RowRecord> expected(rows.data() + first, middle - first), stored(rows.data() + middle, end - middle);
    const auto missing = Without(expected, stored), extra = Without(stored, expected);
    const std::uint64_t key = rows[first].hash.key;
    const auto tell = [&](DifferenceKind kind, std::size_t n) { found(key, {kind, rows[first].key, {}, static_cast<std::int64_t>(n), {}}); };
    if (missing.empty() && extra.empty()) continue;
    if (extra.empty() && one && !stored.empty()) {
      ++repeated;
    } else if (extra.empty()) {
      tell(DifferenceKind::kMissing, missing.size());
    } else if (missing.empty()) {
      tell(DifferenceKind::kExtra, extra.size());
    } else {
      found(key, {DifferenceKind::kChanged, rows[first].key, Columns(*missing[0], *extra[0], columns), 1, {}});
    }
  }
  return repeated;
}

}  // namespace etl::host
