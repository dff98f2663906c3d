// Statuses and results as JSON, for --report, /status and --log-format json.
#pragma once
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include <string>
#include <vector>

#include "run/run.h"

namespace etl::cli {

using Json = Poco::JSON::Object;  ///< made with NewObject(), so that keys stay in order

Json::Ptr NewObject();
Poco::JSON::Array::Ptr NewArray();
Json::Ptr ToJson(const host::StageStatus& stage);
Json::Ptr ToJson(const host::RunStatus& status);
Json::Ptr ToJson(const host::RunResult& result);
Json::Ptr ToJson(const host::Problem& problem);
Poco::JSON::Array::Ptr ToJson(const std::vector<host::Problem>& problems);
std::string Text(const Json::Ptr& json, unsigned indent = 0);

/// Replaces the file in one step: a reader sees the old one or the whole new one.  Throws
/// Error(kConfig).
/// `same_access`: the new one has the owner and the permissions of the old.
void WriteAtomically(const std::string& file, const std::string& text, bool same_access = false);
/// Throws Error(kConfig) where WriteAtomically could not write later.
void CheckWritable(const std::string& file);

}  // namespace etl::cli
