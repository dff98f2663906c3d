// SPDX-License-Identifier: Apache-2.0
#include "file_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>

namespace etl::files {
namespace {

/// Longest input that is kept with a rejected row.
constexpr std::size_t kMostRaw = 1 << 20;
/// How long sampling waits for more of a stream once it has a row.
constexpr int kSampleWaitMs = 200;

std::int64_t TakeNumber(std::string_view& text) {
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return -1;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool TakeChar(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

/// -1: not a regular file.
std::int64_t RegularSize(const std::string& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) ThrowErrno("cannot look at " + file, errno);
  return S_ISREG(info.st_mode) ? info.st_size : -1;
}

std::size_t MostBytes(const Bytes& bytes) { return static_cast<std::size_t>(bytes.value); }

}  // namespace

std::string ToText(const Place& place) {
  std::string text = std::to_string(place.offset);
  if (place.line) text += ":" + std::to_string(place.line);
  if (place.part) text += place.end < 0 ? "-" : "-" + std::to_string(place.end);
  return text;
}

Place PlaceOf(std::string_view text) {
  Place place;
  if (text.empty()) return place;
  std::string_view rest = text;
  place.offset = TakeNumber(rest);
  place.line = TakeChar(rest, ':') ? TakeNumber(rest) : 0;
  place.part = TakeChar(rest, '-');
  if (place.part && !rest.empty()) place.end = TakeNumber(rest);
  if (place.offset < 0 || place.line < 0 || !rest.empty()) {
    throw Fatal("\"" + std::string(text) + "\" is no position in a file; reset the state of this pipeline");
  }
  return place;
}

FileSource::FileSource() = default;

std::string FileSource::Identity() {
  std::string text = "files=";
  for (const std::string& p : path) text += (&p == path.data() ? "" : ", ") + p;
  return text + "\n";
}

const std::vector<FileColumn>& FileSource::file_columns() const {
  return is_worker() ? HeadAs<FileSource>().file_columns_ : file_columns_;
}

std::shared_ptr<Input> FileSource::OpenFile(const std::string& file) {
  return std::make_shared<Input>(file, CompressionOf(compression), interruption_);
}

Schema FileSource::Describe() {
  SampleLimits left = sample;
  for (const std::string& file : Expand(path)) {
    if (left.rows <= 0 || left.bytes.value <= 0) break;
    {
      const std::lock_guard lock(mutex_);
      if (stream_ || stream_taken_) break;  // asked before: what was sampled then still holds
    }
    std::shared_ptr<Input> input = OpenFile(file);
    // What a stream gives while it is sampled is kept for the worker that reads it.
    const bool stream = !input->regular();
    std::string seen;
    const std::shared_ptr<Input> source = input;
    if (stream) {
      seen.resize(MostBytes(left.bytes));
      std::size_t size = 0;
      const auto has_row = [&] { return std::string_view(seen.data(), size).find('\n') != std::string_view::npos; };
      while (size < seen.size() && (!has_row() || input->Ready(kSampleWaitMs))) {
        const std::size_t got = input->Read(seen.data() + size, seen.size() - size);
        if (got == 0) break;
        size += got;
      }
      seen.resize(size);
      input = std::make_shared<Input>("/dev/null", Compression::kNone, nullptr);
      input->Unread(seen);
    }
    const std::int64_t before = left.rows;
    LineReader lines(input, 0, 1, MostBytes(max_row_bytes));
    SkipByteOrderMark(lines);
    Sample(lines, left);
    if (before > left.rows) bytes_per_row_ = static_cast<double>(lines.offset()) / static_cast<double>(before - left.rows);
    if (stream) {
      source->Unread(std::move(seen));
      const std::lock_guard lock(mutex_);
      stream_ = source;
      stream_file_ = file;
    }
  }
  file_columns_ = Columns();
  return SchemaOf(file_columns_);
}

void FileSource::Plan(bool fresh, std::string_view state) {
  files_ = Expand(path);
  next_file_ = 0;
  next_offset_ = 0;
  if (fresh || state.empty()) return;
  // "OFFSET FILE": that file is planned up to there; "- FILE": all of it.
  const std::size_t space = std::min(state.find(' '), state.size() - 1);
  const std::string file(state.substr(space + 1));
  const auto found = std::find(files_.begin(), files_.end(), file);
  if (found == files_.end()) {
    throw Fatal("the interrupted run had come to " + file +
                ", which is not among the files any more; put it back, or reset the state to begin again");
  }
  next_file_ = static_cast<std::size_t>(found - files_.begin());
  if (state[0] == '-') {
    ++next_file_;
  } else {
    std::string_view offset = state.substr(0, space);
    next_offset_ = TakeNumber(offset);
  }
}

bool FileSource::PlanNext(Split& out, std::string& state) {
  if (next_file_ == files_.size()) return false;
  const std::string& file = files_[next_file_];
  std::int64_t size = -1;
  bool plain = false;
  if (file != "-" && (size = RegularSize(file)) >= 0) plain = OpenFile(file)->seekable();
  out.id = file;
  Place begin;
  if (split_bytes.value > 0 && plain && size > split_bytes.value) {
    begin.offset = next_offset_;
    begin.line = next_offset_ == 0 ? 1 : 0;
    begin.part = true;
    // What would be left for a last part must be worth one.
    if (size - next_offset_ > split_bytes.value + split_bytes.value / 4) begin.end = next_offset_ + split_bytes.value;
    out.id += "#" + std::to_string(begin.offset) + "-" + (begin.end < 0 ? "" : std::to_string(begin.end));
  }
  out.state = ToText(begin);
  if (size >= 0) out.bytes = begin.end >= 0 ? split_bytes.value : size - next_offset_;
  if (plain && bytes_per_row_ > 0) out.rows = static_cast<std::int64_t>(static_cast<double>(out.bytes) / bytes_per_row_);
  if (begin.end >= 0) {
    next_offset_ = begin.end;
    state = std::to_string(next_offset_) + " " + file;
  } else {
    next_offset_ = 0;
    ++next_file_;
    state = "- " + file;
  }
  return true;
}

std::shared_ptr<Input> FileSource::TakeStream(const std::string& file) {
  FileSource& head = HeadAs<FileSource>();
  const std::lock_guard lock(head.mutex_);
  if (head.stream_ && head.stream_file_ == file) {
    head.stream_taken_ = true;
    return std::exchange(head.stream_, nullptr);
  }
  return nullptr;
}

void FileSource::Open(const Split& split, std::string_view position) {
  const Place place = PlaceOf(position.empty() ? split.state : position);
  file_ = place.part ? split.id.substr(0, split.id.rfind('#')) : split.id;
  Start(place);
}

void FileSource::Start(const Place& place) {
  place_ = place;
  broken_ = true;
  std::shared_ptr<Input> input = TakeStream(file_);
  const auto only_once = [&]() -> Fatal {
    return Fatal((file_ == "-" ? "standard input" : file_) + " can be read only once, and byte " +
                 std::to_string(place.offset) + " of it was asked for again; write it to a file and read that, or reset the "
                 "state and give the whole input anew");
  };
  if (!input) {
    if (file_ == "-" && (place.offset > 0 || HeadAs<FileSource>().stream_taken_)) throw only_once();
    input = OpenFile(file_);
  }
  if (!input->regular()) {
    if (place.offset > 0) throw only_once();
    const std::lock_guard lock(HeadAs<FileSource>().mutex_);
    HeadAs<FileSource>().stream_taken_ = true;
  }
  const auto too_short = [&](std::int64_t size) -> Fatal {
    return Fatal(file_ + " has only " + std::to_string(size) + " bytes, but was read up to byte " +
                 std::to_string(place.offset) + " before: it is not the file it was; put it back, or reset the state to "
                 "read everything again");
  };
  if (input->seekable() && input->size() < place.offset) throw too_short(input->size());
  const std::size_t most = MostBytes(max_row_bytes);
  reader_ = std::make_unique<LineReader>(input, 0, 1, most);
  SkipByteOrderMark(*reader_);
  ReadHead(*reader_);
  if (place.offset > reader_->offset()) {
    if (input->seekable()) {
      // A part begins with the first line that begins in it: the newline before it may be the part's last byte.
      const bool exact = place.line > 0;
      const std::int64_t from = exact ? place.offset : place.offset - 1;
      input->Seek(from);
      reader_ = std::make_unique<LineReader>(input, from, place.line, most);
      Line rest;
      if (!exact) reader_->Next(rest);
    } else {
      reader_->Restart(place.offset, place.line);
      if (reader_->offset() < place.offset) throw too_short(reader_->offset());
    }
  }
  broken_ = false;
}

bool FileSource::Next(Batch& out, std::string& position) {
  if (broken_) Start(Place(place_));
  const Place begin = place_;
  const auto advance = [&] {
    place_.offset = reader_->offset();
    place_.line = reader_->number();
  };
  bool any = false;
  std::int64_t rows = 0;
  try {
    const bool stream = !reader_->input().regular();
    const std::int64_t enough = reader_->offset() + batch.bytes.value;
    for (; rows < batch.rows && reader_->offset() < enough; rows = out.rows()) {
      if (place_.end >= 0 && reader_->offset() >= place_.end) break;
      if (stream && rows > 0 && !reader_->Ready()) break;
      if (!ReadRow(out)) break;
      any = true;
      advance();
    }
  } catch (const Retry&) {
    broken_ = true;
    if (!any) throw;
    out.Truncate(rows);
  } catch (...) {
    broken_ = true;
    place_ = begin;
    throw;
  }
  position = ToText(place_);
  return any;
}

void FileSource::Reject(std::int64_t offset, std::int64_t line, std::string_view raw, const std::string& reason) {
  const std::string where = file_ + ":" + (line ? std::to_string(line) : "byte " + std::to_string(offset));
  host.RejectInput(where, raw.substr(0, kMostRaw), reason);
}

void SkipByteOrderMark(LineReader& reader) {
  if (reader.Peek(3) == "\xEF\xBB\xBF") reader.Consume(3);
}

}  // namespace etl::files
