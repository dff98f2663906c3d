/* A table that is smaller than that of version 1.0. */
#include "zoo.h"
ETL_NOTE("zoo.small_table", "1.0.0");
static const etl_component sink = {ZOO_COMPONENT(sink)};
static const etl_component *const components[] = {&sink, NULL};
static const etl_plugin plugin = {.size = 16, .abi_minor = ETL_ABI_MINOR, .name = "zoo.small_table", .version = "1.0.0",
                                  .components = components};
const etl_plugin *etl_plugin_v1(void) { return &plugin; }
