// A text that configuration comes from: the pipeline file, one --set, or the default of an option.
#pragma once
#include <compare>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config.h"

namespace etl::host {

/// Line and column (of code points), both from 1.  line 0: the text as a whole.
struct Spot {
  int line = 0, column = 0;
  auto operator<=>(const Spot&) const = default;
};

class SourceText {
 public:
  /// name: the file as the user wrote it, or "--set sink.table".  order: 0 for the file, then that
  /// of the --sets.
  SourceText(std::string name, std::string text, int order);

  const std::string& name() const { return name_; }
  const std::string& text() const { return text_; }
  bool is_file() const { return order_ == 0; }
  int order() const { return order_; }
  std::string_view Line(int line) const;
  Place PlaceOf(Spot at) const;

  /// From now on this part is shown as "***".
  void Mask(Spot begin, Spot end);
  /// Masks the password in each URL of the text, and its query, which can hold another.
  void MaskUrls();

  Problem ProblemAt(Spot at, std::string message, bool warning) const;

 private:
  std::size_t Offset(Spot at);
  void MaskBytes(std::size_t from, std::size_t to);

  std::string name_, text_;
  int order_;
  std::vector<std::size_t> lines_;  ///< where each begins
  struct {
    Spot spot;
    std::size_t offset = 0;
  } last_;  ///< makes many spots of one long line cheap
};

/// `line` is the one that `place` lies on.
Problem MakeProblem(Place place, std::string_view line, std::string message, bool warning);

}  // namespace etl::host
