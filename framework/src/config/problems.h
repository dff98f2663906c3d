// Mistakes and warnings as they are found, shown at the end: only then is it known which parts of
// the text are secret.
#pragma once
#include <string>
#include <vector>

#include "source_text.h"

namespace etl::host {

class Problems {
 public:
  void Mistake(const SourceText& origin, Spot at, std::string message) {
    Add({&origin, at, std::move(message), false});
  }
  void Warning(const SourceText& origin, Spot at, std::string message) {
    Add({&origin, at, std::move(message), true});
  }
  std::size_t mistakes() const { return mistakes_; }

  /// In the order of the file, then of the --sets; after the first 50 only how many more there are.
  std::vector<Problem> Take();

 private:
  struct Draft {
    const SourceText* origin;
    Spot at;
    std::string message;
    bool warning;
  };
  void Add(Draft draft);

  std::vector<Draft> drafts_;
  std::size_t mistakes_ = 0;
};

}  // namespace etl::host
