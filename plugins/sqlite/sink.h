// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/compare.h>

#include <map>

#include "bind.h"
#include "database.h"

namespace etl::sqlite {

struct ColumnMap {
  std::string to;      ///< column of the table
  std::size_t from;    ///< column of the batch
};

/// Rows into a table, and the position with them in one transaction.
class SqliteSink : public Sink {
 public:
  static constexpr auto kType = "sqlite";
  static constexpr auto kSummary = "Writes rows into a table of an SQLite database; exactly once.";
  static constexpr std::uint32_t kFlags = 0;
  std::string path, table, mode = "insert", journal = "wal", synchronous = "normal";
  std::vector<std::string> keys;
  std::vector<std::pair<std::string, std::string>> columns;
  bool create = true, truncate = false, exactly_once = true;
  BatchLimits batch{50'000, {16 << 20}, std::chrono::seconds(1)};

  static detail::DeclaredList Options();
  static const void* Extension(std::string_view id);
  /// For `etl verify`: the table, read along its rowid or key.
  std::unique_ptr<ReadBack> OpenReadBack(const Run& run);
  void Check() override;
  void Begin(const Run& run) override;
  bool Positions(const std::function<void(const Mark&)>& give) override;
  void Open(const ArrowSchema& in, std::string_view state) override;
  Written Write(const Rows& in) override;
  void Tick() override;
  std::string Flush() override;
  void Interrupt() noexcept override;

 private:
  void Connect();
  void CreateTable(const ArrowSchema& schema);
  void CheckTable(const ArrowSchema& schema);
  std::vector<ColumnMap> Mapped(const ArrowSchema& schema) const;
  std::string Sql(const std::vector<ColumnMap>& map) const;
  void WriteRow(const Rows& in, std::int64_t row);
  void CheckStatement(const ArrowSchema& schema) const;
  void Commit();

  std::unique_ptr<Database> db_;
  std::mutex mutex_;                     // over db_ against Interrupt
  std::string pipeline_, key_;
  bool replay_ = false;
  // worker
  std::vector<ColumnMap> map_;
  std::vector<std::size_t> order_;       // of the batch's columns in the statement
  std::vector<ColumnMap> keys_from_;
  Statement insert_, mark_;
  std::unique_ptr<Binder> binder_;
  std::map<std::string, Mark> marks_;
  std::vector<std::uint64_t> pending_;
  std::int64_t rows_ = 0, bytes_ = 0;
  bool in_transaction_ = false;
};

}  // namespace etl::sqlite
