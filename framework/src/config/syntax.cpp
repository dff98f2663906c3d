#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "tree.h"
#include "utf8.h"

namespace etl::host {
namespace {

constexpr std::string_view kBlanks = " \t\r";

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

int ColumnOf(std::string_view line, std::size_t offset) {
  int column = 1;
  for (std::size_t i = 0; i < offset && i < line.size(); ++column)
    i += std::max<std::size_t>(DecodeAt(line, i).length, 1);
  return column;
}

std::size_t OffsetOf(std::string_view line, int column) {
  std::size_t offset = 0;
  for (int i = 1; i < column && offset < line.size(); ++i)
    offset += std::max<std::size_t>(DecodeAt(line, offset).length, 1);
  return offset;
}

// `key = value` as a line of its own; where the value's first byte is, npos where the line has
// another form.
struct Pair {
  std::string_view key, value;
  std::size_t offset = std::string_view::npos;
};
Pair PairOf(std::string_view line) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return {};
  const std::size_t value = line.find_first_not_of(kBlanks, equals + 1);
  if (value == std::string_view::npos)
    return {Trim(line.substr(0, equals)), {}, std::string_view::npos};
  std::string_view rest = line.substr(value);
  if (rest.front() != '"' && rest.front() != '\'') rest = rest.substr(0, rest.find('#'));
  return {Trim(line.substr(0, equals)), Trim(rest), value};
}

// The text between the first pair of single quotes.
std::string_view Quoted(std::string_view text) {
  const std::size_t first = text.find('\'');
  const std::size_t last = text.rfind('\'');
  return first == last ? std::string_view() : text.substr(first + 1, last - first - 1);
}

std::string Twice(std::string_view line, std::string_view d) {
  const std::string name = Visible(Quoted(d));
  if (Has(d, "dotted key-value pair"))
    return "a part of this key already has a value, or a [table] of its own; put both in one place";
  if (!Trim(line).starts_with('['))
    return fmt::format("\"{}\" is given a second time; keep one", name);
  if (Has(d, "existing array") || Has(d, "array-of-tables"))
    return fmt::format("[{0}] and [[{0}]] cannot be mixed; write [[{0}]] for each", name);
  if (!Has(d, "existing table"))
    return fmt::format("\"{}\" already has a value, so it cannot be a table too", name);
  if (name == "source" || name == "pipeline")
    return fmt::format("[{0}] is here a second time; a pipeline has one [{0}]", name);
  if (name == "sink" || name == "transform")
    return fmt::format("[{0}] is here a second time; write [[{0}]] for each of several", name);
  return fmt::format("[{}] is here a second time; put its keys together", name);
}

std::string BadValue(const Pair& pair, bool secret) {
  const std::string value = Visible(pair.value.substr(0, 60));
  std::string lower(pair.value);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const auto& [words, meant] : {std::pair{std::array{"true", "yes", "on"}, "true"},
                                     std::pair{std::array{"false", "no", "off"}, "false"}})
    if (std::find(words.begin(), words.end(), lower) != words.end())
      return fmt::format("{} is not a TOML value; write {}, or \"{}\" if it is text", value, meant,
                         value);
  if (lower == "null" || lower == "none" || lower == "nil")
    return fmt::format("{} is not a TOML value; leave the line out to leave the option unset",
                       value);
  if (pair.value.ends_with(';') && pair.value.size() > 1)
    return "a line does not end in \";\"; remove it";
  if (pair.value.find_first_not_of("0123456789+-._eExXoObB:TZ") == std::string_view::npos &&
      !secret)
    return fmt::format(
        "{} is not a number, date or time that TOML knows; put it in quotes if it is text", value);
  if (secret || value.empty() || value.find('@') != std::string::npos ||
      value.find_first_of("\"'[{") != std::string::npos)
    return "this is not a TOML value; text goes in quotes";
  return fmt::format("{} is not a TOML value; text, durations and sizes go in quotes: {} = \"{}\"",
                     value, Visible(pair.key), value);
}

bool IsAboutValue(std::string_view d) {
  constexpr std::string_view kSigns[] = {"could not determine value type",
                                         "digit",
                                         "expected 'true'",
                                         "expected 'false'",
                                         "value-terminator",
                                         "could not be interpreted",
                                         "underscores",
                                         "values may not begin",
                                         "expected '0'",
                                         "expected 'inf'",
                                         "expected 'nan'",
                                         "year",
                                         "month",
                                         "day",
                                         "hour",
                                         "minute",
                                         "second",
                                         "exponent"};
  return std::any_of(std::begin(kSigns), std::end(kSigns),
                     [&](std::string_view sign) { return Has(d, sign); });
}

// What toml++ says of the form of a line, and what we say instead.
struct Form {
  std::string_view theirs, ours;
};
constexpr Form kForms[] = {
    {"expected '=', saw ':'", "\"=\" must follow the key, not \":\""},
    {"expected '=', saw '\"'", "\"=\" must stand between the key and its value"},
    {"expected '=', saw '\\n'", "\"=\" and a value must follow the key"},
    {"key-value pair: encountered end-of-file",
     "the file ends too early; \"=\" and a value must follow the key"},
    {"expected '='",
     "\"=\" must follow the key; keys of other characters than A-Z a-z 0-9 _ - go in quotes"},
    {"expected value, saw", "a value must follow \"=\""},
    {"\"\" is not", "a value must follow \"=\""},
    {"expected a comment or whitespace, saw '\"'",
     "nothing may follow the closing quote; write \\\" for a quote inside the text"},
    {"expected a comment or whitespace",
     "nothing may follow here but a comment; each key = value has its own line"},
    {"expected keys, tables", "a line holds key = value, or a [table] header"},
    {"dangling comma", "an inline table has no comma after its last value; remove it"},
    {"expected key or closing '}', saw '\\n'",
     "an inline table stays on one line; use a [table] header for more"},
    {"expected comma or closing ']'", "\",\" or \"]\" must follow a value in a list"},
    {"expected comma or closing '}'", "\",\" or \"}\" must follow a value in an inline table"},
    {"unknown escape sequence",
     "this backslash begins no escape of TOML; write \\\\ for a backslash, or put the text in "
     "'single quotes'"},
    {"escape sequence",
     "this backslash begins no escape of TOML; write \\\\ for a backslash, or put the text in "
     "'single quotes'"},
    {"hex digit", "\\u needs 4 and \\U 8 hexadecimal digits; write \\\\ for a backslash"},
    {"control characters",
     "a control character stands here; remove it, or write \\uXXXX inside a text"},
    {"after '\\r'",
     "a carriage return stands here without a line feed; save the file with Unix or Windows line "
     "ends"},
    {"control character", "a control character stands here; remove it"},
    {"blank bare keys",
     "the header names no table; write [source], [[transform]], [[sink]] or [pipeline]"},
    {"expected ']'", "\"]\" must end the header"},
    {"table header: encountered end-of-file", "\"]\" must end the header"},
    {"must be contiguous", "write [[ and ]] without blanks inside"},
    {"expected bare key starting character", "a part of the key is missing here"},
    {"multi-line strings are prohibited", "a key cannot be a text of several lines"},
    {"existing inline table",
     "the inline table above is complete; put all its keys inside the braces"},
};

}  // namespace

bool LooksSecret(std::string_view key) {
  std::string lower(key);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const std::string_view word :
       {"pass", "pwd", "secret", "token", "api_key", "apikey", "auth", "credential", "private",
        "access_key", "pswd", "passw", "_key"})
    if (Has(lower, word)) return true;
  return false;
}

Finding ReadableSyntaxError(const SourceText& text, Spot at, std::string_view d) {
  const std::string_view line = text.Line(at.line);
  const Pair pair = PairOf(line);
  const bool secret = LooksSecret(line.substr(0, std::min(line.find('='), line.size())));
  if (Has(d, "cannot redefine")) {
    const std::size_t first = line.find_first_not_of(kBlanks);
    const bool alone =
        line.substr(std::min(first, line.size())).starts_with('[') || pair.key == Quoted(d);
    if (alone && first != std::string_view::npos) at.column = ColumnOf(line, first);
    return {at, Twice(line, d)};
  }
  if (Has(d, "is not representable")) {
    if (pair.offset != std::string_view::npos) at.column = ColumnOf(line, pair.offset);
    return {at, "this number is too large; whole numbers go up to 9223372036854775807"};
  }
  if (Has(d, "leading zeroes")) {
    if (pair.offset != std::string_view::npos) at.column = ColumnOf(line, pair.offset);
    return {at, "a number has no leading zeros; put it in quotes if it is text"};
  }
  const bool in_string =
      d.starts_with("Error while parsing string") || d.starts_with("Error while parsing unicode");
  if (!in_string && IsAboutValue(d)) {
    const bool simple = pair.offset != std::string_view::npos &&
                        std::string_view("\"'[{").find(line[pair.offset]) == std::string_view::npos;
    if (simple) at.column = ColumnOf(line, pair.offset);
    return {at, simple ? BadValue(pair, secret) : "this is not a TOML value; text goes in quotes"};
  }
  const std::size_t before = OffsetOf(line, at.column);
  if (Has(d, "expected a comment or whitespace") && before > 0 && before <= line.size() &&
      std::string_view("\"'").find(line[before - 1]) != std::string_view::npos)
    return {at, "nothing may follow the closing quote; write \\\" for a quote inside the text"};
  for (const Form& form : kForms)
    if (Has(d, form.theirs)) return {at, std::string(form.ours)};
  const std::size_t colon = d.find(": ");
  std::string rest = Visible(colon == std::string_view::npos ? d : d.substr(colon + 2));
  std::replace(rest.begin(), rest.end(), '\'', '"');
  return {at, "this is not TOML: " + (secret ? std::string("see https://toml.io") : rest)};
}

}  // namespace etl::host
