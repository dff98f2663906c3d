#include "fault_script.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <utility>

namespace etl::test {
namespace {

using Action = FaultRule::Action;

struct Word {
  std::string text;
  bool quoted = false;
};

struct Verb {
  std::string_view name;
  Action action;
  int numbers;   ///< how many it needs
  int optional;  ///< how many more it takes
  bool directed;
};

constexpr Verb kVerbs[] = {{"pass", Action::kPass, 0, 0, true},
                           {"refuse", Action::kRefuse, 0, 0, false},
                           {"accept_and_close", Action::kAcceptAndClose, 0, 0, false},
                           {"noop", Action::kNoop, 0, 0, false},
                           {"answer", Action::kAnswer, 0, 0, false},
                           {"limit_time", Action::kLimitTime, 1, 0, false},
                           {"swallow_answer_after", Action::kSwallowAnswer, 0, 1, false},
                           {"delay", Action::kDelay, 1, 1, true},
                           {"bandwidth", Action::kBandwidth, 1, 0, true},
                           {"slice", Action::kSlice, 1, 0, true},
                           {"cut_after", Action::kCut, 1, 0, true},
                           {"reset_after", Action::kReset, 1, 0, true},
                           {"slow_close", Action::kSlowClose, 1, 0, true},
                           {"corrupt", Action::kCorrupt, 2, 0, true},
                           {"drop", Action::kDrop, 0, 0, true}};

[[noreturn]] void Wrong(const std::string& what) { throw std::runtime_error(what); }

std::optional<std::uint64_t> Number(std::string_view text) {
  const bool hex = text.starts_with("0x");
  if (hex) text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::uint64_t NeedNumber(std::string_view text) {
  const auto number = Number(text);
  if (!number) Wrong("\"" + std::string(text) + "\" is no number");
  return *number;
}

/// Takes what stands between quotes off the line, which begins after the first of them.
std::string Quoted(std::string_view& line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') {
      line.remove_prefix(i + 1);
      return text;
    }
    if (line[i] != '\\') {
      text += line[i];
      continue;
    }
    if (++i == line.size()) break;
    static constexpr std::string_view kFrom = "rnt0\\\"", kTo("\r\n\t\0\\\"", 6);
    if (const auto at = kFrom.find(line[i]); at != std::string_view::npos) {
      text += kTo[at];
    } else if (line[i] == 'x' && i + 2 < line.size()) {
      text += static_cast<char>(NeedNumber("0x" + std::string(line.substr(i + 1, 2))));
      i += 2;
    } else {
      Wrong(std::string("unknown escape \\") + line[i]);
    }
  }
  Wrong("a text is not closed");
}

std::vector<Word> Words(std::string_view line) {
  std::vector<Word> words;
  for (;;) {
    const std::size_t start = line.find_first_not_of(" \t\r");
    if (start == std::string_view::npos || line[start] == '#') return words;
    line.remove_prefix(start);
    if (line.front() == '"') {
      line.remove_prefix(1);
      words.push_back({Quoted(line), true});
      continue;
    }
    const std::size_t size = std::min(line.find_first_of(" \t\r"), line.size());
    words.push_back({std::string(line.substr(0, size)), false});
    line.remove_prefix(size);
  }
}

void SetWhich(FaultRule& rule, const std::string& which) {
  const std::size_t dash = which.find('-');
  if (which == "*") return;
  if (which.starts_with('%')) {
    rule.every = NeedNumber(which.substr(1));
  } else if (dash == std::string::npos) {
    rule.first = rule.last = NeedNumber(which);
  } else {
    rule.first = NeedNumber(which.substr(0, dash));
    if (dash + 1 < which.size()) rule.last = NeedNumber(which.substr(dash + 1));
  }
  if (rule.first == 0 || rule.every == 0 || rule.first > rule.last)
    Wrong("no connection is \"" + which + "\"");
}

template <typename Enum>
bool TakeOneOf(std::vector<Word>& words,
               const std::vector<std::pair<std::string_view, Enum>>& choices, Enum& into) {
  if (words.empty() || words.front().quoted) return false;
  for (const auto& [name, value] : choices) {
    if (words.front().text != name) continue;
    into = value;
    words.erase(words.begin());
    return true;
  }
  return false;
}

std::string TakeText(std::vector<Word>& words) {
  if (words.empty() || !words.front().quoted) Wrong("a text in double quotes is missing");
  std::string text = std::move(words.front().text);
  words.erase(words.begin());
  return text;
}

void SetNumbers(FaultRule& rule, const Verb& verb, std::vector<Word>& words) {
  std::uint64_t* const places[] = {&rule.amount, &rule.extra};
  for (int i = 0; i < verb.numbers + verb.optional; ++i) {
    const bool is_number = !words.empty() && !words.front().quoted && Number(words.front().text);
    if (!is_number && i < verb.numbers) Wrong(std::string(verb.name) + " needs a number");
    if (!is_number) return;
    *places[i] = NeedNumber(words.front().text);
    words.erase(words.begin());
  }
}

void SetTexts(FaultRule& rule, std::vector<Word>& words) {
  using When = FaultRule::When;
  using Then = FaultRule::Then;
  if (rule.action == Action::kAnswer) {
    if (!TakeOneOf<When>(
            words,
            {{"connect", When::kConnect}, {"data", When::kData}, {"request", When::kRequest}},
            rule.when)) {
      Wrong("answer needs connect, data or request");
    }
    rule.text = TakeText(words);
  }
  if (rule.action == Action::kSwallowAnswer) {
    if (rule.amount == 0) rule.amount = 1;
    bool http = false;
    if (!TakeOneOf<bool>(words, {{"http_request", true}}, http)) {
      rule.text = TakeText(words);
      if (rule.text.empty()) Wrong("the text to wait for is empty");
    }
    TakeOneOf<Then>(words,
                    {{"reset", Then::kReset}, {"close", Then::kClose}, {"hold", Then::kHold}},
                    rule.then);
  }
}

FaultRule ParseRule(std::vector<Word> words) {
  FaultRule rule;
  SetWhich(rule, words.front().text);
  words.erase(words.begin());
  std::pair<bool, bool> direction{true, true};
  using Direction = std::pair<bool, bool>;
  const bool directed = TakeOneOf<Direction>(
      words, {{"up", {true, false}}, {"down", {false, true}}, {"both", {true, true}}}, direction);
  std::tie(rule.up, rule.down) = direction;
  if (words.empty()) Wrong("an action is missing");
  const auto* verb = std::find_if(std::begin(kVerbs), std::end(kVerbs), [&](const Verb& known) {
    return known.name == words.front().text;
  });
  if (verb == std::end(kVerbs)) Wrong("unknown action \"" + words.front().text + "\"");
  if (directed && !verb->directed) Wrong(std::string(verb->name) + " is for the whole connection");
  words.erase(words.begin());
  rule.action = verb->action;
  SetNumbers(rule, *verb, words);
  SetTexts(rule, words);
  if (!words.empty()) Wrong("\"" + words.front().text + "\" is too much");
  const bool must_be_positive = rule.action == Action::kSlice || rule.action == Action::kBandwidth;
  if (must_be_positive && rule.amount == 0) Wrong(std::string(verb->name) + " needs more than 0");
  return rule;
}

}  // namespace

FaultScript ParseFaultScript(std::string_view text) {
  FaultScript script;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    try {
      auto words = Words(line);
      if (words.empty()) continue;
      if (words.front().text != "seed") {
        script.rules.push_back(ParseRule(std::move(words)));
        continue;
      }
      if (words.size() != 2) Wrong("seed needs one number");
      script.seed = NeedNumber(words[1].text);
    } catch (const std::runtime_error& error) {
      throw std::runtime_error("fault script, line " + std::to_string(number) + ": " +
                               error.what());
    }
  }
  return script;
}

}  // namespace etl::test
