/* Has the entry, but says nothing about itself in the file. */
#include "zoo.h"
static const etl_component sink = {ZOO_COMPONENT(sink)};
static const etl_component *const components[] = {&sink, NULL};
static const etl_plugin plugin = {.size = sizeof(etl_plugin), .name = "zoo.no_note", .version = "1.0.0", .components = components};
const etl_plugin *etl_plugin_v1(void) { return &plugin; }
