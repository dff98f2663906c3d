/* One component with an option of a type that this host does not know, one without. */
#include "zoo.h"
static const etl_option shape = {.size = sizeof(etl_option), .type = 17, .name = "shape", .doc = "Of a later version."};
static const etl_option *const options[] = {&shape, NULL};
static const etl_component newer = {.size = sizeof(etl_component), .type = "zoo_newer", .summary = "A sink of a later version",
                                    .options = options, .create = zoo_create, .destroy = zoo_destroy, .start = zoo_start,
                                    .stop = zoo_stop, .sink = &zoo_sink};
static const etl_component usual = {ZOO_COMPONENT(sink)};
ZOO_PLUGIN("zoo.newer_option", &newer, &usual)
