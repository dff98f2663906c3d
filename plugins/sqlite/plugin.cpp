// SPDX-License-Identifier: Apache-2.0
#include "lookup.h"
#include "sink.h"
#include "source.h"

ETL_PLUGIN("etl.sqlite", "1.0.0", "Apache-2.0", etl::sqlite::SqliteSource, etl::sqlite::SqliteSink, etl::sqlite::SqliteLookup)
