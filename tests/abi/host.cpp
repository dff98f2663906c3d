// A small host around the code that takes over foreign tables: built for today's boundary and for a later one.
//   host PLUGIN.so OUT: 47 numbers through the fixture's transform into its sink; prints what of the later version was used.
#include <dlfcn.h>
#include <etl/plugin.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "plugin/table.h"

namespace {

using etl::host::Component;
using etl::host::Plugin;

std::vector<ArrowArray> emitted;
int spans = 0;

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

etl_host MakeHost() {
  etl_host h{};
  h.size = sizeof h;
  h.abi_minor = ETL_ABI_MINOR;
  h.name = "test host";
  h.version = "1.0.0";
  h.pipeline = h.component = "test";
  h.log = [](const etl_host*, std::uint32_t, etl_str) noexcept {};
  h.emit = [](const etl_host*, ArrowArray* array, const std::uint64_t*) noexcept -> etl_status {
    emitted.push_back(*array);
    array->release = nullptr;
    return ETL_OK;
  };
#ifdef ETL_ABI_NEXT
  h.span = [](const etl_host*, etl_str, std::int64_t) noexcept { ++spans; };
#endif
  return h;
}

template <class F>
etl_status Call(const char* name, F&& f) {
  etl_error error{};
  error.size = sizeof error;
  const etl_status status = f(&error);
  if (status < 0) Fail(std::string(name) + ": " + error.message);
  return status;
}

/// Head and worker of one component.
struct Stage {
  Stage(const Component& c, const etl_host* host, const etl_value* options) : table(c.table) {
    Call("create", [&](etl_error* e) { return table.create(host, options, &self, e); });
  }
  void Start(const etl_host* host) { Call("start", [&](etl_error* e) { return table.start(self, host, &worker, e); }); }
  ~Stage() {
    if (worker) table.stop(worker);
    table.destroy(self);
  }
  const etl_component& table;
  void *self = nullptr, *worker = nullptr;
};

void Run(const Plugin& plugin, const char* path) {
  const etl_host host = MakeHost();
  etl_value rows{}, file{}, none{};
  rows.type = ETL_INT;
  rows.as.i = 47;
  file.type = ETL_PATH;
  file.as.s = {path, std::strlen(path)};
  Stage source(*plugin.components[0], &host, &rows), transform(*plugin.components[1], &host, &none),
      sink(*plugin.components[2], &host, &file);
  ArrowSchema in{}, out{};
  Call("describe", [&](etl_error* e) { return source.table.source->describe(source.self, &in, e); });
  Call("describe", [&](etl_error* e) { return transform.table.transform->describe(transform.self, &in, &out, e); });
  for (Stage* stage : {&source, &transform, &sink}) stage->Start(&host);
  const etl_split split{sizeof split, 0, {"all", 3}, {"", 0}, -1, -1};
  Call("open", [&](etl_error* e) { return source.table.source->open(source.worker, &split, {"", 0}, e); });
  Call("open", [&](etl_error* e) { return transform.table.transform->open(transform.worker, &in, e); });
  Call("open", [&](etl_error* e) { return sink.table.sink->open(sink.worker, &out, {"", 0}, e); });
  for (std::uint64_t row = 0, id = 1;; ++id) {
    ArrowArray array{};
    etl_str position{};
    if (Call("next", [&](etl_error* e) { return source.table.source->next(source.worker, &array, &position, e); }) == ETL_END) break;
    etl_batch batch{sizeof batch, 0, id, row, &array, nullptr, 0};
    row += static_cast<std::uint64_t>(array.length);
    Call("apply", [&](etl_error* e) { return transform.table.transform->apply(transform.worker, &batch, e); });
    if (array.release) array.release(&array);
    for (ArrowArray& one : emitted) {
      etl_batch given{sizeof given, 0, id, row, &one, nullptr, 0};
      Call("write", [&](etl_error* e) { return sink.table.sink->write(sink.worker, &given, e); });
      if (one.release) one.release(&one);
    }
    emitted.clear();
  }
  etl_str state{};
  Call("flush", [&](etl_error* e) { return sink.table.sink->flush(sink.worker, &state, e); });
  in.release(&in);
  out.release(&out);
}

/// What the plugin's tables hold of a later version, as this host sees it.
std::string Later([[maybe_unused]] const etl_component& table) {
  std::string text;
#ifdef ETL_ABI_NEXT
  if (table.fingerprint) text += std::string(" fingerprint=") + table.fingerprint;
  if (table.options[0] && table.options[0]->example) text += std::string(" example=") + table.options[0]->example;
  if (table.source && table.source->sample) text += " sample";
#endif
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) Fail("usage: host PLUGIN.so OUT");
  void* library = ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) Fail(::dlerror());
  using Entry = const etl_plugin* (*)();
  const auto entry = reinterpret_cast<Entry>(::dlsym(library, "etl_plugin_v1"));
  if (!entry) Fail("no entry");
  try {
    const auto plugin = etl::host::TakePlugin(entry(), argv[1]);
    Run(*plugin, argv[2]);
    std::printf("spans=%d%s\n", spans, Later(plugin->components[0]->table).c_str());
  } catch (const std::exception& error) {
    Fail(error.what());
  }
}
