/* A transform that can serve conditions. */
#include "zoo.h"
static const etl_filter filter = {.size = sizeof(etl_filter), .option = "where"};
static const void *extension(const char *id) { return strcmp(id, ETL_EXT_FILTER) == 0 ? &filter : NULL; }
static const etl_component transform = {.size = sizeof(etl_component), .type = "zoo_filter", .summary = "A filter", .create = zoo_create,
                                        .destroy = zoo_destroy, .start = zoo_start, .stop = zoo_stop, .extension = extension,
                                        .transform = &zoo_transform};
ZOO_PLUGIN("zoo.filter", &transform)
