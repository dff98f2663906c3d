// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <etl/tune.h>

namespace etl::mysql {

/// What `etl tune` does with the sink: rows go into `_etl_tune_PIPELINE`, a copy of its table without rows.
const etl_tune* TuneTable();

}  // namespace etl::mysql
