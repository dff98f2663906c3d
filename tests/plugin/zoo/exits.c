/* Ends the process when it does not like something. */
#include "zoo.h"
static etl_status describe(void *self, struct ArrowSchema *out, etl_error *error) {
  (void)self, (void)out, (void)error;
  exit(3);
}
static const etl_source ends = {.size = sizeof(etl_source), .describe = describe, .open = zoo_open, .next = zoo_next};
static const etl_component source = {.size = sizeof(etl_component), .type = "zoo_source", .summary = "Exits", .options = zoo_options,
                                     .create = zoo_create, .destroy = zoo_destroy, .start = zoo_start, .stop = zoo_stop, .source = &ends};
ZOO_PLUGIN("zoo.exits", &source)
