// A TCP proxy on loopback that does to connections what networks and servers do.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fault_script.h"

namespace etl::test {

/// One thing that the proxy did or saw.
struct FaultEvent {
  std::chrono::microseconds at{0};  ///< since the proxy started
  std::uint64_t connection = 0;     ///< 0: none
  std::string what;
};

/// "   12.345 ms  #3  down: cut after 1000 bytes".
std::string Describe(const FaultEvent& event);

/// Listens on 127.0.0.1 and a port of its own choosing from construction to destruction, in one
/// thread; its functions may be called by any.  Each connection is one of its own to the upstream,
/// and meets the rules that the script has for its number when it is accepted.
class FaultProxy {
 public:
  /// `print`: the seed and each event go to standard output at once.  Throws when it cannot listen.
  FaultProxy(const std::string& upstream_host, std::uint16_t upstream_port, FaultScript script = {},
             bool print = false, std::uint16_t port = 0);
  /// The same with a script as text.
  FaultProxy(const std::string& upstream_host, std::uint16_t upstream_port,
             std::string_view script);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  std::uint16_t port() const;
  std::uint64_t seed() const;

  /// For the connections accepted from now on; the numbers go on.
  void SetScript(std::string_view script);
  /// Stops listening, so that connecting is truly refused; those that are open stay.
  void Down();
  /// Listens again on the same port.
  void Up();
  /// Resets all that are open.
  void ResetAll();

  std::uint64_t connections() const;  ///< accepted so far
  std::size_t open() const;           ///< not ended yet, held ones too
  std::vector<FaultEvent> events() const;
  /// Waits until `count` events had the text in them; false when that did not happen in time.
  bool WaitForEvent(std::string_view text, std::size_t count = 1,
                    std::chrono::milliseconds limit = std::chrono::seconds(10)) const;

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace etl::test
