// One connection through the fault proxy: two sockets and what happens to the bytes between them.
#pragma once
#include <poll.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fault_script.h"
#include "http_watch.h"

namespace etl::test {

/// Used by the proxy's thread alone.
class FaultConnection {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;
  using Log = std::function<void(std::uint64_t connection, const std::string& what)>;
  using Connect = std::function<int()>;  ///< a socket on its way to the upstream, or -1

  /// Takes the accepted socket over and acts on the rules that are for this connection.
  FaultConnection(std::uint64_t number, int client, const FaultScript& script,
                  const Connect& connect, Log log);
  ~FaultConnection();
  FaultConnection(const FaultConnection&) = delete;
  FaultConnection& operator=(const FaultConnection&) = delete;

  /// Adds what it waits for; the next point in time at which it must act whatever happens is
  /// returned.
  Time Watch(std::vector<pollfd>& polls);
  /// Acts on what poll found in the places that Watch added, and on the time.
  void Act(const std::vector<pollfd>& polls);
  bool finished() const { return client_ < 0 && server_ < 0; }
  /// Resets both sides.
  void Reset();

 private:
  enum class Mode { kRelay, kAnswer, kHold, kDrain };
  enum class End { kFin, kCut, kReset };

  struct Chunk {
    std::string bytes;
    Time due;
  };

  struct Flow {
    std::string name;
    int* from;
    int* to;
    std::chrono::milliseconds delay{0}, jitter{0}, slow_close{0};
    std::uint64_t bandwidth = 0;
    std::size_t slice = 0;
    bool drop = false;
    std::optional<std::pair<std::uint64_t, End>> limit{};
    std::vector<std::pair<std::uint64_t, char>> corrupt{};

    std::deque<Chunk> queue{};
    std::size_t queued = 0;
    std::uint64_t taken = 0;
    std::uint64_t sent = 0;
    Time due{};
    Time next_send{};
    bool ended = false;
    End end = End::kFin;
    bool over = false;
    std::optional<std::size_t> poll_from{}, poll_to{};
  };

  void Apply(const FaultRule& rule);
  void ApplyTo(Flow& flow, const FaultRule& rule);
  void Read(Flow& flow);
  void Take(Flow& flow, std::string bytes);
  std::size_t EndOfTrigger(std::string_view bytes);
  void TakeForAnswer(std::string_view bytes);
  void SwallowAnswer(std::size_t bytes);
  void Enqueue(Flow& flow, std::string bytes);
  void EndFlow(Flow& flow, End end);
  void Send(Flow& flow);
  void PassEnd(Flow& flow);
  Time NextAction(const Flow& flow) const;
  void WatchFlow(Flow& flow, std::vector<pollfd>& polls, Time& wake);
  void FinishConnect();
  void HoldClient();
  void Cut();
  void Drain(int& fd);
  void Close();
  void Say(const std::string& what) { log_(number_, what); }

  static constexpr std::size_t kMostQueued = 1 << 20;

  const std::uint64_t number_;
  int client_;
  int server_ = -1;
  Log log_;
  std::mt19937_64 random_;
  Mode mode_ = Mode::kRelay;
  bool connecting_ = false;
  Flow up_{"up", &client_, &server_};
  Flow down_{"down", &server_, &client_};
  Time give_up_ = Time::max();
  Time now_;

  std::optional<FaultRule> answer_rule_;
  std::optional<FaultRule> swallow_rule_;
  bool swallowing_ = false;
  std::string seen_;  ///< the end of what came before, where a text may have begun
  std::uint64_t times_seen_ = 0;
  HttpWatch http_;
};

}  // namespace etl::test
