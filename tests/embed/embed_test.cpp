// What comes out: lengths, chunks, odd texts, forms of vectors; with a tiny model of known shape (64 dimensions, 128 tokens).
#include <cmath>
#include <random>

#include "lab.h"

using namespace etl::test;

namespace {

std::string Quoted(const std::string& text) { return "\"" + text + "\""; }

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
  job.Texts({Quoted(Words(5)), Quoted(Words(1300))});
  const Finished ran = job.Run();
  CHECK(ran.exit_code == 3);
  INFO(ran.err);
  CHECK(ran.err.find("the text has 1,300 tokens, 126 is the most") != std::string::npos);
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

TEST_CASE("empty, blank, control, huge and broken texts follow their policy and end nothing") {
  std::string big;
  while (big.size() < 1'000'000) big += Words(12) + "\xe4\xb8\xad\xe6\x96\x87\xf0\x9f\x98\x80 ";
  const std::vector<std::string> odd = {"\"\"", "\"   \\t\\n\"", "\"\\u0001\\u0002\\u007f\"", "null", Quoted(big), Quoted(std::string(500'000, 'x')), "\"\xf0\x9f\x98\x80\xf0\x9f\x9a\x80\"",
                                        "\"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d\"", "\"[CLS] [SEP] [PAD]\""};
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
    CHECK(rows.size() == (policy == "reject" ? 5u : 9u));
    for (const char* id : {"4", "5", "6", "7", "8"}) CHECK(rows.at(id).vector.size() == 64);
    if (policy == "reject") continue;
    for (const char* id : {"0", "1", "2", "3"}) {
      CHECK(rows.at(id).vector.size() == (policy == "null" ? 0u : 64u));
      if (policy == "zero") CHECK(rows.at(id).vector == std::vector<float>(64, 0.0f));
      if (policy == "embed") CHECK(rows.at(id).vector == rows.at("0").vector);
    }
  }
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
