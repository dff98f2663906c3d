#include "sample_batches.h"

#include <etl/json.h>
#include <sys/mman.h>

#include <cstring>
#include <memory>
#include <stdexcept>

#include "../data/build.h"

namespace etl::host {
namespace {

struct Column {
  const char* name;
  const char* format;
  bool nullable = true;
};

constexpr Column kSmall[] = {{"id", "l", false}, {"name", "u", false}};
constexpr Column kUsual[] = {{"id", "l", false}, {"name", "u"}, {"score", "g"}, {"ok", "b"}, {"at", "tsu:UTC"}};
constexpr Column kFlat[] = {{"id", "l", false}, {"name", "u"},    {"i8", "c"},       {"u8", "C"},        {"i16", "s"},
                            {"u16", "S"},       {"i32", "i"},     {"u32", "I"},      {"u64", "L"},       {"f32", "f"},
                            {"f64", "g"},       {"ok", "b"},      {"long_text", "U"}, {"bytes", "z"},    {"long_bytes", "Z"},
                            {"day", "tdD"},     {"ms_day", "tdm"}, {"t_s", "tts"},   {"t_us", "ttu"},    {"ts_s", "tss:"},
                            {"ts_ns", "tsn:UTC"}, {"took", "tDu"}, {"price", "d:12,2"}};
constexpr Column kWide[] = {{"id", "l", false}, {"name", "u"},  {"half", "e"},       {"nothing", "n"},  {"fixed", "w:5"},
                            {"huge", "d:50,6,256"}, {"vector", "+w:3"}, {"list", "+l"}, {"long_list", "+L"}, {"record", "+s"}};

template <std::size_t N>
SchemaHandle Describe(const Column (&columns)[N]) {
  const auto leaf = [](const char* name, const char* format, bool nullable) {
    data::Field field;
    field.format = format;
    field.name = name;
    field.flags = nullable ? ARROW_FLAG_NULLABLE : 0;
    return field;
  };
  data::Field top;
  top.format = "+s";
  for (const Column& column : columns) {
    data::Field field = leaf(column.name, column.format, column.nullable);
    SchemaHandle child;
    if (field.format.starts_with("+w")) data::Export(leaf("item", "f", false), child.out());
    if (field.format == "+l" || field.format == "+L") data::Export(leaf("item", "u", true), child.out());
    if (field.format == "+s") data::Export(leaf("part", "l", true), child.out());
    if (child) field.children.push_back(std::move(child));
    SchemaHandle made;
    data::Export(std::move(field), made.out());
    top.children.push_back(std::move(made));
  }
  SchemaHandle out;
  data::Export(std::move(top), out.out());
  return out;
}

/// An array before it is laid into memory.
struct Draft {
  std::int64_t length = 0, null_count = 0;
  std::vector<std::string> buffers;  ///< an empty first one: no validity
  std::vector<Draft> children;
};

std::uint64_t Mix(std::uint64_t x) {
  x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15u;
  return (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
}

template <class T>
void Append(std::string& buffer, T value) {
  buffer.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void SetBit(std::string& bits, std::int64_t at, bool on) {
  if (bits.size() <= static_cast<std::size_t>(at / 8)) bits.push_back('\0');
  if (on) bits[static_cast<std::size_t>(at / 8)] = static_cast<char>(bits[static_cast<std::size_t>(at / 8)] | (1 << (at % 8)));
}

/// Width of the values of a type in bytes; 0: not of one width.
std::size_t WidthOf(std::string_view format) {
  if (format.starts_with("w:")) return std::stoul(std::string(format.substr(2)));
  if (format.starts_with("d:")) return format.ends_with(",256") ? 32 : 16;
  if (format.starts_with("ts") || format.starts_with("tD")) return 8;
  if (format == "tdD" || format == "tts" || format == "ttm" || format == "i" || format == "I" || format == "f") return 4;
  if (format == "c" || format == "C") return 1;
  if (format == "s" || format == "S" || format == "e") return 2;
  if (format == "tdm" || format == "ttu" || format == "ttn" || format == "l" || format == "L" || format == "g") return 8;
  return 0;
}

void PutFixed(std::string_view format, std::uint64_t random, std::string& out) {
  const auto small = static_cast<std::int64_t>(random % 2000) - 1000;
  const std::int64_t second_of_day = static_cast<std::int64_t>(random % 86'400), year = 1'600'000'000;
  if (format == "f") return Append(out, static_cast<float>(small) / 8);
  if (format == "g") return Append(out, static_cast<double>(small) / 1024);
  if (format == "e") return Append<std::uint16_t>(out, static_cast<std::uint16_t>(0x3c00 + random % 512));
  if (format == "tts") return Append(out, static_cast<std::int32_t>(second_of_day));
  if (format == "ttu") return Append(out, second_of_day * 1'000'000 + 17);
  if (format == "tdD") return Append(out, static_cast<std::int32_t>(small + 18'000));
  if (format == "tdm") return Append(out, (small + 18'000) * 86'400'000);
  if (format.starts_with("tss")) return Append(out, year + small);
  if (format.starts_with("tsu")) return Append(out, (year + small) * 1'000'000 + 5);
  if (format.starts_with("tsn")) return Append(out, (year + small) * 1'000'000'000 + 7);
  const std::size_t width = WidthOf(format);
  std::string bytes(width, small < 0 && format.front() != 'w' ? '\xff' : '\0');
  std::memcpy(bytes.data(), &small, std::min(width, sizeof small));
  out += bytes;
}

std::string TextOf(std::uint64_t random) {
  static const char* const kTexts[] = {"", "a", "plain words", "tab\tand \"quotes\", a comma", "two\nlines", "gr\xc3\xbc\xc3\x9f"
                                       "e \xe2\x82\xac \xf0\x9f\x98\x80", "a longer text that fits into no short-string buffer"};
  return kTexts[random % std::size(kTexts)];
}

class Maker {
 public:
  Maker(std::int64_t first, std::int64_t rows, bool nulls) : first_(first), rows_(rows), nulls_(nulls) {}

  Draft Top(const ArrowSchema& schema) const {
    Draft top;
    top.length = rows_;
    top.buffers.resize(1);
    for (std::int64_t i = 0; i < schema.n_children; ++i) top.children.push_back(Make(*schema.children[i], i, first_, rows_));
    return top;
  }

 private:
  Draft Make(const ArrowSchema& field, std::int64_t column, std::int64_t first, std::int64_t rows) const {
    const std::string_view format = field.format;
    Draft draft;
    draft.length = rows;
    if (format == "n") {
      draft.null_count = rows;
      return draft;
    }
    draft.buffers.resize(1);
    const bool with_nulls = nulls_ && (field.flags & ARROW_FLAG_NULLABLE);
    for (std::int64_t i = 0; with_nulls && i < rows; ++i) {
      const bool null = Random(first + i, column) % 7 == 3;
      SetBit(draft.buffers[0], i, !null);
      draft.null_count += null;
    }
    Fill(field, column, first, rows, draft);
    return draft;
  }

  void Fill(const ArrowSchema& field, std::int64_t column, std::int64_t first, std::int64_t rows, Draft& draft) const {
    const std::string_view format = field.format;
    const std::int64_t inner = column * 31 + 1000;
    if (format == "+s") {
      draft.children.push_back(Make(*field.children[0], inner, first, rows));
    } else if (format.starts_with("+w:")) {
      const std::int64_t size = std::stoll(std::string(format.substr(3)));
      draft.children.push_back(Make(*field.children[0], inner, first * size, rows * size));
    } else if (format == "+l") {
      FillList<std::int32_t>(field, inner, first, rows, draft);
    } else if (format == "+L") {
      FillList<std::int64_t>(field, inner, first, rows, draft);
    } else if (format == "u" || format == "z") {
      FillTexts<std::int32_t>(column, first, rows, draft);
    } else if (format == "U" || format == "Z") {
      FillTexts<std::int64_t>(column, first, rows, draft);
    } else if (format == "b") {
      std::string& bits = draft.buffers.emplace_back();
      for (std::int64_t i = 0; i < rows; ++i) SetBit(bits, i, Random(first + i, column) & 1);
    } else {
      std::string& values = draft.buffers.emplace_back();
      for (std::int64_t i = 0; i < rows; ++i) {
        if (column == 0)
          Append(values, first + i);  // "id": no two rows are the same
        else
          PutFixed(format, Random(first + i, column), values);
      }
    }
  }

  template <class Offset>
  void FillTexts(std::int64_t column, std::int64_t first, std::int64_t rows, Draft& draft) const {
    std::string offsets, bytes;
    Append<Offset>(offsets, 0);
    for (std::int64_t i = 0; i < rows; ++i) {
      bytes += TextOf(Random(first + i, column));
      Append(offsets, static_cast<Offset>(bytes.size()));
    }
    draft.buffers.push_back(std::move(offsets));
    draft.buffers.push_back(std::move(bytes));
  }

  /// Row r has r % 4 items, so that the items of any range of rows are a range of items.
  template <class Offset>
  void FillList(const ArrowSchema& field, std::int64_t inner, std::int64_t first, std::int64_t rows, Draft& draft) const {
    const auto items_before = [](std::int64_t row) { return row / 4 * 6 + (row % 4) * (row % 4 - 1) / 2; };
    std::string& offsets = draft.buffers.emplace_back();
    const std::int64_t begin = items_before(first);
    for (std::int64_t i = 0; i <= rows; ++i) Append(offsets, static_cast<Offset>(items_before(first + i) - begin));
    draft.children.push_back(Make(*field.children[0], inner, begin, items_before(first + rows) - begin));
  }

  static std::uint64_t Random(std::int64_t row, std::int64_t column) {
    return Mix(static_cast<std::uint64_t>(row) * 1000003u + static_cast<std::uint64_t>(column) + 1) >> 7;
  }

  std::int64_t first_, rows_;
  bool nulls_;
};

/// One mapping for all the buffers of a batch; the last of its arrays unmaps it.
struct Memory {
  char* base = nullptr;
  std::size_t size = 0, used = 0;
  explicit Memory(std::size_t bytes) : size((bytes + 8191) & ~std::size_t{4095}) {
    void* mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    base = static_cast<char*>(mapped);
  }
  ~Memory() { ::munmap(base, size); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
};

constexpr std::size_t Room(std::size_t bytes) { return ((bytes + 63) & ~std::size_t{63}) + 64; }

std::size_t RoomOf(const Draft& draft) {
  std::size_t sum = 0;
  for (const std::string& buffer : draft.buffers) sum += Room(buffer.size());
  for (const Draft& child : draft.children) sum += RoomOf(child);
  return sum;
}

struct Held {
  std::shared_ptr<Memory> memory;
  std::vector<const void*> buffers;
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> pointers;
};

void ReleaseHeld(ArrowArray* array) {
  auto* held = static_cast<Held*>(array->private_data);
  for (ArrowArray& child : held->children)
    if (child.release) child.release(&child);
  array->release = nullptr;
  delete held;
}

class Layer {
 public:
  Layer(std::shared_ptr<Memory> memory, Shape shape) : memory_(std::move(memory)), shape_(shape) {}

  /// `cut`: rows at the front that the shape hides behind an offset.
  void Lay(const Draft& draft, int depth, std::int64_t cut, ArrowArray* out) {
    auto held = std::make_unique<Held>();
    held->memory = memory_;
    for (std::size_t i = 0; i < draft.buffers.size(); ++i)
      held->buffers.push_back(i == 0 && draft.buffers[i].empty() ? nullptr : Place(draft.buffers[i]));
    held->children.resize(draft.children.size());
    for (std::size_t i = 0; i < draft.children.size(); ++i) {
      Lay(draft.children[i], depth + 1, cut, &held->children[i]);
      held->pointers.push_back(&held->children[i]);
    }
    const bool cuts = (shape_ == Shape::kOffset && depth == 0) || (shape_ == Shape::kColumnOffset && depth == 1);
    *out = {};
    out->offset = cuts ? cut : 0;
    out->length = draft.length - (cuts || (shape_ == Shape::kColumnOffset && depth == 0) ? cut : 0);
    out->null_count = draft.null_count == 0 ? 0 : cuts && depth == 1 ? NullsAfter(draft, cut) : draft.null_count;
    if (shape_ == Shape::kUnknownNulls && !draft.buffers.empty()) out->null_count = -1;
    out->n_buffers = static_cast<std::int64_t>(held->buffers.size());
    out->buffers = held->buffers.data();
    out->n_children = static_cast<std::int64_t>(held->pointers.size());
    out->children = held->pointers.data();
    out->release = ReleaseHeld;
    out->private_data = held.release();
  }

 private:
  static std::int64_t NullsAfter(const Draft& draft, std::int64_t cut) {
    if (draft.buffers.empty()) return draft.length - cut;
    std::int64_t nulls = 0;
    for (std::int64_t i = cut; i < draft.length; ++i)
      nulls += ((draft.buffers[0][static_cast<std::size_t>(i / 8)] >> (i % 8)) & 1) == 0;
    return nulls;
  }

  const void* Place(const std::string& buffer) {
    char* at = memory_->base + memory_->used + (shape_ == Shape::kShifted ? 8 : 0);
    std::memcpy(at, buffer.data(), buffer.size());
    memory_->used += Room(buffer.size());
    return at;
  }

  std::shared_ptr<Memory> memory_;
  Shape shape_;
};

}  // namespace

std::string_view ShapeName(Shape shape) {
  switch (shape) {
    case Shape::kPlain: return "plain buffers";
    case Shape::kOffset: return "a batch with an offset";
    case Shape::kColumnOffset: return "columns with offsets";
    case Shape::kUnknownNulls: return "null_count -1";
    case Shape::kShifted: return "buffers at odd multiples of 8";
    case Shape::kReadOnly: return "read-only buffers";
  }
  return {};
}

std::vector<std::string_view> SampleSchemaNames() { return {"wide", "flat", "usual", "small"}; }

SchemaHandle SampleSchema(std::string_view name) {
  if (name == "wide") return Describe(kWide);
  if (name == "flat") return Describe(kFlat);
  if (name == "usual") return Describe(kUsual);
  return Describe(kSmall);
}

void SampleBatch(const ArrowSchema& schema, std::int64_t first, std::int64_t rows, bool nulls, Shape shape, ArrowArray* out) {
  const std::int64_t cut = shape == Shape::kOffset || shape == Shape::kColumnOffset ? std::min<std::int64_t>(first, 5) : 0;
  const Draft draft = Maker(first - cut, rows + cut, nulls).Top(schema);
  auto memory = std::make_shared<Memory>(RoomOf(draft));
  Layer(memory, shape).Lay(draft, 0, cut, out);
  if (shape == Shape::kReadOnly && ::mprotect(memory->base, memory->size, PROT_READ) != 0)
    throw std::runtime_error("pages cannot be made read-only");
}

std::vector<std::string> RowTexts(const ArrowSchema& schema, const ArrowArray& array) {
  JsonWriter writer(schema, JsonOptions::Exact());
  std::vector<std::string> rows(static_cast<std::size_t>(array.length));
  for (std::int64_t i = 0; i < array.length; ++i) writer.Row(array, i, rows[static_cast<std::size_t>(i)]);
  return rows;
}

}  // namespace etl::host
