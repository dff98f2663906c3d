// SPDX-License-Identifier: Apache-2.0
#include "value.h"

#include <etl/json.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace etl::sqlite {
namespace {

/// SQLite's own text of a float has 15 digits, and so another value.
std::string FloatText(double d) {
  char text[64];
  std::string out(text, std::to_chars(text, text + sizeof text, d).ptr);
  if (out.find_first_not_of("-0123456789") == out.npos) out += ".0";
  return out;
}

std::string_view Bytes(sqlite3_stmt* row, int i) {
  const auto* p = static_cast<const char*>(sqlite3_column_blob(row, i));
  return {p ? p : "", static_cast<std::size_t>(sqlite3_column_bytes(row, i))};
}

std::string_view Characters(sqlite3_stmt* row, int i) {
  const auto* p = reinterpret_cast<const char*>(sqlite3_column_text(row, i));
  return {p ? p : "", static_cast<std::size_t>(sqlite3_column_bytes(row, i))};
}

const char* NameOf(Shape shape) {
  switch (shape) {
    case Shape::kInt: return "int64";
    case Shape::kReal: return "float64";
    case Shape::kBlob: return "binary";
    case Shape::kBool: return "bool";
    case Shape::kJson: return "json";
    default: return "utf8";
  }
}

constexpr std::int64_t kExact = std::int64_t{1} << 53;  // integers up to there are floats, too

}  // namespace

Shape ShapeOf(const std::string& declared) {
  std::string d = declared;
  std::transform(d.begin(), d.end(), d.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const auto has = [&d](const char* part) { return d.find(part) != d.npos; };
  if (has("INT")) return Shape::kInt;
  if (has("BOOL")) return Shape::kBool;
  if (has("JSON")) return Shape::kJson;
  if (has("CHAR") || has("CLOB") || has("TEXT")) return Shape::kText;
  if (has("BLOB")) return Shape::kBlob;
  if (has("REAL") || has("FLOA") || has("DOUB")) return Shape::kReal;
  return Shape::kText;
}

std::optional<Shape> ShapeNamed(const std::string& type) {
  for (const Shape s : {Shape::kInt, Shape::kReal, Shape::kText, Shape::kBlob, Shape::kBool, Shape::kJson}) {
    if (type == NameOf(s)) return s;
  }
  return std::nullopt;
}

Type TypeOf(Shape shape) {
  switch (shape) {
    case Shape::kInt: return Int64();
    case Shape::kReal: return Float64();
    case Shape::kBlob: return Binary();
    case Shape::kBool: return Bool();
    case Shape::kJson: return Json();
    default: return Utf8();
  }
}

bool ValueReader::IsJson(sqlite3* db, std::string_view text) {
  if (!is_json_) is_json_ = Statement(db, "SELECT json_valid(?)");
  is_json_.BindText(1, text);
  const bool valid = is_json_.Step() && is_json_.Int(0) == 1;
  is_json_.Reset();
  return valid;
}

bool ValueReader::Append(sqlite3_stmt* row, int i, Shape shape, Column& to) {
  const int type = sqlite3_column_type(row, i);
  if (type == SQLITE_NULL) {
    to.Null();
    return true;
  }
  const std::int64_t n = type == SQLITE_INTEGER ? sqlite3_column_int64(row, i) : 0;
  switch (shape) {
    case Shape::kInt:
      if (type != SQLITE_INTEGER) return false;
      to.Append(n);
      return true;
    case Shape::kBool:
      if (type != SQLITE_INTEGER || (n != 0 && n != 1)) return false;
      to.Append(n == 1);
      return true;
    case Shape::kReal:
      if (type != SQLITE_FLOAT && (type != SQLITE_INTEGER || n < -kExact || n > kExact)) return false;
      to.Append(sqlite3_column_double(row, i));
      return true;
    case Shape::kBlob:
      if (type != SQLITE_BLOB && type != SQLITE_TEXT) return false;
      to.Append(Bytes(row, i));
      return true;
    default: break;
  }
  if (type == SQLITE_BLOB) return false;
  std::string made;
  std::string_view text;
  if (type == SQLITE_FLOAT) text = made = FloatText(sqlite3_column_double(row, i));
  else text = Characters(row, i);
  if (ValidUtf8(text) != text.size()) return false;
  if (shape == Shape::kJson && !IsJson(sqlite3_db_handle(row), text)) return false;
  to.Append(text);
  return true;
}

std::string ValueReader::Text(sqlite3_stmt* row, int i) {
  switch (sqlite3_column_type(row, i)) {
    case SQLITE_FLOAT: return FloatText(sqlite3_column_double(row, i));
    case SQLITE_BLOB: return std::string(Bytes(row, i));
    default: return std::string(Characters(row, i));
  }
}

std::string ValueReader::Unfit(sqlite3_stmt* row, int i, const std::string& column, Shape shape) {
  const int type = sqlite3_column_type(row, i);
  std::string held;
  switch (type) {
    case SQLITE_INTEGER: held = "the integer " + Text(row, i); break;
    case SQLITE_FLOAT: held = "the float " + Text(row, i); break;
    case SQLITE_BLOB: held = "a blob of " + std::to_string(sqlite3_column_bytes(row, i)) + " bytes"; break;
    default: {
      const std::string text = Text(row, i);
      if (ValidUtf8(text) != text.size()) return "column \"" + column + "\" holds text that is not UTF-8; read it as binary";
      held = "the text \"" + text.substr(0, ValidUtf8(std::string_view(text).substr(0, 60))) + (text.size() > 60 ? "...\"" : "\"");
    }
  }
  return "column \"" + column + "\" holds " + held + ", which is no " + NameOf(shape);
}

}  // namespace etl::sqlite
