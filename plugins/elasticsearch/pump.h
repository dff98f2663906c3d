// SPDX-License-Identifier: Apache-2.0
/// Sends parcels, several at a time, until each row is delivered or rejected: a thread of its own for each worker.
#pragma once
#include <etl/sdk.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>

#include "http/client.h"
#include "http/compress.h"
#include "pace.h"
#include "parcel.h"
#include "reply.h"

namespace etl::elasticsearch {

/// What the replies said, of all workers of a run.
struct Tally {
  std::atomic<std::int64_t> delivered = 0, created = 0;   ///< created is known only where the replies tell results
};

struct PumpOptions {
  std::string path;                    ///< "/articles/_bulk?..."
  std::string target;                  ///< for messages: what is written into
  Policy policy;
  http::Coding coding = http::Coding::kNone;
  Tally* tally = nullptr;
};

/// Send, Room, Take and Drain belong to the worker's thread; Interrupt to any.  What failed for good is thrown by each of
/// the worker's calls.
class Pump {
 public:
  Pump(const Host& host, http::Target target, PumpOptions options, Pace& pace);
  /// Rows that are on their way are given up.
  ~Pump();
  Pump(const Pump&) = delete;

  /// An empty parcel, with memory reserved for `bytes`.  Waits while as much is under way as may be.
  std::unique_ptr<Parcel> Take(std::size_t bytes);
  bool HasRoom();
  /// Throws what failed for good.
  void Check();
  void Send(std::unique_ptr<Parcel> parcel);
  /// Waits until all that was sent is settled.
  void Drain();
  /// Waits until all that came of a parcel is settled.
  void WaitFor(std::uint64_t origin);
  /// The first parcel of which something is under way, or `none`.
  std::uint64_t OldestLive(std::uint64_t none);
  void Interrupt() noexcept;

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Own = std::unique_ptr<Parcel>;
  /// What the items of a reply come to.
  struct Outcome {
    std::size_t delivered = 0, created = 0, bytes = 0, failed_shards = 0, noops = 0, refused = 0;
    Own again;                         // rows that failed passingly
    std::unordered_set<std::uint64_t> keys;   // of those
    std::string reason;
    int code = 0;
  };

  // the worker's thread
  template <class F>
  void WaitUntil(Lock& lock, F&& ready);
  // the pump's thread
  void Run() noexcept;
  void Loop();
  std::int64_t Launch();
  void Start(Own parcel);
  void Answered(Own parcel, http::Reply reply);
  void AnsweredItems(Own parcel, http::Reply& reply);
  std::string Mismatch(const Parcel& parcel, const ReplyReader::Bulk& bulk) const;
  Verdict Decide(Row& row, const Item& item, bool alone, const Outcome& out) const;
  void PutAgain(Parcel& parcel, std::size_t row, const Item& item, Outcome& out);
  void CountDelivered(const Item& item, Verdict verdict, std::size_t bytes, Outcome& out);
  void Report(const Outcome& out, std::size_t body, const http::Reply& reply);
  void SendAgain(Outcome out, const http::Reply& reply);
  void Fault(Own parcel, const http::Reply& reply);
  void Refused(Own parcel, http::Reply& reply);
  void Protocol(Own parcel, const std::string& why, const http::Reply& reply);
  void Again(Own parcel, std::optional<http::nanoseconds> after, bool unsure, const std::string& why);
  void Split(Own parcel);
  void Done(Own parcel);
  void Queue(Own parcel);
  void Stop(const Error& error);
  void GiveUp(const std::string& why, std::int64_t code);

  const Host host_;
  PumpOptions options_;
  Pace& pace_;
  http::Client client_;
  ReplyReader reader_;
  std::size_t flying_ = 0;             // the pump's thread only
  double latency_ms_ = 0;              // of the last ten requests or so; the pump's thread only

  std::mutex mutex_;                   // over all below
  std::condition_variable changed_;
  std::deque<Own> waiting_;            // to be sent, in order; some not yet
  std::map<std::uint64_t, unsigned> live_;   // parcels by origin
  std::vector<Own> pool_;
  std::optional<Error> failure_;
  bool interrupted_ = false, ending_ = false;
  std::thread thread_;
};

}  // namespace etl::elasticsearch
