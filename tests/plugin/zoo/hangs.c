/* Never comes back from the call that HANGS_IN names. */
#include "zoo.h"
#include <unistd.h>
static void hang_in(const char *call) {
  while (strcmp(call, HANGS_IN) == 0) pause();
}
static etl_status create(const etl_host *host, const etl_value *options, void **self, etl_error *error) {
  hang_in("create");
  return zoo_create(host, options, self, error);
}
static void destroy(void *self) {
  hang_in("destroy");
  zoo_destroy(self);
}
static void stop(void *worker) {
  hang_in("stop");
  zoo_stop(worker);
}
static etl_status open_any(void *worker, const etl_split *split, etl_str position, etl_error *error) {
  (void)split;
  return zoo_number(position, &((zoo_worker *)worker)->at) ? ETL_OK : zoo_fail(error, ETL_FATAL, "the position is not mine");
}
static etl_status describe(void *self, struct ArrowSchema *out, etl_error *error) {
  hang_in("describe");
  return zoo_describe(self, out, error);
}
static etl_status next(void *worker, struct ArrowArray *out, etl_str *position, etl_error *error) {
  hang_in("next");
  return zoo_next(worker, out, position, error);
}
static etl_status apply(void *worker, etl_batch *in, etl_error *error) {
  hang_in("apply");
  return zoo_apply(worker, in, error);
}
static etl_status hang_write(void *worker, etl_batch *in, etl_error *error) {
  hang_in("write");
  return zoo_write(worker, in, error);
}
static etl_status flush(void *worker, etl_str *state, etl_error *error) {
  hang_in("flush");
  return zoo_flush(worker, state, error);
}
static const etl_source reads = {.size = sizeof(etl_source), .describe = describe, .open = open_any, .next = next};
static const etl_transform passes = {.size = sizeof(etl_transform), .describe = zoo_reshape, .open = zoo_open_transform, .apply = apply};
static const etl_sink writes = {.size = sizeof(etl_sink), .open = zoo_open_sink, .write = hang_write, .flush = flush};
#define COMPONENT(kind, functions)                                                                                \
  static const etl_component kind = {.size = sizeof(etl_component), .type = "zoo_" #kind, .summary = "Hangs",     \
                                     .options = zoo_options, .create = create, .destroy = destroy, .start = zoo_start, \
                                     .stop = stop, .kind = &functions}
COMPONENT(source, reads);
COMPONENT(transform, passes);
COMPONENT(sink, writes);
ZOO_PLUGIN("zoo.hangs_in_" HANGS_IN, &source, &transform, &sink)
