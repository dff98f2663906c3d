// Real ClickHouse servers, a proxy that answers as it likes, and pipelines that read.
#pragma once
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "run_process.h"
#include "temp_dir.h"

namespace etl::test {

struct HttpReply {
  int status = 0;
  std::string body, headers;
};
/// Of its own connection, by libcurl and nothing of the plugin's.
HttpReply Post(const std::string& url, const std::string& body, const std::vector<std::string>& headers = {});

/// A server of tools/dev/servers ("ch18", "ch26"), with a database for this object alone.
class Store {
 public:
  explicit Store(const std::string& name);
  ~Store();
  Store(const Store&) = delete;
  const std::string& name() const { return name_; }
  bool old() const { return name_ == "ch18"; }
  const std::string& url() const { return url_; }
  const std::string& database() const { return database_; }
  /// Throws with what the server says.
  std::string Run(const std::string& sql, const std::string& parameters = "") const;
  /// The options url and database of a source; `url` of a proxy, if given.
  std::string Options(const std::string& url = "") const;
  /// A table `t` (ts DateTime, id UInt32, v String), sorted by `order`; row i at the second that `second` (SQL of number) says.
  void Rows(std::int64_t count, const std::string& second, const std::string& order = "ts, id") const;

 private:
  std::string name_, url_, database_;
};
extern const std::vector<std::string> kStores;

/// An HTTP server before a Store: `answer` sees each request and says what to send; nothing = what the store says.
class Gate {
 public:
  struct Asked {
    std::string path, body;
    int number = 0;               ///< from 1
    bool rows = false;            ///< it asks for rows, in Native
  };
  struct Answer {
    int status = 200;
    std::string body, headers;    ///< headers: whole lines
    std::int64_t cut = -1;        ///< so many bytes of the body are sent, and the connection is closed
    bool ends = true;             ///< the reply says where it ends
    std::int64_t first = 0;       ///< so many bytes of the body arrive before the others are sent
  };
  using Hook = std::function<bool(const Asked&, Answer& answer, const std::function<Answer(const std::string& body)>& forward)>;
  Gate(const Store& store, Hook hook);
  ~Gate();
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int requests() const { return count_; }

 private:
  void Serve(int socket);
  std::string upstream_;
  Hook hook_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> count_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

/// A pipeline from `source` (lines) into out.ndjson, or another sink.
struct Pull {
  TempDir dir;
  explicit Pull(const std::string& source, const std::string& sink = "", const std::string& top = "retry = {max_elapsed = \"20s\", initial = \"1ms\", max = \"5ms\"}");
  void Rewrite(const std::string& source, const std::string& sink = "", const std::string& top = "");
  Command Make(const std::vector<std::string>& more = {}, const char* verb = "run") const;
  Finished Run(const std::vector<std::string>& more = {}, const char* verb = "run") const { return RunProcess(Make(more, verb)); }
  std::vector<std::string> Lines() const;
  /// Values of the number `field` in the lines, sorted.
  std::vector<std::int64_t> Numbers(const std::string& field = "id") const;
};

/// "requests 12" in what a run says at its end: 12, or 0.
std::int64_t Metric(const Finished& run, const std::string& name);
/// 0, 1 ... n - 1.
std::vector<std::int64_t> UpTo(std::int64_t n);
bool Full();

}  // namespace etl::test

template <>
struct doctest::StringMaker<std::vector<std::int64_t>> {
  static String convert(const std::vector<std::int64_t>& v) {
    std::string text = std::to_string(v.size()) + " numbers";
    for (std::size_t i = 0; i < v.size(); ++i) {
      if (v[i] == static_cast<std::int64_t>(i)) continue;
      text += ", the first that is not its index: " + std::to_string(v[i]) + " at " + std::to_string(i);
      break;
    }
    return text.c_str();
  }
};
