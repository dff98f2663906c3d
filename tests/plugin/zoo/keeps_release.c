/* Batches whose release() does not say that it has happened. */
#include "zoo.h"
static void release(struct ArrowArray *array) {
  zoo_release_array(array);
  array->release = release;
}
static etl_status next(void *worker, struct ArrowArray *out, etl_str *position, etl_error *error) {
  const etl_status status = zoo_next(worker, out, position, error);
  if (status == ETL_OK) out->release = release;
  return status;
}
static const etl_source keeps = {.size = sizeof(etl_source), .describe = zoo_describe, .plan = zoo_plan, .plan_next = zoo_plan_next,
                                 .open = zoo_open, .next = next};
static const etl_component source = {.size = sizeof(etl_component), .type = "zoo_source", .summary = "Keeps", .options = zoo_options,
                                     .create = zoo_create, .destroy = zoo_destroy, .start = zoo_start, .stop = zoo_stop, .source = &keeps};
ZOO_PLUGIN("zoo.keeps_release", &source)
