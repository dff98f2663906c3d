// faultproxy: the fault proxy as a program.  Prints its port, its seed and what it does; ends on
// SIGINT or SIGTERM.
#include <signal.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#include "fault_proxy.h"
#include "temp_dir.h"

namespace {

constexpr char kHelp[] =
    R"(faultproxy --upstream HOST:PORT [--port PORT] [--seed S] [--script FILE] [--rule "WHICH [up|down|both] ACTION …"]…

A TCP proxy on 127.0.0.1 that refuses, cuts, resets, delays, slices, corrupts and swallows as it is told.
The rules are described in fault_script.h; as in:
  faultproxy --upstream 127.0.0.1:9200 --rule '1 down cut_after 100' --rule '2- swallow_answer_after http_request'
)";

std::uint16_t Port(const std::string& text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size())
    throw std::runtime_error("no port: " + text);
  return port;
}

}  // namespace

int main(int argc, char** argv) try {
  std::string upstream, script;
  std::uint16_t port = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--help") return std::fputs(kHelp, stdout) < 0;
    if (i + 1 == argc)
      throw std::runtime_error(option + " needs a value, or is no option; see --help");
    const std::string value = argv[++i];
    if (option == "--upstream")
      upstream = value;
    else if (option == "--port")
      port = Port(value);
    else if (option == "--seed")
      script += "seed " + value + "\n";
    else if (option == "--script")
      script += etl::test::ReadFile(value) + "\n";
    else if (option == "--rule")
      script += value + "\n";
    else
      throw std::runtime_error("unknown option " + option + "; see --help");
  }
  const std::size_t colon = upstream.rfind(':');
  if (colon == std::string::npos)
    throw std::runtime_error("--upstream HOST:PORT is needed; see --help");
  // Held back in all threads and taken here, so that ending is the proxy's orderly destruction.
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGINT);
  ::sigaddset(&ends, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  const etl::test::FaultProxy proxy(upstream.substr(0, colon), Port(upstream.substr(colon + 1)),
                                    etl::test::ParseFaultScript(script), true, port);
  int signal = 0;
  ::sigwait(&ends, &signal);
  std::printf("ended after %llu connections\n",
              static_cast<unsigned long long>(proxy.connections()));
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "faultproxy: %s\n", error.what());
  return 2;
}
