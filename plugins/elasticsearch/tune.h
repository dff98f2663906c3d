// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/tune.h>

namespace etl::elasticsearch {

/// What `etl tune` does with the sink: rows go into `etl-tune-PIPELINE`, an index like its own without documents.
const etl_tune* TuneTable();

}  // namespace etl::elasticsearch
