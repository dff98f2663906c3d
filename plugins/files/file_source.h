// SPDX-License-Identifier: Apache-2.0
/// What sources of text files have in common: which files, which parts of them, from which byte on, in which batches.
#pragma once
#include <etl/sdk.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "input.h"
#include "line_reader.h"
#include "value_type.h"

namespace etl::files {

/// A place in a split: "OFFSET", then ":LINE" where the line's number is known, then "-END" (or "-" for the rest of the
/// file) where the split is a part of a file.
struct Place {
  std::int64_t offset = 0;
  std::int64_t line = 1;    ///< that begins there; 0 = not known
  bool part = false;
  std::int64_t end = -1;    ///< of a part: lines that begin there or later are of the next one; -1 = none
};
std::string ToText(const Place& place);
Place PlaceOf(std::string_view text);  ///< throws Fatal

struct ReadLimits {
  std::int64_t rows = 8192;
  Bytes bytes{1 << 20};
  static auto Options() {
    return etl::Options(
        etl::Option("rows", &ReadLimits::rows, "Most rows in a batch.").Range("1..1000000").Tuning(),
        etl::Option("bytes", &ReadLimits::bytes, "A batch ends when so much of the file has been read for it.")
            .Range("1KiB..256MiB").Tuning());
  }
};

struct SampleLimits {
  std::int64_t rows = 10'000;
  Bytes bytes{4 << 20};
  static auto Options() {
    return etl::Options(
        etl::Option("rows", &SampleLimits::rows, "Most rows to look at; 0 = none, `columns` says all.").Range("0..100000000"),
        etl::Option("bytes", &SampleLimits::bytes, "Most bytes to look at.").Range("1KiB..1GiB"));
  }
};

class FileSource : public Source {
 public:
  static constexpr std::uint32_t kFlags = ETL_PARALLEL;
  std::vector<std::string> path;
  std::string compression = "auto";
  std::vector<std::pair<std::string, std::string>> columns;
  SampleLimits sample;
  ReadLimits batch;
  Bytes max_row_bytes{64 << 20};
  Bytes split_bytes{0};   ///< 0 = files are read whole; derived classes that can read parts offer it as an option

  FileSource();
  std::string Identity() override;
  void Interrupt() noexcept override { interruption_->Fire(); }
  Schema Describe() override;
  void Plan(bool fresh, std::string_view state) override;
  bool PlanNext(Split& out, std::string& state) override;
  void Open(const Split& split, std::string_view position) override;
  bool Next(Batch& out, std::string& position) override;

  /// The options that all have, for a derived class C.
  template <class C>
  static detail::DeclaredList CommonOptions();

 protected:
  /// Head: looks at rows of a file until that many rows or bytes have been seen in all.
  virtual void Sample(LineReader& reader, SampleLimits& left) = 0;
  /// Head, after sampling: the columns of the files.
  virtual std::vector<FileColumn> Columns() = 0;
  /// Worker: reads what precedes the rows of a file.  `reader` stands behind the byte order mark.
  virtual void ReadHead(LineReader& /*reader*/) {}
  /// Worker: reads one row, or rejects one; false at the end.
  virtual bool ReadRow(Batch& out) = 0;

  /// Worker: rejects input that began at that place.
  void Reject(std::int64_t offset, std::int64_t line, std::string_view raw, const std::string& reason);
  /// The columns that Columns() gave, in the head and in its workers.
  const std::vector<FileColumn>& file_columns() const;
  LineReader& reader() { return *reader_; }
  const std::string& file() const { return file_; }

 private:
  std::shared_ptr<Input> OpenFile(const std::string& file);
  std::shared_ptr<Input> TakeStream(const std::string& file);
  void Start(const Place& place);

  std::shared_ptr<Interruption> interruption_ = std::make_shared<Interruption>();

  // head
  std::vector<FileColumn> file_columns_;
  double bytes_per_row_ = 0;
  std::vector<std::string> files_;
  std::size_t next_file_ = 0;
  std::int64_t next_offset_ = 0;
  std::mutex mutex_;                   // over the next three
  std::shared_ptr<Input> stream_;      // sampled and not yet read by a worker
  std::string stream_file_;
  bool stream_taken_ = false;

  // worker
  std::string file_;
  Place place_;
  std::unique_ptr<LineReader> reader_;
  bool broken_ = false;                // the reader does not stand at place_
};

/// Skips the mark that some editors put before UTF-8 text.
void SkipByteOrderMark(LineReader& reader);

template <class C>
detail::DeclaredList FileSource::CommonOptions() {
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  return etl::Options(
      etl::Option<C, std::vector<std::string>>("path", &C::path, "Files, or patterns with * ? [ ], to read in this order; \"-\" is standard input.")
          .Path().Required(),
      etl::Option<C, std::string>("compression", &C::compression, "How the files are compressed; auto looks at their first bytes.")
          .Choices({"auto", "none", "gzip", "zstd"}),
      etl::Option<C, Pairs>("columns", &C::columns,
                            "Types of columns by name, for those that the sample shall not decide: bool, int8 to int64, "
                            "uint8 to uint64, float32, float64, utf8, json, binary (as base64), date, time, timestamp (with "
                            "zone), timestamp_local (without), decimal(PRECISION,SCALE)."),
      etl::Option<C, SampleLimits>("sample", &C::sample, "How much to look at before the first row, to find columns and types."),
      etl::Option<C, ReadLimits>("batch", &C::batch, "Size of the batches that are read.").Tuning(),
      etl::Option<C, Bytes>("max_row_bytes", &C::max_row_bytes, "A longer row is rejected.").Range("1KiB..1GiB").Advanced());
}

}  // namespace etl::files
