// SPDX-License-Identifier: Apache-2.0
#include "discard.h"
#include "source.h"

ETL_PLUGIN("etl.generate", "1.0.0", "Apache-2.0", etl::generate::GenerateSource, etl::generate::DiscardSink)
