// A source of another maker, which gives the lines of a file as they are, not all of them UTF-8, and the number that each begins with,
// infinity and NaN too.  And a sink that says what it is told of a vector.
#include <etl/sdk.h>

#include <cstdlib>
#include <fstream>

namespace {

class Lines : public etl::Source {
 public:
  static constexpr auto kType = "lines";
  static constexpr auto kSummary = "The lines of a file, unchecked.";
  std::string path;
  static auto Options() { return etl::Options(etl::Option("path", &Lines::path, "The file.").Path().Required()); }
  etl::Schema Describe() override { return {{"id", etl::Int64(), false}, {"text", etl::Utf8()}, {"number", etl::Float64(), false}}; }
  void Open(const etl::Split&, std::string_view) override {}
  bool Next(etl::Batch& out, std::string&) override {
    if (done_) return false;
    std::ifstream in(path, std::ios::binary);
    std::int64_t id = 0;
    for (std::string line; std::getline(in, line); ++id) {
      out[0].Append(id);
      out[1].Append(line);
      out[2].Append(std::strtod(line.c_str(), nullptr));
    }
    return done_ = true;
  }

 private:
  bool done_ = false;
};

class Told : public etl::Sink {
 public:
  static constexpr auto kType = "told";
  static constexpr auto kSummary = "Says the fingerprint of the column vector.";
  std::string prefix;
  static auto Options() { return etl::Options(etl::Option("prefix", &Told::prefix, "Said before it.")); }
  void Open(const ArrowSchema& in, std::string_view) override {
    for (std::int64_t i = 0; i < in.n_children; ++i) {
      if (std::string_view(in.children[i]->name) == "vector") host.Info(prefix + etl::MetadataValue(*in.children[i], "etl.fingerprint"));
    }
  }
  etl::Written Write(const etl::Rows&) override { return etl::Written::kSettled; }
};

}  // namespace

ETL_PLUGIN("test.lines", "1.0.0", "Apache-2.0", Lines, Told)
