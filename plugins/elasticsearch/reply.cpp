// SPDX-License-Identifier: Apache-2.0
#include "reply.h"

namespace etl::elasticsearch {
namespace {

using simdjson::ondemand::field;
using simdjson::ondemand::object;

bool ReadAction(std::string_view word, Action& action) {
  if (word == "index") action = Action::kIndex;
  else if (word == "create") action = Action::kCreate;
  else if (word == "update") action = Action::kUpdate;
  else if (word == "delete") action = Action::kDelete;
  else return false;
  return true;
}

/// A text member, or nothing where it is something else.
std::string_view Text(simdjson::simdjson_result<simdjson::ondemand::value> value) {
  std::string_view text;
  if (value.get_string().get(text)) return {};
  return text;
}

void ReadCause(object cause, std::string_view& reason) {
  for (auto f : cause) {
    if (std::string_view(f.unescaped_key()) == "reason") reason = Text(f.value());
  }
}

void ReadItemError(object error, Item& item) {
  for (auto f : error) {
    const std::string_view key = f.unescaped_key();
    if (key == "type") item.type = Text(f.value());
    else if (key == "reason") item.reason = Text(f.value());
    else if (key == "caused_by") {
      object cause;
      if (!f.value().get_object().get(cause)) ReadCause(cause, item.cause);
    }
  }
  if (item.type.empty()) item.type = "unnamed_exception";
}

}  // namespace

bool ReplyReader::ReadItem(object fields, Item& item) {
  for (auto f : fields) {
    const std::string_view key = f.unescaped_key();
    if (key == "status") {
      std::int64_t status = 0;
      if (f.value().get_int64().get(status)) return false;
      item.status = static_cast<int>(status);
    } else if (key == "_shards") {
      for (auto s : f.value().get_object()) {
        if (std::string_view(s.unescaped_key()) == "failed") item.failed_shards = static_cast<int>(std::int64_t(s.value()));
      }
    } else if (key == "result") {
      const std::string_view result = Text(f.value());
      item.noop = result == "noop";
      item.created = result == "created";
    } else if (key == "error") {
      auto value = f.value();
      object error;
      if (!value.get_object().get(error)) {
        ReadItemError(error, item);
      } else {
        item.type = "unnamed_exception";
        item.reason = Text(value);
      }
    }
  }
  return item.status != 0;
}

const ReplyReader::Bulk& ReplyReader::Read(std::string& text) {
  bulk_.items.clear();
  bulk_.took_ms = -1;
  bulk_.why.clear();
  text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  bool any = false;
  try {
    auto document = parser_.iterate(text.data(), text.size(), text.capacity());
    for (auto f : document.get_object()) {
      const std::string_view key = f.unescaped_key();
      if (key == "took") {
        bulk_.took_ms = f.value();
      } else if (key == "items") {
        any = true;
        for (auto element : f.value().get_array()) {
          Item item;
          bool read = false;
          for (auto named : element.get_object()) {
            if (read || !ReadAction(named.unescaped_key(), item.said) || !ReadItem(named.value().get_object(), item)) {
              bulk_.why = "an item of the reply is none of a bulk request";
              return bulk_;
            }
            read = true;
          }
          if (!read) bulk_.why = "an item of the reply is empty";
          bulk_.items.push_back(item);
        }
      }
    }
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) bulk_.why = "there is something behind the reply's end";
  } catch (const simdjson::simdjson_error& e) {
    bulk_.why = std::string("the reply is not the JSON of a bulk request: ") + e.what();
  }
  if (bulk_.why.empty() && !any) bulk_.why = "the reply has no items";
  return bulk_;
}

ReplyReader::Error ReplyReader::ReadError(std::string& text) {
  Error e;
  try {
    simdjson::dom::parser parser;
    const auto error = parser.parse(text)["error"];
    std::string_view s;
    if (!error["type"].get(s)) e.type = s;
    if (!error["reason"].get(s)) e.reason = s;
    if (!error["caused_by"]["reason"].get(s)) e.reason += ": " + std::string(s);
    if (!error.get(s)) {
      e.type = "unnamed_exception";
      e.reason = s;
    }
  } catch (const simdjson::simdjson_error&) {
    return {};   // not JSON: it has no error of the server's to tell
  }
  return e;
}

}  // namespace etl::elasticsearch
