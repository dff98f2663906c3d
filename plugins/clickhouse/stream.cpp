// SPDX-License-Identifier: Apache-2.0
// A store without a limit: a table in ranges of its sorting key, several at a time, or one stream.
#include <etl/pack.h>

#include <algorithm>

#include "source.h"

namespace etl::clickhouse {
namespace {

constexpr std::size_t kRangesInSplit = 8;
constexpr std::int64_t kPagesInMemory = 12;  // of the whole run's limit: readers build them while others wait and are written
constexpr std::int64_t kMostSampled = 200'000, kSamplesInRange = 128;
constexpr std::size_t kSampleBytes = 128;   // of the texts of a key: a border need not be a key
constexpr std::size_t kStreamRows = 65'536;

/// Memory of a page that is being read, counted with the host; waits until it is there.
class Reserved {
 public:
  Reserved(const Host& host, std::int64_t bytes) : host_(host), bytes_(bytes) {
    while (!host_.Reserve(bytes_)) host_.Wait(std::chrono::milliseconds(5));
  }
  Reserved(const Reserved&) = delete;
  ~Reserved() { host_.Reserve(-bytes_); }

 private:
  const Host& host_;
  std::int64_t bytes_;
};

}  // namespace

std::int64_t ClickhouseSource::PageBytes() const {
  return std::clamp<std::int64_t>(host.MemoryLimit() / kPagesInMemory, 64 << 10, page_bytes.value);
}

/// Keys above `from`, of the first columns of the sorting key, that cut the rows that are wanted into parts of the size that the table's `rows`
/// have in so many parts.  Not `even` where one key has the rows of several.
std::vector<Key> ClickhouseSource::Borders(std::size_t columns, const Key& from, std::int64_t rows, std::int64_t parts, bool& even) {
  const std::int64_t samples = std::min(kMostSampled, parts * kSamplesInRange), one_in = std::max<std::int64_t>(1, rows / samples);
  std::string given, order;
  for (std::size_t i = 0; i < columns; ++i) {
    const KeyColumn& k = table_.key[i];
    given += i ? ", " : "";
    given += k.kind == KeyColumn::Kind::kText ? "substring(" + Quote(k.name) + ", 1, " + std::to_string(kSampleBytes / columns) + ")" : table_.Sample(k);
    order += (i ? ", " : "") + Quote(table_.key[i].name);
  }
  Statement s = table_.Sampled(given, from);
  s += " AND rand() % " + std::to_string(one_in) + " = 0 ORDER BY " + order;
  const auto sample = Connected().AskWhole(s, "cannot take a sample of the keys of \"" + table + "\"", "read it with max_rows_per_request and time_column", true);
  const auto step = static_cast<std::size_t>(std::max<std::int64_t>(1, rows / (one_in * parts)));
  std::vector<Key> borders;
  Key last = from;
  int repeats = 0;
  for (std::size_t i = step; i < sample.size(); i += step) {
    // As few columns as tell it from the border before: the server compares less.
    Key border = sample[i];
    if (border.size() != columns) continue;
    std::size_t n = 0;
    while (n < std::min(last.size(), columns) && last[n] == border[n]) ++n;
    if (n == columns) {
      even &= ++repeats < 2;
      continue;
    }
    repeats = 0;
    border.resize(n + 1);
    last = border;
    borders.push_back(std::move(border));
  }
  return borders;
}

/// The borders of ranges from `from` on that hold about a page each: keys of a sample of the table, of which many fall into a range: buffers
/// that are used again grow to the largest.  One scan of the key's first column, and one of all of them where that is not enough.
void ClickhouseSource::PlanRanges(Key from) {
  Connection& c = Connected();
  Statement about;
  about.binds = table_.binds;
  const auto of_table = [&] {
    about += " WHERE database = currentDatabase() AND table = ";
    about.Bind("String", table);
  };
  const auto columns_bytes = [&](bool all) {
    about += ", (SELECT sum(data_uncompressed_bytes) FROM system.columns";
    of_table();
    for (std::size_t i = 0; !all && i < table_.read.size(); ++i) about += (i ? ", " : " AND name IN (") + Literal(table_.read[i].name);
    about += all ? ")" : "))";
  };
  about += "SELECT sum(rows), sum(data_uncompressed_bytes)";
  columns_bytes(false);
  columns_bytes(true);
  about += " FROM system.parts";
  of_table();
  about += " AND active";
  std::int64_t rows = 0, bytes = 0;
  if (const auto r = c.AskIfAllowed(about, "cannot read how large the table is"); r && !r->empty() && (*r)[0].size() == 4) {
    const auto number = [&](std::size_t i) { return static_cast<double>(std::atoll((*r)[0][i].c_str())); };
    rows = static_cast<std::int64_t>(number(0));
    // Parts that keep their columns together do not say the size of each: the share is that of the others.
    bytes = static_cast<std::int64_t>(number(1) * (number(3) > 0 && number(2) > 0 ? number(2) / number(3) : 1));
  }
  std::vector<Key> borders;
  const std::int64_t wanted = bytes / PageBytes();
  if (rows > 0 && wanted > 1) {
    // The first column is cheap to read and mostly enough.
    bool even = true;
    borders = Borders(1, from, rows, wanted, even);
    if (!even && table_.key.size() > 1) borders = Borders(table_.key.size(), from, rows, wanted, even);
  }
  for (Key& b : borders) {
    ranges_.push_back({from, b});
    from = std::move(b);
  }
  ranges_.push_back({from, {}});
}

bool ClickhouseSource::NextRanges(Split& out, std::string& state) {
  if (next_range_ >= ranges_.size()) return false;
  // Fewer at a time towards the end, so that readers end together.
  const std::size_t left = ranges_.size() - next_range_, n = std::clamp<std::size_t>(left / 16, 1, kRangesInSplit);
  std::vector<std::string> parts;
  out.id = "r" + std::to_string(next_range_);
  for (std::size_t i = 0; i < n; ++i, ++next_range_) {
    parts.push_back(Pack(ranges_[next_range_].from));
    parts.push_back(Pack(ranges_[next_range_].to));
  }
  out.state = Pack(parts);
  // Not the other ranges, which would be as many again with each split: a run that goes on plans the rest anew, from here on.
  if (next_range_ < ranges_.size()) state = Pack({std::to_string(next_range_), Pack(ranges_[next_range_].from)});
  else state = Pack({std::to_string(next_range_)});
  return true;
}

void ClickhouseSource::OpenRanges(const Split& split, std::string_view position) {
  const auto parts = Unpack(split.state);
  own_ranges_.clear();
  for (std::size_t i = 0; i + 1 < parts.size(); i += 2) own_ranges_.push_back({Unpack(parts[i]), Unpack(parts[i + 1])});
  at_range_ = 0;
  dense_.reset();
  if (position.empty()) return;
  const auto at = Unpack(position);
  if (at.size() != 1 && at.size() != 4) throw Fatal("the saved position is not one of this source's; start anew with 'etl state reset'");
  at_range_ = static_cast<std::size_t>(std::atoll(at[0].c_str()));
  if (at.size() > 1) dense_ = std::make_unique<Dense>(Dense{Unpack(at[1]), std::atoll(at[2].c_str()), at[3] == "1"});
}

/// A range is asked for without an order and taken when it is whole.  One that is much larger than it should be is read in order, page
/// by page.
bool ClickhouseSource::NextRange(ArrowArray* out, std::string& position) {
  const ClickhouseSource& head = Head();
  const Table& t = head.table_;
  if (at_range_ >= own_ranges_.size()) return false;
  const Range& range = own_ranges_[at_range_];
  const Reserved reserved(host, PageBytes());
  Page page;
  page.spares = head.spares_;
  if (!dense_) {
    try {
      Fetch(t.Range(range.from, range.to, 0), page, 4 * PageBytes());
      const std::int64_t rows = page.rows;
      Give(page, rows, out);
      position = Pack({std::to_string(++at_range_)});
      return true;
    } catch (const TooMuch&) {
      host.Count("made_smaller");
      dense_ = std::make_unique<Dense>(Dense{range.from, 0, false});
      page = Page();
    }
  }
  for (;;) {
    try {
      Fetch(t.Ordered(dense_->from, range.to, dense_->offset, dense_->group, dense_rows_), page, 16 * PageBytes());
      break;
    } catch (const TooMuch&) {
      if (dense_rows_ <= 1) throw;
      dense_rows_ = std::max<std::int64_t>(1, dense_rows_ / 4);
      host.Count("made_smaller");
      page = Page();
    }
  }
  const Got got = Judge(page, dense_rows_);
  std::int64_t rows = got.rows;
  if (got.rows < dense_rows_) {
    if (dense_->group) {
      dense_->group = false;   // behind the key
      dense_->offset = -1;
    } else {
      dense_.reset();
      ++at_range_;
    }
  } else if (dense_->group) {
    dense_->offset += got.rows;
  } else if (got.whole > 0) {
    rows = got.whole;
    *dense_ = {got.last, 0, false};
  } else {
    *dense_ = {got.last, got.rows, true};
  }
  if (page.bytes() < PageBytes() / 4 && dense_rows_ < 1 << 20) dense_rows_ *= 2;
  Give(page, rows, out);
  position = dense_ ? Pack({std::to_string(at_range_), Pack(dense_->from), std::to_string(dense_->offset), dense_->group ? "1" : "0"}) : Pack({std::to_string(at_range_)});
  return true;
}

bool ClickhouseSource::NextStreamed(ArrowArray* out, std::string& position) {
  ClickhouseSource& head = Head();
  if (ended_) return false;
  const std::string doing = table.empty() ? "cannot read from the query" : "cannot read from \"" + table + "\"";
  try {
    Connection& c = Connected();
    if (!streaming_) {
      host.Count("requests");
      at_row_ = 0;
      c.Begin(query.empty() ? head.table_.Select() : head.table_.Query(query), false, doing);
      streaming_ = true;
    }
    Page page;
    page.spares = head.spares_;
    const Caps caps{max_row_bytes.value, 1 << 24};
    for (;;) {
      const bool more = c.Next(head.table_.read, caps, page);
      if (page.rows && at_row_ + page.rows <= skip_) {   // counted off
        at_row_ += page.rows;
        page = Page();
      }
      if (!more) ended_ = true;
      if (ended_ || page.rows >= static_cast<std::int64_t>(kStreamRows) || page.bytes() > PageBytes()) break;
    }
    const std::int64_t rows = page.rows, drop = std::max<std::int64_t>(0, skip_ - at_row_);
    at_row_ += rows;
    if (rows == 0 || drop >= rows) {
      position = std::to_string(std::max(at_row_, skip_));
      if (ended_) return false;
      Page none;
      Give(none, 0, out);
      return true;
    }
    Give(page, rows, out);
    if (drop) Behead(out, drop);
    skip_ = at_row_;
    position = std::to_string(at_row_);
    return true;
  } catch (const Error&) {
    Connected().Abandon();
    streaming_ = false;
    ended_ = false;
    throw;
  }
}

}  // namespace etl::clickhouse
