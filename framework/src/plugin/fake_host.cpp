#include "fake_host.h"

#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <new>
#include <utility>

namespace etl::host {
namespace {

constexpr std::size_t kUnknownTail = 256;
#ifdef ETL_ABI_NEXT
constexpr std::size_t kSize10 = offsetof(etl_host, span);
#else
constexpr std::size_t kSize10 = sizeof(etl_host);
#endif

}  // namespace

etl_host FakeHost::Functions() {
  etl_host t{};
  t.size = sizeof t;
  t.abi_minor = ETL_ABI_MINOR;
  t.log_level = ETL_TRACE;
  t.name = "etl plugin check";
  t.version = "1.0.0";
  t.pipeline = "check";
  t.component = "check[0]";
  t.memory_limit = 256 << 20;
  t.log = [](const etl_host* h, std::uint32_t, etl_str message) noexcept { Of(h).Hear(message); };
  t.cancelled = [](const etl_host* h) noexcept -> std::int32_t {
    const std::lock_guard lock(Of(h).mutex_);
    return Of(h).cancelled_;
  };
  t.wait = [](const etl_host* h, std::int64_t ns) noexcept -> std::int32_t {
    FakeHost& self = Of(h);
    std::unique_lock lock(self.mutex_);
    return self.cancel_said_.wait_for(lock, std::chrono::nanoseconds(ns), [&] { return self.cancelled_; });
  };
  t.now = [](const etl_host*) noexcept -> std::int64_t {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  t.wake = [](const etl_host*, std::int64_t) noexcept {};
  t.backoff = [](const etl_host*, std::uint32_t attempt, std::uint32_t, std::int64_t, std::int64_t) noexcept -> std::int64_t {
    return attempt > 2 ? -1 : 1'000'000;  // so that a missing server is soon given up
  };
  t.metric = [](const etl_host* h, std::uint32_t, etl_str name, double) noexcept { Of(h).Hear(name); };
  t.reserve = [](const etl_host*, std::int64_t) noexcept -> etl_status { return ETL_OK; };
  t.reject = [](const etl_host* h, const etl_reject* reject) noexcept {
    ++Of(h).rejected_;
    for (const etl_str& text : {reject->reason, reject->raw, reject->where}) Of(h).Hear(text);
  };
  t.again = [](const etl_host*, std::uint64_t) noexcept {};
  t.durable = [](const etl_host*) noexcept -> etl_status { return ETL_OK; };
  t.settled = [](const etl_host*, std::uint64_t) noexcept {};
  t.emit = [](const etl_host* h, ArrowArray* array, const std::uint64_t*) noexcept -> etl_status {
    FakeHost& self = Of(h);
    const std::lock_guard lock(self.mutex_);
    if (self.cancelled_) return ETL_CANCELLED;
    if (self.emit_answer_ != ETL_OK) return self.emit_answer_;
    self.emitted_.push_back(*array);
    array->release = nullptr;
    return ETL_OK;
  };
  t.finished = [](const etl_host*, std::uint64_t) noexcept {};
  t.keep = [](const etl_host* h, etl_str note) noexcept -> etl_status {
    Of(h).Hear(note);
    return ETL_OK;
  };
  t.extension = [](const etl_host*, const char*) noexcept -> const void* { return nullptr; };
  return t;
}

FakeHost::FakeHost(Table kind) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  pages_size_ = 2 * page;
  pages_ = ::mmap(nullptr, pages_size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages_ == MAP_FAILED) throw std::bad_alloc();
  char* const base = static_cast<char*>(pages_);
  etl_host functions = Functions();
  functions.impl = this;
  if (kind == Table::kSmallest) functions.size = kSize10, functions.abi_minor = 0;
  if (kind == Table::kLarger) functions.size = sizeof functions + kUnknownTail, functions.abi_minor = 99;
  char* const at = kind == Table::kSmallest ? base + page - kSize10 : base;
  std::memset(base, 0xa5, page);
  std::memcpy(at, &functions, kind == Table::kSmallest ? kSize10 : sizeof functions);
  ::mprotect(base, page, PROT_READ);
  ::mprotect(base + page, page, PROT_NONE);
  table_ = reinterpret_cast<const etl_host*>(at);
}

FakeHost::~FakeHost() {
  for (ArrowArray& array : emitted_)
    if (array.release) array.release(&array);
  ::munmap(pages_, pages_size_);
}

void FakeHost::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  cancel_said_.notify_all();
}

std::string FakeHost::Said() const {
  const std::lock_guard lock(mutex_);
  return said_;
}

std::vector<ArrowArray> FakeHost::TakeEmitted() {
  const std::lock_guard lock(mutex_);
  return std::exchange(emitted_, {});
}

void FakeHost::Hear(etl_str text) {
  const std::lock_guard lock(mutex_);
  if (text.len) said_.append(text.ptr, static_cast<std::size_t>(text.len));
  said_ += '\n';
}

}  // namespace etl::host
