// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model_folder.h"
#include "runtime.h"
#include "tokenizer.h"

namespace etl::embed {

struct ModelOptions {
  ModelChoice choice;
  std::string runtime, provider = "auto", output;
  std::vector<std::pair<std::string, std::string>> provider_options;
  bool bf16 = false;
  std::string custom_ops_library;
};

/// One batch for the model: texts as tokens, padded to the longest.
struct Padded {
  std::vector<const std::vector<std::uint32_t>*> texts;
  std::size_t longest = 0;
  std::size_t tokens() const { return texts.size() * longest; }
};

/// A session: the model with a number of threads inside each call.  Run() from any thread, also at once.
class Session {
 public:
  /// `onnx`: what the model's file holds.  Throws ConfigError.
  Session(const ModelOptions& options, const ModelFolder& folder, const std::string& onnx, const Runtime& runtime, const std::string& provider, int threads);
  /// One vector for each text, one behind the other.  Throws Fatal.
  std::vector<float> Run(const Padded& batch) const;
  std::int64_t dims() const { return dims_; }
  /// Throws ConfigError if the model takes no text of so many tokens.
  void TryLength(std::size_t tokens) const;

 private:
  std::int64_t Try(const std::vector<std::uint32_t>& ids, const std::string& wrong) const;
  std::vector<float> Pooled(const Padded& batch) const;
  std::vector<float> PooledByLength(const Padded& batch) const;
  void FindInputs(const ModelFolder& folder);
  void FindOutput(const ModelOptions& options, const ModelFolder& folder);

  const ModelFolder* folder_;
  std::unique_ptr<Ort::Session> session_;
  struct Input {
    std::string name;
    enum { kIds, kMask, kTypes, kPositions } kind;
    bool narrow;                       ///< int32 instead of int64
  };
  std::vector<Input> inputs_;
  std::vector<const char*> input_names_;
  std::string output_;
  bool masked_ = false;                ///< there is an input that says what is padding
  bool pooled_ = false;                ///< the output is a vector for each text already
  std::int64_t width_ = 0, whole_ = 0, dims_ = 0;  ///< of the model's vectors, of those behind the dense layers, and of those that come out
};

/// A model that is ready: folder, tokenizer, and sessions as they are asked for.
class Model {
 public:
  explicit Model(ModelOptions options);
  const ModelFolder& folder() const { return folder_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const Runtime& runtime() const { return *runtime_; }
  const std::string& provider() const { return provider_; }
  std::int64_t dims() const { return first_->dims(); }
  /// Most tokens of a text, prefix included: what the special ones leave.
  std::size_t room() const { return static_cast<std::size_t>(folder_.max_tokens) - tokenizer_->specials(); }
  /// Tokens of the prefix by itself.
  const std::vector<std::uint32_t>& prefix_ids() const { return prefix_ids_; }
  /// Of everything that shapes a vector: 32 hexadecimal digits.
  const std::string& fingerprint() const { return fingerprint_; }
  /// Of vectors that leave in that form; float32 is the form of the fingerprint itself.
  std::string FingerprintAs(const std::string& element) const;
  /// With that many threads inside each call.  The one with a single thread is there already.
  std::shared_ptr<const Session> Open(int threads) const;

 private:
  std::string ChooseProvider() const;

  ModelOptions options_;
  ModelFolder folder_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::vector<std::uint32_t> prefix_ids_;
  const Runtime* runtime_;
  std::string provider_, sha256_, fingerprint_;
  std::shared_ptr<const Session> first_;
};

}  // namespace etl::embed
