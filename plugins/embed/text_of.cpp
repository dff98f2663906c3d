// SPDX-License-Identifier: Apache-2.0
#include "text_of.h"

#include <algorithm>

namespace etl::embed {

TextOf::TextOf(const std::string& pattern, const ArrowSchema& schema, const char* option)
    : schema_(detail::OwnSchema(ImportSchema(schema))), others_(std::make_unique<JsonWriter>(*schema_)) {
  if (pattern.find_first_of("{}") == std::string::npos) {
    AddColumn(schema, pattern, option);
    return;
  }
  std::string literal;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if ((c == '{' || c == '}') && i + 1 < pattern.size() && pattern[i + 1] == c) {
      literal += c;
      ++i;
    } else if (c == '{') {
      const std::size_t end = pattern.find('}', i);
      if (end == std::string::npos) throw ConfigError(option, "a brace is not closed in \"" + pattern + "\"");
      if (!literal.empty()) parts_.push_back({std::exchange(literal, {}), -1, false});
      AddColumn(schema, pattern.substr(i + 1, end - i - 1), option);
      i = end;
    } else if (c == '}') {
      throw ConfigError(option, "a brace is closed that was not opened in \"" + pattern + "\"");
    } else {
      literal += c;
    }
  }
  if (!literal.empty()) parts_.push_back({literal, -1, false});
  if (std::none_of(parts_.begin(), parts_.end(), [](const Part& p) { return p.column >= 0; })) throw ConfigError(option, "there is no column in \"" + pattern + "\"");
}

void TextOf::AddColumn(const ArrowSchema& schema, const std::string& name, const char* option) {
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    if (name != schema.children[i]->name) continue;
    const Layout layout = ColumnView(*schema.children[i], ArrowArray{}).layout();
    const bool is_text = std::string_view(schema.children[i]->format) == "u" || std::string_view(schema.children[i]->format) == "U";
    if (!is_text && layout != Layout::kFixed && layout != Layout::kBits) {
      throw ConfigError(option, "column \"" + name + "\" is no text");
    }
    parts_.push_back({{}, i, is_text});
    return;
  }
  throw ConfigError(option, "the rows have no column \"" + name + "\"");
}

bool TextOf::Append(const ArrowArray& batch, std::int64_t row, std::string& out) const {
  const std::size_t before = out.size();
  bool any = false;
  for (const Part& part : parts_) {
    if (part.column < 0) {
      out += part.literal;
      continue;
    }
    const ColumnView column(*schema_->children[part.column], *batch.children[part.column], batch.offset);
    if (column.IsNull(row)) continue;
    any = true;
    if (part.text) {
      out += column.Str(row);
    } else {
      std::string value;
      others_->Value(static_cast<std::size_t>(part.column), batch, row, value);
      const bool quoted = value.size() >= 2 && value.front() == '"';
      out += quoted ? value.substr(1, value.size() - 2) : value;
    }
  }
  if (!any) out.resize(before);
  return any;
}

bool Blank(std::string_view text) {
  // From U+0080: controls, no-break space, soft hyphen, Ogham's, those of general punctuation, the wide one, the byte order mark.
  static constexpr std::pair<unsigned, unsigned> kBlank[] = {{0, 0x20}, {0x7f, 0xa0}, {0xad, 0xad}, {0x1680, 0x1680}, {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
  const auto blank = [](unsigned c) { return std::any_of(std::begin(kBlank), std::end(kBlank), [c](const auto& range) { return c >= range.first && c <= range.second; }); };
  for (std::size_t i = 0; i < text.size();) {
    const auto at = [&](std::size_t k) { return static_cast<unsigned>(static_cast<unsigned char>(text[i + k])); };
    const std::size_t size = at(0) < 0x80 ? 1 : at(0) < 0xe0 ? 2 : 3;
    if (at(0) >= 0xf0 || i + size > text.size()) return false;
    const unsigned c = size == 1 ? at(0) : size == 2 ? (at(0) & 0x1f) << 6 | (at(1) & 0x3f) : (at(0) & 0xf) << 12 | (at(1) & 0x3f) << 6 | (at(2) & 0x3f);
    if (!blank(c)) return false;
    i += size;
  }
  return true;
}

std::string Repaired(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t good = ValidUtf8(text);
    out += text.substr(0, good);
    text.remove_prefix(good);
    if (text.empty()) break;
    out += "\xef\xbf\xbd";
    text.remove_prefix(1);
  }
  return out;
}

}  // namespace etl::embed
