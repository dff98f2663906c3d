// SPDX-License-Identifier: Apache-2.0
#include "source.h"

ETL_PLUGIN("etl.clickhouse", "1.0.0", "Apache-2.0", etl::clickhouse::ClickhouseSource)
