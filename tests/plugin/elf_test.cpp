#include "plugin/elf.h"

#include <doctest/doctest.h>
#include <elf.h>

#include <cstring>
#include <random>
#include <stdexcept>

#include "temp_dir.h"

using namespace etl::host;
using etl::test::ReadFile;
using etl::test::TempDir;

namespace {

std::string Zoo(const std::string& name) { return std::string(ETL_ZOO) + "/" + name + ".so"; }

template <class T>
T Take(const std::string& bytes, std::size_t at) {
  T value;
  REQUIRE(at + sizeof value <= bytes.size());
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class T>
void Put(std::string& bytes, std::size_t at, const T& value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

Elf64_Shdr Section(const std::string& bytes, std::uint32_t type) {
  const auto header = Take<Elf64_Ehdr>(bytes, 0);
  for (std::size_t i = 0; i < header.e_shnum; ++i)
    if (const auto one = Take<Elf64_Shdr>(bytes, header.e_shoff + i * sizeof(Elf64_Shdr)); one.sh_type == type) return one;
  FAIL("no section of type " << type);
  return {};
}

}  // namespace

TEST_CASE("the note and the symbols of a plugin are read without loading it") {
  const ElfFacts facts = ReadElf(Zoo("crashes_on_load"));
  REQUIRE(facts.note);
  CHECK(facts.note->name == "zoo.crashes_on_load");
  CHECK(facts.note->version == "1.0.0");
  CHECK(facts.note->abi_major == 1);
  CHECK(facts.exported == std::vector<std::string>{"etl_plugin_v1"});
  CHECK(facts.this_machine);
  CHECK(facts.shared_object);
  CHECK_FALSE(facts.executable);
  CHECK_FALSE(facts.executable_stack);
  CHECK(facts.now);
  CHECK(facts.relro);
}

TEST_CASE("this test's own program is an executable") { CHECK(ReadElf("/proc/self/exe").executable); }

TEST_CASE("what is no ELF file says what it is instead") {
  const TempDir temp;
  CHECK_THROWS_WITH(ReadElf(temp.Write("a.so", "hello")), "a file that is not ELF");
  CHECK_THROWS_WITH(ReadElf(temp.Write("b.so", "")), "an empty file");
  CHECK_THROWS_WITH(ReadElf(temp.path().string()), "something that is not a regular file");
  CHECK_THROWS_WITH(ReadElf(temp / "c.so"), "a file that cannot be read (No such file or directory)");
}

TEST_CASE("a file for another machine is recognised") {
  const TempDir temp;
  std::string bytes = ReadFile(Zoo("good"));
  bytes[18] = static_cast<char>(183);  // e_machine: aarch64, or, on such a machine, the high byte differs
  bytes[19] = static_cast<char>(1);
  CHECK_FALSE(ReadElf(temp.Write("other.so", bytes)).this_machine);
}

TEST_CASE("cut-off and damaged files end in an exception or in facts, never in a crash") {
  const TempDir temp;
  const std::string whole = ReadFile(Zoo("good"));
  std::mt19937 random(20);  // the seed
  int refused = 0;
  const auto read = [&](const std::string& bytes) {
    try {
      ReadElf(temp.Write("damaged.so", bytes));
    } catch (const std::runtime_error&) {
      ++refused;
    }
  };
  for (std::size_t size = 0; size < whole.size(); size += 97) read(whole.substr(0, size));
  CHECK(refused > 10);
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = whole;
    for (int k = 0; k < 4; ++k) damaged[random() % (i % 2 ? whole.size() : 0x400)] = static_cast<char>(random());
    read(damaged);
  }
}

TEST_CASE("a file whose lists of versions lie within each other is refused before they fill the memory") {
  const TempDir temp;
  std::string bytes = ReadFile(Zoo("good"));
  const auto versions = Section(bytes, SHT_GNU_verneed), dynamic = Section(bytes, SHT_DYNAMIC);
  for (std::size_t at = dynamic.sh_offset; at < dynamic.sh_offset + dynamic.sh_size; at += sizeof(Elf64_Dyn))
    if (auto entry = Take<Elf64_Dyn>(bytes, at); entry.d_tag == DT_VERNEEDNUM) entry.d_un.d_val = 1'000'000, Put(bytes, at, entry);
  // Each of these is a file's entry and, to the one before it, a version's: 16 is the way to the next in both.
  const Elf64_Verneed both{1, 65535, 1, 16, 16};
  static_assert(sizeof both == 16 && sizeof(Elf64_Vernaux) == 16);
  auto first = both;
  first.vn_next = static_cast<Elf64_Word>(bytes.size() - versions.sh_offset);
  first.vn_aux = first.vn_next;
  Put(bytes, versions.sh_offset, first);
  for (int i = 0; i < 40'000; ++i) bytes.append(reinterpret_cast<const char*>(&both), sizeof both);
  Elf64_Verneed last{1, 1, 1, 16, 0};
  for (int i = 0; i < 2; ++i) bytes.append(reinterpret_cast<const char*>(&last), sizeof last);
  CHECK_THROWS_WITH(ReadElf(temp.Write("versions.so", bytes)), "a damaged or cut-off ELF file");
}
