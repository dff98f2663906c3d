// Pipelines with an embedding in the middle.
#pragma once
#include <doctest/doctest.h>

#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "run_process.h"
#include "temp_dir.h"

namespace etl::test {

bool Full();

/// The folder of a model that the build has made: "tiny", "minilm".
std::string ModelFolder(const std::string& name);

/// Folder of the ONNX Runtime, and of the one with the provider openvino, which tests/embed/models fetches for ETL_FULL.
std::string Runtime();
std::string OpenVino();
/// Is it there?  Says so where it is not.
bool HasOpenVino();

/// NDJSON through embed to NDJSON, in a folder of its own.
struct Job {
  TempDir dir;
  /// `options`: lines of [[transform]] besides the model, which is a copy of the tiny one in dir/model, and the text.
  explicit Job(const std::string& options = "", const std::string& columns = "id = \"int64\", text = \"utf8\"");
  std::string model() const { return (dir.path() / "model").string(); }
  /// {"id":0,"text":...} and so on.
  void Texts(const std::vector<std::string>& texts) const;
  Command Make(const std::vector<std::string>& more = {}, const char* verb = "run") const;
  Finished Run(const std::vector<std::string>& more = {}, const char* verb = "run") const { return RunProcess(Make(more, verb)); }
  /// Runs it, which must go well.
  Finished Must(const std::vector<std::string>& more = {}) const;
  /// Runs it, which must fail; what it says.
  std::string Fails() const;
};

/// A row as it came out, by the key of the column that is named.
struct Row {
  std::string json;
  std::vector<float> vector;                 ///< of the column vector; empty = null
  std::string At(const std::string& column) const;
};
std::map<std::string, Row> Read(const Job& job, const std::string& key = "id");

double Cosine(const std::vector<float>& a, const std::vector<float>& b);

/// The number before or behind a word of the summary's line of the transform ("model_texts 3000").
double Figure(const std::string& summary, const std::string& name);
/// The fingerprint that a run says.
std::string Fingerprint(const std::string& said);

/// modules.json of a model with a module Dense in 2_Dense.
inline constexpr auto kWithDense = R"([{"type":"sentence_transformers.models.Transformer","path":""},{"type":"sentence_transformers.models.Pooling","path":"1_Pooling"},
  {"type":"sentence_transformers.models.Dense","path":"2_Dense"}])";
/// A file of safetensors, each tensor of one dimension.
std::string Tensors(const std::map<std::string, std::vector<float>>& all);

/// Fields of a message of Protocol Buffers, by hand.
std::string Varint(std::uint64_t n);
std::string Field(int number, const std::string& bytes);
std::string Field(int number, std::uint64_t n);
/// An ONNX model of the tiny one's vocabulary without an attention mask: gives the mean of 8 numbers of each token, or of the first `words` of them.
/// A text's vector is what it should be only where no padding stands behind it.
std::string MeanModel(std::uint64_t words = 2000);

/// So many words that are one token each in the tiny model's vocabulary.
std::string Words(int count, int from = 0);

/// `etl check --connect` and `etl run` both say this; unless it may be `made`, there is not even the file that rows would go to.
void Refused(Job& job, const std::string& expected, bool made = false);

}  // namespace etl::test
