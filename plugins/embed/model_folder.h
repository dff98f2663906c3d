// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dense.h"

namespace etl::embed {

/// How the vectors of a text's tokens become one.
enum class Pooling { kMean, kCls, kMax, kLast };
const char* Name(Pooling p);

/// What a pipeline says about a model folder; what is not given is read there.
struct ModelChoice {
  std::string folder, file;                        ///< file: in the folder; empty = model.onnx or onnx/model.onnx
  std::optional<std::string> pooling, prefix, prompt;
  std::optional<bool> normalize;
  std::int64_t max_tokens = 0;                     ///< 0 = the model's own
  std::string sha256;                              ///< as HashOf(); empty = any
  bool external_data = false, custom_ops = false;  ///< allowed
};

/// A sentence model as the Hub lays it out, read and checked.
struct ModelFolder {
  std::string file;              ///< path of the ONNX file
  std::string onnx;              ///< what it holds
  std::string beside;            ///< which files beside it it reads, with their hashes; if any, it must be opened by its path
  std::string tokenizer_file, tokenizer;
  Pooling pooling = Pooling::kMean;
  std::vector<Dense> dense;      ///< behind the pooling, in turn
  bool pool_prefix = true;       ///< the prefix's tokens have a part in the pooling
  std::int64_t unpooled = 0;     ///< tokens at the beginning that have none; counted once there is a tokenizer
  bool normalize = false;
  std::int64_t kept = 0;         ///< numbers of a vector that are kept, the first ones; 0 = all
  bool normalize_kept = false;   ///< scaled after that too: the pipeline says so
  bool lower = false;            ///< texts are lowercased first
  std::int64_t max_tokens = 512; ///< of the model and of the choice, special tokens included
  bool length_said = false;      ///< config.json says how many tokens the model takes, and these are no more
  std::uint32_t highest = 0;     ///< token of the tokenizer's words
  std::int64_t pad_id = 0;
  std::int64_t hidden = 0;       ///< as config.json says; 0 = it does not
  std::string prefix;
  std::string tokenizer_sha256;
};

/// Throws ConfigError that names the file and what is wrong with it.
ModelFolder ReadModelFolder(const ModelChoice& choice);

/// SHA-256 of the model's file; of a model in several files that of their SHA-256, as text, one behind the other: the model's, then the others' by
/// name.  Takes a while.  Throws ConfigError if the model is not the one that was chosen.
std::string HashOf(const ModelFolder& folder, const ModelChoice& choice);

/// Hexadecimal.
std::string Sha256(std::string_view bytes);

}  // namespace etl::embed
