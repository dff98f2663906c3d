#include "source_text.h"

#include <algorithm>

#include "utf8.h"

namespace etl::host {
namespace {

// Stand for the first and the further bytes of each masked code point, so that offsets and columns
// stay.  TOML allows them nowhere.
constexpr char kMasked = '\1', kMaskedTail = '\2';
constexpr int kWidest = 120;

std::size_t StepOver(std::string_view text, std::size_t at) {
  std::size_t length = std::max<std::size_t>(DecodeAt(text, at).length, 1);
  while (text[at] == kMasked && at + length < text.size() && text[at + length] == kMaskedTail)
    ++length;
  return length;
}

struct Cell {
  std::string text;
  int width;
};

// What is shown of a line around `column`: one cell for each thing that takes room.
struct Window {
  std::vector<Cell> cells;
  std::size_t caret = 0;  // the cell that the column is in
  bool cut = false;       // something stands before the first cell
};

Window Around(std::string_view line, int column) {
  constexpr int kReach = 4 * kWidest;
  Window out;
  bool found = false, in_mask = false;
  int now = 1;
  for (std::size_t i = 0; i < line.size() && now <= column + kReach;
       i += StepOver(line, i), ++now) {
    if (now < column - kReach) {
      out.cut = true;
      continue;
    }
    const CodePoint point = DecodeAt(line, i);
    const bool goes_on = in_mask && line[i] == kMasked;
    in_mask = line[i] == kMasked;
    if (now == column) {
      found = true;
      out.caret = out.cells.size() - (goes_on ? 1 : 0);
    }
    if (goes_on) continue;
    Cell cell{{}, 1};
    if (line[i] == kMasked) {
      cell = {"***", 3};
    } else if (line[i] == '\t') {
      cell.text = " ";
    } else {
      AppendVisible(cell.text, line, i, point);
      cell.width = cell.text[0] == '\\' ? static_cast<int>(cell.text.size()) : WidthOf(point.value);
    }
    out.cells.push_back(std::move(cell));
  }
  if (!found) out.caret = out.cells.size();
  return out;
}

}  // namespace

Problem MakeProblem(Place place, std::string_view line, std::string message, bool warning) {
  Problem problem;
  problem.place = std::move(place);
  problem.message = std::move(message);
  problem.warning = warning;
  if (problem.place.line == 0) return problem;
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);

  const Window window = Around(line, problem.place.column);
  const std::vector<Cell>& cells = window.cells;
  std::size_t from = 0;
  int before = 0;
  for (std::size_t i = 0; i < window.caret; ++i) before += cells[i].width;
  while (before > kWidest * 2 / 3) before -= cells[from++].width;
  int width = 0;
  if (from > 0 || window.cut) {
    problem.source_line = "…";
    width = 1;
  }
  problem.caret = before + width + 1;
  for (std::size_t i = from; i < cells.size(); ++i) {
    if (width + cells[i].width > kWidest) {
      problem.source_line += "…";
      break;
    }
    problem.source_line += cells[i].text;
    width += cells[i].width;
  }
  return problem;
}

SourceText::SourceText(std::string name, std::string text, int order)
    : name_(std::move(name)), text_(std::move(text)), order_(order) {
  lines_.push_back(text_.starts_with("\xEF\xBB\xBF") ? 3 : 0);
  for (std::size_t i = 0; i < text_.size(); ++i)
    if (text_[i] == '\n') lines_.push_back(i + 1);
}

std::string_view SourceText::Line(int line) const {
  if (line < 1 || static_cast<std::size_t>(line) > lines_.size()) return {};
  const std::size_t begin = lines_[static_cast<std::size_t>(line) - 1];
  const std::size_t end = static_cast<std::size_t>(line) < lines_.size()
                              ? lines_[static_cast<std::size_t>(line)] - 1
                              : text_.size();
  return std::string_view(text_).substr(begin, end - begin);
}

Place SourceText::PlaceOf(Spot at) const {
  if (!is_file()) at = {};
  return {name_, at.line, at.column};
}

std::size_t SourceText::Offset(Spot at) {
  if (at.line < 1 || static_cast<std::size_t>(at.line) > lines_.size()) return text_.size();
  if (last_.spot.line != at.line || last_.spot.column > at.column)
    last_ = {{at.line, 1}, lines_[static_cast<std::size_t>(at.line) - 1]};
  while (last_.spot.column < at.column && last_.offset < text_.size()) {
    last_.offset += StepOver(text_, last_.offset);
    ++last_.spot.column;
  }
  return last_.offset;
}

void SourceText::Mask(Spot begin, Spot end) {
  const std::size_t from = Offset(begin), to = Offset(end);
  MaskBytes(from, to);
}

void SourceText::MaskBytes(std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to;) {
    const std::size_t length = StepOver(text_, i);
    if (text_[i] != '\n' && text_[i] != '\r') {
      text_[i] = kMasked;
      std::fill_n(text_.begin() + static_cast<std::ptrdiff_t>(i) + 1, length - 1, kMaskedTail);
    }
    i += length;
  }
}

void SourceText::MaskUrls() {
  for (std::size_t at = text_.find("://"); at != std::string::npos;
       at = text_.find("://", at + 3)) {
    const std::size_t host = at + 3;
    const std::size_t end = text_.find_first_of("/?# \t\r\n\"'", host), stop = text_.find_first_of(" \t\r\n\"'", host);
    const std::size_t query = text_.find('?', host);
    if (query < stop) MaskBytes(query + 1, std::min(stop, text_.size()));
    const std::string_view authority =
        std::string_view(text_).substr(host, end == std::string::npos ? end : end - host);
    const std::size_t colon = authority.find(':'), last = authority.rfind('@');
    if (colon == std::string_view::npos || last == std::string_view::npos || colon + 1 >= last)
      continue;
    if (authority.substr(colon, last - colon).find("${") != std::string_view::npos) continue;
    MaskBytes(host + colon + 1, host + last);
  }
}

Problem SourceText::ProblemAt(Spot at, std::string message, bool warning) const {
  const Place place = PlaceOf(at);
  return MakeProblem(place, Line(place.line), std::move(message), warning);
}

}  // namespace etl::host
