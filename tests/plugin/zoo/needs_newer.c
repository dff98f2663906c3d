/* Cannot live with a host as old as this one. */
#include "zoo.h"
ETL_NOTE("zoo.needs_newer", "1.0.0");
static const etl_component sink = {ZOO_COMPONENT(sink)};
static const etl_component *const components[] = {&sink, NULL};
static const etl_plugin plugin = {.size = sizeof(etl_plugin), .abi_minor = ETL_ABI_MINOR, .abi_minor_min = 99,
                                  .name = "zoo.needs_newer", .version = "1.0.0", .components = components};
const etl_plugin *etl_plugin_v1(void) { return &plugin; }
