// SPDX-License-Identifier: Apache-2.0
#include "model.h"

#include <etl/error.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <map>

#include "folder_file.h"

namespace etl::embed {
namespace {

constexpr std::int64_t kTriedAtMost = 1024;   // tokens: a call of more takes too long to be made just to see

std::string Listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& n : names) text += (text.empty() ? "" : ", ") + n;
  return text;
}

/// What the pipeline itself tells the runtime, for the fingerprint: some of it changes numbers.  Nothing if it tells nothing.
std::string ToldFacts(const ModelOptions& options) {
  std::string facts;
  for (const auto& [name, value] : std::map<std::string, std::string>(options.provider_options.begin(), options.provider_options.end())) {
    facts += "provider option " + name + " " + value + "\n";
  }
  if (!options.custom_ops_library.empty()) facts += "operators " + Sha256(ReadFile(options.custom_ops_library)) + "\n";
  return facts;
}

}  // namespace

std::string Model::ChooseProvider() const {
  const std::vector<std::string> all = runtime_->Providers();
  const auto has = [&](const std::string& p) { return std::find(all.begin(), all.end(), p) != all.end(); };
  std::string wanted = options_.provider;
  if (options_.bf16 && wanted == "auto") wanted = "openvino";
  if (options_.bf16 && wanted != "openvino") throw ConfigError("precision", "bf16 needs the provider openvino, not " + wanted);
  std::error_code ignored;
  const auto beside = [&](const std::string& p) { return std::filesystem::exists(runtime_->LibraryOf(p), ignored); };
  if (wanted == "auto") return has("cuda") && beside("cuda") ? "cuda" : "cpu";
  if (has(wanted) && (wanted == "cpu" || beside(wanted) || beside("shared") == false)) return wanted;
  if (has(wanted) && wanted != "cuda" && wanted != "tensorrt" && wanted != "openvino") return wanted;
  // Those that are libraries beside the runtime's.
  static constexpr std::string_view kLibraries[] = {"cuda", "tensorrt", "openvino", "dnnl", "rocm", "migraphx", "vitisai", "qnn", "cann"};
  if (!has(wanted) && std::find(std::begin(kLibraries), std::end(kLibraries), wanted) == std::end(kLibraries)) {
    throw ConfigError("provider", "there is no provider \"" + wanted + "\" in " + runtime_->path() + " (ONNX Runtime " + runtime_->version() + "); there are auto, " + Listed(all));
  }
  throw ConfigError(options_.bf16 ? "precision" : "provider",
                    "the provider " + wanted + " needs " + std::filesystem::path(runtime_->LibraryOf(wanted)).filename().string() + ", which is not beside " + runtime_->path() + " (ONNX Runtime " + runtime_->version() +
                        ", with " + Listed(all) + "); name a library that has it as runtime");
}

Model::Model(ModelOptions options)
    : options_(std::move(options)), folder_(ReadModelFolder(options_.choice)), runtime_(&Runtime::Load(options_.runtime)), provider_(ChooseProvider()) {
  // Side by side: each takes a good part of what a run over a few texts takes.
  auto hash = std::async(std::launch::async, [this] { return HashOf(folder_, options_.choice); });
  auto tokenizer = std::async(std::launch::async, [this] { return std::make_unique<Tokenizer>(folder_.tokenizer, folder_.tokenizer_file, folder_.lower); });
  if (!options_.choice.sha256.empty()) sha256_ = hash.get();   // what was not asked for is not opened
  first_ = std::make_shared<Session>(options_, folder_, folder_.onnx, *runtime_, provider_, 1);
  if (!folder_.length_said && folder_.max_tokens <= kTriedAtMost) first_->TryLength(static_cast<std::size_t>(folder_.max_tokens));
  if (sha256_.empty()) sha256_ = hash.get();
  tokenizer_ = tokenizer.get();
  for (const Token& t : tokenizer_->Encode(folder_.prefix)) prefix_ids_.push_back(t.id);
  const std::size_t prefix = prefix_ids_.size(), taken = tokenizer_->specials() + prefix, most = static_cast<std::size_t>(folder_.max_tokens);
  if (taken >= most) throw ConfigError("max_tokens", std::to_string(most) + " tokens leave no room for a text beside the " + std::to_string(taken) + " that stand around each");
  if (!folder_.pool_prefix && prefix) folder_.unpooled = static_cast<std::int64_t>(tokenizer_->before().size() + prefix);
  folder_.onnx = {};   // as large as the model itself
  fingerprint_ = Sha256("etl.embed 1\nmodel " + sha256_ + "\ntokenizer " + folder_.tokenizer_sha256 + "\npooling " + Name(folder_.pooling) + "\nnormalize " +
                        (folder_.normalize ? "yes" : "no") + "\nprefix " + folder_.prefix + "\nmax_tokens " + std::to_string(folder_.max_tokens) + "\noutput " +
                        options_.output + "\nprecision " + (options_.bf16 ? "bf16" : "model") + "\n" + (folder_.lower ? "lowercase\n" : "") +
                        (folder_.unpooled ? "prefix not pooled\n" : "") +
                        (folder_.kept ? "first " + std::to_string(folder_.kept) + (folder_.normalize_kept ? " normalized\n" : "\n") : "") + DenseFacts(folder_.dense) + ToldFacts(options_)).substr(0, 32);
}

std::string Model::FingerprintAs(const std::string& element) const {
  return element == "float32" ? fingerprint_ : Sha256(fingerprint_ + "\nelement " + element).substr(0, 32);
}

std::shared_ptr<const Session> Model::Open(int threads) const {
  if (threads == 1) return first_;
  const ModelFolder again = ReadModelFolder(options_.choice);
  if (HashOf(again, options_.choice) != sha256_) throw Fatal(folder_.file + " was changed while it was in use");
  return std::make_shared<Session>(options_, folder_, again.onnx, *runtime_, provider_, threads);
}

}  // namespace etl::embed
