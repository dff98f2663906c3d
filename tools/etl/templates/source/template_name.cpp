#include <etl/sdk.h>

#include <fstream>
#include <string>

namespace {

/// Reads a text file; the position is the offset of the next line.
class TemplateName : public etl::Source {
 public:
  static constexpr auto kType = "template_name";
  static constexpr auto kSummary = "Reads a text file, one row for each line.";
  static auto Options() {
    return etl::Options(
        etl::Option("path", &TemplateName::path, "File to read.").Path().Required(),
        etl::Option("batch_rows", &TemplateName::batch_rows, "Most rows in a batch.")
            .Range("1..1000000")
            .Tuning());
  }
  std::string path;
  std::int64_t batch_rows = 8192;

  void Check() override { OpenFile(); }

  etl::Schema Describe() override { return {{"line", etl::Utf8()}}; }

  void Open(const etl::Split&, std::string_view position) override {
    OpenFile();
    offset_ = position.empty() ? 0 : ParseOffset(position);
    in_.seekg(offset_);
  }

  bool Next(etl::Batch& out, std::string& position) override {
    for (std::string line; out.rows() < batch_rows && std::getline(in_, line);) {
      offset_ += static_cast<std::int64_t>(line.size()) + 1;
      out[0].Append(line);
    }
    if (in_.bad()) throw etl::Retry("reading " + path + " failed");
    position = std::to_string(offset_);
    return out.rows() > 0;
  }

 private:
  void OpenFile() {
    in_ = std::ifstream(path, std::ios::binary);
    if (!in_) throw etl::ConfigError("path", "cannot open " + path);
  }
  static std::int64_t ParseOffset(std::string_view position) {
    try {
      return std::stoll(std::string(position));
    } catch (const std::exception&) {
      throw etl::Fatal("the saved position \"" + std::string(position) + "\" is not an offset");
    }
  }
  std::ifstream in_;
  std::int64_t offset_ = 0;
};

}  // namespace

ETL_PLUGIN("template_vendor.template_name", "0.1.0", "Apache-2.0", TemplateName)
