// A host for tests of plugins: calls their tables as the real one does, one step at a time, and writes down what they say.
#pragma once
#include <etl/json.h>
#include <etl/sdk.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "plugin/option_values.h"

namespace etl::test {

/// What a call of a plugin said, other than OK, END or PENDING.
struct Failure : std::runtime_error {
  Failure(etl_status status, const etl_error& e)
      : runtime_error(e.message), status(status), option(e.option), code(e.code) {}
  etl_status status;
  std::string option;
  std::int64_t code;
};

struct Rejected {
  std::uint64_t row = ETL_NO_ROW;
  std::string reason, raw, where;
};

/// One etl_host table; any thread.
class FakeHost {
 public:
  FakeHost();
  FakeHost(const FakeHost&) = delete;
  const etl_host* table() const { return &table_; }

  std::vector<Rejected> rejects;
  std::vector<std::string> logs;
  std::map<std::string, double> metrics;
  std::vector<std::uint64_t> settled;

 private:
  static FakeHost& Of(const etl_host* h) { return *static_cast<FakeHost*>(h->impl); }
  std::mutex mutex_;
  etl_host table_{};
};

/// Options by name, as they are written in TOML.
using TomlOptions = std::vector<std::pair<std::string, std::string>>;

/// The component of that type in the plugin that the test is linked with; kind: 's'ource, 't'ransform or sin'k'.
const etl_component& FindComponent(char kind, const std::string& type);

/// A component's head.
class Head {
 public:
  Head(const etl_component& component, const TomlOptions& options);
  ~Head();
  Head(const Head&) = delete;
  const etl_component& component() const { return component_; }
  void* self() const { return self_; }
  FakeHost host;

 private:
  const etl_component& component_;
  host::OptionValues owner_;
  std::vector<etl_value> values_;
  void* self_ = nullptr;
};

class Worker {
 public:
  explicit Worker(Head& head);
  ~Worker();
  Worker(const Worker&) = delete;
  void* self() const { return self_; }
  FakeHost host;

 private:
  Head& head_;
  void* self_ = nullptr;
};

struct PlannedSplit {
  std::string id, state, plan_state;
  std::int64_t rows, bytes;
};

/// A batch as it came, and the position after it.
struct ReadBatch {
  std::vector<std::string> rows;  ///< as JSON
  std::string position;
};

class TestSource {
 public:
  TestSource(const std::string& type, const TomlOptions& options);
  /// The schema as "id:l name:u data:json".
  std::string Describe();
  std::vector<PlannedSplit> Plan(bool fresh = true, const std::string& state = "");
  /// All batches of a split from a position on, by a worker of its own.
  std::vector<ReadBatch> ReadBatches(const PlannedSplit& split, const std::string& position = "");
  /// All rows of all splits.
  std::vector<std::string> ReadAll();
  Head& head() { return head_; }
  const ArrowSchema& schema() const { return schema_; }

  std::vector<Rejected> rejects;  ///< of the workers

 private:
  Head head_;
  std::shared_ptr<const ArrowSchema> owner_;
  ArrowSchema schema_{};
};

class TestSink {
 public:
  TestSink(const std::string& type, const TomlOptions& options, const Schema& schema);
  /// flags: ETL_RESUMED, ETL_REPLAY.
  void Begin(std::uint32_t flags = 0);
  void Open(const std::string& state = "");
  etl_status Write(Batch& batch);
  std::string Flush();
  void End(std::uint32_t outcome = ETL_COMPLETE);
  /// Stops the worker as after a crash, without flush or end.
  void Stop() { worker_.reset(); }
  Worker& worker() { return *worker_; }
  Head& head() { return head_; }

 private:
  Head head_;
  std::shared_ptr<const ArrowSchema> schema_;
  std::unique_ptr<Worker> worker_;
  std::uint64_t next_batch_ = 1, next_row_ = 0;
};

}  // namespace etl::test
