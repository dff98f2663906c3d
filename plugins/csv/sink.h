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
  void AppendHead(json_detail::Tail& out) override;
  void AppendRows(const Rows& in, std::int64_t first, std::int64_t count, json_detail::Tail& out) override;

 private:
  using Tail = json_detail::Tail;
  using Sixteen = json_detail::Sixteen;
  enum class Form { kInteger, kFloat, kMoment, kText, kQuotedByJson, kJson };
  struct Plan {
    std::string name;
    Form form;
    arrow::Format format;
    const char* readable_end = nullptr;    // of this batch's texts
    json_detail::LastMoment last;
  };
  /// What stands in a text.
  struct Found {
    bool special, not_ascii;
  };

  /// False, and why, when the row cannot be written.
  bool AppendRow(const Rows& in, std::int64_t row, Tail& out, std::string& reason);
  bool AppendValue(std::size_t column, const Rows& in, std::int64_t row, Tail& out, std::string& reason);
  bool AppendText(std::size_t column, std::string_view text, Tail& out, std::string& reason);
  bool AppendJson(std::size_t column, const Rows& in, std::int64_t row, Tail& out, std::string& reason);
  Found Look(std::string_view text, const char* readable_end) const;
  Sixteen Special(Sixteen bytes) const;
  /// readable_end: as json_detail::PutText has it.
  void AppendField(std::string_view text, const char* readable_end, Tail& out) const;
  void AppendField(std::string_view text, Found found, const char* readable_end, Tail& out) const;
  void AppendQuoted(std::string_view text, const char* readable_end, Tail& out) const;

  std::vector<Plan> columns_;
  std::unique_ptr<JsonWriter> writer_;
  Sixteen delimiters_{};
  std::string scratch_;
};

}  // namespace etl::csv
