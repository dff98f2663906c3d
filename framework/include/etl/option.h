// SPDX-License-Identifier: Apache-2.0
/// Options: one line a field.  The default is the member's own initial value; parsing, checks, messages, the reference
/// page, the editor schema and redaction come from that line.
///
///   static auto Options() {
///     return etl::Options(etl::Option("path", &Lines::path, "File to read.").Path().Required(),
///                         etl::Option("batch_rows", &Lines::batch_rows, "Most rows in a batch.").Range("1..1000000"));
///   }
///
/// Members may be: bool, integers, double, std::string, std::chrono::nanoseconds (a duration), etl::Bytes (a size),
/// std::vector of these (a list), std::map or std::vector<std::pair<std::string, T>> (free keys), a struct with Options()
/// of its own (a table), std::vector of such structs, and std::optional of any of them (no default).
#pragma once
#include <etl/error.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace etl {
inline namespace v1 {

/// A number of bytes: "8MiB" in the pipeline file.
struct Bytes {
  std::int64_t value = 0;
};

namespace detail {

/// One declared option: the C table, the storage behind it, and how a value gets into the object.
struct Declared {
  etl_option table{};
  std::string def, range;
  std::vector<std::string> choice_texts;
  std::vector<const char*> choices;
  std::vector<std::shared_ptr<Declared>> fields;
  std::vector<const etl_option*> field_tables;
  std::function<void(void* object, const etl_value&)> set;
  Declared() = default;
  Declared(const Declared&) = delete;
};
using DeclaredList = std::vector<std::shared_ptr<Declared>>;

inline void Assign(void* object, const DeclaredList& list, const etl_value* values) {
  for (std::size_t i = 0; i < list.size(); ++i) list[i]->set(object, values[i]);
}

template <class T, class = void>
struct HasOptions : std::false_type {};
template <class T>
struct HasOptions<T, std::void_t<decltype(T::Options())>> : std::true_type {};

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsPairs : std::false_type {};
template <class T>
struct IsPairs<std::vector<std::pair<std::string, T>>> : std::true_type {
  using Item = T;
};
template <class T>
struct IsPairs<std::map<std::string, T>> : std::true_type {
  using Item = T;
};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class T>
constexpr std::uint32_t TypeOf() {
  if constexpr (std::is_same_v<T, bool>) return ETL_BOOL;
  else if constexpr (std::is_integral_v<T>) return ETL_INT;
  else if constexpr (std::is_floating_point_v<T>) return ETL_FLOAT;
  else if constexpr (std::is_same_v<T, std::string>) return ETL_STRING;
  else if constexpr (std::is_same_v<T, std::chrono::nanoseconds>) return ETL_DURATION;
  else if constexpr (std::is_same_v<T, Bytes>) return ETL_BYTES;
  else if constexpr (IsOptional<T>::value) return TypeOf<typename T::value_type>();
  else if constexpr (IsPairs<T>::value) return ETL_MAP;
  else if constexpr (IsVector<T>::value) return ETL_LIST;
  else {
    static_assert(HasOptions<T>::value, "an option's member has a type that options cannot have");
    return ETL_TABLE;
  }
}

template <class T>
const DeclaredList& FieldsOf();  // of a struct with Options()

template <class T>
void SetValue(T& to, const etl_value& v) {
  if constexpr (IsOptional<T>::value) {
    if (v.type) SetValue(to.emplace(), v);
  } else if (!v.type) {
    // not given: the member keeps its initial value
  } else if constexpr (std::is_same_v<T, std::string>) {
    to.assign(v.as.s.ptr, static_cast<std::size_t>(v.as.s.len));
  } else if constexpr (std::is_same_v<T, std::chrono::nanoseconds>) {
    to = std::chrono::nanoseconds(v.as.i);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    to.value = v.as.i;
  } else if constexpr (std::is_floating_point_v<T>) {
    to = static_cast<T>(v.as.f);
  } else if constexpr (std::is_integral_v<T>) {
    to = static_cast<T>(v.as.i);
  } else if constexpr (IsPairs<T>::value) {
    to.clear();
    for (std::uint32_t i = 0; i + 1 < v.count; i += 2) {
      typename IsPairs<T>::Item item{};
      SetValue(item, v.as.items[i + 1]);
      to.insert(to.end(), {std::string(View(v.as.items[i].as.s)), std::move(item)});
    }
  } else if constexpr (IsVector<T>::value) {
    to.clear();
    for (std::uint32_t i = 0; i < v.count; ++i) SetValue(to.emplace_back(), v.as.items[i]);
  } else {
    Assign(&to, FieldsOf<T>(), v.as.items);
  }
}

inline std::string Quoted(const std::string& s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else out += c;
  }
  return out + '"';
}

/// A value as it would be written in TOML; empty = no default.
template <class T>
std::string TomlText(const T& v) {
  if constexpr (std::is_same_v<T, bool>) return v ? "true" : "false";
  else if constexpr (std::is_same_v<T, std::string>) return Quoted(v);
  else if constexpr (std::is_integral_v<T>) return std::to_string(v);
  else if constexpr (std::is_floating_point_v<T>) {
    char text[64];
    std::snprintf(text, sizeof text, "%.17g", static_cast<double>(v));
    for (int digits = 1; digits < 17; ++digits) {  // the shortest that reads back the same
      char shorter[64];
      std::snprintf(shorter, sizeof shorter, "%.*g", digits, static_cast<double>(v));
      if (std::strtod(shorter, nullptr) == static_cast<double>(v)) {
        std::memcpy(text, shorter, sizeof text);
        break;
      }
    }
    std::string s = text;
    if (s.find_first_of(".eni") == std::string::npos) s += ".0";
    return s;
  } else if constexpr (std::is_same_v<T, std::chrono::nanoseconds>) {
    static constexpr std::pair<std::int64_t, const char*> kUnits[] = {
        {3'600'000'000'000, "h"}, {60'000'000'000, "m"}, {1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}};
    const std::int64_t n = v.count();
    for (const auto& [size, unit] : kUnits) {
      if (n && n % size == 0) return "\"" + std::to_string(n / size) + unit + "\"";
    }
    return n ? "\"" + std::to_string(n) + "ns\"" : "\"0s\"";
  } else if constexpr (std::is_same_v<T, Bytes>) {
    static constexpr std::pair<std::int64_t, const char*> kUnits[] = {{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}};
    for (const auto& [size, unit] : kUnits) {
      if (v.value && v.value % size == 0) return "\"" + std::to_string(v.value / size) + unit + "\"";
    }
    return std::to_string(v.value);
  } else if constexpr (IsVector<T>::value && !IsPairs<T>::value) {
    if constexpr (HasOptions<typename T::value_type>::value) return v.empty() ? "[]" : "";
    else {
      std::string out = "[";
      for (const auto& item : v) out += (out.size() > 1 ? ", " : "") + TomlText(item);
      return out + "]";
    }
  } else if constexpr (IsPairs<T>::value) return v.empty() ? "{}" : "";
  else return "";
}

template <class T>
void Describe(Declared& d) {  // the parts that follow from the type
  if constexpr (IsOptional<T>::value) {
    Describe<typename T::value_type>(d);
  } else if constexpr (IsPairs<T>::value) {
    Describe<typename IsPairs<T>::Item>(d);
    d.table.item = TypeOf<typename IsPairs<T>::Item>();
  } else if constexpr (IsVector<T>::value) {
    Describe<typename T::value_type>(d);
    d.table.item = TypeOf<typename T::value_type>();
  } else if constexpr (HasOptions<T>::value) {
    d.fields = FieldsOf<T>();
    for (const auto& f : d.fields) d.field_tables.push_back(&f->table);
    d.field_tables.push_back(nullptr);
    d.table.fields = d.field_tables.data();
  }
}

}  // namespace detail

/// What Option() returns: the declaration, to be refined.
class OptionBuilder {
 public:
  explicit OptionBuilder(std::shared_ptr<detail::Declared> d) : d_(std::move(d)) {}
  OptionBuilder& Required() {
    d_->table.def = nullptr;
    return Flag(ETL_REQUIRED);
  }
  OptionBuilder& Secret() { return Flag(ETL_SECRET); }
  OptionBuilder& Advanced() { return Flag(ETL_ADVANCED); }
  OptionBuilder& Deprecated() { return Flag(ETL_DEPRECATED); }
  /// Changes speed, not rows: not part of what a saved state belongs to.
  OptionBuilder& Tuning() { return Flag(ETL_TUNING); }
  /// Of a table: a bare value stands for its first field.
  OptionBuilder& Short() { return Flag(ETL_SHORT); }
  /// No default, although the member has a value: "not given" leaves the member alone.
  OptionBuilder& NoDefault() {
    d_->table.def = nullptr;
    return *this;
  }
  /// A string, or the items of a list, that name files.
  OptionBuilder& Path() {
    std::uint32_t& type = d_->table.type == ETL_STRING ? d_->table.type : d_->table.item;
    type = ETL_PATH;
    if (d_->def == "\"\"") d_->table.def = nullptr;   // an empty member: not given
    return *this;
  }
  OptionBuilder& Range(const char* range) {
    d_->table.range = range;
    return *this;
  }
  OptionBuilder& Choices(std::vector<std::string> choices) {
    d_->choice_texts = std::move(choices);
    d_->choices.clear();
    for (const std::string& c : d_->choice_texts) d_->choices.push_back(c.c_str());
    d_->choices.push_back(nullptr);
    d_->table.choices = d_->choices.data();
    return *this;
  }
  const std::shared_ptr<detail::Declared>& declared() const { return d_; }

 private:
  OptionBuilder& Flag(std::uint32_t f) {
    d_->table.flags |= f;
    return *this;
  }
  std::shared_ptr<detail::Declared> d_;
};

template <class C, class T>
OptionBuilder Option(const char* name, T C::*member, const char* doc) {
  auto d = std::make_shared<detail::Declared>();
  d->table.size = sizeof(etl_option);
  d->table.type = detail::TypeOf<T>();
  d->table.name = name;
  d->table.doc = doc;
  detail::Describe<T>(*d);
  if constexpr (!detail::IsOptional<T>::value) {
    d->def = detail::TomlText(std::make_unique<C>().get()->*member);
    if (!d->def.empty()) d->table.def = d->def.c_str();
  }
  d->set = [member](void* object, const etl_value& v) { detail::SetValue(static_cast<C*>(object)->*member, v); };
  return OptionBuilder(std::move(d));
}

inline detail::DeclaredList Options() { return {}; }
template <class... More>
detail::DeclaredList Options(const OptionBuilder& first, const More&... more) {
  return {first.declared(), more.declared()...};
}
/// Options of several groups, in order.
inline detail::DeclaredList Join(detail::DeclaredList a, const detail::DeclaredList& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

namespace detail {
template <class T>
const DeclaredList& FieldsOf() {
  static const DeclaredList list = T::Options();
  return list;
}
}  // namespace detail

/// The shared `batch = {rows, bytes, linger}` of sinks: whichever comes first.
struct BatchLimits {
  std::int64_t rows = 10'000;
  Bytes bytes{8 << 20};
  std::chrono::nanoseconds linger{std::chrono::seconds(1)};
  static auto Options() {
    return etl::Options(etl::Option("rows", &BatchLimits::rows, "Most rows.").Range("1..10000000").Tuning(),
                        etl::Option("bytes", &BatchLimits::bytes, "Most bytes.").Range("1KiB..1GiB").Tuning(),
                        etl::Option("linger", &BatchLimits::linger, "Longest wait of the oldest row.")
                            .Range("0s..1h").Tuning());
  }
};

}  // namespace v1
}  // namespace etl
