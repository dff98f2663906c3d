// What std::to_chars alone takes for vectors of floats as shortest texts.  chars_floats ROWS FLOATS
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

int main(int, char** argv) {
  const auto rows = std::strtoull(argv[1], nullptr, 10), width = std::strtoull(argv[2], nullptr, 10);
  std::minstd_rand random;
  std::vector<float> floats(8192 * width);
  for (float& f : floats) f = static_cast<float>(static_cast<int>(random()) - 0x3fffffff) / 0x40000000;
  std::vector<char> text(width * 20);
  std::size_t bytes = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    char* at = text.data();
    for (std::size_t i = 0; i < width; ++i) {
      at = std::to_chars(at, at + 20, floats[row % 8192 * width + i]).ptr;
      *at++ = ',';
    }
    bytes += static_cast<std::size_t>(at - text.data());
  }
  std::printf("%zu bytes\n", bytes);
}
