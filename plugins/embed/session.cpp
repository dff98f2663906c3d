// SPDX-License-Identifier: Apache-2.0
#include <etl/error.h>

#include <algorithm>
#include <thread>

#include "model.h"
#include "pool.h"

namespace etl::embed {
namespace {

/// What the library says, in one line.
std::string OneLine(const char* text) {
  std::string line = text;
  line.resize(std::min(line.find('\n'), line.size()));
  return line.substr(0, 500);
}

std::string Upper(std::string s) {
  std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return s;
}

void AddProvider(Ort::SessionOptions& so, const ModelOptions& options, const std::string& provider) {
  std::unordered_map<std::string, std::string> extra(options.provider_options.begin(), options.provider_options.end());
  if (provider == "cpu") return;
  if (provider == "cuda" || provider == "tensorrt") {
    // These two have functions of their own.
    std::vector<const char*> keys, values;
    for (const auto& [k, v] : extra) keys.push_back(k.c_str()), values.push_back(v.c_str());
    const OrtApi& api = Ort::GetApi();
    if (provider == "cuda") {
      OrtCUDAProviderOptionsV2* cuda = nullptr;
      Ort::ThrowOnError(api.CreateCUDAProviderOptions(&cuda));
      const std::unique_ptr<OrtCUDAProviderOptionsV2, void (*)(OrtCUDAProviderOptionsV2*)> owner(cuda, api.ReleaseCUDAProviderOptions);
      if (!keys.empty()) Ort::ThrowOnError(api.UpdateCUDAProviderOptions(cuda, keys.data(), values.data(), keys.size()));
      so.AppendExecutionProvider_CUDA_V2(*cuda);
    } else {
      OrtTensorRTProviderOptionsV2* rt = nullptr;
      Ort::ThrowOnError(api.CreateTensorRTProviderOptions(&rt));
      const std::unique_ptr<OrtTensorRTProviderOptionsV2, void (*)(OrtTensorRTProviderOptionsV2*)> owner(rt, api.ReleaseTensorRTProviderOptions);
      if (!keys.empty()) Ort::ThrowOnError(api.UpdateTensorRTProviderOptions(rt, keys.data(), values.data(), keys.size()));
      so.AppendExecutionProvider_TensorRT_V2(*rt);
    }
    return;
  }
  if (provider == "openvino") {
    extra.emplace("device_type", "CPU");
    extra.emplace("num_streams", std::to_string(std::max(1u, std::thread::hardware_concurrency())));   // calls at once
    if (options.bf16) extra.emplace("load_config", R"({"CPU":{"INFERENCE_PRECISION_HINT":"bf16"}})");
    so.AppendExecutionProvider_OpenVINO_V2(extra);
    return;
  }
  so.AppendExecutionProvider(Upper(provider), extra);
}

}  // namespace

Session::Session(const ModelOptions& options, const ModelFolder& folder, const std::string& onnx, const Runtime& runtime,
                 const std::string& provider, int threads)
    : folder_(&folder) {
  try {
    Ort::SessionOptions so;
    so.SetIntraOpNumThreads(threads);
    so.SetInterOpNumThreads(1);
    so.SetExecutionMode(ORT_SEQUENTIAL);
    so.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
    so.AddConfigEntry("session.set_denormal_as_zero", "1");
    so.AddConfigEntry("session.intra_op.allow_spinning", "0");   // other stages want the cores too
    // Its kernel on the CPU costs three times what the operators that it replaces cost: an int8 model is 1.29 times as fast without.
    if (provider == "cpu") so.AddConfigEntry("optimization.disable_specified_optimizers", "SkipLayerNormFusion");
    if (!options.custom_ops_library.empty()) so.RegisterCustomOpsLibrary(options.custom_ops_library.c_str());
    try {
      AddProvider(so, options, provider);
    } catch (const Ort::Exception& e) {
      throw ConfigError("provider", "the provider " + provider + " cannot be used with " + runtime.path() + ": " + OneLine(e.what()) + runtime.Missing(provider));
    }
    // What was checked is what is run: from memory, unless the model lies in several files.
    if (!folder.beside.empty()) session_ = std::make_unique<Ort::Session>(runtime.env(), folder.file.c_str(), so);
    else session_ = std::make_unique<Ort::Session>(runtime.env(), onnx.data(), onnx.size(), so);
  } catch (const Ort::Exception& e) {
    throw ConfigError("model", folder.file + " cannot be opened: " + OneLine(e.what()));
  }
  FindInputs(folder);
  FindOutput(options, folder);
}

void Session::FindInputs(const ModelFolder& folder) {
  Ort::AllocatorWithDefaultOptions allocator;
  static constexpr std::pair<const char*, decltype(Input::kIds)> kKnown[] = {
      {"input_ids", Input::kIds}, {"attention_mask", Input::kMask}, {"token_type_ids", Input::kTypes}, {"position_ids", Input::kPositions}};
  for (std::size_t i = 0; i < session_->GetInputCount(); ++i) {
    const std::string name = session_->GetInputNameAllocated(i, allocator).get();
    const auto known = std::find_if(std::begin(kKnown), std::end(kKnown), [&](const auto& k) { return name == k.first; });
    if (known == std::end(kKnown)) {
      throw ConfigError("model", folder.file + " has an input \"" + name + "\"; input_ids, attention_mask, token_type_ids and position_ids can be given");
    }
    const Ort::TypeInfo type = session_->GetInputTypeInfo(i);
    const auto tensor = type.GetTensorTypeAndShapeInfo();
    const auto element = tensor.GetElementType();
    if (element != ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 && element != ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32) {
      throw ConfigError("model", folder.file + " wants its input \"" + name + "\" in another type than int64 or int32");
    }
    const std::vector<std::int64_t> shape = tensor.GetShape();
    if (shape.size() != 2) {
      throw ConfigError("model", folder.file + " wants its input \"" + name + "\" with " + std::to_string(shape.size()) + " dimensions; [batch, sequence] can be given");
    }
    if (shape[0] > 0 || shape[1] > 0) {
      throw ConfigError("model", folder.file + " takes its input \"" + name + "\" in one fixed shape only; export it with dynamic axes for batch and sequence");
    }
    inputs_.push_back({name, known->second, element == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32});
  }
  if (std::none_of(inputs_.begin(), inputs_.end(), [](const Input& i) { return i.kind == Input::kIds; })) {
    throw ConfigError("model", folder.file + " has no input \"input_ids\": it is no model of texts");
  }
  masked_ = std::any_of(inputs_.begin(), inputs_.end(), [](const Input& i) { return i.kind == Input::kMask; });
  for (const Input& i : inputs_) input_names_.push_back(i.name.c_str());
}

void Session::FindOutput(const ModelOptions& options, const ModelFolder& folder) {
  Ort::AllocatorWithDefaultOptions allocator;
  std::string names;
  for (std::size_t i = 0; i < session_->GetOutputCount() && output_.empty(); ++i) {
    const std::string name = session_->GetOutputNameAllocated(i, allocator).get();
    names += (names.empty() ? "" : ", ") + name;
    if (!options.output.empty() && name != options.output) continue;
    const Ort::TypeInfo type = session_->GetOutputTypeInfo(i);
    if (type.GetONNXType() != ONNX_TYPE_TENSOR) continue;
    const auto tensor = type.GetTensorTypeAndShapeInfo();
    const std::vector<std::int64_t> shape = tensor.GetShape();
    if (tensor.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || (shape.size() != 3 && shape.size() != 2)) continue;
    output_ = name;
    pooled_ = shape.size() == 2;
  }
  if (output_.empty()) {
    throw ConfigError("model", folder.file + " gives no float vectors " + (options.output.empty() ? "" : "as \"" + options.output + "\" ") +
                                   "of [batch, sequence, width] or [batch, width]; its outputs are " + names);
  }
  // The shape in the file may leave the width open: one real text says it, and whether the model knows the tokenizer's words.
  width_ = Try({folder.highest}, folder.tokenizer_file + " has words up to the number " + std::to_string(folder.highest) + ", which the model does not know; they do not belong together");
  const std::string gives = folder.file + " gives vectors of " + std::to_string(width_) + " numbers, but ";
  if (!pooled_ && folder.hidden > 0 && width_ != folder.hidden) throw ConfigError("model", gives + "config.json says hidden_size " + std::to_string(folder.hidden));
  if (pooled_ && options.choice.pooling) throw ConfigError("pooling", "has no effect: the output \"" + output_ + "\" of " + folder.file + " is one vector for each text already");
  whole_ = width_;
  for (const Dense& d : folder.dense) {
    if (pooled_) break;
    if (whole_ != static_cast<std::int64_t>(d.in)) throw ConfigError("model", gives + "a module Dense takes " + std::to_string(d.in));
    whole_ = static_cast<std::int64_t>(d.out);
  }
  dims_ = folder.kept ? std::min(folder.kept, whole_) : whole_;
}

/// Width of the vector of a text that the model should take; throws ConfigError(`wrong`) if it takes another, but not that one.
std::int64_t Session::Try(const std::vector<std::uint32_t>& ids, const std::string& wrong) const {
  const std::vector<std::uint32_t> plain = {0};
  try {
    return static_cast<std::int64_t>(Pooled({{&ids}, ids.size()}).size());
  } catch (const Fatal& e) {
    Pooled({{&plain}, 1});
    throw ConfigError("model", wrong + " (" + e.what() + ")");
  }
}

void Session::TryLength(std::size_t tokens) const {
  Try(std::vector<std::uint32_t>(tokens, 0), folder_->file + " takes no text of " + std::to_string(tokens) + " tokens; say by max_tokens how many it takes");
}

std::vector<float> Session::Run(const Padded& batch) const {
  std::vector<float> vectors = masked_ ? Pooled(batch) : PooledByLength(batch);
  if (!pooled_) {
    for (const Dense& d : folder_->dense) vectors = Apply(d, vectors);
  }
  const auto whole = static_cast<std::size_t>(whole_), dims = static_cast<std::size_t>(dims_);
  if (folder_->normalize) {
    for (std::size_t at = 0; at < vectors.size(); at += whole) Normalize(&vectors[at], whole);
  }
  if (dims == whole) return vectors;
  // As sentence-transformers does: what is left of a vector of length 1 is shorter, unless it is asked for again.
  const std::size_t rows = vectors.size() / whole;
  for (std::size_t r = 0; r < rows; ++r) {
    std::copy_n(&vectors[r * whole], dims, &vectors[r * dims]);
    if (folder_->normalize_kept) Normalize(&vectors[r * dims], dims);
  }
  vectors.resize(rows * dims);
  return vectors;
}

/// A model without an attention mask takes padding for text: texts of one length only go together.
std::vector<float> Session::PooledByLength(const Padded& batch) const {
  std::vector<float> vectors;
  for (std::size_t first = 0, last = 0; first < batch.texts.size(); first = last) {
    Padded same;
    same.longest = batch.texts[first]->size();
    for (; last < batch.texts.size() && batch.texts[last]->size() == same.longest; ++last) same.texts.push_back(batch.texts[last]);
    const std::vector<float> some = Pooled(same);
    vectors.insert(vectors.end(), some.begin(), some.end());
  }
  return vectors;
}

std::vector<float> Session::Pooled(const Padded& batch) const {
  const std::size_t rows = batch.texts.size(), longest = batch.longest;
  const std::int64_t shape[2] = {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(longest)};
  const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  std::vector<std::vector<std::int64_t>> wide(inputs_.size());
  std::vector<std::vector<std::int32_t>> narrow(inputs_.size());
  std::vector<Ort::Value> values;
  const auto fill = [&](const Input& input, auto& to) {
    using T = typename std::decay_t<decltype(to)>::value_type;
    to.assign(rows * longest, input.kind == Input::kIds ? static_cast<T>(folder_->pad_id) : T{0});
    for (std::size_t r = 0; r < rows; ++r) {
      const std::vector<std::uint32_t>& ids = *batch.texts[r];
      for (std::size_t t = 0; t < ids.size(); ++t) {
        T& at = to[r * longest + t];
        if (input.kind == Input::kIds) at = static_cast<T>(ids[t]);
        if (input.kind == Input::kMask) at = 1;
        if (input.kind == Input::kPositions) at = static_cast<T>(t);
      }
    }
    values.push_back(Ort::Value::CreateTensor<T>(memory, to.data(), to.size(), shape, 2));
  };
  try {
    for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i].narrow ? fill(inputs_[i], narrow[i]) : fill(inputs_[i], wide[i]);
    const char* const output = output_.c_str();
    const std::vector<Ort::Value> out = session_->Run(Ort::RunOptions{nullptr}, input_names_.data(), values.data(), values.size(), &output, 1);
    const std::vector<std::int64_t> got = out[0].GetTensorTypeAndShapeInfo().GetShape();
    const bool as_promised = pooled_ ? got.size() == 2 : got.size() == 3 && got[1] == shape[1];
    if (!as_promised || got[0] != shape[0] || got.back() < 1 || (width_ && got.back() != width_)) {
      throw Fatal(folder_->file + " gave another shape than it should for " + std::to_string(rows) + " texts");
    }
    const auto dims = static_cast<std::size_t>(got.back());
    const float* from = out[0].GetTensorData<float>();
    std::vector<float> vectors(rows * dims);
    for (std::size_t r = 0; r < rows; ++r) {
      float* to = &vectors[r * dims];
      const std::size_t tokens = batch.texts[r]->size(), left_out = std::min(static_cast<std::size_t>(folder_->unpooled), tokens ? tokens - 1 : 0);
      if (pooled_) std::copy_n(from + r * dims, dims, to);
      else Pool(folder_->pooling, from + (r * longest + left_out) * dims, tokens - left_out, dims, to);
    }
    return vectors;
  } catch (const Ort::Exception& e) {
    throw Fatal(folder_->file + " failed on " + std::to_string(rows) + " texts of up to " + std::to_string(longest) + " tokens: " + OneLine(e.what()));
  }
}

}  // namespace etl::embed
