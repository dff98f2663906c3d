/* Batches that are broken in the way that BREAKS names. */
#include "zoo.h"
static void break_it(struct ArrowArray *out) {
  struct ArrowArray *text = out->children[1];
  if (!strcmp(BREAKS, "length")) text->length -= 1;
  if (!strcmp(BREAKS, "null_buffer")) {
    free((void *)text->buffers[1]);
    text->buffers[1] = NULL;
  }
  if (!strcmp(BREAKS, "utf8")) ((char *)text->buffers[2])[1] = (char)0xff;
  if (!strcmp(BREAKS, "offsets")) ((int32_t *)text->buffers[1])[1] = -5;
  if (!strcmp(BREAKS, "children")) out->n_children = 1;
}
static void forget(struct ArrowArray *array) { array->release = NULL; } /* what is broken is not freed */
static etl_status next(void *worker, struct ArrowArray *out, etl_str *position, etl_error *error) {
  const etl_status status = zoo_next(worker, out, position, error);
  if (status != ETL_OK) return status;
  break_it(out);
  out->release = forget;
  return ETL_OK;
}
static etl_status open_all(void *worker, const etl_split *split, etl_str position, etl_error *error) {
  (void)split;
  zoo_worker *me = worker;
  return zoo_number(position, &me->at) ? ETL_OK : zoo_fail(error, ETL_FATAL, "the position is not mine");
}
static const etl_source all = {.size = sizeof(etl_source), .describe = zoo_describe, .open = open_all, .next = next};
static const etl_component source = {.size = sizeof(etl_component), .type = "zoo_source", .summary = "Breaks batches",
                                     .options = zoo_options, .create = zoo_create, .destroy = zoo_destroy, .start = zoo_start,
                                     .stop = zoo_stop, .source = &all};
ZOO_PLUGIN("zoo.bad_batch_" BREAKS, &source)
