// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <mutex>

#include "key.h"
#include "plan.h"
#include "types.h"

namespace etl::mysql {

/// Reads only what is as new as the last run's newest, or newer.
struct Incremental {
  std::string column;
  std::chrono::nanoseconds lag{0};
  static auto Options() {
    return etl::Options(Option("column", &Incremental::column, "A column that grows: a sequence, or a time of change.").Required(),
                        Option("lag", &Incremental::lag,
                               "How much later than its time a row may become visible: so much before the last mark is read again."));
  }
};

/// Ranges of so many ids, (offset + i * size, offset + (i + 1) * size], rather than ranges of so many rows.
struct Windows {
  std::int64_t size = 10'000, offset = 0, batches = 0;
  static auto Options() {
    return etl::Options(Option("size", &Windows::size, "Ids in a range.").Range("1.."),
                        Option("offset", &Windows::offset, "The id before the first."),
                        Option("batches", &Windows::batches, "How many ranges; 0: up to the greatest id.").Range("0.."));
  }
};

/// A table in ranges of its key, by several readers; or a query, in one stream.
class MysqlSource : public Source, public Server {
 public:
  static constexpr auto kType = "mysql";
  static constexpr auto kSummary = "Reads a table of MySQL or MariaDB in ranges of its key, or a query.";
  static constexpr std::uint32_t kFlags = ETL_PARALLEL;
  std::string table, where, query, zero_dates = "fail", datetime = "local", snapshot = "fuzzy";
  std::vector<std::string> columns, split_by;
  std::map<std::string, std::string> zero_dates_of;
  std::optional<Incremental> incremental;
  std::optional<Windows> windows;
  std::int64_t chunk_rows = 20'000, batch_rows = 8192, connections = 8;
  Bytes page_bytes{8 << 20}, max_row_bytes{64 << 20};

  static detail::DeclaredList Options();
  void Check() override;
  std::string Identity() override;
  Schema Describe() override;
  void Plan(bool fresh, std::string_view state) override;
  bool PlanNext(Split& out, std::string& state) override;
  std::string CarryOver() override { return high_; }
  void Open(const Split& split, std::string_view position) override;
  bool Next(Batch& out, std::string& position) override;
  void Interrupt() noexcept override;

 private:
  struct Ready {
    Batch batch;
    std::string position;
  };
  using Result = std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)>;
  // head
  Session& Connected() { return link_.Get([this](Session& s) { Check(s); }); }
  void Check(Session& session);
  void Prepare();
  void FindColumns(Session& session);
  void MarkIncremental(Session& session);
  void ShareSnapshot();
  std::unique_ptr<Session> TakeShared();
  std::string Conditions() const;
  bool NextWindow(Range& out);
  // worker
  const MysqlSource& Head() const { return HeadAs<MysqlSource>(); }
  void Query(Session& session, const std::string& sql);
  void Smaller(unsigned code);
  bool ReadPage();
  bool ReadPageRows(std::int64_t limit);
  bool SkipGiant();
  bool NextStreamed(Batch& out, std::string& position);
  void Take(MYSQL_ROW row, const unsigned long* sizes, Batch& out, const std::function<std::string()>& place);

  Link link_{*this, Side::kSource};
  // The head finds these; workers read them there.
  std::vector<ReadColumn> read_;
  std::string list_, server_id_, base_;
  Key key_;
  std::vector<unsigned> key_at_;              ///< where the key's columns stand in a result
  std::int64_t average_row_ = 256;
  bool prepared_ = false, transactional_ = false;
  // planning
  std::unique_ptr<Planner> planner_;
  std::string low_, high_;                    ///< incremental: literals; rows from low_ to high_
  std::int64_t planned_ = 0, window_ = 0, last_id_ = 0;
  bool one_stream_planned_ = false;
  bool narrow_ = false;                       ///< also in a worker: few rows, which another index finds
  std::mutex shared_mutex_;
  std::vector<std::unique_ptr<Session>> shared_;
  bool share_ = false;
  // worker
  Range range_;
  std::string bounds_;                        ///< incremental's, of this pass
  std::deque<Ready> ready_;
  bool ended_ = false;
  std::int64_t limit_ = 0, at_ = 0, skip_ = 0;
  Result result_{nullptr, mysql_free_result};
};

}  // namespace etl::mysql
