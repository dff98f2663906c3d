// SPDX-License-Identifier: Apache-2.0
/// What sinks of text files have in common: the file, its compression, where it goes on after a stop.
#pragma once
#include <etl/sdk.h>

#include <memory>
#include <string>

#include "output.h"

namespace etl::files {

/// One worker, which has the batches of a split in order.  The state that Flush gives is "LENGTH PATH": a run that goes
/// on cuts the file to that length.
class FileSink : public Sink {
 public:
  static constexpr std::uint32_t kFlags = ETL_ORDERED;
  std::string path;
  std::string compression = "auto";
  std::int64_t level = 0;
  std::string on_invalid_utf8 = "error";

  void Begin(const Run& run) override;
  void Open(const ArrowSchema& in, std::string_view state) override;
  Written Write(const Rows& in) override;
  std::string Flush() override;

  /// The options that all have, for a derived class C.
  template <class C>
  static detail::DeclaredList CommonOptions();

 protected:
  /// The schema is known; refuses types that it cannot write by ConfigError or Fatal.
  virtual void Prepare(const ArrowSchema& in) = 0;
  /// What precedes the first row of an empty file.
  virtual void AppendHead(json_detail::Tail& /*out*/) {}
  /// Appends rows [first, first + count); rejects those that cannot be written.  After an exception `out` is cut to what it
  /// was.
  virtual void AppendRows(const Rows& in, std::int64_t first, std::int64_t count, json_detail::Tail& out) = 0;

 private:
  // head
  std::string run_path_;
  bool replay_ = false;
  // worker
  std::string file_;
  std::unique_ptr<Output> output_;
};

template <class C>
detail::DeclaredList FileSink::CommonOptions() {
  return etl::Options(
      etl::Option<C, std::string>("path", &C::path,
                                  "File to write; \"-\" is standard output.  %Y %m %d %H %M %S stand for the time (UTC) at "
                                  "which the run began, %% for a percent sign.")
          .Path().Required(),
      etl::Option<C, std::string>("compression", &C::compression, "auto goes by the name: .gz, .zst.")
          .Choices({"auto", "none", "gzip", "zstd"}),
      etl::Option<C, std::int64_t>("level", &C::level, "Of compression, gzip 1..9, zstd 1..19; 0 = the library's default.")
          .Range("0..19").Advanced().Tuning(),
      etl::Option<C, std::string>("on_invalid_utf8", &C::on_invalid_utf8,
                                  "Text that is not UTF-8: error rejects its row, replace writes U+FFFD for it.")
          .Choices({"error", "replace"}));
}

}  // namespace etl::files
