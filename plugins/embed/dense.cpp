// SPDX-License-Identifier: Apache-2.0
#include "dense.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "folder_file.h"
#include "model_folder.h"

namespace etl::embed {
namespace {

struct Activation {
  const char* name;
  float (*function)(float);
};
const Activation kActivations[] = {
    {"Tanh", [](float x) { return std::tanh(x); }},
    {"Identity", [](float x) { return x; }},
    {"ReLU", [](float x) { return x > 0 ? x : 0; }},
    {"GELU", [](float x) { return 0.5f * x * (1 + std::erf(x * 0.70710678f)); }},
    {"Sigmoid", [](float x) { return 1 / (1 + std::exp(-x)); }},
};

/// Tensors of 32-bit floats: the length of a JSON header, the header, and what it points to.
class Safetensors {
 public:
  explicit Safetensors(const std::string& path) : path_(path), bytes_(ReadFile(path)) {
    std::uint64_t header = 0;
    if (bytes_.size() >= sizeof header) std::memcpy(&header, bytes_.data(), sizeof header);
    if (header == 0 || header > bytes_.size() - sizeof header) throw ConfigError("model", path_ + " is cut short, or no safetensors file; get it again");
    data_ = sizeof header + static_cast<std::size_t>(header);
    if (parser_.parse(bytes_.data() + sizeof header, static_cast<std::size_t>(header)).get(root_)) throw ConfigError("model", path_ + " is no safetensors file; get it again");
  }
  /// Throws ConfigError unless it is there with so many numbers.
  std::vector<float> Get(const std::string& name, std::size_t count) const {
    simdjson::dom::element tensor;
    std::string_view type;
    std::uint64_t begin = 0, end = 0;
    if (root_[name].get(tensor) || tensor["dtype"].get(type) || tensor["data_offsets"].at(0).get(begin) || tensor["data_offsets"].at(1).get(end)) {
      throw ConfigError("model", path_ + " has no tensor " + name);
    }
    if (type != "F32") throw ConfigError("model", path_ + " has " + name + " as " + std::string(type) + "; F32 can be read");
    if (begin > end || end > bytes_.size() - data_ || end - begin != count * sizeof(float)) {
      throw ConfigError("model", path_ + " has " + name + " in another size than config.json beside it says");
    }
    std::vector<float> numbers(count);
    std::memcpy(numbers.data(), bytes_.data() + data_ + begin, count * sizeof(float));
    return numbers;
  }
  std::string sha256() const { return Sha256(bytes_); }

 private:
  std::string path_, bytes_;
  std::size_t data_ = 0;
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

}  // namespace

Dense ReadDense(const std::string& folder) {
  const Json config(folder + "/config.json");
  const std::int64_t in = config.Get<std::int64_t>("/in_features").value_or(0), out = config.Get<std::int64_t>("/out_features").value_or(0);
  constexpr std::int64_t kMost = 1 << 20;
  if (in < 1 || out < 1 || in > kMost || out > kMost) throw ConfigError("model", config.path() + " does not say in_features and out_features");
  if (config.Get<bool>("/use_residual").value_or(false) || config.Get<std::string_view>("/module_input_name").value_or("sentence_embedding") != "sentence_embedding") {
    throw ConfigError("model", config.path() + " asks for use_residual or for another input than sentence_embedding, which is not supported");
  }
  Dense d;
  const std::string_view type = config.Get<std::string_view>("/activation_function").value_or("torch.nn.modules.activation.Tanh");
  d.activation_name = type.substr(type.rfind('.') + 1);
  for (const Activation& a : kActivations) {
    if (d.activation_name == a.name) d.activation = a.function;
  }
  if (!d.activation) throw ConfigError("model", config.path() + " asks for the activation " + d.activation_name + ", which is not supported");
  const std::string file = folder + "/model.safetensors";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) throw ConfigError("model", "there is no " + file + ": a module Dense is read from that file only");
  const Safetensors tensors(file);
  d.in = static_cast<std::size_t>(in);
  d.out = static_cast<std::size_t>(out);
  d.weight = tensors.Get("linear.weight", d.in * d.out);
  if (config.Get<bool>("/bias").value_or(true)) d.bias = tensors.Get("linear.bias", d.out);
  d.sha256 = tensors.sha256();
  return d;
}

std::vector<float> Apply(const Dense& d, const std::vector<float>& vectors) {
  const std::size_t rows = vectors.size() / d.in;
  std::vector<float> result(rows * d.out);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t o = 0; o < d.out; ++o) {
      const float *a = &vectors[r * d.in], *b = &d.weight[o * d.in];
      float sum = d.bias.empty() ? 0 : d.bias[o];
      for (std::size_t i = 0; i < d.in; ++i) sum += a[i] * b[i];
      result[r * d.out + o] = d.activation(sum);
    }
  }
  return result;
}

std::string DenseFacts(const std::vector<Dense>& all) {
  std::string facts;
  for (const Dense& d : all) facts += "dense " + d.sha256 + " " + d.activation_name + (d.bias.empty() ? " without bias\n" : "\n");
  return facts;
}

}  // namespace etl::embed
