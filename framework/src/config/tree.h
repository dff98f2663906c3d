// The pipeline file as a tree in the file's own order, every part of which knows where it stands.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scan.h"
#include "source_text.h"

namespace etl::host {

struct Entry;

struct Node {
  enum class Type { kTable, kArray, kString, kInt, kFloat, kBool, kDate };
  Type type = Type::kTable;
  std::string text;  ///< a string's; a date's as in the file
  std::int64_t integer = 0;
  double number = 0;
  bool truth = false;
  std::vector<Entry> entries;  ///< of a table
  std::vector<Node> items;     ///< of an array
  SourceText* origin = nullptr;
  Spot begin, end;   ///< of a [table]: its header
  std::string bare;  ///< a --set's value that is no string, as it was typed

  Entry* Find(std::string_view key);
  const Entry* Find(std::string_view key) const { return const_cast<Node*>(this)->Find(key); }
};

struct Entry {
  std::string key;
  Spot at;
  SourceText* origin = nullptr;
  Node node;
};

/// The tree of a TOML text, or the one mistake that toml++ stops at.  The text has been scanned.
struct Parsed {
  std::optional<Node> root;
  Finding mistake;
};
Parsed ParseToml(SourceText& text, const std::optional<Finding>& unclosed);

/// toml++'s message as a sentence that says what to do, and where.
Finding ReadableSyntaxError(const SourceText& text, Spot at, std::string_view description);

/// Could a key of this name hold a secret?  For lines that are shown before it is known what they
/// mean.
bool LooksSecret(std::string_view key);

}  // namespace etl::host
