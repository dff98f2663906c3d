#include <doctest/doctest.h>
#include <etl/json.h>

#include <limits>

#include "random_data.h"

namespace etl::test {
namespace {

const std::uint64_t kSeed = Seed();

/// The values of a column, each as JSON.
std::string Written(const Shape& column, ArrowArray array, const JsonOptions& options = {}) {
  const host::SchemaHandle schema = MakeSchema(Batch({column}));
  const std::int64_t rows = array.length;
  const Holder batch(MakeArray(rows, 0, 0, {""}, {array}));
  JsonWriter writer(*schema, options);
  std::string all;
  for (std::int64_t row = 0; row < rows; ++row) {
    if (row > 0) all += ' ';
    writer.Value(0, batch.array, row, all);
  }
  std::string rows_text;
  writer.Rows(batch.array, 0, rows, rows_text);
  std::string one_by_one;
  for (std::int64_t row = 0; row < rows; ++row) {
    writer.Row(batch.array, row, one_by_one);
    one_by_one += '\n';
  }
  CHECK(rows_text == one_by_one);
  return all;
}

template <class T>
std::string Values(const std::string& format, const std::vector<T>& values,
                   const JsonOptions& options = {}) {
  return Written({format, "v", {}, {}, true, ""},
                 MakeArray(static_cast<std::int64_t>(values.size()), 0, 0, {"", Bytes(values)}),
                 options);
}

/// Of decimals wider than 64 bits, given as their limbs from the lowest on.
std::string Decimals(const std::string& format, const std::vector<std::uint64_t>& limbs,
                     const JsonOptions& options = {}) {
  const std::size_t rows = limbs.size() / (format.find(",256") == format.npos ? 2 : 4);
  return Written({format, "v", {}, {}, true, ""},
                 MakeArray(static_cast<std::int64_t>(rows), 0, 0, {"", Bytes(limbs)}), options);
}

std::string Texts(const std::vector<std::string>& texts, const JsonOptions& options = {},
                  const std::string& metadata = "", const std::string& format = "u") {
  std::vector<std::int32_t> offsets{0};
  std::string bytes;
  for (const std::string& text : texts) {
    bytes += text;
    offsets.push_back(static_cast<std::int32_t>(bytes.size()));
  }
  return Written(
      {format, "v", {}, {}, true, metadata},
      MakeArray(static_cast<std::int64_t>(texts.size()), 0, 0, {"", Bytes(offsets), bytes}),
      options);
}

template <class T>
constexpr T kLeast = std::numeric_limits<T>::min();
template <class T>
constexpr T kMost = std::numeric_limits<T>::max();

TEST_CASE("integers are written exactly up to both ends") {
  CHECK(Values<std::int8_t>("c", {kLeast<std::int8_t>, 0, kMost<std::int8_t>}) == "-128 0 127");
  CHECK(Values<std::uint8_t>("C", {0, 255}) == "0 255");
  CHECK(Values<std::int16_t>("s", {kLeast<std::int16_t>, kMost<std::int16_t>}) == "-32768 32767");
  CHECK(Values<std::uint16_t>("S", {65535}) == "65535");
  CHECK(Values<std::int32_t>("i", {kLeast<std::int32_t>, kMost<std::int32_t>}) ==
        "-2147483648 2147483647");
  CHECK(Values<std::uint32_t>("I", {4294967295u}) == "4294967295");
  CHECK(Values<std::int64_t>("l", {INT64_MIN, INT64_MAX}) ==
        "-9223372036854775808 9223372036854775807");
  CHECK(Values<std::uint64_t>("L", {0, UINT64_MAX}) == "0 18446744073709551615");
}

TEST_CASE("floats are as short as their own precision allows") {
  CHECK(Values<float>("f", {0.1f, -0.0f, 16777216.0f, 3.4028235e38f, 1e-45f}) ==
        "0.1 -0 16777216 3.4028235e+38 1e-45");
  CHECK(Values<double>("g", {0.1, 0.30000000000000004, 1.7976931348623157e308, 5e-324}) ==
        "0.1 0.30000000000000004 1.7976931348623157e+308 5e-324");
  CHECK(Values<std::uint16_t>("e", {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x8000}) ==
        "1 -2 65504 5.9604645e-08 -0");
}

TEST_CASE("what is no number is refused, null or text, as asked") {
  const std::vector<double> values{NAN, INFINITY, -INFINITY};
  CHECK_THROWS_WITH_AS(Values("g", values),
                       "column \"v\" holds \"NaN\", which JSON has no number for",
                       std::invalid_argument);
  JsonOptions options;
  options.non_finite = JsonNonFinite::kNull;
  CHECK(Values("g", values, options) == "null null null");
  CHECK(Values("g", values, JsonOptions::Exact()) == "\"NaN\" \"Infinity\" \"-Infinity\"");
  CHECK(Values<std::uint16_t>("e", {0x7C00, 0x7E00}, JsonOptions::Exact()) ==
        "\"Infinity\" \"NaN\"");
}

TEST_CASE("decimals keep all their digits") {
  const std::uint64_t ones = UINT64_MAX;
  CHECK(Values<std::int32_t>("d:9,2,32", {1250, -5, 0}) == "12.50 -0.05 0.00");
  CHECK(Values<std::int64_t>("d:18,0,64", {INT64_MIN, 7}) == "-9223372036854775808 7");
  CHECK(Decimals("d:38,2", {123, 0, static_cast<std::uint64_t>(-123), ones}) == "1.23 -1.23");
  CHECK(Decimals("d:38,38", {687399551400673279u, 5421010862427522170u}) ==
        "0.99999999999999999999999999999999999999");
  CHECK(Decimals("d:38,-3", {12, 0, 0, 0}) == "12000 0");
  CHECK(Decimals("d:76,0,256", {0, 0, 0, 1u, ones, ones, ones, ones}) ==
        "6277101735386680763835789423207666416102355444464034512896 -1");
  CHECK(Decimals("d:76,0,256", {0, 0, 0, std::uint64_t{1} << 63}) ==
        "-57896044618658097711785492504343953926634992332820282019728792003956564819968");
  JsonOptions options;
  options.decimals_as_text = true;
  CHECK(Decimals("d:20,2", {123, 0}, options) == "\"1.23\"");
}

TEST_CASE("text is escaped where JSON demands it and nowhere else") {
  CHECK(Texts({"", "plain", "a\"b\\c/d", "\b\f\n\r\t", std::string("\0\x1F\x7F", 3)}) ==
        R"("" "plain" "a\"b\\c/d" "\b\f\n\r\t" "\u0000\u001f)"
        "\x7F\"");
  CHECK(Texts({"é€\xF0\x9F\x98\x80", "12345678é", "1234567\"89"}) ==
        "\"é€\xF0\x9F\x98\x80\" \"12345678é\" \"1234567\\\"89\"");
}

TEST_CASE("every byte at every place of a text comes out right") {
  for (int c = 0; c < 128; ++c) {
    for (std::size_t place = 0; place < 20; ++place) {
      std::string text(20, 'x'), expected = text;
      text[place] = static_cast<char>(c);
      std::string escaped(1, static_cast<char>(c));
      if (c < 0x20) {
        char code[8];
        std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
        escaped = code;
      }
      if (c == '"' || c == '\\') escaped = std::string("\\") + static_cast<char>(c);
      if (const auto at = std::string("\b\t\n\f\r").find(static_cast<char>(c));
          at != std::string::npos && c != 0) {
        escaped = std::string("\\") + "btnfr"[at];
      }
      expected.replace(place, 1, escaped);
      REQUIRE(Texts({text}) == '"' + expected + '"');
    }
  }
}

TEST_CASE("text that is not UTF-8 is refused, replaced or kept as bytes, as asked") {
  const std::vector<std::string> bad{"ab\xFFz", "\xC0\x80", "\xED\xA0\x80", "\xE2\x82",
                                     "\xF5\x80\x80\x80"};
  CHECK_THROWS_WITH_AS(Texts({"fine", bad[0]}),
                       "column \"v\" holds text that is not valid UTF-8 from byte 2",
                       std::invalid_argument);
  JsonOptions options;
  options.bad_text = JsonBadText::kReplace;
  const std::string r = "\xEF\xBF\xBD";
  CHECK(Texts(bad, options) == "\"ab" + r + "z\" \"" + r + r + "\" \"" + r + r + r + "\" \"" + r +
                                   r + "\" \"" + r + r + r + r + "\"");
  CHECK(Texts({bad[0]}, JsonOptions::Exact()) == R"({"base64":"YWL/eg=="})");
}

TEST_CASE("a row that cannot be written leaves the output as it was") {
  const host::SchemaHandle schema =
      MakeSchema(Batch({{"l", "a", {}, {}, true, ""}, {"u", "b", {}, {}, true, ""}}));
  const Holder batch(MakeArray(1, 0, 0, {""},
                               {MakeArray(1, 0, 0, {"", Bytes<std::int64_t>({1})}),
                                MakeArray(1, 0, 0, {"", Bytes<std::int32_t>({0, 1}), "\xFF"})}));
  JsonWriter writer(*schema);
  std::string out = "before";
  CHECK_THROWS_AS(writer.Row(batch.array, 0, out), std::invalid_argument);
  CHECK(out == "before");
}

TEST_CASE("binary is base64") {
  CHECK(Texts({"", "f", "fo", "foo", "foob", "\xFF\xFE"}, {}, "", "z") ==
        R"("" "Zg==" "Zm8=" "Zm9v" "Zm9vYg==" "//4=")");
  CHECK(Written({"w:3", "v", {}, {}, true, ""}, MakeArray(1, 0, 0, {"", "foo"})) == "\"Zm9v\"");
}

TEST_CASE("dates and times are ISO 8601 at any distance") {
  CHECK(Values<std::int32_t>(
            "tdD", {0, -1, 19782, 2932896, 2932897, -719528, -719529, INT32_MIN, INT32_MAX}) ==
        "\"1970-01-01\" \"1969-12-31\" \"2024-02-29\" \"9999-12-31\" \"+10000-01-01\" "
        "\"0000-01-01\" \"-0001-12-31\" "
        "\"-5877641-06-23\" \"+5881580-07-11\"");
  CHECK(Values<std::int64_t>("tdm", {86400000, 86400001}) ==
        "\"1970-01-02\" \"1970-01-02T00:00:00.001\"");
  CHECK(Values<std::int64_t>("tss:", {0, -1, INT64_MAX}) ==
        "\"1970-01-01T00:00:00\" \"1969-12-31T23:59:59\" \"+292277026596-12-04T15:30:07\"");
  CHECK(Values<std::int64_t>("tsm:UTC", {1709212109250}) == "\"2024-02-29T13:08:29.250Z\"");
  CHECK(Values<std::int64_t>("tsu:Europe/Berlin", {-1}) == "\"1969-12-31T23:59:59.999999Z\"");
  CHECK(Values<std::int64_t>("tsn:", {INT64_MIN}) == "\"1677-09-21T00:12:43.145224192\"");
  CHECK(Values<std::int32_t>("ttm", {47109250, -1}) == "\"13:05:09.250\" \"-00:00:00.001\"");
  CHECK(Values<std::int64_t>("ttu", {-3020399000000, 86400000000}) ==
        "\"-838:59:59.000000\" \"24:00:00.000000\"");
}

TEST_CASE("durations and intervals say their parts") {
  CHECK(Values<std::int64_t>("tDm", {1500, -1500, 0, INT64_MIN}) ==
        "\"PT1.5S\" \"PT-1.5S\" \"PT0S\" \"PT-9223372036854775.808S\"");
  CHECK(Values<std::int32_t>("tiM", {14, -14}) == "\"P14M\" \"P-14M\"");
  CHECK(Written({"tiD", "v", {}, {}, true, ""},
                MakeArray(1, 0, 0, {"", Bytes<std::int32_t>({3, -1500})})) == "\"P3DT-1.5S\"");
  CHECK(
      Written({"tin", "v", {}, {}, true, ""},
              MakeArray(1, 0, 0, {"", Bytes<std::int32_t>({14, -3}) + Bytes<std::int64_t>({1})})) ==
      "\"P14M-3DT0.000000001S\"");
}

TEST_CASE("nested values are arrays and objects") {
  const auto numbers = [](std::int64_t n) {
    std::vector<std::int64_t> values(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i) values[static_cast<std::size_t>(i)] = i;
    return MakeArray(n, 0, 0, {"", Bytes(values)});
  };
  const Shape number{"l", "n", {}, {}, true, ""};
  CHECK(Written({"+l", "v", {number}, {}, true, ""},
                MakeArray(3, -1, 0, {"\x05", Bytes<std::int32_t>({0, 2, 2, 3})}, {numbers(3)})) ==
        "[0,1] null [2]");
  CHECK(Written({"+w:2", "v", {number}, {}, true, ""}, MakeArray(1, 0, 1, {""}, {numbers(4)})) ==
        "[2,3]");
  CHECK(Written({"+s", "v", {number, {"n", "no\"ne", {}, {}, true, ""}}, {}, true, ""},
                MakeArray(2, 0, 1, {""}, {numbers(3), MakeArray(3, 3, 0, {})})) ==
        R"({"n":1,"no\"ne":null} {"n":2,"no\"ne":null})");
  const auto map = [&](const Shape& key, ArrowArray keys) {
    return Written({"+m", "v", {{"+s", "e", {key, number}, {}, false, ""}}, {}, true, ""},
                   MakeArray(2, 0, 0, {"", Bytes<std::int32_t>({0, 2, 2})},
                             {MakeArray(2, 0, 0, {""}, {keys, numbers(2)})}));
  };
  CHECK(map({"u", "k", {}, {}, false, ""},
            MakeArray(2, 0, 0, {"", Bytes<std::int32_t>({0, 1, 2}), "ab"})) ==
        R"({"a":0,"b":1} {})");
  CHECK(map({"i", "k", {}, {}, false, ""}, MakeArray(2, 0, 0, {"", Bytes<std::int32_t>({7, 8})})) ==
        "[[7,0],[8,1]] []");
}

TEST_CASE("a union is its member by name, or by type id where names do not tell") {
  const auto write = [](const char* one, const char* two) {
    return Written({"+us:5,3",
                    "v",
                    {{"l", one, {}, {}, true, ""}, {"b", two, {}, {}, true, ""}},
                    {},
                    true,
                    ""},
                   MakeArray(2, 0, 0, {Bytes<std::int8_t>({5, 3})},
                             {MakeArray(2, 0, 0, {"", Bytes<std::int64_t>({1, 2})}),
                              MakeArray(2, 0, 0, {"", "\x02"})}));
  };
  CHECK(write("n", "b") == R"({"n":1} {"b":true})");
  CHECK(write("n", "n") == R"({"5":1} {"3":true})");
}

TEST_CASE("columns of JSON text are written as they are, on one line") {
  CHECK(Texts({"{\"a\":\n[1,\r\n2]}", "null"}, {}, JsonMetadata()) == "{\"a\": [1,  2]} null");
  CHECK_THROWS_WITH_AS(Texts({" "}, {}, JsonMetadata()),
                       "column \"v\" holds no JSON text, but blank", std::invalid_argument);
  CHECK(Texts({"[1]"}, JsonOptions::Exact(), JsonMetadata()) == "\"[1]\"");
}

TEST_CASE("nulls are left out when asked, but never from a list") {
  const Shape number{"l", "n", {}, {}, true, ""};
  const host::SchemaHandle schema =
      MakeSchema(Batch({number,
                        {"+s", "s", {number, {"l", "m", {}, {}, true, ""}}, {}, true, ""},
                        {"+l", "l", {number}, {}, true, ""}}));
  const auto null = [] {
    return MakeArray(1, 1, 0, {std::string(1, '\0'), Bytes<std::int64_t>({0})});
  };
  const Holder batch(MakeArray(
      1, 0, 0, {""},
      {null(),
       MakeArray(1, 0, 0, {""}, {null(), MakeArray(1, 0, 0, {"", Bytes<std::int64_t>({5})})}),
       MakeArray(1, 0, 0, {"", Bytes<std::int32_t>({0, 1})}, {null()})}));
  std::string all, some;
  JsonWriter(*schema).Row(batch.array, 0, all);
  JsonOptions options;
  options.omit_nulls = true;
  JsonWriter(*schema, options).Row(batch.array, 0, some);
  CHECK(all == R"({"n":null,"s":{"n":null,"m":5},"l":[null]})");
  CHECK(some == R"({"s":{"m":5},"l":[null]})");
}

TEST_CASE("random texts are escaped as one character after the other says") {
  Random random(kSeed);
  const std::string easy = "ab \"\\{}:,";
  const std::vector<std::string> hard{"\n", "\x01", "\x7F", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::string> texts;
    std::string expected;
    const int hard_percent = random.Chance(50) ? 0 : static_cast<int>(random.Below(40));
    for (int t = 0; t < 5; ++t) {
      std::string text, escaped;
      for (std::int64_t n = random.Below(random.Chance(50) ? 24 : 200); n > 0; --n) {
        if (random.Chance(hard_percent)) {
          const std::string& c = hard[static_cast<std::size_t>(random.Below(6))];
          text += c;
          escaped += c == "\n" ? "\\n" : c == "\x01" ? "\\u0001" : c;
          continue;
        }
        const char c = easy[static_cast<std::size_t>(random.Below(9))];
        text += c;
        if (c == '"' || c == '\\') escaped += '\\';
        escaped += c;
      }
      texts.push_back(text);
      expected += (t ? " \"" : "\"") + escaped + '"';
    }
    REQUIRE(Texts(texts) == expected);
  }
}

TEST_CASE("rows together are what each is alone, up to the first that cannot be written") {
  Random random(kSeed);
  const Kinds kinds{true, true};
  for (int i = 0; i < 300; ++i) {
    const Shape shape = i < 20 ? EveryType(kinds) : RandomBatch(random, kinds);
    const host::SchemaHandle schema = MakeSchema(shape);
    const Holder batch(RandomArray(random, shape, 12, kinds));
    JsonOptions options = random.Chance(50) ? JsonOptions::Exact() : JsonOptions{};
    options.omit_nulls = random.Chance(50);
    JsonWriter writer(*schema, options);
    std::string alone, together, why, wrong;
    std::int64_t fine = 0;
    try {
      for (; fine < 12; ++fine) {
        writer.Row(batch.array, fine, alone);
        alone += '\n';
      }
    } catch (const std::invalid_argument& e) {
      why = e.what();
    }
    json_detail::Tail tail(together, 0);
    REQUIRE(writer.Rows(batch.array, 0, 12, tail, wrong) == fine);
    tail.Keep();
    REQUIRE(std::string_view(together).substr(0, alone.size()) == alone);
    REQUIRE(wrong == why);
  }
}

TEST_CASE("encoded columns are written as the plain ones they stand for") {
  Random random(kSeed);
  for (int i = 0; i < 200; ++i) {
    const Shape shape = i < 20 ? EveryType({}) : RandomBatch(random, {});
    const host::SchemaHandle schema = MakeSchema(shape), plain_schema = host::PlainSchema(*schema);
    ArrowArray batch = RandomArray(random, shape, 10, {});
    std::string encoded_rows, plain_rows;
    JsonWriter(*schema, JsonOptions::Exact()).Rows(batch, 0, 10, encoded_rows);
    Holder plain;
    host::MakePlain(*schema, batch, &plain.array);
    JsonWriter(*plain_schema, JsonOptions::Exact()).Rows(plain.array, 0, 10, plain_rows);
    REQUIRE(encoded_rows == plain_rows);
  }
}

}  // namespace
}  // namespace etl::test
