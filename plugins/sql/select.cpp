// SPDX-License-Identifier: Apache-2.0
#include "select.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace etl::sql {
namespace {

enum class Kind { kWord, kName, kText, kSymbol, kEnd };

struct Token {
  Kind kind = Kind::kEnd;
  std::string_view text;  ///< as written
  std::size_t begin = 0;
  int depth = 0;  ///< of parentheses around it
};

[[noreturn]] void Refuse(const std::string& why) { throw std::invalid_argument(why); }

bool IsWordByte(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

/// Where a quoted piece that begins at `at` ends; a doubled closing quote does not end it.
std::size_t QuotedEnd(std::string_view s, std::size_t at, char close) {
  for (std::size_t i = at + 1; i < s.size(); ++i) {
    if (s[i] != close) continue;
    if (close != ']' && i + 1 < s.size() && s[i + 1] == close) {
      ++i;
      continue;
    }
    return i + 1;
  }
  Refuse("it ends inside of a quoted piece that begins with " + std::string(s.substr(at, 20)));
}

std::vector<Token> Tokens(std::string_view s) {
  std::vector<Token> out;
  int depth = 0;
  for (std::size_t i = 0; i < s.size();) {
    const char c = s[i];
    if (std::isspace(static_cast<unsigned char>(c))) {
      ++i;
      continue;
    }
    if (s.substr(i, 2) == "--") {
      i = std::min(s.find('\n', i), s.size());
      continue;
    }
    if (s.substr(i, 2) == "/*") {
      const std::size_t end = s.find("*/", i + 2);
      i = end == s.npos ? s.size() : end + 2;
      continue;
    }
    Token t{Kind::kSymbol, {}, i, depth};
    std::size_t end = i + 1;
    if (c == '\'') {
      t.kind = Kind::kText;
      end = QuotedEnd(s, i, c);
    } else if (c == '"' || c == '`' || c == '[') {
      t.kind = Kind::kName;
      end = QuotedEnd(s, i, c == '[' ? ']' : c);
    } else if (IsWordByte(c)) {
      t.kind = Kind::kWord;
      while (end < s.size() && IsWordByte(s[end])) ++end;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')') {
      t.depth = --depth;
      if (depth < 0) Refuse("it has a closing parenthesis without an opening one");
    } else if (c == '?' || c == ':' || c == '@') {
      Refuse("it has a parameter (" + std::string(s.substr(i, 20)) + "); write the value itself");
    }
    t.text = s.substr(i, end - i);
    out.push_back(t);
    i = end;
  }
  if (depth > 0) Refuse("it has an opening parenthesis without a closing one");
  out.push_back({Kind::kEnd, {}, s.size(), 0});
  return out;
}

bool Is(const Token& t, std::string_view word) {
  return (t.kind == Kind::kWord || t.kind == Kind::kSymbol) && t.text.size() == word.size() &&
         std::equal(word.begin(), word.end(), t.text.begin(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
         });
}

struct Clause {
  const char* word;
  const char* why;
  bool reserved;  ///< no column can have that name without quotes
};
constexpr const char* kAggregate =
    "would give one result for each batch, and batches end anywhere; load the rows and group them in the target";
constexpr const char* kJoin =
    "would join within one batch only; use the transform \"sqlite_lookup\" to add columns of another table";
constexpr const char* kCompound = "would combine rows within one batch only; use a pipeline for each part";
constexpr Clause kClauses[] = {
    {"GROUP", kAggregate, true},
    {"HAVING", kAggregate, true},
    {"ORDER", "would sort each batch by itself; sort in the source's query, or when the target is read", true},
    {"LIMIT", "would count anew in each batch; limit the rows in the source", true},
    {"WINDOW", kAggregate, false},
    {"UNION", kCompound, true},
    {"INTERSECT", kCompound, true},
    {"EXCEPT", kCompound, true},
    {"JOIN", kJoin, false},
    {"NATURAL", kJoin, false},
    {"LEFT", kJoin, false},
    {"RIGHT", kJoin, false},
    {"FULL", kJoin, false},
    {"INNER", kJoin, false},
    {"CROSS", kJoin, false},
    {",", kJoin, false},
};

void RefuseClause(const Token& t, bool reserved_only) {
  for (const Clause& c : kClauses) {
    if (!Is(t, c.word) || (reserved_only && !c.reserved)) continue;
    Refuse((c.word[0] == ',' ? std::string("a second table") : std::string(c.word)) + " " + c.why);
  }
}

void RefuseWindows(const std::vector<Token>& tokens) {
  for (std::size_t i = 1; i + 1 < tokens.size(); ++i) {
    const bool window = Is(tokens[i - 1], ")") && Is(tokens[i], "OVER") &&
                        (Is(tokens[i + 1], "(") || (tokens[i + 1].kind == Kind::kWord && !Is(tokens[i + 1], "FROM")) ||
                         tokens[i + 1].kind == Kind::kName);
    if (window) Refuse("a window function (OVER) would see the rows of one batch only; compute it in the target");
  }
}

bool NamesBatch(const Token& t) {
  if (Is(t, "batch")) return true;
  return t.kind == Kind::kName && t.text.size() == 7 && Is({Kind::kWord, t.text.substr(1, 5), 0, 0}, "batch");
}

/// The text from token `first` up to, not including, token `end`.
std::string Text(std::string_view query, const std::vector<Token>& tokens, std::size_t first, std::size_t end) {
  if (first >= end) return {};
  const Token& last = tokens[end - 1];
  return std::string(query.substr(tokens[first].begin, last.begin + last.text.size() - tokens[first].begin));
}

}  // namespace

Select ParseSelect(std::string_view query) {
  std::vector<Token> tokens = Tokens(query);
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    if (!Is(tokens[i], ";")) continue;
    if (tokens[i + 1].kind != Kind::kEnd) Refuse("it has more than one statement; write one SELECT");
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(i));
  }
  const std::size_t end = tokens.size() - 1;
  if (!Is(tokens[0], "SELECT")) {
    Refuse("it must be one SELECT ... FROM batch [WHERE ...], and begins with \"" + std::string(tokens[0].text) + "\"");
  }
  if (Is(tokens[1], "DISTINCT")) {
    Refuse("DISTINCT would compare the rows of one batch only; let the target remove duplicates (a sink with keys)");
  }
  RefuseWindows(tokens);

  Select out;
  out.text = Text(query, tokens, 0, end);
  std::size_t from = 1;
  if (Is(tokens[1], "ALL")) ++from;
  for (std::size_t first = from;; ++from) {
    const Token& t = tokens[from];
    if (t.kind == Kind::kEnd) Refuse("it has no FROM; write SELECT ... FROM batch");
    const bool ends = t.depth == 0 && Is(t, "FROM") && !Is(tokens[from - 1], "DISTINCT");  // IS DISTINCT FROM
    if (!ends && !(t.depth == 0 && Is(t, ","))) continue;
    if (from == first) Refuse("an item of the list before FROM is missing");
    const bool star = Is(tokens[from - 1], "*") && (from - first == 1 || Is(tokens[from - 2], "."));
    const bool subquery = std::any_of(tokens.begin() + static_cast<std::ptrdiff_t>(first),
                                      tokens.begin() + static_cast<std::ptrdiff_t>(from),
                                      [](const Token& inner) { return Is(inner, "SELECT"); });
    out.items.push_back({Text(query, tokens, first, from), star, subquery});
    if (ends) break;
    first = from + 1;
  }
  if (!NamesBatch(tokens[from + 1])) {
    Refuse("it reads from \"" + std::string(tokens[from + 1].text) +
           "\", and the only table is batch; write SELECT ... FROM batch [WHERE ...]");
  }
  std::size_t where = from + 2;
  if (Is(tokens[where], "AS")) ++where;
  const bool alias = (tokens[where].kind == Kind::kWord || tokens[where].kind == Kind::kName) && !Is(tokens[where], "WHERE");
  if (alias) {
    RefuseClause(tokens[where], false);
    ++where;
  }
  out.from = Text(query, tokens, from, where);
  if (where == end) return out;
  for (std::size_t i = where; i < end; ++i) {
    if (tokens[i].depth == 0) RefuseClause(tokens[i], i > where);
  }
  if (!Is(tokens[where], "WHERE")) {
    Refuse("after FROM batch comes WHERE or nothing, not \"" + std::string(tokens[where].text) + "\"");
  }
  out.where = Text(query, tokens, where, end);
  return out;
}

Select SelectWhere(std::string_view condition) {
  const std::vector<Token> tokens = Tokens(condition);
  if (tokens.size() == 1) Refuse("it is empty; write a condition such as kind = 'error'");
  for (const Token& t : tokens) {
    if (Is(t, ";")) Refuse("it must be one condition, such as kind = 'error', without a semicolon");
    if (t.depth == 0) RefuseClause(t, true);
  }
  const std::string inside = Text(condition, tokens, 0, tokens.size() - 1);
  RefuseWindows(tokens);
  Select out;
  out.items.push_back({"*", true, false});
  out.from = "FROM batch";
  out.where = "WHERE (" + inside + "\n)";
  out.text = "SELECT * " + out.from + " " + out.where;
  return out;
}

}  // namespace etl::sql
