// SPDX-License-Identifier: Apache-2.0
/// The statements that write rows, and the three ways to give them to a server.
#pragma once
#include <map>

#include "bind.h"

namespace etl::mysql {

enum class Mode { kInsert, kIgnore, kUpsert, kReplace, kUpdate, kDelete };
enum class Way { kPrepared, kText, kBulk };

/// A statement for any number of rows: prefix, row, row, ..., suffix.
struct Wording {
  std::string prefix, row, suffix;   ///< row: with ? for each parameter
  std::vector<std::size_t> order;    ///< which written column each parameter takes
  bool one_row = false;              ///< a statement takes one row only
};
/// `columns`: those that are written, quoted; `keys`: which of them are keys.
Wording Word(Mode mode, const std::string& table, const std::vector<std::string>& columns, const std::vector<bool>& keys, const Session& session);

/// What the server said to a statement.
struct Said {
  unsigned code = 0;
  std::string message;
  unsigned warnings = 0;
  std::int64_t matched = -1;         ///< rows that an UPDATE met
};

/// Runs statements over cells on one session.  `order[i]` of the wording is column i of the cells.
class Writer {
 public:
  /// `cells` must keep their place for as long as this lives, and their sizes.
  Writer(Session& session, const Wording& wording, const std::vector<Cells>& cells);
  ~Writer();
  Writer(const Writer&) = delete;

  /// Most rows that one statement may have in that way.
  std::size_t MostRows(Way way) const;
  /// Rows [first, first + count) as one statement.
  Said Run(Way way, std::size_t first, std::size_t count);
  std::int64_t statements() const { return statements_; }

 private:
  struct Prepared {
    std::size_t rows = 0;
    std::vector<MYSQL_BIND> binds;
    MYSQL_STMT* statement = nullptr;
  };
  Prepared& For(std::size_t rows);
  Said RunPrepared(std::size_t first, std::size_t count);
  Said RunBulk(std::size_t first, std::size_t count);
  Said RunText(std::size_t first, std::size_t count);
  void AppendText(const Cells& cells, std::size_t row);
  Said Answer(unsigned code, const char* message);

  Session& session_;
  const Wording& wording_;
  const std::vector<Cells>& cells_;
  std::map<std::size_t, Prepared> prepared_;
  Prepared bulk_;
  std::string text_;
  std::int64_t statements_ = 0;
};

}  // namespace etl::mysql
