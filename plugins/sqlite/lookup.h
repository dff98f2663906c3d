// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "bind.h"
#include "database.h"
#include "value.h"

namespace etl::sqlite {

/// Adds columns by key, or lets through only what a table does not hold yet, or holds differently.
class SqliteLookup : public Transform {
 public:
  static constexpr auto kType = "sqlite_lookup";
  static constexpr auto kSummary = "Looks rows up in an SQLite table: adds columns, or passes only what is missing or changed there.";
  std::string path, table;
  std::vector<std::pair<std::string, std::string>> on, columns;
  std::vector<std::string> only_changed;
  bool only_missing = false;

  static detail::DeclaredList Options();
  void Check() override;
  Schema Describe(const Schema& in) override;
  void Open(const Schema& in) override;
  void Apply(const Rows& in) override;

 private:
  void Prepare(const Schema& in);
  void WarnOfScan() const;
  bool Changed(std::int64_t row);
  std::optional<std::string> AddFound(bool found, Batch& added);

  std::unique_ptr<Database> db_;
  Statement lookup_, compare_;
  std::vector<std::size_t> keys_, compared_;       // columns of the batch
  std::vector<Field> added_;
  std::vector<Shape> shapes_;                      // of added_
  ValueReader values_;
  std::unique_ptr<Binder> binder_;
};

}  // namespace etl::sqlite
