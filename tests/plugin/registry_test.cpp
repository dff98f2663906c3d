#include "plugin/registry.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "error.h"
#include "plugin/scan.h"
#include "temp_dir.h"

using namespace etl::host;
using etl::test::ReadFile;
using etl::test::TempDir;

namespace {

namespace fs = std::filesystem;

/// Folders with copies of some of the zoo, and nothing else on the search path.
class Folders {
 public:
  Folders() {
    ::setenv("XDG_CACHE_HOME", (temp / "cache").c_str(), 1);
    ::setenv("XDG_DATA_HOME", (temp / "data").c_str(), 1);
    ::unsetenv("ETL_PLUGIN_PATH");
  }
  std::string Add(const std::string& folder, const std::string& name, const std::string& as = {}) {
    fs::create_directories(temp / folder);
    const std::string file = (temp / folder) + "/" + (as.empty() ? name : as) + ".so";
    fs::copy_file(std::string(ETL_ZOO) + "/" + name + ".so", file, fs::copy_options::overwrite_existing);
    ::chmod(file.c_str(), 0644);
    return file;
  }
  Registry Open(const std::vector<std::string>& folders) const {
    SearchOptions options;
    for (const std::string& folder : folders) options.plugin_dirs.push_back(temp / folder);
    return Registry(options);
  }
  TempDir temp;
};

std::string Says(Registry& registry, Kind kind, const std::string& type, Exit exit) {
  try {
    registry.Find(kind, type);
    return "found";
  } catch (const Error& error) {
    CHECK(error.exit() == exit);
    return error.what();
  }
}

std::string Before(const std::string& text, const std::string& mark) { return text.substr(0, text.find(mark)); }

}  // namespace

TEST_CASE("a component is found by its type, or by plugin and type") {
  Folders folders;
  folders.Add("a", "good");
  Registry registry = folders.Open({"a"});
  const Component& source = registry.Find(Kind::kSource, "zoo_source");
  CHECK(source.plugin == "zoo.good");
  CHECK(&registry.Find(Kind::kSource, "zoo.good/zoo_source") == &source);
  CHECK(registry.Find(Kind::kSink, "zoo_sink").table.sink != nullptr);
  CHECK(registry.Types(Kind::kTransform) == std::vector<std::string>{"zoo_transform"});
}

TEST_CASE("an unknown type names the nearest, the kind that there is, and where it looked") {
  Folders folders;
  folders.Add("a", "good");
  Registry registry = folders.Open({"a"});
  const std::string looked = fmt::format(" (looked in {}, {}, ", folders.temp / "a", (folders.temp / "data") + "/etl/plugins/1");
  const std::string near = Says(registry, Kind::kSource, "zoo_sorce", Exit::kConfig);
  CHECK(Before(near, " (looked") == "unknown source type \"zoo_sorce\"; did you mean \"zoo_source\"?");
  CHECK(near.find(looked) != std::string::npos);
  CHECK(Before(Says(registry, Kind::kSource, "zoo_sink", Exit::kConfig), " (looked") ==
        "unknown source type \"zoo_sink\"; it is there as a sink only");
  CHECK(Before(Says(registry, Kind::kSource, "mysql", Exit::kConfig), " (looked") ==
        "unknown source type \"mysql\"; install its plugin, or run \"etl plugin list\"");
}

TEST_CASE("a type that two plugins offer must be asked for with its plugin") {
  Folders folders;
  folders.Add("a", "good");
  folders.Add("a", "counts_loads");
  Registry registry = folders.Open({"a"});
  CHECK(Says(registry, Kind::kSink, "zoo_sink", Exit::kConfig) ==
        "sink type \"zoo_sink\" is offered by 2 plugins; write \"zoo.counts_loads/zoo_sink\" or \"zoo.good/zoo_sink\"");
  CHECK(registry.Find(Kind::kSink, "zoo.counts_loads/zoo_sink").plugin == "zoo.counts_loads");
  CHECK(registry.Types(Kind::kSink) == std::vector<std::string>{"zoo.counts_loads/zoo_sink", "zoo.good/zoo_sink"});
}

TEST_CASE("the first plugin of a name on the search path shadows the others") {
  Folders folders;
  const std::string first = folders.Add("a", "good"), second = folders.Add("b", "good");
  Registry registry = folders.Open({"a", "b"});
  const auto& list = registry.List();
  REQUIRE(list.size() >= 2);
  CHECK(list[0].path == first);
  CHECK(list[0].shadowed_by.empty());
  CHECK(list[1].path == second);
  CHECK(list[1].shadowed_by == first);
  CHECK(registry.Find(Kind::kSink, "zoo_sink").path == first);
}

TEST_CASE("plugins are listed by name, whatever order the folder gives") {
  Folders folders;
  for (const char* name : {"needs_extension", "good", "filter"}) folders.Add("a", name);
  Registry registry = folders.Open({"a"});
  const auto& list = registry.List();
  REQUIRE(list.size() >= 3);
  CHECK(list[0].name == "zoo.filter");
  CHECK(list[1].name == "zoo.good");
  CHECK(list[2].name == "zoo.needs_extension");
  CHECK(list[1].components.size() == 3);
  CHECK(list[1].summaries[0] == "A source for tests");
}

TEST_CASE("a plugin that crashes while it is scanned is refused, and the others are there") {
  Folders folders;
  const std::string crash = folders.Add("a", "crashes_on_load");
  folders.Add("a", "good");
  Registry registry = folders.Open({"a"});
  const auto& list = registry.List();
  REQUIRE(list.size() >= 2);
  CHECK(list[0].refused == fmt::format("plugin {} is refused: found that loading it was killed by signal 4 (Illegal instruction), "
                                       "expected a library that loads without side effects; report it to its author, or remove it "
                                       "from the folder", crash));
  CHECK(list[0].name == "zoo.crashes_on_load");
  CHECK(registry.Find(Kind::kSource, "zoo_source").plugin == "zoo.good");
  CHECK(Says(registry, Kind::kSink, "crashes_on_load", Exit::kPlugin) == list[0].refused);
}

TEST_CASE("a plugin that hangs while it is scanned is refused when its time is up") {
  const PluginScan scan = ScanPlugin(std::string(ETL_ZOO) + "/hangs_on_load.so", std::chrono::milliseconds(200));
  CHECK(scan.refused.find("found that loading it did not end within 200 ms") != std::string::npos);
}

TEST_CASE("what a plugin prints while it is scanned is not seen") {
  Folders folders;
  folders.Add("a", "prints_on_load");
  Registry registry = folders.Open({"a"});
  REQUIRE_FALSE(registry.List().empty());
  CHECK(registry.List()[0].refused.empty());
}

TEST_CASE("a file is scanned once, and again when it changes") {
  Folders folders;
  const std::string count = folders.temp / "count", cache = (folders.temp / "cache") + "/etl/plugins.json";
  ::setenv("ZOO_COUNT", count.c_str(), 1);
  const std::string file = folders.Add("a", "counts_loads");
  for (int i = 0; i < 3; ++i) CHECK(folders.Open({"a"}).List()[0].name == "zoo.counts_loads");
  CHECK(ReadFile(count) == "x");
  SUBCASE("the cache is for its owner only") {
    struct stat st {};
    REQUIRE(::stat(cache.c_str(), &st) == 0);
    CHECK((st.st_mode & 0777) == 0600);
  }
  SUBCASE("a changed file") {
    fs::remove(file);
    folders.Add("a", "counts_loads");
    CHECK(folders.Open({"a"}).List()[0].name == "zoo.counts_loads");
    CHECK(ReadFile(count) == "xx");
  }
  SUBCASE("a damaged cache counts as empty, and is replaced") {
    for (const char* text : {"", "garbage", "{\"format\":1,\"abi\":\"1.0\",\"files\":[]}", "[[[[[[[[[[[[[[[[[[[[[[[[[[["}) {
      fs::remove(count);
      folders.temp.Write("cache/etl/plugins.json", text);
      CHECK(folders.Open({"a"}).List()[0].name == "zoo.counts_loads");
      CHECK(ReadFile(count) == "x");
      CHECK(folders.Open({"a"}).List()[0].name == "zoo.counts_loads");
      CHECK(ReadFile(count) == "x");
    }
  }
  ::unsetenv("ZOO_COUNT");
}

TEST_CASE("only the plugin that is asked for is loaded into the process") {
  Folders folders;
  const std::string count = folders.temp / "count";
  folders.Add("a", "counts_loads");
  folders.Add("a", "good");
  folders.Open({"a"}).List();
  ::setenv("ZOO_COUNT", count.c_str(), 1);
  folders.Open({"a"}).Find(Kind::kSource, "zoo_source");
  CHECK_FALSE(fs::exists(count));
  ::unsetenv("ZOO_COUNT");
}

TEST_CASE("a file that others can write to is refused without running it") {
  Folders folders;
  const std::string file = folders.Add("a", "crashes_on_load", "good");
  REQUIRE(::chmod(file.c_str(), 0666) == 0);
  Registry registry = folders.Open({"a"});
  CHECK(registry.List()[0].refused.find("which anyone may write to") != std::string::npos);
  CHECK(registry.List()[0].name.empty());
}

TEST_CASE("a component that needs a newer host says so when it is asked for") {
  Folders folders;
  const std::string file = folders.Add("a", "newer_option");
  Registry registry = folders.Open({"a"});
  CHECK(Says(registry, Kind::kSink, "zoo_newer", Exit::kPlugin) ==
        fmt::format("sink \"zoo_newer\" of plugin {} needs a newer etl: option type 17 of \"shape\" is unknown; update etl, or install "
                    "an older release of the plugin", file));
  CHECK(registry.Find(Kind::kSink, "zoo_sink").unavailable.empty());
}

TEST_CASE("an extension leads to the component that offers it") {
  Folders folders;
  folders.Add("a", "good");
  folders.Add("a", "filter");
  Registry registry = folders.Open({"a"});
  const Component* filter = registry.WithExtension(Kind::kTransform, ETL_EXT_FILTER);
  REQUIRE(filter);
  CHECK(std::string(filter->table.type) == "zoo_filter");
  CHECK(registry.WithExtension(Kind::kTransform, "etl.no_such_thing/1") == nullptr);
}

TEST_CASE("the search path: ETL_PLUGIN_PATH comes after --plugin-dir, and takes absolute paths only") {
  Folders folders;
  folders.Add("a", "good");
  const std::string second = folders.Add("b", "filter");
  ::setenv("ETL_PLUGIN_PATH", ((folders.temp / "missing") + ":" + (folders.temp / "b")).c_str(), 1);
  CHECK(folders.Open({"a"}).List()[1].path == second);
  ::setenv("ETL_PLUGIN_PATH", "plugins", 1);
  CHECK_THROWS_WITH(folders.Open({}), "ETL_PLUGIN_PATH holds \"plugins\", expected absolute paths; write it from / on");
  ::unsetenv("ETL_PLUGIN_PATH");
  Registry registry = folders.Open({"missing"});
  CHECK_THROWS_WITH(registry.List(), fmt::format("--plugin-dir {}: No such file or directory; name a folder with plugins",
                                                 folders.temp / "missing").c_str());
}
