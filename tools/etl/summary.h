// What a run says when it is over, however it ended.
#pragma once
#include <string>
#include <vector>

#include "run/run.h"

namespace etl::cli {

std::vector<std::string> Summary(const host::RunResult& result);

}  // namespace etl::cli
