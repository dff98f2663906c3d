/* The note names another plugin than the table. */
#include "zoo.h"
ETL_NOTE("zoo.somebody_else", "2.0.0");
static const etl_component sink = {ZOO_COMPONENT(sink)};
static const etl_component *const components[] = {&sink, NULL};
static const etl_plugin plugin = {.size = sizeof(etl_plugin), .abi_minor = ETL_ABI_MINOR, .name = "zoo.note_disagrees",
                                  .version = "1.0.0", .components = components};
const etl_plugin *etl_plugin_v1(void) { return &plugin; }
