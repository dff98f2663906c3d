/* An option whose default is outside its own range. */
#include "zoo.h"
static const etl_option port = {.size = sizeof(etl_option), .type = ETL_INT, .name = "port", .doc = "Port.", .def = "0", .range = "1..65535"};
static const etl_option *const options[] = {&port, NULL};
static const etl_component sink = {.size = sizeof(etl_component), .type = "zoo_sink", .summary = "A sink", .options = options,
                                   .create = zoo_create, .destroy = zoo_destroy, .start = zoo_start, .stop = zoo_stop, .sink = &zoo_sink};
ZOO_PLUGIN("zoo.bad_default", &sink)
