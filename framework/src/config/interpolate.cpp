#include "interpolate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "utf8.h"

namespace etl::host {
namespace {

constexpr std::size_t kMaxSecretBytes = 64 << 10;

struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

std::string ReadSecretFile(const std::filesystem::path& path, Expansion& out,
                           std::string_view reference) {
  const auto fault = [&](const std::string& why) {
    out.faults.push_back(fmt::format("{}: {}", reference, why));
    return std::string();
  };
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (file.fd < 0)
    return fault(fmt::format("cannot open {}: {}", Visible(path.string()), std::strerror(errno)));
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) return fault(std::strerror(errno));
  if (!S_ISREG(info.st_mode))
    return fault(fmt::format("{} is not a regular file", Visible(path.string())));
  std::string text(kMaxSecretBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return fault(fmt::format("cannot read {}: {}", Visible(path.string()), std::strerror(errno)));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMaxSecretBytes)
    return fault("the file is larger than 64 KiB; it should hold the value and nothing else");
  text.resize(size);
  if (text.find('\0') != std::string::npos || !IsUtf8(text))
    return fault("the file is not UTF-8 text");
  if ((info.st_mode & S_IROTH) != 0)
    out.warnings.push_back(fmt::format("everybody on this machine can read {}; run: chmod o-r {}",
                                       Visible(path.string()), Visible(path.string())));
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

std::string Resolve(std::string_view name, const std::filesystem::path& folder, Expansion& out) {
  const std::string reference = fmt::format("${{{}}}", Visible(name));
  if (name.starts_with("env:")) {
    const std::string variable(name.substr(4));
    const char* value = variable.empty() ? nullptr : std::getenv(variable.c_str());
    if (variable.empty()) {
      out.faults.push_back("${env:} names no variable; write ${env:NAME}");
    } else if (!value) {
      out.faults.push_back(fmt::format(
          "environment variable {} is not set; export it before the run", Visible(variable)));
    } else if (!IsUtf8(value)) {
      out.faults.push_back(
          fmt::format("environment variable {} is not UTF-8 text", Visible(variable)));
    } else {
      return value;
    }
    return {};
  }
  if (name.starts_with("file:")) {
    const std::string path(name.substr(5));
    if (!path.empty()) return ReadSecretFile(folder / path, out, reference);
    out.faults.push_back("${file:} names no file; write ${file:/path}");
    return {};
  }
  out.faults.push_back(fmt::format(
      "{} is no reference; write ${{env:NAME}} or ${{file:/path}}, or $${{ for the text \"${{\"",
      reference));
  return {};
}

// Where user info begins and ends ('@' not included), or two times npos.
std::pair<std::size_t, std::size_t> UserInfo(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return {scheme, scheme};
  const std::size_t begin = scheme + 3;
  // A reference may hold '/', '?' and '#'.
  std::size_t end = begin;
  for (bool inside = false; end < text.size(); ++end) {
    if (text.substr(end).starts_with("${")) inside = true;
    if (text[end] == '}') inside = false;
    if (!inside && std::string_view("/?#").find(text[end]) != std::string_view::npos) break;
  }
  const std::size_t at = text.substr(0, end).rfind('@');
  if (at == std::string_view::npos || at < begin)
    return {std::string_view::npos, std::string_view::npos};
  return {begin, at};
}

}  // namespace

Expansion Expand(std::string_view text, const std::filesystem::path& folder) {
  Expansion out;
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    if (rest.starts_with("$${")) {
      out.text += "${";
      i += 3;
    } else if (rest.starts_with("${")) {
      const std::size_t end = rest.find('}');
      if (end == std::string_view::npos) {
        out.faults.push_back(
            "\"${\" begins a reference that has no \"}\"; write $${ for the text \"${\"");
        return out;
      }
      out.references = true;
      out.values.push_back(Resolve(rest.substr(2, end - 2), folder, out));
      out.text += out.values.back();
      i += end + 1;
    } else {
      out.text += text[i++];
    }
  }
  return out;
}

std::string Escaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("${")) out += '$';
    out += text[i];
  }
  return out;
}

std::string_view UrlPassword(std::string_view text) {
  const auto [begin, end] = UserInfo(text);
  if (begin == std::string_view::npos) return {};
  const std::string_view info = text.substr(begin, end - begin);
  const std::size_t colon = info.find(':');
  if (colon == std::string_view::npos) return {};
  return info.substr(colon + 1);
}

std::string WithoutUserInfo(std::string_view text) {
  const auto [begin, end] = UserInfo(text);
  std::string out(text);
  if (begin != std::string_view::npos) out.erase(begin, end + 1 - begin);
  return out;
}

}  // namespace etl::host
