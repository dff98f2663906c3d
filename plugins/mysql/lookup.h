// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/json.h>

#include "session.h"
#include "types.h"

namespace etl::mysql {

/// Adds columns by key, or lets through only what a table does not hold yet, or holds differently: a query for each batch.
class MysqlLookup : public Transform, public Server {
 public:
  static constexpr auto kType = "mysql_lookup";
  static constexpr auto kSummary = "Looks whole batches up in a table of MySQL or MariaDB: adds columns, or passes only what is missing or changed there.";
  std::string table;
  std::vector<std::pair<std::string, std::string>> on, columns;
  std::vector<std::string> only_changed;
  bool only_missing = false;
  std::int64_t batch_keys = 5000;

  static detail::DeclaredList Options();
  void Check() override { link_.Get(); }
  Schema Describe(const Schema& in) override;
  void Open(const Schema& in) override;
  void Apply(const Rows& in) override;
  void Interrupt() noexcept override { link_.Interrupt(); }

 private:
  /// A column of the rows as a column of the query's JSON, and of the table.
  struct Sent {
    std::size_t from;
    std::string declared;   ///< its type in JSON_TABLE
    std::string theirs;     ///< quoted
    bool bytes = false;     ///< sent in base64
  };
  struct Found {
    bool there = false, same = false;
    TextRow values;
  };
  void Prepare(const Schema& in);
  Sent SentAs(Session& session, const Schema& in, const std::string& mine, const std::string& theirs, const char* option);
  std::int64_t Ask(Session& session, const Rows& in, std::int64_t first, std::vector<Found>& found);
  std::optional<std::string> AddFound(const Found& found, Batch& added);

  Link link_{*this, Side::kSource};
  std::vector<Sent> keys_, compared_;
  std::vector<ReadColumn> read_;
  std::vector<Field> added_;
  std::string before_, after_;              ///< the query around its JSON
  std::unique_ptr<JsonWriter> json_;
};

}  // namespace etl::mysql
