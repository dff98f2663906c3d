// SPDX-License-Identifier: Apache-2.0
#include "model_folder.h"

#include <etl/error.h>
#include <openssl/evp.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "folder_file.h"
#include "onnx_file.h"

namespace etl::embed {
namespace {

namespace fs = std::filesystem;
using simdjson::dom::element;

constexpr std::int64_t kLongest = 1 << 20;

std::optional<Pooling> PoolingOf(std::string_view name) {
  for (const Pooling p : {Pooling::kMean, Pooling::kCls, Pooling::kMax, Pooling::kLast}) {
    if (name == Name(p)) return p;
  }
  return {};
}

/// As sentence-transformers writes them: one name or a list of names; before its version 6 a flag for each.
Pooling ReadPooling(const Json& file) {
  static constexpr std::pair<const char*, const char*> kFlags[] = {
      {"/pooling_mode_mean_tokens", "mean"}, {"/pooling_mode_cls_token", "cls"}, {"/pooling_mode_max_tokens", "max"},
      {"/pooling_mode_lasttoken", "lasttoken"}, {"/pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
      {"/pooling_mode_weightedmean_tokens", "weightedmean"}};
  if (!file) return Pooling::kMean;
  std::vector<std::string_view> names;
  simdjson::dom::element mode;
  if (file.root()["pooling_mode"].get(mode)) {
    for (const auto& [key, name] : kFlags) {
      if (file.Get<bool>(key).value_or(false)) names.push_back(name);
    }
    if (names.empty()) return Pooling::kMean;
  } else if (mode.is_array()) {
    for (const element one : simdjson::dom::array(mode)) names.push_back(one.is_string() ? std::string_view(one) : "");
  } else {
    names.push_back(mode.is_string() ? std::string_view(mode) : "");
  }
  if (names.size() > 1) {
    throw ConfigError("pooling", file.path() + " asks for " + std::string(names[0]) + " and " + std::string(names[1]) + " at once, which is not supported");
  }
  const auto pooling = names.empty() ? std::nullopt : PoolingOf(names[0] == "lasttoken" ? "last" : names[0]);
  if (!pooling) {
    throw ConfigError("pooling", file.path() + " asks for the pooling \"" + std::string(names.empty() ? "" : names[0]) + "\", which is not supported; there are mean, cls, max and lasttoken");
  }
  return *pooling;
}

bool Inside(const fs::path& path, const fs::path& folder) {
  const fs::path relative = fs::weakly_canonical(path).lexically_relative(fs::weakly_canonical(folder));
  return !relative.empty() && *relative.begin() != "..";
}

/// What modules.json lists, by the last part of each type: Transformer, Pooling, Dense, Normalize.  Returns the folders of two of them.
struct Places {
  std::string transformer, pooling = "1_Pooling";
};
Places ReadModules(const Json& file, const fs::path& folder, ModelFolder& m) {
  Places places;
  simdjson::dom::array modules;
  if (!file) return places;
  if (file.root().get(modules)) throw ConfigError("model", file.path() + " is no list of modules");
  for (const element module : modules) {
    std::string_view type, path;
    if (module["type"].get(type) || module["path"].get(path)) throw ConfigError("model", file.path() + " has a module without type or path");
    const std::string_view kind = type.substr(type.rfind('.') + 1);
    if (!Inside(folder / path, folder)) throw ConfigError("model", file.path() + " names the folder \"" + std::string(path) + "\", which is outside of the model's");
    if (kind == "Pooling") {
      places.pooling = path;
      std::error_code ignored;
      if (!fs::is_regular_file(folder / path / "config.json", ignored)) {
        throw ConfigError("model", file.path() + " names a module Pooling, but there is no " + (folder / path / "config.json").string());
      }
    } else if (kind == "Normalize") {
      m.normalize = true;
    } else if (kind == "Dense") {
      if (m.normalize) throw ConfigError("model", file.path() + " has a module Dense behind Normalize, which is not supported");
      m.dense.push_back(ReadDense((folder / path).string()));
    } else if (kind == "Transformer") {
      places.transformer = path;   // in older folders 0_Transformer
    } else {
      throw ConfigError("model", file.path() + " names a module " + std::string(kind) + ", which is not supported");
    }
  }
  return places;
}

/// How many tokens the model has positions for; nothing if config.json does not say.
std::optional<std::int64_t> ReadPositions(const Json& config) {
  const auto n = config.Get<std::int64_t>("/max_position_embeddings");
  if (!n) return config.Get<std::int64_t>("/n_positions");
  const std::string_view type = config.Get<std::string_view>("/model_type").value_or("");
  const bool shifted = type.find("roberta") != std::string_view::npos || type == "camembert" || type == "mpnet";  // positions begin behind the padding's
  return *n - (shifted ? 2 : 0);
}

std::int64_t ReadLength(std::optional<std::int64_t> positions, const Json& sentence, const Json& tokenizer) {
  const std::int64_t most = positions.value_or(512);
  if (const auto n = sentence.Get<std::int64_t>("/max_seq_length")) return *n;
  if (const auto n = tokenizer.Get<std::int64_t>("/model_max_length"); n && *n < kLongest) return std::min(*n, most);
  return most;
}

/// The highest number that a tokenizer.json gives a word; 0 if it has no words.
std::uint32_t HighestToken(const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::element vocabulary;
  if (parser.parse(json).at_pointer("/model/vocab").get(vocabulary)) return 0;
  std::uint64_t highest = 0;
  if (simdjson::dom::array words; !vocabulary.get(words)) highest = std::max<std::uint64_t>(words.size(), 1) - 1;
  if (simdjson::dom::object words; !vocabulary.get(words)) {
    for (const auto word : words) {
      std::uint64_t id = 0;
      if (!word.value.get(id)) highest = std::max(highest, id);
    }
  }
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(highest, UINT32_MAX));
}

std::string ReadPrefix(const ModelChoice& choice, const Json& file) {
  if (choice.prefix) return *choice.prefix;
  const std::string name = choice.prompt ? *choice.prompt : std::string(file.Get<std::string_view>("/default_prompt_name").value_or(""));
  if (name.empty()) return {};
  std::string_view text;
  if (!file || file.root()["prompts"][name].get(text)) {
    throw ConfigError("prompt", file.path() + " has no prompt \"" + name + "\"");
  }
  return std::string(text);
}

fs::path FindOnnx(const ModelChoice& choice, const std::string& transformer) {
  const fs::path folder = choice.folder;
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw ConfigError("model", choice.folder + (fs::exists(folder, ignored) ? " is no folder; name the one with model.onnx and tokenizer.json" : " does not exist"));
  }
  std::vector<fs::path> tried = {"model.onnx", "onnx/model.onnx"};
  if (!choice.file.empty()) {
    // By its name: what lies in the Hub's cache is links to somewhere else.
    const fs::path named = fs::path(choice.file).lexically_normal();
    if (named.is_absolute() || *named.begin() == "..") throw ConfigError("file", "\"" + choice.file + "\" leads out of the model's folder");
    tried = {choice.file, "onnx/" + choice.file};
  }
  for (const fs::path& in : {folder, folder / transformer}) {
    for (const fs::path& one : tried) {
      if (fs::is_regular_file(in / one, ignored)) return in / one;
    }
  }
  throw ConfigError(choice.file.empty() ? "model" : "file", "there is no " + tried[0].string() + " and no " + tried[1].string() + " in " + choice.folder);
}

/// Files beside the model's: allowed, inside the folder, and part of what the model is.
std::string CheckExternal(const OnnxFacts& facts, const ModelChoice& choice, const ModelFolder& model) {
  std::string all;
  for (const std::string& location : facts.external) {
    if (!choice.external_data) {
      throw ConfigError("model", model.file + " keeps weights in another file (\"" + location + "\"); if you trust it: allow = [\"external_data\"]");
    }
    const fs::path beside = fs::path(model.file).parent_path();
    if (location.empty() || fs::path(location).is_absolute() || !Inside(beside / location, beside)) {
      throw ConfigError("model", model.file + " names the file \"" + location + "\", which is outside of the model's folder");
    }
    std::error_code ignored;
    if (!fs::is_regular_file(beside / location, ignored)) throw ConfigError("model", model.file + " needs " + (beside / location).string() + ", which is not there");
    all += Sha256(ReadFile(beside / location));
  }
  return all;
}

}  // namespace

const char* Name(Pooling p) {
  static const char* const kNames[] = {"mean", "cls", "max", "last"};
  return kNames[static_cast<int>(p)];
}

std::string Sha256(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int n = 0;
  if (!EVP_Digest(bytes.data(), bytes.size(), digest, &n, EVP_sha256(), nullptr)) throw Fatal("OpenSSL cannot compute SHA-256");
  std::string text;
  for (unsigned int i = 0; i < n; ++i) {
    text += "0123456789abcdef"[digest[i] >> 4];
    text += "0123456789abcdef"[digest[i] & 15];
  }
  return text;
}

std::string HashOf(const ModelFolder& m, const ModelChoice& choice) {
  const std::string is = m.beside.empty() ? Sha256(m.onnx) : Sha256(Sha256(m.onnx) + m.beside);
  std::string wanted = choice.sha256;
  std::transform(wanted.begin(), wanted.end(), wanted.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!wanted.empty() && wanted != is) throw ConfigError("sha256", m.file + (m.beside.empty() ? "" : " with the files that it reads") + " has the SHA-256 " + is + ", not " + wanted);
  return is;
}

ModelFolder ReadModelFolder(const ModelChoice& choice) {
  ModelFolder m;
  const fs::path folder = choice.folder;
  const Places places = ReadModules(Json(folder / "modules.json"), folder, m);
  m.file = FindOnnx(choice, places.transformer).string();
  std::error_code ignored;
  const auto find = [&](const char* name) {
    const fs::path there = folder / places.transformer / name;
    return fs::exists(there, ignored) ? there : folder / name;
  };
  m.tokenizer_file = find("tokenizer.json").string();
  if (!fs::is_regular_file(m.tokenizer_file, ignored)) throw ConfigError("model", "there is no tokenizer.json in " + choice.folder);

  m.onnx = ReadFile(m.file);
  const OnnxFacts facts = ReadOnnx(m.onnx, m.file);
  m.beside = CheckExternal(facts, choice, m);
  if (!facts.domains.empty() && !choice.custom_ops) {
    throw ConfigError("model", m.file + " needs the custom operator " + *facts.domains.begin() + "; if you trust it: allow = [\"custom_ops\"], with its library as custom_ops_library");
  }
  m.tokenizer = ReadFile(m.tokenizer_file);
  m.tokenizer_sha256 = Sha256(m.tokenizer);
  m.highest = HighestToken(m.tokenizer);

  const Json config(find("config.json")), sentence(find("sentence_bert_config.json")), tokenizer(find("tokenizer_config.json"));
  m.lower = sentence.Get<bool>("/do_lower_case").value_or(false);
  m.hidden = config.Get<std::int64_t>("/hidden_size").value_or(0);
  m.pad_id = config.Get<std::int64_t>("/pad_token_id").value_or(0);
  const Json pooled(folder / places.pooling / "config.json");
  m.pooling = choice.pooling ? PoolingOf(*choice.pooling).value() : ReadPooling(pooled);
  m.pool_prefix = pooled.Get<bool>("/include_prompt").value_or(true);
  if (choice.normalize) m.normalize = *choice.normalize;
  const auto positions = ReadPositions(config);
  m.max_tokens = choice.max_tokens ? choice.max_tokens : ReadLength(positions, sentence, tokenizer);
  m.length_said = positions.has_value();
  if (positions && m.max_tokens > *positions) {
    throw ConfigError("max_tokens", std::to_string(m.max_tokens) + " tokens are more than the " + std::to_string(*positions) + " positions that " + config.path() + " gives the model");
  }
  if (m.max_tokens < 1 || m.max_tokens > kLongest) throw ConfigError("max_tokens", "the model's folder gives " + std::to_string(m.max_tokens) + " tokens; say how many it takes");
  const Json whole(folder / "config_sentence_transformers.json");
  m.prefix = ReadPrefix(choice, whole);
  m.kept = std::max<std::int64_t>(0, whole.Get<std::int64_t>("/truncate_dim").value_or(0));
  m.normalize_kept = m.kept && choice.normalize.value_or(false);
  return m;
}

}  // namespace etl::embed
