// SPDX-License-Identifier: Apache-2.0
#include "plan.h"

#include <etl/pack.h>

#include <algorithm>

namespace etl::mysql {
namespace {

constexpr int kDeepest = 100;   // no estimate and no order of letters can make a plan that does not end

}  // namespace

std::int64_t EstimateRows(Session& session, const std::string& table, const std::string& hint, const std::string& condition) {
  // Said in the old form by name: newer servers may be set to answer with a tree.
  const std::string explain = session.mariadb() || session.version() < 80000 ? "EXPLAIN " : "EXPLAIN FORMAT=TRADITIONAL ";
  const auto rows = session.Rows(explain + "SELECT 1 FROM " + Quote(table) + hint + " WHERE " + condition, "cannot estimate a range");
  const std::size_t at = session.mariadb() ? 8 : 9;   // "rows"
  if (rows.empty() || rows[0].size() <= at || !rows[0][at]) return 0;
  return std::strtoll(rows[0][at]->c_str(), nullptr, 10);
}

/// The first or last key that a condition lets through.
std::optional<KeyValue> Planner::End(Session& session, const std::string& condition, bool last) const {
  const auto rows = session.Rows("SELECT " + key_->List() + " FROM " + Quote(table_) + key_->Hint() + " WHERE " + condition +
                                     key_->Order(last) + " LIMIT 1", "cannot read the table's key");
  if (rows.empty()) return std::nullopt;
  KeyValue out;
  for (const auto& v : rows[0]) out.push_back(v.value_or(""));
  return out;
}

void Planner::Begin(Session& session) {
  pieces_.clear();
  const auto least = End(session, "TRUE", false);
  if (!least) return;
  pieces_.push_back({std::nullopt, *least, *End(session, "TRUE", true), true, 0});
}


/// A key of the table inside the piece, near its middle; nothing: it cannot be divided.
std::optional<KeyValue> Planner::Divide(Session& session, const Piece& piece) const {
  const std::string above = piece.from ? key_->Compare(">", *piece.from) + " AND " : "";
  auto middle = key_->Middle(piece.low, piece.to);
  if (!middle && key_->columns.size() > 1) {
    std::size_t i = 0;
    while (i < piece.to.size() && piece.low[i] == piece.to[i]) ++i;
    if (i + 1 >= piece.to.size()) return std::nullopt;
    // The first columns lie next to each other: divide between them, or else behind them.
    const KeyValue beginning(piece.to.begin(), piece.to.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    if (auto last = End(session, above + key_->Compare("<", beginning), true)) return last;
    const auto first = End(session, above + "TRUE", false);
    if (first) middle = key_->Middle(*first, piece.to);
  }
  if (!middle) return std::nullopt;
  if (auto first = End(session, above + key_->Compare(">=", *middle) + " AND " + key_->Compare("<", piece.to), false)) return first;
  return End(session, above + key_->Compare("<", *middle), true);
}

bool Planner::Next(Session& session, Range& out, std::int64_t& rows) {
  while (!pieces_.empty()) {
    const Piece piece = pieces_.back();
    rows = EstimateRows(session, table_, key_->Hint("USE"), key_->Condition({piece.from, piece.to}));
    // InnoDB doubles an estimate that it did not count out, so five times the estimate are two and a half times the rows.
    const bool small = rows <= 5 * chunk_rows_ || piece.depth >= kDeepest;
    const auto middle = small ? std::nullopt : Divide(session, piece);
    pieces_.pop_back();
    if (!middle) {
      out.from = piece.from;
      out.to = piece.open ? std::nullopt : std::optional<KeyValue>(piece.to);
      return true;
    }
    pieces_.push_back({*middle, *middle, piece.to, piece.open, piece.depth + 1});
    pieces_.push_back({piece.from, piece.low, *middle, false, piece.depth + 1});
  }
  return false;
}

std::string Planner::Save() const {
  std::vector<std::string> parts;
  for (const Piece& p : pieces_) {
    parts.push_back(Pack({PackKey(p.from), PackKey(p.low), PackKey(p.to), p.open ? "open" : "", std::to_string(p.depth)}));
  }
  return Pack(parts);
}

void Planner::Load(std::string_view text) {
  pieces_.clear();
  for (const std::string& part : Unpack(text)) {
    const auto p = Unpack(part);
    if (p.size() != 5 || p[1].empty() || p[2].empty()) throw Fatal("the saved plan is not one of this source's; start anew with 'etl state reset'");
    pieces_.push_back({UnpackKey(p[0]), *UnpackKey(p[1]), *UnpackKey(p[2]), p[3] == "open", std::atoi(p[4].c_str())});
  }
}

}  // namespace etl::mysql
