// SPDX-License-Identifier: Apache-2.0
#include "shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "http/access.h"

namespace etl::elasticsearch {
namespace {

constexpr std::int64_t kSlice = 128;   // rows whose vectors are converted at a time: they stay in the cache
const void* kNoBuffer[1] = {nullptr};

constexpr std::size_t kLongestNumber = 64;

/// The digits of a number, at `to`, which has room for 24; returns how many.  A float's number is below 10^9: its digits are
/// made eight at a time, and four times as fast as one by one.
int PutDigits(std::uint64_t value, char* to) { return static_cast<int>(std::to_chars(to, to + 24, value).ptr - to); }
int PutDigits(std::uint32_t value, char* to) {
  const std::uint32_t first = value / 100'000'000, rest = value % 100'000'000;
  const std::uint64_t fours = rest / 10'000 | std::uint64_t{rest % 10'000} << 32;
  const std::uint64_t hundreds = (fours * 10486 >> 20) & 0x7f0000007f;
  const std::uint64_t twos = ((fours - 100 * hundreds) << 16) + hundreds;
  std::uint64_t digits = (twos * 103 >> 10) & 0x000f000f000f000f;
  digits += (twos - 10 * digits) << 8;   // one a byte, the first in the lowest
  int zeros = 0;
  if (first) *to++ = static_cast<char>('0' + first);
  else zeros = __builtin_ctzll(digits) / 8;
  digits = (digits | 0x3030303030303030) >> 8 * zeros;
  std::memcpy(to, &digits, sizeof digits);
  return 8 - zeros + (first ? 1 : 0);
}

/// The shortest text that reads back to the same value; returns its end, and may use kLongestNumber bytes.  fmt's own
/// printing takes twice as long as the conversion.  Whole numbers keep a ".0", or a field without a mapping would be taken
/// for one of integers.
template <class T>
char* PutFloat(T value, char* to) {
  if (std::signbit(value)) *to++ = '-';
  value = std::abs(value);
  if (value < std::numeric_limits<T>::denorm_min()) {
    std::memcpy(to, "0.0", 3);
    return to + 3;
  }
  const auto decimal = fmt::detail::dragonbox::to_decimal(value);
  char digits[32];
  const int n = PutDigits(decimal.significand, digits);
  const int point = n + decimal.exponent;   // digits before the point
  // Copies of a constant size, some of them of too much, are the fast ones.
  if (point <= 0 && point > -5) {
    std::memcpy(to, "0.000000", 8);
    to += 2 - point;
    std::memcpy(to, digits, 24);
    return to + n;
  }
  if (point > 0 && point <= 17) {
    std::memcpy(to, digits, 24);
    for (int i = n; i < point; ++i) to[i] = '0';
    to += point;
    *to++ = '.';
    if (n <= point) return *to++ = '0', to;
    std::memcpy(to, digits + point, 24 - 17 + 1);
    std::memcpy(to, digits + point, static_cast<std::size_t>(n - point));
    return to + (n - point);
  }
  *to++ = digits[0];
  if (n > 1) {
    *to++ = '.';
    std::memcpy(to, digits + 1, static_cast<std::size_t>(n - 1));
    to += n - 1;
  }
  *to++ = 'e';
  return std::to_chars(to, to + 8, point - 1).ptr;
}

/// A vector's items as a JSON array; what is not finite as null.
template <class T>
char* PutArray(const ColumnView& items, std::int64_t begin, std::int64_t end, char* to) {
  *to++ = '[';
  for (std::int64_t i = begin; i < end; ++i) {
    const T value = items.IsNull(i) ? std::numeric_limits<T>::infinity() : items.Get<T>(i);
    if (std::isfinite(value)) to = PutFloat(value, to);
    else std::memcpy(to, "null", 4), to += 4;
    *to++ = ',';
  }
  if (end > begin) --to;
  *to++ = ']';
  return to;
}

template <class T>
bool AllFinite(const ColumnView& items, std::int64_t begin, std::int64_t end) {
  bool all = true;
  for (std::int64_t i = begin; i < end; ++i) all = all && (items.IsNull(i) || std::isfinite(items.Get<T>(i)));
  return all;
}

/// Of a vector of n values as base64: big-endian floats.
template <class Value>
std::string Base64Floats(std::int64_t n, Value&& value) {
  std::string bytes(static_cast<std::size_t>(n) * 4, '\0');
  for (std::int64_t i = 0; i < n; ++i) {
    const auto narrow = static_cast<float>(value(i));
    std::uint32_t bits = 0;
    std::memcpy(&bits, &narrow, sizeof bits);
    bits = __builtin_bswap32(bits);
    std::memcpy(bytes.data() + i * 4, &bits, sizeof bits);
  }
  return http::Base64(bytes);
}

}  // namespace

std::int64_t FindColumn(const ArrowSchema& rows, const std::string& column, const char* option) {
  for (std::int64_t i = 0; i < rows.n_children; ++i) {
    if (column == rows.children[i]->name) return i;
  }
  throw ConfigError(option, "the rows have no column \"" + column + "\"");
}

bool IsVector(const ArrowSchema& column) {
  const auto f = arrow::ParseFormat(column.format);
  if (f.kind != arrow::Kind::kList && f.kind != arrow::Kind::kFixedList) return false;
  const auto item = arrow::ParseFormat(column.children[0]->format);
  return item.kind == arrow::Kind::kFloat32 || item.kind == arrow::Kind::kFloat64;
}

std::vector<std::pair<std::string, std::string>> Fields(const ArrowSchema& rows, const ShapeOptions& options) {
  for (const std::string& name : options.exclude) FindColumn(rows, name, "exclude");
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& [field, column] : options.columns) {
    FindColumn(rows, column, "columns");
    fields.emplace_back(field, column);
  }
  for (std::int64_t i = 0; i < rows.n_children && options.columns.empty(); ++i) {
    const std::string name = rows.children[i]->name;
    if (std::find(options.exclude.begin(), options.exclude.end(), name) == options.exclude.end()) fields.emplace_back(name, name);
  }
  return fields;
}

Shape::Shape(const ArrowSchema& rows, const ShapeOptions& options) : rows_(&rows), options_(options) {
  nodes_.emplace_back();
  for (const auto& [field, column] : Fields(rows, options)) {
    std::size_t at = 0;
    std::string_view rest = field;
    for (;;) {
      const auto dot = options.nested ? rest.find('.') : std::string_view::npos;
      const std::string name(rest.substr(0, dot));
      const auto child = std::find_if(nodes_[at].children.begin(), nodes_[at].children.end(), [&](std::size_t c) { return nodes_[c].name == name; });
      const bool known = child != nodes_[at].children.end();
      if (known && (dot == std::string_view::npos || nodes_[*child].column >= 0)) {
        throw ConfigError("columns", "the field \"" + field + "\" would stand twice in a document, or be a value and an object");
      }
      if (known) {
        at = *child;
      } else {
        nodes_[at].children.push_back(nodes_.size());
        at = nodes_.size();
        nodes_.push_back({name, field.substr(0, field.size() - (dot == std::string_view::npos ? 0 : rest.size() - dot)), -1, {}});
      }
      if (dot == std::string_view::npos) break;
      rest.remove_prefix(dot + 1);
    }
    nodes_[at].column = FindColumn(rows, column, "columns");
  }
  Build(rows, 0, &schema_, &array_);
}

void Shape::Build(const ArrowSchema& rows, std::size_t at, ArrowSchema* schema, ArrowArray* array) {
  Node& node = nodes_[at];
  if (node.column >= 0) {
    *schema = *rows.children[node.column];
    schema->name = node.name.c_str();
    schema->release = nullptr;
    if (!IsVector(*schema)) return plain_.emplace_back(array, node.column), void();
    Converted& c = converted_.emplace_back();
    c.column = node.column;
    c.base64 = std::find(options_.base64.begin(), options_.base64.end(), node.path) != options_.base64.end();
    c.array = array;
    c.metadata = Json().metadata;
    c.format = "U";
    schema->format = c.format.c_str();
    schema->metadata = c.metadata.c_str();
    schema->n_children = 0;
    schema->children = nullptr;
    return;
  }
  std::vector<ArrowSchema*>& kinds = schema_children_.emplace_back();
  std::vector<ArrowArray*>& columns = array_children_.emplace_back();
  for (const std::size_t child : node.children) {
    kinds.push_back(&schemas_.emplace_back());
    columns.push_back(&arrays_.emplace_back());
    Build(rows, child, kinds.back(), columns.back());
  }
  *schema = {"+s", node.name.c_str(), nullptr, 0, static_cast<std::int64_t>(kinds.size()), kinds.data(), nullptr, nullptr, nullptr};
  *array = {0, 0, 0, 1, static_cast<std::int64_t>(columns.size()), kNoBuffer, columns.data(), nullptr, nullptr, nullptr};
}

void Shape::Begin(const ArrowArray& batch) {
  batch_ = &batch;
  array_.length = batch.length;
  array_.offset = batch.offset;
  // Children of an object are found with its row numbers, which are the batch's with its offset.
  for (const auto& [array, column] : plain_) {
    *array = *batch.children[column];
    array->release = nullptr;
  }
  from_ = to_ = 0;
  wrong_.clear();
}

const ArrowArray& Shape::ForRow(std::int64_t row) {
  if (row >= to_ && !converted_.empty()) {
    from_ = row;
    to_ = std::min(row + kSlice, batch_->length);
    wrong_.clear();
    for (Converted& c : converted_) Convert(c, from_, to_ - from_);
  }
  return array_;
}

const std::string* Shape::Wrong(std::int64_t row) const {
  for (const auto& [at, why] : wrong_) {
    if (at == row) return &why;
  }
  return nullptr;
}

void Shape::Convert(Converted& c, std::int64_t first, std::int64_t count) {
  const ColumnView view(*rows_->children[c.column], *batch_->children[c.column], batch_->offset);
  const ColumnView items = view.child(0);
  c.text.clear();
  c.offsets.assign(1, 0);
  c.valid.assign(static_cast<std::size_t>(count / 8 + 1), 0);
  for (std::int64_t i = 0; i < count; ++i) {
    if (!view.IsNull(first + i)) {
      c.valid[static_cast<std::size_t>(i / 8)] |= static_cast<unsigned char>(1 << (i % 8));
      const auto [begin, end] = view.Items(first + i);
      ConvertRow(c, items, begin, end, first + i);
    }
    c.offsets.push_back(static_cast<std::int64_t>(c.text.size()));
  }
  c.buffers[0] = c.valid.data();
  c.buffers[1] = c.offsets.data();
  c.buffers[2] = c.text.data();
  // Row numbers stay the batch's, so what is converted begins before its own first row.
  *c.array = {count, -1, -first - batch_->offset, 3, 0, c.buffers, nullptr, nullptr, nullptr, nullptr};
}

void Shape::ConvertRow(Converted& c, const ColumnView& items, std::int64_t begin, std::int64_t end, std::int64_t row) {
  const std::size_t start = c.text.size();
  const auto fail = [&](const std::string& why) {
    c.text.resize(start);
    c.text += "null";
    wrong_.emplace_back(row, "column \"" + std::string(rows_->children[c.column]->name) + "\" holds " + why);
  };
  const bool single = items.kind() == 'f';
  if (!(single ? AllFinite<float>(items, begin, end) : AllFinite<double>(items, begin, end)) && (c.base64 || !options_.nan_as_null)) {
    return fail("a value in a vector that JSON has no number for");
  }
  if (c.base64) {
    for (std::int64_t i = begin; i < end; ++i) {
      if (items.IsNull(i)) return fail("a null in a vector");
    }
    c.text += '"';
    c.text += Base64Floats(end - begin, [&](std::int64_t i) { return items.Float(begin + i); });
    c.text += '"';
    return;
  }
  const std::size_t room = static_cast<std::size_t>(end - begin) * (single ? 17 : 26) + kLongestNumber;
  c.text.resize(start + room);
  char* const at = c.text.data() + start;
  c.text.resize(static_cast<std::size_t>((single ? PutArray<float>(items, begin, end, at) : PutArray<double>(items, begin, end, at)) - c.text.data()));
}

}  // namespace etl::elasticsearch
