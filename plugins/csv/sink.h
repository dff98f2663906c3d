// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/json.h>
#include <etl/sdk.h>

#include <memory>
#include <string>
#include <vector>

#include "files/file_sink.h"

namespace etl::csv {

class CsvSink : public files::FileSink {
 public:
  static constexpr auto kType = "csv";
  static constexpr auto kSummary = "Writes a file of comma-separated values, or with another delimiter.";
  static constexpr auto kDoc =
      "Nested values are written as JSON, binary as base64, dates and times as in RFC 3339.  A run that goes on after a stop "
      "cuts the file back to what was saved, so that no row is in it twice.  A new run begins the file anew.";
  std::string delimiter = ",";
  bool header = true;
  std::string null;

  static auto Options() {
    return Join(CommonOptions<CsvSink>(),
                etl::Options(etl::Option("delimiter", &CsvSink::delimiter, "One character between fields."),
                             etl::Option("header", &CsvSink::header, "Write the names of the columns first."),
                             etl::Option("null", &CsvSink::null,
                                         "Text for null.  A value that is the same text is put in quotes.")));
  }
  void Begin(const Run& run) override;

 protected:
  void Prepare(const ArrowSchema& in) override;
  void AppendHead(std::string& out) override;
  void AppendRows(const Rows& in, std::string& out) override;

 private:
  using Tail = json_detail::Tail;
  enum class Form { kInteger, kFloat, kText, kQuotedByJson, kJson };
  struct Plan {
    std::string name;
    Form form;
    arrow::Format format;
  };

  /// False, and why, when the row cannot be written.
  bool AppendRow(const Rows& in, std::int64_t row, Tail& out, std::string& reason);
  bool AppendValue(std::size_t column, const Rows& in, std::int64_t row, Tail& out, std::string& reason);
  bool AppendText(std::size_t column, std::string_view text, Tail& out, std::string& reason);
  bool IsSpecial(std::uint64_t bytes) const;
  void AppendField(std::string_view text, Tail& out) const;
  void AppendQuoted(std::string_view text, Tail& out) const;

  std::vector<Plan> columns_;
  std::unique_ptr<JsonWriter> writer_;
  std::uint64_t delimiters_ = 0;    // eight of them
  std::size_t row_bytes_ = 64;
  std::string scratch_;
};

}  // namespace etl::csv
