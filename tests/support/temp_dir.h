// A directory that lives as long as a test.
#pragma once
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace etl::test {

/// Makes a directory of its own under $TMPDIR (or /tmp) and removes it with all that is in it when
/// it goes. With ETL_KEEP_TEMP in the environment it stays, for looking at a failed test.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "etl_test_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::system_error(errno, std::generic_category(), "cannot make a directory " + name);
    }
    path_ = name;
  }
  ~TempDir() {
    if (std::getenv("ETL_KEEP_TEMP") != nullptr) return;
    std::error_code
        ignored;  // A test may have left something unremovable; that is not what it tests.
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

  /// The path of `name` in this directory, as text for command lines.
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }

  /// Writes a file of that name, replacing what it held, and returns its path.
  std::string Write(std::string_view name, std::string_view content) const {
    const std::string file = *this / name;
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.close();
    if (!out) throw std::runtime_error("cannot write " + file);
    return file;
  }

 private:
  std::filesystem::path path_;
};

/// The whole content of a file; throws when it cannot be read.
inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace etl::test
