// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/plan.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "article.h"
#include "ledger.h"
#include "manifest.h"
#include "pace.h"
#include "server.h"
#include "table.h"
#include "walk.h"

namespace etl::clickhouse {

/// A table at full speed, or from a store that gives few rows a request in slices of time; or a query, in one stream.
class ClickhouseSource : public Source, public Server {
 public:
  static constexpr auto kType = "clickhouse";
  static constexpr auto kSummary = "Reads a table or a query of ClickHouse, also from a service that gives only so many rows a request.";
  static constexpr std::uint32_t kFlags = ETL_PARALLEL | ETL_REPLANS | ETL_LOCAL;   // pieces that were divided end where the plan says
  std::string table, where, query, time_column, from, to, strategy = "auto", shard_by, manifest, strings = "text", fixed_strings = "binary";
  std::vector<std::string> columns, order_by, shard_values;
  std::vector<std::pair<std::string, std::string>> params;
  bool final = false, expand = false;
  std::int64_t max_rows_per_request = 0, concurrency = 0;
  double requests_per_second = 0;
  std::chrono::nanoseconds slice = std::chrono::minutes(2), overlap{0}, retry_pause{0};
  Bytes page_bytes{64 << 20}, max_row_bytes{64 << 20};

  static detail::DeclaredList Options();
  static const void* Extension(std::string_view id);
  /// For `etl plan`.
  std::optional<Foreseen> Foresee();
  /// Of the options alone; the server is asked by Describe().
  void Check() override;
  std::string Identity() override;
  Schema Describe() override;
  void Plan(bool fresh, std::string_view state) override;
  bool PlanNext(Split& out, std::string& state) override;
  std::string CarryOver() override;
  void Open(const Split& split, std::string_view position) override;
  bool Next(Batch&, std::string&) override { return false; }
  bool NextArray(ArrowArray* out, std::string& position) override;
  void Interrupt() noexcept override;

 private:
  enum class Mode { kLimited, kRanges, kStream };
  struct Shard {
    Rates rates{1};
    Article::Statistics statistics;
    Intervals done;             ///< by earlier passes
  };
  struct Range {
    Key from, to;
  };
  /// Where a range that is read in order goes on: at a key, inside it at an offset, or behind it (-1).
  struct Dense {
    Key from;
    std::int64_t offset = 0;
    bool group = false;
  };
  struct Bounds {
    std::optional<std::int64_t> from, to;
  };
  // head
  Connection& Connected();
  void Prepare();
  void CheckOptions() const;
  void CheckSettings();
  void TryPageSettings();
  void WarnOfStream(const std::string& why);
  void FindShards();
  Bounds GivenBounds() const;
  Interval FindBounds(const Bounds& given);
  Rates FirstRates() const;
  void PlanLimited(bool fresh, std::string_view state);
  bool NextPiece(Split& out, std::string& state);
  bool NextRanges(Split& out, std::string& state);
  void OpenPiece(const Split& split, std::string_view position);
  void OpenRanges(const Split& split, std::string_view position);
  std::vector<std::string> SavePieces() const;
  std::string SavePlan() const;
  std::int64_t PageBytes() const;
  void PlanRanges(Key from);
  static void RefuseSecond(std::set<std::string>& seen, const std::string& shard_value);
  std::vector<Key> Borders(std::size_t columns, const Key& from, std::int64_t rows, std::int64_t parts, bool& even);
  void LoadManifest();
  std::int64_t CountSeconds(const std::string& shard, std::int64_t begin, std::int64_t end, std::int64_t& hours,
                            std::vector<std::pair<std::int64_t, std::int64_t>>& out);
  double Work(const std::string& shard, std::int64_t from, std::int64_t to) const;
  std::int64_t SliceEnd(const std::string& shard, std::int64_t time) const;
  // worker
  ClickhouseSource& Head() { return is_worker() ? HeadAs<ClickhouseSource>() : *this; }
  const ClickhouseSource& Head() const { return is_worker() ? HeadAs<ClickhouseSource>() : *this; }
  bool NextLimited(ArrowArray* out, std::string& position);
  bool NextArticle(ArrowArray* out, std::string& position);
  bool NextRange(ArrowArray* out, std::string& position);
  bool NextStreamed(ArrowArray* out, std::string& position);
  void Fetch(const Statement& statement, Page& page, std::int64_t most_bytes);
  Got Judge(const Page& page, std::int64_t limit) const;
  bool FetchPage(const clickhouse::Ask& ask, bool all_columns, Page& page);
  void Trouble(const TooMuch& fault);
  void Fine();
  void Give(Page& page, std::int64_t rows, ArrowArray* out);
  void WaitForHalves();
  std::int64_t CountOf(const clickhouse::Ask& ask);

  std::unique_ptr<Connection> connection_;
  std::mutex connection_mutex_;   ///< over connection_ itself, for Interrupt
  // The head finds these; workers read them there.
  Table table_;
  Mode mode_ = Mode::kStream;
  bool prepared_ = false, ordered_ = true, has_manifest_ = false;
  std::string version_, coding_ = "none";
  Manifest manifest_;
  std::vector<CType> given_types_;
  std::vector<std::string> shard_names_;
  std::set<std::string> skipped_;
  Pace pace_;
  std::atomic<std::int64_t> most_seen_{0};     ///< rows in one answer: the store gives at least so many
  std::atomic<std::int64_t> store_limit_{0};   ///< rows that the store gives at most, found out
  // planning
  mutable std::mutex mutex_;                   ///< over all below
  std::map<std::string, Shard> shards_;
  Ledger ledger_;
  std::vector<Ledger::Piece> queue_;           ///< to be handed out, the next one is the last
  std::map<std::string, std::int64_t> cuts_;   ///< where pieces end that were divided
  std::map<std::string, std::string> halves_;  ///< taken from a piece and not opened yet: by id, of which
  std::int64_t next_id_ = 0;
  Interval want_;              ///< what this pass is to read
  std::vector<Range> ranges_;
  const std::shared_ptr<Spares> spares_ = std::make_shared<Spares>();
  std::size_t next_range_ = 0;
  bool stream_planned_ = false;
  // worker
  std::string id_, shard_;
  std::unique_ptr<Walk> walk_;
  std::unique_ptr<Reach> reach_;
  std::unique_ptr<Inside> inside_;
  std::unique_ptr<Article> article_;
  std::vector<std::pair<Page, std::string>> held_;   ///< article: the slice so far, with the positions behind its pages
  std::deque<std::pair<Page, std::string>> ready_;
  std::int64_t doubted_ = -1;                  ///< article: rows of the slice when some came twice
  bool doubtful_ = false;
  std::int64_t page_rows_ = 0;                 ///< rows that are asked for: less than the limit after trouble
  double typical_ = 0;                         ///< seconds a request
  std::vector<Range> own_ranges_;
  std::size_t at_range_ = 0;
  std::unique_ptr<Dense> dense_;
  std::int64_t dense_rows_ = 65'536;
  bool streaming_ = false, ended_ = false;
  std::int64_t at_row_ = 0, skip_ = 0, asked_ = 0;
};

}  // namespace etl::clickhouse
