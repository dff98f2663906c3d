/* Takes memory without end in the call that GROWS_IN names. */
#include "zoo.h"
static void grow_in(const char *call) {
  while (strcmp(call, GROWS_IN) == 0) {
    char *volatile block = malloc(1 << 20);
    if (block) memset(block, 1, 1 << 20);
  }
}
__attribute__((constructor)) static void load(void) { grow_in("load"); }
static etl_status grow_write(void *worker, etl_batch *in, etl_error *error) {
  grow_in("write");
  return zoo_write(worker, in, error);
}
static const etl_sink takes = {.size = sizeof(etl_sink), .open = zoo_open_sink, .write = grow_write, .flush = zoo_flush};
static const etl_component sink = {.size = sizeof(etl_component), .type = "zoo_sink", .summary = "Grows", .options = zoo_options,
                                   .create = zoo_create, .destroy = zoo_destroy, .start = zoo_start, .stop = zoo_stop, .sink = &takes};
ZOO_PLUGIN("zoo.grows_in_" GROWS_IN, &sink)
