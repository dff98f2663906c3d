// A run's status in the text format of Prometheus, version 0.0.4.
#pragma once
#include <string>

#include "run/run.h"

namespace etl::cli {

std::string Prometheus(const host::RunStatus& status);

}  // namespace etl::cli
