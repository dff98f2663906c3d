// A source that emits what the test made, with any schema, and a sink that shows the test what
// arrives. The source is written against the C boundary: the SDK's Source describes plain types.
#include "handover.h"

#include <etl/sdk.h>

namespace {

using etl::test::Handover;

Handover& At(void* p) { return *static_cast<Handover*>(p); }

const etl_option kAddress = {sizeof kAddress,           ETL_INT, ETL_REQUIRED, 0,       "address",
                             "Of the test's Handover.", nullptr, nullptr,      nullptr, nullptr};
const etl_option* const kOptions[] = {&kAddress, nullptr};

etl_status Create(const etl_host*, const etl_value* options, void** self, etl_error*) noexcept {
  *self = reinterpret_cast<void*>(static_cast<std::intptr_t>(options[0].as.i));
  return ETL_OK;
}
void Forget(void*) noexcept {}
etl_status Start(void* self, const etl_host*, void** worker, etl_error*) noexcept {
  *worker = self;
  return ETL_OK;
}
etl_status Describe(void* self, ArrowSchema* out, etl_error*) noexcept {
  At(self).schema(out);
  return ETL_OK;
}
etl_status Open(void*, const etl_split*, etl_str, etl_error*) noexcept { return ETL_OK; }
etl_status Next(void* worker, ArrowArray* out, etl_str* position, etl_error*) noexcept {
  if (!At(worker).next(out)) return ETL_END;
  *position = {"1", 1};
  return ETL_OK;
}

etl_source MakeSource() {
  etl_source s{};
  s.size = sizeof s;
  s.describe = Describe;
  s.open = Open;
  s.next = Next;
  return s;
}
const etl_source kSource = MakeSource();

etl_component MakeComponent() {
  etl_component c{};
  c.size = sizeof c;
  c.type = "handover";
  c.summary = "Emits what the test made.";
  c.options = kOptions;
  c.create = Create;
  c.destroy = Forget;
  c.start = Start;
  c.stop = Forget;
  c.source = &kSource;
  return c;
}
const etl_component kComponent = MakeComponent();

class Capture : public etl::Sink {
 public:
  static constexpr auto kType = "handover";
  static constexpr auto kSummary = "Shows the test what arrives.";
  std::int64_t address = 0;
  static auto Options() {
    return etl::Options(
        etl::Option("address", &Capture::address, "Of the test's Handover.").Required());
  }
  void Open(const ArrowSchema&, std::string_view) override {}
  etl::Written Write(const etl::Rows& in) override {
    At(reinterpret_cast<void*>(static_cast<std::intptr_t>(address)))
        .arrived(in.schema(), in.array());
    return etl::Written::kSettled;
  }
};

}  // namespace

ETL_NOTE("etl.test.handover", "1.0.0");
extern "C" const etl_plugin* ETL_ENTRY(void) noexcept {
  static const etl_component* const components[] = {&kComponent, etl::Glue<Capture>::Table(),
                                                    nullptr};
  static const etl_plugin plugin = {sizeof plugin, ETL_ABI_MINOR, 0,       "etl.test.handover",
                                    "1.0.0",       "Apache-2.0",  nullptr, nullptr,
                                    components};
  return &plugin;
}
