// SPDX-License-Identifier: Apache-2.0
/// A query over batches of one schema: checked, typed, and run.
#pragma once
#include <etl/sdk.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "batch_table.h"
#include "database.h"
#include "files/value_type.h"
#include "select.h"

namespace etl::sql {

/// A column of the result: a column of the batch as it is, or an expression.
struct ResultColumn {
  std::string name;
  std::int64_t from = -1;    ///< the batch's column, or -1
  int expression = -1;       ///< the statement's column, or -1
  files::FileColumn type;    ///< of an expression
};

/// Name and type name, as in the option `types`.
using TypeNames = std::vector<std::pair<std::string, std::string>>;

/// One thread.  What is passed through never goes through SQLite: the statement that runs computes the expressions and the
/// condition only, and does not run at all where there are neither.
class Query {
 public:
  /// Throws std::invalid_argument: what is wrong with the query and what to do instead; ConfigError for `types`.
  Query(Schema in, const Select& select, const TypeNames& types);

  Schema schema() const;
  const std::vector<ResultColumn>& columns() const { return columns_; }
  bool runs() const { return statement_ != nullptr; }

  /// The rows of the batch that pass, and what was computed for each; `reject` is given the others that failed, with the
  /// reason.  `cancelled` is asked now and then: true ends in Cancelled.
  struct Result {
    std::vector<std::int64_t> rows;
    Batch computed;
  };
  Result Run(const ArrowArray& batch, const std::function<bool()>& cancelled,
             const std::function<void(std::int64_t row, const std::string& reason)>& reject);

 private:
  Statement Prepare(const std::string& sql, std::string* error = nullptr);
  void CheckPlan(const Select& select);
  void FindColumns(const Select& select);
  void FindTypes(const Select& select, const TypeNames& types);
  void Infer(const Select& select, const std::vector<std::string>& declared);
  void PrepareToRun(const Select& select);
  static int Authorize(void* self, int action, const char* a, const char* b, const char*, const char*) noexcept;
  int Judge(int action, const char* a, const char* b);

  Schema in_;
  std::shared_ptr<const ArrowSchema> arrow_;
  BatchTable table_;
  Database db_;
  std::string denied_;
  std::vector<ResultColumn> columns_;
  std::vector<bool> item_passes_;  ///< of Select::items
  std::vector<std::size_t> expressions_;  ///< which of columns_, in the order of `computed`
  Schema computed_;
  Statement full_, statement_;
  const std::function<bool()>* cancelled_ = nullptr;
};

}  // namespace etl::sql
