#include "compare.h"

#include <algorithm>
#include <optional>

namespace verify {
namespace {

struct Expected {
  std::string row;
  std::size_t wanted = 0;
  std::size_t found = 0;
};

class Comparison {
 public:
  explicit Comparison(const Question& question) : question_(question) {
    SetFormat(question_.expected);
    SetFormat(question_.actual);
    const bool one_sqlite =
        question_.expected.format == "sqlite" || question_.actual.format == "sqlite";
    question_.rules.zero_one_is_bool = one_sqlite;
    if (question_.key.empty() && question_.expected.format != question_.actual.format) {
      throw Unusable("without a key both sides must be of the same format; name one with --key");
    }
    for (const auto& name : question_.key) key_.push_back(columns_.Number(name));
    for (const auto& name : question_.columns) only_.push_back(columns_.Number(name));
    for (const auto& name : question_.ignored) ignored_.push_back(columns_.Number(name));
  }

  Verdict Run() {
    ReadRows(question_.expected, columns_, [&](auto& cells, const auto&) { TakeExpected(cells); });
    ReadRows(question_.actual, columns_, [&](auto& cells, const auto&) { TakeActual(cells); });
    std::vector<std::string> lost;
    for (const auto& [key, row] : rows_) {
      if (row.found < row.wanted)
        verdict_.lost.count += row.wanted - row.found, lost.push_back(key);
    }
    std::sort(lost.begin(), lost.end());
    for (const auto& key : lost) Name(verdict_.lost, ShowKey(key));
    return verdict_;
  }

 private:
  void Select(std::vector<Cell>& cells) const {
    const auto unwanted = [&](const Cell& cell) {
      const auto in = [&](const auto& list) {
        return std::find(list.begin(), list.end(), cell.column) != list.end();
      };
      return (!only_.empty() && !in(only_) && !in(key_)) || in(ignored_);
    };
    cells.erase(std::remove_if(cells.begin(), cells.end(), unwanted), cells.end());
  }

  std::string Key(const std::vector<Cell>& cells, const std::string& packed) const {
    if (key_.empty()) return packed;
    std::string key;
    for (const auto column : key_) {
      const auto cell = std::find_if(cells.begin(), cells.end(),
                                     [&](const Cell& c) { return c.column == column; });
      if (cell == cells.end())
        throw Unusable("a row has no key column \"" + columns_.name(column) + "\"");
      const std::string text = KeyText(*cell);
      // With its length before it, no two different keys of several columns become one.
      if (key_.size() > 1) key += std::to_string(text.size()) + ":";
      key += text + (key_.size() > 1 ? " " : "");
    }
    return key;
  }

  std::string ShowKey(const std::string& key) const {
    if (!key_.empty()) return Show({0, Kind::kInteger, key});
    std::string text;
    for (const Cell& cell : Unpack(key))
      text += (text.empty() ? "" : ", ") + columns_.name(cell.column) + "=" + Show(cell);
    return text;
  }

  void Name(Finding& finding, const std::string& text) const {
    if (finding.first.size() < question_.shown) finding.first.push_back(text);
  }

  void TakeExpected(std::vector<Cell>& cells) {
    ++verdict_.expected;
    Select(cells);
    std::string packed = Pack(cells, columns_);
    const std::string key = Key(cells, packed);
    Expected& row = rows_[key];
    if (++row.wanted > 1 && !key_.empty()) {
      throw Unusable(question_.expected.path + ": key " + ShowKey(key) +
                     " comes twice among the expected rows");
    }
    if (!key_.empty()) row.row = std::move(packed);
  }

  void TakeActual(std::vector<Cell>& cells) {
    ++verdict_.actual;
    Select(cells);
    const std::string packed = Pack(cells, columns_);
    const std::string key = Key(cells, packed);
    const auto place = rows_.find(key);
    if (place == rows_.end()) {
      ++verdict_.invented.count;
      return Name(verdict_.invented, ShowKey(key));
    }
    Expected& row = place->second;
    if (++row.found > row.wanted) {
      ++verdict_.duplicated.count;
      Name(verdict_.duplicated, ShowKey(key));
    }
    if (key_.empty() || packed == row.row) return;
    if (const auto difference = Difference(Unpack(row.row), cells)) {
      ++verdict_.changed.count;
      Name(verdict_.changed, ShowKey(key) + ": " + *difference);
    }
  }

  /// Both sides sorted by column; names the first difference.
  std::optional<std::string> Difference(const std::vector<Cell>& expected,
                                        const std::vector<Cell>& actual) const {
    std::size_t e = 0, a = 0;
    while (e < expected.size() || a < actual.size()) {
      const bool missing =
          a == actual.size() || (e < expected.size() && expected[e].column < actual[a].column);
      const bool added =
          !missing && (e == expected.size() || actual[a].column < expected[e].column);
      if (missing || added) {
        const Cell& cell = missing ? expected[e++] : actual[a++];
        if (question_.rules.missing_is_null && cell.kind == Kind::kNull) continue;
        return columns_.name(cell.column) + ": " +
               (missing ? "expected " + Show(cell) + ", found no such column"
                        : "expected no such column, found " + Show(cell));
      }
      if (!Same(expected[e], actual[a], question_.rules)) {
        return columns_.name(expected[e].column) + ": expected " + Show(expected[e]) + ", found " +
               Show(actual[a]);
      }
      ++e, ++a;
    }
    return std::nullopt;
  }

  Question question_;
  Columns columns_;
  std::vector<std::uint32_t> key_, only_, ignored_;
  std::unordered_map<std::string, Expected> rows_;
  Verdict verdict_;
};

}  // namespace

Verdict Compare(const Question& question) { return Comparison(question).Run(); }

}  // namespace verify
