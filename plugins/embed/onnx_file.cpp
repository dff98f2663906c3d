// SPDX-License-Identifier: Apache-2.0
// ONNX is Protocol Buffers (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto); only its nesting matters here.
#include "onnx_file.h"

#include <etl/error.h>

namespace etl::embed {
namespace {

constexpr int kDeepest = 64;

enum class Message { kModel, kGraph, kNode, kAttribute, kTensor, kSparse, kFunction, kTraining, kEntry, kOther };

/// Which message a field of a message holds.
Message Inside(Message m, std::uint64_t field) {
  switch (m) {
    case Message::kModel:
      return field == 7 ? Message::kGraph : field == 20 ? Message::kTraining : field == 25 ? Message::kFunction : Message::kOther;
    case Message::kGraph: return field == 1 ? Message::kNode : field == 5 ? Message::kTensor : field == 15 ? Message::kSparse : Message::kOther;
    case Message::kNode: return field == 5 ? Message::kAttribute : Message::kOther;
    case Message::kAttribute:
      return field == 5 || field == 10 ? Message::kTensor : field == 6 || field == 11 ? Message::kGraph
             : field == 22 || field == 23 ? Message::kSparse : Message::kOther;
    case Message::kSparse: return field == 1 || field == 2 ? Message::kTensor : Message::kOther;
    case Message::kFunction: return field == 7 ? Message::kNode : field == 11 ? Message::kAttribute : Message::kOther;
    case Message::kTraining: return field == 1 || field == 2 ? Message::kGraph : Message::kOther;
    case Message::kTensor: return field == 13 ? Message::kEntry : Message::kOther;
    default: return Message::kOther;
  }
}

class Walk {
 public:
  Walk(OnnxFacts& facts, const std::string& file) : facts_(facts), file_(file) {}

  bool has_graph = false;

  void Read(Message m, std::string_view in, int depth) {
    if (depth > kDeepest) Broken("nests too deep");
    std::string domain, op, name, key, value;
    bool outside = false;
    while (!in.empty()) {
      const std::uint64_t tag = Number(in), field = tag >> 3;
      switch (tag & 7) {
        case 0: {
          const std::uint64_t n = Number(in);
          if (m == Message::kTensor && field == 14 && n == 1) outside = true;
          break;
        }
        case 1: Bytes(in, 8); break;
        case 5: Bytes(in, 4); break;
        case 2: {
          const std::string_view bytes = Bytes(in, Number(in));
          if (m == Message::kModel && field == 7) has_graph = true;
          if (m == Message::kNode && field == 7) domain = bytes;
          if (m == Message::kNode && field == 4) op = bytes;
          if (m == Message::kFunction && field == 1) name = bytes;
          if (m == Message::kFunction && field == 10) domain = bytes;
          if (m == Message::kEntry) (field == 1 ? key : value) = bytes;
          if (m == Message::kTensor && field == 13) outside = true;
          if (const Message inner = Inside(m, field); inner != Message::kOther) Read(inner, bytes, depth + 1);
          break;
        }
        default: Broken("is cut short, or no ONNX model");
      }
    }
    if (m == Message::kEntry && key == "location") facts_.external.insert(value);
    if (m == Message::kTensor && outside && facts_.external.empty()) facts_.external.insert("");
    if (m == Message::kFunction) functions_.insert(domain + "." + name);
    if (m == Message::kNode && !domain.empty() && domain != "ai.onnx" && domain != "ai.onnx.ml" && domain != "com.microsoft") {
      facts_.domains.insert(domain + "." + op);
    }
  }
  /// What the file itself defines is no operator of others.
  void Finish() {
    for (const std::string& f : functions_) facts_.domains.erase(f);
  }
  [[noreturn]] void Broken(const char* what) const { throw ConfigError("model", file_ + " " + what + "; get it again"); }

 private:
  std::uint64_t Number(std::string_view& in) const {
    std::uint64_t n = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (in.empty()) break;
      const auto byte = static_cast<unsigned char>(in.front());
      in.remove_prefix(1);
      n |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return n;
    }
    Broken("is cut short, or no ONNX model");
  }
  std::string_view Bytes(std::string_view& in, std::uint64_t n) const {
    if (n > in.size()) Broken("is cut short, or no ONNX model");
    const std::string_view bytes = in.substr(0, n);
    in.remove_prefix(n);
    return bytes;
  }

  OnnxFacts& facts_;
  const std::string& file_;
  std::set<std::string> functions_;   // "domain.Name"
};

}  // namespace

OnnxFacts ReadOnnx(std::string_view bytes, const std::string& file) {
  if (bytes.empty()) throw ConfigError("model", file + " is empty; get it again");
  if (bytes.substr(0, 40).find("git-lfs") != std::string_view::npos) {
    throw ConfigError("model", file + " is a pointer of Git LFS and not the model itself; run git lfs pull where it came from");
  }
  OnnxFacts facts;
  Walk walk(facts, file);
  walk.Read(Message::kModel, bytes, 0);
  walk.Finish();
  if (!walk.has_graph) walk.Broken("is no ONNX model: it holds no graph");
  return facts;
}

}  // namespace etl::embed
