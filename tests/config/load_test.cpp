// What a pipeline file becomes: values, paths, identity, places, secrets.
#include "config/load.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "components.h"
#include "error.h"

namespace {

namespace fs = std::filesystem;
using namespace etl::host;

constexpr const char* kSource = "[source]\ntype = \"csv\"\npath = \"in.csv\"\n";
constexpr const char* kSink =
    "\n[sink]\ntype = \"database\"\nurl = \"mysql://h/db\"\ntable = \"t\"\n";

PipelineConfig Load(const std::string& text, const std::vector<std::string>& sets = {},
                    const std::string& file = "/jobs/users.toml") {
  return LoadConfigText(text, file, sets, etl::test::Resolver());
}
PipelineConfig LoadSink(const std::string& keys, const std::vector<std::string>& sets = {}) {
  return Load(std::string(kSource) + kSink + keys, sets);
}

std::string Mistakes(const std::string& text, const std::vector<std::string>& sets = {}) {
  try {
    Load(text, sets);
  } catch (const ConfigErrors& errors) {
    return errors.what();
  }
  return {};
}

const etl_value& Option(const StageConfig& stage, std::string_view name) {
  const etl_option* const* options = stage.component->table.options;
  for (std::size_t i = 0; options[i]; ++i)
    if (name == options[i]->name) return stage.values.data()[i];
  FAIL("no option " << std::string(name));
  std::abort();
}
std::string Text(const etl_value& value) { return {value.as.s.ptr, value.as.s.len}; }
std::string Identity(const StageConfig& stage, const std::string& option) {
  for (const auto& [name, text] : stage.identity)
    if (name == option) return text;
  return "absent";
}

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "etl-config-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  fs::path Write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    std::ofstream(path / name, std::ios::binary) << text;
    REQUIRE(::chmod((path / name).c_str(), mode) == 0);
    return path / name;
  }
};

}  // namespace

TEST_CASE("every option has its value by position, with defaults filled in") {
  const PipelineConfig config = Load(std::string(kSource) +
                                     "types = { z = \"int\", a = \"text\" }\nsample = 1\n"
                                     "max_line = 2048\ntimeout = \"1m30s\"\n" +
                                     kSink);
  const StageConfig& source = config.source;
  CHECK(source.key == "source");
  CHECK(source.type == "csv");
  CHECK(Option(source, "path").type == ETL_LIST);
  CHECK(Option(source, "path").count == 1);
  CHECK(Text(Option(source, "path").as.items[0]) == "/jobs/in.csv");
  CHECK(Text(Option(source, "delimiter")) == ",");
  CHECK(Option(source, "delimiter").as.s.ptr[1] == '\0');
  CHECK(Option(source, "header").as.i == 1);
  CHECK(Option(source, "batch_rows").as.i == 8192);
  CHECK(Option(source, "sample").type == ETL_FLOAT);
  CHECK(Option(source, "sample").as.f == 1.0);
  CHECK(Option(source, "columns").type == 0);
  CHECK(Option(source, "max_line").as.i == 2048);
  CHECK(Option(source, "timeout").as.i == 90'000'000'000);
  const etl_value& types = Option(source, "types");
  REQUIRE(types.count == 4);
  CHECK(Text(types.as.items[0]) == "z");
  CHECK(Text(types.as.items[1]) == "int");
  CHECK(Text(types.as.items[2]) == "a");
}

TEST_CASE("values stay where they are when the config is moved") {
  PipelineConfig config = LoadSink("keys = [\"a\", \"b\"]\n");
  const etl_value* before = Option(config.sinks[0], "keys").as.items;
  const PipelineConfig moved = std::move(config);
  CHECK(Option(moved.sinks[0], "keys").as.items == before);
  CHECK(Text(before[1]) == "b");
}

TEST_CASE("a table's fields come in declared order; a bare value stands for the first") {
  const auto rows = [](const PipelineConfig& config) {
    return Option(config.sinks[0], "batch").as.items;
  };
  const PipelineConfig absent = LoadSink(""), bare = LoadSink("batch = 7\n"),
                       some = LoadSink("batch = { linger = \"2s\" }\n");
  CHECK(rows(absent)[0].as.i == 5000);
  CHECK(rows(bare)[0].as.i == 7);
  CHECK(rows(bare)[1].as.i == 8 << 20);
  CHECK(rows(some)[0].as.i == 5000);
  CHECK(rows(some)[2].as.i == 2'000'000'000);
  CHECK(Option(absent.sinks[0], "tls").type == 0);
}

TEST_CASE("a list of tables takes tables and bare values, one or many") {
  const PipelineConfig config =
      LoadSink("indexes = [\"id\", { columns = [\"a\", \"b\"], unique = true }]\n");
  const etl_value& indexes = Option(config.sinks[0], "indexes");
  REQUIRE(indexes.count == 2);
  CHECK(Text(indexes.as.items[0].as.items[0].as.items[0]) == "id");
  CHECK(indexes.as.items[0].as.items[1].as.i == 0);
  CHECK(indexes.as.items[1].as.items[0].count == 2);
  CHECK(indexes.as.items[1].as.items[1].as.i == 1);
  CHECK(Option(LoadSink("indexes = { columns = \"x\" }\n").sinks[0], "indexes").count == 1);
}

TEST_CASE("settings of the pipeline") {
  const PipelineConfig config =
      Load(std::string("[pipeline]\nname = \"a.b\"\nmemory_limit = \"1GB\"\non_reject = \"file\"\n"
                       "max_rejects = 5\nretry = { max = \"5s\" }\ngrace = \"0s\"\nworkers = 3\n") +
           kSource + kSink);
  CHECK(config.name == "a.b");
  CHECK(config.memory_limit == 1'000'000'000);
  CHECK(config.on_reject == OnReject::kFile);
  CHECK(config.max_reject_count == 5);
  CHECK(config.max_reject_rate == -1);
  CHECK(config.retry.max_ns == 5'000'000'000);
  CHECK(config.retry.max_elapsed_ns == 900'000'000'000);
  CHECK(config.grace_ns == 0);
  CHECK(config.workers == 3);
}

TEST_CASE("settings that are left out are those of the header") {
  const PipelineConfig config = LoadSink(""), plain;
  CHECK(config.name == "users");
  CHECK(config.file == "/jobs/users.toml");
  CHECK(config.dir == "/jobs");
  CHECK(config.memory_limit == plain.memory_limit);
  CHECK(config.retry.max_elapsed_ns == plain.retry.max_elapsed_ns);
  CHECK(config.retry.initial_ns == plain.retry.initial_ns);
  CHECK(config.retry.max_ns == plain.retry.max_ns);
  CHECK(config.grace_ns == plain.grace_ns);
  CHECK(config.on_reject == plain.on_reject);
  CHECK(config.workers == 0);
  CHECK(config.source.workers == 0);
}

TEST_CASE("keys of the host for a stage") {
  const PipelineConfig config =
      Load(std::string(kSource) + "readers = 4\n" + kSink + "writers = 2\nwhen = \"id > 5\"\n");
  CHECK(config.source.workers == 4);
  CHECK(config.sinks[0].workers == 2);
  CHECK(config.sinks[0].when == "id > 5");
}

TEST_CASE(
    "relative paths begin at the pipeline file's folder, those of a --set at the current one") {
  const auto path = [](const std::string& written, const std::vector<std::string>& sets = {}) {
    const PipelineConfig config =
        Load("[source]\ntype = \"lines\"\npath = \"" + written + "\"\n" + kSink, sets);
    return Text(Option(config.source, "path"));
  };
  CHECK(path("in.txt") == "/jobs/in.txt");
  CHECK(path("../in.txt") == "/in.txt");
  CHECK(path("./a/./b/*.gz") == "/jobs/a/b/*.gz");
  CHECK(path("/data/in.txt") == "/data/in.txt");
  CHECK(path("-") == "-");
  CHECK(path("in.txt", {"source.path=x.txt"}) == (fs::current_path() / "x.txt").string());
  CHECK(path("in.txt", {"source.path=-"}) == "-");
  const PipelineConfig here = Load(std::string(kSource) + kSink, {}, "users.toml");
  CHECK(here.dir == fs::current_path().string());
  CHECK(Load(std::string(kSource) + kSink, {}, "-").dir == fs::current_path().string());
}

TEST_CASE("identity is canonical: how a value is written makes no difference") {
  const StageConfig a =
      Load(std::string("[source]\ntype='csv'\npath='./in.csv'\nsample=1\nmax_line=1048576\n"
                       "columns='id'\ntypes={a='int'}\n") +
           kSink)
          .source;
  const StageConfig b = Load(std::string("[source]\ntype = \"csv\"\nmax_line = \"1024KiB\"\n"
                                         "columns = [ \"id\" ]\npath = [\"/jobs/in.csv\"]\n"
                                         "sample = 1.0\ntypes.a = \"int\"\n") +
                             kSink)
                            .source;
  CHECK(a.identity == b.identity);
  CHECK(Identity(a, "path") == "[\"/jobs/in.csv\"]");
  CHECK(Identity(a, "max_line") == "\"1MiB\"");
  CHECK(Identity(a, "sample") == "1.0");
  CHECK(Identity(a, "types") == "{ a = \"int\" }");
  CHECK(Identity(a, "delimiter") == "\",\"");
}

TEST_CASE("identity leaves out secrets, what changes only speed, and who logs in") {
  ::setenv("ETL_LOAD_PASSWORD", "correct horse", 1);
  const StageConfig sink = std::move(
      Load(std::string(kSource) +
           "\n[sink]\ntype = \"database\"\nurl = \"mysql://u:${env:ETL_LOAD_PASSWORD}@h/db\"\n"
           "table = \"t\"\npassword = \"${env:ETL_LOAD_PASSWORD}\"\nbatch = 5\nwriters = 2\n"
           "headers = { A = \"${env:ETL_LOAD_PASSWORD}\" }\n"
           "tls = { ca = \"ca.pem\", key_password = \"${env:ETL_LOAD_PASSWORD}\" }\n"
           "when = \"x > 1\"\n")
          .sinks[0]);
  CHECK(Identity(sink, "url") == "\"mysql://h/db\"");
  CHECK(Identity(sink, "password") == "absent");
  CHECK(Identity(sink, "headers") == "absent");
  CHECK(Identity(sink, "batch") == "absent");
  CHECK(Identity(sink, "writers") == "absent");
  CHECK(Identity(sink, "tls") == "{ verify = true, ca = \"/jobs/ca.pem\" }");
  CHECK(Identity(sink, "when") == "\"x > 1\"");
}

TEST_CASE("identity shows a reference as written, and still changes with what it stands for") {
  const auto identity = [](const char* table) {
    ::setenv("ETL_LOAD_TABLE", table, 1);
    return Identity(
        Load(std::string(kSource) +
             "\n[sink]\ntype = \"database\"\nurl = \"x\"\ntable = \"${env:ETL_LOAD_TABLE}\"\n")
            .sinks[0],
        "table");
  };
  const std::string orders = identity("orders"), users = identity("users");
  CHECK(orders.starts_with("\"${env:ETL_LOAD_TABLE}\" # "));
  CHECK(orders.find("orders") == std::string::npos);
  CHECK(orders != users);
  CHECK(orders == identity("orders"));
}

TEST_CASE("references are resolved inside strings, and what they stand for is secret") {
  const Folder folder;
  const fs::path key = folder.Write("key", "s3cret-value\n");
  ::setenv("ETL_LOAD_USER", "alice-w", 1);
  const PipelineConfig config = LoadSink(
      "keys = \"$${env:X} costs $5\"\npassword = \"${env:ETL_LOAD_USER}:${file:" + key.string() +
      "}\"\n");
  CHECK(Text(Option(config.sinks[0], "password")) == "alice-w:s3cret-value");
  CHECK(Text(Option(config.sinks[0], "keys").as.items[0]) == "${env:X} costs $5");
  for (const char* secret : {"alice-w", "s3cret-value", "alice-w:s3cret-value"})
    CHECK(std::count(config.secrets.begin(), config.secrets.end(), secret) == 1);
  CHECK(config.warnings.empty());
}

TEST_CASE("a secret file loses one line end, and a warning tells when everybody can read it") {
  const Folder folder;
  folder.Write("unix", "value\n\n");
  folder.Write("windows", "value\r\n", 0644);
  const std::string file = (folder.path / "users.toml").string();
  const auto load = [&](const std::string& name) {
    return Load(std::string(kSource) + kSink + "password = \"${file:" + name + "}\"\n", {}, file);
  };
  CHECK(Text(Option(load("unix").sinks[0], "password")) == "value\n");
  CHECK(load("unix").warnings.empty());
  const PipelineConfig windows = load("windows");
  CHECK(Text(Option(windows.sinks[0], "password")) == "value");
  REQUIRE(windows.warnings.size() == 1);
  CHECK(windows.warnings[0].message ==
        "\"password\": everybody on this machine can read " + (folder.path / "windows").string() +
            "; run: chmod o-r " + (folder.path / "windows").string());
}

TEST_CASE("a password in a URL is a secret, as it stands and decoded") {
  const PipelineConfig config =
      Load(std::string(kSource) +
           "\n[sink]\ntype = \"database\"\nurl = \"mysql://u:p%40ssword@h/db\"\ntable = \"t\"\n");
  CHECK(config.secrets == std::vector<std::string>{"p%40ssword", "p@ssword"});
  CHECK(config.warnings.size() == 1);
}

TEST_CASE("a --set takes TOML, a bare word, and text with anything in it") {
  const auto table = [](const std::string& typed) {
    return Text(Option(LoadSink("", {"sink.table=" + typed}).sinks[0], "table"));
  };
  CHECK(table("orders") == "orders");
  CHECK(table("\"two words\"") == "two words");
  CHECK(table("two words") == "two words");
  CHECK(table("2024") == "2024");
  CHECK(table("2024-01-01") == "2024-01-01");
  CHECK(table("true") == "true");
  CHECK(table("a=b # c") == "a=b # c");
  CHECK(table("1 # c") == "1 # c");
  CHECK(table("") == "");
  CHECK(table("a\nb = 2") == "a\nb = 2");
  CHECK(table("1\nb = 2") == "1\nb = 2");
}

TEST_CASE("a --set reaches tables, lists and numbered stages") {
  const std::string two = std::string(kSource) +
                          "[[transform]]\ntype = \"sql\"\nquery = \"a\"\n[[transform]]\ntype = "
                          "\"sql\"\nquery = \"b\"\n" +
                          kSink;
  const PipelineConfig config =
      Load(two, {"transform.1.query=SELECT 1", "transform[0].query=SELECT 0", "sink.batch.rows=9",
                 "sink.keys=[\"a\", \"b\"]", "sink.tls={ verify = false }", "sink.0.mode=upsert",
                 "source.columns=id", "pipeline.name=\"y\"", "source.types.\"a b\"=int"});
  CHECK(Text(Option(config.transforms[0], "query")) == "SELECT 0");
  CHECK(Text(Option(config.transforms[1], "query")) == "SELECT 1");
  CHECK(Option(config.sinks[0], "batch").as.items[0].as.i == 9);
  CHECK(Option(config.sinks[0], "keys").count == 2);
  CHECK(Option(config.sinks[0], "tls").as.items[0].as.i == 0);
  CHECK(Text(Option(config.sinks[0], "mode")) == "upsert");
  CHECK(Text(Option(config.source, "types").as.items[0]) == "a b");
  CHECK(config.name == "y");
  CHECK(config.transforms[1].key == "transform[1]");
}

TEST_CASE("a --set wins over the file, and the last over the first") {
  const PipelineConfig config =
      LoadSink("mode = \"wrong\"\n", {"sink.mode=upsert", "sink.mode=replace"});
  CHECK(Text(Option(config.sinks[0], "mode")) == "replace");
}

TEST_CASE("a problem that a plugin finds is shown at its option") {
  const PipelineConfig config =
      LoadSink("tls = { key_password = \"tell nobody\", ca = \"ca.pem\" }\n");
  CHECK(config.At(config.sinks[0], "tls.ca", "cannot open /jobs/ca.pem").Text() ==
        "/jobs/users.toml:9:39: \"tls.ca\": cannot open /jobs/ca.pem\n"
        "    9 | tls = { key_password = ***, ca = \"ca.pem\" }\n"
        "      |                             ^");
  CHECK(config.At(config.sinks[0], "tls.cert", "is needed").Text() ==
        "/jobs/users.toml:9:1: \"tls.cert\": is needed\n"
        "    9 | tls = { key_password = ***, ca = \"ca.pem\" }\n"
        "      | ^");
  CHECK(config.At(config.sinks[0], "mode", "is not possible here").Text() ==
        "/jobs/users.toml:5:1: \"mode\": is not possible here\n    5 | [sink]\n      | ^");
  CHECK(config.At(config.sinks[0], "", "the server is too old").Text() ==
        "/jobs/users.toml:5:1: the server is too old\n    5 | [sink]\n      | ^");
  CHECK(config.text->find("tell nobody") == std::string::npos);
}

TEST_CASE("a problem at an option of a --set names the --set") {
  const PipelineConfig config = LoadSink("", {"sink.mode=upsert"});
  CHECK(config.At(config.sinks[0], "mode", "needs keys").Text() ==
        "--set sink.mode: \"mode\": needs keys");
}

TEST_CASE("depth, size and number of mistakes have their bounds") {
  std::string dotted = "a", arrays, inline_tables, quoted = "\"a\"", spaced = "a";
  for (int i = 0; i < 100'000; ++i) {
    dotted += ".a";
    arrays += "[";
    inline_tables += "{a=";
    quoted += ".'a'";
    spaced += " . a";
  }
  const std::string deep = "keys and brackets are nested more than 64 deep";
  CHECK(Mistakes(dotted + " = 1\n").find("/jobs/users.toml:1:128: " + deep) == 0);
  CHECK(Mistakes("x = 1\n[" + dotted + "]\n").find("/jobs/users.toml:2:129: " + deep) == 0);
  CHECK(Mistakes("[[" + dotted + "]]\n").find("/jobs/users.toml:1:130: " + deep) == 0);
  CHECK(Mistakes("x = " + arrays).find("/jobs/users.toml:1:68: " + deep) == 0);
  CHECK(Mistakes("x = " + inline_tables).find(deep) != std::string::npos);
  CHECK(Mistakes("x = { " + dotted + " = 1 }").find(deep) != std::string::npos);
  CHECK(Mistakes("x = [{ y = 1, " + dotted + " = 1 }]").find(deep) != std::string::npos);
  CHECK(Mistakes(quoted + " = 1\n").find(deep) != std::string::npos);
  CHECK(Mistakes(spaced + " = 1\n").find(deep) != std::string::npos);
  CHECK(Mistakes("", {"sink.table={ " + dotted + " = 1 }"}).find(deep) != std::string::npos);
  CHECK(Mistakes("# " + std::string(1 << 20, 'x'))
            .find("/jobs/users.toml:1:1048577: the file is larger than 1 MiB") == 0);
  CHECK(Mistakes("# " + dotted + "\nx = '" + arrays + "'\ny = \"\"\"\n" + dotted + "\"\"\"\n")
            .find(deep) == std::string::npos);
}

TEST_CASE("a file of a hundred thousand mistakes is answered at once, with fifty of them") {
  std::string text = std::string(kSink) + kSource;
  for (int i = 0; i < 60'000; ++i) text += "k" + std::to_string(i) + "=1\n";
  CHECK(Mistakes(text).ends_with("\nand 59950 more"));
  std::string line = "[source]\ntype=\"csv\"\npath=\"a\"\ntypes={";
  for (int i = 0; i < 60'000; ++i) line += "k" + std::to_string(i) + "=1,";
  line += "z=1}\n";
  CHECK(Mistakes(line + kSink).ends_with("\nand 59951 more"));
  std::string secrets = std::string(kSource) + kSink + "headers={";
  for (int i = 0; i < 60'000; ++i) secrets += "k" + std::to_string(i) + "='x',";
  CHECK(Load(secrets + "z='x'}\n").warnings.size() == 51);
}

TEST_CASE("a file that cannot be read is an error of its own") {
  const Folder folder;
  Registry none({});
  const auto message = [&](const std::string& file) -> std::string {
    try {
      LoadConfig(file, {}, none);
    } catch (const Error& error) {
      CHECK(error.exit() == Exit::kConfig);
      return error.what();
    }
    return {};
  };
  CHECK(message((folder.path / "x.toml").string()) ==
        "cannot open the pipeline file " + (folder.path / "x.toml").string() +
            ": No such file or directory; check the path and its permissions");
  CHECK(message(folder.path.string()) ==
        "cannot read the pipeline file " + folder.path.string() +
            ": Is a directory; check the path and its permissions");
}
