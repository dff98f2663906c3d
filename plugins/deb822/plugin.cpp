// SPDX-License-Identifier: Apache-2.0
// A source of Debian control files: /var/lib/dpkg/status, the package lists of apt, Sources files.
// One row for each stanza, one column for each field that `columns` names.
#include <etl/sdk.h>
#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <set>

#include "control_file.h"

namespace {

using deb822::EndsWith;
using deb822::Lines;
using deb822::Lower;
using deb822::Stanza;

bool IsNumber(std::string_view column) { return column == "installed_size" || column == "size"; }

/// Size and time of a file: a position in it means nothing once these are others.
std::string StampOf(const std::string& path, std::int64_t* bytes = nullptr) {
  struct stat s {};
  if (stat(path.c_str(), &s) != 0) {
    throw etl::Fatal("cannot read " + path + ": " + std::strerror(errno), errno);
  }
  if (bytes) *bytes = s.st_size;
  return std::to_string(s.st_size) + "-" + std::to_string(s.st_mtim.tv_sec) + "." +
         std::to_string(s.st_mtim.tv_nsec);
}

class ControlFiles : public etl::Source {
  std::vector<std::string> path_;
  std::vector<std::string> columns_ = {"Package",     "Version",        "Architecture", "Section",
                                       "Priority",    "Installed-Size", "Maintainer",   "Depends",
                                       "Description", "Homepage"};
  std::int64_t batch_rows_ = 8192;

 public:
  static constexpr auto kType = "deb822";
  static constexpr auto kSummary = "Reads Debian control files: one row for each stanza.";
  static constexpr std::uint32_t kFlags = ETL_PARALLEL;  // each file is a split of its own

  static auto Options() {
    return etl::Options(
        etl::Option("path", &ControlFiles::path_,
                    "Files, plain, `.gz` or `.lz4`; `*`, `?` and `[...]` match names.")
            .Path()
            .Required(),
        etl::Option("columns", &ControlFiles::columns_,
                    "Fields to read. `Installed-Size` becomes the column `installed_size`."),
        etl::Option("batch_rows", &ControlFiles::batch_rows_, "Most rows in a batch.")
            .Range("1..1000000")
            .Tuning());
  }

  // ---- the head: one object, which checks, describes and plans ----

  void Check() override { Files(); }

  etl::Schema Describe() override {
    etl::Schema schema;
    std::set<std::string> seen;
    for (const std::string& field : columns_) {
      std::string name = Lower(field);
      std::replace(name.begin(), name.end(), '-', '_');
      if (name.empty() || !seen.insert(name).second) {
        throw etl::ConfigError("columns", "\"" + field + "\" is empty or named twice");
      }
      schema.push_back({name, IsNumber(name) ? etl::Int64() : etl::Utf8()});
    }
    if (schema.empty()) throw etl::ConfigError("columns", "no field is named; name at least one");
    return schema;
  }

  // Files come in the order of their names, so the last one given says where planning goes on.
  void Plan(bool, std::string_view state) override {
    const std::set<std::string> all = Files();
    plan_.assign(state.empty() ? all.begin() : all.upper_bound(std::string(state)), all.end());
    next_ = 0;
  }

  bool PlanNext(etl::Split& out, std::string& state) override {
    if (next_ == plan_.size()) return false;
    out.id = state = plan_[next_++];
    std::int64_t size = 0;
    StampOf(out.id, &size);
    if (!EndsWith(out.id, ".gz") && !EndsWith(out.id, ".lz4")) out.bytes = size;
    return true;
  }

  // ---- a worker: one object for each thread, which reads one split after the other ----

  // A position is a number of bytes, uncompressed, and the stamp of the file.
  void Open(const etl::Split& split, std::string_view position) override {
    file_ = split.id;
    stamp_ = StampOf(file_);
    lines_ = std::make_unique<Lines>(file_);
    if (position.empty()) return;
    const auto space = position.find(' ');
    std::uint64_t offset = 0;
    std::from_chars(position.data(), position.data() + position.size(), offset);
    if (space == std::string_view::npos || position.substr(space + 1) != stamp_) {
      throw etl::Fatal(file_ +
                       " has changed since the interrupted run read a part of it; reset the "
                       "pipeline's state to read everything again");
    }
    for (std::string_view line; lines_->offset() < offset;) {
      if (!lines_->Next(line)) throw etl::Fatal(file_ + " ends before the saved position");
    }
  }

  bool Next(etl::Batch& out, std::string& position) override {
    const std::uint64_t before = lines_->offset();
    for (Stanza stanza;
         out.rows() < batch_rows_ && out.bytes() < kBatchBytes && stanza.Read(*lines_);) {
      const std::int64_t rows = out.rows();
      if (stanza.problem.empty()) stanza.problem = Append(out, stanza);
      if (stanza.problem.empty()) continue;
      out.Truncate(rows);  // what Append had done before it saw the problem
      host.RejectInput(file_ + ":" + std::to_string(stanza.line), stanza.text, stanza.problem);
    }
    position = std::to_string(lines_->offset()) + " " + stamp_;
    return lines_->offset() > before;
  }

 private:
  static constexpr std::size_t kBatchBytes = 4 << 20;

  /// Adds a row; returns what is wrong with it, or nothing.
  std::string Append(etl::Batch& out, const Stanza& stanza) const {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const auto field = stanza.fields.find(Lower(columns_[i]));
      if (field == stanza.fields.end()) {
        out[i].Null();
        continue;
      }
      const std::string& text = field->second;
      if (!IsNumber(schema()[i].name)) {
        out[i].Append(text);
        continue;
      }
      std::int64_t number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc() || end != text.data() + text.size()) {
        return columns_[i] + " is no whole number: \"" + text + "\"";
      }
      out[i].Append(number);
    }
    return {};
  }

  std::set<std::string> Files() const {
    std::set<std::string> files;
    for (const std::string& pattern : path_) {
      glob_t found{};
      const int code = glob(pattern.c_str(), 0, nullptr, &found);
      for (std::size_t i = 0; i < found.gl_pathc; ++i) files.insert(found.gl_pathv[i]);
      globfree(&found);
      if (code == 0) continue;
      if (code != GLOB_NOMATCH)
        throw etl::ConfigError("path", "cannot read the folder of " + pattern);
      if (pattern.find_first_of("*?[") == std::string::npos) {
        throw etl::ConfigError("path", "there is no file " + pattern);
      }
      host.Info("no file matches " + pattern);
    }
    if (files.empty()) throw etl::ConfigError("path", "no file matches");
    for (const std::string& file : files) {
      if (!EndsWith(file, ".xz") && !EndsWith(file, ".bz2") && !EndsWith(file, ".zst")) continue;
      throw etl::ConfigError("path", file + " is packed in a way that is not read here; unpack it");
    }
    return files;
  }

  std::vector<std::string> plan_;  // the head's: the files to give
  std::size_t next_ = 0;
  std::string file_, stamp_;  // a worker's: the file that is open
  std::unique_ptr<Lines> lines_;
};

}  // namespace

ETL_PLUGIN("deb822", "1.0.0", "Apache-2.0", ControlFiles)
