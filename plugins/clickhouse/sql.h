// SPDX-License-Identifier: Apache-2.0
/// SQL text with bound values: the server puts them in where it can ({p:Type}); an old one gets them as quoted literals.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace etl::clickhouse {

/// `name` between backticks.  Throws ConfigError(option) for one that cannot be quoted.
std::string Quote(const std::string& name, const char* option = "columns");
/// 'text', with escapes.
std::string Literal(std::string_view text);
/// As a value of a URL parameter param_x: as in TSV.
std::string ParameterText(std::string_view value);

struct Statement {
  std::string text;
  std::vector<std::pair<std::string, std::string>> parameters;   ///< name, value
  std::vector<std::pair<std::string, std::string>> settings;     ///< of the server, besides the user's
  /// false: the server knows no parameters.
  bool binds = true;

  Statement& operator+=(std::string_view more) {
    text += more;
    return *this;
  }
  /// A value in this place.
  Statement& Bind(const std::string& type, std::string_view value);
};

/// A user's SQL without blanks and semicolons at its end.
std::string Plain(std::string sql);
/// Puts the user's parameters in for a server that knows none: each {name:Type} outside of quotes becomes a cast literal.
/// Throws ConfigError("params") for names without a value.
std::string Inline(const std::string& sql, const std::vector<std::pair<std::string, std::string>>& parameters);

}  // namespace etl::clickhouse
