// docs/writing-a-plugin.md: what it shows is compiled against an installed package, checked and
// run.
#include <doctest/doctest.h>

#include <algorithm>

#include "pages.h"

using namespace etl::test;

namespace {

constexpr auto kWarnings = "-Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion -Werror";

/// The programs of the page in a folder, and the plugin package installed beside them.
struct Shown {
  TempDir folder;
  std::string cwd = folder.path().string();
  Shown() {
    for (const Block& file : MarkedBlocks(Page("docs/writing-a-plugin.md"), "file"))
      folder.Write(file.name, file.text);
    folder.Write("lines.txt", "one\ntwo\nthree and more\n");
    const Finished installed =
        ::etl::test::Run({ETL_CMAKE, "--install", ETL_BUILD_DIR, "--component", "plugin-sdk",
                          "--prefix", folder / "sdk"},
                         cwd);
    INFO(installed.err);
    REQUIRE(installed.exit_code == 0);
  }
  Finished Shell(const std::string& line) const {
    return ::etl::test::Run({"sh", "-c", line}, cwd);
  }
  void MustPass(const std::string& line) const {
    const Finished done = Shell(line);
    INFO(line, "\n", done.out, done.err);
    REQUIRE(done.exit_code == 0);
  }
  std::string FlagsOf(const std::string& what) const {
    return "$(PKG_CONFIG_PATH=" + (folder / "sdk/lib/pkgconfig") + " pkg-config --" + what +
           " etl-plugin)";
  }
};

}  // namespace

TEST_CASE("the source of the plugin page builds, passes its checks and runs") {
  const Shown page;
  page.MustPass(std::string("CXX=" ETL_CXX " CXXFLAGS='") + kWarnings +
                "' " ETL_CMAKE " -B build -S . -DCMAKE_PREFIX_PATH=" + (page.folder / "sdk") +
                " && " ETL_CMAKE " --build build && " ETL_CMAKE " --install build --prefix " +
                (page.folder / "out"));
  CHECK(std::filesystem::exists(page.folder / "out/lib/etl/plugins/1/lines.so"));
  const Finished checked =
      Etl({"plugin", "check", "build/lines.so", "--options", "lines.toml"}, page.cwd);
  INFO(checked.out, checked.err);
  CHECK(checked.exit_code == 0);
  const Finished ran = Etl({"run", "lines.toml", "--plugin-dir", "build", "-q"}, page.cwd);
  INFO(ran.err);
  CHECK(ran.exit_code == 0);
  CHECK(ReadFile(page.folder / "lines.ndjson") ==
        "{\"line\":\"one\"}\n{\"line\":\"two\"}\n{\"line\":\"three and more\"}\n");
}

TEST_CASE(
    "the transforms and the C source of the plugin page build with pkg-config, pass their checks "
    "and run") {
  const Shown page;
  page.MustPass("mkdir so && " ETL_CC " -std=c11 " + std::string(kWarnings) + " " +
                page.FlagsOf("cflags") + " -shared count.c -o so/count.so " + page.FlagsOf("libs"));
  page.MustPass(ETL_CXX " -std=c++17 -fno-gnu-unique " + std::string(kWarnings) + " " +
                page.FlagsOf("cflags") + " -shared longest.cpp -o so/longest.so " +
                page.FlagsOf("libs"));
  page.MustPass(ETL_CXX " -std=c++17 -fno-gnu-unique " + page.FlagsOf("cflags") +
                " -shared lines.cpp -o so/lines.so " + page.FlagsOf("libs"));
  for (const char* library : {"so/count.so", "so/longest.so"}) {
    const Finished checked = Etl({"plugin", "check", library}, page.cwd);
    INFO(checked.out, checked.err);
    CHECK(checked.exit_code == 0);
  }
  page.folder.Write("count.toml",
                    "[source]\ntype = \"count\"\nrows = 10_000\n[sink]\ntype = \"ndjson\"\npath = "
                    "\"count.ndjson\"\n");
  CHECK(Etl({"run", "count.toml", "--plugin-dir", "so", "-q"}, page.cwd).exit_code == 0);
  const std::string counted = ReadFile(page.folder / "count.ndjson");
  CHECK(std::count(counted.begin(), counted.end(), '\n') == 10'000);
  page.folder.Write(
      "text.toml",
      "[source]\ntype = \"lines\"\npath = \"lines.txt\"\n[[transform]]\ntype = \"gather\"\nrows = "
      "2\n"
      "[[transform]]\ntype = \"at_least\"\nbytes = 4\n[sink]\ntype = \"ndjson\"\npath = \"-\"\n");
  CHECK(Etl({"run", "text.toml", "--plugin-dir", "so", "-q"}, page.cwd).out ==
        "{\"line\":\"three and more\",\"bytes\":14}\n");
}
