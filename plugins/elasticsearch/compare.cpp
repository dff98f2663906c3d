// SPDX-License-Identifier: Apache-2.0
#include "compare.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "http/access.h"

namespace etl::elasticsearch {
namespace {

using simdjson::ondemand::json_type;
using simdjson::ondemand::object;
using simdjson::ondemand::value;

constexpr std::int64_t kLongestExponent = 400;   // a double's is not longer

std::string_view Trimmed(std::string_view token) {
  while (!token.empty() && (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' || token.back() == '\t')) token.remove_suffix(1);
  return token;
}

/// The JSON of any value as it stands.
std::string_view Raw(value v) {
  switch (v.type()) {
    case json_type::object: return object(v.get_object()).raw_json();
    case json_type::array: return simdjson::ondemand::array(v.get_array()).raw_json();
    default: return Trimmed(v.raw_json_token());
  }
}

template <class T>
void PutShortest(double number, std::string& out) {
  char text[40];
  out.append(text, std::to_chars(text, text + sizeof text, static_cast<T>(number)).ptr);
}

/// False for what is no array of numbers and nulls; `out` is then of no use.
template <class T>
bool PutVector(simdjson::ondemand::array items, std::string& out) {
  out = "[";
  for (auto item : items) {
    if (out.size() > 1) out += ',';
    double number = 0;
    if (item.is_null()) out += "null";
    else if (item.type() != json_type::number || item.get_double().get(number)) return false;
    else PutShortest<T>(number, out);
  }
  out += ']';
  return true;
}

/// Big-endian single floats.
bool PutFloats(std::string_view base64, std::string& out) {
  const auto bytes = http::FromBase64(base64);
  if (!bytes || bytes->size() % 4) return false;
  out = "[";
  for (std::size_t i = 0; i < bytes->size(); i += 4) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, bytes->data() + i, sizeof bits);
    bits = __builtin_bswap32(bits);
    float number = 0;
    std::memcpy(&number, &bits, sizeof number);
    if (!std::isfinite(number)) return false;
    if (i) out += ',';
    PutShortest<float>(static_cast<double>(number), out);
  }
  out += ']';
  return true;
}

Type TypeOf(FieldForm form) {
  switch (form) {
    case FieldForm::kJson: case FieldForm::kFloats: case FieldForm::kDoubles: return Json();
    case FieldForm::kBytes: return Binary();
    default: return Utf8();
  }
}

}  // namespace

std::string WithoutExponent(std::string_view number) {
  const std::size_t e = number.find_first_of("eE");
  if (e == number.npos) return std::string(number);
  std::string_view power = number.substr(e + 1), mantissa = number.substr(0, e);
  if (!power.empty() && power[0] == '+') power.remove_prefix(1);
  std::int64_t exponent = 0;
  const auto [end, error] = std::from_chars(power.data(), power.data() + power.size(), exponent);
  if (error != std::errc() || end != power.data() + power.size() || std::abs(exponent) > kLongestExponent) return std::string(number);
  std::string out;
  if (!mantissa.empty() && mantissa[0] == '-') {
    out = "-";
    mantissa.remove_prefix(1);
  }
  const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  std::string digits(mantissa.substr(0, point));
  if (point < mantissa.size()) digits += mantissa.substr(point + 1);
  const std::int64_t whole = static_cast<std::int64_t>(point) + exponent, count = static_cast<std::int64_t>(digits.size());
  if (whole <= 0) return out + "0." + std::string(static_cast<std::size_t>(-whole), '0') + digits;
  if (whole >= count) return out + digits + std::string(static_cast<std::size_t>(whole - count), '0');
  return out + digits.insert(static_cast<std::size_t>(whole), ".");
}

PageReader::PageReader(std::vector<ReadField> fields) : fields_(std::move(fields)), values_(fields_.size()) {
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    if (fields_[i].form == FieldForm::kId) continue;
    Branch* at = &root_;
    for (const std::string& name : fields_[i].path) at = &at->children[name];
    at->fields.push_back(i);
  }
}

Schema PageReader::schema() const {
  Schema schema;
  for (const ReadField& f : fields_) schema.push_back({f.column, TypeOf(f.form), true});
  return schema;
}

void PageReader::ReadValue(value v, FieldForm form, Value& to) {
  const json_type type = v.type();
  to.null = type == json_type::null;
  if (to.null) return;
  const bool floats = form == FieldForm::kFloats || form == FieldForm::kDoubles;
  if (floats && type == json_type::array) {
    simdjson::ondemand::array items = v.get_array();
    if (form == FieldForm::kFloats ? PutVector<float>(items, to.text) : PutVector<double>(items, to.text)) return;
    items.reset();
    to.text = std::string_view(items.raw_json());
    return;
  }
  const std::string_view token = type == json_type::object || type == json_type::array ? Raw(v) : Trimmed(v.raw_json_token());
  std::string_view text;
  // What has half a character in it stands for itself.
  if (type == json_type::string && form != FieldForm::kJson && !v.get_string().get(text)) {
    if (floats) {
      if (!PutFloats(text, to.text)) to.text = token;
    } else if (form == FieldForm::kBytes) {
      to.text = http::FromBase64(text).value_or(std::string(text));
    } else {
      to.text = text;
    }
  } else if (type == json_type::number && form == FieldForm::kScalar) {
    to.text = WithoutExponent(token);
  } else {
    to.text = token;
  }
}

void PageReader::ReadObject(object fields, const Branch& branch) {
  for (auto f : fields) {
    const auto child = branch.children.find(std::string_view(f.unescaped_key()));
    if (child == branch.children.end()) continue;
    const Branch& at = child->second;
    value v = f.value();
    if (!at.children.empty()) {
      if (v.type() == json_type::object) ReadObject(v.get_object(), at);
      continue;
    }
    ReadValue(v, fields_[at.fields[0]].form, values_[at.fields[0]]);
  }
}

void PageReader::ReadHit(object hit, Page& page, Batch& rows) {
  std::string id;
  bool any = false;
  for (Value& v : values_) v.null = true;
  for (auto f : hit) {
    const std::string_view key = f.unescaped_key();
    if (key == "_id") {
      id = std::string_view(f.value().get_string());
    } else if (key == "_source") {
      any = true;
      ReadObject(f.value().get_object(), root_);
    } else if (key == "sort") {
      page.after = std::string_view(simdjson::ondemand::array(f.value().get_array()).raw_json());
    }
  }
  ++page.hits;
  const auto by_id = std::find_if(fields_.begin(), fields_.end(), [](const ReadField& f) { return f.form == FieldForm::kId; });
  if (!any) return page.unreadable.emplace_back(id, "the index keeps no source of it"), void();
  if (by_id != fields_.end() && id.rfind("sha256:", 0) == 0) {
    page.unreadable.emplace_back(id, "its id is a hash, which column \"" + by_id->column + "\" cannot be read from: write that column, too");
    return;
  }
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    if (fields_[i].form == FieldForm::kId) rows[i].Append(id);
    else if (values_[i].null) rows[i].Null();
    else rows[i].Append(values_[i].text);
  }
}

PageReader::Page PageReader::Read(std::string& text, Batch& rows) {
  Page page;
  bool any = false;
  text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  try {
    auto document = parser_.iterate(text.data(), text.size(), text.capacity());
    for (auto f : document.get_object()) {
      const std::string_view key = f.unescaped_key();
      if (key == "pit_id" || key == "_scroll_id") {
        page.context = std::string_view(f.value().get_string());
      } else if (key == "timed_out") {
        page.timed_out = f.value().get_bool();
      } else if (key == "_shards") {
        for (auto s : f.value().get_object()) {
          if (std::string_view(s.unescaped_key()) == "failed") page.failed_shards = s.value().get_int64();
        }
      } else if (key == "hits") {
        for (auto h : f.value().get_object()) {
          const std::string_view what = h.unescaped_key();
          if (what == "total") {
            page.total = h.value().get_object().find_field_unordered("value").get_int64();
          } else if (what == "hits") {
            any = true;
            for (auto hit : h.value().get_array()) ReadHit(hit.get_object(), page, rows);
          }
        }
      }
    }
    if (any && document.current_location().error() == simdjson::OUT_OF_BOUNDS) return page;
  } catch (const simdjson::simdjson_error& e) {
    throw Retry(std::string("reading documents: the reply is not the JSON of a search: ") + e.what());
  }
  throw Retry("reading documents: the reply has no hits");
}

}  // namespace etl::elasticsearch
