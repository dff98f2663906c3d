// SPDX-License-Identifier: Apache-2.0
#include "result_column.h"

#include <etl/json.h>

#include <cfloat>
#include <charconv>
#include <cmath>

#include "files/json_check.h"

namespace etl::sql {
namespace {

using files::FileColumn;
using files::Kind;

std::string_view TextOf(sqlite3_stmt* row, int i) {
  const auto* p = reinterpret_cast<const char*>(sqlite3_column_text(row, i));
  return {p ? p : "", static_cast<std::size_t>(sqlite3_column_bytes(row, i))};
}

bool IsJsonText(std::string_view text) {
  thread_local files::JsonChecker checker;
  return checker.IsJson(text);
}

std::string Number(double v) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, v).ptr);
}

/// "INTEGER 5", "TEXT 'abc...'": for messages.
std::string Shown(sqlite3_stmt* row, int i, int type) {
  switch (type) {
    case SQLITE_INTEGER: return "INTEGER " + std::to_string(sqlite3_column_int64(row, i));
    case SQLITE_FLOAT: return "REAL " + Number(sqlite3_column_double(row, i));
    case SQLITE_BLOB: return "a BLOB of " + std::to_string(sqlite3_column_bytes(row, i)) + " bytes";
    default: {
      std::string text(TextOf(row, i));
      if (text.size() > 60) text = text.substr(0, ValidUtf8(text.substr(0, 57))) + "...";
      return "TEXT '" + text + "'";
    }
  }
}

const char* CastFor(Kind kind) {
  switch (kind) {
    case Kind::kFloat32: case Kind::kFloat64: return "REAL";
    case Kind::kBinary: return "BLOB";
    case Kind::kBool: case Kind::kInt8: case Kind::kInt16: case Kind::kInt32: case Kind::kInt64: case Kind::kUInt8:
    case Kind::kUInt16: case Kind::kUInt32: case Kind::kUInt64:
      return "INTEGER";
    default: return "TEXT";
  }
}

const char* TypeFor(int type) {
  return type == SQLITE_INTEGER ? "int64" : type == SQLITE_FLOAT ? "float64" : type == SQLITE_BLOB ? "binary" : "utf8";
}

std::string Unfit(const FileColumn& column, sqlite3_stmt* row, int i, int type) {
  std::string out = "column \"" + column.name + "\" is " + files::TypeName(column) + ", and its value is " +
                    Shown(row, i, type);
  if (column.declared) return out + ", which is no such value; mend the expression, or the type in `types`";
  return out + "; write CAST(... AS " + CastFor(column.kind) + ") AS " + column.name + ", or types = { " + column.name +
         " = \"" + TypeFor(type) + "\" }";
}

bool AppendValue(const FileColumn& column, sqlite3_stmt* row, int i, int type, Column& out) {
  switch (column.kind) {
    case Kind::kInt64:
      if (type != SQLITE_INTEGER) break;
      out.Append(static_cast<std::int64_t>(sqlite3_column_int64(row, i)));
      return true;
    case Kind::kFloat64:
      if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) break;
      out.Append(sqlite3_column_double(row, i));
      return true;
    case Kind::kFloat32:
      if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) break;
      if (const double v = sqlite3_column_double(row, i); std::isinf(v) || std::fabs(v) <= FLT_MAX) {
        out.Append(static_cast<float>(v));
        return true;
      }
      break;
    case Kind::kUtf8: case Kind::kJson: {
      const bool number = column.kind == Kind::kJson && (type == SQLITE_INTEGER || type == SQLITE_FLOAT);
      if (type != SQLITE_TEXT && !number) return false;
      if (type == SQLITE_FLOAT) {
        const std::string shown = Number(sqlite3_column_double(row, i));
        if (!IsJsonText(shown)) return false;
        out.Append(shown);
        return true;
      }
      const std::string_view text = TextOf(row, i);
      if (ValidUtf8(text) != text.size()) return false;
      if (column.kind == Kind::kJson && !IsJsonText(text)) return false;
      out.Append(text);
      return true;
    }
    case Kind::kBinary: {
      if (type != SQLITE_BLOB) return false;
      const auto* p = static_cast<const char*>(sqlite3_column_blob(row, i));
      out.Append(std::string_view(p ? p : "", static_cast<std::size_t>(sqlite3_column_bytes(row, i))));
      return true;
    }
    default: break;
  }
  if (!column.declared || type == SQLITE_BLOB) return false;
  if (type == SQLITE_FLOAT) return files::AppendText(column, Number(sqlite3_column_double(row, i)), out);
  return files::AppendText(column, TextOf(row, i), out);
}

}  // namespace

std::string AppendResult(const FileColumn& column, sqlite3_stmt* row, int i, Column& out) {
  const int type = sqlite3_column_type(row, i);
  if (type == SQLITE_NULL) {
    out.Null();
    return {};
  }
  if (AppendValue(column, row, i, type, out)) return {};
  return Unfit(column, row, i, type);
}

}  // namespace etl::sql
