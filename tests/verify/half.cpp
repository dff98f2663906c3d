// A sink that offers etl.compare/1 and has not all of its functions.
#include <etl/compare.h>
#include <etl/sdk.h>

namespace {

class Half : public etl::Sink {
 public:
  static constexpr auto kType = "half";
  static constexpr auto kSummary = "Takes rows, and cannot give them back.";
  static etl::detail::DeclaredList Options() { return etl::Options(); }
  static const void* Extension(std::string_view id) {
    static const etl_compare table = [] {
      etl_compare t{};
      t.size = sizeof t;
      return t;
    }();
    return id == ETL_EXT_COMPARE ? &table : nullptr;
  }
  void Open(const ArrowSchema&, std::string_view) override {}
  etl::Written Write(const etl::Rows&) override { return etl::Written::kSettled; }
};

}  // namespace

ETL_PLUGIN("test.half", "1.0.0", "Apache-2.0", Half)
