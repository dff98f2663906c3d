#include "components.h"

#include <fmt/format.h>

#include <map>

#include "error.h"

namespace etl::test {
namespace {

using host::Component;
using host::Kind;

constexpr std::uint32_t kSize = sizeof(etl_option);

constexpr const char* kTypes[] = {"int", "float", "text", nullptr};
constexpr etl_option kPath{
    kSize,   ETL_LIST, ETL_REQUIRED, ETL_PATH, "path", "Files to read; * and ? stand for names.",
    nullptr, nullptr,  nullptr,      nullptr};
constexpr etl_option kDelimiter{
    kSize,   ETL_STRING, 0,       0,      "delimiter", "Stands between two values.",
    "\",\"", nullptr,    nullptr, nullptr};
constexpr etl_option kHeader{
    kSize,  ETL_BOOL, 0,       0,      "header", "The first line holds the names.",
    "true", nullptr,  nullptr, nullptr};
constexpr etl_option kBatchRows{
    kSize,  ETL_INT,      ETL_TUNING, 0,      "batch_rows", "Most rows in a batch.",
    "8192", "1..1000000", nullptr,    nullptr};
constexpr etl_option kSample{
    kSize, ETL_FLOAT, 0,       0,      "sample", "Share of the rows that is read.",
    "1.0", "0..1",    nullptr, nullptr};
constexpr etl_option kColumns{
    kSize,   ETL_LIST, 0,       ETL_STRING, "columns", "Columns to read, all where it is left out.",
    nullptr, nullptr,  nullptr, nullptr};
constexpr etl_option kColumnTypes{kSize,   ETL_MAP, 0,      ETL_STRING, "types", "Type by column.",
                                  nullptr, nullptr, kTypes, nullptr};
constexpr etl_option kTimeout{
    kSize,     ETL_DURATION, ETL_TUNING, 0,      "timeout", "How long to wait for a file.",
    "\"30s\"", "1ms..1h",    nullptr,    nullptr};
constexpr etl_option kMaxLine{kSize,           ETL_BYTES,  ETL_ADVANCED,  0,       "max_line",
                              "Longest line.", "\"1MiB\"", "1KiB..64MiB", nullptr, nullptr};
constexpr etl_option kSkip{kSize, ETL_INT, 0,       0,      "skip_lines", "Lines to pass over.",
                           "0",   "0..",   nullptr, nullptr};
constexpr etl_option kRows{kSize,   ETL_INT, ETL_DEPRECATED, 0,      "rows", "write batch_rows",
                           nullptr, nullptr, nullptr,        nullptr};
constexpr const etl_option* kCsv[] = {&kPath,    &kDelimiter, &kHeader,      &kBatchRows,
                                      &kSample,  &kColumns,   &kColumnTypes, &kTimeout,
                                      &kMaxLine, &kSkip,      &kRows,        nullptr};

constexpr etl_option kFile{kSize,           ETL_PATH, ETL_REQUIRED, 0,       "path",
                           "File to read.", nullptr,  nullptr,      nullptr, nullptr};
constexpr const etl_option* kLines[] = {&kFile, nullptr};

constexpr etl_option kQuery{
    kSize,   ETL_STRING, ETL_REQUIRED, 0,      "query", "A SELECT over the table batch.",
    nullptr, nullptr,    nullptr,      nullptr};
constexpr const etl_option* kSql[] = {&kQuery, nullptr};
constexpr etl_option kEvery{
    kSize,   ETL_DURATION, ETL_REQUIRED, 0,      "every", "Length of a window.",
    nullptr, "1s..1d",     nullptr,      nullptr};
constexpr const etl_option* kWindow[] = {&kEvery, nullptr};

constexpr const char* kModes[] = {"insert", "upsert", "replace", nullptr};
constexpr const char* kLevels[] = {"1", "3", "9", nullptr};
constexpr etl_option kUrl{kSize,         ETL_STRING, ETL_REQUIRED, 0,       "url",
                          "The server.", nullptr,    nullptr,      nullptr, nullptr};
constexpr etl_option kPassword{
    kSize,   ETL_STRING, ETL_SECRET, 0,      "password", "The user's password.",
    nullptr, nullptr,    nullptr,    nullptr};
constexpr etl_option kTable{
    kSize,   ETL_STRING, ETL_REQUIRED, 0,      "table", "Table to write to.",
    nullptr, nullptr,    nullptr,      nullptr};
constexpr etl_option kMode{
    kSize,        ETL_STRING, 0,      0,      "mode", "What to do with rows that are there.",
    "\"insert\"", nullptr,    kModes, nullptr};
constexpr etl_option kKeys{
    kSize, ETL_LIST, 0,       ETL_STRING, "keys", "Columns that tell rows apart.",
    "[]",  nullptr,  nullptr, nullptr};
constexpr etl_option kRowsOfBatch{
    kSize,  ETL_INT,     ETL_TUNING, 0,      "rows", "Rows in a request.",
    "5000", "1..100000", nullptr,    nullptr};
constexpr etl_option kBytesOfBatch{
    kSize,      ETL_BYTES,    ETL_TUNING, 0,      "bytes", "Bytes in a request.",
    "\"8MiB\"", "1KiB..1GiB", nullptr,    nullptr};
constexpr etl_option kLinger{
    kSize,    ETL_DURATION, ETL_TUNING, 0,      "linger", "Longest wait for a full request.",
    "\"1s\"", "0s..1h",     nullptr,    nullptr};
constexpr const etl_option* kBatchFields[] = {&kRowsOfBatch, &kBytesOfBatch, &kLinger, nullptr};
constexpr etl_option kBatch{kSize,       ETL_TABLE, ETL_SHORT | ETL_TUNING,
                            0,           "batch",   "How much goes into one request.",
                            "{}",        nullptr,   nullptr,
                            kBatchFields};
constexpr etl_option kVerify{
    kSize,  ETL_BOOL, 0,       0,      "verify", "Check the server's certificate.",
    "true", nullptr,  nullptr, nullptr};
constexpr etl_option kCa{kSize,   ETL_PATH, 0,       0,      "ca", "Certificates to trust.",
                         nullptr, nullptr,  nullptr, nullptr};
constexpr etl_option kKeyPassword{kSize,          ETL_STRING,       ETL_SECRET, 0,
                                  "key_password", "Opens the key.", nullptr,    nullptr,
                                  nullptr,        nullptr};
constexpr const etl_option* kTlsFields[] = {&kVerify, &kCa, &kKeyPassword, nullptr};
constexpr etl_option kTls{kSize,         ETL_TABLE, 0,       0,       "tls",
                          "Encryption.", nullptr,   nullptr, nullptr, kTlsFields};
constexpr etl_option kHeaders{kSize,      ETL_MAP,   ETL_SECRET | ETL_ADVANCED,
                              ETL_STRING, "headers", "Headers to send along.",
                              nullptr,    nullptr,   nullptr,
                              nullptr};
constexpr etl_option kIndexColumns{
    kSize,   ETL_LIST, ETL_REQUIRED, ETL_STRING, "columns", "Columns of the index.",
    nullptr, nullptr,  nullptr,      nullptr};
constexpr etl_option kUnique{kSize,   ETL_BOOL, 0,       0,      "unique", "No two rows alike.",
                             "false", nullptr,  nullptr, nullptr};
constexpr const etl_option* kIndexFields[] = {&kIndexColumns, &kUnique, nullptr};
constexpr etl_option kIndexes{
    kSize,   ETL_LIST, ETL_SHORT, ETL_TABLE,   "indexes", "Indexes to make afterwards.",
    nullptr, nullptr,  nullptr,   kIndexFields};
constexpr etl_option kLevel{kSize, ETL_INT, 0,       0,      "level", "Of compression.",
                            "3",   nullptr, kLevels, nullptr};
constexpr etl_option kPin{
    kSize,   ETL_INT,      ETL_SECRET, 0,      "pin", "A number nobody may know.",
    nullptr, "1000..9999", nullptr,    nullptr};
constexpr etl_option kPorts{kSize,           ETL_LIST, 0,          ETL_INT, "ports",
                            "Ports to try.", nullptr,  "1..65535", nullptr, nullptr};
constexpr etl_option kRetries{
    kSize,   ETL_INT, ETL_DEPRECATED, 0,      "retries", "write retry in [pipeline]",
    nullptr, nullptr, nullptr,        nullptr};
constexpr const etl_option* kDatabase[] = {&kUrl,   &kPassword, &kTable,   &kMode,    &kKeys,
                                           &kBatch, &kTls,      &kHeaders, &kIndexes, &kLevel,
                                           &kPin,   &kPorts,    &kRetries, nullptr};

constexpr etl_option kWrongRange{kSize,        ETL_INT, 0,     0,       "size",
                                 "Some size.", "5",     "few", nullptr, nullptr};
constexpr const etl_option* kMisdeclared[] = {&kWrongRange, nullptr};
constexpr const etl_option* kNone[] = {nullptr};

Component Make(Kind kind, const char* type, const char* summary, const etl_option* const* options,
               std::uint32_t flags) {
  Component component;
  component.plugin = "test";
  component.plugin_version = "1.2.3";
  component.path = "/plugins/test.so";
  component.kind = kind;
  component.table.size = sizeof(etl_component);
  component.table.flags = flags;
  component.table.type = type;
  component.table.summary = summary;
  component.table.doc = "";
  component.table.options = options;
  return component;
}

const std::map<std::pair<Kind, std::string>, Component>& All() {
  static const auto all = [] {
    std::map<std::pair<Kind, std::string>, Component> made;
    const auto add = [&](Kind kind, const char* type, const char* summary,
                         const etl_option* const* options, std::uint32_t flags) {
      return &made.emplace(std::pair(kind, std::string(type)),
                           Make(kind, type, summary, options, flags))
                  .first->second;
    };
    add(Kind::kSource, "csv", "Reads CSV files", kCsv, ETL_PARALLEL)->table.doc =
        "One file is one split.";
    add(Kind::kSource, "lines", "Reads a text file, one row for each line", kLines, 0);
    add(Kind::kSource, "newer", "Made for a later etl", kNone, 0)->unavailable =
        "it needs a newer etl: option type 17 of \"x\" is unknown";
    add(Kind::kTransform, "sql", "Runs a SELECT over each batch", kSql, ETL_PARALLEL);
    add(Kind::kTransform, "window", "Groups rows by time", kWindow, ETL_HOLDS);
    add(Kind::kSink, "database", "Writes to a table of a database", kDatabase,
        ETL_PARALLEL | ETL_IDEMPOTENT);
    add(Kind::kSink, "discard", "Drops every row", kNone, 0);
    add(Kind::kSink, "misdeclared", "Has a range that is none", kMisdeclared, 0);
    return made;
  }();
  return all;
}

}  // namespace

const Component& Find(Kind kind, std::string_view type) {
  if (type == "refused")
    throw host::Error(host::Exit::kPlugin,
                      "/plugins/refused.so was refused: its owner is user 1000, expected root; "
                      "install it as root");
  const auto found = All().find({kind, std::string(type)});
  if (found == All().end())
    throw host::Error(host::Exit::kConfig,
                      fmt::format("no plugin offers \"{}\"; see etl plugin list", type));
  return found->second;
}

const host::TypeResolver& Resolver() {
  static const host::TypeResolver resolver{Find, [](Kind kind) {
                                             std::vector<std::string> types;
                                             for (const auto& [key, component] : All())
                                               if (key.first == kind) types.push_back(key.second);
                                             return types;
                                           }};
  return resolver;
}

std::vector<const Component*> AllComponents() {
  std::vector<const Component*> all;
  for (const auto& [key, component] : All())
    if (component.unavailable.empty() && key.second != "misdeclared") all.push_back(&component);
  return all;
}

}  // namespace etl::test
