// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/compare.h>

#include <deque>
#include <map>

#include "checkpoint.h"
#include "server.h"
#include "statement.h"

namespace etl::mysql {

/// Rows into a table; on request their position with them, in one transaction.
class MysqlSink : public Sink, public Server {
 public:
  static constexpr auto kType = "mysql";
  static constexpr auto kSummary = "Writes rows into a table of MySQL or MariaDB; exactly once on request.";
  static constexpr std::uint32_t kFlags = ETL_PARALLEL;
  std::string table, mode = "insert", way = "auto";
  std::vector<std::string> keys;
  std::vector<std::pair<std::string, std::string>> columns;
  bool create = false, truncate = false, exactly_once = false, sort = true;
  std::int64_t rows_per_statement = 0;
  BatchLimits batch{200'000, {64 << 20}, std::chrono::seconds(1)};

  MysqlSink() : link_(*this, Side::kSink) {}
  ~MysqlSink() override;
  static detail::DeclaredList Options();
  static const void* Extension(std::string_view id);
  /// For `etl verify`: the table, read along its primary key.
  std::unique_ptr<ReadBack> OpenReadBack(const etl::Run& run);
  void Check() override;
  void Begin(const etl::Run& run) override;
  std::string Identity() override;
  bool Positions(const std::function<void(const Mark&)>& give) override;
  void Open(const ArrowSchema& in, std::string_view state) override;
  Written Write(const Rows& in) override;
  void Tick() override;
  std::string Flush() override;
  void Interrupt() noexcept override;

 private:
  /// A column that is written: of the table, and of the batch.
  struct ColumnMap {
    std::string to;
    std::size_t from;
  };
  struct Refused : Wrong {
    bool reported = false;                      ///< the host knows: it is not tried again
  };
  /// Rows of the transaction under way, kept until it is committed.
  struct Kept {
    std::uint64_t id = 0, first_row = 0;
    ArrowArray array{};
    std::vector<std::int64_t> order;            ///< by key, if the rows do not come so
    std::map<std::int64_t, Refused> rejected;
    std::vector<Mark> marks;
    bool more = false;                          ///< the source's batch goes on in the next
  };
  /// A row of a statement that failed, from 1 on; 0: no idea.  `by_key`: there may be another with the same key.
  struct Suspect {
    std::size_t row = 0;
    bool by_key = false;
  };
  struct Ref {
    std::size_t kept;
    std::int64_t row;
  };

  // head
  std::vector<ColumnMap> Mapped(const ArrowSchema& schema) const;
  void CheckTable(const ArrowSchema& schema, const Table& there);
  bool IsKey(const std::string& column) const;
  Mode ModeNamed() const;
  bool Inserts() const;
  // worker
  Session& Connected();
  void Prepare(Session& session);
  void ChooseWay(const Session& session);
  std::vector<std::int64_t> Sorted(const ArrowArray& batch) const;
  void Keep(const Rows& in);
  bool Load();
  bool Full() const;
  bool Enough() const;
  void Encode(std::int64_t row);
  std::optional<std::size_t> EncodeRow(std::int64_t row, std::size_t at, Wrong& wrong);
  void Deliver();
  bool DeliverRange(std::size_t first, std::size_t count, bool bad);
  std::optional<Wrong> Attempt(std::size_t first, std::size_t count, Suspect& suspect);
  Suspect Suspected(Session& session, const Wrong& wrong, std::size_t first, std::size_t count);
  std::size_t RowOfKey(const std::string& message, std::size_t first, std::size_t count) const;
  std::optional<Wrong> Judge(Session& session, const Said& said);
  void Resolve();
  void BeginTransaction();
  void Commit();
  void Settle(std::size_t count);
  void Abandon() noexcept;
  void Report();
  template <class F>
  void Guarded(F&& f);

  Link link_;
  Checkpoint checkpoint_;
  bool replay_ = false, positions_ = false;     ///< positions_: in the head, the host takes positions from here
  // worker
  const ArrowSchema* schema_ = nullptr;
  std::vector<ColumnMap> map_;
  std::vector<bool> key_;                       ///< of map_
  std::optional<Table> there_;
  Wording wording_;
  Way chosen_ = Way::kPrepared;
  std::size_t statement_rows_ = 0, statement_bytes_ = 0, max_packet_ = 0;
  std::vector<std::unique_ptr<Encoder>> encoders_;
  std::vector<Cells> cells_;
  std::vector<Ref> refs_;
  std::size_t cell_bytes_ = 0;
  Arena arena_;
  std::unique_ptr<Writer> writer_;
  std::deque<Kept> kept_;
  std::size_t next_kept_ = 0, encoding_ = SIZE_MAX;
  std::uint64_t taken_ = 0;                     ///< the last batch that was kept
  std::int64_t next_row_ = 0, rows_ = 0, bytes_ = 0;
  bool in_transaction_ = false, trust_row_numbers_ = true;
  std::size_t unknown_ = 0;                     ///< batches of the COMMIT whose answer was lost
  std::int64_t most_rows_ = INT64_MAX;          ///< of a transaction, after the server had no room for a larger one
  int careful_ = 0;                             ///< transactions yet that set savepoints
  bool as_bytes_ = false;                       ///< no text needs another character set than it has
  bool warned_ = false;                         ///< also for single statements: one was only warned about
};

}  // namespace etl::mysql
