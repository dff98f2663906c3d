// SPDX-License-Identifier: Apache-2.0
#include "lookup.h"
#include "sink.h"

ETL_PLUGIN("etl.elasticsearch", "1.0.0", "Apache-2.0", etl::elasticsearch::ElasticsearchSink,
           etl::elasticsearch::ElasticsearchLookup)
