// SPDX-License-Identifier: Apache-2.0
#include "judge.h"

namespace etl::elasticsearch {
namespace {

bool Has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// The block that a full disk sets, and that goes when there is room again; before 7.8 with status 403.
bool IsFloodStage(std::string_view type, std::string_view reason) {
  return type == "cluster_block_exception" && (Has(reason, "FORBIDDEN/12/") || Has(reason, "TOO_MANY_REQUESTS/12/") ||
                                               Has(reason, "read-only / allow delete") || Has(reason, "read-only-allow-delete") || Has(reason, "flood-stage"));
}

/// Refusals of a kind of request, not of this document.
bool IsForAll(std::string_view reason) {
  return Has(reason, "pipeline with id [") || Has(reason, "with an op_type of create are allowed in data streams") || Has(reason, "maximum normal shards open") ||
         Has(reason, "maximum shards open");
}

Verdict JudgeConflict(Action sent, bool unsure, const Policy& policy) {
  if (sent == Action::kCreate && unsure) return Verdict::kDuplicate;
  if (policy.external_versions) return Verdict::kSuperseded;
  if (policy.skip_conflicts) return Verdict::kSkipped;
  // Somebody else changed the document between the server's reading and writing it: that passes.
  if (sent == Action::kUpdate || sent == Action::kUpsert) return Verdict::kRetryFew;
  return Verdict::kReject;
}

}  // namespace

std::string_view Word(Action action) {
  switch (action) {
    case Action::kCreate: return "create";
    case Action::kUpdate: case Action::kUpsert: return "update";
    case Action::kDelete: return "delete";
    default: return "index";
  }
}

Verdict JudgeItem(const Item& item, Action sent, bool unsure, const Policy& policy) {
  const std::string_view type = item.type;
  switch (item.status) {
    case 200: case 201: return type.empty() ? Verdict::kDelivered : Verdict::kProtocol;
    case 400:
      if (type == "index_closed_exception" || type == "invalid_index_name_exception" || IsForAll(item.reason)) return Verdict::kStop;
      return type.empty() ? Verdict::kProtocol : Verdict::kReject;
    case 401: return Verdict::kStop;
    case 403: return IsFloodStage(type, item.reason) ? Verdict::kRetry : Verdict::kStop;
    case 404:
      if (sent == Action::kDelete && type.empty()) return Verdict::kDelivered;
      if (type == "index_not_found_exception" || type == "alias_not_found_exception") return Verdict::kStop;
      return type.empty() ? Verdict::kProtocol : Verdict::kReject;
    case 409: return type.empty() || type == "version_conflict_engine_exception" ? JudgeConflict(sent, unsure, policy) : Verdict::kReject;
    case 413: return Verdict::kSplit;
    case 429:
      return type == "circuit_breaking_exception" && Has(item.reason, "PERMANENT") ? Verdict::kSplit : Verdict::kRetry;
    case 500: return Verdict::kRetryFew;
    case 408: case 425: case 502: case 503: case 504: return Verdict::kRetry;
    default: return Verdict::kProtocol;
  }
}

Verdict JudgeReply(int status, std::string_view type, std::string_view reason) {
  switch (status) {
    case 400:
      // What the URL says is wrong for all rows alike.
      if (Has(reason, "unrecognized parameter") || type == "invalid_index_name_exception" || type == "index_closed_exception" ||
          Has(reason, "pipeline with id") || type == "parse_exception") {
        return Verdict::kStop;
      }
      return type.empty() ? Verdict::kProtocol : Verdict::kSplit;
    case 403: return IsFloodStage(type, reason) ? Verdict::kRetry : Verdict::kStop;
    case 413: return Verdict::kSplit;
    case 429: return Has(reason, "PERMANENT") ? Verdict::kSplit : Verdict::kRetry;
    case 500: return Verdict::kRetryFew;
    case 408: case 425: case 502: case 503: case 504: return Verdict::kRetry;
    default: return status >= 200 && status < 300 ? Verdict::kProtocol : Verdict::kStop;
  }
}

}  // namespace etl::elasticsearch
