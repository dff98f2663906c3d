/* A source that believes any position. */
#include "zoo.h"
static etl_status open(void *worker, const etl_split *split, etl_str position, etl_error *error) {
  (void)split, (void)error;
  volatile const int64_t *pages = NULL;
  ((zoo_worker *)worker)->at = position.len > 4 ? pages[0] : 0;
  return ETL_OK;
}
static const etl_source trusts = {.size = sizeof(etl_source), .describe = zoo_describe, .plan = zoo_plan, .plan_next = zoo_plan_next,
                                  .open = open, .next = zoo_next};
static const etl_component source = {.size = sizeof(etl_component), .type = "zoo_source", .summary = "Trusts", .options = zoo_options,
                                     .create = zoo_create, .destroy = zoo_destroy, .start = zoo_start, .stop = zoo_stop,
                                     .source = &trusts};
ZOO_PLUGIN("zoo.trusts_position", &source)
