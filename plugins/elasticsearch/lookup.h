// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/json.h>

#include <atomic>
#include <deque>
#include <memory>

#include "cluster.h"
#include "encode.h"
#include "lookup_field.h"

namespace etl::elasticsearch {

/// Looks rows up by id with _mget, many in a request and several requests under way, across batches: adds fields of the
/// documents, or lets through only what the index does not hold, or holds with another content.
class ElasticsearchLookup : public Transform, public Access {
 public:
  static constexpr auto kType = "elasticsearch_lookup";
  static constexpr auto kSummary = "Looks rows up by id in Elasticsearch or OpenSearch: adds fields, or passes only what is missing or changed there.";
  static constexpr std::uint32_t kFlags = ETL_PARALLEL | ETL_HOLDS;
  std::string index, routing, hash = "content_hash";
  std::vector<std::string> id, only_changed;
  std::vector<std::pair<std::string, std::string>> columns, types;
  bool only_missing = false;
  std::int64_t batch_ids = 1000, concurrency = 4;
  Bytes batch_bytes{1 << 20};
  std::chrono::nanoseconds linger = std::chrono::milliseconds(100);

  static detail::DeclaredList Options();
  void Check() override;
  Schema Describe(const Schema& in) override;
  void Open(const Schema& in) override;
  void Apply(const Rows& in) override;
  void Tick() override { Flush(); }
  void Flush() override;
  void Interrupt() noexcept override { stop_ = true; }

 private:
  /// What came back for a row.
  enum class Fate : std::uint8_t { kAsked, kPasses, kDropped, kRejected };
  /// A batch that has not gone on yet.
  struct Held {
    ArrowArray array{};
    std::uint64_t batch = 0, first_row = 0;
    std::int64_t unanswered = 0;
    std::vector<Fate> fates;
    std::vector<std::string> hashes;      ///< with only_changed
    std::unique_ptr<Batch> added;         ///< the new columns of the rows that pass, in their order
    ~Held() {
      if (array.release) array.release(&array);
    }
  };
  /// Rows of one request, in its order.
  struct Request {
    enum class State { kReady, kFlying, kAnswered } state = State::kReady;
    std::string body;
    std::vector<std::pair<Held*, std::int64_t>> rows;
    http::Reply reply;
  };

  bool IsFixed() const { return index.find('{') == std::string::npos; }
  void Prepare(const Schema& in);
  void PrepareColumns(Cluster& cluster, const Schema& in);
  void Take(const Rows& in);
  void CloseRequest();
  void Pump();
  void Wait(std::size_t most_waiting);
  void Answered();
  void TakeReply(Request& request);
  void TakeDocument(const simdjson::dom::element& document, Held& held, std::int64_t row);
  bool AddFields(const simdjson::dom::element& document, bool found, Held& held, std::int64_t row);
  void EmitAnswered();
  void Emit(Held& held);
  bool AddToRequest(Held& held, std::int64_t row);
  std::string HashOf(const Rows& in, std::int64_t row);

  std::vector<LookupField> fields_;
  std::vector<std::size_t> hashed_;
  std::vector<Field> added_;                ///< the new columns; the hash is the last
  bool comparing_ = false;                  ///< etl verify reads: all rows pass
  std::string path_;                        ///< of the requests
  std::unique_ptr<Encoder> encoder_;        ///< of places
  std::unique_ptr<JsonWriter> json_;
  std::deque<std::unique_ptr<Held>> held_;
  std::unique_ptr<Request> open_;           ///< not full yet
  std::deque<std::unique_ptr<Request>> requests_;   ///< in the order of their rows; answers are taken in it too
  std::size_t flying_ = 0;
  std::unique_ptr<http::Client> client_;    ///< goes before what it sends
  simdjson::dom::parser parser_;
  std::atomic<bool> stop_{false};
};

}  // namespace etl::elasticsearch
