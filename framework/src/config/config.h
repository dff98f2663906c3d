// The pipeline file: TOML text in, a checked PipelineConfig out, or every mistake at once.
#pragma once
#include <etl/plugin.h>

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../plugin/registry.h"

namespace etl::host {

/// Where something stands.  line 0: not in a file (a --set, a default).
struct Place {
  std::string file;
  int line = 0, column = 0;
};

/// One mistake or warning.  Text() is what the user sees:
///   users.toml:14:3: unknown key "bacth_size" in [sink]; did you mean "batch_size"?
///      14 |   bacth_size = 500
///         |   ^
struct Problem {
  Place place;
  std::string message;
  std::string
      source_line;  ///< as shown: secrets are "***", control characters escaped, a long line cut
  bool warning = false;
  int caret = 0;  ///< column of source_line under which the caret stands
  std::string Text() const;
};

/// All the mistakes of a file, in the order of the file.
class ConfigErrors : public std::runtime_error {
 public:
  explicit ConfigErrors(std::vector<Problem> problems);
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  std::vector<Problem> problems_;
};

/// Option values in the shape that create() takes: one for each declared option, in its order,
/// defaults filled in. Movable; the pointers inside stay valid.
class Values {
 public:
  Values();
  ~Values();
  Values(Values&&) noexcept;
  Values& operator=(Values&&) noexcept;
  const etl_value* data() const;

  struct Store;
  std::unique_ptr<Store> store;  ///< owns the strings and items
};

/// A [source], [[transform]] or [[sink]].
struct StageConfig {
  std::string key;   ///< "source", "transform[0]", "sink[1]"
  std::string type;  ///< as written
  const Component* component = nullptr;
  Values values;
  int workers = 0;   ///< `readers` of a source, `workers` of a transform, `writers` of a sink; 0 =
                     ///< the host chooses
  std::string when;  ///< sink: SQL condition, or empty
  Place place;       ///< of the table's header
  std::map<std::string, Place> places;  ///< by option ("tls.ca"), for errors that come later
  /// What state belongs to: option and value as TOML text, without secrets and ETL_TUNING options,
  /// in declared order.
  std::vector<std::pair<std::string, std::string>> identity;
};

struct RetryPolicy {
  std::int64_t max_elapsed_ns = 900'000'000'000, initial_ns = 100'000'000, max_ns = 30'000'000'000;
};

enum class OnReject { kStop, kFile };

struct PipelineConfig {
  std::string name;       ///< [pipeline] name; default: the file's name without .toml
  std::string file, dir;  ///< absolute
  std::int64_t memory_limit = 256 << 20;
  OnReject on_reject = OnReject::kStop;
  std::int64_t max_reject_count = -1;  ///< -1: no limit
  double max_reject_rate = -1;         ///< -1: no limit; else 0..1
  RetryPolicy retry;
  std::int64_t grace_ns = 30'000'000'000;  ///< `grace`: how long a drain may take after a signal
  int workers = 0;  ///< `workers`: threads for the transforms; 0 = one for each core
  StageConfig source;
  std::vector<StageConfig> transforms, sinks;
  const Component* filter = nullptr;  ///< the transform that serves `when`, if a sink has one
  std::vector<Problem>
      warnings;  ///< deprecated options, secrets in plain text, world-readable secret files …
  std::vector<std::string> secrets;  ///< every secret's value: for redaction

  /// A problem at an option of a stage, with file, line and caret: for an ETL_CONFIG that a plugin
  /// said.
  Problem At(const StageConfig& stage, const std::string& option, const std::string& message) const;
  std::shared_ptr<const std::string> text;  ///< the file's, for At()
};

/// Reads and checks `file` ("-" is standard input), with `sets` ("sink.table=orders": TOML values,
/// or bare strings) laid over it.  Contacts nothing.  Throws ConfigErrors with every mistake, Error
/// where the file cannot be read.
PipelineConfig LoadConfig(const std::string& file, const std::vector<std::string>& sets,
                          Registry& registry);

/// Nearest of `candidates` to what was typed, or empty when none is near.
std::string Nearest(std::string_view typed, const std::vector<std::string>& candidates);

/// Replaces every known secret by "***" and escapes control characters.
class Redactor {
 public:
  explicit Redactor(std::vector<std::string> secrets = {});
  std::string Clean(std::string_view text) const;

 private:
  std::vector<std::string> secrets_;
};

/// A `key` of the host's own, as for plugins: from these the checks, the reference and the schema
/// of [pipeline] and of the keys common to all stages come.  Null-terminated arrays of options.
const etl_option* const* PipelineOptions();
const etl_option* const* CommonOptions(Kind kind, std::uint32_t component_flags);

}  // namespace etl::host
