// SPDX-License-Identifier: Apache-2.0
#include "sink.h"
#include "source.h"

ETL_PLUGIN("etl.ndjson", "1.0.0", "Apache-2.0", etl::ndjson::NdjsonSource, etl::ndjson::NdjsonSink)
