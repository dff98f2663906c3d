#include "random_data.h"

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "data/build.h"

namespace etl::test {
namespace {

std::atomic<std::int64_t> live{0};

struct Parts {
  std::vector<void*> owned;
  std::vector<const void*> buffers;
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> pointers;
  ArrowArray dictionary{};
};

void Release(ArrowArray* array) {
  auto* parts = static_cast<Parts*>(array->private_data);
  for (void* buffer : parts->owned) std::free(buffer);
  for (ArrowArray& child : parts->children) {
    if (child.release) child.release(&child);
  }
  if (parts->dictionary.release) parts->dictionary.release(&parts->dictionary);
  delete parts;
  array->release = nullptr;
  --live;
}

template <class T>
T At(const void* buffer, std::int64_t i) {
  T value;
  std::memcpy(&value, static_cast<const char*>(buffer) + i * static_cast<std::int64_t>(sizeof(T)),
              sizeof(T));
  return value;
}

bool Bit(const void* bits, std::int64_t i) {
  return (At<unsigned char>(bits, i / 8) >> (i % 8) & 1) != 0;
}

std::string Hex(const void* from, std::int64_t size) {
  std::string text;
  char two[3];
  for (std::int64_t i = 0; i < size; ++i) {
    std::snprintf(two, sizeof two, "%02x", At<unsigned char>(from, i));
    text += two;
  }
  return text;
}

/// Bytes of a value of the fixed formats; 0 for others.
int Width(const std::string& f) {
  static const std::pair<const char*, int> kWidths[] = {
      {"c", 1},   {"C", 1},   {"s", 2},   {"S", 2},   {"i", 4},   {"I", 4},
      {"l", 8},   {"L", 8},   {"e", 2},   {"f", 4},   {"g", 8},   {"tdD", 4},
      {"tdm", 8}, {"tts", 4}, {"ttm", 4}, {"ttu", 8}, {"ttn", 8}, {"tDs", 8},
      {"tDm", 8}, {"tDu", 8}, {"tDn", 8}, {"tiM", 4}, {"tiD", 8}, {"tin", 16}};
  for (const auto& [format, width] : kWidths) {
    if (f == format) return width;
  }
  if (f.rfind("w:", 0) == 0) return std::stoi(f.substr(2));
  if (f.rfind("ts", 0) == 0) return 8;
  if (f.rfind("d:", 0) == 0) {
    const auto last = f.rfind(',');
    return last == f.find(',') ? 16 : std::stoi(f.substr(last + 1)) / 8;
  }
  return 0;
}

std::int64_t Integer(const std::string& f, const void* buffer, std::int64_t i) {
  switch (f[0]) {
    case 'c':
      return At<std::int8_t>(buffer, i);
    case 'C':
      return At<std::uint8_t>(buffer, i);
    case 's':
      return At<std::int16_t>(buffer, i);
    case 'S':
      return At<std::uint16_t>(buffer, i);
    case 'i':
      return At<std::int32_t>(buffer, i);
    case 'I':
      return At<std::uint32_t>(buffer, i);
    default:
      return At<std::int64_t>(buffer, i);
  }
}

int ChildOf(const std::string& format, int type_id) {
  std::string ids = format.substr(4) + ",";
  for (int child = 0; !ids.empty(); ++child) {
    const auto comma = ids.find(',');
    if (std::stoi(ids.substr(0, comma)) == type_id) return child;
    ids.erase(0, comma + 1);
  }
  return -1;
}

std::string FixedText(const std::string& f, const void* buffer, std::int64_t at) {
  const int width = Width(f);
  // Which NaN it is nobody promises.
  if (f == "f" && std::isnan(At<float>(buffer, at))) return "nan";
  if (f == "g" && std::isnan(At<double>(buffer, at))) return "nan";
  if (f == "e" && (At<std::uint16_t>(buffer, at) & 0x7FFF) > 0x7C00) return "nan";
  return width == 0 ? "" : Hex(static_cast<const char*>(buffer) + at * width, width);
}

std::string BytesText(const std::string& f, const ArrowArray& array, std::int64_t at) {
  if (f[0] == 'v') {
    const char* view = static_cast<const char*>(array.buffers[1]) + at * 16;
    const auto size = At<std::int32_t>(view, 0);
    if (size <= 12) return "t" + Hex(view + 4, size);
    const void* text = array.buffers[2 + At<std::int32_t>(view, 2)];
    return "t" + Hex(static_cast<const char*>(text) + At<std::int32_t>(view, 3), size);
  }
  const bool large = f == "U" || f == "Z";
  const auto offset = [&](std::int64_t i) {
    return large ? At<std::int64_t>(array.buffers[1], i) : At<std::int32_t>(array.buffers[1], i);
  };
  return "t" +
         Hex(static_cast<const char*>(array.buffers[2]) + offset(at), offset(at + 1) - offset(at));
}

std::string ListText(const ArrowSchema& schema, const ArrowArray& array, std::int64_t at) {
  const std::string f = schema.format;
  std::int64_t begin = 0, end = 0;
  if (f[1] == 'w') {
    const std::int64_t n = std::stoll(f.substr(3));
    begin = at * n;
    end = begin + n;
  } else {
    begin =
        f == "+L" ? At<std::int64_t>(array.buffers[1], at) : At<std::int32_t>(array.buffers[1], at);
    end = f == "+L" ? At<std::int64_t>(array.buffers[1], at + 1)
                    : At<std::int32_t>(array.buffers[1], at + 1);
  }
  std::string text = "[";
  for (std::int64_t i = begin; i < end; ++i)
    text += RowText(*schema.children[0], *array.children[0], i) + ",";
  return text + "]";
}

}  // namespace

std::int64_t LiveArrays() { return live; }

std::uint64_t Seed() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("ETL_TEST_SEED");
    const std::uint64_t value = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
    std::printf("ETL_TEST_SEED=%llu\n", static_cast<unsigned long long>(value));
    return value;
  }();
  return seed;
}

ArrowArray MakeArray(std::int64_t length, std::int64_t null_count, std::int64_t offset,
                     const std::vector<std::string>& buffers, std::vector<ArrowArray> children) {
  auto parts = std::make_unique<Parts>();
  for (const std::string& bytes : buffers) {
    void* copy = bytes.empty() ? nullptr : std::malloc(bytes.size());
    if (copy) std::memcpy(copy, bytes.data(), bytes.size());
    parts->owned.push_back(copy);
    parts->buffers.push_back(copy);
  }
  parts->children = std::move(children);
  for (ArrowArray& child : parts->children) parts->pointers.push_back(&child);
  ArrowArray array{};
  array.length = length;
  array.null_count = null_count;
  array.offset = offset;
  array.n_buffers = static_cast<std::int64_t>(parts->buffers.size());
  array.n_children = static_cast<std::int64_t>(parts->children.size());
  array.buffers = parts->buffers.data();
  array.children = parts->pointers.data();
  array.release = Release;
  array.private_data = parts.release();
  ++live;
  return array;
}

std::string RowText(const ArrowSchema& schema, const ArrowArray& array, std::int64_t row) {
  const std::string f = schema.format;
  const std::int64_t at = row + array.offset;
  if (f == "n") return "null";
  if (f == "+r") {
    std::int64_t run = 0;
    const ArrowArray& ends = *array.children[0];
    while (Integer(schema.children[0]->format, ends.buffers[1], run + ends.offset) <= at) ++run;
    return RowText(*schema.children[1], *array.children[1], run);
  }
  if (f.rfind("+u", 0) == 0) {
    const int id = At<std::int8_t>(array.buffers[0], at), child = ChildOf(f, id);
    const std::int64_t inner = f[2] == 'd' ? At<std::int32_t>(array.buffers[1], at) : at;
    return std::to_string(id) + ":" +
           RowText(*schema.children[child], *array.children[child], inner);
  }
  if (array.null_count != 0 && array.buffers[0] && !Bit(array.buffers[0], at)) return "null";
  if (schema.dictionary)
    return RowText(*schema.dictionary, *array.dictionary, Integer(f, array.buffers[1], at));
  if (f == "b") return Bit(array.buffers[1], at) ? "true" : "false";
  if (f == "+s") {
    std::string text = "{";
    for (std::int64_t i = 0; i < schema.n_children; ++i) {
      text += RowText(*schema.children[i], *array.children[i], at) + ";";
    }
    return text + "}";
  }
  if (f[0] == '+') return ListText(schema, array, at);
  if (f == "u" || f == "U" || f == "z" || f == "Z" || f[0] == 'v') return BytesText(f, array, at);
  return FixedText(f, array.buffers[1], at);
}

host::SchemaHandle MakeSchema(const Shape& shape) {
  host::data::Field field;
  field.format = shape.format;
  field.name = shape.name;
  if (!shape.metadata.empty()) field.metadata = shape.metadata;
  field.flags = shape.nullable ? ARROW_FLAG_NULLABLE : 0;
  for (const Shape& child : shape.children) field.children.push_back(MakeSchema(child));
  for (const Shape& values : shape.dictionary) field.dictionary = MakeSchema(values);
  host::SchemaHandle out;
  Export(std::move(field), out.out());
  return out;
}

// ---- random arrays ----
namespace {

struct Maker {
  Random& random;
  const Kinds& kinds;

  ArrowArray Make(const Shape& shape, std::int64_t rows);
  ArrowArray Encoded(const Shape& shape, std::int64_t rows);
  ArrowArray Union(const Shape& shape, std::int64_t offset, std::int64_t rows, std::int64_t all);
  ArrowArray Runs(const Shape& shape, std::int64_t offset, std::int64_t rows);
  std::string Validity(const Shape& shape, std::int64_t all);
  std::string Text(bool utf8);
  std::string Fixed(const Shape& shape, std::int64_t all);
  std::vector<std::string> Texts(const Shape& shape, std::int64_t all);
  std::vector<std::string> Views(const Shape& shape, std::int64_t all);
  std::int64_t Offsets(bool large, std::int64_t all, std::string& bytes);
  std::int64_t ANumber();
};

std::string Maker::Text(bool utf8) {
  static const char* kPieces[] = {"a",
                                  "plain words ",
                                  "\"",
                                  "\\",
                                  "\n",
                                  "\x01",
                                  "\x7F",
                                  "é",
                                  "€",
                                  "\xF0\x9F\x98\x80",
                                  "\xED\x9F\xBF",
                                  "\xEF\xBF\xBF",
                                  "\xF4\x8F\xBF\xBF",
                                  "/",
                                  "longer run of plain text, "};
  std::string text;
  for (std::int64_t n = random.Below(random.Chance(20) ? 12 : 4); n > 0; --n)
    text += kPieces[random.Below(15)];
  if (random.Chance(3)) text += '\0';
  const bool any = !utf8 || (kinds.bad_text && random.Chance(30));
  for (std::int64_t n = any ? random.Below(9) : 0; n > 0; --n)
    text += static_cast<char>(random.Below(256));
  return text;
}

std::int64_t Maker::ANumber() {
  const auto bits = static_cast<std::int64_t>(random.Bits());
  switch (random.Below(5)) {
    case 0:
      return 0;
    case 1:
      return random.Chance(50) ? INT64_MIN : INT64_MAX;
    case 2:
      return bits >> 40;
    case 3:
      return -1;
    default:
      return bits;
  }
}

std::string Maker::Validity(const Shape& shape, std::int64_t all) {
  if (!shape.nullable || random.Chance(30)) return {};
  const int null_percent = random.Chance(20) ? 100 : static_cast<int>(random.Below(60));
  std::string bits(static_cast<std::size_t>((all + 7) / 8), '\0');
  for (std::int64_t i = 0; i < all; ++i) {
    if (!random.Chance(null_percent)) {
      bits[static_cast<std::size_t>(i / 8)] =
          static_cast<char>(bits[static_cast<std::size_t>(i / 8)] | 1 << (i % 8));
    }
  }
  return bits;
}

std::string Maker::Fixed(const Shape& shape, std::int64_t all) {
  std::string bytes;
  const auto width = static_cast<std::size_t>(Width(shape.format));
  for (std::int64_t i = 0; i < all && width > 0; ++i) {
    std::string value;
    const std::int64_t first = ANumber();
    value.append(reinterpret_cast<const char*>(&first), 8);
    // The parts of an interval are apart; the upper half of a decimal is most often only the sign.
    const bool wild = random.Chance(50) || shape.format == "tin" || shape.format == "tiD";
    while (value.size() < width) {
      const std::int64_t more = wild ? ANumber() : first >> 63;
      value.append(reinterpret_cast<const char*>(&more), 8);
    }
    bytes += value.substr(0, width);
  }
  return bytes;
}

std::vector<std::string> Maker::Texts(const Shape& shape, std::int64_t all) {
  const bool utf8 = shape.format == "u" || shape.format == "U",
             large = shape.format == "U" || shape.format == "Z";
  std::string bytes = random.Chance(30) ? "unused" : "", offsets;
  for (std::int64_t i = 0; i <= all; ++i) {
    const auto at = static_cast<std::int64_t>(bytes.size());
    const auto small = static_cast<std::int32_t>(at);
    offsets += large ? Bytes(std::vector{at}) : Bytes(std::vector{small});
    if (i < all)
      bytes += shape.metadata.empty() ? Text(utf8)
               : random.Chance(50)    ? "[1,{\"a\":null}]"
                                      : "\"x\"";
  }
  return {offsets, bytes};
}

std::vector<std::string> Maker::Views(const Shape& shape, std::int64_t all) {
  std::vector<std::string> texts(1);
  std::string views;
  for (std::int64_t i = 0; i < all; ++i) {
    const std::string text = Text(shape.format == "vu");
    const auto size = static_cast<std::int32_t>(text.size());
    std::string view = Bytes(std::vector{size});
    if (size <= 12) {
      view += text;
    } else {
      if (random.Chance(20)) texts.emplace_back();
      const auto at = static_cast<std::int32_t>(texts.back().size());
      view +=
          text.substr(0, 4) + Bytes(std::vector{static_cast<std::int32_t>(texts.size() - 1), at});
      texts.back() += text;
    }
    view.resize(16);
    views += view;
  }
  std::vector<std::string> buffers{views};
  std::vector<std::int64_t> sizes;
  for (const std::string& text : texts) {
    buffers.push_back(text);
    sizes.push_back(static_cast<std::int64_t>(text.size()));
  }
  buffers.push_back(Bytes(sizes));
  return buffers;
}

std::int64_t Maker::Offsets(bool large, std::int64_t all, std::string& bytes) {
  std::int64_t at = random.Below(3);
  for (std::int64_t i = 0; i <= all; ++i) {
    bytes += large ? Bytes(std::vector{at}) : Bytes(std::vector{static_cast<std::int32_t>(at)});
    if (i < all) at += random.Below(4);
  }
  return at;
}

ArrowArray Maker::Union(const Shape& shape, std::int64_t offset, std::int64_t rows,
                        std::int64_t all) {
  const bool dense = shape.format[2] == 'd';
  std::vector<ArrowArray> children;
  std::vector<std::int64_t> lengths;
  for (const Shape& child : shape.children) {
    lengths.push_back(dense ? 1 + random.Below(4) : all);
    children.push_back(Make(child, lengths.back()));
  }
  std::vector<std::int8_t> ids;
  std::vector<std::int32_t> places;
  while (static_cast<std::int64_t>(ids.size()) < all) {
    const auto id = static_cast<std::int8_t>(random.Below(10));
    const int child = ChildOf(shape.format, id);
    if (child < 0) continue;
    ids.push_back(id);
    places.push_back(
        static_cast<std::int32_t>(random.Below(lengths[static_cast<std::size_t>(child)] + !dense)));
  }
  std::vector<std::string> buffers{Bytes(ids)};
  if (dense) buffers.push_back(Bytes(places));
  return MakeArray(rows, 0, offset, buffers, std::move(children));
}

ArrowArray Maker::Runs(const Shape& shape, std::int64_t offset, std::int64_t rows) {
  std::string ends;
  std::int64_t end = 0, runs = 0;
  for (; end < offset + rows; ++runs) {
    end += 1 + random.Below(4);
    const std::string bytes = Bytes(std::vector{end});
    ends += bytes.substr(0, static_cast<std::size_t>(Width(shape.children[0].format)));
  }
  return MakeArray(rows, 0, offset, {},
                   {MakeArray(runs, 0, 0, {"", ends}), Make(shape.children[1], runs)});
}

ArrowArray Maker::Encoded(const Shape& shape, std::int64_t rows) {
  const std::int64_t offset = random.Below(4), all = offset + rows, entries = 1 + random.Below(6);
  const std::string validity = Validity(shape, all);
  std::string indexes;
  for (std::int64_t i = 0; i < all; ++i) {
    indexes += Bytes(std::vector{random.Below(entries)})
                   .substr(0, static_cast<std::size_t>(Width(shape.format)));
  }
  ArrowArray array = MakeArray(rows, validity.empty() ? 0 : -1, offset, {validity, indexes});
  auto* parts = static_cast<Parts*>(array.private_data);
  parts->dictionary = Make(shape.dictionary[0], entries);
  array.dictionary = &parts->dictionary;
  return array;
}

ArrowArray Maker::Make(const Shape& shape, std::int64_t rows) {
  const std::string& f = shape.format;
  const std::int64_t offset = random.Chance(50) ? random.Below(12) : 0;
  const std::int64_t all = offset + rows + random.Below(3);
  if (!shape.dictionary.empty()) return Encoded(shape, rows);
  if (f == "n") return MakeArray(rows, rows, offset, {});
  if (f == "+r") return Runs(shape, offset, rows);
  if (f.rfind("+u", 0) == 0) return Union(shape, offset, rows, all);
  const std::string validity = Validity(shape, all);
  std::vector<std::string> buffers{validity};
  std::vector<ArrowArray> children;
  if (f == "b") {
    std::string bits(static_cast<std::size_t>((all + 7) / 8), '\0');
    for (char& eight : bits) eight = static_cast<char>(random.Bits());
    buffers.push_back(bits);
  } else if (f == "u" || f == "U" || f == "z" || f == "Z") {
    for (std::string& buffer : Texts(shape, all)) buffers.push_back(std::move(buffer));
  } else if (f[0] == 'v') {
    for (std::string& buffer : Views(shape, all)) buffers.push_back(std::move(buffer));
  } else if (f == "+s") {
    for (const Shape& child : shape.children) children.push_back(Make(child, all));
  } else if (f.rfind("+w:", 0) == 0) {
    children.push_back(Make(shape.children[0], all * std::stoll(f.substr(3))));
  } else if (f[0] == '+') {
    std::string offsets;
    const std::int64_t items = Offsets(f == "+L", all, offsets);
    buffers.push_back(offsets);
    children.push_back(Make(shape.children[0], items));
  } else {
    buffers.push_back(Fixed(shape, all));
  }
  std::int64_t nulls = 0;
  for (std::int64_t i = 0; !validity.empty() && i < rows; ++i)
    nulls += !Bit(validity.data(), i + offset);
  return MakeArray(rows, random.Chance(30) ? -1 : nulls, offset, buffers, std::move(children));
}

const char* const kSimple[] = {
    "b",    "c",        "C",         "s",       "S",       "i",       "I",
    "l",    "L",        "e",         "f",       "g",       "u",       "U",
    "z",    "Z",        "w:0",       "w:5",     "w:16",    "tdD",     "tdm",
    "tts",  "ttm",      "ttu",       "ttn",     "tss:",    "tsm:UTC", "tsu:Europe/Berlin",
    "tsn:", "tDs",      "tDm",       "tDu",     "tDn",     "tiM",     "tiD",
    "tin",  "d:9,2,32", "d:18,0,64", "d:38,10", "d:20,-3", "d:5,12",  "d:76,40,256",
    "n"};
constexpr int kSimples = sizeof kSimple / sizeof *kSimple;

bool IsUnion(const Shape& shape) {
  if (!shape.dictionary.empty()) return IsUnion(shape.dictionary[0]);
  return shape.format == "+r" ? IsUnion(shape.children[1]) : shape.format.rfind("+u", 0) == 0;
}

/// Any field; what it is made of is simple at depth 0.
Shape RandomField(Random& random, const Kinds& kinds, const std::string& name, int depth) {
  const auto inner = [&](const std::string& of) {
    return RandomField(random, kinds, of, depth - 1);
  };
  const bool nullable = random.Chance(80);
  const std::int64_t pick =
      depth > 0 && random.Chance(60) ? random.Below(kinds.encoded ? 10 : 7) : -1;
  switch (pick) {
    case 0:
      return {"+l", name, {inner("item")}, {}, nullable, ""};
    case 1:
      return {"+L", name, {inner("item")}, {}, nullable, ""};
    case 2:
      return {"+w:" + std::to_string(random.Below(4)), name, {inner("item")}, {}, nullable, ""};
    case 3:
      return {"+s", name, {inner("x"), inner("y \"q\""), inner("x")}, {}, nullable, ""};
    case 4: {
      Shape key{random.Chance(60) ? "u" : "i", "key", {}, {}, false, ""};
      return {"+m", name,     {{"+s", "entries", {key, inner("value")}, {}, false, ""}},
              {},   nullable, ""};
    }
    case 5:
      return {"+us:3,0", name, {inner("a"), inner("b")}, {}, nullable, ""};
    case 6:
      return {"+ud:1,5,2", name, {inner("a"), inner(""), inner("a")}, {}, nullable, ""};
    case 7: {
      static const char* kIndexes[] = {"c", "C", "s", "S", "i", "I", "l", "L"};
      const Shape values = inner("");
      // Spelled out, a union could not be null.
      const bool may_be_null = nullable && !IsUnion(values);
      return {kIndexes[random.Below(8)], name, {}, {values}, may_be_null, ""};
    }
    case 8: {
      static const char* kEnds[] = {"s", "i", "l"};
      return {
          "+r", name, {{kEnds[random.Below(3)], "run_ends", {}, {}, false, ""}, inner("values")},
          {},   true, ""};
    }
    case 9:
      return {random.Chance(50) ? "vu" : "vz", name, {}, {}, nullable, ""};
    default:
      return {kSimple[random.Below(kSimples)], name, {}, {}, nullable, ""};
  }
}

}  // namespace

std::string JsonMetadata() {
  const auto text = [](const std::string& s) {
    return Bytes(std::vector{static_cast<std::int32_t>(s.size())}) + s;
  };
  return Bytes(std::vector{std::int32_t{1}}) + text("ARROW:extension:name") + text("arrow.json");
}

Shape Batch(std::vector<Shape> columns) { return {"+s", "", std::move(columns), {}, false, ""}; }

Shape RandomBatch(Random& random, const Kinds& kinds) {
  std::vector<Shape> columns;
  for (std::int64_t n = 1 + random.Below(5); n > 0; --n) {
    columns.push_back(RandomField(random, kinds, "c" + std::to_string(n), 3));
  }
  return Batch(std::move(columns));
}

Shape EveryType(const Kinds& kinds) {
  std::vector<Shape> columns;
  for (const char* format : kSimple) columns.push_back({format, format, {}, {}, true, ""});
  columns.push_back({"u", "json", {}, {}, true, JsonMetadata()});
  const Shape number{"l", "item", {}, {}, true, ""}, text{"u", "text", {}, {}, true, ""};
  const Shape key{"u", "key", {}, {}, false, ""};
  columns.push_back({"+l", "list", {text}, {}, true, ""});
  columns.push_back({"+L", "large_list", {number}, {}, true, ""});
  columns.push_back({"+w:3", "fixed_list", {{"f", "item", {}, {}, false, ""}}, {}, true, ""});
  columns.push_back({"+s", "struct", {number, text}, {}, true, ""});
  columns.push_back({"+m", "map", {{"+s", "entries", {key, number}, {}, false, ""}}, {}, true, ""});
  columns.push_back({"+us:3,0", "sparse", {number, text}, {}, true, ""});
  columns.push_back({"+ud:0,1", "dense", {number, text}, {}, true, ""});
  if (!kinds.encoded) return Batch(std::move(columns));
  columns.push_back({"C", "dictionary", {}, {text}, true, ""});
  columns.push_back({"vu", "view", {}, {}, true, ""});
  columns.push_back({"vz", "binary_view", {}, {}, true, ""});
  columns.push_back({"+r", "runs", {{"i", "run_ends", {}, {}, false, ""}, text}, {}, true, ""});
  return Batch(std::move(columns));
}

ArrowArray RandomArray(Random& random, const Shape& shape, std::int64_t rows, const Kinds& kinds) {
  return Maker{random, kinds}.Make(shape, rows);
}

}  // namespace etl::test
