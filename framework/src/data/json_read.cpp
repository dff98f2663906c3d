#include "json_read.h"

#include <simdjson.h>

#include <limits>
#include <memory>
#include <stdexcept>

#include "build.h"
#include "error.h"
#include "json_values.h"

namespace etl::host {
namespace {

using arrow::Format;
using arrow::Kind;
using arrow::Layout;
using data::Bits;
using data::Buffer;
using Json = simdjson::ondemand::value;

/// A column in the making and the columns below it.
class ColumnReader {
 public:
  ColumnReader(const ArrowSchema& schema, const std::string& above, const JsonOptions& written);

  const std::string& name() const { return name_; }
  void Append(Json json);
  void AppendNull();
  /// Members of a row or struct; what is missing is null.
  void AppendMembers(simdjson::ondemand::object object);
  data::Node Finish();

 private:
  [[noreturn]] void Refuse(const std::string& why) const;
  std::string_view Token(Json& json);
  std::string Text(Json& json);
  void AppendValue(Json& json);
  void AppendFixed(Json& json);
  void AppendText(std::string_view text);
  void AppendOffset(std::size_t size);
  void AppendItems(Json& json);
  void AppendEntry(Json value);
  void AppendKey(std::string_view key);
  void AppendUnion(Json& json);
  void AppendNullMember();
  template <class T>
  void AppendInteger(std::string_view text);

  Format format_;
  std::string name_, path_;
  bool raw_ = false;
  std::int64_t length_ = 0, end_ = 0;
  Bits validity_, bits_;
  Buffer first_, second_;  ///< values; offsets and bytes; type ids and offsets
  std::vector<ColumnReader> children_;
  arrow::UnionMap child_of_{};
  std::vector<std::int64_t> lengths_;  ///< of a dense union's children
};

ColumnReader::ColumnReader(const ArrowSchema& schema, const std::string& above,
                           const JsonOptions& written)
    : format_(arrow::ParseFormat(schema.format)), name_(schema.name ? schema.name : "") {
  path_ = above.empty() ? name_ : above + "." + name_;
  if (schema.dictionary || format_.layout == Layout::kView || format_.layout == Layout::kRunEnd ||
      format_.kind == Kind::kUnknown) {
    throw Error(Exit::kInternal, "column \"" + path_ + "\": rows cannot be read into " +
                                     TypeText(schema) + "; give the plain schema");
  }
  raw_ = written.raw_json && format_.kind == Kind::kUtf8 &&
         arrow::Metadata(schema.metadata, "ARROW:extension:name") == "arrow.json";
  for (std::int64_t i = 0; i < schema.n_children; ++i)
    children_.emplace_back(*schema.children[i], path_, written);
  if (format_.kind == Kind::kUnion)
    arrow::ParseUnion(format_.type_ids, schema.n_children, child_of_);
  lengths_.resize(children_.size());
  AppendOffset(0);
}

void ColumnReader::Refuse(const std::string& why) const {
  throw Error(Exit::kState, path_.empty() ? why : "column \"" + path_ + "\": " + why);
}

/// A scalar as it stands, strings without their quotes.
std::string_view ColumnReader::Token(Json& json) {
  if (json.type() == simdjson::ondemand::json_type::string) return json.get_string();
  std::string_view text = json.raw_json_token();
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  return text;
}

/// The bytes of a text column's value: a string, {"base64":...}, or any JSON where the column holds
/// that.
std::string ColumnReader::Text(Json& json) {
  if (raw_) {
    std::string_view text = simdjson::to_json_string(json);
    while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
    return std::string(text);
  }
  if (json.type() != simdjson::ondemand::json_type::object)
    return std::string(json.get_string().value());
  return data::DecodeBase64(json.get_object().find_field("base64").get_string());
}

/// Where the next list or text will begin; text32 and list32 overflow here.
void ColumnReader::AppendOffset(std::size_t size) {
  end_ += static_cast<std::int64_t>(size);
  if (format_.layout == Layout::kText32 || format_.layout == Layout::kList32) {
    if (end_ > std::numeric_limits<std::int32_t>::max()) Refuse("more than 2 GiB in one batch");
    first_.Append(static_cast<std::int32_t>(end_));
  } else if (format_.layout == Layout::kText64 || format_.layout == Layout::kList64) {
    first_.Append(end_);
  }
}

void ColumnReader::AppendText(std::string_view text) {
  second_.Append(text.data(), text.size());
  AppendOffset(text.size());
}

template <class T>
void ColumnReader::AppendInteger(std::string_view text) {
  constexpr bool kUnsigned = std::is_unsigned_v<T>;
  const std::int64_t value = data::ParseInteger(text, kUnsigned);
  const auto narrow = static_cast<T>(value);
  if (static_cast<std::int64_t>(narrow) != value) Refuse(std::string(text) + " is out of range");
  first_.Append(narrow);
}

void ColumnReader::AppendFixed(Json& json) {
  if (format_.kind == Kind::kFixedBinary) {
    const std::string bytes = data::DecodeBase64(json.get_string());
    if (static_cast<int>(bytes.size()) != format_.width)
      Refuse(std::to_string(bytes.size()) + " bytes");
    return first_.Append(bytes.data(), bytes.size());
  }
  const std::string_view text = Token(json);
  char value[32];
  switch (format_.kind) {
    case Kind::kInt8:
      return AppendInteger<std::int8_t>(text);
    case Kind::kUInt8:
      return AppendInteger<std::uint8_t>(text);
    case Kind::kInt16:
      return AppendInteger<std::int16_t>(text);
    case Kind::kUInt16:
      return AppendInteger<std::uint16_t>(text);
    case Kind::kInt32:
      return AppendInteger<std::int32_t>(text);
    case Kind::kUInt32:
      return AppendInteger<std::uint32_t>(text);
    case Kind::kInt64:
      return AppendInteger<std::int64_t>(text);
    case Kind::kUInt64:
      return AppendInteger<std::uint64_t>(text);
    case Kind::kFloat16:
      return first_.Append(data::FloatToHalf(data::ParseFloat(text)));
    case Kind::kFloat32:
      return first_.Append(data::ParseFloat(text));
    case Kind::kFloat64:
      return first_.Append(data::ParseDouble(text));
    case Kind::kDecimal:
      data::ParseDecimal(text, format_, value);
      break;
    case Kind::kMonths:
    case Kind::kDayTime:
    case Kind::kMonthDayNano:
      data::ParseInterval(text, format_, value);
      break;
    default: {
      const std::int64_t time = data::ParseTime(text, format_);
      if (format_.width == 8) return first_.Append(time);
      if (time != static_cast<std::int32_t>(time)) Refuse(std::string(text) + " is out of range");
      return first_.Append(static_cast<std::int32_t>(time));
    }
  }
  first_.Append(value, static_cast<std::size_t>(format_.width));
}

/// An entry of a map, once its key is there.
void ColumnReader::AppendEntry(Json value) {
  ColumnReader& entries = children_[0];
  ++entries.length_;
  entries.validity_.Append(true);
  entries.children_[1].Append(value);
}

/// The key of an entry that was the key of an object.
void ColumnReader::AppendKey(std::string_view key) {
  ++length_;
  validity_.Append(true);
  AppendText(key);
}

/// Items of a list, a map's as {"key":value} or [[key,value]].
void ColumnReader::AppendItems(Json& json) {
  std::size_t items = 0;
  if (format_.kind == Kind::kMap && json.type() == simdjson::ondemand::json_type::object) {
    if (children_[0].children_[0].format_.kind != Kind::kUtf8)
      Refuse("an object where the keys are no text");
    for (auto field : json.get_object()) {
      children_[0].children_[0].AppendKey(field.unescaped_key());
      AppendEntry(field.value());
      ++items;
    }
    return AppendOffset(items);
  }
  for (auto item : json.get_array()) {
    ++items;
    if (format_.kind != Kind::kMap) {
      children_[0].Append(item.value());
      continue;
    }
    int part = 0;
    for (auto of_pair : item.get_array()) {
      if (part == 0) children_[0].children_[0].Append(of_pair.value());
      if (part == 1) AppendEntry(of_pair.value());
      ++part;
    }
    if (part != 2) Refuse("an entry of a map is not [key, value]");
  }
  if (format_.layout != Layout::kFixedList) return AppendOffset(items);
  if (static_cast<std::int64_t>(items) != format_.size) Refuse(std::to_string(items) + " items");
}

void ColumnReader::AppendUnion(Json& json) {
  int chosen = -1;
  for (auto field : json.get_object()) {
    if (chosen >= 0) Refuse("a union with more than one member");
    const std::string key(std::string_view(field.unescaped_key()));
    int same = 0;
    for (std::size_t id = 0; id < child_of_.size(); ++id) {
      if (child_of_[id] < 0) continue;
      const std::string& name = children_[static_cast<std::size_t>(child_of_[id])].name_;
      if (name == key && ++same == 1) chosen = static_cast<int>(id);
    }
    // Members without a name of their own go by their type id.
    for (std::size_t id = 0; same != 1 && id < child_of_.size(); ++id) {
      if (child_of_[id] >= 0 && key == std::to_string(id)) chosen = static_cast<int>(id);
    }
    if (chosen < 0) Refuse("the union has no member \"" + key + '"');
    const auto member = static_cast<std::size_t>(child_of_[static_cast<std::size_t>(chosen)]);
    first_.Append(static_cast<std::int8_t>(chosen));
    if (format_.layout == Layout::kDense)
      second_.Append(static_cast<std::int32_t>(lengths_[member]++));
    for (std::size_t i = 0; i < children_.size(); ++i) {
      if (i == member) {
        children_[i].Append(field.value());
      } else if (format_.layout == Layout::kSparse) {
        children_[i].AppendNull();
      }
    }
  }
  if (chosen < 0) Refuse("a union without a member");
}

void ColumnReader::AppendMembers(simdjson::ondemand::object object) {
  ++length_;
  std::vector<bool> seen(children_.size());
  std::size_t next = 0;
  for (auto field : object) {
    const std::string key(std::string_view(field.unescaped_key()));
    std::size_t tries = 0;
    for (; tries < children_.size(); ++tries, ++next) {
      if (next >= children_.size()) next = 0;
      if (!seen[next] && children_[next].name_ == key) break;
    }
    if (tries == children_.size())
      Refuse("there is no column \"" + key + "\", or it is given twice");
    seen[next] = true;
    children_[next++].Append(field.value());
  }
  for (std::size_t i = 0; i < children_.size(); ++i) {
    if (!seen[i]) children_[i].AppendNull();
  }
}

void ColumnReader::AppendValue(Json& json) {
  switch (format_.layout) {
    case Layout::kBits:
      return bits_.Append(json.get_bool());
    case Layout::kFixed:
      return AppendFixed(json);
    case Layout::kText32:
    case Layout::kText64:
      return AppendText(format_.kind == Kind::kBinary ? data::DecodeBase64(json.get_string())
                                                      : Text(json));
    case Layout::kList32:
    case Layout::kList64:
    case Layout::kFixedList:
      return AppendItems(json);
    case Layout::kStruct:
      --length_;
      return AppendMembers(json.get_object());
    case Layout::kSparse:
    case Layout::kDense:
      return AppendUnion(json);
    default:
      Refuse("a value where only null can be");
  }
}

void ColumnReader::Append(Json json) {
  try {
    if (json.is_null()) {
      if (format_.kind == Kind::kUnion) Refuse("null, which a union cannot be");
      return AppendNull();
    }
    ++length_;
    validity_.Append(true);
    AppendValue(json);
  } catch (const std::invalid_argument& e) {
    Refuse(e.what());
  } catch (const simdjson::simdjson_error& e) {
    Refuse(e.what());
  }
}

void ColumnReader::AppendNull() {
  ++length_;
  validity_.Append(false);
  switch (format_.layout) {
    case Layout::kBits:
      return bits_.Append(false);
    case Layout::kFixed: {
      const std::string zeros(static_cast<std::size_t>(format_.width), '\0');
      return first_.Append(zeros.data(), zeros.size());
    }
    case Layout::kFixedList:
      for (std::int64_t i = 0; i < format_.size; ++i) children_[0].AppendNull();
      return;
    case Layout::kStruct:
      for (ColumnReader& child : children_) child.AppendNull();
      return;
    case Layout::kSparse:
    case Layout::kDense:
      return AppendNullMember();
    default:
      return AppendOffset(0);
  }
}

/// A union below a null has to be something: its first member, null.
void ColumnReader::AppendNullMember() {
  if (children_.empty()) Refuse("null in a union without members");
  std::size_t id = 0;
  while (child_of_[id] != 0) ++id;
  first_.Append(static_cast<std::int8_t>(id));
  if (format_.layout == Layout::kDense) {
    second_.Append(static_cast<std::int32_t>(lengths_[0]++));
    return children_[0].AppendNull();
  }
  for (ColumnReader& child : children_) child.AppendNull();
}

data::Node ColumnReader::Finish() {
  data::Node node;
  node.length = length_;
  if (format_.layout == Layout::kNone) {
    node.null_count = length_;
    return node;
  }
  if (format_.kind != Kind::kUnion) {
    node.null_count = validity_.zeros();
    node.buffers.push_back(node.null_count > 0 ? validity_.Take() : Buffer());
  }
  const auto add = [&node](Buffer buffer) {
    node.buffers.push_back(buffer.exported() ? std::move(buffer) : Buffer(0));
  };
  if (format_.layout == Layout::kBits) add(bits_.Take());
  if (format_.layout != Layout::kBits && format_.layout != Layout::kStruct &&
      format_.layout != Layout::kFixedList) {
    add(std::move(first_));
  }
  if (format_.layout == Layout::kText32 || format_.layout == Layout::kText64 ||
      format_.layout == Layout::kDense) {
    add(std::move(second_));
  }
  for (ColumnReader& child : children_) node.children.push_back(child.Finish());
  return node;
}

}  // namespace

void ReadJsonRows(const ArrowSchema& schema, std::span<const std::string> rows, ArrowArray* out,
                  const JsonOptions& written) {
  ColumnReader batch(schema, "", written);
  simdjson::ondemand::parser parser;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    try {
      const simdjson::padded_string text(rows[i]);
      simdjson::ondemand::document document = parser.iterate(text);
      batch.AppendMembers(document.get_object());
      if (!document.current_location().error())
        throw Error(Exit::kState, "something follows the object");
    } catch (const Error& e) {
      throw Error(Exit::kState,
                  "row " + std::to_string(i) + " does not fit the schema: " + e.what());
    } catch (const simdjson::simdjson_error& e) {
      throw Error(Exit::kState, "row " + std::to_string(i) + " is no JSON object: " + e.what());
    }
  }
  Export(batch.Finish(), out);
}

}  // namespace etl::host
