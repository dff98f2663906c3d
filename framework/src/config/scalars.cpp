// Single values: numbers, texts, durations and sizes.
#include <Poco/Exception.h>
#include <Poco/URI.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "describe.h"
#include "interpolate.h"
#include "option_reader.h"
#include "units.h"

namespace etl::host {

ReadValue OptionReader::Integer(const OptionSlot& slot, const Node& node) {
  if (node.type != Node::Type::kInt) return Wrong(slot, ETL_INT, node);
  return Whole(slot, ETL_INT, node, node.integer, fmt::format("{}", node.integer));
}

ReadValue OptionReader::Float(const OptionSlot& slot, const Node& node) {
  if (node.type != Node::Type::kInt && node.type != Node::Type::kFloat)
    return Wrong(slot, ETL_FLOAT, node);
  const double value =
      node.type == Node::Type::kInt ? static_cast<double>(node.integer) : node.number;
  if (std::isnan(value)) {
    Mistake(node,
            fmt::format("\"{}\" cannot be nan; write a number, as in {}", slot.path, slot.AsIn()));
    return {};
  }
  const std::string text = FormatFloat(value);
  if (!InRange(slot, ETL_FLOAT, node, value, 0) || !Choice(slot, node, text, false)) return {};
  etl_value out{ETL_FLOAT, 0, {}};
  out.as.f = value;
  return {out, {text, text}};
}

ReadValue OptionReader::Text(const OptionSlot& slot, std::uint32_t type, const Node& node) {
  if (node.type != Node::Type::kString && node.bare.empty()) return Wrong(slot, type, node);
  const std::string& written = node.type == Node::Type::kString ? node.text : node.bare;
  bool references = false;
  const std::size_t before = context_.problems.mistakes();
  std::string text = Resolved(slot, node, &references);
  if (context_.problems.mistakes() > before || !Choice(slot, node, text, references)) return {};
  if (type == ETL_PATH) text = AbsolutePath(slot, node, text);
  Canonical canonical{TomlString(WithoutUserInfo(references ? written : text)),
                      TomlString(WithoutUserInfo(text))};
  if (canonical.shown.find("${") == std::string::npos || !references)
    canonical.shown = canonical.full;
  const std::string& kept = store_.strings.emplace_back(std::move(text));
  etl_value out{type, 0, {}};
  out.as.s = {kept.c_str(), kept.size()};
  return {out, std::move(canonical)};
}

ReadValue OptionReader::Measure(const OptionSlot& slot, std::uint32_t type, const Node& node) {
  const bool duration = type == ETL_DURATION;
  if (duration && node.type == Node::Type::kInt) {
    const std::string unit =
        node.integer < 0 ? std::string()
                         : fmt::format("; write \"{}s\" where seconds are meant", node.integer);
    Mistake(node, slot.secret ? fmt::format("\"{}\" needs a unit, as in \"30s\"", slot.path)
                              : fmt::format("\"{}\" needs a unit, as in {}{}", slot.path,
                                            slot.AsIn(), unit));
    return {};
  }
  if (!duration && node.type == Node::Type::kInt) {
    if (node.integer >= 0)
      return Whole(slot, type, node, node.integer, TomlString(FormatBytes(node.integer)));
    Mistake(node, fmt::format("\"{}\" is a size, so it cannot be negative", slot.path));
    return {};
  }
  if (node.type != Node::Type::kString && node.bare.empty()) return Wrong(slot, type, node);
  bool references = false;
  const std::size_t before = context_.problems.mistakes();
  const std::string text = Resolved(slot, node, &references);
  if (context_.problems.mistakes() > before) return {};
  const Measured measured = duration ? ParseDuration(text) : ParseBytes(text);
  if (!measured.value) {
    const bool hide = references || slot.secret;
    Mistake(node, fmt::format("\"{}\" takes {}, as in {}, not {}{}", slot.path, TypePhrase(type),
                              slot.AsIn(),
                              references ? fmt::format("what \"{}\" stands for",
                                                       Shortened(WithoutUserInfo(node.text)))
                                         : Found(node, slot.secret),
                              hide ? std::string() : ": " + measured.fault));
    return {};
  }
  ReadValue read =
      Whole(slot, type, node, *measured.value,
            TomlString(duration ? FormatDuration(*measured.value) : FormatBytes(*measured.value)));
  if (references) read.text.shown = TomlString(node.text);
  return read;
}

ReadValue OptionReader::Whole(const OptionSlot& slot, std::uint32_t type, const Node& node,
                              std::int64_t value, std::string canonical) {
  if (!InRange(slot, type, node, 0, value)) return {};
  if (type == ETL_INT && !Choice(slot, node, canonical, false)) return {};
  etl_value out{type, 0, {}};
  out.as.i = value;
  return {out, {canonical, canonical}};
}

std::string OptionReader::Resolved(const OptionSlot& slot, const Node& node, bool* references) {
  const std::string& written = node.type == Node::Type::kString ? node.text : node.bare;
  Expansion expansion = Expand(written, node.origin->is_file() ? context_.dir : context_.cwd);
  *references = expansion.references;
  for (const std::string& fault : expansion.faults)
    Mistake(node, fmt::format("\"{}\": {}", slot.path, fault));
  for (const std::string& warning : expansion.warnings)
    context_.problems.Warning(*node.origin, node.begin,
                              fmt::format("\"{}\": {}", slot.path, warning));
  for (std::string& value : expansion.values)
    if (!value.empty()) context_.secrets.push_back(std::move(value));
  if (slot.secret && !expansion.text.empty()) {
    context_.secrets.push_back(expansion.text);
    if (!expansion.references)
      context_.problems.Warning(
          *node.origin, node.begin,
          fmt::format("\"{}\" is a secret in plain text; write \"${{env:NAME}}\" or "
                      "\"${{file:/path}}\" and keep it out of the file",
                      slot.path));
  } else if (const std::string_view password = UrlPassword(expansion.text); !password.empty()) {
    context_.secrets.emplace_back(password);
    std::string decoded;
    try {
      Poco::URI::decode(std::string(password), decoded);
    } catch (const Poco::SyntaxException&) {
      decoded.clear();  // not percent-encoded, so there is no second form of it
    }
    if (!decoded.empty() && decoded != password) context_.secrets.push_back(decoded);
    if (UrlPassword(written).find("${") == std::string_view::npos && !IsOneReference(written))
      context_.problems.Warning(*node.origin, node.begin,
                                fmt::format("\"{}\" holds a password in plain text; write "
                                            "${{env:NAME}} or ${{file:/path}} in its place",
                                            slot.path));
  }
  return std::move(expansion.text);
}

std::string OptionReader::AbsolutePath(const OptionSlot& slot, const Node& node,
                                       const std::string& text) {
  const auto refuse = [&](std::string message) {
    Mistake(node, std::move(message));
    return text;
  };
  if (text.empty())
    return refuse(fmt::format("\"{}\" is empty; write a path, as in {}", slot.path, slot.AsIn()));
  if (text.find('\0') != std::string::npos)
    return refuse(
        fmt::format("\"{}\" holds a NUL character, which no path can have; remove it", slot.path));
  if (text.starts_with("~/") || text == "~")
    return refuse(fmt::format(
        "\"{}\" begins with ~, which only a shell expands; write \"${{env:HOME}}/…\"", slot.path));
  if (text == "-" || text.starts_with('/') || text.find("://") != std::string::npos) return text;
  return ((node.origin->is_file() ? context_.dir : context_.cwd) / text)
      .lexically_normal()
      .string();
}

}  // namespace etl::host
