// SPDX-License-Identifier: Apache-2.0
#include "sql.h"

#include <etl/error.h>

#include <algorithm>
#include <cctype>

namespace etl::clickhouse {

std::string Quote(const std::string& name, const char* option) {
  if (name.empty()) throw ConfigError(option, "a name is empty");
  std::string out = "`";
  for (const char c : name) {
    if (c == 0) throw ConfigError(option, "a name holds a zero byte");
    if (c == '`' || c == '\\') out += '\\';
    out += c;
  }
  return out + "`";
}

std::string Literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    if (c == 0) out += "\\0";
    else out += c;
  }
  return out + "'";
}

std::string ParameterText(std::string_view value) {
  std::string out;
  for (const char c : value) {
    switch (c) {
      case '\\': out += "\\\\"; break;
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case 0: out += "\\0"; break;
      default: out += c;
    }
  }
  return out;
}

Statement& Statement::Bind(const std::string& type, std::string_view value) {
  if (binds) {
    std::string name;
    const auto taken = [&name](const auto& p) { return p.first == name; };
    for (std::size_t i = parameters.size(); name.empty() || std::any_of(parameters.begin(), parameters.end(), taken); ++i) name = "etl" + std::to_string(i);
    parameters.emplace_back(name, std::string(value));
    text += "{" + name + ":" + type + "}";
  } else if (type.find("Int") != std::string::npos && value.find_first_not_of("-0123456789") == std::string_view::npos) {
    text += value;
  } else {
    text += Literal(value);
  }
  return *this;
}

std::string Plain(std::string sql) {
  while (!sql.empty() && (sql.back() == ';' || std::isspace(static_cast<unsigned char>(sql.back())))) sql.pop_back();
  return sql;
}

std::string Inline(const std::string& sql, const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string out;
  for (std::size_t i = 0; i < sql.size();) {
    const char c = sql[i];
    if (c == '\'' || c == '`' || c == '"') {
      std::size_t end = i + 1;
      while (end < sql.size() && sql[end] != c) end += sql[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, sql.size());
      out += sql.substr(i, end - i);
      i = end;
      continue;
    }
    const auto close = c == '{' ? sql.find('}', i) : std::string::npos;
    const auto colon = c == '{' ? sql.find(':', i) : std::string::npos;
    if (close != std::string::npos && colon < close) {
      const std::string name = sql.substr(i + 1, colon - i - 1), type = sql.substr(colon + 1, close - colon - 1);
      const auto at = std::find_if(parameters.begin(), parameters.end(), [&](const auto& p) { return p.first == name; });
      if (at == parameters.end()) throw ConfigError("params", "there is no value for the parameter \"" + name + "\"");
      out += "CAST(" + Literal(at->second) + " AS " + type + ")";
      i = close + 1;
      continue;
    }
    out += c;
    ++i;
  }
  return out;
}

}  // namespace etl::clickhouse
