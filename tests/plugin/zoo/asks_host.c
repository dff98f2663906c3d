/* Built with a later header, and asks before it calls. */
#define ETL_ABI_NEXT 1
#include "zoo.h"
static etl_status create(const etl_host *host, const etl_value *options, void **self, etl_error *error) {
  if (ETL_HAS(host, span) && host->abi_minor < 99) host->span(host, (etl_str){"create", 6}, 1);
  return zoo_create(host, options, self, error);
}
static const etl_component sink = {.size = sizeof(etl_component), .type = "zoo_sink", .summary = "Asks", .options = zoo_options,
                                   .create = create, .destroy = zoo_destroy, .start = zoo_start, .stop = zoo_stop, .sink = &zoo_sink};
ZOO_PLUGIN("zoo.asks_host", &sink)
