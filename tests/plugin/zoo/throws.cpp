// Lets an exception out of the call that would be create().
#include <etl/plugin.h>

#include <stdexcept>

namespace {

etl_status Create(const etl_host*, const etl_value*, void**, etl_error*) {  // not noexcept: that is what is wrong
  throw std::runtime_error("nobody catches this");
}
void Destroy(void*) noexcept {}
etl_status Start(void*, const etl_host*, void**, etl_error*) noexcept { return ETL_OK; }
void Stop(void*) noexcept {}
etl_status Open(void*, const ArrowSchema*, etl_str, etl_error*) noexcept { return ETL_OK; }
etl_status Write(void*, etl_batch*, etl_error*) noexcept { return ETL_OK; }
etl_status Flush(void*, etl_str*, etl_error*) noexcept { return ETL_OK; }

using CreateFunction = etl_status (*)(const etl_host*, const etl_value*, void**, etl_error*) noexcept;

}  // namespace

ETL_NOTE("zoo.throws", "1.0.0");

const etl_plugin* etl_plugin_v1() noexcept {
  static const etl_sink sink = {sizeof(etl_sink), 0, nullptr, nullptr, nullptr, Open, Write, nullptr, Flush};
  static const etl_component component = {sizeof(etl_component), 0, "zoo_sink", "Throws", "", nullptr, nullptr,
                                          reinterpret_cast<CreateFunction>(Create), Destroy, Start, Stop, nullptr, nullptr,
                                          nullptr, nullptr, nullptr, nullptr, &sink};
  static const etl_component* const components[] = {&component, nullptr};
  static const etl_plugin plugin = {sizeof(etl_plugin), ETL_ABI_MINOR, 0, "zoo.throws", "1.0.0", "Apache-2.0", "Throws",
                                    "https://example.org/zoo", components};
  return &plugin;
}
