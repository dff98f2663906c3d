#include "compare_values.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "../error.h"

namespace etl::host {
namespace {

using arrow::Kind;
__extension__ typedef unsigned __int128 Wide;

// ---- hashes ----

/// Both halves of a product: a change of any bit changes about half of the result's.
std::uint64_t Fold(std::uint64_t a, std::uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Odd, and without a pattern: digits of pi, e and the golden ratio.
constexpr std::uint64_t kPi = 0x243f6a8885a308d3u, kE = 0xb7e151628aed2a6bu, kGolden = 0x9e3779b97f4a7c15u;

std::uint64_t HashText(std::string_view text, std::uint64_t seed) {
  std::uint64_t hash = seed ^ Fold(text.size() ^ kPi, kGolden);
  const char* p = text.data();
  std::size_t n = text.size();
  for (; n >= 8; n -= 8, p += 8) hash = Fold(hash ^ arrow::Load<std::uint64_t>(p), kE);
  std::uint64_t last = 0;
  if (n) std::memcpy(&last, p, n);
  return Fold(hash ^ last ^ kGolden, kPi);
}

// ---- kinds ----

bool IsFloat(Kind k) { return k == Kind::kFloat16 || k == Kind::kFloat32 || k == Kind::kFloat64; }
bool IsNumber(Kind k) { return (k >= Kind::kBool && k <= Kind::kUInt64) || k == Kind::kDecimal; }
bool IsMoment(Kind k) { return k == Kind::kDate32 || k == Kind::kDate64 || k == Kind::kTimestamp; }
bool IsClock(Kind k) { return k == Kind::kTime || k == Kind::kDuration; }
bool IsText(Kind k) { return k == Kind::kUtf8 || k == Kind::kBinary || k == Kind::kFixedBinary; }
bool IsNested(Kind k) { return k >= Kind::kList && k <= Kind::kUnion; }
bool IsJsonText(const ArrowSchema& field) { return arrow::Metadata(field.metadata, "ARROW:extension:name") == "arrow.json"; }

std::int64_t Find(const ArrowSchema& schema, std::string_view name) {
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    if (name == schema.children[i]->name) return i;
  }
  return -1;
}

void Choose(const ArrowSchema& expected, const ArrowSchema& stored, ComparedColumn& column) {
  const Kind a = arrow::ParseFormat(expected.format).kind, b = arrow::ParseFormat(stored.format).kind;
  const auto either = [&](bool (*is)(Kind)) { return is(a) || is(b); };
  const auto one_is = [&](Kind k) { return a == k || b == k; };
  if (either(IsNested) || IsJsonText(expected) || IsJsonText(stored)) column.how = Sameness::kJson;
  else if (either(IsFloat)) column.how = Sameness::kReal;
  else if (either(IsNumber)) column.how = Sameness::kNumber;
  else if (either(IsMoment)) column.how = Sameness::kMoment;
  else if (one_is(Kind::kTime) || a == b) column.how = IsClock(a) || IsClock(b) ? Sameness::kClock : Sameness::kText;
  column.single = one_is(Kind::kFloat32) || one_is(Kind::kFloat16);
  column.truths = one_is(Kind::kBool);
}

template <class T>
std::string_view Digits(T value, std::string& out) {
  out.resize(32);
  out.resize(static_cast<std::size_t>(std::to_chars(out.data(), out.data() + out.size(), value).ptr - out.data()));
  return out;
}

JsonOptions Options() {
  JsonOptions options;
  options.non_finite = JsonNonFinite::kText;
  options.bad_text = JsonBadText::kReplace;
  return options;
}

bool AllDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string Hex(std::string_view bytes) {
  std::string out = "0x";
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

/// "10:00:00.500" -> "10:00:00.5"; nothing when it is no such text.
std::string_view Shortened(std::string_view text) {
  std::string_view digits = text.substr(!text.empty() && text[0] == '-');
  const std::size_t hours = digits.find(':');
  if (hours == digits.npos || !AllDigits(digits.substr(0, hours))) return {};
  std::string_view rest = digits.substr(hours);
  if (rest.size() < 6 || rest[3] != ':' || !AllDigits(rest.substr(1, 2)) || !AllDigits(rest.substr(4, 2))) return {};
  rest.remove_prefix(6);
  if (rest.empty()) return text;
  if (rest[0] != '.' || !AllDigits(rest.substr(1))) return {};
  while (text.back() == '0') text.remove_suffix(1);
  if (text.back() == '.') text.remove_suffix(1);
  return text;
}

// ---- JSON ----

void PutJsonText(std::string_view text, std::string& out) {
  json_detail::Tail tail(out, text.size() + 16);
  json_detail::PutText(text, true, tail);
  tail.Keep();
}

/// Digits as they are: a double would round them.
void PutJsonNumber(std::string_view token, std::string& out) {
  while (!token.empty() && std::isspace(static_cast<unsigned char>(token.back()))) token.remove_suffix(1);
  std::string made;
  double value = 0;
  if (token.find_first_of("eE") == token.npos || std::from_chars(token.data(), token.data() + token.size(), value).ec != std::errc()) {
    out += CommonNumber(token, made);
  } else {
    out += std::abs(value) < 9e15 && value == std::trunc(value) ? Digits(static_cast<std::int64_t>(value), made) : Digits(value, made);
  }
}

void PutJson(simdjson::ondemand::value json, std::string& out) {
  using Type = simdjson::ondemand::json_type;
  switch (json.type()) {
    case Type::object: {
      std::map<std::string, std::string> members;
      for (auto field : json.get_object()) {
        const std::string name(std::string_view(field.unescaped_key()));
        std::string& value = members[name] = "";
        PutJson(field.value(), value);
      }
      out += '{';
      for (const auto& [name, value] : members) {
        if (out.back() != '{') out += ',';
        PutJsonText(name, out);
        (out += ':') += value;
      }
      out += '}';
      return;
    }
    case Type::array: {
      out += '[';
      bool first = true;
      for (auto item : json.get_array()) {
        if (!std::exchange(first, false)) out += ',';
        PutJson(item.value(), out);
      }
      out += ']';
      return;
    }
    case Type::number: return PutJsonNumber(json.raw_json_token(), out);
    case Type::string: return PutJsonText(std::string_view(json.get_string()), out);
    case Type::boolean: out += bool(json.get_bool()) ? "true" : "false"; return;
    default:
      if (!json.is_null()) throw simdjson::simdjson_error(simdjson::N_ATOM_ERROR);
      out += "null";
      return;
  }
}

}  // namespace

std::string_view CommonNumber(std::string_view text, std::string& made) {
  std::string_view rest = text;
  const bool minus = !rest.empty() && rest[0] == '-';
  if (!rest.empty() && (minus || rest[0] == '+')) rest.remove_prefix(1);
  const std::size_t point = std::min(rest.find('.'), rest.size());
  std::string_view whole = rest.substr(0, point), fraction = rest.substr(std::min(point + 1, rest.size()));
  if (point < rest.size() && fraction.empty() && whole.empty()) return text;
  if ((!whole.empty() && !AllDigits(whole)) || (!fraction.empty() && !AllDigits(fraction)) || (whole.empty() && fraction.empty())) return text;
  while (!whole.empty() && whole[0] == '0') whole.remove_prefix(1);
  while (!fraction.empty() && fraction.back() == '0') fraction.remove_suffix(1);
  if (fraction.empty() && !minus && !whole.empty()) return whole;
  made.clear();
  if (minus && (!whole.empty() || !fraction.empty())) made += '-';
  made += whole.empty() ? "0" : whole;
  if (!fraction.empty()) (made += '.') += fraction;
  return made;
}

std::string_view CommonClock(std::string_view text) {
  const std::string_view shortened = Shortened(text);
  return shortened.empty() ? text : shortened;
}

std::string_view CommonMoment(std::string_view text, std::string& made) {
  const std::size_t date = text.find('-', 1) == text.npos ? text.npos : text.find_first_of("T ", 1);
  if (date == text.npos) return text;
  std::string_view clock = text.substr(date + 1);
  if (!clock.empty() && clock.back() == 'Z') clock.remove_suffix(1);
  clock = Shortened(clock);
  if (clock.empty()) return text;
  if (clock == "00:00:00") return text.substr(0, date);
  made.assign(text.substr(0, date));
  (made += 'T') += clock;
  return made;
}

std::string CommonJson(std::string_view text) {
  thread_local simdjson::ondemand::parser parser;
  // In brackets a number or text is a document too.
  const simdjson::padded_string padded("[" + std::string(text) + "]");
  std::string out;
  try {
    simdjson::ondemand::document json = parser.iterate(padded);
    int items = 0;
    for (auto item : json.get_array()) {
      if (++items == 1) PutJson(item.value(), out);
    }
    if (items == 1 && json.current_location().error() == simdjson::OUT_OF_BOUNDS) return out;
  } catch (const simdjson::simdjson_error&) {
    // no JSON: it stands for itself
  }
  return std::string(text);
}

std::vector<ComparedColumn> Pair(const ArrowSchema& expected, const ArrowSchema& stored, const std::vector<std::string>& keys) {
  const auto wrong = [](const std::string& what) { return Error(Exit::kInternal, what + "; report it to the author of the sink's plugin"); };
  std::vector<ComparedColumn> columns;
  for (std::int64_t i = 0; i < stored.n_children; ++i) {
    ComparedColumn c;
    c.name = stored.children[i]->name;
    const std::int64_t at = Find(expected, c.name);
    if (at < 0) throw wrong(fmt::format("rows are read back with a column \"{}\" that the pipeline does not write", c.name));
    c.expected = static_cast<std::size_t>(at);
    c.stored = static_cast<std::size_t>(i);
    c.key = std::find(keys.begin(), keys.end(), c.name) != keys.end();
    Choose(*expected.children[at], *stored.children[i], c);
    columns.push_back(std::move(c));
  }
  if (columns.empty()) throw wrong("rows are read back without columns");
  for (const std::string& k : keys) {
    if (std::none_of(columns.begin(), columns.end(), [&](const ComparedColumn& c) { return c.name == k; })) {
      throw wrong(fmt::format("the key column \"{}\" is not read back", k));
    }
  }
  return columns;
}

// ---- one side ----

RowHasher::RowHasher(const ArrowSchema& schema, const std::vector<ComparedColumn>& columns, Side side) : json_(schema, Options()) {
  for (const ComparedColumn& c : columns) {
    Column column;
    column.compared = &c;
    column.at = side == Side::kExpected ? c.expected : c.stored;
    const ArrowSchema& field = *schema.children[column.at];
    column.format = arrow::ParseFormat(field.format);
    column.text = IsText(column.format.kind);
    columns_.push_back(column);
    has_key_ |= c.key;
  }
}

bool RowHasher::IsNull(const Column& c, std::int64_t row) const {
  if (c.format.kind == Kind::kNull) return true;
  if (c.format.kind == Kind::kUnion) return false;
  return arrow::IsNull(*batch_->children[c.at], row + batch_->offset);
}

std::string_view RowHasher::Plain(const Column& c, std::int64_t row) {
  const ArrowArray& array = *batch_->children[c.at];
  if (c.format.kind == Kind::kFixedBinary) {
    const char* from = static_cast<const char*>(array.buffers[1]) + (row + batch_->offset + array.offset) * c.format.width;
    return {from, static_cast<std::size_t>(c.format.width)};
  }
  if (c.text) return arrow::TextAt(c.format.layout, array, row + batch_->offset);
  text_.clear();
  json_.Value(c.at, *batch_, row, text_);
  std::string_view text = text_;
  if (text.size() > 1 && text[0] == '"') text = text.substr(1, text.size() - 2);
  return text;
}

std::string_view RowHasher::Number(const Column& c, std::int64_t row) {
  const ArrowArray& array = *batch_->children[c.at];
  const std::int64_t at = row + batch_->offset + array.offset;
  const Kind kind = c.format.kind;
  if (kind == Kind::kBool) return arrow::BitAt(array.buffers[1], at) ? "1" : "0";
  if (kind == Kind::kUInt64) return Digits(arrow::ValueAt<std::uint64_t>(array.buffers[1], at), made_);
  if (kind > Kind::kBool && kind < Kind::kUInt64) return Digits(arrow::IntegerAt(kind, array.buffers[1], at), made_);
  const std::string_view text = Plain(c, row);
  if (c.compared->truths && c.text && (text == "true" || text == "false")) return text == "true" ? "1" : "0";
  return CommonNumber(text, made_);
}

std::string_view RowHasher::Real(const Column& c, std::int64_t row) {
  const ArrowArray& array = *batch_->children[c.at];
  const std::int64_t at = row + batch_->offset + array.offset;
  double value = 0;
  switch (c.format.kind) {
    case Kind::kFloat64: value = arrow::ValueAt<double>(array.buffers[1], at); break;
    case Kind::kFloat32: value = static_cast<double>(arrow::ValueAt<float>(array.buffers[1], at)); break;
    case Kind::kFloat16: value = static_cast<double>(json_detail::HalfToFloat(arrow::ValueAt<std::uint16_t>(array.buffers[1], at))); break;
    default: {
      std::string_view text = c.text ? Plain(c, row) : Number(c, row);
      if (!text.empty() && text[0] == '+') text.remove_prefix(1);
      // What from_chars takes, also "inf", "Infinity" and "nan".
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc() || end != text.data() + text.size()) return text;
    }
  }
  if (std::isnan(value)) return "nan";
  if (value == 0) value = 0;   // -0
  if (c.compared->single) return Digits(static_cast<float>(value), made_);
  return Digits(value, made_);
}

std::string_view RowHasher::Value(const Column& c, std::int64_t row) {
  switch (c.compared->how) {
    case Sameness::kReal: return Real(c, row);
    case Sameness::kNumber: return Number(c, row);
    case Sameness::kMoment: return CommonMoment(Plain(c, row), made_);
    case Sameness::kClock: {
      if (c.format.kind != Kind::kDuration) return CommonClock(Plain(c, row));
      const ArrowArray& array = *batch_->children[c.at];
      const auto units = arrow::ValueAt<std::int64_t>(array.buffers[1], row + batch_->offset + array.offset);
      made_ = units < 0 ? "-" : "";
      {
        json_detail::Tail tail(made_, 64);
        json_detail::PutClock(json_detail::Magnitude(units), c.format.digits, tail);
        tail.Keep();
      }
      return CommonClock(made_);
    }
    case Sameness::kJson:
      if (c.text) return made_ = CommonJson(Plain(c, row));
      text_.clear();
      json_.Value(c.at, *batch_, row, text_);
      return made_ = CommonJson(text_);
    default: return Plain(c, row);
  }
}

std::uint64_t RowHasher::Hash(const Column& c, std::int64_t row) {
  constexpr std::uint64_t kNull = 0x6e756c6c6e756c6cu;
  if (IsNull(c, row)) return Fold(kNull, kPi);
  return HashText(Value(c, row), kE);
}

std::uint64_t RowHasher::Key(std::int64_t row) {
  if (!has_key_) return Row(row).row;
  std::uint64_t key = kPi;
  for (const Column& c : columns_) {
    if (c.compared->key) key = Fold(key ^ Hash(c, row), kGolden) + kE;
  }
  return key;
}

RowHash RowHasher::Row(std::int64_t row, std::vector<std::uint32_t>* each) {
  RowHash out{kPi, kE};
  if (each) each->clear();
  for (const Column& c : columns_) {
    const std::uint64_t hash = Hash(c, row);
    out.row = Fold(out.row ^ hash, kGolden) + kPi;
    if (c.compared->key) out.key = Fold(out.key ^ hash, kGolden) + kE;
    if (each) each->push_back(static_cast<std::uint32_t>(hash >> 32));
  }
  if (!has_key_) out.key = out.row;
  return out;
}

std::string RowHasher::KeyText(std::int64_t row) {
  std::string out = "{";
  for (const Column& c : columns_) {
    if (has_key_ && !c.compared->key) continue;
    if (out.size() > 1) out += ',';
    PutJsonText(c.compared->name, out);
    out += ':';
    if (IsNull(c, row)) {
      out += "null";
      continue;
    }
    const std::string value(Value(c, row));
    const Sameness how = c.compared->how;
    std::string made;
    const bool number = (how == Sameness::kNumber || how == Sameness::kReal) && !value.empty() &&
                        CommonNumber(value, made) == value && (value.back() >= '0' && value.back() <= '9');
    if (number) out += value;
    else PutJsonText(ValidUtf8(value) == value.size() ? value : Hex(value), out);
  }
  return out + "}";
}

}  // namespace etl::host
