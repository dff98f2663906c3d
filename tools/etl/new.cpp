// etl plugin new.
#include "new.h"

#include <fmt/format.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <regex>

#include "commands.h"

namespace etl::cli {
namespace {

using host::Error;
using host::Exit;
namespace fs = std::filesystem;

void Replace(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

/// word_count -> WordCount
std::string ClassName(const std::string& name) {
  std::string out;
  bool upper = true;
  for (const char c : name) {
    if (c == '_')
      upper = true;
    else
      out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c,
          upper = false;
  }
  return out;
}

std::string KindAsked(const Args& args) {
  if (args.source + args.transform + args.sink != 1) {
    throw Error(Exit::kConfig, "etl plugin new needs one of --source, --transform, --sink");
  }
  return args.source ? "source" : args.transform ? "transform" : "sink";
}

void WriteFile(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  if (!out) throw Error(Exit::kConfig, fmt::format("cannot write {}", file.string()));
}

}  // namespace

int PluginNew(Context& c) {
  const std::string kind = KindAsked(c.args);
  std::smatch parts;
  if (!std::regex_match(c.args.name, parts,
                        std::regex("([a-z][a-z0-9]*)\\.([a-z][a-z0-9]*(_[a-z0-9]+)*)")) ||
      c.args.name.size() > 64) {
    throw Error(Exit::kConfig, fmt::format("a plugin is called vendor.name in small letters, "
                                           "digits and _, as acme.lines is; not \"{}\"",
                                           c.args.name));
  }
  const std::string vendor = parts[1], name = parts[2];
  const fs::path folder = fs::path(c.args.folder.empty() ? "." : c.args.folder) / name;
  std::error_code failed;
  if (fs::exists(fs::symlink_status(folder, failed))) {
    throw Error(
        Exit::kConfig,
        fmt::format("{} is there already; choose another name, or another folder with --dir",
                    folder.string()));
  }
  if (!fs::create_directories(folder, failed)) {
    throw Error(Exit::kConfig,
                fmt::format("cannot make the folder {}: {}", folder.string(), failed.message()));
  }
  for (std::size_t i = 0; i < kTemplateCount; ++i) {
    const Template& t = kTemplates[i];
    if (t.folder != std::string("common") && t.folder != kind) continue;
    std::string text = t.text, file = t.name;
    if (file == "gitignore") file = ".gitignore";
    for (std::string* s : {&text, &file}) {
      Replace(*s, "template_vendor", vendor);
      Replace(*s, "template_name", name);
      Replace(*s, "template_kind", kind);
      Replace(*s, "TemplateName", ClassName(name));
    }
    WriteFile(folder / file, text);
    if (file == "ci.sh")
      fs::permissions(folder / file,
                      fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec,
                      fs::perm_options::add);
  }
  Print(fmt::format("{}: a {} that builds; next: cd {} && ./ci.sh\n", folder.string(), kind,
                    folder.string()));
  return 0;
}

}  // namespace etl::cli
