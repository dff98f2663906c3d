// SPDX-License-Identifier: Apache-2.0
#include "native.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "fault.h"

namespace etl::clickhouse {

bool Input::Fill(std::size_t n) {
  if (at_ && (at_ == buffer_.size() || at_ > 1 << 20)) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  while (Have() < n) {
    if (!more_(buffer_)) return false;
  }
  return true;
}

const char* Input::Peek(std::size_t n) {
  if (Have() < n && !Fill(n)) throw Retry("the reply ends in the middle of a block");
  return buffer_.data() + at_;
}

void Input::Read(char* to, std::size_t n) {
  while (n) {
    if (!Have() && !Fill(1)) throw Retry("the reply ends in the middle of a block");
    const std::size_t piece = std::min(n, Have());
    std::memcpy(to, buffer_.data() + at_, piece);
    at_ += piece;
    to += piece;
    n -= piece;
  }
}

std::uint64_t Input::Varint() {
  std::uint64_t v = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(*Peek(1));
    ++at_;
    v |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return v;
  }
  throw Retry("the reply holds a number that is none");
}

std::string Input::Rest(std::size_t most) {
  while (Have() < most && more_(buffer_)) {
  }
  std::string out = buffer_.substr(at_, most);
  at_ = buffer_.size();
  return out;
}

std::string_view Col::Value(const CType& type, std::int64_t i) const {
  const CType& t = type.form == Form::kNullable ? type.items[0] : type;
  if (!offsets.size()) return {data.data() + i * t.out_width, static_cast<std::size_t>(t.out_width)};
  std::int32_t ends[2];
  std::memcpy(ends, offsets.data() + i * 4, sizeof ends);
  return {data.data() + ends[0], static_cast<std::size_t>(ends[1] - ends[0])};
}

std::int64_t Col::bytes() const {
  auto n = static_cast<std::int64_t>(validity.size() + offsets.size() + data.size());
  for (const Col& c : children) n += c.bytes();
  return n;
}

std::int64_t Page::bytes() const {
  std::int64_t n = 0;
  for (const Col& c : columns) n += c.bytes();
  return n;
}

Col Spares::Take(std::size_t column) {
  const std::lock_guard lock(mutex_);
  if (column >= columns_.size() || columns_[column].empty()) return {};
  Col col = std::move(columns_[column].back());
  columns_[column].pop_back();
  return col;
}

void Spares::Give(std::size_t column, Col&& col) {
  Col empty;
  for (Buffer Col::*const b : {&Col::validity, &Col::offsets, &Col::data}) {
    empty.*b = std::move(col.*b);
    (empty.*b).Truncate(0);
  }
  const std::lock_guard lock(mutex_);
  if (column >= columns_.size()) columns_.resize(column + 1);
  columns_[column].push_back(std::move(empty));
}

namespace {

__extension__ typedef __int128 Int128;

struct Node {
  Col col;
  const void* pointers[3] = {};
  std::vector<ArrowArray*> children;
  std::shared_ptr<Spares> spares;
  std::size_t column = 0;
};

void Release(ArrowArray* a) {
  auto* node = static_cast<Node*>(a->private_data);
  if (node->spares) node->spares->Give(node->column, std::move(node->col));
  for (ArrowArray* c : node->children) {
    if (c->release) c->release(c);
    delete c;
  }
  delete node;
  a->release = nullptr;
}

void Export(Col&& given, const CType& type, std::int64_t rows, ArrowArray* out) {
  const CType& t = type.form == Form::kNullable ? type.items[0] : type;
  auto node = std::make_unique<Node>();
  node->col = std::move(given);
  Col& col = node->col;
  int n = 0;
  const auto add = [&](Buffer& b, bool present) {
    if (present && !b.data()) b.Extend(8);
    node->pointers[n++] = present ? b.data() : nullptr;
  };
  if (t.form != Form::kNothing) add(col.validity, col.has_validity);
  std::int64_t nulls = t.form == Form::kNothing ? rows : col.has_validity ? (rows == col.size ? col.nulls : -1) : 0;
  if (t.form == Form::kArray || t.form == Form::kMap) {
    if (!col.offsets.size()) col.offsets.Push(std::int32_t{0});
    add(col.offsets, true);
  } else if (t.form != Form::kTuple && t.form != Form::kNothing) {
    const bool var = t.arrow.format == "u" || t.arrow.format == "z";
    if (var) {
      if (!col.offsets.size()) col.offsets.Push(std::int32_t{0});
      add(col.offsets, true);
    }
    add(col.data, true);
  }
  for (std::size_t i = 0; i < col.children.size(); ++i) {
    auto child = std::make_unique<ArrowArray>();
    const std::int64_t inner = t.form == Form::kTuple ? rows : col.children[i].size;
    Export(std::move(col.children[i]), t.items[i], inner, child.get());
    node->children.push_back(child.release());
  }
  *out = {rows, nulls, 0, n, static_cast<std::int64_t>(node->children.size()), node->pointers, node->children.data(), nullptr, Release, node.get()};
  node.release();
}

class BlockReader {
 public:
  BlockReader(Input& in, const Caps& caps) : in_(in), caps_(caps) {}

  void Read(const CType& t, Col& c, std::int64_t n) {
    switch (t.form) {
      case Form::kNullable: return ReadNullable(t.items[0], c, n);
      case Form::kArray: case Form::kMap: ReadArray(t, c, n); break;
      case Form::kTuple:
        for (std::size_t i = 0; i < t.items.size(); ++i) Read(t.items[i], c.children[i], n);
        break;
      case Form::kFixed: in_.Read(c.data.Extend(Size(n) * Size(t.width)), Size(n) * Size(t.width)); break;
      case Form::kText: ReadTexts(c, n); break;
      case Form::kNothing: in_.Skip(in_.Peek(Size(n)) ? Size(n) : 0); break;
      case Form::kBool: ReadBools(c, n); break;
      case Form::kWiden: ReadWide(t, c, n); break;
      default: ReadNamed(t, c, n); break;
    }
    if (c.has_validity) Valid(c, nullptr, n);
    c.size += n;
  }

 private:
  static std::size_t Size(std::int64_t n) { return static_cast<std::size_t>(n); }

  void ReadNullable(const CType& item, Col& c, std::int64_t n) {
    std::vector<unsigned char> map(Size(n));
    in_.Read(reinterpret_cast<char*>(map.data()), map.size());
    const bool any = std::find_if(map.begin(), map.end(), [](unsigned char b) { return b != 0; }) != map.end();
    if (any && !c.has_validity && item.form != Form::kNothing) {
      c.has_validity = true;
      Valid(c, nullptr, c.size, 0);
    }
    const bool had = std::exchange(c.has_validity, false);
    const std::int64_t before = c.size;
    Read(item, c, n);
    c.has_validity = had;
    if (had) Valid(c, map.data(), n, before);
  }

  void Valid(Col& c, const unsigned char* null, std::int64_t n) { Valid(c, null, n, c.size); }
  /// Bits for n rows from row `from` on.
  static void Valid(Col& c, const unsigned char* null, std::int64_t n, std::int64_t from) {
    const std::size_t wanted = Size((from + n + 7) / 8);
    if (c.validity.size() < wanted) {
      const std::size_t more = wanted - c.validity.size();
      std::memset(c.validity.Extend(more), 0, more);
    }
    char* bits = c.validity.data();
    for (std::int64_t i = 0; i < n; ++i) {
      if (null && null[i]) ++c.nulls;
      else bits[(from + i) / 8] = static_cast<char>(bits[(from + i) / 8] | 1 << ((from + i) % 8));
    }
  }

  static std::int32_t Begin(Col& c) {
    if (!c.offsets.size()) c.offsets.Push(std::int32_t{0});
    std::int32_t last = 0;
    std::memcpy(&last, c.offsets.data() + c.offsets.size() - 4, 4);
    return last;
  }
  static std::int32_t End(std::size_t size) {
    if (size > 0x7fffffff) throw Fatal("a batch would hold more than 2 GiB in one column; make page_bytes or max_rows_per_request smaller");
    return static_cast<std::int32_t>(size);
  }

  void ReadTexts(Col& c, std::int64_t n) {
    Begin(c);
    auto* ends = c.offsets.Extend(Size(n) * 4);
    std::int64_t i = 0;
    while (i < n) {
      // As many as lie there whole, without a call for each.
      const std::string_view ready = in_.Ready();
      const char *at = ready.data(), *const stop = at + ready.size();
      char* to = c.data.Extend(ready.size());
      char* const begin = to;
      const std::size_t before = c.data.size() - ready.size();
      for (; i < n && at < stop; ++i) {
        std::size_t size = static_cast<unsigned char>(*at), head = 1;
        if (size & 0x80) {
          if (stop - at < 2 || (at[1] & 0x80)) break;   // 16 KiB and more: below
          size = (size & 0x7f) | static_cast<std::size_t>(static_cast<unsigned char>(at[1])) << 7;
          if (size > static_cast<std::size_t>(caps_.row_bytes)) break;
          head = 2;
        }
        if (static_cast<std::size_t>(stop - at) < head + size) break;
        if (size <= 16 && stop - at >= 24) std::memcpy(to, at + head, 16);   // there is room for what lies ready
        else std::memcpy(to, at + head, size);
        to += size;
        at += head + size;
        const std::int32_t end = End(before + static_cast<std::size_t>(to - begin));
        std::memcpy(ends + i * 4, &end, 4);
      }
      c.data.Truncate(before + static_cast<std::size_t>(to - begin));
      in_.Skip(static_cast<std::size_t>(at - ready.data()));
      if (i == n) return;
      const std::uint64_t size = in_.Varint();
      if (size > static_cast<std::uint64_t>(caps_.row_bytes)) throw Fatal("a text has " + std::to_string(size) + " bytes, more than max_row_bytes");
      in_.Read(c.data.Extend(size), size);
      const std::int32_t end = End(c.data.size());
      std::memcpy(ends + i * 4, &end, 4);
      ++i;
    }
  }

  void ReadArray(const CType& t, Col& c, std::int64_t n) {
    const std::int32_t begin = Begin(c);
    std::uint64_t last = 0;
    auto* ends = c.offsets.Extend(Size(n) * 4);
    for (std::int64_t i = 0; i < n; ++i) {
      std::uint64_t end = 0;
      in_.Read(reinterpret_cast<char*>(&end), 8);
      if (end < last || end > 0x7fffffff) throw Retry("the reply holds an array without an end");
      last = end;
      const std::int32_t at = End(end + static_cast<std::uint64_t>(begin));
      std::memcpy(ends + i * 4, &at, 4);
    }
    Read(t.items[0], c.children[0], static_cast<std::int64_t>(last));
  }

  void ReadBools(Col& c, std::int64_t n) {
    const std::size_t wanted = Size((c.size + n + 7) / 8);
    if (c.data.size() < wanted) {
      const std::size_t more = wanted - c.data.size();
      std::memset(c.data.Extend(more), 0, more);
    }
    std::vector<char> values(Size(n));
    in_.Read(values.data(), values.size());
    for (std::int64_t i = 0; i < n; ++i) {
      if (values[Size(i)]) c.data.data()[(c.size + i) / 8] = static_cast<char>(c.data.data()[(c.size + i) / 8] | 1 << ((c.size + i) % 8));
    }
  }

  template <class From, class To>
  static void Widen(const std::vector<char>& from, Col& c, std::int64_t factor) {
    const std::size_t n = from.size() / sizeof(From);
    char* to = c.data.Extend(n * sizeof(To));
    for (std::size_t i = 0; i < n; ++i) {
      From v;
      std::memcpy(&v, from.data() + i * sizeof v, sizeof v);
      auto wide = static_cast<To>(v);
      if (factor != 1 && __builtin_mul_overflow(wide, static_cast<To>(factor), &wide)) {
        throw Fatal("a time lies beyond what its column can hold; select it as text or with a smaller precision");
      }
      std::memcpy(to + i * sizeof wide, &wide, sizeof wide);
    }
  }

  void ReadWide(const CType& t, Col& c, std::int64_t n) {
    std::vector<char> raw(Size(n) * Size(t.width));
    in_.Read(raw.data(), raw.size());
    if (t.width == 2) return Widen<std::uint16_t, std::int32_t>(raw, c, 1);
    if (t.width == 4 && t.out_width == 8) return Widen<std::uint32_t, std::int64_t>(raw, c, t.factor);
    if (t.width == 4) return Widen<std::int32_t, Int128>(raw, c, 1);
    if (t.width == 8 && t.out_width == 8) return Widen<std::int64_t, std::int64_t>(raw, c, t.factor);
    if (t.width == 8) return Widen<std::int64_t, Int128>(raw, c, 1);
    char* to = c.data.Extend(Size(n) * 32);   // 16 to 32
    for (std::int64_t i = 0; i < n; ++i) {
      const bool negative = !t.is_unsigned && (raw[Size(i) * 16 + 15] & 0x80);
      std::memcpy(to + i * 32, raw.data() + i * 16, 16);
      std::memset(to + i * 32 + 16, negative ? 0xff : 0, 16);
    }
  }

  void ReadNamed(const CType& t, Col& c, std::int64_t n) {
    Begin(c);
    std::string text;
    for (std::int64_t i = 0; i < n; ++i) {
      const char* raw = in_.Peek(Size(t.width));
      text.clear();
      Name(t, raw, text);
      in_.Skip(Size(t.width));
      c.data.Append(text.data(), text.size());
      c.offsets.Push(End(c.data.size()));
    }
  }

  static void Name(const CType& t, const char* raw, std::string& out) {
    switch (t.form) {
      case Form::kEnum: {
        std::int64_t v = static_cast<signed char>(raw[0]);
        if (t.width == 2) {
          std::int16_t wide;
          std::memcpy(&wide, raw, 2);
          v = wide;
        }
        const auto at = std::lower_bound(t.names.begin(), t.names.end(), v, [](const auto& e, std::int64_t x) { return e.first < x; });
        if (at != t.names.end() && at->first == v) out = at->second;   // else the zero behind a null
        return;
      }
      case Form::kUuid: {
        static const char kHex[] = "0123456789abcdef";
        for (int i = 0; i < 16; ++i) {   // two little-endian numbers
          const auto b = static_cast<unsigned char>(raw[i < 8 ? 7 - i : 23 - i]);
          if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
          out += kHex[b >> 4];
          out += kHex[b & 15];
        }
        return;
      }
      case Form::kIpv4: {
        std::uint32_t v;
        std::memcpy(&v, raw, 4);
        out = std::to_string(v >> 24) + "." + std::to_string(v >> 16 & 255) + "." + std::to_string(v >> 8 & 255) + "." + std::to_string(v & 255);
        return;
      }
      case Form::kIpv6: {
        char text[INET6_ADDRSTRLEN];
        out = inet_ntop(AF_INET6, raw, text, sizeof text);
        return;
      }
      case Form::kBig: {
        std::uint32_t limbs[8];
        std::memcpy(limbs, raw, 32);
        const bool negative = !t.is_unsigned && (limbs[7] >> 31);
        if (negative) {
          std::uint64_t carry = 1;
          for (std::uint32_t& l : limbs) {
            carry += static_cast<std::uint32_t>(~l);
            l = static_cast<std::uint32_t>(carry);
            carry >>= 32;
          }
        }
        bool any = true;
        while (any) {
          any = false;
          std::uint64_t rest = 0;
          for (int i = 7; i >= 0; --i) {
            rest = rest << 32 | limbs[i];
            limbs[i] = static_cast<std::uint32_t>(rest / 10);
            rest %= 10;
            any |= limbs[i] != 0;
          }
          out += static_cast<char>('0' + rest);
        }
        if (negative) out += '-';
        std::reverse(out.begin(), out.end());
        return;
      }
      default: {
        std::size_t size = Size(t.width);
        while (size && raw[size - 1] == 0) --size;
        out.assign(raw, size);
      }
    }
  }

  Input& in_;
  const Caps& caps_;
};

}  // namespace

void Shape(Col& col, const CType& type) {
  const CType& t = type.form == Form::kNullable ? type.items[0] : type;
  if (t.form != Form::kArray && t.form != Form::kMap && t.form != Form::kTuple) return;
  col.children.resize(t.items.size());
  for (std::size_t i = 0; i < t.items.size(); ++i) Shape(col.children[i], t.items[i]);
}

void Page::Finish(const std::vector<CType>& types, std::size_t count, std::int64_t n, ArrowArray* out) {
  auto node = std::make_unique<Node>();
  for (std::size_t i = 0; i < count; ++i) {
    auto child = std::make_unique<ArrowArray>();
    Export(std::move(columns[i]), types[i], n, child.get());
    auto* exported = static_cast<Node*>(child->private_data);
    exported->spares = spares;
    exported->column = i;
    node->children.push_back(child.release());
  }
  *out = {n, 0, 0, 1, static_cast<std::int64_t>(node->children.size()), node->pointers, node->children.data(), nullptr, Release, node.get()};
  node.release();
  columns.clear();
  rows = 0;
}

void Behead(ArrowArray* batch, std::int64_t n) {
  batch->length -= n;
  for (std::int64_t i = 0; i < batch->n_children; ++i) {
    ArrowArray& c = *batch->children[i];
    c.offset += n;
    c.length -= n;
    if (c.null_count > 0) c.null_count = -1;
  }
}

bool ReadBlock(Input& in, const std::vector<ReadColumn>& columns, const Caps& caps, Page& page) {
  if (in.AtEnd()) return false;
  const auto text = [&] {
    const std::uint64_t size = in.Varint();
    if (size > 1 << 20) return std::string("\0", 1);
    return std::string(in.Peek(size), size);
  };
  // An error behind the rows is text where the next block should begin.  What is read of it stays to be shown.
  std::string head(in.Ready().substr(0, 4096));
  const std::uint64_t count = in.Varint(), rows = in.Varint();
  if (page.columns.empty()) {
    page.columns.resize(columns.size());
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (page.spares) page.columns[i] = page.spares->Take(i);
      Shape(page.columns[i], columns[i].type);
    }
  }
  if (count != columns.size() || rows > static_cast<std::uint64_t>(caps.block_rows)) {
    if (count == 0 && rows == 0) return true;
    ThrowTail(head + (in.Ready().size() < 4096 ? in.Rest(4096) : ""));
  }
  BlockReader reader(in, caps);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::string name;
    try {
      name = text();
    } catch (const Retry&) {   // a short message whose letters are taken for a length
      if (i == 0 && (head.find("Code: ") != std::string::npos || head.find("__exception__") != std::string::npos)) ThrowTail(head);
      throw;
    }
    if (name != columns[i].name) {
      if (i == 0) ThrowTail(head + (head.size() < 4096 ? in.Rest(4096) : ""));
      throw Retry("the reply holds column \"" + name.substr(0, 100) + "\" where \"" + columns[i].name + "\" is due");
    }
    in.Skip(name.size());
    const std::string type = text();
    const std::string& due = columns[i].type.name;
    if (type != due && std::any_of(type.begin(), type.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; })) {
      throw Fatal("the types of the columns come in binary; write settings = {output_format_native_encode_types_in_binary_format = \"0\"}");
    }
    // Clients that say no version of themselves are not told the zone.
    if (type != due && !(type == "DateTime" && due.rfind("DateTime(", 0) == 0)) {
      throw Fatal("column \"" + name + "\" is of type " + type.substr(0, 100) + " now and was " + due + " when the run began; run again");
    }
    in.Skip(type.size());
    try {
      if (rows) reader.Read(columns[i].type, page.columns[i], static_cast<std::int64_t>(rows));
    } catch (const Fatal& e) {
      throw Fatal("column \"" + name + "\": " + e.what());
    }
  }
  page.rows += static_cast<std::int64_t>(rows);
  return true;
}

}  // namespace etl::clickhouse
