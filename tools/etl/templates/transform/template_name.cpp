#include <etl/sdk.h>

#include <string>
#include <vector>

namespace {

/// Gives a text column and the length of each text; a row without text is rejected.
class TemplateName : public etl::Transform {
 public:
  static constexpr auto kType = "template_name";
  static constexpr auto kSummary = "Gives a text column with the length of each text, in bytes.";
  static auto Options() {
    return etl::Options(
        etl::Option("column", &TemplateName::column, "Column with text.").Required(),
        etl::Option("output", &TemplateName::output, "Name of the column for the length."));
  }
  std::string column;
  std::string output = "length";

  etl::Schema Describe(const etl::Schema& in) override {
    Find(in);
    return OutSchema();
  }

  void Open(const etl::Schema& in) override { index_ = Find(in); }

  void Apply(const etl::Rows& in) override {
    const etl::ColumnView text = in.column(index_);
    etl::Batch out(OutSchema());
    std::vector<std::uint64_t> origin;  // which input row each output row comes from
    for (std::int64_t i = 0; i < in.size(); ++i) {
      if (text.IsNull(i)) {
        host.Reject(in.row(i), "column " + column + " is null");
        continue;
      }
      out[0].Append(text.Str(i));
      out[1].Append(static_cast<std::int64_t>(text.Str(i).size()));
      origin.push_back(in.row(i));
    }
    if (!origin.empty()) Emit(out, origin.data());
  }

 private:
  etl::Schema OutSchema() const { return {{column, etl::Utf8()}, {output, etl::Int64()}}; }

  std::int64_t Find(const etl::Schema& in) const {
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (in[i].name != column) continue;
      if (in[i].type == etl::Utf8()) return static_cast<std::int64_t>(i);
      throw etl::ConfigError("column", "column \"" + column + "\" is not text");
    }
    throw etl::ConfigError("column", "the rows have no column \"" + column + "\"");
  }

  std::int64_t index_ = 0;
};

}  // namespace

ETL_PLUGIN("template_vendor.template_name", "0.1.0", "Apache-2.0", TemplateName)
