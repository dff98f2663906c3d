/* Forgets its instances. */
#include "zoo.h"
static void destroy(void *self) { (void)self; }
static etl_status create(const etl_host *host, const etl_value *options, void **self, etl_error *error) {
  zoo_create(host, options, self, error);
  *self = realloc(*self, 4096);
  return ETL_OK;
}
static const etl_component sink = {.size = sizeof(etl_component), .type = "zoo_sink", .summary = "Leaks", .options = zoo_options,
                                   .create = create, .destroy = destroy, .start = zoo_start, .stop = zoo_stop, .sink = &zoo_sink};
ZOO_PLUGIN("zoo.leaks_memory", &sink)
