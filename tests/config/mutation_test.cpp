// Pipeline files with random damage: always an answer, never a fall.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "components.h"
#include "config/load.h"
#include "error.h"

namespace {

std::string AllCases() {
  std::ostringstream text;
  for (const char* name : {"good", "secret", "unknown_key", "syntax", "reference"})
    text << std::ifstream(std::string(ETL_SOURCE_DIR "/tests/config/cases/") + name + ".case")
                .rdbuf();
  return text.str();
}

void Damage(std::string& text, std::mt19937_64& random) {
  constexpr std::string_view kPieces[] = {
      "[",       "]",  "{", "}",      "\"",       "'",  "\"\"\"", "=",    ".",
      ",",       "\n", "#", "${env:", "}",        "\\", "\xff",   "\xe2", "[[sink]]",
      "://u:p@", "1",  "-", "0x",     "[source]", "\t", "\r"};
  const auto below = [&](std::size_t bound) { return random() % (bound + 1); };
  for (std::size_t i = 0, count = 1 + below(4); i < count; ++i) {
    const std::size_t at = below(text.size());
    switch (below(3)) {
      case 0:
        text.erase(at, below(8));
        break;
      case 1:
        text.insert(at, kPieces[below(std::size(kPieces) - 1)]);
        break;
      case 2:
        if (at < text.size()) text[at] = static_cast<char>(random());
        break;
      default:
        text.insert(at, text.substr(below(text.size()), below(40)));
    }
  }
}

}  // namespace

TEST_CASE("damaged pipeline files get an answer that names a place") {
  const char* given = std::getenv("ETL_SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
  const char* rounds = std::getenv("ETL_ROUNDS");
  const int count = rounds ? std::atoi(rounds) : 3000;
  MESSAGE("ETL_SEED=" << seed);
  std::mt19937_64 random(seed);
  const std::string all = AllCases();
  REQUIRE(all.size() > 10'000);
  for (int i = 0; i < count; ++i) {
    std::string text = all.substr(random() % (all.size() - 400), random() % 400);
    Damage(text, random);
    CAPTURE(text);
    std::string set = text.substr(0, random() % 30);
    try {
      etl::host::LoadConfigText(text, "users.toml", {set, "sink.table=" + set},
                                etl::test::Resolver());
    } catch (const etl::host::ConfigErrors& errors) {
      CHECK(!errors.problems().empty());
      for (const etl::host::Problem& problem : errors.problems()) {
        const bool rest = problem.message.starts_with("and ");
        CHECK((rest || problem.place.file == "users.toml" ||
               problem.place.file.starts_with("--set")));
        CHECK(problem.Text().find('\x1b') == std::string::npos);
      }
    } catch (const etl::host::Error& error) {
      CHECK(error.exit() == etl::host::Exit::kPlugin);
    }
  }
}
