// What the project's own plugins make of a type: seen by running them.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "handover.h"
#include "run/run.h"
#include "samples.h"
#include "temp_dir.h"

namespace etl::test {

/// Rows that came out of a pipeline.
struct Arrived {
  std::string types;              ///< the schema in words
  std::vector<std::string> rows;  ///< as JSON, in which JSON texts stand as they are
  host::RunResult result;
  bool all_well() const {
    return result.exit == host::Exit::kOk || result.exit == host::Exit::kRejected;
  }
};

struct SqliteValue {
  std::string storage, text;  ///< typeof(); reals in the shortest form, blobs as base64
};

class Bench {
 public:
  explicit Bench(Sample sample);
  const Sample& sample() const { return sample_; }
  std::string File(const std::string& name) const { return folder_ / name; }

  /// The sample through `stages` (TOML tables) into a sink that is shown.
  Arrived Through(const std::string& stages);
  /// What a source (TOML keys) reads, as it arrives.
  Arrived Read(const std::string& source);
  /// The sample into a sink (TOML keys).
  host::RunResult Write(const std::string& sink);
  /// Column v of table t by n.
  std::map<std::int64_t, SqliteValue> SqliteValues(const std::string& file) const;

  /// The rows and types that the source emits, encodings apart.
  const std::vector<std::string>& rows() const { return rows_; }
  const std::string& types() const { return types_; }

 private:
  host::RunResult Run(const std::string& toml);
  std::string From() const {
    return "[source]\ntype = \"handover\"\naddress = " + handover_.address() + "\n";
  }
  void Show(const ArrowSchema& schema, const ArrowArray& array);

  Sample sample_;
  TempDir folder_;
  Handover handover_;
  Arrived arrived_;
  bool given_ = false;
  std::vector<std::string> rows_;
  std::string types_;
};

}  // namespace etl::test
