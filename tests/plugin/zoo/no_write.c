/* A sink that cannot write. */
#include "zoo.h"
static const etl_sink half = {.size = sizeof(etl_sink), .open = zoo_open_sink, .flush = zoo_flush};
static const etl_component sink = {.size = sizeof(etl_component), .type = "zoo_half", .summary = "Half a sink", .create = zoo_create,
                                   .destroy = zoo_destroy, .start = zoo_start, .stop = zoo_stop, .sink = &half};
ZOO_PLUGIN("zoo.no_write", &sink)
