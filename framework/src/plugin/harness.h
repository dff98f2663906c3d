// What the conformance checks have in common: a plugin in the hands of a strict host.
#pragma once
#include <etl/plugin.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "../data/batch.h"
#include "conformance.h"
#include "elf.h"
#include "fake_host.h"
#include "option_values.h"
#include "registry.h"
#include "sample_batches.h"

namespace etl::host {

/// The plugin broke its contract.
class CheckFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
/// The check says nothing here, as where options or a server are missing.
class CheckSkipped : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One check's process.
struct CheckRun {
  std::string path;  ///< real
  const CheckOptions& options;
  std::string folder;             ///< temporary
  bool change_threads = false;    ///< each call on a thread of its own
  int instances = 0;
  std::map<const Component*, std::string> accepted;  ///< schema that a sink takes

  /// Loads it, whoever owns it.  Throws CheckFailed with the refusal.
  const Plugin& Load() const;
};

/// A check passes by returning what was measured, or nothing.
struct Check {
  int number;
  const char* name;
  std::function<std::string(CheckRun&)> run;
};
std::vector<Check> FileChecks();     ///< 1 to 11
std::vector<Check> LoadChecks();     ///< 12 to 19
std::vector<Check> OptionChecks();   ///< 20 to 24
std::vector<Check> LifeChecks();     ///< 25 to 30
std::vector<Check> DataChecks();     ///< 31 to 37
std::vector<Check> StateChecks();    ///< 38 to 44

/// "sink \"csv\"".
std::string NameOf(const Component& component);

/// Runs `body` for every usable component of these kinds (all when empty) and puts together what they say: failed when one
/// failed, skipped when none could run.
std::string ForEach(CheckRun& run, const std::vector<Kind>& kinds, const std::function<void(const Component&)>& body);

/// The error that is lent to a call, with what must not be written around it.
class ErrorBox {
 public:
  ErrorBox();
  etl_error* get() { return &box_.error; }
  /// Throws CheckFailed when the error or its surroundings are not as they must be for this status.
  void Verify(const std::string& call, etl_status status, const Component& component) const;
  std::string message() const;

 private:
  struct Box {
    etl_error error;
    unsigned char behind[4096];
  } box_;
};

/// Option values for one instance.
class InstanceValues {
 public:
  /// Those given by CheckOptions.values, else defaults, and something plausible for what is required.
  InstanceValues(CheckRun& run, const Component& component);
  /// In-range values at random for all options.
  InstanceValues(CheckRun& run, const Component& component, std::mt19937_64& random);
  const etl_value* data() const { return given_ ? given_->data() : values_.data(); }
  /// Replaces every secret by this text; false if there is none.
  bool SetSecrets(const Component& component, const std::string& text);

 private:
  etl_value Make(CheckRun& run, const Component& component, const etl_option& option, std::uint32_t type, std::mt19937_64* random,
                 int depth);
  std::optional<Values> given_;
  OptionValues arena_;
  std::vector<etl_value> values_;
};

/// A head and its workers.  Everything that goes wrong at the border throws CheckFailed; a call that says no is told to
/// the caller.
class Session {
 public:
  struct Worker {
    std::unique_ptr<FakeHost> host;
    void* self = nullptr;
  };
  Session(CheckRun& run, const Component& component, FakeHost::Table table = FakeHost::Table::kExact);
  Session(CheckRun& run, const Component& component, InstanceValues values);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  etl_status Create();
  void CreateOrSkip();
  Worker& Start();
  void Stop(Worker& worker);
  void Destroy();

  /// Calls `f(etl_error*)`, which stands for the function `name` of the plugin.
  template <class F>
  etl_status Call(const std::string& name, F&& f) {
    ErrorBox box;
    etl_status status = ETL_OK;
    std::string escaped;
    const auto body = [&] {
      try {
        status = f(box.get());
      } catch (const std::exception& error) {
        escaped = std::string("() lets an exception out: ") + error.what();
      }
    };
    if (run_.change_threads)
      std::thread(body).join();
    else
      body();
    if (!escaped.empty()) throw CheckFailed(NameOf(component_) + ": " + name + escaped);
    message_ = box.message();
    errors_ += message_ + '\n';
    box.Verify(NameOf(component_) + ": " + name, status, component_);
    return status;
  }
  /// The same; throws CheckSkipped when it says no.
  template <class F>
  void Must(const std::string& name, F&& f) {
    if (Call(name, f) < 0) throw CheckSkipped(name + "() says \"" + message_ + "\"; give options that work with --options");
  }

  const Component& component() const { return component_; }
  const etl_component& table() const { return component_.table; }
  void* self() const { return self_; }
  FakeHost& host() { return host_; }
  const std::string& message() const { return message_; }
  /// Everything that was said anywhere.
  std::string Said() const;

 private:
  CheckRun& run_;
  const Component& component_;
  FakeHost::Table table_;
  FakeHost host_;
  InstanceValues values_;
  std::vector<std::unique_ptr<Worker>> workers_;
  void* self_ = nullptr;
  std::string message_, errors_;
};

// ---- a whole component in use; all throw CheckSkipped where it cannot be used ----

struct SplitCopy {
  std::string id, state;
  etl_split table() const { return {sizeof(etl_split), 0, {id.data(), id.size()}, {state.data(), state.size()}, -1, -1}; }
};

struct SourceRead {
  std::vector<std::string> rows;        ///< as JSON
  std::vector<std::string> positions;   ///< after each batch
  std::vector<std::size_t> row_counts;  ///< rows up to there
  bool whole = false;                   ///< END was reached
};

SchemaHandle DescribeSource(Session& session);
std::vector<SplitCopy> PlanSource(Session& session, std::size_t most);
/// Reads at most `batches`, each checked against the schema.
SourceRead ReadSplit(Session& session, const ArrowSchema& schema, const SplitCopy& split, const std::string& position,
                     std::size_t batches);

/// A transform that has been given a schema it takes.
struct OpenTransform {
  OpenTransform(CheckRun& run, const Component& component, FakeHost::Table table = FakeHost::Table::kExact);
  /// Rows that came out, as JSON, each batch checked.
  std::vector<std::string> Apply(std::int64_t first, std::int64_t rows, bool nulls, Shape shape);
  std::vector<std::string> Flush();
  std::vector<std::string> TakeOutput();

  Session session;
  SchemaHandle in, out;
  Session::Worker* worker = nullptr;
  std::uint64_t next_row = 1 << 20, next_batch = 1;
};

/// A sink that is open for a schema that it takes.
struct OpenSink {
  /// `schema`: one of SampleSchemaNames(), or empty to find the first that it takes.
  OpenSink(CheckRun& run, const Component& component, std::string_view schema = {},
           FakeHost::Table table = FakeHost::Table::kExact);
  ~OpenSink();
  etl_status Write(std::int64_t first, std::int64_t rows, bool nulls, Shape shape);
  etl_status Flush();
  void End(std::uint32_t outcome);

  Session session;
  SchemaHandle in;
  Session::Worker* worker = nullptr;
  std::uint64_t next_row = 1 << 20, next_batch = 1;
  bool begun = false, transactional = false;

 private:
  void Begin();
};
/// The first of SampleSchemaNames() that a sink takes.
std::string AcceptedSchema(CheckRun& run, const Component& component);

/// Uses a component of any kind for a few batches.
void UseComponent(CheckRun& run, const Component& component, FakeHost::Table table = FakeHost::Table::kExact);

}  // namespace etl::host
