// Rejected rows: NDJSON, one record a line, 0600, on disk before any position passes them.
//
//   {"at":"2026-01-02T03:04:05Z","pipeline":"p","run":"p/1/ab12","stage":"sink[0]","type":"sqlite","code":19,
//    "reason":"NOT NULL constraint failed: t.a","split":"all","seq":12,"source_row":7,"schema":"<hash>","row":{…},"crc":"…"}
// A source's record has "raw" (base64 when it is not UTF-8: "raw_base64") and "where" instead of schema and row.
// A record {"schema":"<hash>","fields":{…}} stands once before the first row of its schema.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace etl::host {

struct RejectRecord {
  std::string at, pipeline, run, stage, type, reason, split, schema_hash;
  std::int64_t code = 0;
  std::uint64_t seq = 0;           ///< the source batch in its split
  std::int64_t source_row = -1;    ///< row in that batch; -1 unknown
  std::string row;      ///< JSON text, or empty
  std::string raw, where;
};

/// Appends.  Thread-safe.
class RejectsWriter {
 public:
  explicit RejectsWriter(std::string file);
  ~RejectsWriter();
  /// `schema_json`: of the row's batch, as SchemaToJson gives it; empty for raw input.
  void Add(const RejectRecord& record, const std::string& schema_json);
  /// write + fdatasync of all that was added.  Throws Error(kState).
  void Sync();
  std::int64_t added() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Every record of a file, in order; a torn last line (a crash in mid-write) is passed over.  `schema`: the JSON of the
/// row's schema.  Throws Error(kState) where a record is damaged, with its line.
void ReadRejects(const std::string& file,
                 const std::function<void(const RejectRecord& record, const std::string& schema_json)>& each);

}  // namespace etl::host
