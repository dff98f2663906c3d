// A search server that is none: it takes _bulk and _mget at once, answers as it is told, and keeps what it has applied.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace etl::test {

/// One action of a bulk request, as it came.
struct MockItem {
  std::string action, index, id, routing;
  std::string source;       ///< the line after it, if there is one
  std::size_t bytes = 0;    ///< of both lines with their ends
};

/// What becomes of a bulk request.
struct MockAnswer {
  enum class Way {
    kApply,      ///< what a server does
    kStatus,     ///< not applied: `status`, `headers` (lines with their ends), `body`
    kLost,       ///< applied, and the connection reset in place of an answer
    kCut,        ///< applied, and only `bytes` bytes of the answer sent; an orderly end after them
    kSilent,     ///< not applied, and never answered: the connection stays open
    kDrip,       ///< applied, and answered byte by byte
    kFewer,      ///< applied, and the last item's result is missing
    kMore,       ///< applied, and the last item's result comes twice
    kNoStatus,   ///< applied, and the first item's result has no status
    kOther,      ///< applied, and the first item's result is that of another action
  };
  Way way = Way::kApply;
  int status = 0;
  std::string headers, body;
  std::size_t bytes = 0;
};

/// The result of an item that is not applied.
struct MockRefusal {
  int status = 0;   ///< 0: it is applied
  std::string type, reason;
};

struct MockDocument {
  std::string source;
  std::string routing;
  int applied = 0;   ///< how many times
};

/// Listens on 127.0.0.1 from construction to destruction, in one thread.  What is set before the first request is called in
/// that thread; what is asked may be asked at any time.
class MockNode {
 public:
  struct Options {
    std::uint16_t port = 0;          ///< 0: a free one
    bool keep = true;                ///< false: rows are only counted, as fast as they come
    std::string version = "8.19.0";
    std::size_t most_bytes = 100 << 20;   ///< larger bodies get 413 without a body
    std::string authorization;       ///< the header that is demanded; empty: none
  };
  MockNode() : MockNode(Options()) {}
  explicit MockNode(const Options& options);
  ~MockNode();
  MockNode(const MockNode&) = delete;
  MockNode& operator=(const MockNode&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  std::function<MockAnswer(std::size_t number)> on_bulk;             ///< bulk requests by number, from 1
  std::function<MockAnswer(const std::vector<MockItem>& items)> on_request;   ///< the same, by what is in it, where on_bulk is none
  std::function<MockRefusal(const MockItem&, int attempt)> on_item;  ///< attempts at an id, from 1
  std::atomic<int> failed_copies{0};   ///< of each document that is applied
  /// Other requests: the answer's body; empty: what the mock says by itself.
  std::function<std::string(const std::string& method, const std::string& path, const std::string& body)> on_other;

  std::map<std::string, MockDocument> Documents(const std::string& index) const;
  std::vector<std::string> Requests() const;   ///< "METHOD /path", other than bulk, in order
  std::vector<std::string> Complaints() const;   ///< what was wrong with bodies that no server would have taken
  std::size_t bulks() const { return bulks_; }
  std::size_t items() const { return items_; }
  std::size_t bytes() const { return bytes_; }                    ///< of bulk bodies
  std::size_t largest() const { return largest_; }                ///< bulk body that was taken
  std::size_t failed_bytes() const { return failed_bytes_; }      ///< of items that were refused, or whose request was
  std::size_t resent_bytes() const { return resent_bytes_; }      ///< of items that had come before
  std::size_t answered() const { return answered_; }              ///< bytes of the last whole answer to a bulk request
  std::size_t open() const { return open_; }                      ///< connections

 private:
  struct Connection;
  void Serve();
  bool Read(Connection& c);
  bool Write(Connection& c);
  bool TakeRequests(Connection& c);
  void Answer(Connection& c, const std::string& method, const std::string& target, const std::string& headers, std::string_view body);
  void Bulk(Connection& c, const std::string& default_index, std::string_view body);
  void Reply(Connection& c, int status, std::string_view body, std::string_view headers = {});
  std::string Count(std::string_view body);
  std::vector<MockItem> Parse(const std::string& default_index, std::string_view body) const;
  std::string Apply(const std::vector<MockItem>& items, bool applied, MockAnswer::Way way);
  std::string Refused(const MockItem& item, const MockRefusal& r) const;
  std::string Applied(const MockItem& item);
  std::string Multi(const std::string& default_index, std::string_view body);
  std::string Other(const std::string& method, const std::string& path, const std::string& body);

  Options options_;
  std::uint16_t port_ = 0;
  int listener_ = -1, stop_ = -1;
  mutable std::mutex mutex_;   // over what is below
  std::map<std::string, std::map<std::string, MockDocument>> indices_;
  std::map<std::string, int> attempts_;
  std::vector<std::string> requests_, complaints_;
  std::atomic<std::size_t> bulks_{0}, items_{0}, bytes_{0}, largest_{0}, failed_bytes_{0}, resent_bytes_{0}, answered_{0}, open_{0};
  std::string rendered_;
  std::size_t rendered_items_ = 0;
  std::thread thread_;
};

}  // namespace etl::test
