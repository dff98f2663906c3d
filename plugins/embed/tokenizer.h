// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/error.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/etl_tokenizer.h"

namespace etl::embed {

using Token = etl_token;

/// A tokenizer.json at work.  Any thread, also at once.
class Tokenizer {
 public:
  /// `file`: how messages name it; `lower`: texts are lowercased first.  Throws ConfigError.
  Tokenizer(const std::string& json, const std::string& file, bool lower = false);
  /// The text's tokens without the special ones around it; `offsets`: with their places in the text.  Throws Fatal.
  std::vector<Token> Encode(std::string_view text, bool offsets = false) const { return Call(text, false, offsets); }
  /// The special tokens before and behind every text.
  const std::vector<std::uint32_t>& before() const { return before_; }
  const std::vector<std::uint32_t>& behind() const { return behind_; }
  std::size_t specials() const { return before_.size() + behind_.size(); }

 private:
  struct Free {
    void operator()(etl_tokenizer* t) const { etl_tokenizer_free(t); }
  };
  std::vector<Token> Call(std::string_view text, bool special, bool offsets) const;

  std::string file_;
  std::unique_ptr<etl_tokenizer, Free> handle_;
  std::vector<std::uint32_t> before_, behind_;
};

}  // namespace etl::embed
