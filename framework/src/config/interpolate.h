// ${env:NAME} and ${file:/path} inside the strings of a pipeline file.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace etl::host {

struct Expansion {
  std::string text;
  bool references = false;
  std::vector<std::string> values;  ///< what each reference stood for
  std::vector<std::string>
      faults;  ///< one for each reference that stands for nothing; names it, never its value
  std::vector<std::string> warnings;  ///< as of a secret file that everybody can read
};

/// "$${" is the text "${".  Relative files are looked for in `folder`; one newline at a file's end
/// is dropped.
Expansion Expand(std::string_view text, const std::filesystem::path& folder);

/// What Expand() makes `text` of again.
std::string Escaped(std::string_view text);

/// The password in scheme://user:password@host, or empty; its place in the text.
std::string_view UrlPassword(std::string_view text);
/// Without "user:password@".
std::string WithoutUserInfo(std::string_view text);

}  // namespace etl::host
