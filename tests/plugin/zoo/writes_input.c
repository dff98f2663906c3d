/* A sink that changes the rows it was lent. */
#include "zoo.h"
static etl_status write(void *worker, etl_batch *in, etl_error *error) {
  (void)worker, (void)error;
  if (in->array->length > 0) ((int64_t *)in->array->children[0]->buffers[1])[0] = 0;
  return ETL_OK;
}
static const etl_sink writes = {.size = sizeof(etl_sink), .open = zoo_open_sink, .write = write, .flush = zoo_flush};
static const etl_component sink = {.size = sizeof(etl_component), .type = "zoo_sink", .summary = "Scribbles", .options = zoo_options,
                                   .create = zoo_create, .destroy = zoo_destroy, .start = zoo_start, .stop = zoo_stop, .sink = &writes};
ZOO_PLUGIN("zoo.writes_input", &sink)
