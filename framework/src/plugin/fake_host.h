// A host that records, for the conformance checks.
#pragma once
#include <etl/plugin.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace etl::host {

/// Keeps everything that a plugin says to it.  The host's side of a head or of one worker; host functions may be called
/// from any thread.
class FakeHost {
 public:
  enum class Table {
    kExact,
    kSmallest,  ///< that of version 1.0, laid against a page that cannot be read
    kLarger,    ///< of some later version: an unknown tail of no sense behind it
  };
  explicit FakeHost(Table table = Table::kExact);
  ~FakeHost();
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  const etl_host* table() const { return table_; }

  /// wait() returns, cancelled() says so, emit() declines.
  void Cancel();
  /// What emit() answers; anything but OK leaves the array with the plugin.
  void AnswerEmit(etl_status status) { emit_answer_ = status; }

  /// All texts that came: messages, names of metrics, reasons and raw input of rejects, notes.
  std::string Said() const;
  /// The batches emitted since the last call; the caller releases them.
  std::vector<ArrowArray> TakeEmitted();
  std::size_t rejected() const { return rejected_; }

 private:
  static FakeHost& Of(const etl_host* table) { return *static_cast<FakeHost*>(table->impl); }
  static etl_host Functions();
  void Hear(etl_str text);

  void* pages_ = nullptr;
  std::size_t pages_size_ = 0;
  const etl_host* table_ = nullptr;
  mutable std::mutex mutex_;
  std::condition_variable cancel_said_;
  bool cancelled_ = false;
  std::atomic<etl_status> emit_answer_ = ETL_OK;
  std::atomic<std::size_t> rejected_ = 0;
  std::string said_;
  std::vector<ArrowArray> emitted_;
};

}  // namespace etl::host
