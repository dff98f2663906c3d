// Durations, sizes, nearest names, redaction, text that is safe to show.
#include "config/units.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>

#include "config/config.h"
#include "config/interpolate.h"
#include "config/utf8.h"

using namespace etl::host;

TEST_CASE("durations have units") {
  const auto ns = [](std::string_view text) { return ParseDuration(text).value.value_or(-1); };
  CHECK(ns("30s") == 30'000'000'000);
  CHECK(ns("500ms") == 500'000'000);
  CHECK(ns("100us") == 100'000);
  CHECK(ns("100µs") == 100'000);
  CHECK(ns("20ns") == 20);
  CHECK(ns("1h30m") == 5'400'000'000'000);
  CHECK(ns("1h 30m") == 5'400'000'000'000);
  CHECK(ns("2d") == 172'800'000'000'000);
  CHECK(ns("1.5h") == 5'400'000'000'000);
  CHECK(ns("0.001s") == 1'000'000);
  CHECK(ns("5min") == 300'000'000'000);
  CHECK(ns("0") == 0);
  CHECK(ns("0s") == 0);
  CHECK(ns("106751d") == 106'751LL * 86'400'000'000'000);
  for (const char* wrong : {"", " ", "30", "s", "1x", "-1s", "1,5s", "1.s", ".5s", "1e3s", "0.1ns",
                            "106752d", "99999999999999999999s", "1s-", "s1", "1S", "1 s s"}) {
    CAPTURE(wrong);
    CHECK(!ParseDuration(wrong).value);
    CHECK(!ParseDuration(wrong).fault.empty());
  }
}

TEST_CASE("sizes have units of a thousand and of 1024") {
  const auto bytes = [](std::string_view text) { return ParseBytes(text).value.value_or(-1); };
  CHECK(bytes("123") == 123);
  CHECK(bytes("8MiB") == 8 << 20);
  CHECK(bytes("64KB") == 64'000);
  CHECK(bytes("64kB") == 64'000);
  CHECK(bytes("1GB") == 1'000'000'000);
  CHECK(bytes("1.5KiB") == 1536);
  CHECK(bytes("2 TiB") == 2LL << 40);
  CHECK(bytes("10B") == 10);
  for (const char* wrong : {"", "MiB", "1mb", "1M", "1.5B", "-1", "9999999999TiB", "1 2MB x"}) {
    CAPTURE(wrong);
    CHECK(!ParseBytes(wrong).value);
  }
}

TEST_CASE("what is written reads back the same") {
  for (const std::int64_t value :
       {0LL, 1LL, 999LL, 1000LL, 1024LL, 1536LL, 60'000'000'000LL, 90'000'000'000LL,
        86'400'000'000'000LL, 1LL << 40, 1'000'000LL * 1'000'000LL,
        static_cast<long long>(std::numeric_limits<std::int64_t>::max())}) {
    CHECK(ParseDuration(FormatDuration(value)).value == value);
    CHECK(ParseBytes(FormatBytes(value)).value == value);
  }
  CHECK(FormatDuration(90'000'000'000) == "90s");
  CHECK(FormatDuration(7'200'000'000'000) == "2h");
  CHECK(FormatBytes(8 << 20) == "8MiB");
  CHECK(FormatBytes(1500) == "1500B");
  CHECK(FormatFloat(1) == "1.0");
  CHECK(FormatFloat(0.1) == "0.1");
  CHECK(FormatFloat(-0.0001) == "-0.0001");
}

TEST_CASE("the nearest name is near, or there is none") {
  const std::vector<std::string> names{"batch_size", "table", "url", "mode", "keys"};
  CHECK(Nearest("bacth_size", names) == "batch_size");
  CHECK(Nearest("batchsize", names) == "batch_size");
  CHECK(Nearest("Batch-Size", names) == "batch_size");
  CHECK(Nearest("tabel", names) == "table");
  CHECK(Nearest("ulr", names) == "url");
  CHECK(Nearest("moed", names) == "mode");
  CHECK(Nearest("frobnicate", names).empty());
  CHECK(Nearest("x", names).empty());
  CHECK(Nearest("", names).empty());
  CHECK(Nearest(std::string(100'000, 'a'), names).empty());
}

TEST_CASE("known secrets are hidden wherever they stand, whole or overlapping") {
  const Redactor redactor({"hunter2", "hunter2-and-more", "abcdef", "defghi", "abc", "p@ss word"});
  CHECK(redactor.Clean("login hunter2 failed") == "login *** failed");
  CHECK(redactor.Clean("hunter2-and-more") == "***");
  CHECK(redactor.Clean("xabcdefghix") == "x***x");
  CHECK(redactor.Clean("abc is short") == "abc is short");
  CHECK(redactor.Clean("mysql://u:p%40ss%20word@h") == "mysql://u:***@h");
  CHECK(redactor.Clean("p@ss word") == "***");
  CHECK(redactor.Clean("") == "");
  CHECK(Redactor().Clean("hunter2") == "hunter2");
}

TEST_CASE("a secret of several lines is hidden as it stands and as it is shown") {
  const Redactor redactor({"line one\nline two"});
  CHECK(redactor.Clean("key: line one\nline two.") == "key: ***.");
  CHECK(redactor.Clean("key: line one\\nline two.") == "key: ***.");
}

TEST_CASE("control characters, directions and broken bytes are shown as escapes") {
  CHECK(Redactor().Clean("a\x1b[31mb\r\n\t\x7f") == "a\\x1b[31mb\\r\\n\\t\\x7f");
  CHECK(Visible("\xe2\x80\xae"
                "abc") == "\\u202eabc");
  CHECK(Visible("caf\xe9") == "caf\\xe9");
  CHECK(Visible("\xc2\x9b") == "\\u009b");
  CHECK(Visible("größe 名 🚀") == "größe 名 🚀");
}

TEST_CASE("user info is found in URLs only") {
  CHECK(UrlPassword("mysql://u:secret@h/db") == "secret");
  CHECK(UrlPassword("mysql://u:a@b:c@h/db") == "a@b:c");
  CHECK(UrlPassword("mysql://u@h/db").empty());
  CHECK(UrlPassword("mysql://h/db?x=a:b@c").empty());
  CHECK(UrlPassword("user:secret@h").empty());
  CHECK(WithoutUserInfo("mysql://u:secret@h/db") == "mysql://h/db");
  CHECK(WithoutUserInfo("mysql://${env:U}:${file:/a/b}@h/db") == "mysql://h/db");
  CHECK(WithoutUserInfo("mysql://h/db") == "mysql://h/db");
  CHECK(WithoutUserInfo("a@b") == "a@b");
}

TEST_CASE("escaped text expands to itself") {
  for (const char* text : {"", "$", "$$", "${", "$${", "$$${env:X}", "costs $5", "${a}${b}"})
    CHECK(Expand(Escaped(text), "/").text == text);
}
