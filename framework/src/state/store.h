// Where a pipeline stands: one SQLite file a pipeline, in a folder of its own with the rejects.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../config/config.h"

namespace etl::host {

struct SplitState {
  std::string id, state, position;   ///< position: the low watermark; empty = not begun
  std::uint64_t seq = 0;             ///< batches up to the position
  std::int64_t rows = -1, bytes = -1;
  std::int64_t rows_read = 0;        ///< up to the position
  bool done = false;
};

using Identity = std::vector<std::pair<std::string, std::string>>;   ///< "source.path" -> "\"x.csv\""

/// Everything that is saved.
struct State {
  std::int64_t generation = 0;       ///< passes over the source begun, this one included
  bool complete = false;             ///< the pass came to its end
  std::string key;                   ///< names the pass: "NAME/generation/random"
  std::string plan_state;
  bool plan_begun = false;           ///< plan_state is of this pass, not what the last one handed over
  bool planned_all = false;
  std::map<std::string, SplitState> splits;
  std::map<std::string, std::string> worker_states;   ///< "sink[0]/0" -> what flush() gave
  std::map<std::string, std::string> kept;            ///< "sink[0]" -> what keep() noted
  std::map<std::string, std::int64_t> totals;         ///< rows_read, rows_delivered, rows_rejected, rows_filtered
  Identity identity;
  std::string saved_at;              ///< UTC, ISO 8601
  std::string schema;                ///< SchemaText of the source
};

/// The folder of a pipeline's state: `state_dir`/NAME if state_dir is given, else $ETL_STATE_DIR/NAME, else .etl/NAME beside
/// the pipeline file.
std::string StateFolder(const PipelineConfig& config, const std::string& state_dir);

/// Holds the pipeline's lock for life.  One thread at a time.
class StateStore {
 public:
  /// Makes the folder (0700) where it is missing, takes the lock, opens or makes state.db.  Throws Error(kBusy) with the
  /// holder's pid, host and start; Error(kState) when the store is unusable, corrupt, or of a newer etl.
  explicit StateStore(const std::string& folder);
  ~StateStore();

  State Load();                      ///< generation 0 when nothing was ever saved
  /// Everything, in one transaction; only what changed is written.  Throws Error(kState).
  void Save(const State& state);
  void Reset();                      ///< forgets all; keeps the rejects file

  const std::string& folder() const;
  std::string rejects_file() const;  ///< folder/rejects.ndjson

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads without the lock, also while a run goes on.  generation 0 when there is none.
State PeekState(const std::string& folder);
/// pid, host and start of the run that holds the folder's lock, or empty.
std::string LockHolder(const std::string& folder);

/// What differs, a line a field: `source.table: state has "a", the pipeline now says "b"`.  Nothing differs from a state
/// without an identity: it was accepted as it is (etl state accept).
std::vector<std::string> Differences(const Identity& saved, const Identity& now);

}  // namespace etl::host
