// SPDX-License-Identifier: Apache-2.0
/// What the answers of a bulk request mean for its rows.  Pure functions: status and type decide, in that order.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace etl::elasticsearch {

enum class Action : std::uint8_t { kIndex, kCreate, kUpdate, kUpsert, kDelete };
/// The word on an action line; upserts are updates there.
std::string_view Word(Action action);

enum class Verdict : std::uint8_t {
  kDelivered,
  kDuplicate,   ///< delivered: it was there already, by an earlier try of our own
  kSuperseded,  ///< delivered: a newer version is there
  kSkipped,     ///< there already, and on_conflict = "skip"
  kRetry,       ///< passes; the same again
  kRetryFew,    ///< the same again up to kFew times, then kReject
  kReject,      ///< this row can never succeed
  kSplit,       ///< too much at once: halves; a row that stands alone is rejected
  kProtocol,    ///< no answer that could be believed: the same again up to kMostProtocol times
  kStop,        ///< lasting, and not this row's fault
};
constexpr unsigned kFew = 3, kMostProtocol = 5;

/// What the options say about it.
struct Policy {
  bool skip_conflicts = false;     ///< on_conflict = "skip"
  bool external_versions = false;  ///< version_type = external or external_gte
};

/// One item of a reply.  Views live as long as the reply's text.
struct Item {
  Action said = Action::kIndex;    ///< the word of the item; kUpdate also for upserts
  int status = 0;
  int failed_shards = 0;           ///< replicas that do not have it yet
  bool created = false, noop = false;   ///< noop: nothing was written.  Only where the reply tells results
  std::string_view type, reason, cause;
};

/// `unsure`: an earlier try of this row may have been applied.
Verdict JudgeItem(const Item& item, Action sent, bool unsure, const Policy& policy);
/// A reply that is not 200: what it means for all rows of the request.
Verdict JudgeReply(int status, std::string_view type, std::string_view reason);

}  // namespace etl::elasticsearch
