// SPDX-License-Identifier: Apache-2.0
/// A connection to a ClickHouse server's HTTP interface.
#pragma once
#include <etl/sdk.h>

#include <lz4frame.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fault.h"
#include "http/access.h"
#include "native.h"
#include "sql.h"

namespace etl::clickhouse {

struct Server : http::Access {
  std::string database, compression = "none";
  std::vector<std::pair<std::string, std::string>> settings;
};

template <class C>
detail::DeclaredList ServerOptions() {
  return Join(http::AccessOptions<C>(),
              etl::Options(Option<C, std::string>("database", &C::database, "Database; the user's own if not given."),
                           Option<C, std::string>("compression", &C::compression,
                                                  "How replies are compressed: lz4 costs little, zstd is smallest. Servers before version 22 are asked for gzip instead.")
                               .Choices({"none", "lz4", "zstd"}).Tuning(),
                           Option<C, std::vector<std::pair<std::string, std::string>>>("settings", &C::settings, "Settings of the server for each query, by name.").Advanced()));
}

/// What a reply cost, as far as the server says.
struct Cost {
  std::int64_t walked = -1;            ///< rows read by the server
  std::int64_t bytes = 0;              ///< of the reply, after decompression
  std::chrono::nanoseconds elapsed{0};
};

/// One thread at a time, but for Interrupt().
class Connection {
 public:
  /// `host` is lent.
  Connection(const Server& server, const Host& host);
  /// A small result, its lines and their columns, unescaped.
  /// `texts`: the rows hold any texts, of which one may look like what a server says when it fails.
  std::vector<std::vector<std::string>> Ask(const Statement& statement, const std::string& doing, bool texts = false);
  /// The same of a question that cannot be asked of less: what a setting of the user's forbids is refused for good.  `instead`: what would do
  /// without the question.
  std::vector<std::vector<std::string>> AskWhole(const Statement& statement, const std::string& doing, const std::string& instead, bool texts = false);
  /// The same of what a user need not be allowed to see: nothing, and a warning, where it is refused for good.
  std::optional<std::vector<std::vector<std::string>>> AskIfAllowed(const Statement& statement, const std::string& doing);
  /// Begins a query whose rows come in Native; `whole`: the server shall have all of them before it answers, so that it can still
  /// say that it failed.
  void Begin(const Statement& statement, bool whole, const std::string& doing);
  /// The next block of the query that was begun, onto `page`; false: they have come to their end, and it was a proper one.
  bool Next(const std::vector<ReadColumn>& columns, const Caps& caps, Page& page);
  /// How replies are compressed from now on: "none", "lz4", "zstd", "gzip".
  void SetCoding(const std::string& coding) { coding_ = coding; }
  /// Gives up on the query that was begun.
  void Abandon();
  const Cost& cost() const { return cost_; }
  void Interrupt() noexcept { client_.Wake(); }

 private:
  std::string Path(const Statement& statement, bool whole) const;
  bool More(std::string& buffer);
  void Unpack(std::string& buffer);
  void CheckEnd();

  const Server& server_;
  const Host& host_;
  http::Client client_;
  std::string body_, doing_;
  std::string arrived_;                ///< as it came; from unpacked_ on not yet unpacked
  std::size_t unpacked_ = 0;
  std::string coding_;
  enum class Packed { kUnknown, kNo, kInside, kEnded };
  Packed packed_ = Packed::kUnknown;   ///< a frame of LZ4
  struct Free {
    void operator()(LZ4F_dctx* c) const { LZ4F_freeDecompressionContext(c); }
  };
  std::unique_ptr<LZ4F_dctx, Free> unpacker_;
  std::optional<http::Reply> reply_;
  std::unique_ptr<Input> input_;
  Cost cost_;
};

}  // namespace etl::clickhouse
