// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <map>

#include "database.h"
#include "value.h"

namespace etl::sqlite {

/// Reads only rows whose `column` is above the last run's highest.
struct Incremental {
  std::string column;
  static auto Options() {
    return etl::Options(Option("column", &Incremental::column, "A column that grows: a sequence, or a time of change.").Required());
  }
};

/// A table in ranges of its key, by several readers; or a query, in one stream.
class SqliteSource : public Source {
 public:
  static constexpr auto kType = "sqlite";
  static constexpr auto kSummary = "Reads a table of an SQLite database in ranges of its key, or a query.";
  static constexpr std::uint32_t kFlags = ETL_PARALLEL;
  std::string path, table, where, query, split_by;
  std::vector<std::string> columns;
  std::map<std::string, std::string> types;
  std::optional<Incremental> incremental;
  std::int64_t chunk_rows = 100'000, batch_rows = 8192;

  static detail::DeclaredList Options();
  void Check() override;
  Schema Describe() override;
  void Plan(bool fresh, std::string_view state) override;
  bool PlanNext(Split& out, std::string& state) override;
  std::string CarryOver() override { return high_; }
  void Open(const Split& split, std::string_view position) override;
  bool Next(Batch& out, std::string& position) override;
  void Interrupt() noexcept override;

 private:
  struct ReadColumn {
    std::string name;
    Shape shape;
  };
  void Connect();
  void FindKey(const std::vector<TableColumn>& there);
  void SplitBy(const std::vector<TableColumn>& there);
  void CheckIncremental(const std::vector<TableColumn>& there);
  std::string Base() const;                 ///< SELECT ... FROM ...
  std::string Conditions() const;
  void Describe(Schema& schema, const std::string& name, const std::string& declared);
  bool NextKeyed(Batch& out, std::string& position);
  bool NextStream(Batch& out, std::string& position);
  void Take(const Statement& row, Batch& out, const std::function<std::string()>& place);

  std::unique_ptr<Database> db_;
  std::mutex mutex_;
  // The head finds these; workers copy them.
  std::vector<ReadColumn> read_;
  std::string key_;                         ///< quoted; empty: one stream
  std::string order_;                       ///< of the one stream, for a repeatable order
  std::string low_, high_;                  ///< incremental: encoded values, (low, high]
  std::string cursor_;                      ///< planning: upper end of the last range
  bool planned_ = false;
  // worker
  Statement statement_;
  ValueReader values_;
  std::string from_, to_;                   ///< (from, to], encoded; empty = open
  std::int64_t skip_ = 0, at_ = 0;
  bool ended_ = false;
};

}  // namespace etl::sqlite
