// The ceiling for ndjson -> ndjson: reads a file, parses each line with simdjson on demand, takes every value in its type,
// writes the object again, and does nothing else.  minimal_ndjson IN OUT
#include <simdjson.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void Quoted(std::string_view s, std::string& out) {
  out += '"';
  for (const char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
      continue;
    }
    char text[8];
    std::snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned>(c));
    out += text;
  }
  out += '"';
}

template <class T>
void Number(T v, std::string& out) {
  char text[40];
  out.append(text, std::to_chars(text, text + sizeof text, v).ptr);
}

void Value(simdjson::ondemand::value v, std::string& out) {
  using Type = simdjson::ondemand::json_type;
  switch (v.type().value()) {
    case Type::string: return Quoted(v.get_string().value(), out);
    case Type::boolean: out += v.get_bool().value() ? "true" : "false"; return;
    case Type::null: out += "null"; return;
    case Type::number: {
      const simdjson::ondemand::number n = v.get_number().value();
      if (n.is_int64()) return Number(n.get_int64(), out);
      if (n.is_uint64()) return Number(n.get_uint64(), out);
      return Number(n.get_double(), out);
    }
    default: out += simdjson::to_json_string(v).value(); return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const simdjson::padded_string text = simdjson::padded_string::load(argv[1]);
  std::FILE* file = std::fopen(argv[2], "wb");
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document_stream lines = parser.iterate_many(text, 4 << 20);
  std::string out;
  for (auto line : lines) {
    out += '{';
    bool first = true;
    for (auto field : line.get_object()) {
      if (!std::exchange(first, false)) out += ',';
      Quoted(field.unescaped_key().value(), out);
      out += ':';
      Value(field.value(), out);
    }
    out += "}\n";
    if (out.size() < 1 << 18) continue;
    std::fwrite(out.data(), 1, out.size(), file);
    out.clear();
  }
  std::fwrite(out.data(), 1, out.size(), file);
  return std::fclose(file) == 0 ? 0 : 1;
}
