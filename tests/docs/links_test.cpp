// Links in the documentation lead to files that exist.
#include <doctest/doctest.h>

#include <regex>

#include "pages.h"

using namespace etl::test;

TEST_CASE("links between pages lead to files that exist") {
  const std::regex link(R"(\]\(([^)\s#]+)(#[^)]*)?\))");
  const std::filesystem::path root = ETL_SOURCE_DIR;
  for (const std::string& path : AllPages()) {
    const std::string page = Page(path);
    for (std::sregex_iterator at(page.begin(), page.end(), link), end; at != end; ++at) {
      const std::string target = (*at)[1];
      if (target.find("://") != std::string::npos) continue;
      INFO(path, " links to ", target);
      CHECK(std::filesystem::exists((root / path).parent_path() / target));
    }
  }
}
