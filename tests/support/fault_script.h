// What a fault proxy does to which connection.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace etl::test {

/// The text form, one rule a line, "#" begins a comment:
///
///   seed 42                                    (else a fresh one is taken and printed)
///   WHICH [DIRECTION] ACTION [ARGUMENT …]
///
/// WHICH       "*", "3", "2-5", "4-", "%3" (each third): connections by number, from 1
/// DIRECTION   "up" (client to server), "down" (server to client) or "both", which is the default
///
/// Actions for the whole connection; they take no direction:
///   refuse                     reset as soon as it is accepted
///   accept_and_close           closed as soon as it is accepted
///   noop                       accepted, then half-open: nothing is read, answered or closed
///   answer WHEN "TEXT"         the upstream is not asked; WHEN "connect", "data" (the first bytes
///   came) or "request"
///                              (a whole HTTP request came) TEXT is sent and the connection closed
///   limit_time MS              reset after so long
///   swallow_answer_after [N] "TEXT"|http_request [reset|close|hold]
///                              the request up to and with the N-th (1) TEXT is passed on and
///                              nothing after it; when the server has answered it (so it has done
///                              it) the answer is thrown away and the connection reset (default),
///                              closed, or held open in silence
/// Actions for a direction; they can be combined:
///   pass
///   delay MS [JITTER_MS]       each piece arrives so much later, and evenly drawn more
///   bandwidth BYTES_PER_SECOND
///   slice N                    N bytes with each send
///   cut_after K                K bytes pass, then both sides see an orderly end
///   reset_after K              K bytes pass, then both sides see a reset
///   slow_close MS              the end of the stream is passed on so much later
///   corrupt AT MASK            the byte at offset AT (from 0) is xored with MASK ("0x80" or "128")
///   drop                       all is read and thrown away
///
/// Texts are in double quotes with \r \n \t \0 \\ \" and \xHH.
struct FaultRule {
  enum class Action {
    kPass,
    kRefuse,
    kAcceptAndClose,
    kNoop,
    kAnswer,
    kLimitTime,
    kSwallowAnswer,
    kDelay,
    kBandwidth,
    kSlice,
    kCut,
    kReset,
    kSlowClose,
    kCorrupt,
    kDrop
  };
  enum class When { kConnect, kData, kRequest };
  enum class Then { kReset, kClose, kHold };

  std::uint64_t first = 1;
  std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t every = 1;
  bool up = true;
  bool down = true;
  Action action = Action::kPass;
  std::uint64_t amount = 0;  ///< ms, bytes, bytes per second, offset, or how many times the text
  std::uint64_t extra = 0;   ///< jitter or mask
  std::string text;  ///< of answer and swallow_answer_after; empty there: a whole HTTP request
  When when = When::kConnect;
  Then then = Then::kReset;

  bool Meets(std::uint64_t connection) const {
    return connection >= first && connection <= last && connection % every == 0;
  }
};

struct FaultScript {
  std::uint64_t seed = 0;  ///< 0: a fresh one
  std::vector<FaultRule> rules;
};

/// Throws std::runtime_error, naming the line and what is wrong with it.
FaultScript ParseFaultScript(std::string_view text);

}  // namespace etl::test
