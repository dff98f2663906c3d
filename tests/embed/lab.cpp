#include "lab.h"

#include <simdjson.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace etl::test {

bool Full() {
  const char* full = std::getenv("ETL_FULL");
  return full && *full && std::string(full) != "0";
}

std::string ModelFolder(const std::string& name) { return std::string(ETL_BUILD_DIR) + "/models/" + name; }

namespace {
std::string Cache() {
  const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  return (cache && *cache ? std::string(cache) : std::string(home ? home : "") + "/.cache") + "/etl/";
}
}  // namespace

std::string Runtime() { return Cache() + "onnxruntime/lib"; }
std::string OpenVino() { return Cache() + "onnxruntime-openvino/lib"; }

bool HasOpenVino() {
  const bool has = std::filesystem::exists(OpenVino());
  if (!has) MESSAGE("skipped: there is no ONNX Runtime with the provider openvino; tools/dev/onnxruntime openvino fetches it");
  return has;
}

Job::Job(const std::string& options, const std::string& columns) {
  std::filesystem::copy(ModelFolder("tiny"), dir.path() / "model", std::filesystem::copy_options::recursive);
  dir.Write("p.toml", "[pipeline]\non_reject = \"file\"\n[source]\ntype = \"ndjson\"\npath = \"in.ndjson\"\ncolumns = { " + columns +
                          " }\n[[transform]]\ntype = \"embed\"\nmodel = \"model\"\n" + (options.find("text =") == 0 ? "" : "text = \"text\"\n") + options +
                          "\n[[sink]]\ntype = \"ndjson\"\npath = \"out.ndjson\"\n");
}

void Job::Texts(const std::vector<std::string>& texts) const {
  std::string lines;
  for (std::size_t i = 0; i < texts.size(); ++i) lines += "{\"id\":" + std::to_string(i) + ",\"text\":" + texts[i] + "}\n";
  dir.Write("in.ndjson", lines);
}

Command Job::Make(const std::vector<std::string>& more, const char* verb) const {
  Command c;
  c.argv = {std::string(ETL_BUILD_DIR) + "/bin/etl", verb, "p.toml", "--allow-unsafe-plugins"};
  c.argv.insert(c.argv.end(), more.begin(), more.end());
  c.cwd = dir.path().string();
  c.time_limit = std::chrono::minutes(5);
  return c;
}

Finished Job::Must(const std::vector<std::string>& more) const {
  Finished ran = Run(more);
  INFO(ran.err);
  REQUIRE(ran.exit_code == 0);
  return ran;
}

std::string Job::Fails() const {
  const Finished ran = Run();
  INFO(ran.err);
  REQUIRE(ran.exit_code != 0);
  REQUIRE(ran.exit_code != -1);
  return ran.err;
}

std::string Row::At(const std::string& column) const {
  simdjson::dom::parser parser;
  simdjson::dom::element value;
  if (parser.parse(json).at_key(column).get(value)) return "none";
  std::string_view text;
  if (!value.get(text)) return std::string(text);
  return simdjson::minify(value);
}

std::map<std::string, Row> Read(const Job& job, const std::string& key) {
  std::map<std::string, Row> rows;
  std::ifstream in(job.dir.path() / "out.ndjson");
  for (std::string line; std::getline(in, line);) {
    Row row;
    row.json = line;
    simdjson::dom::parser parser;
    simdjson::dom::array numbers;
    if (!parser.parse(line).at_key("vector").get(numbers)) {
      for (const auto n : numbers) row.vector.push_back(static_cast<float>(n.get_double().value()));
    }
    const std::string name = row.At(key);
    INFO(name, " came twice");
    REQUIRE(rows.emplace(name, row).second);
  }
  return rows;
}

double Cosine(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    bb += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return ab / std::sqrt(aa * bb);
}

double Figure(const std::string& summary, const std::string& name) {
  const auto at = summary.rfind(name + " ");
  INFO(name, "\n", summary);
  REQUIRE(at != std::string::npos);
  return std::strtod(summary.c_str() + at + name.size() + 1, nullptr);
}

std::string Fingerprint(const std::string& said) {
  const auto at = said.find("fingerprint ");
  INFO(said);
  REQUIRE(at != std::string::npos);
  return said.substr(at + 12, 32);
}

std::string Tensors(const std::map<std::string, std::vector<float>>& all) {
  std::string header, data;
  for (const auto& [name, numbers] : all) {
    const std::size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof numbers[0]);
    header += (header.empty() ? "{\"" : ",\"") + name + R"(":{"dtype":"F32","shape":[)" + std::to_string(numbers.size()) + R"(],"data_offsets":[)" + std::to_string(begin) + "," +
              std::to_string(data.size()) + "]}";
  }
  header += "}";
  const std::uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + header + data;
}

std::string Varint(std::uint64_t n) {
  std::string out;
  for (; n >= 0x80; n >>= 7) out += static_cast<char>(n | 0x80);
  return out + static_cast<char>(n);
}

std::string Field(int number, const std::string& bytes) { return Varint(static_cast<std::uint64_t>(number) << 3 | 2) + Varint(bytes.size()) + bytes; }
std::string Field(int number, std::uint64_t n) { return Varint(static_cast<std::uint64_t>(number) << 3) + Varint(n); }

std::string MeanModel(std::uint64_t words) {
  std::vector<float> numbers;
  for (std::uint64_t i = 0; i < words * 8; ++i) numbers.push_back(static_cast<float>(std::sin(static_cast<double>(i * i % 1009))));
  const std::string raw(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof numbers[0]);
  const std::string table = Field(1, words) + Field(1, 8) + Field(2, 1) + Field(8, "table") + Field(9, raw);
  const auto open = [](const std::string& name) { return Field(1, Field(2, name)); };
  const auto value = [](const std::string& name, std::uint64_t type, const std::string& dims) { return Field(1, name) + Field(2, Field(1, Field(1, type) + Field(2, dims))); };
  const std::string gather = Field(1, "table") + Field(1, "input_ids") + Field(2, "all") + Field(4, "Gather");
  const std::string mean = Field(1, "all") + Field(2, "mean") + Field(4, "ReduceMean") + Field(5, Field(1, "axes") + Field(8, 1) + Field(20, 7)) +
                           Field(5, Field(1, "keepdims") + Field(3, 0) + Field(20, 2));
  const std::string graph = Field(1, gather) + Field(1, mean) + Field(2, "mean") + Field(5, table) + Field(11, value("input_ids", 7, open("batch") + open("sequence"))) +
                            Field(12, value("mean", 1, open("batch") + Field(1, Field(1, 8))));
  return Field(1, 8) + Field(7, graph) + Field(8, Field(2, 13));
}

std::string Words(int count, int from) {
  static const char* const kWords[] = {"the", "of", "and", "to", "in", "is", "hello", "world", "test", "data", "stream", "a"};
  std::string text;
  for (int i = 0; i < count; ++i) text += (i ? " " : "") + std::string(kWords[(i + from) % 12]);
  return text;
}

void Refused(Job& job, const std::string& expected, bool made) {
  job.Texts({"\"hello\"", "\"world\""});
  for (const char* verb : {"check", "run"}) {
    const Finished ran = job.Run(std::string(verb) == "check" ? std::vector<std::string>{"--connect"} : std::vector<std::string>{}, verb);
    CAPTURE(verb);
    INFO(expected, "\n", ran.err, ran.out);
    CHECK(ran.exit_code > 0);
    CHECK((ran.err + ran.out).find(expected) != std::string::npos);
    if (!made) CHECK(!std::filesystem::exists(job.dir.path() / "out.ndjson"));
  }
}

}  // namespace etl::test
