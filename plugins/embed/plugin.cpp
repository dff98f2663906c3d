// SPDX-License-Identifier: Apache-2.0
#include "embed.h"

ETL_PLUGIN("etl.embed", "1.0.0", "Apache-2.0", etl::embed::Embed)
