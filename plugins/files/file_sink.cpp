// SPDX-License-Identifier: Apache-2.0
#include "file_sink.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "calendar.h"

namespace etl::files {
namespace {

struct Saved {
  std::int64_t length = 0;
  std::string path;
};
Saved SavedOf(std::string_view state) {
  Saved saved;
  const char* const end = state.data() + state.size();
  const auto [rest, error] = std::from_chars(state.data(), end, saved.length);
  if (error != std::errc() || saved.length < 0 || rest == end || *rest != ' ') {
    throw Fatal("\"" + std::string(state) + "\" is no state of a file sink; reset the state of this pipeline");
  }
  saved.path.assign(rest + 1, end);
  return saved;
}

}  // namespace

void FileSink::Begin(const Run& run) {
  replay_ = run.replay;
  run_path_ = path == "-" ? path : ExpandTime(path, std::time(nullptr));
}

void FileSink::Open(const ArrowSchema& in, std::string_view state) {
  Prepare(in);
  const FileSink& head = HeadAs<FileSink>();
  file_ = head.run_path_;
  Output::Mode mode = head.replay_ ? Output::Mode::kAppend : Output::Mode::kNew;
  std::int64_t length = 0;
  if (!head.replay_ && !state.empty()) {
    Saved saved = SavedOf(state);
    mode = Output::Mode::kResume;
    length = saved.length;
    file_ = std::move(saved.path);
  }
  const Compression how = compression == "auto" ? CompressionOfName(path) : CompressionOf(compression);
  output_ = std::make_unique<Output>(file_, how, static_cast<int>(level), mode, length);
  if (output_->fresh()) output_->Append([this](json_detail::Tail& out) { AppendHead(out); });
}

Written FileSink::Write(const Rows& in) {
  // Before the rows are taken over: if this fails, the host gives them again.
  output_->Drain();
  // Then in parts, which the processor still has at hand when they are copied to the file.
  constexpr std::int64_t kPart = 1024;
  for (std::int64_t first = 0; first < in.size(); first += kPart) {
    const std::int64_t count = std::min(kPart, in.size() - first);
    try {
      output_->Append([&](json_detail::Tail& out) { AppendRows(in, first, count, out); });
    } catch (const std::bad_alloc&) {
      if (first == 0) throw;
      throw Fatal("out of memory while writing " + file_);   // the rows before may be in the file
    }
    output_->TryDrain();
  }
  return Written::kPending;
}

std::string FileSink::Flush() { return std::to_string(output_->Flush()) + " " + file_; }

}  // namespace etl::files
