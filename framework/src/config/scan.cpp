#include "scan.h"

#include <fmt/format.h>

#include "utf8.h"

namespace etl::host {
namespace {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  ScanResult Run() {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    while (at_ < text_.size() && !result_.refused) Step();
    if (!result_.refused && !open_.empty() && balanced_)
      Unclosed(open_.front().at, fmt::format("this \"{}\" is never closed", open_.front().bracket));
    return std::move(result_);
  }

 private:
  struct Open {
    char bracket;
    int parts;  // of the key that is being given a value inside it
    Spot at;
  };

  void Refuse(std::string message) { result_.refused = Finding{spot_, std::move(message)}; }
  void Unclosed(Spot at, std::string message) {
    if (!result_.unclosed) result_.unclosed = Finding{at, std::move(message)};
  }

  // Moves over one character; false at the end and at what is not text.
  bool Advance() {
    if (at_ >= text_.size() || result_.refused) return false;
    if (at_ >= kMaxConfigBytes) {
      Refuse("the file is larger than 1 MiB, the most that a pipeline file may have");
      return false;
    }
    const CodePoint point = DecodeAt(text_, at_);
    if (point.length == 0) {
      Refuse(text_.starts_with("\xFF\xFE") || text_.starts_with("\xFE\xFF")
                 ? "the file is UTF-16; save it as UTF-8"
                 : fmt::format("byte 0x{:02x} is not UTF-8; save the file as UTF-8",
                               static_cast<unsigned char>(text_[at_])));
      return false;
    }
    if (point.value == 0) {
      Refuse("a NUL byte stands here; a pipeline file is text, so remove it");
      return false;
    }
    at_ += point.length;
    spot_ = point.value == '\n' ? Spot{spot_.line + 1, 1} : Spot{spot_.line, spot_.column + 1};
    return true;
  }

  void CheckDepth() {
    int depth = header_parts_ + key_parts_ + (in_key_ ? parts_ : 0);
    for (const Open& open : open_) depth += 1 + open.parts;
    if (depth > kMaxConfigDepth)
      Refuse(fmt::format(
          "keys and brackets are nested more than {} deep; a pipeline file needs only a few levels",
          kMaxConfigDepth));
  }

  void Step() {
    const char c = text_[at_];
    switch (c) {
      case '#':
        while (at_ < text_.size() && text_[at_] != '\n')
          if (!Advance()) return;
        return;
      case '"':
      case '\'':
        fresh_ = false;
        return String(c);
      case '\n':
        NewLine();
        break;
      case '.':
        if (in_key_) ++parts_;
        CheckDepth();
        break;
      case '=':
        if (!in_header_) EndKey();
        break;
      case ',':
        if (!open_.empty()) BeginItem();
        break;
      case '[':
      case '{':
        OpenBracket(c);
        break;
      case ']':
      case '}':
        CloseBracket(c);
        break;
      default:
        if (c != ' ' && c != '\t') fresh_ = false;
    }
    Advance();
  }

  void NewLine() {
    if (!open_.empty()) return;
    if (in_header_) header_parts_ = parts_;
    in_header_ = false;
    in_key_ = fresh_ = true;
    parts_ = 1;
    key_parts_ = 0;
  }

  void EndKey() {
    if (!in_key_) return;
    (open_.empty() ? key_parts_ : open_.back().parts) = parts_;
    in_key_ = false;
  }

  void BeginItem() {
    in_key_ = open_.back().bracket == '{';
    open_.back().parts = 0;
    parts_ = 1;
  }

  void OpenBracket(char c) {
    if (open_.empty() && fresh_ && c == '[') {
      in_header_ = true;
      header_parts_ = 0;
      return;
    }
    fresh_ = false;
    if (in_header_) return;
    open_.push_back({c, 0, spot_});
    BeginItem();
    CheckDepth();
  }

  void CloseBracket(char c) {
    if (in_header_) return;
    if (open_.empty() || open_.back().bracket != (c == ']' ? '[' : '{')) {
      balanced_ = false;
      return;
    }
    open_.pop_back();
    in_key_ = false;
  }

  void String(char quote) {
    const Spot begin = spot_;
    const std::string triple(3, quote);
    const bool several = text_.substr(at_).starts_with(triple);
    for (int i = 0; i < (several ? 3 : 1); ++i) Advance();
    while (at_ < text_.size()) {
      if (several ? text_.substr(at_).starts_with(triple) : text_[at_] == quote) {
        for (int i = 0; i < (several ? 3 : 1); ++i) Advance();
        // Up to two quotes may stand right before the closing three.
        for (int i = 0; several && i < 2 && at_ < text_.size() && text_[at_] == quote; ++i)
          Advance();
        return;
      }
      if (!several && text_[at_] == '\n') break;
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n')
        Advance();
      if (!Advance()) return;
    }
    Unclosed(begin,
             fmt::format("this text has no closing {}", several ? triple : std::string(1, quote)));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Spot spot_{1, 1};
  ScanResult result_;
  std::vector<Open> open_;
  int header_parts_ = 0, key_parts_ = 0, parts_ = 1;
  bool fresh_ = true;  // nothing but blanks since the line began
  bool in_key_ = true, in_header_ = false, balanced_ = true;
};

}  // namespace

ScanResult Scan(std::string_view text) { return Scanner(text).Run(); }

}  // namespace etl::host
