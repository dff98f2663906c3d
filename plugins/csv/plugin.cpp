// SPDX-License-Identifier: Apache-2.0
#include "sink.h"
#include "source.h"

ETL_PLUGIN("etl.csv", "1.0.0", "Apache-2.0", etl::csv::CsvSource, etl::csv::CsvSink)
