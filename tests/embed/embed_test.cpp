// What comes out: lengths, chunks, odd texts, forms of vectors; with a tiny model of known shape (64 dimensions, 128 tokens).
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>
#include <set>

#include "lab.h"

using namespace etl::test;
namespace fs = std::filesystem;

namespace {

std::string Quoted(const std::string& text) { return "\"" + text + "\""; }

/// Reads these lines by a plugin of the tests, which run must be told of; `sink`: what its sink is told besides.
void FromLines(Job& job, const std::string& lines, const std::string& sink) {
  job.dir.Write("lines.txt", lines);
  const std::string toml = ReadFile((job.dir.path() / "p.toml").string());
  job.dir.Write("p.toml", "[pipeline]\non_reject = \"file\"\n[source]\ntype = \"lines\"\npath = \"lines.txt\"\n" + toml.substr(toml.find("[[transform]]")) + sink);
}
const std::vector<std::string> kUnchecked = {"--plugin-dir", ETL_BUILD_DIR "/tests/plugins"};

/// A tokenizer that takes texts apart into bytes, a space with the word behind it: byte-level BPE.
void WithBytes(Job& job) {
  std::string vocab = R"("<s>":0,"</s>":1)";
  int next = 2;
  const auto add = [&](const std::string& token) { vocab += ",\"" + token + "\":" + std::to_string(next++); };
  const auto utf8 = [](int c) { return c < 0x80 ? std::string(c == '"' || c == '\\' ? "\\" : "") + static_cast<char>(c) : std::string{static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))}; };
  for (int byte = 0, shifted = 256; byte < 256; ++byte) {
    const bool as_it_is = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte != 0xad);
    add(utf8(as_it_is ? byte : shifted++));
  }
  std::string merges;
  for (const char* word : {"the", "hello", "world", "test", "data", "is", "in", "to", "of", "and", "stream"}) {
    std::string left = "\xc4\xa0";   // the space
    for (const char* c = word; *c; ++c) {
      if (vocab.find("\"" + left + *c + "\"") == std::string::npos) {
        merges += (merges.empty() ? "\"" : ",\"") + left + " " + *c + "\"";
        add(left + *c);
      }
      left += *c;
    }
  }
  job.dir.Write("model/tokenizer.json", R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true},
    "post_processor":{"type":"RobertaProcessing","sep":["</s>",1],"cls":["<s>",0],"trim_offsets":true,"add_prefix_space":false},"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
    "model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"vocab":{)" + vocab + R"(},"merges":[)" + merges + "]}}");
}

}  // namespace

TEST_CASE("every row comes out once, with its columns and a vector") {
  Job job;
  std::vector<std::string> texts;
  for (int i = 0; i < 1500; ++i) texts.push_back(Quoted(Words(1 + i * 7 % 100, i) + " " + std::to_string(i)));
  job.Texts(texts);
  const Finished ran = job.Must();
  const auto rows = Read(job);
  REQUIRE(rows.size() == 1500);
  for (int i = 0; i < 1500; ++i) {
    const Row& row = rows.at(std::to_string(i));
    CHECK(Quoted(row.At("text")) == texts[static_cast<std::size_t>(i)]);
    CHECK(row.vector.size() == 64);
  }
  CHECK(Figure(ran.err, "padding_percent") <= 10);
}

TEST_CASE("a text's vector does not depend on those beside it") {
  std::mt19937_64 random(11);
  std::vector<std::string> texts;
  for (int i = 0; i < 600; ++i) texts.push_back(Quoted(Words(1 + static_cast<int>(random() % 120), i)));
  Job many, alone("batch_tokens = 1\nsessions = 1\nthreads = 1");
  many.Texts(texts);
  alone.Texts(texts);
  many.Must();
  alone.Must();
  const auto a = Read(many), b = Read(alone);
  REQUIRE(a.size() == 600);
  for (const auto& [id, row] : a) CHECK(Cosine(row.vector, b.at(id).vector) >= 0.99999);
}

TEST_CASE("padding has no part in the vector of a model without an attention mask") {
  std::vector<std::string> texts;
  for (int i = 0; i < 100; ++i) texts.push_back(Quoted(Words(1 + i * 7 % 60, i)));
  Job many("sessions = 1"), alone("batch_tokens = 1\nsessions = 1\nthreads = 1");
  for (Job* j : {&many, &alone}) {
    j->dir.Write("model/model.onnx", MeanModel());
    j->Texts(texts);
    j->Must();
  }
  const auto a = Read(many), b = Read(alone);
  REQUIRE(a.size() == 100);
  REQUIRE(a.at("0").vector.size() == 8);
  for (const auto& [id, row] : a) CHECK(Cosine(row.vector, b.at(id).vector) >= 0.9999999);
}

TEST_CASE("what truncation loses is counted to the token, and marked") {
  Job job("cut_column = \"cut\"");
  // 126 tokens and two around them are what the model takes.
  job.Texts({Quoted(Words(126)), Quoted(Words(127)), Quoted(Words(10)), Quoted(Words(1126)), Quoted(Words(125))});
  const Finished ran = job.Must();
  INFO(ran.err);
  // 1 + 1000 of 126 + 127 + 10 + 1126 + 125.
  CHECK(ran.err.find("2 of 5 texts cut at 128 tokens; 66.1 % of tokens") != std::string::npos);
  const auto rows = Read(job);
  for (const auto& [id, cut] : std::map<std::string, std::string>{{"0", "false"}, {"1", "true"}, {"2", "false"}, {"3", "true"}, {"4", "false"}}) {
    CHECK(rows.at(id).At("cut") == cut);
  }
  CHECK(rows.at("0").vector == rows.at("1").vector);   // what was cut had no part in it
  CHECK(rows.at("0").vector == rows.at("3").vector);
}

TEST_CASE("a long text can be rejected with its size, or end the run") {
  Job job("on_long = \"reject\"");
  job.Texts({Quoted(Words(5)), Quoted(Words(1300)), Quoted(Words(127))});
  const Finished ran = job.Run();
  CHECK(ran.exit_code == 3);
  INFO(ran.err);
  CHECK(ran.err.find("rejected 2 rows at transform[0]: the text has more than 126 tokens; the code says how many") != std::string::npos);
  const std::string rejects = ReadFile((job.dir.path() / ".etl/p/rejects.ndjson").string());
  CHECK(rejects.find("\"code\":1300,") != std::string::npos);
  CHECK(rejects.find("\"code\":127,") != std::string::npos);
  Job fail("on_long = \"fail\"\nchunk = { key = [\"id\"] }");
  fail.Texts({Quoted(Words(5)), Quoted(Words(1300))});
  CHECK(fail.Fails().find("the text of 1 has 1,300 tokens, 126 is the most") != std::string::npos);
}

TEST_CASE("chunks: windows and overlap by tokens, numbered, with their text") {
  Job job("on_long = \"chunk\"\nchunk = { key = [\"id\"], tokens = 50, overlap = 10, at = \"token\", text = \"part\" }");
  job.Texts({Quoted(Words(50)), Quoted(Words(51)), Quoted(Words(130)), Quoted(Words(3))});
  job.Must();
  const auto rows = Read(job, "chunk_id");
  // 50: one.  51: 0-50, 40-51.  130: 0-50, 40-90, 80-130.
  std::string all;
  for (const auto& [id, row] : rows) all += id + "/" + row.At("chunks") + " ";
  CHECK(all == "0#0/1 1#0/2 1#1/2 2#0/3 2#1/3 2#2/3 3#0/1 ");
  CHECK(rows.at("2#1").At("part") == Words(50, 40));
  CHECK(rows.at("2#2").At("part") == Words(50, 80));
  CHECK(rows.at("1#1").At("part") == Words(11, 40));
  CHECK(rows.at("2#2").At("chunk") == "2");
  CHECK(rows.at("2#2").At("text") == Words(130));   // the row's own columns are all there
  CHECK(rows.at("0#0").vector == rows.at("1#0").vector);
}

TEST_CASE("the chunks of one long text, each with all of its row, stay within the memory of a few") {
  Job job("on_long = \"chunk\"\nchunk = { key = [\"id\"] }");
  std::string text;
  while (text.size() < 1'000'000) text += "hello world data stream test. ";
  job.Texts({Quoted(text)});
  std::string toml = ReadFile((job.dir.path() / "p.toml").string());
  toml = toml.substr(0, toml.find("[[sink]]")) + "[[sink]]\ntype = \"discard\"\n";
  job.dir.Write("p.toml", toml.replace(toml.find("[pipeline]\n"), 11, "[pipeline]\nmemory_limit = \"32MiB\"\n"));
  const Finished ran = job.Must();
  CHECK(ran.err.find("read 1, delivered 1,588, filtered 0, rejected 0") != std::string::npos);   // 21 sentences of 6 tokens each
  struct rusage used {};
  getrusage(RUSAGE_CHILDREN, &used);
  CHECK(used.ru_maxrss < 1'000'000);   // kB; all of them are 1.6 GB
}

TEST_CASE("ONNX Runtime leaves nothing behind that could be sent away") {
  Job job("runtime = \"" + Runtime() + "\"");
  job.Texts({"\"hello\""});
  Command command = job.Make();
  fs::create_directory(job.dir.path() / "home");
  command.env.push_back("HOME=" + (job.dir.path() / "home").string());
  command.env.push_back("XDG_CACHE_HOME");
  const Finished ran = RunProcess(command);
  CHECK_MESSAGE(ran.exit_code == 0, ran.err);
  CHECK(!fs::exists(job.dir.path() / "home/.cache/Microsoft"));
}

TEST_CASE("chunks of different keys have different ids, and a text without a key is rejected") {
  Job job("on_long = \"chunk\"\nchunk = { key = [\"a\", \"b\"] }", "a = \"utf8\", b = \"utf8\", text = \"utf8\"");
  job.dir.Write("in.ndjson", R"({"a":"x-y","b":"z","text":"one"}
{"a":"x","b":"y-z","text":"two"}
{"a":"x","b":null,"text":"three"}
)");
  const Finished ran = job.Run();
  CHECK(ran.exit_code == 3);
  CHECK_MESSAGE(ran.err.find("a column of chunk.key is null") != std::string::npos, ran.err);
  const auto rows = Read(job, "chunk_id");
  CHECK(rows.size() == 2);
  CHECK(rows.at("3:x-y1:z#0").At("text") == "one");
  CHECK(rows.at("1:x3:y-z#0").At("text") == "two");
}

TEST_CASE("chunks end where sentences or lines do") {
  const std::string one = Words(29) + ".", two = Words(34, 3) + "!", three = Words(20, 5) + "?";
  Job job("on_long = \"chunk\"\nchunk = { key = [\"id\"], tokens = 70, text = \"part\" }");
  job.Texts({Quoted(one + " " + two + " " + three), Quoted("3.14 " + Words(40) + "\\n" + Words(60)), Quoted(Words(100))});
  job.Must();
  const auto rows = Read(job, "chunk_id");
  CHECK(rows.size() == 6);
  CHECK(rows.at("0#0").At("part") == one + " " + two);
  CHECK(rows.at("0#1").At("part") == three);
  CHECK(rows.at("1#0").At("part") == "3.14 " + Words(40));
  CHECK(rows.at("1#1").At("part") == Words(60));
  CHECK(rows.at("2#0").At("part") == Words(70));
}

TEST_CASE("a sentence ends behind the quotes and brackets that close it") {
  const auto parts = [](const std::string& text, int tokens) {
    Job job("on_long = \"chunk\"\nchunk = { key = [\"id\"], tokens = " + std::to_string(tokens) + ", text = \"part\" }");
    job.Texts({Quoted(text)});
    job.Must();
    std::string all;
    for (const auto& [id, row] : Read(job, "chunk_id")) all += row.At("part") + "|";
    return all;
  };
  CHECK(parts("the test data \\\"is in.\\\" hello world of data", 11) == "the test data \"is in.\"|hello world of data|");
  CHECK(parts("the test data (is in!) hello world of data", 11) == "the test data (is in!)|hello world of data|");
  CHECK(parts("the test data is in \\\"hello world of data", 9) == "the test data is in \"hello world of|data|");
  // The window ends between the mark and what closes it: 中文人大。中文。|」人大
  CHECK(parts("中文人大。中文。」人大", 8) == "中文人大。|中文。」人大|");
}

TEST_CASE("what no token stands for is in a chunk's text") {
  Job job("on_long = \"chunk\"\nchunk = { key = [\"id\"], tokens = 3, at = \"token\", text = \"part\" }");
  // U+200B, and accents, also alone.
  job.Texts({Quoted(" \\u200b the test data\\u0301 \\u200b hello world is\\u0301 \\u0302\\u0303 \\n")});
  job.Must();
  std::string all;
  for (const auto& [id, row] : Read(job, "chunk_id")) all += row.At("part") + "|";
  CHECK(all == "\xe2\x80\x8b the test data\xcc\x81 \xe2\x80\x8b|hello world is\xcc\x81 \xcc\x82\xcc\x83|");
}

TEST_CASE("chunks that overlap begin where a word does") {
  // "testhello" has six tokens, and each of the Chinese words one.
  const std::string text = Words(6) + " testhello is in 中文人大小文中日本 the of";
  std::map<std::string, std::string> by;
  for (const std::string at : {"line", "token"}) {
    Job job("on_long = \"chunk\"\nchunk = { key = [\"id\"], tokens = 12, overlap = 3, at = \"" + at + "\", text = \"part\" }");
    job.Texts({Quoted(text)});
    job.Must();
    for (const auto& [id, row] : Read(job, "chunk_id")) by[at] += row.At("part") + "|";
  }
  CHECK(by["line"] == "the of and to in is testhello is|testhello is in|is in 中文人大小文中日本 the|日本 the of|");
  CHECK(by["token"] == "the of and to in is testhello is|llo is in 中文人大小文中日|文中日本 the of|");
}

TEST_CASE("a text without tokens is one chunk, also behind a prefix of more tokens than a chunk") {
  Job job("on_long = \"chunk\"\non_empty = \"embed\"\nprefix = \"" + Words(8) + " \"\nchunk = { key = [\"id\"], tokens = 4, at = \"token\" }");
  job.Texts({Quoted(""), Quoted(Words(2)), "null", Quoted(Words(6))});
  job.Must();
  const auto rows = Read(job, "chunk_id");
  std::string all;
  for (const auto& [id, row] : rows) all += id + "/" + row.At("chunks") + " ";
  CHECK(all == "0#0/1 1#0/1 2#0/1 3#0/2 3#1/2 ");
  CHECK(rows.at("0#0").vector == rows.at("2#0").vector);
  CHECK(rows.at("0#0").vector.size() == 64);
}

TEST_CASE("a chunk behind a prefix is what the same text behind it is") {
  const std::string prefix = "prefix = \"query is \"";
  Job job(prefix + "\non_long = \"chunk\"\nchunk = { key = [\"id\"], tokens = 8, at = \"token\", text = \"part\" }"), parts(prefix);
  for (Job* j : {&job, &parts}) WithBytes(*j);
  job.Texts({Quoted("the" + Words(30))});
  job.Must();
  const auto rows = Read(job, "chunk_id");
  REQUIRE(rows.size() > 3);
  std::vector<std::string> texts;
  for (const auto& [id, row] : rows) texts.push_back(Quoted(row.At("part")));
  parts.Texts(texts);
  parts.Must();
  const auto expected = Read(parts);
  std::size_t i = 0;
  for (const auto& [id, row] : rows) CHECK(Cosine(row.vector, expected.at(std::to_string(i++)).vector) >= 0.999999);
}

TEST_CASE("empty, blank, control, huge and broken texts follow their policy and end nothing") {
  std::string big;
  while (big.size() < 1'000'000) big += Words(12) + "\xe4\xb8\xad\xe6\x96\x87\xf0\x9f\x98\x80 ";
  const std::vector<std::string> odd = {"\"\"", "\"   \\t\\n\"", "\"\\u0001\\u0002\\u007f\"", "null", Quoted(big), Quoted(std::string(500'000, 'x')), "\"\xf0\x9f\x98\x80\xf0\x9f\x9a\x80\"",
                                        "\"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d\"", "\"[CLS] [SEP] [PAD]\"",
                                        "\"hello\\u0000world\"", "\"\\u0000\""};
  for (const std::string policy : {"null", "zero", "embed", "reject", "fail"}) {
    CAPTURE(policy);
    Job job("on_empty = \"" + policy + "\"");
    job.Texts(odd);
    const Finished ran = job.Run();
    INFO(ran.err);
    if (policy == "fail") {
      CHECK(ran.exit_code != 0);
      CHECK(ran.err.find("the text of row 1 is empty") != std::string::npos);
      continue;
    }
    CHECK(ran.exit_code == (policy == "reject" ? 3 : 0));
    const auto rows = Read(job);
    CHECK(rows.size() == (policy == "reject" ? 6u : 11u));
    for (const char* id : {"4", "5", "6", "7", "8", "9"}) CHECK(rows.at(id).vector.size() == 64);
    if (policy == "reject") continue;
    for (const char* id : {"0", "1", "2", "3", "10"}) {
      CHECK(rows.at(id).vector.size() == (policy == "null" ? 0u : 64u));
      if (policy == "zero") CHECK(rows.at(id).vector == std::vector<float>(64, 0.0f));
      if (policy == "embed") CHECK(rows.at(id).vector == rows.at("0").vector);
    }
  }
}

TEST_CASE("blank texts are empty for every tokenizer") {
  for (const std::string policy : {"null", "zero", "embed"}) {
    Job job("on_empty = \"" + policy + "\"");
    WithBytes(job);
    job.Texts({"\" \"", "\"\\t\\n\"", "\"\\u0001\\u0002\\u0085\\u00a0\\u200b\\u3000\\ufeff\"", "\"\"", "\" a\"", "\"\\u00a1\"", "\"\\ud83d\\ude00\""});
    job.Must();
    const auto rows = Read(job);
    CAPTURE(policy);
    for (const char* id : {"0", "1", "2", "3"}) CHECK(rows.at(id).vector.size() == (policy == "null" ? 0u : 64u));
    if (policy == "zero") {
      for (const char* id : {"0", "1", "2", "3"}) CHECK(rows.at(id).vector == std::vector<float>(64, 0.0f));
    }
    for (const char* id : {"4", "5", "6"}) CHECK(rows.at(id).vector.size() == 64);
  }
}

TEST_CASE("text that is not UTF-8 is rejected with its place, or embedded with U+FFFD") {
  const std::string lines = "hello \xff\xfe world\nhello \xef\xbf\xbd\xef\xbf\xbd world\n\xe4\xb8\n\xed\xa0\x80 the\nthe test\n";
  Job rejects("on_invalid_utf8 = \"error\"");
  FromLines(rejects, lines, "on_invalid_utf8 = \"replace\"\n");
  const Finished ran = rejects.Run(kUnchecked);
  INFO(ran.err);
  CHECK(ran.exit_code == 3);
  CHECK(ran.err.find("read 5, delivered 2, filtered 0, rejected 3") != std::string::npos);
  CHECK(ran.err.find("the text is not UTF-8 at byte 6") != std::string::npos);
  const auto kept = Read(rejects);
  CHECK(kept.size() == 2);
  CHECK(kept.count("1") == 1);
  CHECK(kept.count("4") == 1);

  Job repairs("on_invalid_utf8 = \"replace\"");
  FromLines(repairs, lines, "on_invalid_utf8 = \"replace\"\n");
  CHECK(repairs.Must(kUnchecked).err.find("3 texts had bytes that are not UTF-8, embedded as U+FFFD") != std::string::npos);
  const auto rows = Read(repairs);
  CHECK(rows.size() == 5);
  CHECK(rows.at("0").vector == rows.at("1").vector);
  CHECK(rows.at("0").vector != rows.at("4").vector);
  CHECK(rows.at("2").vector.empty());   // the tokenizer drops U+FFFD, and nothing is left
  CHECK(rows.at("3").vector.size() == 64);
}

TEST_CASE("a template joins columns, and texts that are equal are embedded once") {
  Job job("text = \"{title}: {n} {{{text}}}\"", "id = \"int64\", title = \"utf8\", n = \"int64\", text = \"utf8\"");
  std::string lines;
  for (int i = 0; i < 900; ++i) lines += "{\"id\":" + std::to_string(i) + ",\"title\":\"hello\",\"n\":" + std::to_string(i % 3) + ",\"text\":\"world\"}\n";
  job.dir.Write("in.ndjson", lines);
  const Finished ran = job.Must();
  Job plain;
  plain.Texts({"\"hello: 0 {world}\"", "\"hello: 1 {world}\"", "\"hello: 2 {world}\""});
  plain.Must();
  const auto rows = Read(job), expected = Read(plain);
  CHECK(rows.size() == 900);
  for (const auto& [id, row] : rows) CHECK(Cosine(row.vector, expected.at(std::to_string(std::stoi(id) % 3)).vector) >= 0.99999);
  CHECK(Figure(ran.err, "model_texts") <= 30);   // equal ones under way together go once; a cache remembers the others
}

TEST_CASE("a template whose columns are all null is no text") {
  Job job("text = \"{title}. {text}\"", "id = \"int64\", title = \"utf8\", text = \"utf8\"");
  job.dir.Write("in.ndjson", R"({"id":0,"title":null,"text":null}
{"id":1,"title":"hello","text":null}
{"id":2,"title":null,"text":"hello"}
{"id":3,"title":"","text":null}
)");
  job.Must();
  Job plain;
  plain.Texts({"null", "\"hello. \"", "\". hello\"", "\". \""});
  plain.Must();
  const auto rows = Read(job), expected = Read(plain);
  CHECK(rows.at("0").vector.empty());
  for (const char* id : {"1", "2", "3"}) CHECK(Cosine(rows.at(id).vector, expected.at(id).vector) >= 0.999999);
}

TEST_CASE("a number that is none, in a template or a chunk's key, rejects its row") {
  for (const std::string options : {"text = \"{text} {number}\"\n", "text = \"text\"\non_long = \"chunk\"\nchunk = { key = [\"id\", \"number\"] }\n"}) {
    Job job(options);
    FromLines(job, "1.5 hello\ninf world\nnan test\n-2 data\n", "on_nan = \"null\"\n");
    const Finished ran = job.Run(kUnchecked);
    INFO(ran.err);
    CHECK(ran.exit_code == 3);
    CHECK(ran.err.find("read 4, delivered 2, filtered 0, rejected 2") != std::string::npos);
    CHECK(ran.err.find("at transform[0]: ") != std::string::npos);
    const auto rows = Read(job);
    CHECK(rows.size() == 2);
    CHECK(rows.count("0") + rows.count("3") == 2);
  }
}

TEST_CASE("vectors leave as floats, halves, bytes and bits") {
  std::map<std::string, std::map<std::string, Row>> all;
  for (const std::string element : {"float32", "float16", "int8", "binary"}) {
    Job job("normalize = true\nelement = \"" + element + "\"");
    job.Texts({Quoted(Words(9)), Quoted(Words(30, 4))});
    job.Must();
    all[element] = Read(job);
  }
  for (const char* id : {"0", "1"}) {
    const std::vector<float>& exact = all["float32"].at(id).vector;
    double length = 0;
    for (const float f : exact) length += static_cast<double>(f) * static_cast<double>(f);
    CHECK(length == doctest::Approx(1).epsilon(1e-5));
    const std::vector<float>&halves = all["float16"].at(id).vector, &bytes = all["int8"].at(id).vector, &bits = all["binary"].at(id).vector;
    REQUIRE(halves.size() == 64);
    REQUIRE(bytes.size() == 64);
    REQUIRE(bits.size() == 8);
    for (std::size_t i = 0; i < 64; ++i) {
      CHECK(std::fabs(halves[i] - exact[i]) <= std::fabs(exact[i]) / 2048 + 3e-8f);
      CHECK(bytes[i] == std::round(exact[i] * 127));
      const int byte = static_cast<int>(bits[i / 8]) & 0xff;
      CHECK(((byte >> (7 - i % 8)) & 1) == (exact[i] > 0 ? 1 : 0));
    }
  }
}

TEST_CASE("pooling and length are the folder's unless the pipeline says otherwise") {
  std::map<std::string, std::vector<float>> by;
  for (const std::string pooling : {"mean", "cls", "max", "last"}) {
    Job job("pooling = \"" + pooling + "\"");
    job.Texts({Quoted(Words(20))});
    job.Must();
    by[pooling] = Read(job).at("0").vector;
  }
  Job folder;
  folder.dir.Write("model/1_Pooling/config.json", R"({"word_embedding_dimension": 64, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})");
  folder.dir.Write("model/sentence_bert_config.json", R"({"max_seq_length": 12, "do_lower_case": false})");
  folder.Texts({Quoted(Words(20)), Quoted(Words(10))});
  CHECK(folder.Must().err.find("1 of 2 texts cut at 12 tokens; 33.3 % of tokens") != std::string::npos);
  const auto cut = Read(folder);
  CHECK(cut.at("0").vector == cut.at("1").vector);
  folder.Texts({Quoted(Words(10))});
  folder.Must();
  for (const char* other : {"mean", "max", "last"}) CHECK(Cosine(by["cls"], by[other]) < 0.9999);
  for (std::size_t i = 0; i < 64; ++i) CHECK(by["max"][i] >= by["mean"][i]);
  // As sentence-transformers names them since its version 6.
  for (const auto& [mode, name] : std::map<std::string, std::string>{{"\"lasttoken\"", "last"}, {"\"cls\"", "cls"}, {"[\"max\"]", "max"}, {"\"mean\"", "mean"}}) {
    CAPTURE(mode);
    Job job;
    job.dir.Write("model/1_Pooling/config.json", R"({"embedding_dimension": 64, "pooling_mode": )" + mode + "}");
    job.Texts({Quoted(Words(20))});
    job.Must();
    CHECK(Read(job).at("0").vector == by[name]);
  }
}

TEST_CASE("a model is found in the Hub's cache of links, and in the older layout with 0_Transformer") {
  Job plain("normalize = true");
  plain.Texts({Quoted(Words(200))});
  plain.Must();
  const auto vector = Read(plain).at("0").vector;
  for (const char* file : {"onnx/model_O2.onnx", "model_O2.onnx"}) {
    Job links("normalize = true\nfile = \"" + std::string(file) + "\"");
    fs::create_directory(links.dir.path() / "blobs");
    fs::create_directory(links.model() + "/onnx");
    fs::rename(links.model() + "/model.onnx", links.dir.path() / "blobs/1234");
    fs::create_symlink("../../blobs/1234", links.model() + "/onnx/model_O2.onnx");
    links.Texts({Quoted(Words(200))});
    CAPTURE(file);
    links.Must();
    CHECK(Read(links).at("0").vector == vector);
  }
  Job older;
  fs::create_directory(older.model() + "/0_Transformer");
  for (const char* name : {"model.onnx", "tokenizer.json", "config.json", "sentence_bert_config.json"}) fs::rename(older.model() + "/" + name, older.model() + "/0_Transformer/" + name);
  older.dir.Write("model/modules.json", R"([{"type":"sentence_transformers.models.Transformer","path":"0_Transformer"},{"type":"sentence_transformers.models.Pooling","path":"1_Pooling"},
    {"type":"sentence_transformers.models.Normalize","path":"2_Normalize"}])");
  older.Texts({Quoted(Words(200))});
  CHECK(older.Must().err.find("1 of 1 texts cut at 128 tokens") != std::string::npos);
  CHECK(Read(older).at("0").vector == vector);
}

TEST_CASE("do_lower_case lowers texts before all else, and chunks keep the text as it was") {
  const auto cased = [](Job& job, bool lower) {
    std::string tokenizer = ReadFile(job.model() + "/tokenizer.json");
    const std::string folds = "\"lowercase\": true";
    tokenizer.replace(tokenizer.find(folds), folds.size(), "\"lowercase\": false");
    job.dir.Write("model/tokenizer.json", tokenizer);
    job.dir.Write("model/sentence_bert_config.json", std::string(R"({"max_seq_length": 128, "do_lower_case": )") + (lower ? "true}" : "false}"));
  };
  Job as_it_is, lowered;
  cased(as_it_is, false);
  cased(lowered, true);
  for (Job* j : {&as_it_is, &lowered}) {
    j->Texts({"\"Hello WORLD\"", "\"hello world\""});
    j->Must();
  }
  CHECK(Read(as_it_is).at("0").vector != Read(as_it_is).at("1").vector);
  CHECK(Read(lowered).at("0").vector == Read(lowered).at("1").vector);
  CHECK(Read(as_it_is).at("1").vector == Read(lowered).at("1").vector);
  // A small dotted i takes more bytes than the large one.
  Job chunks("on_long = \"chunk\"\nchunk = { key = [\"id\"], tokens = 2, at = \"token\", text = \"part\" }");
  cased(chunks, true);
  chunks.Texts({"\"\xc4\xb0\xc4\xb0\xc4\xb0 THE Test DATA\""});
  chunks.Must();
  std::string parts;
  for (const auto& [id, row] : Read(chunks, "chunk_id")) parts += row.At("part") + "|";
  CHECK(parts == "\xc4\xb0\xc4\xb0\xc4\xb0 THE|Test DATA|");
}

TEST_CASE("dense layers stand behind the pooling") {
  Job plain("pooling = \"mean\"\nnormalize = false");
  Job dense("normalize = true");
  std::map<std::string, std::vector<float>> tensors{{"linear.weight", {}}, {"linear.bias", {0.25f, -0.5f, 0.0f}}};
  for (int o = 0; o < 3; ++o) {
    for (int i = 0; i < 64; ++i) tensors["linear.weight"].push_back(static_cast<float>((i * 7 + o * 5) % 11 - 5) / 16);
  }
  dense.dir.Write("model/modules.json", kWithDense);
  std::filesystem::create_directory(dense.model() + "/2_Dense");
  dense.dir.Write("model/2_Dense/config.json", R"({"in_features":64,"out_features":3,"bias":true,"activation_function":"torch.nn.modules.activation.Tanh"})");
  dense.dir.Write("model/2_Dense/model.safetensors", Tensors(tensors));
  for (Job* j : {&plain, &dense}) {
    j->Texts({Quoted(Words(9)), Quoted(Words(30, 4))});
    j->Must();
  }
  const auto before = Read(plain), behind = Read(dense);
  for (const char* id : {"0", "1"}) {
    std::vector<float> expected;
    for (std::size_t o = 0; o < 3; ++o) {
      float sum = tensors["linear.bias"][o];
      for (std::size_t i = 0; i < 64; ++i) sum += tensors["linear.weight"][o * 64 + i] * before.at(id).vector[i];
      expected.push_back(std::tanh(sum));
    }
    REQUIRE(behind.at(id).vector.size() == 3);
    CHECK(Cosine(behind.at(id).vector, expected) >= 0.999999);
  }
  // Other weights are another model.
  const std::string first = Fingerprint(dense.Must().err);
  tensors["linear.bias"][2] = 1;
  dense.dir.Write("model/2_Dense/model.safetensors", Tensors(tensors));
  std::filesystem::remove_all(dense.dir.path() / ".etl");
  const std::string second = Fingerprint(dense.Must().err);
  CHECK(second != first);
  // So is one that leaves out the bias, which its file has all the same.
  dense.dir.Write("model/2_Dense/config.json", R"({"in_features":64,"out_features":3,"bias":false,"activation_function":"torch.nn.modules.activation.Tanh"})");
  std::filesystem::remove_all(dense.dir.path() / ".etl");
  CHECK(Fingerprint(dense.Must().err) != second);
}

TEST_CASE("a prefix goes before each text, by its name or as it is") {
  Job named("prompt = \"query\"");
  named.dir.Write("model/config_sentence_transformers.json", R"({"prompts": {"query": "hello world ", "passage": "data "}, "default_prompt_name": "passage"})");
  Job default_named, given("prefix = \"hello world \""), whole;
  default_named.dir.Write("model/config_sentence_transformers.json", R"({"prompts": {"passage": "data "}, "default_prompt_name": "passage"})");
  for (Job* j : {&named, &default_named, &given}) j->Texts({"\"the test\""});
  whole.Texts({"\"hello world the test\"", "\"data the test\""});
  for (Job* j : {&named, &default_named, &given, &whole}) j->Must();
  CHECK(Cosine(Read(named).at("0").vector, Read(whole).at("0").vector) >= 0.999999);
  CHECK(Cosine(Read(given).at("0").vector, Read(whole).at("0").vector) >= 0.999999);
  CHECK(Cosine(Read(default_named).at("0").vector, Read(whole).at("1").vector) >= 0.999999);
}

TEST_CASE("a pooling without the prompt leaves out the prefix's tokens and what stands before them") {
  std::map<std::string, std::vector<float>> with, without;
  std::set<std::string> fingerprints;
  for (const std::string pooling : {"mean", "cls", "max", "lasttoken"}) {
    for (const bool include : {true, false}) {
      Job job("prefix = \"hello \"");
      job.dir.Write("model/1_Pooling/config.json", R"({"pooling_mode": ")" + pooling + R"(", "include_prompt": )" + (include ? "true}" : "false}"));
      job.Texts({"\"world\"", Quoted(Words(20))});
      fingerprints.insert(Fingerprint(job.Must().err));
      (include ? with : without)[pooling] = Read(job).at("0").vector;
    }
  }
  CHECK(fingerprints.size() == 8);
  // [CLS] hello world [SEP]: the last two are left.
  CHECK(without["lasttoken"] == with["lasttoken"]);
  const std::vector<float>&world = without["cls"], &sep = with["lasttoken"], &cls = with["cls"];
  for (std::size_t i = 0; i < 64; ++i) {
    CHECK(without["mean"][i] == doctest::Approx((world[i] + sep[i]) / 2).epsilon(1e-5));
    CHECK(without["max"][i] == std::max(world[i], sep[i]));
    CHECK(with["max"][i] >= std::max(world[i], cls[i]));
  }
  CHECK(Cosine(world, cls) < 0.999);
}

TEST_CASE("truncate_dim keeps the first numbers, and scales them again only where the pipeline says so") {
  const auto vector = [](bool cut, const std::string& options) {
    Job job(options);
    job.dir.Write("model/modules.json", R"([{"type":"sentence_transformers.models.Pooling","path":"1_Pooling"},{"type":"sentence_transformers.models.Normalize","path":"2_Normalize"}])");
    job.dir.Write("model/config_sentence_transformers.json", cut ? R"({"truncate_dim": 16})" : R"({"truncate_dim": null})");
    job.Texts({"\"data\"", Quoted(Words(20))});
    const std::string said = job.Must().err;
    return std::pair(Read(job).at("1").vector, Fingerprint(said));
  };
  const auto [whole, whole_name] = vector(false, "");
  const auto [cut, cut_name] = vector(true, "");
  const auto [again, again_name] = vector(true, "normalize = true");
  REQUIRE(whole.size() == 64);
  CHECK(cut == std::vector<float>(whole.begin(), whole.begin() + 16));
  REQUIRE(again.size() == 16);
  CHECK(Cosine(again, cut) >= 0.9999999);
  double length = 0;
  for (const float f : again) length += static_cast<double>(f) * static_cast<double>(f);
  CHECK(length == doctest::Approx(1).epsilon(1e-5));
  CHECK(std::set<std::string>{whole_name, cut_name, again_name}.size() == 3);
}

TEST_CASE("bf16 is computed by openvino where it is asked for, and is another model") {
  if (!HasOpenVino()) return;
  Job exact("runtime = \"" + OpenVino() + "\""), half("precision = \"bf16\"\nruntime = \"" + OpenVino() + "\"");
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) texts.push_back(Quoted(Words(1 + i % 60, i)));
  std::map<std::string, Row> rows[2];
  std::string said[2];
  for (const int i : {0, 1}) {
    Job& job = i ? half : exact;
    job.Texts(texts);
    said[i] = job.Must().err;
    rows[i] = Read(job);
  }
  CHECK(said[0].find("provider cpu of ONNX Runtime") != std::string::npos);
  CHECK(said[1].find("provider openvino of ONNX Runtime") != std::string::npos);
  CHECK(Fingerprint(said[0]) != Fingerprint(said[1]));
  double least = 1;
  for (const auto& [id, row] : rows[1]) least = std::min(least, Cosine(row.vector, rows[0].at(id).vector));
  CHECK(least >= 0.9995);
  CHECK(least < 0.9999999);   // or it was no bfloat16
}

TEST_CASE("vectors in another form, or of a provider that is told something, are others to a sink") {
  const auto told = [](const std::string& options) {
    Job job(options);
    job.Texts({"\"hello\""});
    const std::string toml = ReadFile((job.dir.path() / "p.toml").string());
    job.dir.Write("p.toml", toml.substr(0, toml.find("[[sink]]")) + "[[sink]]\ntype = \"told\"\nprefix = \"TOLD \"\n");
    const std::string said = job.Must({"--plugin-dir", ETL_BUILD_DIR "/tests/plugins"}).err;
    if (options.empty()) CHECK(Fingerprint(said) == said.substr(said.find("TOLD ") + 5, 32));
    REQUIRE(said.find("TOLD ") != std::string::npos);
    return said.substr(said.find("TOLD ") + 5, 32);
  };
  std::set<std::string> all;
  for (const char* options : {"", "element = \"float32\"", "element = \"float16\"", "normalize = true", "normalize = true\nelement = \"int8\"", "element = \"binary\""}) {
    all.insert(told(options));
  }
  CHECK(all.size() == 5);   // the first two are one
  if (!HasOpenVino()) return;
  const std::string openvino = "provider = \"openvino\"\nruntime = \"" + OpenVino() + "\"\n";
  for (const char* options : {"", "provider_options = { num_streams = \"1\" }", "provider_options = { num_streams = \"2\" }"}) all.insert(told(openvino + options));
  CHECK(all.size() == 7);   // another provider alone is the same model
}
