// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/sdk.h>

#include <memory>
#include <string>

#include "files/file_source.h"
#include "infer.h"
#include "row_parser.h"

namespace etl::ndjson {

class NdjsonSource : public files::FileSource {
 public:
  static constexpr auto kType = "ndjson";
  static constexpr auto kSummary = "Reads files of JSON objects, one on each line.";
  static constexpr auto kDoc =
      "Columns and types come from a sample; `columns` says those that the sample cannot know.  A value that does not fit "
      "its column, a key that is none, and a line that is no JSON object are rejected with file and line.  Nested values, "
      "mixed types and numbers that no column type holds stay as the JSON text that they are (type json).";
  std::string on_unknown_key = "reject";

  NdjsonSource() { split_bytes = Bytes{64 << 20}; }
  static auto Options() {
    return Join(CommonOptions<NdjsonSource>(),
                etl::Options(etl::Option<NdjsonSource, Bytes>("split_bytes", &NdjsonSource::split_bytes,
                                         "Plain files are read in parts of this size, several at once; 0 = whole.")
                                 .Range("0..1TiB").Tuning(),
                             etl::Option("on_unknown_key", &NdjsonSource::on_unknown_key,
                                         "What becomes of a row with a key that is no column.")
                                 .Choices({"reject", "ignore"})));
  }

 protected:
  void Sample(files::LineReader& reader, files::SampleLimits& left) override;
  std::vector<files::FileColumn> Columns() override;
  void ReadHead(files::LineReader& reader) override;
  bool ReadRow(Batch& out) override;

 private:
  Inference inference_;
  std::unique_ptr<RowParser> parser_;
  std::string reason_;
};

}  // namespace etl::ndjson
