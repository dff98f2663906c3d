/* A source that skips a row after a restart. */
#include "zoo.h"
static etl_status open_one_later(void *worker, const etl_split *split, etl_str position, etl_error *error) {
  const etl_status status = zoo_open(worker, split, position, error);
  if (status == ETL_OK && position.len && ((zoo_worker *)worker)->at < ((zoo_worker *)worker)->head->rows) ++((zoo_worker *)worker)->at;
  return status;
}
static const etl_source loses = {.size = sizeof(etl_source), .describe = zoo_describe, .plan = zoo_plan, .plan_next = zoo_plan_next,
                                 .open = open_one_later, .next = zoo_next};
static const etl_component source = {.size = sizeof(etl_component), .type = "zoo_source", .summary = "Loses rows", .options = zoo_options,
                                     .create = zoo_create, .destroy = zoo_destroy, .start = zoo_start, .stop = zoo_stop,
                                     .source = &loses};
ZOO_PLUGIN("zoo.loses_rows", &source)
