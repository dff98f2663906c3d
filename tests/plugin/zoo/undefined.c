/* Calls a function that nobody has. */
#include "zoo.h"
int zoo_nobody_has_this(void);
static etl_status flush(void *worker, etl_str *state, etl_error *error) {
  (void)worker, (void)state, (void)error;
  return zoo_nobody_has_this();
}
static const etl_sink calls = {.size = sizeof(etl_sink), .open = zoo_open_sink, .write = zoo_write, .flush = flush};
static const etl_component sink = {.size = sizeof(etl_component), .type = "zoo_sink", .summary = "A sink", .create = zoo_create,
                                   .destroy = zoo_destroy, .start = zoo_start, .stop = zoo_stop, .sink = &calls};
ZOO_PLUGIN("zoo.undefined", &sink)
