#include "observe.h"

#include <sqlite3.h>

#include <charconv>
#include <fstream>

#include "config/config.h"
#include "data/json_values.h"

namespace etl::test {
namespace {

host::Registry& Plugins() {
  static host::Registry registry({{ETL_BUILD_DIR "/tests/plugins", ETL_PLUGIN_DIR}, true});
  return registry;
}

JsonOptions Plain() {
  JsonOptions options;
  options.non_finite = JsonNonFinite::kText;
  return options;
}

SqliteValue ValueOf(sqlite3_stmt* row, int i) {
  switch (sqlite3_column_type(row, i)) {
    case SQLITE_INTEGER:
      return {"INTEGER", std::to_string(sqlite3_column_int64(row, i))};
    case SQLITE_FLOAT: {
      char text[32];
      const auto end = std::to_chars(text, text + sizeof text, sqlite3_column_double(row, i)).ptr;
      return {"REAL", std::string(text, end)};
    }
    case SQLITE_NULL:
      return {"NULL", "null"};
    default:
      break;
  }
  const bool blob = sqlite3_column_type(row, i) == SQLITE_BLOB;
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(row, i));
  const std::string_view text(bytes ? bytes : "",
                              static_cast<std::size_t>(sqlite3_column_bytes(row, i)));
  return {blob ? "BLOB" : "TEXT", blob ? host::data::EncodeBase64(text) : std::string(text)};
}

}  // namespace

Bench::Bench(Sample sample) : sample_(std::move(sample)) {
  handover_.schema = [this](ArrowSchema* out) {
    host::SchemaHandle schema = SchemaOf(sample_);
    *out = *schema;
    schema.out()->release = nullptr;
    given_ = false;
  };
  handover_.next = [this](ArrowArray* out) {
    if (given_) return false;
    given_ = true;
    MakeBatchOf(sample_, out);
    return true;
  };
  handover_.arrived = [this](const ArrowSchema& schema, const ArrowArray& array) {
    Show(schema, array);
  };
  types_ = host::SchemaText(*PlainSchemaOf(sample_));
  for (std::size_t i = 0; i < sample_.values.size(); ++i) {
    rows_.push_back("{\"n\":" + std::to_string(i) + ",\"v\":" + sample_.values[i] + "}");
  }
}

void Bench::Show(const ArrowSchema& schema, const ArrowArray& array) {
  arrived_.types = host::SchemaText(schema);
  JsonWriter writer(schema, Plain());
  for (std::int64_t row = 0; row < array.length; ++row)
    writer.Row(array, row, arrived_.rows.emplace_back());
}

host::RunResult Bench::Run(const std::string& toml) {
  std::filesystem::remove_all(folder_.path() / ".etl");
  const std::string file = folder_.Write("p.toml", "pipeline.on_reject = \"file\"\n" + toml);
  const host::PipelineConfig config = host::LoadConfig(file, {}, Plugins());
  arrived_ = {};
  return host::Run(config, {}).Execute();
}

Arrived Bench::Through(const std::string& stages) {
  host::RunResult result =
      Run(From() + stages + "[sink]\ntype = \"handover\"\naddress = " + handover_.address() + "\n");
  arrived_.result = std::move(result);
  return arrived_;
}

Arrived Bench::Read(const std::string& source) {
  host::RunResult result =
      Run("[source]\n" + source + "[sink]\ntype = \"handover\"\naddress = " + handover_.address() +
          "\n");
  arrived_.result = std::move(result);
  return arrived_;
}

host::RunResult Bench::Write(const std::string& sink) { return Run(From() + "[sink]\n" + sink); }

std::map<std::int64_t, SqliteValue> Bench::SqliteValues(const std::string& file) const {
  sqlite3* db = nullptr;
  sqlite3_stmt* rows = nullptr;
  std::map<std::int64_t, SqliteValue> out;
  if (sqlite3_open(File(file).c_str(), &db) == SQLITE_OK &&
      sqlite3_prepare_v2(db, "SELECT n, v FROM t", -1, &rows, nullptr) == SQLITE_OK) {
    while (sqlite3_step(rows) == SQLITE_ROW) out[sqlite3_column_int64(rows, 0)] = ValueOf(rows, 1);
  }
  sqlite3_finalize(rows);
  sqlite3_close(db);
  return out;
}

}  // namespace etl::test
