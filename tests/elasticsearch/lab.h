// Real search nodes, and pipelines that use them.
#pragma once
#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "run_process.h"
#include "temp_dir.h"

namespace etl::test {

using Lines = std::vector<std::string>;

struct HttpReply {
  int status = 0;
  std::string body;
  /// The JSON at a pointer ("/hits/total/value") without blanks, texts without quotes; "" where there is none.
  std::string At(const std::string& pointer) const;
};

/// A request of its own connection, by libcurl and nothing of the plugin's.  Throws when there is no answer.
HttpReply Request(const std::string& method, const std::string& url, const std::string& body = "", const std::string& type = "application/json");

/// A document as the node gives it back: its source in the order in which it was written.
struct Document {
  std::string source, routing, index;
  bool operator==(const Document&) const = default;
};

/// A node of tools/dev/servers; indices whose names begin with prefix() go with the object.
class Node {
 public:
  /// "es8", "es7", "es9", "os2"; started if it does not run.  `home`: another folder of servers; `options`: settings that it
  /// is started with.
  explicit Node(const std::string& name, const std::string& home = ETL_SERVERS_DIR, const std::string& options = "");
  ~Node();
  Node(const Node&) = delete;

  const std::string& name() const { return name_; }
  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  const std::string& prefix() const { return prefix_; }
  bool opensearch() const { return name_[0] == 'o'; }

  /// Any status.
  HttpReply Call(const std::string& method, const std::string& path, const std::string& body = "") const;
  /// Must be 200 or 201.
  HttpReply Must(const std::string& method, const std::string& path, const std::string& body = "") const;
  /// After a refresh.
  std::int64_t Count(const std::string& index) const;
  std::map<std::string, Document> Documents(const std::string& index) const;
  /// Ends it by SIGKILL or in order, and starts it again on the same port.
  void Kill();
  void Start();
  void Stop();

 private:
  void Servers(const std::string& command) const;
  std::string name_, home_, options_, prefix_;
  std::uint16_t port_ = 0;
};

/// The nodes that tests go over: es8, with ETL_FULL all, or those that ETL_TEST_NODES names.
const std::vector<std::string>& NodeNames();
bool Full();

/// A pipeline from NDJSON, in a folder of its own.
struct Load {
  TempDir dir;
  /// `columns`: as the source declares them, or ""; `sink`: lines of [[sink]], or more.
  Load(const std::string& columns, const std::string& sink, const std::string& pipeline = "");
  Load& Rows(const std::string& lines) {
    dir.Write("in.ndjson", lines);
    return *this;
  }
  Command Make(const std::vector<std::string>& more = {}, const char* verb = "run") const;
  Finished Run(const std::vector<std::string>& more = {}) const { return RunProcess(Make(more)); }
  /// Runs it; all rows must be delivered.
  void All() const;
  /// Runs it, exit code 3; the reasons by the rows' column id.
  std::map<std::string, std::string> Rejects() const;
};

/// The lines of [[sink]] that name the node or a proxy before it.
std::string SinkTo(const std::string& url, const std::string& index);

/// Runs etl on a pipeline file with this build's plugins.
Command EtlRun(const TempDir& dir, const std::vector<std::string>& more = {}, const char* verb = "run");

}  // namespace etl::test
