// SPDX-License-Identifier: Apache-2.0
#include "types.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace etl::clickhouse {
namespace {

constexpr int kDeepest = 32;
constexpr std::size_t kMostItems = 1000;

/// A type's name taken apart: "Map(String, Array(Int8))" is {"Map", {"String", "Array(Int8)"}}.
struct Parts {
  std::string head;
  std::vector<std::string> args;
};

std::string_view Trim(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

/// Where a quoted text that begins at `at` ends.
std::size_t SkipQuoted(std::string_view s, std::size_t at) {
  const char quote = s[at];
  for (++at; at < s.size() && s[at] != quote; ++at) {
    if (s[at] == '\\') ++at;
  }
  return std::min(at + 1, s.size());
}

Parts Split(std::string_view text) {
  text = Trim(text);
  const auto open = text.find('(');
  if (open == std::string_view::npos) return {std::string(text), {}};
  if (text.back() != ')') throw Fatal("its type \"" + std::string(text) + "\" is not understood");
  Parts out{std::string(Trim(text.substr(0, open))), {}};
  const std::string_view inner = text.substr(open + 1, text.size() - open - 2);
  int depth = 0;
  std::size_t begin = 0, i = 0;
  while (i < inner.size()) {
    const char c = inner[i];
    if (c == '\'' || c == '`' || c == '"') {
      i = SkipQuoted(inner, i);
      continue;
    }
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c == ',' && depth == 0) {
      out.args.emplace_back(Trim(inner.substr(begin, i - begin)));
      begin = i + 1;
    }
    ++i;
  }
  if (!Trim(inner).empty()) out.args.emplace_back(Trim(inner.substr(begin)));
  if (out.args.size() > kMostItems) throw Fatal("its type has more than 1,000 parts");
  return out;
}

std::string Join(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& p : parts) out += (out.empty() ? "" : ", ") + p;
  return out;
}

std::string Unquote(std::string_view s) {
  std::string out;
  for (std::size_t i = 1; i + 1 < s.size(); ++i) {
    if (s[i] == '\\' && i + 2 < s.size()) {
      ++i;
      out += s[i] == 'n' ? '\n' : s[i] == 't' ? '\t' : s[i] == '0' ? '\0' : s[i] == 'r' ? '\r' : s[i] == 'b' ? '\b' : s[i] == 'f' ? '\f' : s[i];
    } else if (s[i] == s[0] && s[i + 1] == s[0] && i + 2 < s.size()) {
      ++i;
      out += s[0];
    } else {
      out += s[i];
    }
  }
  return out;
}

int Number(const std::string& s) {
  int v = 0;
  const auto [end, fault] = std::from_chars(s.data(), s.data() + s.size(), v);
  if (fault != std::errc() || end != s.data() + s.size()) throw Fatal("its type holds \"" + s + "\" where a number is due");
  return v;
}

/// The name of an element of a Tuple or Nested, if it has one: "a UInt8", "`b c` String".
std::string TakeLabel(std::string& element) {
  if (element.empty()) return "";
  if (element[0] == '`' || element[0] == '"') {
    const std::size_t end = SkipQuoted(element, 0);
    std::string label = Unquote(std::string_view(element).substr(0, end));
    element = Trim(std::string_view(element).substr(end));
    return label;
  }
  const auto blank = element.find(' ');
  const auto paren = element.find('(');
  if (blank == std::string::npos || blank > paren) return "";
  std::string label = element.substr(0, blank);
  element = Trim(std::string_view(element).substr(blank));
  return label;
}

/// What a type is sent as, if not as itself: without dictionaries, aliases of aggregates, and types without a fixed layout.
std::string Carried(const std::string& text, int depth = 0) {
  if (depth > kDeepest) throw Fatal("its type is nested deeper than " + std::to_string(kDeepest) + " levels");
  Parts p = Split(text);
  if (p.head == "LowCardinality") return Carried(p.args.at(0), depth + 1);
  if (p.head == "SimpleAggregateFunction") return Carried(p.args.at(p.args.size() - 1), depth + 1);
  if (p.head == "JSON" || p.head == "Object") return "String";
  if (p.head == "Dynamic" || p.head == "Variant" || p.head == "Geometry") return "Nullable(String)";
  if (p.head == "BFloat16") return "Float32";
  if (p.head == "AggregateFunction" || p.head == "QBit") throw Fatal("its type " + p.head + " is a state inside the server; select what it stands for, as by finalizeAggregation()");
  if (p.head == "Array" || p.head == "Nullable" || p.head == "Map" || p.head == "Tuple" || p.head == "Nested") {
    std::string out;
    for (std::string& a : p.args) {
      const bool labelled = p.head == "Tuple" || p.head == "Nested";
      std::string rest = a;
      const std::string label = labelled ? TakeLabel(rest) : "";
      const std::string prefix = a.substr(0, a.size() - rest.size());
      out += (out.empty() ? "" : ", ") + prefix + Carried(rest, depth + 1);
    }
    return p.head + "(" + out + ")";
  }
  return p.args.empty() ? p.head : p.head + "(" + Join(p.args) + ")";
}

CType Leaf(const std::string& name, Form form, int width, Type arrow, int out_width = 0) {
  CType t;
  t.name = name;
  t.form = form;
  t.width = width;
  t.out_width = out_width ? out_width : width;
  t.arrow = std::move(arrow);
  return t;
}

CType Decimal(const std::string& name, int precision, int scale) {
  const int width = precision <= 9 ? 4 : precision <= 18 ? 8 : precision <= 38 ? 16 : 32;
  if (width == 32) return Leaf(name, Form::kFixed, 32, Decimal256(precision, scale));
  return Leaf(name, width == 16 ? Form::kFixed : Form::kWiden, width, Decimal128(precision, scale), 16);
}

/// Ticks of 10^-precision as the next unit that Arrow has.
CType Ticks(const std::string& name, int precision, const std::string& kind, const std::string& zone) {
  const int to = precision == 0 ? 0 : precision <= 3 ? 3 : precision <= 6 ? 6 : 9;
  static constexpr const char* kUnits[] = {"s", "m", "u", "n"};
  CType t = Leaf(name, to == precision ? Form::kFixed : Form::kWiden, 8, {kind + kUnits[to / 3] + zone, {}, {}}, 8);
  for (int i = precision; i < to; ++i) t.factor *= 10;
  return t;
}

CType Build(const std::string& text, const TypeOptions& options, int depth = 0);

CType BuildTuple(const std::string& text, std::vector<std::string> args, const TypeOptions& options, int depth) {
  CType t;
  t.name = text;
  t.form = Form::kTuple;
  std::vector<Field> fields;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string label = TakeLabel(args[i]);
    t.labels.push_back(label.empty() ? std::to_string(i + 1) : label);
    t.items.push_back(Build(args[i], options, depth + 1));
    fields.push_back({t.labels.back(), t.items.back().arrow, true});
  }
  if (fields.empty()) throw Fatal("its type Tuple() holds nothing");
  t.arrow = Struct(std::move(fields));
  return t;
}

CType ArrayOf(const std::string& text, CType item) {
  CType t;
  t.name = text;
  t.form = Form::kArray;
  t.arrow = List(item.arrow);
  t.items.push_back(std::move(item));
  return t;
}

CType Build(const std::string& text, const TypeOptions& options, int depth) {
  const Parts p = Split(text);
  const std::string& h = p.head;
  const auto arg = [&](std::size_t i) -> const std::string& {
    if (i >= p.args.size()) throw Fatal("its type \"" + text + "\" is not understood");
    return p.args[i];
  };
  static const std::map<std::string, std::pair<int, Type>> kNumbers = {
      {"UInt8", {1, UInt8()}}, {"UInt16", {2, UInt16()}}, {"UInt32", {4, UInt32()}}, {"UInt64", {8, UInt64()}},
      {"Int8", {1, Int8()}}, {"Int16", {2, Int16()}}, {"Int32", {4, Int32()}}, {"Int64", {8, Int64()}},
      {"Float32", {4, Float32()}}, {"Float64", {8, Float64()}}, {"Date32", {4, Date32()}}, {"Time", {4, {"tts", {}, {}}}}};
  if (const auto n = kNumbers.find(h); n != kNumbers.end()) return Leaf(text, Form::kFixed, n->second.first, n->second.second);
  if (h == "Bool") return Leaf(text, Form::kBool, 1, Bool());
  if (h == "String") return Leaf(text, Form::kText, 0, options.binary_strings ? Binary() : Utf8());
  if (h == "FixedString") {
    const int n = Number(arg(0));
    if (n < 1 || n > 1 << 20) throw Fatal("its type \"" + text + "\" is larger than is taken");
    return options.binary_fixed ? Leaf(text, Form::kFixed, n, FixedBinary(n)) : Leaf(text, Form::kPadded, n, Utf8());
  }
  if (h.rfind("Interval", 0) == 0 && p.args.empty()) return Leaf(text, Form::kFixed, 8, Int64());   // 18.16 casts none to a number
  if (h == "UUID") return Leaf(text, Form::kUuid, 16, Utf8());
  if (h == "IPv4") return Leaf(text, Form::kIpv4, 4, Utf8());
  if (h == "IPv6") return Leaf(text, Form::kIpv6, 16, Utf8());
  if (h == "Nothing") return Leaf(text, Form::kNothing, 1, {"n", {}, {}});
  const auto widened = [&](int width, Type arrow, int out, bool is_unsigned) {
    CType t = Leaf(text, Form::kWiden, width, std::move(arrow), out);
    t.is_unsigned = is_unsigned;
    return t;
  };
  if (h == "Int128" || h == "UInt128") return widened(16, Decimal256(39, 0), 32, h[0] == 'U');
  if (h == "Int256" || h == "UInt256") {
    CType t = Leaf(text, Form::kBig, 32, Utf8());
    t.is_unsigned = h[0] == 'U';
    return t;
  }
  if (h == "Date") return widened(2, Date32(), 4, true);
  if (h == "DateTime") return widened(4, {"tss:" + (p.args.empty() ? "UTC" : Unquote(arg(0))), {}, {}}, 8, true);
  if (h == "DateTime64") return Ticks(text, Number(arg(0)), "ts", ":" + (p.args.size() > 1 ? Unquote(arg(1)) : "UTC"));
  if (h == "Time64") {
    const int precision = Number(arg(0));
    if (precision > 6) return Ticks(text, precision, "tt", "");
    CType t = Leaf(text, precision == 6 ? Form::kFixed : Form::kWiden, 8, Time64(), 8);   // in Arrow coarser ones have four bytes
    for (int i = precision; i < 6; ++i) t.factor *= 10;
    return t;
  }
  if (h == "Decimal") return Decimal(text, Number(arg(0)), p.args.size() > 1 ? Number(arg(1)) : 0);
  if (h == "Decimal32") return Decimal(text, 9, Number(arg(0)));
  if (h == "Decimal64") return Decimal(text, 18, Number(arg(0)));
  if (h == "Decimal128") return Decimal(text, 38, Number(arg(0)));
  if (h == "Decimal256") return Decimal(text, 76, Number(arg(0)));
  if (h == "Enum8" || h == "Enum16") {
    CType t = Leaf(text, Form::kEnum, h == "Enum8" ? 1 : 2, Utf8());
    for (const std::string& entry : p.args) {
      const std::size_t end = entry.empty() ? 0 : SkipQuoted(entry, 0);
      const auto equal = entry.find('=', end);
      if (equal == std::string::npos) throw Fatal("its type \"" + text + "\" is not understood");
      t.names.emplace_back(Number(std::string(Trim(std::string_view(entry).substr(equal + 1)))), Unquote(std::string_view(entry).substr(0, end)));
    }
    std::sort(t.names.begin(), t.names.end());
    return t;
  }
  if (h == "Nullable") {
    CType t;
    t.name = text;
    t.form = Form::kNullable;
    const std::string head = Split(arg(0)).head;
    if (head == "Tuple" || head == "Nested") throw Fatal("its type " + text + " is not carried; select its elements");
    t.items.push_back(Build(arg(0), options, depth + 1));
    t.arrow = t.items[0].arrow;
    return t;
  }
  if (h == "Array") return ArrayOf(text, Build(arg(0), options, depth + 1));
  if (h == "Tuple") return BuildTuple(text, p.args, options, depth);
  if (h == "Nested") return ArrayOf(text, BuildTuple(text, p.args, options, depth));
  if (h == "Map") {
    CType pair = BuildTuple(text, {"key " + arg(0), "value " + arg(1)}, options, depth);
    pair.arrow.children[0].nullable = false;
    CType t = ArrayOf(text, std::move(pair));
    t.form = Form::kMap;
    t.arrow = {"+m", {Field{"entries", t.items[0].arrow, false}}, {}};
    return t;
  }
  static const std::map<std::string, std::string> kAliases = {
      {"Point", "Tuple(Float64, Float64)"}, {"Ring", "Array(Point)"}, {"LineString", "Array(Point)"}, {"Polygon", "Array(Ring)"},
      {"MultiLineString", "Array(LineString)"}, {"MultiPolygon", "Array(Polygon)"}, {"MultiPoint", "Array(Point)"}};
  if (const auto a = kAliases.find(h); a != kAliases.end()) {
    CType t = Build(a->second, options, depth + 1);
    t.name = text;
    return t;
  }
  throw Fatal("its type " + text + " is not known here; cast it to one that is, in query");
}

}  // namespace

Asked Understand(const std::string& type, const TypeOptions& options) {
  const std::string carried = Carried(type);
  Asked out;
  const std::string head = Split(type).head;
  if (carried != type) out.cast = carried;
  const bool json = head == "JSON" || head == "Object" || head == "Dynamic" || head == "Variant" || head == "Geometry";
  if (json) out.cast = "JSON";
  out.type = Build(head == "Variant" || head == "Dynamic" || head == "Geometry" ? "Nullable(String)" : carried, options);
  if (json) out.type.arrow = Json();
  return out;
}

}  // namespace etl::clickhouse
