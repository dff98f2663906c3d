// SPDX-License-Identifier: Apache-2.0
/// Positions in the same database as the rows: tables _etl_owner and _etl_checkpoint.
///
/// A run takes over with a new epoch; each transaction holds a shared lock on the owner's row, so that none of an older epoch
/// can commit after that.  In the row with the empty split each transaction counts itself: that row, locked until the
/// transaction has ended one way or the other, says what became of a COMMIT whose answer was lost.
#pragma once
#include <etl/sdk.h>

#include <functional>
#include <map>
#include <string>

#include "session.h"

namespace etl::mysql {

class Checkpoint {
 public:
  Checkpoint() = default;
  Checkpoint(std::string pipeline, std::string run) : pipeline_(std::move(pipeline)), run_(std::move(run)) {}

  /// Makes the tables, takes over, forgets other passes.
  void TakeOver(Session& session);
  /// The positions of this pass.
  void Read(Session& session, const std::function<void(const Mark&)>& give) const;
  /// At the beginning of a transaction; throws ETL_FENCED when another run has taken over.
  void Enter(Session& session) const;
  /// Before its COMMIT.
  void Save(Session& session, const std::map<std::string, Mark>& marks);
  /// After a COMMIT whose answer was lost, on a new session: was it done?
  bool Done(Session& session);
  /// The COMMIT is known to be done.
  void Next() { ++commits_; }

 private:
  [[noreturn]] void Fenced() const;
  std::string Where() const;
  std::string pipeline_, run_;
  std::int64_t epoch_ = 0, commits_ = 0;
};

}  // namespace etl::mysql
