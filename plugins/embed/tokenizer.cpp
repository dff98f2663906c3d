// SPDX-License-Identifier: Apache-2.0
#include "tokenizer.h"

#include <algorithm>

namespace etl::embed {

Tokenizer::Tokenizer(const std::string& json, const std::string& file, bool lower) : file_(file) {
  char why[512] = "";
  handle_.reset(etl_tokenizer_make(json.data(), json.size(), lower, why, sizeof why));
  if (!handle_) throw ConfigError("model", file + " is no tokenizer that can be used: " + why);
  try {
    Call("\xf0\x92\x80\x80", false, false);   // a word of no vocabulary
  } catch (const Fatal& e) {
    throw ConfigError("model", std::string("words that it does not know have no token: ") + e.what());
  }
  // What stands around a text is the same for all texts: seen by the first that has tokens.
  for (const char* text : {"a", "1", ".", "\xe4\xb8\xad"}) {
    const std::vector<Token> bare = Call(text, false, false), full = Call(text, true, false);
    if (bare.empty()) continue;
    const auto same = [](const Token& a, const Token& b) { return a.id == b.id; };
    const auto at = std::search(full.begin(), full.end(), bare.begin(), bare.end(), same);
    if (at == full.end()) throw ConfigError("model", file + " puts special tokens between those of a text, which is not supported");
    for (auto i = full.begin(); i != at; ++i) before_.push_back(i->id);
    for (auto i = at + static_cast<std::ptrdiff_t>(bare.size()); i != full.end(); ++i) behind_.push_back(i->id);
    return;
  }
  throw ConfigError("model", file + " makes no tokens of \"a\", \"1\" and \".\"");
}

std::vector<Token> Tokenizer::Call(std::string_view text, bool special, bool offsets) const {
  struct Taken {
    std::vector<Token> tokens;
    std::string error;
  } taken;
  const auto take = [](void* context, const etl_token* tokens, std::size_t n, const char* error, std::size_t error_size) {
    auto& to = *static_cast<Taken*>(context);
    if (error) to.error.assign(error, error_size);
    else to.tokens.assign(tokens, tokens + n);
  };
  if (!etl_tokenizer_encode(handle_.get(), text.data(), text.size(), special, offsets, &taken, take)) {
    throw Fatal(file_ + " cannot take a text of " + std::to_string(text.size()) + " bytes apart: " + taken.error);
  }
  return std::move(taken.tokens);
}

}  // namespace etl::embed
