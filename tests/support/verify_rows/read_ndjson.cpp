// A strict reader of JSON lines: RFC 8259, one object a line, no name twice.
#include <algorithm>
#include <fstream>
#include <utility>

#include "table.h"

namespace verify {
namespace {

struct Parsed {
  Kind kind = Kind::kNull;
  std::string text;
};

class JsonLine {
 public:
  explicit JsonLine(std::string_view text) : text_(text) {}

  std::vector<std::pair<std::string, Parsed>> Object() {
    Blank();
    auto members = Members();
    Blank();
    if (at_ != text_.size()) throw Wrong("something after the object");
    return members;
  }

 private:
  static constexpr int kDeepest = 500;

  Unusable Wrong(const std::string& what) const {
    return Unusable("column " + std::to_string(at_ + 1) + ": " + what);
  }
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void Expect(char c) {
    if (Peek() != c) throw Wrong(std::string("expected ") + c);
    ++at_;
  }
  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void Blank() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }

  std::vector<std::pair<std::string, Parsed>> Members() {
    std::vector<std::pair<std::string, Parsed>> members;
    Expect('{');
    Blank();
    if (Take('}')) return members;
    do {
      Blank();
      std::string name = String();
      Blank();
      Expect(':');
      members.emplace_back(std::move(name), Value());
      Blank();
    } while (Take(','));
    Expect('}');
    return members;
  }

  Parsed Value() {
    Blank();
    if (++depth_ > kDeepest) throw Wrong("nested too deep");
    Parsed value = Undecorated();
    --depth_;
    return value;
  }

  Parsed Undecorated() {
    switch (Peek()) {
      case '"':
        return {Kind::kText, String()};
      case '{':
        return {Kind::kNested, NestedObject()};
      case '[':
        return {Kind::kNested, NestedArray()};
      case 't':
        return Word("true", Kind::kBool);
      case 'f':
        return Word("false", Kind::kBool);
      case 'n':
        return Word("null", Kind::kNull);
      default:
        return Number();
    }
  }

  Parsed Word(std::string_view word, Kind kind) {
    if (text_.substr(at_, word.size()) != word) throw Wrong("expected " + std::string(word));
    at_ += word.size();
    return {kind, kind == Kind::kNull ? "" : std::string(word)};
  }

  Parsed Number() {
    const std::size_t start = at_;
    Kind kind = Kind::kInteger;
    Take('-');
    if (!Take('0')) Digits();
    if (Take('.')) Digits(), kind = Kind::kReal;
    if (Take('e') || Take('E')) {
      if (!Take('+')) Take('-');
      Digits();
      kind = Kind::kReal;
    }
    return {kind, std::string(text_.substr(start, at_ - start))};
  }

  void Digits() {
    const std::size_t start = at_;
    while (Peek() >= '0' && Peek() <= '9') ++at_;
    if (at_ == start) throw Wrong("expected a value");
  }

  std::string String() {
    Expect('"');
    std::string result;
    while (!Take('"')) {
      if (at_ >= text_.size()) throw Wrong("the text is not closed");
      if (static_cast<unsigned char>(text_[at_]) < 0x20)
        throw Wrong("a bare control character in text");
      if (Take('\\')) {
        Escape(result);
      } else {
        result += text_[at_++];
      }
    }
    return result;
  }

  void Escape(std::string& result) {
    static constexpr std::string_view kFrom = "\"\\/bfnrt";
    static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
    if (const std::size_t which = kFrom.find(Peek());
        at_ < text_.size() && which != std::string_view::npos) {
      result += kTo[which];
      ++at_;
      return;
    }
    Expect('u');
    std::uint32_t point = Hex();
    if (point >= 0xdc00 && point < 0xe000) throw Wrong("half of a surrogate pair");
    if (point >= 0xd800 && point < 0xdc00) {
      Expect('\\');
      Expect('u');
      const std::uint32_t low = Hex();
      if (low < 0xdc00 || low >= 0xe000) throw Wrong("half of a surrogate pair");
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    AppendUtf8(point, result);
  }

  std::uint32_t Hex() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = Peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) throw Wrong("expected four hexadecimal digits");
      value = value << 4 | static_cast<std::uint32_t>(digit);
    }
    return value;
  }

  static void AppendUtf8(std::uint32_t point, std::string& out) {
    const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (point >> shift & 0x3f)); };
    if (point < 0x80) {
      out += static_cast<char>(point);
    } else if (point < 0x800) {
      out += static_cast<char>(0xc0 | point >> 6);
      tail(0);
    } else if (point < 0x10000) {
      out += static_cast<char>(0xe0 | point >> 12);
      tail(6), tail(0);
    } else {
      out += static_cast<char>(0xf0 | point >> 18);
      tail(12), tail(6), tail(0);
    }
  }

  static std::string Spell(const Parsed& value) {
    if (value.kind == Kind::kNull) return "null";
    if (value.kind != Kind::kText) return value.text;
    std::string result = "\"";
    for (const char c : value.text) {
      if (c == '"' || c == '\\') result += '\\';
      result += c;
    }
    return result + '"';
  }

  std::string NestedObject() {
    auto members = Members();
    std::sort(members.begin(), members.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string result = "{";
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i > 0 && members[i].first == members[i - 1].first)
        throw Wrong("a name comes twice in an object");
      result += (i > 0 ? "," : "") + Spell({Kind::kText, members[i].first}) + ":" +
                Spell(members[i].second);
    }
    return result + "}";
  }

  std::string NestedArray() {
    std::string result = "[";
    Expect('[');
    Blank();
    if (Take(']')) return "[]";
    do {
      if (result.size() > 1) result += ",";
      result += Spell(Value());
      Blank();
    } while (Take(','));
    Expect(']');
    return result + "]";
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

void ReadNdjson(const Input& input, Columns& columns, const RowSink& sink) {
  std::ifstream file(input.path, std::ios::binary);
  if (!file) throw Unusable("cannot read " + input.path);
  std::string line;
  std::vector<Cell> cells;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    const std::string where = "line " + std::to_string(number);
    try {
      CheckUtf8(line);
      const auto members = JsonLine(line).Object();
      cells.clear();
      for (const auto& [name, value] : members)
        cells.push_back({columns.Number(name), value.kind, value.text});
      sink(cells, where);
    } catch (const Unusable& error) {
      throw Unusable(input.path + ": " + where + ": " + error.what());
    }
  }
  if (file.bad()) throw Unusable("reading " + input.path + " failed");
}

}  // namespace verify
