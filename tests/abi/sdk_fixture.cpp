// What fixture.c is, written with the SDK.
#include <etl/sdk.h>

#include <fstream>

namespace {

class Numbers : public etl::Source {
 public:
  std::int64_t rows = 25;

  static constexpr auto kType = "fixture_numbers";
  static constexpr auto kSummary = "A fixture of the tests.";
  static auto Options() { return etl::Options(etl::Option("rows", &Numbers::rows, "How many.")); }

  etl::Schema Describe() override { return {{"id", etl::Int64()}}; }
  void Open(const etl::Split&, std::string_view position) override { next_ = position.empty() ? 0 : std::stoll(std::string(position)); }
  bool Next(etl::Batch& out, std::string& position) override {
    for (int i = 0; i < 10 && next_ < rows; ++i) out[0].Append(next_++);
    position = std::to_string(next_);
    return out.rows() > 0;
  }

 private:
  std::int64_t next_ = 0;
};

class Even : public etl::Transform {
 public:
  static constexpr auto kType = "fixture_even";
  static constexpr auto kSummary = "A fixture of the tests.";
  static auto Options() { return etl::Options(); }

  etl::Schema Describe(const etl::Schema& in) override { return schema_ = in; }
  void Open(const etl::Schema& in) override { schema_ = in; }
  void Apply(const etl::Rows& in) override {
    etl::Batch out(schema_);
    std::vector<std::uint64_t> origin;
    for (std::int64_t i = 0; i < in.size(); ++i) {
      if (in.column(0).Int(i) % 2) continue;
      out[0].Append(in.column(0).Int(i));
      origin.push_back(in.row(i));
    }
    Emit(out, origin.data());
  }

 private:
  etl::Schema schema_;
};

class Collect : public etl::Sink {
 public:
  std::string path;

  static constexpr auto kType = "fixture_collect";
  static constexpr auto kSummary = "A fixture of the tests.";
  static auto Options() { return etl::Options(etl::Option("path", &Collect::path, "File to add to.").Path().Required()); }

  void Open(const ArrowSchema&, std::string_view) override { file_.open(path, std::ios::app); }
  etl::Written Write(const etl::Rows& in) override {
    for (std::int64_t i = 0; i < in.size(); ++i) file_ << in.column(0).Int(i) << '\n';
    return etl::Written::kPending;
  }
  std::string Flush() override {
    if (!file_.flush()) throw etl::Fatal("cannot write " + path);
    return {};
  }

 private:
  std::ofstream file_;
};

}  // namespace

ETL_PLUGIN("etl.test.fixture_sdk", "1.0.0", "Apache-2.0", Numbers, Even, Collect)
