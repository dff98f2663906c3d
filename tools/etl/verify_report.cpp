#include "verify_report.h"

#include <etl/json.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "error.h"
#include "text.h"

namespace etl::cli {
namespace {

using host::Difference;
using host::DifferenceKind;
using host::VerifyReport;
using host::VerifyRound;

constexpr std::size_t kShown = 20;

const char* Name(DifferenceKind kind) {
  switch (kind) {
    case DifferenceKind::kMissing: return "missing";
    case DifferenceKind::kChanged: return "changed";
    case DifferenceKind::kExtra: return "extra";
    default: return "unreadable";
  }
}

std::string Json(std::string_view text) {
  std::string out;
  json_detail::Tail tail(out, text.size() + 16);
  json_detail::PutText(text, true, tail);
  tail.Keep();
  return out;
}

std::string Counts(const VerifyRound& r) {
  std::string out = fmt::format("{} expected, {} there: {} missing, {} changed, {} extra", Plural(r.expected, "row", "rows"), Count(r.stored),
                                Count(r.missing), Count(r.changed), Count(r.extra));
  if (r.extra && r.extra_ignored) out += " (ignored)";
  if (r.unreadable) out += fmt::format(", {} that cannot be read", Count(r.unreadable));
  return out;
}

std::string Listed(const VerifyRound& r, const std::string& all_in) {
  std::string out;
  for (std::size_t i = 0; i < std::min(r.first.size(), kShown); ++i) {
    const Difference& d = r.first[i];
    out += fmt::format("  {}  {}", Left(Name(d.kind), 10), Fit(d.key, 200));
    if (!d.columns.empty()) out += fmt::format(" in {}", fmt::join(d.columns, ", "));
    if (d.rows > 1) out += fmt::format(", {} times", Count(d.rows));
    if (!d.reason.empty()) out += ": " + Fit(d.reason, 300);
    out += '\n';
  }
  std::int64_t shown = 0;
  for (std::size_t i = 0; i < std::min(r.first.size(), kShown); ++i) shown += r.first[i].rows;
  const std::int64_t more = r.differences() - shown;
  if (more > 0) out += fmt::format("  and {} more; {}\n", Count(more), all_in.empty() ? "--report FILE names them all" : all_in + " names them all");
  return out;
}

}  // namespace

std::string VerifyText(const VerifyReport& r, const std::string& all_in) {
  const VerifyRound& last = r.repaired ? r.after : r.round;
  const std::string what = fmt::format("{}: {} ({})", r.pipeline, r.stage, r.type);
  std::string out = r.equal() ? fmt::format("{} holds what the source gives", what) : fmt::format("{} differs from what the source gives", what);
  if (r.sample < 1) out += fmt::format(", in a sample of {} of {}", Percent(r.sample), r.keys.empty() ? "the rows" : "the keys");
  out += "\n  " + Counts(r.round) + "\n";
  if (r.round.repeated) {
    out += fmt::format("  {} {} several times from the source, and the sink keeps one row of each\n", Plural(r.round.repeated, "key", "keys"),
                       r.round.repeated == 1 ? "comes" : "come");
  }
  if (!r.unseen.empty()) out += fmt::format("  not compared, because the sink does not write them: {}\n", fmt::join(r.unseen, ", "));
  if (r.repaired) {
    out += fmt::format("  repaired: {} written again{}\n", Plural(r.written, "row", "rows"), r.refused ? fmt::format(", {} refused", Count(r.refused)) : "");
    out += "  then " + Counts(r.after) + "\n";
  }
  if (!r.unrepaired.empty()) out += fmt::format("  not repaired: {}\n", r.unrepaired);
  return out + Listed(last, all_in);
}

std::string VerifyLine(const Difference& d, bool remains) {
  std::string line = fmt::format("{{\"difference\":\"{}\"", Name(d.kind));
  if (d.kind == DifferenceKind::kUnreadable) line += ",\"where\":" + Json(d.key) + ",\"reason\":" + Json(d.reason);
  else line += ",\"key\":" + d.key;
  if (!d.columns.empty()) {
    line += ",\"columns\":[";
    for (const std::string& c : d.columns) line += (line.back() == '[' ? "" : ",") + Json(c);
    line += ']';
  }
  if (d.rows > 1) line += fmt::format(",\"rows\":{}", d.rows);
  if (remains) line += ",\"remains\":true";
  return line + "}\n";
}

VerifyFile::VerifyFile(std::string file) : file_(std::move(file)), temporary_(fmt::format("{}.{}.tmp", file_, ::getpid())) {
  out_ = std::fopen(temporary_.c_str(), "wxe");
  if (!out_) Fail();
}

VerifyFile::~VerifyFile() {
  if (out_) std::fclose(out_);
  if (out_) ::unlink(temporary_.c_str());
}

void VerifyFile::Fail() const {
  throw host::Error(host::Exit::kConfig, fmt::format("cannot write {}: {}; name another file with --report", file_, std::strerror(errno)));
}

void VerifyFile::Add(const std::string& line) {
  if (std::fwrite(line.data(), 1, line.size(), out_) != line.size()) Fail();
}

void VerifyFile::Finish() {
  const bool written = std::fflush(out_) == 0 && ::fsync(::fileno(out_)) == 0;
  if (!written || std::rename(temporary_.c_str(), file_.c_str()) != 0) Fail();
  std::fclose(out_);
  out_ = nullptr;
}

}  // namespace etl::cli
