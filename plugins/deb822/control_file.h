// SPDX-License-Identifier: Apache-2.0
/// Debian control files (deb822), as text: nothing here knows of etl's tables.
///
///   Package: zlib1g            a paragraph, here called stanza
///   Depends: libc6 (>= 2.14)   a field of it
///   Description: a library
///    that compresses           a line that begins with a space goes on with the field above
///                              an empty line ends the stanza
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace deb822 {

/// The lines of a file, plain, .gz or .lz4.  Throws etl::Fatal when the file is damaged or cut off.
class Lines {
 public:
  explicit Lines(const std::string& path);
  /// The next line without its end, valid until the next call; false after the last one.
  bool Next(std::string_view& line);
  /// Of what comes next, in bytes of the uncompressed file.
  std::uint64_t offset() const { return offset_; }
  /// Of the last line, from 1.
  std::uint64_t number() const { return number_; }

 private:
  bool Fill();
  std::function<std::size_t(char* to, std::size_t size)> read_;  // 0 = the end
  std::string buffer_;
  std::size_t begin_ = 0;
  std::uint64_t offset_ = 0, number_ = 0;
};

/// One stanza: its text, and its fields by their names in lower case.
struct Stanza {
  std::string text;
  std::uint64_t line = 0;  ///< its first
  std::map<std::string, std::string> fields;
  std::string problem;  ///< why it is none; empty: it is one

  /// False: there is none left.
  bool Read(Lines& lines);

 private:
  std::string* Add(std::string_view line, std::uint64_t number, std::string* field);
  std::string* Bad(std::uint64_t number, const std::string& what);
};

std::string Lower(std::string_view s);
bool EndsWith(std::string_view s, std::string_view end);

}  // namespace deb822
