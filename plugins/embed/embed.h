// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/sdk.h>

#include <atomic>
#include <list>
#include <map>
#include <unordered_map>

#include "cache.h"
#include "chunk.h"
#include "element.h"
#include "engine.h"
#include "text_of.h"

namespace etl::embed {

struct ChunkOptions {
  std::int64_t tokens = 0, overlap = 0;
  std::string at = "sentence", text;
  std::vector<std::string> key;
  static detail::DeclaredList Options();
};

/// Adds a vector for each row's text.  One worker takes the rows of all splits, so that texts are sorted together; it holds a
/// part of a batch until each of its texts has a vector.
class Embed : public Transform {
 public:
  static constexpr auto kType = "embed";
  static constexpr auto kSummary = "Adds an embedding: the vector that a sentence model of ONNX makes of a text.";
  static constexpr std::uint32_t kFlags = ETL_HOLDS | ETL_LOCAL;
  std::string model, file, text, output = "vector", element = "float32", on_long = "truncate", on_empty = "null", on_invalid_utf8 = "error";
  std::string cut_column, cache, provider = "auto", precision = "model", runtime, sha256, custom_ops_library, model_output;
  std::optional<std::string> pooling, prefix, prompt;
  std::optional<bool> normalize;
  std::int64_t max_tokens = 0, sessions = 0, threads = 0, batch_tokens = 0, window = 1024;
  std::chrono::nanoseconds linger{std::chrono::milliseconds(100)};
  Bytes cache_limit{std::int64_t{10} << 30};
  std::vector<std::string> allow;
  std::vector<std::pair<std::string, std::string>> provider_options;
  ChunkOptions chunk;

  static detail::DeclaredList Options();
  ~Embed() override;
  void Check() override;
  std::string Identity() override;
  Schema Describe(const Schema& in) override;
  void Open(const Schema& in) override;
  void Apply(const Rows& in) override;
  void Tick() override;
  void Flush() override;
  void Interrupt() noexcept override;

 private:
  /// A row that came in.
  struct RowText {
    std::int64_t row = 0;
    bool there = false, empty = false;
    std::string value;
    std::vector<Token> tokens;
  };
  /// A row that will come out.
  struct Piece {
    std::int64_t row = 0;
    TextPtr text;                 ///< none: a null or a vector of zeros
    bool cut = false;
    std::int32_t chunk = 0, chunks = 1;
    std::string chunk_text;
  };
  /// What the host lent, kept until each part of it is gone.
  struct Source {
    ArrowArray array{};
    std::uint64_t id = 0, first_row = 0;
    std::size_t parts = 0;
    ~Source() {
      if (array.release) array.release(&array);
    }
  };
  /// Some rows of a batch that leave together, once all have their vectors.
  struct Held {
    std::shared_ptr<Source> source;
    std::vector<Piece> pieces;
    std::size_t open = 1;         ///< pieces without a vector, and 1 while rows are added
    bool whole = false;           ///< all rows of the batch, as they were
  };
  struct Key {
    std::uint64_t half[2];
    bool operator==(const Key& o) const { return half[0] == o.half[0] && half[1] == o.half[1]; }
  };
  struct KeyHash {
    std::size_t operator()(const Key& k) const { return static_cast<std::size_t>(k.half[0]); }
  };
  struct UnderWay {
    TextPtr text;
    std::vector<Held*> held;
  };

  const Model& Load();
  ModelOptions Wanted() const;
  bool chunks() const { return on_long == "chunk"; }
  void CheckOptions() const;
  void CheckNew(const Schema& in, const std::string& name, const char* option) const;
  std::vector<RowText> ReadRows(const Rows& in, std::int64_t& row, std::int64_t last);
  bool ReadRow(const Rows& in, RowText& text);
  void Tokenize(RowText& text) const;
  void AddRow(const Rows& in, RowText& text, Held& held);
  void AddChunks(const std::string& text, std::int64_t row, Held& held);
  void AddPiece(Piece piece, std::vector<std::uint32_t> ids, Held& held);
  std::optional<std::string> KeyOf(const ArrowArray& batch, std::int64_t row) const;
  std::string RowName(const Rows& in, std::int64_t row) const;
  void Pump(std::chrono::nanoseconds wait);
  void Finish(const TextPtr& text);
  void RejectBroken(Held& held);
  void EmitHeld(Held& held);
  void EmitPieces(const Held& held, std::size_t first, std::size_t last);
  void Report(bool last);

  std::shared_ptr<Model> loaded_;                     // the head's, and its worker's
  Element element_ = Element::kFloat32;
  std::unique_ptr<Engine> engine_;
  std::atomic<Engine*> interruptible_{nullptr};
  std::atomic<bool> stopped_{false};
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<TextOf> text_of_;
  std::vector<TextOf> keys_;
  std::list<Held> held_;
  std::unordered_map<Key, UnderWay, KeyHash> under_way_;
  std::chrono::nanoseconds oldest_{0}, began_{0}, reported_{0};
  bool setting_said_ = false;
  struct {
    std::int64_t texts = 0, tokens = 0, cut_texts = 0, cut_tokens = 0, hits = 0, empty = 0, same = 0, repaired = 0;
    double tokenizing = 0;
  } count_;
};

}  // namespace etl::embed
