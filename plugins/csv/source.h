// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/sdk.h>

#include <memory>
#include <string>
#include <vector>

#include "files/file_source.h"
#include "files/json_check.h"
#include "infer.h"
#include "row_reader.h"

namespace etl::csv {

class CsvSource : public files::FileSource {
 public:
  static constexpr auto kType = "csv";
  static constexpr auto kSummary = "Reads files of comma-separated values, or with another delimiter.";
  static constexpr auto kDoc =
      "Types come from a sample: a column is a number only if every value there reads the same when written again, so "
      "\"007\" and \"+1\" stay text.  A row with too few or too many fields, wrong quotes, or a value that does not fit its "
      "column is rejected with file and line.  A line without characters is no row, but in a file of one column a null.";
  std::string delimiter = ",";
  std::string quote = "\"";
  bool header = true;
  std::vector<std::string> nulls{""};
  std::string types = "infer";

  static auto Options() {
    return Join(CommonOptions<CsvSource>(),
                etl::Options(etl::Option("delimiter", &CsvSource::delimiter, "One character between fields."),
                             etl::Option("quote", &CsvSource::quote, "One character around fields."),
                             etl::Option("header", &CsvSource::header,
                                         "The first row names the columns.  Without it they are those of `columns`, in that "
                                         "order, or column1, column2 and so on."),
                             etl::Option("nulls", &CsvSource::nulls,
                                         "Texts that mean null; \"\" is an empty field without quotes."),
                             etl::Option("types", &CsvSource::types, "text leaves every column utf8 that is not declared.")
                                 .Choices({"infer", "text"})));
  }
  Schema Describe() override;

 protected:
  void Sample(files::LineReader& reader, files::SampleLimits& left) override;
  std::vector<files::FileColumn> Columns() override;
  void ReadHead(files::LineReader& reader) override;
  bool ReadRow(Batch& out) override;

 private:
  RowReader& rows();
  /// Names in the first row of a file; empty when it has none.
  std::vector<std::string> ReadNames(files::LineReader& reader);
  bool IsNull(std::size_t field) const;
  bool AppendRow(const Row& row, Batch& out, std::string& reason);

  std::unique_ptr<RowReader> rows_;
  std::vector<std::string> names_;         // head: of the first file
  std::vector<Inference> seen_;            // head
  std::vector<std::size_t> column_of_;     // worker: the column that a field of this file goes to
  files::JsonChecker json_;
};

}  // namespace etl::csv
