// The inside of ReadTable: reads one value after the other by its declaration.
#pragma once
#include <fmt/format.h>

#include <map>
#include <string>
#include <vector>

#include "values.h"

namespace etl::host {

/// A value as TOML text: with references as written, and with what they stand for.
struct Canonical {
  std::string shown, full;
};

struct ReadValue {
  etl_value value{};
  Canonical text;
};

/// Where a value is read for: the option, its full name ("batch.rows", "columns[2]"), and whether
/// it or what holds it is a secret.
struct OptionSlot {
  const etl_option& option;
  std::string path;
  bool secret;
  enum { kOption, kItem, kMapItem } part = kOption;

  std::string AsIn() const;  ///< "rows = 5000": what to write, for a message
};

/// "rows" of "batch.rows", "columns" of "columns[2]".
std::string_view LastPart(std::string_view path);
bool IsOneReference(std::string_view text);
/// Visible and not too long for a message.
std::string Shortened(std::string_view text);
/// "the text \"lots\"": what stands in the place of something else.  The value of a secret is left
/// out.
std::string Found(const Node& node, bool secret);
/// Hides all values below.
void MaskAll(const Node& node);

class OptionReader {
 public:
  OptionReader(ReadContext& context, Values::Store& store, const std::string& component)
      : context_(context), store_(store), component_(component) {}

  std::vector<ReadValue> Table(const std::vector<const etl_option*>& options,
                               const TableRequest& request, const Node& table,
                               const std::string& prefix, bool secret);

  std::map<std::string, Place> places;

 private:
  [[noreturn]] void Misdeclared(const etl_option& option, const std::string& why) const;
  void Mistake(const Node& node, std::string message) {
    context_.problems.Mistake(*node.origin, node.begin, std::move(message));
  }

  std::string UnknownKey(const TableRequest& request, const std::vector<const etl_option*>& options,
                         const Entry& entry);
  std::string PlaceElsewhere(const TableRequest& request,
                             const std::vector<const etl_option*>& options,
                             const std::string& key) const;
  ReadValue Missing(const etl_option& option, const TableRequest& request, const Node& table);
  ReadValue Default(const etl_option& option);
  ReadValue Value(const OptionSlot& slot, std::uint32_t type, const Node& node);
  ReadValue Integer(const OptionSlot& slot, const Node& node);
  ReadValue Float(const OptionSlot& slot, const Node& node);
  ReadValue Text(const OptionSlot& slot, std::uint32_t type, const Node& node);
  ReadValue Measure(const OptionSlot& slot, std::uint32_t type, const Node& node);
  ReadValue List(const OptionSlot& slot, const Node& node);
  ReadValue Map(const OptionSlot& slot, const Node& node);
  ReadValue Fields(const OptionSlot& slot, const Node& node);
  ReadValue Whole(const OptionSlot& slot, std::uint32_t type, const Node& node, std::int64_t value,
                  std::string canonical);
  ReadValue Items(std::uint32_t type, std::vector<etl_value> items, Canonical text);
  ReadValue Wrong(const OptionSlot& slot, std::uint32_t type, const Node& node);
  std::string Resolved(const OptionSlot& slot, const Node& node, bool* references);
  std::string AbsolutePath(const OptionSlot& slot, const Node& node, const std::string& text);
  bool Choice(const OptionSlot& slot, const Node& node, const std::string& value, bool references);
  bool InRange(const OptionSlot& slot, std::uint32_t type, const Node& node, double value,
               std::int64_t whole);

  ReadContext& context_;
  Values::Store& store_;
  const std::string& component_;
  std::string label_;
};

}  // namespace etl::host
