// SPDX-License-Identifier: Apache-2.0
#include "table.h"

#include <etl/arrow.h>
#include <strings.h>

#include <algorithm>

namespace etl::mysql {
namespace {

using Values = std::vector<std::string>;

std::int64_t Number(const std::optional<std::string>& text, std::int64_t otherwise) {
  return text ? static_cast<std::int64_t>(std::strtoull(text->c_str(), nullptr, 10)) : otherwise;
}

/// The texts in "enum('a','it''s')".
Values Members(const std::string& type) {
  Values out;
  for (std::size_t i = type.find('('); i < type.size(); ++i) {
    if (type[i] != '\'') continue;
    std::string& member = out.emplace_back();
    for (++i; i < type.size(); ++i) {
      if (type[i] == '\'' && (i + 1 >= type.size() || type[i + 1] != '\'')) break;
      if (type[i] == '\'') ++i;
      member += type[i];
    }
  }
  return out;
}

struct Named {
  const char* name;
  Family family;
  int bits;
};
constexpr Named kTypes[] = {
    {"tinyint", Family::kInt, 8}, {"smallint", Family::kInt, 16}, {"mediumint", Family::kInt, 24}, {"int", Family::kInt, 32},
    {"bigint", Family::kInt, 64}, {"year", Family::kYear, 16}, {"bit", Family::kBit, 1}, {"float", Family::kFloat, 0},
    {"double", Family::kDouble, 0}, {"decimal", Family::kDecimal, 0}, {"date", Family::kDate, 0}, {"datetime", Family::kDateTime, 0},
    {"timestamp", Family::kTimestamp, 0}, {"time", Family::kTime, 0}, {"char", Family::kText, 0}, {"varchar", Family::kText, 0},
    {"tinytext", Family::kText, 0}, {"text", Family::kText, 0}, {"mediumtext", Family::kText, 0}, {"longtext", Family::kText, 0},
    {"enum", Family::kEnum, 0}, {"set", Family::kSet, 0}, {"json", Family::kJson, 0}, {"binary", Family::kBytes, 0},
    {"varbinary", Family::kBytes, 0}, {"tinyblob", Family::kBytes, 0}, {"blob", Family::kBytes, 0}, {"mediumblob", Family::kBytes, 0},
    {"longblob", Family::kBytes, 0}, {"vector", Family::kVector, 0},
    {"geometry", Family::kGeometry, 0}, {"point", Family::kGeometry, 0}, {"linestring", Family::kGeometry, 0},
    {"polygon", Family::kGeometry, 0}, {"multipoint", Family::kGeometry, 0}, {"multilinestring", Family::kGeometry, 0},
    {"multipolygon", Family::kGeometry, 0}, {"geometrycollection", Family::kGeometry, 0}, {"geomcollection", Family::kGeometry, 0},
};

constexpr auto kColumns =
    "SELECT column_name, data_type, column_type, is_nullable, column_default, extra, character_maximum_length, "
    "character_octet_length, numeric_precision, numeric_scale, datetime_precision, character_set_name "
    "FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ";

TableColumn ColumnOf(const TextRow& r) {
  TableColumn c;
  const auto text = [&r](std::size_t i) { return r[i].value_or(""); };
  c.name = text(0);
  c.type = text(2);
  const std::string data_type = text(1), extra = text(5);
  for (const Named& n : kTypes) {
    if (strcasecmp(n.name, data_type.c_str()) != 0) continue;
    c.family = n.family;
    c.bits = n.bits;
  }
  c.nullable = text(3) == "YES";
  c.is_unsigned = c.type.find("unsigned") != std::string::npos;
  c.auto_increment = extra.find("auto_increment") != std::string::npos;
  c.generated = extra.find("VIRTUAL") != std::string::npos || extra.find("STORED") != std::string::npos ||
                extra.find("PERSISTENT") != std::string::npos;
  c.has_default = c.nullable || c.auto_increment || r[4] || c.family == Family::kEnum || extra.find("DEFAULT_GENERATED") != std::string::npos;
  c.charset = text(11);
  const bool counted = strcasecmp(data_type.c_str(), "char") == 0 || strcasecmp(data_type.c_str(), "varchar") == 0;
  if (c.family == Family::kText && counted) c.max_chars = Number(r[6], -1);
  else if (c.family == Family::kText || c.family == Family::kBytes) c.max_bytes = Number(r[7], -1);
  c.precision = static_cast<int>(Number(r[8], 0));
  c.scale = static_cast<int>(Number(r[9], 0));
  c.digits = static_cast<int>(Number(r[10], 0));
  if (c.family == Family::kBit) c.bits = c.precision;
  if (c.family == Family::kEnum || c.family == Family::kSet) c.members = Members(c.type);
  return c;
}

// ---- for CREATE TABLE ----

std::string Text(bool key, const Session& s) {
  if (!key) return "LONGTEXT CHARACTER SET utf8mb4";
  // Keys that differ shall be different rows: no collation that ignores case or trailing spaces.
  return std::string("VARCHAR(255) CHARACTER SET utf8mb4 COLLATE ") + (s.mariadb() ? "utf8mb4_nopad_bin" : "utf8mb4_0900_bin");
}

std::string List(const ArrowSchema& field, const arrow::Format& f, const Session& s) {
  const bool floats = field.n_children == 1 && std::string_view(field.children[0]->format) == "f";
  const bool vectors = s.mariadb() ? s.version() >= 110700 : s.version() >= 90000;
  if (!floats || !vectors) return "JSON";
  if (f.kind == arrow::Kind::kFixedList && f.size >= 1 && f.size <= 16383) return "VECTOR(" + std::to_string(f.size) + ")";
  return s.mariadb() ? "JSON" : "VECTOR(16383)";
}

std::string Decimal(const arrow::Format& f, const Session& s) {
  const int scale = std::max(f.scale, 0), precision = f.precision + std::max(-f.scale, 0);
  if (std::max(precision, scale) > 65 || scale > (s.mariadb() ? 38 : 30)) return {};
  return "DECIMAL(" + std::to_string(std::max(precision, scale)) + "," + std::to_string(scale) + ")";
}

std::string TypeFor(const ArrowSchema& field, bool key, const Session& s) {
  const arrow::Format f = arrow::ParseFormat(field.format);
  const std::string digits = "(" + std::to_string(std::min(f.digits, 6)) + ")";
  switch (f.kind) {
    case arrow::Kind::kBool: return "BIT(1)";
    case arrow::Kind::kInt8: return "TINYINT";
    case arrow::Kind::kUInt8: return "TINYINT UNSIGNED";
    case arrow::Kind::kInt16: return "SMALLINT";
    case arrow::Kind::kUInt16: return "SMALLINT UNSIGNED";
    case arrow::Kind::kInt32: return "INT";
    case arrow::Kind::kUInt32: return "INT UNSIGNED";
    case arrow::Kind::kInt64: return "BIGINT";
    case arrow::Kind::kUInt64: return "BIGINT UNSIGNED";
    case arrow::Kind::kFloat16: case arrow::Kind::kFloat32: return "FLOAT";
    case arrow::Kind::kFloat64: return "DOUBLE";
    case arrow::Kind::kDecimal: {
      const std::string decimal = Decimal(f, s);
      return decimal.empty() ? Text(key, s) : decimal;
    }
    case arrow::Kind::kUtf8: return IsJson(field) && !key ? "JSON" : Text(key, s);
    case arrow::Kind::kBinary: return key ? "VARBINARY(255)" : "LONGBLOB";
    case arrow::Kind::kFixedBinary:
      return f.width >= 1 && f.width <= 255 ? "BINARY(" + std::to_string(f.width) + ")" : key ? "VARBINARY(255)" : "LONGBLOB";
    case arrow::Kind::kDate32: return "DATE";
    case arrow::Kind::kDate64: return "DATETIME(3)";
    case arrow::Kind::kTime: return "TIME" + digits;
    case arrow::Kind::kTimestamp: return (f.zone.empty() ? "DATETIME" : "TIMESTAMP") + digits;
    case arrow::Kind::kList: case arrow::Kind::kFixedList: return List(field, f, s);
    case arrow::Kind::kStruct: case arrow::Kind::kMap: case arrow::Kind::kUnion: return "JSON";
    default: return Text(key, s);
  }
}

}  // namespace

const TableColumn* Table::Find(std::string_view column) const {
  const auto at = std::find_if(columns.begin(), columns.end(), [&](const TableColumn& c) { return SameName(c.name, column); });
  return at == columns.end() ? nullptr : &*at;
}

bool Table::HasUnique(const std::vector<std::string>& names) const {
  return std::any_of(unique.begin(), unique.end(), [&](const UniqueKey& k) {
    return k.columns.size() == names.size() && std::all_of(k.columns.begin(), k.columns.end(), [&](const std::string& c) {
             return std::any_of(names.begin(), names.end(), [&](const std::string& n) { return SameName(n, c); });
           });
  });
}

std::optional<Table> ReadTable(Session& s, const std::string& name) {
  const std::string literal = s.Literal(name);
  const auto head = s.Rows("SELECT table_name, engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = " + literal);
  if (head.empty()) return std::nullopt;
  Table t;
  t.name = name;
  t.engine = head[0][1].value_or("");
  t.transactional = s.Value("SELECT transactions FROM information_schema.engines WHERE engine = " + s.Literal(t.engine)).value_or("NO") == "YES";
  t.has_triggers = s.Value("SELECT COUNT(*) FROM information_schema.triggers WHERE event_object_schema = DATABASE() AND event_object_table = " +
                           literal).value_or("0") != "0";
  for (const TextRow& r : s.Rows(kColumns + literal + " ORDER BY ordinal_position")) t.columns.push_back(ColumnOf(r));
  const std::string keys =
      "SELECT index_name, column_name, sub_part FROM information_schema.statistics WHERE table_schema = DATABASE() AND non_unique = 0 "
      "AND table_name = " + literal + " ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index";
  for (const TextRow& r : s.Rows(keys)) {
    if (t.unique.empty() || t.unique.back().name != r[0]) t.unique.push_back({r[0].value_or(""), {}});
    // Over a part of a column, or an expression: a name that no column has.
    t.unique.back().columns.push_back(r[2] || !r[1] ? "" : *r[1]);
  }
  return t;
}

std::string CreateTableSql(const Session& session, const std::string& name, const std::vector<NewColumn>& columns,
                           const std::vector<std::string>& keys) {
  std::string sql = "CREATE TABLE IF NOT EXISTS " + Quote(name) + " (", primary;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const NewColumn& c = columns[i];
    const bool key = std::any_of(keys.begin(), keys.end(), [&](const std::string& k) { return SameName(k, c.name); });
    const bool null = !key && (c.field->flags & ARROW_FLAG_NULLABLE);
    sql += (i ? ", " : "") + Quote(c.name, "columns") + " " + TypeFor(*c.field, key, session) + (null ? " NULL" : " NOT NULL");
  }
  for (const std::string& k : keys) primary += (primary.empty() ? "" : ", ") + Quote(k, "keys");
  if (!keys.empty()) sql += ", PRIMARY KEY (" + primary + ")";
  return sql + ") ENGINE=InnoDB";
}

}  // namespace etl::mysql
