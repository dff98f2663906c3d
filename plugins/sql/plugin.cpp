// SPDX-License-Identifier: Apache-2.0
#include <etl/sdk.h>
#include <etl/take.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "query.h"

namespace {

class Sql : public etl::Transform {
 public:
  static constexpr auto kType = "sql";
  static constexpr auto kSummary = "Filters, renames, casts and computes columns with one SELECT over each batch.";
  static constexpr auto kDoc =
      "The query is one `SELECT ... FROM batch [WHERE ...]` in SQLite's SQL. Columns that are only passed through keep their "
      "exact type and never go through SQLite. What looks at more than one row (aggregates, DISTINCT, ORDER BY, LIMIT, "
      "joins, window functions) is refused, since a batch is only a piece of the rows.";

  std::optional<std::string> query, where;
  etl::sql::TypeNames types;

  static auto Options() {
    return etl::Options(
        etl::Option("query", &Sql::query, "`SELECT ... FROM batch [WHERE ...]`. Either this or `where`."),
        etl::Option("where", &Sql::where, "A condition that rows must meet; all columns stay. Either this or `query`."),
        etl::Option("types", &Sql::types,
                    "Types of computed columns by name, where they are not what the expression says: bool, int8 to int64, "
                    "uint8 to uint64, float32, float64, utf8, json, binary, date, time, timestamp (with zone), "
                    "timestamp_local (without), decimal(PRECISION,SCALE)."));
  }

  static const void* Extension(std::string_view id) {
    static const etl_filter filter{sizeof filter, 0, "where"};
    return id == ETL_EXT_FILTER ? &filter : nullptr;
  }

  etl::Schema Describe(const etl::Schema& in) override { return MakeQuery(in)->schema(); }

  void Open(const etl::Schema& in) override {
    query_ = MakeQuery(in);
    cancelled_ = [this] { return host.Cancelled(); };
  }

  void Apply(const etl::Rows& in) override {
    if (in.size() == 0) return;
    if (!query_->runs()) return EmitRows(in, nullptr);
    auto result = query_->Run(in.array(), cancelled_, [&](std::int64_t row, const std::string& reason) {
      host.Reject(in.row(row), reason);
    });
    if (!result.rows.empty()) EmitRows(in, &result);
  }

 private:
  std::unique_ptr<etl::sql::Query> MakeQuery(const etl::Schema& in) const {
    if (query.has_value() == where.has_value()) {
      throw etl::ConfigError("query", query ? "`query` and `where` are both given; keep one of them"
                                            : "neither `query` nor `where` is given; write query = \"SELECT ... FROM batch\"");
    }
    try {
      const etl::sql::Select select = query ? etl::sql::ParseSelect(*query) : etl::sql::SelectWhere(*where);
      return std::make_unique<etl::sql::Query>(in, select, types);
    } catch (const std::invalid_argument& e) {
      throw etl::ConfigError(query ? "query" : "where", e.what());
    }
  }

  /// `result`: rows that stay and what was computed; null: every row, nothing computed.
  void EmitRows(const etl::Rows& in, etl::sql::Query::Result* result) {
    const std::int64_t n = result ? static_cast<std::int64_t>(result->rows.size()) : in.size();
    const bool all = n == in.size();
    std::vector<std::uint64_t> origin;
    if (!all) {
      for (const std::int64_t row : result->rows) origin.push_back(in.row(row));
    }
    ArrowArray batch = in.Keep();
    const Released release{&batch};
    Columns columns;
    std::size_t computed = 0;
    for (const auto& c : query_->columns()) {
      ArrowArray column;
      if (c.from < 0) result->computed[computed++].Finish(&column);
      else if (all && LastUse(c)) column = etl::MoveColumn(batch, c.from);
      else Pick(batch, c.from, n, all ? nullptr : &result->rows, &column);
      columns.list.push_back(column);
    }
    ArrowArray out;
    etl::MakeBatch(columns.list, n, &out);
    try {
      host.Emit(&out, all ? nullptr : origin.data());
    } catch (const etl::Error& e) {
      if (e.status != ETL_RETRY) throw;
      throw etl::Fatal(std::string(e.what()) + ", and its input is taken apart by now");
    }
  }

  struct Released {
    ArrowArray* array;
    ~Released() { array->release(array); }
  };
  struct Columns {
    std::vector<ArrowArray> list;
    ~Columns() {
      for (ArrowArray& c : list) {
        if (c.release) c.release(&c);
      }
    }
  };

  /// A column that the query names twice can be moved only the last time.
  bool LastUse(const etl::sql::ResultColumn& c) const {
    for (const auto* later = &c + 1; later < query_->columns().data() + query_->columns().size(); ++later) {
      if (later->from == c.from) return false;
    }
    return true;
  }

  void Pick(const ArrowArray& batch, std::int64_t column, std::int64_t n, const std::vector<std::int64_t>* rows, ArrowArray* out) const {
    std::vector<std::int64_t> at(rows ? *rows : std::vector<std::int64_t>(static_cast<std::size_t>(n)));
    for (std::int64_t i = 0; i < n; ++i) {
      auto& row = at[static_cast<std::size_t>(i)];
      row = (rows ? row : i) + batch.offset;
    }
    etl::Take(*in_schema().children[column], *batch.children[column], at, out);
  }

  std::unique_ptr<etl::sql::Query> query_;
  std::function<bool()> cancelled_;
};

}  // namespace

ETL_PLUGIN("etl.sql", "1.0.0", "Apache-2.0", Sql)
