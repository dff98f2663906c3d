#include "harness.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "../config/utf8.h"
#include "../error.h"
#include "loader.h"

namespace etl::host {
namespace {

constexpr unsigned char kGuard = 0xa5;

template <std::size_t N>
bool Terminated(const char (&text)[N]) {
  return std::memchr(text, 0, N) != nullptr;
}

bool Declared(const Component& component, std::string_view option) {
  const std::string_view first = option.substr(0, option.find_first_of(".["));
  for (const etl_option* const* one = component.table.options; *one; ++one)
    if (first == (*one)->name) return true;
  return false;
}

}  // namespace

const Plugin& CheckRun::Load() const {
  try {
    return LoadPlugin(path, true);
  } catch (const Error& error) {
    throw CheckFailed(error.what());
  }
}

std::string NameOf(const Component& component) { return fmt::format("{} \"{}\"", KindName(component.kind), component.table.type); }

std::string ForEach(CheckRun& run, const std::vector<Kind>& kinds, const std::function<void(const Component&)>& body) {
  std::vector<std::string> failed, skipped;
  int ran = 0;
  for (const auto& component : run.Load().components) {
    if (!kinds.empty() && std::find(kinds.begin(), kinds.end(), component->kind) == kinds.end()) continue;
    try {
      if (!component->unavailable.empty()) throw CheckSkipped(component->unavailable);
      body(*component);
      ++ran;
    } catch (const CheckFailed& failure) {
      const std::string text = failure.what(), name = NameOf(*component);
      failed.push_back(text.starts_with(name) ? text : name + ": " + text);
    } catch (const CheckSkipped& skip) {
      skipped.push_back(NameOf(*component) + ": " + skip.what());
    }
  }
  if (!failed.empty()) throw CheckFailed(fmt::format("{}", fmt::join(failed, "; ")));
  if (!ran) throw CheckSkipped(skipped.empty() ? "no component of that kind" : fmt::format("{}", fmt::join(skipped, "; ")));
  return skipped.empty() ? std::string() : fmt::format("not run for {}", fmt::join(skipped, "; "));
}

ErrorBox::ErrorBox() {
  std::memset(&box_, 0, sizeof box_);
  std::memset(box_.behind, kGuard, sizeof box_.behind);
  box_.error.size = sizeof box_.error;
}

std::string ErrorBox::message() const {
  return std::string(box_.error.message, ::strnlen(box_.error.message, sizeof box_.error.message));
}

void ErrorBox::Verify(const std::string& call, etl_status status, const Component& component) const {
  const etl_error& error = box_.error;
  const auto fail = [&](const std::string& what) { throw CheckFailed(fmt::format("{}() {}", call, what)); };
  if (std::any_of(std::begin(box_.behind), std::end(box_.behind), [](unsigned char c) { return c != kGuard; }))
    fail("writes behind the error that it was lent");
  if (error.size != sizeof error) fail("changes the size of the error that it was lent");
  if (!Terminated(error.message) || !Terminated(error.option)) fail("leaves an error text without its end");
  if (status >= 0) return;
  if (error.message[0] == 0 && status != ETL_UNSUPPORTED) fail(fmt::format("says {} without a message", status));
  if (!IsUtf8(error.message) || !IsUtf8(error.option)) fail("gives an error text that is not UTF-8");
  if (status == ETL_CONFIG && !Declared(component, error.option))
    fail(fmt::format("blames the option \"{}\", which it does not have, with \"{}\"", error.option, error.message));
}

// ---- option values ----

InstanceValues::InstanceValues(CheckRun& run, const Component& component) {
  ++run.instances;
  if (run.options.values) given_ = run.options.values(component, run.folder);
  std::size_t i = 0;
  for (const etl_option* const* option = component.table.options; *option; ++option, ++i) {
    if (given_)
      values_.push_back(given_->data()[i]);
    else if ((*option)->flags & ETL_REQUIRED)
      values_.push_back(Make(run, component, **option, (*option)->type, nullptr, 0));
    else
      values_.push_back(arena_.Default(**option));
  }
  values_.emplace_back();  // data() is never null
}

InstanceValues::InstanceValues(CheckRun& run, const Component& component, std::mt19937_64& random) {
  ++run.instances;
  for (const etl_option* const* option = component.table.options; *option; ++option) {
    const bool given = ((*option)->flags & ETL_REQUIRED) || random() % 2;
    values_.push_back(given ? Make(run, component, **option, (*option)->type, &random, 0) : arena_.Default(**option));
  }
  values_.emplace_back();
}

etl_value InstanceValues::Make(CheckRun& run, const Component& component, const etl_option& option, std::uint32_t type,
                               std::mt19937_64* random, int depth) {
  const auto pick = [&](std::uint64_t n) { return random ? (*random)() % n : 0; };
  etl_value value{};
  value.type = type;
  if (type == ETL_LIST || type == ETL_MAP || type == ETL_TABLE) {
    std::vector<etl_value> items;
    if (type == ETL_TABLE) {
      for (const etl_option* const* field = option.fields; *field; ++field) {
        const bool given = ((*field)->flags & ETL_REQUIRED) || pick(2);
        items.push_back(given ? Make(run, component, **field, (*field)->type, random, depth + 1) : arena_.Default(**field));
      }
    }
    for (std::uint64_t i = 0, n = random ? pick(4) : 1; type != ETL_TABLE && i < n; ++i) {
      if (type == ETL_MAP) {
        items.emplace_back();
        items.back().type = ETL_STRING;
        items.back().as.s = arena_.Keep(fmt::format("key{}", i));
      }
      items.push_back(Make(run, component, option, option.item, random, depth + 1));
    }
    value.count = static_cast<std::uint32_t>(items.size());
    value.as.items = arena_.Keep(std::move(items));
    return value;
  }
  if (option.choices && *option.choices && (type == ETL_STRING || type == ETL_PATH)) {
    std::uint64_t n = 0;
    while (option.choices[n]) ++n;
    value.as.s = arena_.Keep(option.choices[pick(n)]);
    return value;
  }
  if (type == ETL_BOOL) {
    value.as.i = static_cast<std::int64_t>(pick(2));
  } else if (type == ETL_STRING) {
    static const char* const kTexts[] = {"example", "", "two words", "gr\xc3\xb6\xc3\x9f" "er; \"quoted\"", "-", "0"};
    value.as.s = arena_.Keep(kTexts[pick(std::size(kTexts))]);
  } else if (type == ETL_PATH) {
    const std::string file = fmt::format("{}/file{}.txt", run.folder, run.instances);
    if (component.kind != Kind::kSink) std::ofstream(file) << "id,name\n1,one\n2,two\n";
    value.as.s = arena_.Keep(file);
  } else {
    const OptionRange range = RangeOf(option);
    const double low = range.low.value_or(range.high ? std::min(*range.high, 0.0) : type == ETL_DURATION ? 1e9 : 1);
    const double high = range.high.value_or(low + 1000), part = random ? static_cast<double>(pick(1001)) / 1000 : 0;
    const double number = low + (high - low) * part;
    if (type == ETL_FLOAT)
      value.as.f = number;
    else
      value.as.i = static_cast<std::int64_t>(std::floor(std::min(number, 9.2e18)));
  }
  return value;
}

bool InstanceValues::SetSecrets(const Component& component, const std::string& text) {
  bool any = false;
  const std::function<void(const etl_option&, etl_value&)> visit = [&](const etl_option& option, etl_value& value) {
    if ((option.flags & ETL_SECRET) && (option.type == ETL_STRING || option.type == ETL_PATH)) {
      value = {};
      value.type = option.type;
      value.as.s = arena_.Keep(text);
      any = true;
    } else if (option.type == ETL_TABLE && value.type == ETL_TABLE) {
      std::vector<etl_value> items(value.as.items, value.as.items + value.count);
      for (std::size_t i = 0; i < items.size() && option.fields[i]; ++i) visit(*option.fields[i], items[i]);
      value.as.items = arena_.Keep(std::move(items));
    }
  };
  for (std::size_t i = 0; component.table.options[i]; ++i) visit(*component.table.options[i], values_[i]);
  return any;
}

// ---- session ----

Session::Session(CheckRun& run, const Component& component, FakeHost::Table table)
    : run_(run), component_(component), table_(table), host_(table), values_(run, component) {}

Session::Session(CheckRun& run, const Component& component, InstanceValues values)
    : run_(run), component_(component), table_(FakeHost::Table::kExact), host_(table_), values_(std::move(values)) {}

Session::~Session() { Destroy(); }

etl_status Session::Create() {
  const etl_status status =
      Call("create", [&](etl_error* error) { return table().create(host_.table(), values_.data(), &self_, error); });
  if (status < 0) self_ = nullptr;
  return status;
}

void Session::CreateOrSkip() {
  if (Create() < 0) throw CheckSkipped("create() says \"" + message_ + "\"; give options that work with --options");
}

Session::Worker& Session::Start() {
  Worker& worker = *workers_.emplace_back(std::make_unique<Worker>());
  worker.host = std::make_unique<FakeHost>(table_);
  Must("start", [&](etl_error* error) { return table().start(self_, worker.host->table(), &worker.self, error); });
  return worker;
}

void Session::Stop(Worker& worker) {
  if (worker.self) table().stop(worker.self);
  worker.self = nullptr;
}

void Session::Destroy() {
  for (const auto& worker : workers_) Stop(*worker);
  if (self_) table().destroy(self_);
  self_ = nullptr;
}

std::string Session::Said() const {
  std::string all = errors_ + host_.Said();
  for (const auto& worker : workers_) all += worker->host->Said();
  return all;
}

}  // namespace etl::host
