#include "trust.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace etl::host {

std::string WhoElseCanChange(const std::string& real_path) {
  const std::filesystem::path file = real_path;
  for (std::filesystem::path at = file;; at = at.parent_path()) {
    struct stat st {};
    if (::lstat(at.c_str(), &st) != 0) return fmt::format("{}, which cannot be examined ({})", at.string(), std::strerror(errno));
    if (st.st_uid != 0 && st.st_uid != ::geteuid())
      return fmt::format("{}, which belongs to user {}", at.string(), st.st_uid);
    const bool shared_folder = S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX) && st.st_uid == 0;
    if (!shared_folder && (st.st_mode & S_IWOTH)) return at.string() + ", which anyone may write to";
    if (!shared_folder && (st.st_mode & S_IWGRP)) return at.string() + ", which its group may write to";
    if (at == at.root_path()) return {};
  }
}

}  // namespace etl::host
