#include "config.h"

namespace etl::host {
namespace {

constexpr etl_option Option(std::uint32_t type, std::uint32_t flags, const char* name,
                            const char* doc, const char* def, const char* range = nullptr,
                            const char* const* choices = nullptr,
                            const etl_option* const* fields = nullptr) {
  return {sizeof(etl_option), type, flags, 0, name, doc, def, range, choices, fields};
}

constexpr const char* kPolicies[] = {"stop", "file", nullptr};

constexpr etl_option kCount =
    Option(ETL_INT, ETL_TUNING, "count", "Most rejected rows in one run.", nullptr, "0..");
constexpr etl_option kRate =
    Option(ETL_FLOAT, ETL_TUNING, "rate", "Most rejected rows as a share of all rows read.",
           nullptr, "0..1");
constexpr const etl_option* kMaxRejects[] = {&kCount, &kRate, nullptr};

constexpr etl_option kMaxElapsed =
    Option(ETL_DURATION, ETL_TUNING, "max_elapsed",
           "How long one call may go on failing before the run stops; \"0s\" is for ever.",
           "\"15m\"", "0s..");
constexpr etl_option kInitial =
    Option(ETL_DURATION, ETL_TUNING, "initial",
           "Longest wait before the first retry; doubles with each.", "\"100ms\"", "1ms..1h");
constexpr etl_option kMax = Option(ETL_DURATION, ETL_TUNING, "max",
                                   "Longest wait between two retries.", "\"30s\"", "1ms..1d");
constexpr const etl_option* kRetry[] = {&kMaxElapsed, &kInitial, &kMax, nullptr};

constexpr etl_option kName = Option(ETL_STRING, ETL_TUNING, "name",
                                    "Names the state, the rejects and the log lines: 1 to 64 of "
                                    "A-Z a-z 0-9 _ . -; the file's name where it is left out.",
                                    nullptr);
constexpr etl_option kMemoryLimit =
    Option(ETL_BYTES, ETL_TUNING, "memory_limit",
           "Most memory that the batches under way and what plugins reserve may take together.",
           "\"256MiB\"", "1MiB..");
constexpr etl_option kOnReject = Option(ETL_STRING, ETL_TUNING, "on_reject",
                                        "What a row that can never be delivered does: it stops the "
                                        "run, or it goes to the rejects file.",
                                        "\"stop\"", nullptr, kPolicies);
constexpr etl_option kMaxRejectsTable =
    Option(ETL_TABLE, ETL_TUNING | ETL_SHORT, "max_rejects",
           "With on_reject = \"file\": stop after more rejected rows than this.", nullptr, nullptr,
           nullptr, kMaxRejects);
constexpr etl_option kRetryTable =
    Option(ETL_TABLE, ETL_TUNING, "retry",
           "How passing faults are tried again: full jitter, inside a budget of time.", "{}",
           nullptr, nullptr, kRetry);
constexpr etl_option kGrace =
    Option(ETL_DURATION, ETL_TUNING, "grace",
           "How long the run may take to drain and save after a signal.", "\"30s\"", "0s..1d");
constexpr etl_option kPoolWorkers = Option(
    ETL_INT, ETL_TUNING, "workers",
    "Threads for the transforms; one for each core where it is left out.", nullptr, "1..1024");
constexpr const etl_option* kPipeline[] = {
    &kName,       &kMemoryLimit, &kOnReject,    &kMaxRejectsTable,
    &kRetryTable, &kGrace,       &kPoolWorkers, nullptr};

constexpr etl_option kReaders = Option(
    ETL_INT, ETL_TUNING, "readers",
    "How many splits are read at once; the host chooses where it is left out.", nullptr, "1..256");
constexpr etl_option kWorkers = Option(
    ETL_INT, ETL_TUNING, "workers",
    "How many batches this transform works on at once; the host chooses where it is left out.",
    nullptr, "1..256");
constexpr etl_option kWriters =
    Option(ETL_INT, ETL_TUNING, "writers",
           "How many batches are written at once; the host chooses where it is left out.", nullptr,
           "1..256");
constexpr etl_option kWhen =
    Option(ETL_STRING, 0, "when",
           "SQL condition over a row; only rows for which it is true come to this sink.", nullptr);

constexpr const etl_option* kNone[] = {nullptr};
constexpr const etl_option* kSourceParallel[] = {&kReaders, nullptr};
constexpr const etl_option* kTransformParallel[] = {&kWorkers, nullptr};
constexpr const etl_option* kSink[] = {&kWhen, nullptr};
constexpr const etl_option* kSinkParallel[] = {&kWriters, &kWhen, nullptr};

}  // namespace

const etl_option* const* PipelineOptions() { return kPipeline; }

const etl_option* const* CommonOptions(Kind kind, std::uint32_t component_flags) {
  const bool parallel = (component_flags & ETL_PARALLEL) != 0;
  switch (kind) {
    case Kind::kSource:
      return parallel ? kSourceParallel : kNone;
    case Kind::kTransform:
      return parallel ? kTransformParallel : kNone;
    case Kind::kSink:
      break;
  }
  return parallel ? kSinkParallel : kSink;
}

}  // namespace etl::host
