// Broken models: each is said in one sentence, before the first row is read.
#include <filesystem>
#include <set>

#include "lab.h"

using namespace etl::test;

namespace {

namespace fs = std::filesystem;

/// A tensor that lies in another file.
std::string External(const std::string& location) { return Field(13, Field(1, "location") + Field(2, location)) + Field(14, 1); }

/// With this in the place of a file of the model.
void With(const std::string& file, const std::string& content, const std::string& expected, const std::string& options = "") {
  Job job(options);
  job.dir.Write("model/" + file, content);
  Refused(job, expected);
}
void Without(const std::string& file, const std::string& expected) {
  Job job;
  fs::remove(job.model() + "/" + file);
  Refused(job, expected);
}

/// A word's number in the tiny model's vocabulary.
std::uint64_t IdOf(const std::string& word) {
  const std::string tokenizer = ReadFile(ModelFolder("tiny") + "/tokenizer.json"), known = "\"" + word + "\": ";
  return std::stoull(tokenizer.substr(tokenizer.find(known) + known.size()));
}

}  // namespace

TEST_CASE("missing files") {
  Without("model.onnx", "there is no model.onnx and no onnx/model.onnx in ");
  Without("tokenizer.json", "there is no tokenizer.json in ");
  Job job;
  fs::remove_all(job.model());
  Refused(job, "model does not exist");
  Job named("file = \"model_int8.onnx\"");
  Refused(named, "there is no model_int8.onnx and no onnx/model_int8.onnx in ");
  Job out("file = \"../model.onnx\"");
  Refused(out, "\"../model.onnx\" leads out of the model's folder");
}

TEST_CASE("files that are no models") {
  const std::string whole = ReadFile(ModelFolder("tiny") + "/model.onnx");
  With("model.onnx", "", "model.onnx is empty; get it again");
  With("model.onnx", "This is a text file.\n", "model.onnx is cut short, or no ONNX model; get it again");
  With("model.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "model.onnx is a pointer of Git LFS and not the model itself");
  With("model.onnx", whole.substr(0, whole.size() / 2), "model.onnx is cut short, or no ONNX model; get it again");
  With("model.onnx", whole.substr(0, whole.size() - 1), "model.onnx is cut short, or no ONNX model; get it again");
  With("model.onnx", Field(2, "nobody"), "model.onnx is no ONNX model: it holds no graph");
  With("model.onnx", Field(1, 8) + Field(7, Field(2, "empty")) + Field(8, Field(2, 17)), "model.onnx cannot be opened: ");
  With("tokenizer.json", "", "tokenizer.json is no tokenizer that can be used: ");
  With("tokenizer.json", "{\"version\":\"1.0\"}", "tokenizer.json is no tokenizer that can be used: ");
  With("config.json", "{", "config.json is not JSON: ");
  With("modules.json", R"([{"type":"sentence_transformers.models.Transformer","path":""},{"type":"sentence_transformers.models.LSTM","path":"2_LSTM"}])",
       "modules.json names a module LSTM, which is not supported");
  With("1_Pooling/config.json", R"({"pooling_mode_mean_tokens":true,"pooling_mode_cls_token":true})", "asks for mean and cls at once, which is not supported");
  With("1_Pooling/config.json", R"({"pooling_mode":["max","lasttoken"]})", "1_Pooling/config.json asks for max and lasttoken at once, which is not supported");
  With("1_Pooling/config.json", R"({"pooling_mode":"weightedmean"})",
       "1_Pooling/config.json asks for the pooling \"weightedmean\", which is not supported; there are mean, cls, max and lasttoken");
  With("1_Pooling/config.json", R"({"pooling_mode_mean_sqrt_len_tokens":true})", "1_Pooling/config.json asks for the pooling \"mean_sqrt_len_tokens\", which is not supported");
  With("1_Pooling/config.json", R"({"pooling_mode":[]})", "1_Pooling/config.json asks for the pooling \"\", which is not supported");
  With("modules.json", R"({"0":{"type":"sentence_transformers.models.Transformer","path":""}})", "modules.json is no list of modules");
  With("modules.json", R"([{"type":"sentence_transformers.models.Pooling","path":"2_Pooling"}])", "modules.json names a module Pooling, but there is no ");
  std::string bytes = whole;
  for (std::size_t i = 0; i < bytes.size(); i += 997) bytes[i] = static_cast<char>(~bytes[i]);
  Job noise;
  noise.dir.Write("model/model.onnx", bytes);
  noise.Texts({"\"hello\""});
  CHECK(noise.Run().exit_code > 0);
}

TEST_CASE("dense layers that cannot be read") {
  const auto refused = [](const std::string& config, const std::string& tensors, const std::string& expected, const std::string& modules = kWithDense) {
    Job job;
    fs::create_directory(job.model() + "/2_Dense");
    job.dir.Write("model/modules.json", modules);
    if (!config.empty()) job.dir.Write("model/2_Dense/config.json", config);
    if (!tensors.empty()) job.dir.Write("model/2_Dense/model.safetensors", tensors);
    Refused(job, expected);
  };
  const std::string config = R"({"in_features":64,"out_features":2,"bias":false,"activation_function":"torch.nn.modules.linear.Identity"})";
  const std::vector<float> weight(128, 0.5f);
  refused("", "", "2_Dense/config.json does not say in_features and out_features");
  refused(config, "", "2_Dense/model.safetensors: a module Dense is read from that file only");
  refused(config, "not a tensor in here", "model.safetensors is cut short, or no safetensors file; get it again");
  refused(config, Tensors({{"linear.weight", weight}}).substr(0, 100), "model.safetensors has linear.weight in another size than config.json beside it says");
  refused(config, Tensors({{"other", weight}}), "model.safetensors has no tensor linear.weight");
  refused(R"({"in_features":64,"out_features":3,"bias":false})", Tensors({{"linear.weight", weight}}), "linear.weight in another size than config.json beside it says");
  refused(R"({"in_features":64,"out_features":2})", Tensors({{"linear.weight", weight}}), "model.safetensors has no tensor linear.bias");
  refused(R"({"in_features":32,"out_features":4,"bias":false})", Tensors({{"linear.weight", weight}}), "gives vectors of 64 numbers, but a module Dense takes 32");
  refused(R"({"in_features":64,"out_features":2,"activation_function":"my.own.Swish"})", Tensors({{"linear.weight", weight}}), "asks for the activation Swish, which is not supported");
  refused(config, Tensors({{"linear.weight", weight}}), "names the folder \"../dense\", which is outside of the model's",
          R"([{"type":"sentence_transformers.models.Dense","path":"../dense"}])");
}

TEST_CASE("wrong dims, inputs and hashes") {
  With("config.json", R"({"hidden_size":65,"max_position_embeddings":128})", "gives vectors of 64 numbers, but config.json says hidden_size 65");
  With("config.json", R"({"hidden_size":64,"max_position_embeddings":128})", "129 tokens are more than the 128 positions", "max_tokens = 129");
  std::string renamed = ReadFile(ModelFolder("tiny") + "/model.onnx");
  for (std::size_t at; (at = renamed.find("input_ids")) != std::string::npos;) renamed.replace(at, 9, "inputXids");
  With("model.onnx", renamed, "has an input \"inputXids\"; input_ids, attention_mask, token_type_ids and position_ids can be given");
  With("note.txt", "", "model.onnx has the SHA-256 ", "sha256 = \"" + std::string(64, '0') + "\"");
  With("note.txt", "", "the model takes 126 tokens", "on_long = \"chunk\"\nchunk = { key = \"id\", tokens = 127 }");
  for (const std::string overlap : {"8", "12"}) {   // of 20, two go around the text and ten before it
    const std::string expected = "the overlap must be less than a chunk, which has 8 tokens";
    With("note.txt", "", expected, "max_tokens = 20\nprefix = \"" + Words(10) + " \"\non_long = \"chunk\"\nchunk = { key = \"id\", overlap = " + overlap + " }");
  }
  With("note.txt", "", "the overlap must be less than a chunk, which has 30 tokens", "on_long = \"chunk\"\nchunk = { key = \"id\", tokens = 30, overlap = 30 }");
  With("note.txt", "", "128 tokens leave no room for a text beside the ", "prefix = \"" + Words(126) + "\"");
}

TEST_CASE("a tokenizer or a length that is not the model's is said before the first row") {
  With("model.onnx", MeanModel(1000), "tokenizer.json has words up to the number 1999, which the model does not know; they do not belong together");
  Job unsaid;
  fs::remove(unsaid.model() + "/config.json");
  fs::remove(unsaid.model() + "/sentence_bert_config.json");
  Refused(unsaid, "model.onnx takes no text of 512 tokens; say by max_tokens how many it takes");
  unsaid.Must({"--set", "transform[0].max_tokens=128"});
  With("config.json", R"({"model_type":"roberta","max_position_embeddings":128})", "127 tokens are more than the 126 positions that ", "max_tokens = 127");
  std::string tokenizer = ReadFile(ModelFolder("tiny") + "/tokenizer.json");
  const std::string unknown = R"("unk_token": "[UNK]")";
  tokenizer.replace(tokenizer.find(unknown), unknown.size(), R"("unk_token": "[NOT]")");
  With("tokenizer.json", tokenizer, "words that it does not know have no token: ");
}

TEST_CASE("weights in other files and operators of others are refused wherever they hide") {
  const std::string tensor = External("../../etc/passwd"), graph_with = Field(5, tensor);
  const std::string whole = ReadFile(ModelFolder("tiny") + "/model.onnx");
  const auto node_with = [](const std::string& attribute) { return Field(7, Field(1, Field(5, attribute))); };
  const std::string hidden[] = {
      Field(7, Field(5, tensor)),                          // initializer
      Field(7, Field(15, Field(1, tensor))),               // sparse initializer
      node_with(Field(5, tensor)),                         // attribute
      node_with(Field(10, tensor)),                        // attribute, list
      node_with(Field(6, graph_with)),                     // subgraph
      node_with(Field(11, graph_with)),                    // subgraphs
      node_with(Field(22, Field(1, tensor))),              // sparse attribute
      Field(25, Field(7, Field(5, Field(5, tensor)))),     // function
      Field(20, Field(1, Field(5, tensor))),               // training
  };
  for (const std::string& more : hidden) {
    With("model.onnx", whole + more, "keeps weights in another file (\"../../etc/passwd\"); if you trust it: allow = [\"external_data\"]");
    With("model.onnx", whole + more, "names the file \"../../etc/passwd\", which is outside of the model's folder", "allow = [\"external_data\"]");
  }
  With("model.onnx", whole + Field(7, Field(5, External("weights.bin"))), "weights.bin, which is not there", "allow = [\"external_data\"]");
  // What is pinned is all that is read.
  Job pinned("allow = [\"external_data\"]\nsha256 = \"" + std::string(64, '0') + "\"");
  pinned.dir.Write("model/model.onnx", whole + Field(7, Field(5, External("weights.bin"))));
  pinned.Texts({"\"hello\""});
  std::set<std::string> said;
  for (const char* weights : {"one", "two"}) {
    pinned.dir.Write("model/weights.bin", weights);
    const std::string all = pinned.Fails(), before = "model.onnx with the files that it reads has the SHA-256 ";
    REQUIRE_MESSAGE(all.find(before) != std::string::npos, all);
    said.insert(all.substr(all.find(before) + before.size(), 64));
  }
  CHECK(said.size() == 2);
  Job link("allow = [\"external_data\"]");
  fs::create_symlink("/etc/passwd", link.model() + "/weights.bin");
  link.dir.Write("model/model.onnx", whole + Field(7, Field(5, External("weights.bin"))));
  Refused(link, "names the file \"weights.bin\", which is outside of the model's folder");
  // A function that the file itself defines is no operator of others; what it calls may be.
  const auto function = [](const std::string& domain, const std::string& inside) {
    return Field(25, Field(1, "Mine") + Field(4, "x") + Field(5, "y") + Field(7, Field(1, "x") + Field(2, "y") + inside) + Field(9, Field(2, 13)) + Field(10, domain));
  };
  const std::string call = Field(7, Field(1, Field(1, "input_ids") + Field(2, "unused") + Field(4, "Mine") + Field(7, "my.local"))) + Field(8, Field(1, "my.local") + Field(2, 1));
  Job local;
  local.dir.Write("model/model.onnx", whole + call + function("my.local", Field(4, "Identity")));
  local.Texts({"\"hello\""});
  local.Must();
  With("model.onnx", whole + call + function("my.other", Field(4, "Identity")), "needs the custom operator my.local.Mine");
  With("model.onnx", whole + call + function("my.local", Field(4, "Run") + Field(7, "evil.corp")), "needs the custom operator evil.corp.Run");
  With("model.onnx", whole + Field(7, Field(1, Field(4, "Run") + Field(7, "evil.corp"))), "needs the custom operator evil.corp.Run; if you trust it: allow = [\"custom_ops\"]");
}

TEST_CASE("what a model without special tokens makes of no text is asked for in vain") {
  const auto bare = [](Job& job) {
    std::string tokenizer = ReadFile(job.model() + "/tokenizer.json");
    const auto at = tokenizer.find("\"post_processor\": {"), end = tokenizer.find("\"decoder\": ");
    job.dir.Write("model/tokenizer.json", tokenizer.replace(at, end - at, "\"post_processor\": null, "));
  };
  Job none("on_empty = \"embed\""), prefix("on_empty = \"embed\"\nprefix = \"the \""), null("on_empty = \"null\"");
  for (Job* j : {&none, &prefix, &null}) bare(*j);
  Refused(none, "puts no tokens around a text: of an empty one there is nothing to embed; take null, zero, reject or fail");
  for (Job* j : {&prefix, &null}) {
    j->Texts({"\"\"", "\"the test\""});
    j->Must();
  }
  CHECK(Read(prefix).at("0").vector.size() == 64);
  CHECK(Read(null).at("0").vector.empty());
}

TEST_CASE("a row whose vector holds NaN is rejected, and the cache does not keep it") {
  std::string onnx = ReadFile(ModelFolder("tiny") + "/model.onnx");
  const std::string words = "embeddings.word" + Varint(9 << 3 | 2) + Varint(2000 * 64 * 4);   // the tensor's name, and before its numbers
  const auto at = onnx.find(words);
  REQUIRE(at != std::string::npos);
  const std::uint64_t hello = IdOf("hello");
  onnx.replace(at + words.size() + hello * 64 * 4, 4, 4, '\xff');
  for (const std::string element : {"float32", "int8", "binary"}) {
    Job job("cache = \"v.db\"\nnormalize = true\nelement = \"" + element + "\"");
    job.dir.Write("model/model.onnx", onnx);
    job.Texts({"\"hello world\"", "\"the test\"", "\"world hello\"", "\"hello world\"", "\"data\""});
    for (const int texts : {2, 0}) {   // of those that are right
      const Finished ran = job.Run();
      INFO(ran.err);
      CHECK(ran.exit_code == 3);
      CHECK(ran.err.find("read 5, delivered 2, filtered 0, rejected 3") != std::string::npos);
      CHECK(ran.err.find("the text's vector holds NaN or infinity") != std::string::npos);
      CHECK(Figure(ran.err, "model_texts") == 2 + texts);
      const auto rows = Read(job);
      CHECK(rows.size() == 2);
      for (const char* id : {"1", "4"}) CHECK(rows.at(id).vector.size() == (element == "binary" ? 8u : 64u));
    }
  }
  Job chunks("on_long = \"chunk\"\nchunk = { key = [\"id\"], tokens = 5, at = \"token\" }");
  chunks.dir.Write("model/model.onnx", onnx);
  chunks.Texts({"\"the of and to in is hello world\"", "\"the of and to in is world\""});
  CHECK(chunks.Run().exit_code == 3);
  const auto rows = Read(chunks, "chunk_id");
  CHECK(rows.size() == 2);
  CHECK(rows.count("1#0") + rows.count("1#1") == 2);
}

TEST_CASE("a call to the model that fails ends the run with its reason, also where it is the last one") {
  const auto tensor = [](const std::string& name, std::uint64_t n) { return Field(5, Field(1, 1) + Field(2, 7) + Field(7, Varint(n)) + Field(8, name)); };
  const auto node = [](const std::string& type, const std::string& inputs, const std::string& out, const std::string& more = "") { return Field(1, inputs + Field(2, out) + Field(4, type) + more); };
  // Looks up a place that is not there for every token "hello".
  const std::string to_int64 = Field(5, Field(1, "to") + Field(3, 7) + Field(20, 2));
  const std::string trap = node("Equal", Field(1, "input_ids") + Field(1, "hello"), "is") + node("Cast", Field(1, "is"), "place", to_int64) + node("Gather", Field(1, "one") + Field(1, "place"), "gone") +
                           tensor("hello", IdOf("hello")) + tensor("one", 1) + Field(12, Field(1, "gone") + Field(2, Field(1, Field(1, 7))));
  Job job;
  job.dir.Write("model/model.onnx", ReadFile(ModelFolder("tiny") + "/model.onnx") + Field(7, trap));
  job.Texts({"\"world\""});
  job.Must();
  job.Texts({"\"hello world\""});
  for (int i = 0; i < 10; ++i) {
    const Finished ran = job.Run();
    INFO(ran.err);
    CHECK(ran.exit_code == 4);
    CHECK(ran.err.find("model.onnx failed on 1 texts of up to 4 tokens: ") != std::string::npos);
  }
}

TEST_CASE("a runtime or provider that is not there is said by its name") {
  Job job("provider = \"cuda\"");
  Refused(job, "the provider cuda needs libonnxruntime_providers_cuda.so, which is not beside ");
  const Finished plain = job.Run({}, "check");
  CHECK(plain.exit_code == 2);
  CHECK_MESSAGE(plain.err.find("p.toml:") != std::string::npos, plain.err);
  CHECK_MESSAGE(plain.err.find("the provider cuda needs libonnxruntime_providers_cuda.so, which is not beside ") != std::string::npos, plain.err);
  for (const std::string name : {"CPU", "nope", ""}) With("note.txt", "", "there is no provider \"" + name + "\" in ", "provider = \"" + name + "\"");
  With("note.txt", "", "); there are auto, ", "provider = \"nope\"");
  Job openvino("precision = \"bf16\"");
  Refused(openvino, "the provider openvino needs libonnxruntime_providers_openvino.so, which is not beside ");
  Job runtime("runtime = \"/nowhere/libonnxruntime.so\"");
  Refused(runtime, "/nowhere/libonnxruntime.so: cannot open shared object file");
  Job other("runtime = \"/lib/x86_64-linux-gnu/libz.so.1\"");
  Refused(other, "libz.so.1 is no ONNX Runtime");
}

TEST_CASE("a pipeline can be checked where its model is not") {
  Job job;
  job.Texts({"\"hello\""});
  fs::remove_all(job.dir.path() / "model");
  const Finished plain = job.Run({}, "check");
  CHECK(plain.exit_code == 0);
  CHECK_MESSAGE(plain.err.find("was not checked: the model ") != std::string::npos, plain.err);
  CHECK(job.Run({"--connect"}, "check").exit_code == 2);
}

TEST_CASE("what a provider's own library lacks is said by its name") {
  if (!HasOpenVino()) return;
  Job job("provider = \"openvino\"\nruntime = \"part\"");
  fs::create_directory(job.dir.path() / "part");
  for (const char* name : {"libonnxruntime.so.1", "libonnxruntime_providers_shared.so", "libonnxruntime_providers_openvino.so"}) {
    fs::copy_file(OpenVino() + "/" + name, job.dir.path() / "part" / name);
  }
  Refused(job, "libopenvino_onnx_frontend.so.2541: cannot open shared object file");
  fs::remove(job.dir.path() / "part/libonnxruntime_providers_openvino.so");
  Refused(job, "the provider openvino needs libonnxruntime_providers_openvino.so, which is not beside ");
}

TEST_CASE("columns that are not there, or there already") {
  With("note.txt", "", "the rows have no column \"body\"", "text = \"{body}\"");
  With("note.txt", "", "there is no column in \"a {{text}}\"", "text = \"a {{text}}\"");
  With("note.txt", "", "the rows have a column \"text\" already", "output = \"text\"");
  // Of the option that names it.
  With("note.txt", "", "p.toml:12:11: \"chunk.key\": the rows have no column \"body\"", "on_long = \"chunk\"\nchunk = { key = [\"id\", \"body\"] }");
}

TEST_CASE("options that need others, or have no effect, are said without the model") {
  const auto refused = [](const std::string& options, const std::string& expected) {
    Job job(options);
    job.Texts({"\"hello\""});
    fs::remove_all(job.model());
    const Finished plain = job.Run({}, "check");
    INFO(plain.err);
    CHECK(plain.exit_code == 2);
    CHECK(plain.err.find(expected) != std::string::npos);
  };
  refused("on_long = \"chunk\"", "name the columns that tell texts apart");
  for (const std::string chunk : {"key = [\"id\"]", "tokens = 50", "overlap = 5", "at = \"line\"", "text = \"part\""}) {
    refused("chunk = { " + chunk + " }", "has no effect without on_long = \"chunk\"");
  }
  refused("on_empty = \"fail\"\nchunk = { key = [\"id\"], tokens = 50 }", "has no effect without on_long = \"chunk\"");
  refused("prefix = \"a \"\nprompt = \"query\"", "names what goes before each text, and prefix says it; give one of them");
  refused("provider = \"cpu\"\nprovider_options = { device_id = \"0\" }", "the provider cpu has none");
  Job any("provider_options = { device_id = \"0\" }");
  any.Texts({"\"hello\""});
  const std::string said = any.Must().err;
  CHECK_MESSAGE((said.find("provider cpu") == std::string::npos) == (said.find("provider_options have no effect: the provider is cpu") == std::string::npos), said);
  Job named("on_empty = \"fail\"\nchunk = { key = [\"text\", \"id\"] }");
  named.Texts({"\"\""});
  CHECK(named.Fails().find("the text of 0:1:0 is empty") != std::string::npos);
}

TEST_CASE("pooling is refused for an output that is one vector for each text already") {
  const std::string axes = Field(5, Field(1, "axes") + Field(8, 1) + Field(20, 7)), keep = Field(5, Field(1, "keepdims") + Field(3, 0) + Field(20, 2));
  const std::string shape = Field(2, Field(1, Field(2, "batch")) + Field(1, Field(1, 64)));
  const std::string pooled = Field(1, Field(1, "last_hidden_state") + Field(2, "pooled") + Field(4, "ReduceMean") + axes + keep) + Field(12, Field(1, "pooled") + Field(2, Field(1, Field(1, 1) + shape)));
  Job with("model_output = \"pooled\"\npooling = \"cls\""), without("model_output = \"pooled\"");
  for (Job* j : {&with, &without}) j->dir.Write("model/model.onnx", ReadFile(ModelFolder("tiny") + "/model.onnx") + Field(7, pooled));
  Refused(with, "\"pooling\": has no effect: the output \"pooled\" of ");
  without.Texts({"\"hello world\""});
  without.Must();
  CHECK(Read(without).at("0").vector.size() == 64);
}
