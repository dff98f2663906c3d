/* Logs its password. */
#include "zoo.h"
static etl_status create(const etl_host *host, const etl_value *options, void **self, etl_error *error) {
  if (options[1].type) host->log(host, ETL_DEBUG, options[1].as.s);
  return zoo_create(host, options, self, error);
}
static const etl_component source = {.size = sizeof(etl_component), .type = "zoo_source", .summary = "Talks", .options = zoo_options,
                                     .create = create, .destroy = zoo_destroy, .start = zoo_start, .stop = zoo_stop,
                                     .source = &zoo_source};
ZOO_PLUGIN("zoo.tells_secret", &source)
