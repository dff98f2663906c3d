#include "plugin/loader.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "error.h"
#include "plugin/option_values.h"
#include "temp_dir.h"

using namespace etl::host;
using etl::test::ReadFile;
using etl::test::TempDir;

namespace {

std::string Zoo(const std::string& name) { return std::string(ETL_ZOO) + "/" + name + ".so"; }

/// What LoadPlugin says, without "plugin PATH is refused: ".
std::string Refused(const std::string& path, bool allow_unsafe = true) {
  try {
    LoadPlugin(path, allow_unsafe);
    return "loaded";
  } catch (const Error& error) {
    CHECK(error.exit() == Exit::kPlugin);
    const std::string text = error.what(), begin = "plugin " + path + " is refused: ";
    CHECK_MESSAGE(text.starts_with(begin), text);
    return text.substr(begin.size());
  }
}

}  // namespace

TEST_CASE("a plugin that keeps its contract is loaded once") {
  const Plugin& plugin = LoadPlugin(Zoo("good"), true);
  CHECK(plugin.name == "zoo.good");
  CHECK(plugin.version == "1.0.0");
  CHECK(plugin.license == "Apache-2.0");
  CHECK(plugin.warnings.empty());
  REQUIRE(plugin.components.size() == 3);
  CHECK(plugin.components[0]->kind == Kind::kSource);
  CHECK(plugin.components[0]->plugin == "zoo.good");
  CHECK(std::string(plugin.components[2]->table.type) == "zoo_sink");
  CHECK(std::string(plugin.components[2]->table.options[0]->name) == "rows");
  CHECK(!plugin.components[2]->table.sink->tick);
  CHECK(&LoadPlugin(Zoo("good"), true) == &plugin);
}

TEST_CASE("each refusal is one sentence: path, found, expected, what to do") {
  const TempDir temp;
  CHECK(Refused(temp / "none.so") == "found nothing there that can be opened (No such file or directory), expected a plugin file; "
                                     "check the path");
  CHECK(Refused(temp.Write("text.so", "hello")) ==
        "found a file that is not ELF, expected a shared object; build the plugin again, or remove the file");
  CHECK(Refused(temp.Write("cut.so", ReadFile(Zoo("good")).substr(0, 300))) ==
        "found a damaged or cut-off ELF file, expected a shared object; build the plugin again, or remove the file");
  CHECK(Refused(temp.Write("program.so", ReadFile("/proc/self/exe"))) ==
        "found an executable, expected a shared object; link the plugin with -shared");
  CHECK(Refused(Zoo("no_symbol")) == "found no exported function etl_plugin_v1, expected the entry of a plugin; use ETL_PLUGIN and "
                                     "etl_add_plugin(), or remove the file if it is none");
  CHECK(Refused(Zoo("no_note")) == "found no readable etl note, expected one that names ABI, plugin and version; rebuild it with "
                                   "ETL_PLUGIN or ETL_NOTE");
  CHECK(Refused(Zoo("exec_stack")) == "found an executable stack, expected none; link with -Wl,-z,noexecstack");
  CHECK(Refused(Zoo("runpath")) == "found the library search path \"/opt/lib\", expected paths that begin with $ORIGIN only; relink "
                                   "it without -rpath");
  CHECK(Refused(Zoo("undefined")) == fmt::format("found \"{}: undefined symbol: zoo_nobody_has_this\", expected a library that loads; "
                                                 "install what is missing, or rebuild the plugin", Zoo("undefined")));
  CHECK(Refused(Zoo("needs_newer")) == "found that it needs plugin ABI 1.99, expected at most 1.0, which is what this host has; update "
                                       "etl, or install an older release of the plugin");
  const std::string rebuild = "; rebuild it with the etl headers, or remove it from the folder";
  CHECK(Refused(Zoo("note_disagrees")) == "found a table of zoo.note_disagrees 1.0.0 (ABI 1.0) under a note of zoo.somebody_else 2.0.0 "
                                          "(ABI 1.0), expected the same in both" + rebuild);
  CHECK(Refused(Zoo("small_table")) == "found a table etl_plugin of 16 bytes, expected a multiple of 8 from 56 to 65536" + rebuild);
  CHECK(Refused(Zoo("two_kinds")) == "found several kinds in component \"zoo_source\", expected exactly one of source, transform and "
                                     "sink" + rebuild);
  CHECK(Refused(Zoo("no_write")) == "found no write() in component \"zoo_half\", expected every function that is not optional" + rebuild);
  CHECK(Refused(Zoo("bad_default")) == "found component \"zoo_sink\": option \"port\": its default 0 is outside 1..65535, expected "
                                       "options that hold to their own declaration" + rebuild);
}

TEST_CASE("a file that others can change is refused, and its folders count") {
  const TempDir temp;
  const std::string advice = ", expected file and folders that only root or you can change; run chmod go-w (or chown) on it, or pass "
                             "--allow-unsafe-plugins while developing";
  const std::string file = temp.Write("good.so", ReadFile(Zoo("good")));
  REQUIRE(::chmod(file.c_str(), 0644) == 0);
  CHECK(Refused(file, false) == "loaded");
  const std::string other = temp.Write("other.so", ReadFile(Zoo("good")));
  REQUIRE(::chmod(other.c_str(), 0666) == 0);
  CHECK(Refused(other, false) == "found " + other + ", which anyone may write to" + advice);
  REQUIRE(::chmod(other.c_str(), 0664) == 0);
  CHECK(Refused(other, false) == "found " + other + ", which its group may write to" + advice);
  REQUIRE(::chmod(other.c_str(), 0644) == 0);
  REQUIRE(::chmod(temp.path().c_str(), 0777) == 0);
  CHECK(Refused(other, false) == "found " + temp.path().string() + ", which anyone may write to" + advice);
  CHECK(Refused(other, true) == "loaded");
}

TEST_CASE("suspicious things are warned about") {
  CHECK(LoadPlugin(Zoo("exports_all"), true).warnings == std::vector<std::string>{"exports 3 symbols, where one is enough"});
  CHECK(LoadPlugin(Zoo("exits"), true).warnings == std::vector<std::string>{"imports exit(), which acts on the whole process"});
}

TEST_CASE("what only a newer host knows makes one component unavailable, not the plugin") {
  const Plugin& plugin = LoadPlugin(Zoo("newer_option"), true);
  REQUIRE(plugin.components.size() == 2);
  CHECK(plugin.components[0]->unavailable == "needs a newer etl: option type 17 of \"shape\" is unknown");
  CHECK(plugin.components[1]->unavailable.empty());
  CHECK(LoadPlugin(Zoo("needs_extension"), true).components[0]->unavailable ==
        "needs a newer etl: host extension \"etl.time_machine/1\" is unknown");
}

TEST_CASE("tables of a newer header are cut to what this host knows") {
  const Plugin& plugin = LoadPlugin(Zoo("asks_host"), true);
  CHECK(plugin.abi_minor == 1);
  CHECK(plugin.components[0]->unavailable.empty());
  CHECK(plugin.components[0]->table.size == sizeof(etl_component));
}

namespace {

std::string Fault(etl_option option) {
  option.size = sizeof option;
  if (!option.name) option.name = "x";
  const etl_option* const options[] = {&option, nullptr};
  return OptionFault(options).value_or("");
}

etl_option Make(std::uint32_t type, const char* def = nullptr, const char* range = nullptr) {
  etl_option option{};
  option.type = type;
  option.def = def;
  option.range = range;
  return option;
}

}  // namespace

TEST_CASE("an option's default must obey its own declaration") {
  CHECK(Fault(Make(ETL_INT, "5", "1..10")) == "");
  CHECK(Fault(Make(ETL_INT, "11", "1..10")) == "option \"x\": its default 11 is outside 1..10");
  CHECK(Fault(Make(ETL_INT, "\"5\"")) == "option \"x\": its default \"5\" is not an integer");
  CHECK(Fault(Make(ETL_INT, "5", "10..1")) == "option \"x\": its range \"10..1\" cannot be read as two values in order");
  CHECK(Fault(Make(ETL_INT, "5", "1-10")) == "option \"x\": its range \"1-10\" is not of the form LOW..HIGH");
  CHECK(Fault(Make(ETL_STRING, "\"a\"", "1..2")) == "option \"x\": its range \"1..2\" is that of something without order");
  CHECK(Fault(Make(ETL_DURATION, "\"30s\"", "1ms..1h")) == "");
  CHECK(Fault(Make(ETL_DURATION, "\"2h\"", "1ms..1h")) == "option \"x\": its default \"2h\" is outside 1ms..1h");
  CHECK(Fault(Make(ETL_BYTES, "\"8MiB\"", "1KiB..")) == "");
  CHECK(Fault(Make(ETL_BYTES, "8", "1KiB..")) == "option \"x\": its default 8 is outside 1KiB..");
  CHECK(Fault(Make(ETL_FLOAT, "0.5", "0..1")) == "");
  CHECK(Fault(Make(ETL_BOOL, "1")) == "option \"x\": its default 1 is not a boolean");
  CHECK(Fault(Make(ETL_TABLE)) == "option \"x\": it is a table without fields");
  CHECK(Fault(Make(ETL_LIST)) == "option \"x\": the type of its items is missing or is itself a list or map");
  etl_option required = Make(ETL_INT, "1");
  required.flags = ETL_REQUIRED;
  CHECK(Fault(required) == "option \"x\": it is required and has a default");
  etl_option named = Make(ETL_INT);
  named.name = "Two Words";
  CHECK(Fault(named) == "an option is called \"Two Words\", which is not snake_case");
  const char* const choices[] = {"none", "gzip", nullptr};
  etl_option choice = Make(ETL_STRING, "\"zip\"");
  choice.choices = choices;
  CHECK(Fault(choice) == "option \"x\": its default \"zip\" is not among its choices");
  etl_option list = Make(ETL_LIST, "[1, 20]", "1..10");
  list.item = ETL_INT;
  CHECK(Fault(list) == "option \"x\": its default 20 is outside 1..10");
}
