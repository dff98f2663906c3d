/* Fails in the way that BREAKS names. */
#include "zoo.h"
static etl_status fail(etl_error *error) {
  if (!strcmp(BREAKS, "past_size")) {
    zoo_fail(error, ETL_FATAL, "too much");
    memset((char *)error + error->size, 'x', 64);
  } else if (!strcmp(BREAKS, "no_message")) {
    return ETL_FATAL;
  } else if (!strcmp(BREAKS, "no_end")) {
    memset(error->message, 'x', sizeof error->message);
  } else if (!strcmp(BREAKS, "not_utf8")) {
    zoo_fail(error, ETL_FATAL, "bad \xff\xfe text");
  } else if (!strcmp(BREAKS, "no_option")) {
    snprintf(error->option, sizeof error->option, "colour");
    return zoo_fail(error, ETL_CONFIG, "the colour is wrong");
  }
  return ETL_FATAL;
}
static etl_status write(void *worker, etl_batch *in, etl_error *error) {
  (void)worker, (void)in;
  return fail(error);
}
static const etl_sink fails = {.size = sizeof(etl_sink), .open = zoo_open_sink, .write = write, .flush = zoo_flush};
static const etl_component sink = {.size = sizeof(etl_component), .type = "zoo_sink", .summary = "Fails", .options = zoo_options,
                                   .create = zoo_create, .destroy = zoo_destroy, .start = zoo_start, .stop = zoo_stop, .sink = &fails};
ZOO_PLUGIN("zoo.bad_error_" BREAKS, &sink)
