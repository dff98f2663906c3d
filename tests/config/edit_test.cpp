// Values put into a pipeline file's text: all else stays as it was.
#include <doctest/doctest.h>

#include "config/edit.h"
#include "error.h"

using etl::host::WithOptions;

namespace {

std::string Set(const std::string& text, const std::string& stage, const std::string& name, const std::string& value) {
  return WithOptions(text, "p.toml", stage, {{name, value}});
}

}  // namespace

TEST_CASE("a value is replaced where it stands") {
  CHECK(Set("[sink]\nway  = 'text' # ü\nrows = 1\n", "sink[0]", "way", "\"bulk\"") == "[sink]\nway  = \"bulk\" # ü\nrows = 1\n");
  CHECK(Set("[sink]\r\n\"ü\" = \"ü\"\r\nrows = 1_000 # n\r\n", "sink[0]", "rows", "50") == "[sink]\r\n\"ü\" = \"ü\"\r\nrows = 50 # n\r\n");
  CHECK(Set("[sink]\nlist = [1,\n 2] # two\n[x]\n", "sink[0]", "list", "[]") == "[sink]\nlist = [] # two\n[x]\n");
  CHECK(Set("sink = {type = \"a\", rows = 1}", "sink[0]", "rows", "2") == "sink = {type = \"a\", rows = 2}");
  CHECK(Set("[sink]\nrows = 1", "sink[0]", "rows", "10000") == "[sink]\nrows = 10000");
}

TEST_CASE("a new key gets a line at the end of its own table") {
  CHECK(Set("[sink]\ntype = \"a\" # b\n# end\n\n[x]\n", "sink[0]", "rows", "5") == "[sink]\ntype = \"a\" # b\nrows = 5\n# end\n\n[x]\n");
  CHECK(Set("  [sink]\n  type   = \"a\"", "sink[0]", "rows", "5") == "  [sink]\n  type   = \"a\"\n  rows   = 5\n");
  CHECK(Set("[[sink]]\na = 1\n[[sink]]\nb = [\n1]\n[sink.c]\nd = 2\n", "sink[1]", "rows", "5") ==
        "[[sink]]\na = 1\n[[sink]]\nb = [\n1]\nrows = 5\n[sink.c]\nd = 2\n");
  CHECK(Set("[sink]\nbatch.rows = 1\n[y]\nz = 1\n", "sink[0]", "way", "\"t\"") == "[sink]\nbatch.rows = 1\nway        = \"t\"\n[y]\nz = 1\n");
  CHECK(Set("[sink]\r\na = 1\r\n", "sink[0]", "b", "2") == "[sink]\r\na = 1\r\nb = 2\r\n");
  CHECK(Set("[sink]\na = '''\n[x]\n'''\n[y]\n", "sink[0]", "b", "2") == "[sink]\na = '''\n[x]\n'''\nb = 2\n[y]\n");
  CHECK(Set("\xEF\xBB\xBF[sink]\na = 1\n", "sink[0]", "a", "2") == "\xEF\xBB\xBF[sink]\na = 2\n");
}

TEST_CASE("where there is no room for a line, that is said and nothing changed") {
  CHECK_THROWS_WITH_AS(Set("sink = {type = \"a\"}", "sink[0]", "rows", "2"),
                       "p.toml: there is no plain place for rows = 2 in sink[0]; write it there yourself", etl::host::Error);
  CHECK_THROWS_AS(Set("[sink]\n", "sink[1]", "rows", "2"), etl::host::Error);
}

TEST_CASE("an option of a table goes where that table is, and else gets a dotted key") {
  CHECK(Set("[sink]\nbatch = {rows = 1, bytes = 2} # b\n", "sink[0]", "batch.rows", "7") == "[sink]\nbatch = {rows = 7, bytes = 2} # b\n");
  CHECK(Set("[sink]\nbatch = {rows = 1}\n", "sink[0]", "batch.bytes", "\"2MiB\"") == "[sink]\nbatch = {bytes = \"2MiB\", rows = 1}\n");
  CHECK(Set("[sink]\nbatch = {}\n", "sink[0]", "batch.rows", "2") == "[sink]\nbatch = {rows = 2}\n");
  CHECK(Set("[sink]\nbatch.rows = 1\n[y]\n", "sink[0]", "batch.bytes", "5") == "[sink]\nbatch.rows = 1\nbatch.bytes = 5\n[y]\n");
  CHECK(Set("[sink]\na = 1\n[sink.batch]\nrows = 3\n[y]\n", "sink[0]", "batch.bytes", "5") == "[sink]\na = 1\n[sink.batch]\nrows = 3\nbytes = 5\n[y]\n");
  CHECK(Set("[sink]\ntype = \"a\"\n", "sink[0]", "batch.rows", "5") == "[sink]\ntype = \"a\"\nbatch.rows = 5\n");
}
