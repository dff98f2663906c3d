// Runs two commands in turn, A B A B ..., and says the ratio of their times pair by pair: what is left when the machine's
// speed drifts.
//   pairs [-n RUNS] [--prepare CMD] A B       commands for `sh -c`; --prepare runs before each run, untimed
// Prints one line for each command (wall, cpu, peak memory: min / median / max) and the ratio B/A of wall and cpu time:
// above 1, A is the faster.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

struct Run {
  double wall = 0, cpu = 0, peak_mib = 0;
};

Run Once(const std::string& command) {
  const auto begin = std::chrono::steady_clock::now();
  const pid_t pid = fork();
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  rusage used{};
  wait4(pid, &status, 0, &used);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    std::fprintf(stderr, "pairs: exit status %d of: %s\n", status, command.c_str());
    std::exit(1);
  }
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return {wall.count(), seconds(used.ru_utime) + seconds(used.ru_stime), static_cast<double>(used.ru_maxrss) / 1024};
}

double Median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

void Show(const char* name, const std::vector<Run>& runs) {
  const auto row = [&](const char* what, double Run::*field) {
    std::vector<double> v;
    for (const Run& r : runs) v.push_back(r.*field);
    std::sort(v.begin(), v.end());
    std::printf("  %s %.3f / %.3f / %.3f", what, v.front(), v[v.size() / 2], v.back());
  };
  std::printf("%s:", name);
  row("wall s", &Run::wall);
  row("cpu s", &Run::cpu);
  row("peak MiB", &Run::peak_mib);
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  int runs = 7;
  std::string prepare;
  std::vector<std::string> commands;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "-n" && i + 1 < argc) runs = std::atoi(argv[++i]);
    else if (arg == "--prepare" && i + 1 < argc) prepare = argv[++i];
    else commands.push_back(arg);
  }
  if (commands.size() != 2) {
    std::fprintf(stderr, "usage: pairs [-n RUNS] [--prepare CMD] A B\n");
    return 2;
  }
  std::vector<Run> a, b;
  std::vector<double> wall, cpu;
  for (int i = 0; i <= runs; ++i) {
    if (!prepare.empty()) Once(prepare);
    const Run first = Once(commands[0]);
    if (!prepare.empty()) Once(prepare);
    const Run second = Once(commands[1]);
    if (i == 0) continue;   // warms the caches
    a.push_back(first);
    b.push_back(second);
    wall.push_back(second.wall / first.wall);
    cpu.push_back(second.cpu / first.cpu);
  }
  Show("A", a);
  Show("B", b);
  std::printf("B/A: wall %.2f  cpu %.2f  (medians of %d pairs)\n", Median(wall), Median(cpu), runs);
}
