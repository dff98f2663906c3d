// tokens TOKENIZER.JSON TEXTS: the tokens of texts, each ended by a zero byte, as the plugin takes them: one line of ids a text.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "tokenizer.h"

namespace {

std::string ReadAll(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) return 2;
  const etl::embed::Tokenizer tokenizer(ReadAll(argv[1]), argv[1]);
  const std::string texts = ReadAll(argv[2]);
  for (std::size_t at = 0; at < texts.size();) {
    const std::size_t end = texts.find('\0', at);
    std::string line;
    for (const std::uint32_t id : tokenizer.before()) line += std::to_string(id) + " ";
    for (const auto& t : tokenizer.Encode(texts.substr(at, end - at))) line += std::to_string(t.id) + " ";
    for (const std::uint32_t id : tokenizer.behind()) line += std::to_string(id) + " ";
    std::puts(line.c_str());
    at = end + 1;
  }
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "tokens: %s\n", e.what());
  return 1;
}
