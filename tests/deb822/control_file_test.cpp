#include "control_file.h"

#include <doctest/doctest.h>
#include <etl/error.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace {

using deb822::Lines;
using deb822::Stanza;

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "deb822.XXXXXX").string();
    REQUIRE(mkdtemp(name.data()));
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

std::string Gzip(const std::string& text) {
  z_stream z{};
  REQUIRE(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&z, text.size()) + 32, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::string Lz4(const std::string& text) {
  LZ4F_preferences_t p{};
  p.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  std::string out(LZ4F_compressFrameBound(text.size(), &p), '\0');
  out.resize(LZ4F_compressFrame(out.data(), out.size(), text.data(), text.size(), &p));
  return out;
}

std::vector<Stanza> All(const std::string& path) {
  std::vector<Stanza> all;
  Lines lines(path);
  for (Stanza s; s.Read(lines);) all.push_back(s);
  return all;
}

std::string ProblemOf(const std::string& text) {
  const Folder folder;
  const auto all = All(folder.Write("control", text));
  REQUIRE(all.size() == 1);
  return all[0].problem;
}

TEST_CASE("a stanza ends at an empty line and a folded field goes on") {
  const Folder folder;
  const auto all =
      All(folder.Write("control",
                       "\n\nPackage: a\nDescription: short\n long\n .\n\tmore\n# not seen\n"
                       "Empty:\n \t\nPACKAGE:b  \r\n"));
  REQUIRE(all.size() == 2);
  CHECK(all[0].line == 3);
  CHECK(all[0].fields == std::map<std::string, std::string>{{"package", "a"},
                                                            {"description", "short\nlong\n\nmore"},
                                                            {"empty", ""}});
  CHECK(all[1].line == 11);
  CHECK(all[1].fields.at("package") == "b");
}

TEST_CASE("what is no stanza says which line and why") {
  CHECK(ProblemOf(" a\n") == "line 1 continues a field, and there is none above it");
  CHECK(ProblemOf("a: b\nno colon here\n") == "line 2 is not \"Name: value\"");
  CHECK(ProblemOf("two words: b\n") == "line 1 is not \"Name: value\"");
  CHECK(ProblemOf(": b\n") == "line 1 is not \"Name: value\"");
  CHECK(ProblemOf("a: b\nA: c\n") == "line 2 gives the field A a second time");
  CHECK(ProblemOf("a: \xff\n") == "the stanza is not UTF-8");
}

TEST_CASE("a malformed stanza leaves the next one alone") {
  const Folder folder;
  const auto all = All(folder.Write("control", "bad\nc: d\n e\n\na: b"));
  REQUIRE(all.size() == 2);
  CHECK(all[0].problem == "line 1 is not \"Name: value\"");
  CHECK(all[0].text == "bad\nc: d\n e\n");
  CHECK(all[1].problem.empty());
  CHECK(all[1].fields.at("a") == "b");
}

TEST_CASE("offsets count the uncompressed bytes, whatever the packing") {
  std::string text;
  for (int i = 0; i < 40000; ++i) text += "Package: p" + std::to_string(i) + "\n\n";
  const Folder folder;
  for (const std::string& path :
       {folder.Write("a", text), folder.Write("a.gz", Gzip(text)), folder.Write("a.lz4", Lz4(text)),
        folder.Write("b.gz", Gzip(text) + Gzip("")), folder.Write("b.lz4", Lz4(text) + Lz4(""))}) {
    CAPTURE(path);
    Lines lines(path);
    std::string again;
    for (std::string_view line; lines.Next(line);) {
      again.append(line).push_back('\n');
      if (again.size() != lines.offset())
        FAIL("offset ", lines.offset(), " after ", again.size(), " bytes");
    }
    CHECK(again == text);
    CHECK(lines.number() == 80000);
  }
}

TEST_CASE("a packed file that is cut off anywhere is damaged, never short") {
  const std::string text = "Package: a\nDescription: " + std::string(500, 'x') + "\n\nPackage: b\n";
  const Folder folder;
  for (const auto& [name, packed] :
       {std::pair{"a.gz", Gzip(text)}, std::pair{"a.lz4", Lz4(text)}}) {
    for (std::size_t n = 0; n < packed.size(); ++n) {
      CAPTURE(name);
      CAPTURE(n);
      const std::string path = folder.Write(name, packed.substr(0, n));
      CHECK_THROWS_AS(All(path), etl::Fatal);
    }
    CHECK(All(folder.Write(name, packed)).size() == 2);
  }
}

TEST_CASE("a file without line ends is refused before it fills the memory") {
  const Folder folder;
  const std::string path = folder.Write("a.gz", Gzip(std::string(40 << 20, 'x')));
  CHECK_THROWS_WITH_AS(All(path), "a line of more than 16 MiB: this is no control file",
                       etl::Fatal);
}

}  // namespace
