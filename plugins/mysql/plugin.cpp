// SPDX-License-Identifier: Apache-2.0
#include "lookup.h"
#include "sink.h"
#include "source.h"

ETL_PLUGIN("etl.mysql", "1.0.0", "Apache-2.0", etl::mysql::MysqlSource, etl::mysql::MysqlSink, etl::mysql::MysqlLookup)
