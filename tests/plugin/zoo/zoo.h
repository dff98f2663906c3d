/* Parts of plugins that keep their contract.  Each broken plugin beside this header takes them and breaks one thing. */
#ifndef ZOO_H
#define ZOO_H
#define _GNU_SOURCE 1
#include <etl/plugin.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZOO_UNUSED __attribute__((unused))

static ZOO_UNUSED etl_status zoo_fail(etl_error *error, etl_status status, const char *message) {
  snprintf(error->message, sizeof error->message, "%s", message);
  return status;
}

/* ---- Arrow: a struct of "n" int64 and "text" utf8, neither null ---- */
static ZOO_UNUSED void zoo_release_schema(struct ArrowSchema *schema) {
  for (int64_t i = 0; i < schema->n_children; ++i) {
    if (schema->children[i]->release) schema->children[i]->release(schema->children[i]);
    free(schema->children[i]);
  }
  free(schema->children);
  schema->release = NULL;
}

static ZOO_UNUSED void zoo_field(struct ArrowSchema *out, const char *format, const char *name) {
  memset(out, 0, sizeof *out);
  out->format = format;
  out->name = name;
  out->release = zoo_release_schema;
}

static ZOO_UNUSED void zoo_schema(struct ArrowSchema *out) {
  zoo_field(out, "+s", "");
  out->n_children = 2;
  out->children = calloc(2, sizeof *out->children);
  out->children[0] = malloc(sizeof **out->children);
  out->children[1] = malloc(sizeof **out->children);
  zoo_field(out->children[0], "l", "n");
  zoo_field(out->children[1], "u", "text");
}

static ZOO_UNUSED void zoo_release_array(struct ArrowArray *array) {
  for (int64_t i = 0; i < array->n_buffers; ++i) free((void *)array->buffers[i]);
  free(array->buffers);
  for (int64_t i = 0; i < array->n_children; ++i) {
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
    free(array->children[i]);
  }
  free(array->children);
  array->release = NULL;
}

static ZOO_UNUSED void zoo_array(struct ArrowArray *out, int64_t length, int64_t n_buffers, int64_t n_children) {
  memset(out, 0, sizeof *out);
  out->length = length;
  out->n_buffers = n_buffers;
  out->n_children = n_children;
  out->buffers = calloc((size_t)n_buffers, sizeof *out->buffers);
  if (n_children) out->children = calloc((size_t)n_children, sizeof *out->children);
  for (int64_t i = 0; i < n_children; ++i) out->children[i] = calloc(1, sizeof **out->children);
  out->release = zoo_release_array;
}

static ZOO_UNUSED void zoo_batch(struct ArrowArray *out, int64_t first, int64_t rows) {
  zoo_array(out, rows, 1, 2);
  zoo_array(out->children[0], rows, 2, 0);
  zoo_array(out->children[1], rows, 3, 0);
  int64_t *numbers = malloc((size_t)(rows + 1) * sizeof *numbers);
  int32_t *offsets = malloc((size_t)(rows + 1) * sizeof *offsets);
  char *text = malloc((size_t)rows * 24 + 1);
  offsets[0] = 0;
  for (int64_t i = 0; i < rows; ++i) {
    numbers[i] = first + i;
    offsets[i + 1] = offsets[i] + sprintf(text + offsets[i], "r\xc3\xb6w %" PRId64, first + i);
  }
  out->children[0]->buffers[1] = numbers;
  out->children[1]->buffers[1] = offsets;
  out->children[1]->buffers[2] = text;
}

/* ---- a component with one option, how many rows ---- */
typedef struct zoo_head {
  const etl_host *host;
  int64_t rows;
  int next_split;
  char id[2], state[32];
  atomic_int interrupted;
} zoo_head;

typedef struct zoo_worker {
  zoo_head *head;
  const etl_host *host;
  int64_t at, end;
  char position[32];
} zoo_worker;

static ZOO_UNUSED const etl_option zoo_rows = {.size = sizeof(etl_option), .type = ETL_INT, .name = "rows",
                                               .doc = "How many rows in each split.", .def = "1000", .range = "0..100000"};
static ZOO_UNUSED const etl_option zoo_token = {.size = sizeof(etl_option), .type = ETL_STRING, .flags = ETL_SECRET,
                                                .name = "token", .doc = "Something to keep quiet about."};
static ZOO_UNUSED const etl_option *const zoo_options[] = {&zoo_rows, &zoo_token, NULL};

static ZOO_UNUSED etl_status zoo_create(const etl_host *host, const etl_value *options, void **self, etl_error *error) {
  (void)error;
  zoo_head *head = calloc(1, sizeof *head);
  head->host = host;
  head->rows = options[0].as.i;
  *self = head;
  return ETL_OK;
}
static ZOO_UNUSED void zoo_destroy(void *self) { free(self); }
static ZOO_UNUSED etl_status zoo_start(void *self, const etl_host *host, void **worker, etl_error *error) {
  (void)error;
  zoo_worker *made = calloc(1, sizeof *made);
  made->head = self;
  made->host = host;
  *worker = made;
  return ETL_OK;
}
static ZOO_UNUSED void zoo_stop(void *worker) { free(worker); }
static ZOO_UNUSED void zoo_interrupt(void *self) { ((zoo_head *)self)->interrupted = 1; }

/* ---- source: splits a, b and c; a position is the number of rows given so far ---- */
static ZOO_UNUSED int zoo_number(etl_str text, int64_t *out) {
  *out = 0;
  for (uint64_t i = 0; i < text.len; ++i) {
    if (text.ptr[i] < '0' || text.ptr[i] > '9' || i > 15) return 0;
    *out = *out * 10 + (text.ptr[i] - '0');
  }
  return 1;
}
static ZOO_UNUSED etl_status zoo_describe(void *self, struct ArrowSchema *out, etl_error *error) {
  (void)self, (void)error;
  zoo_schema(out);
  return ETL_OK;
}
static ZOO_UNUSED etl_status zoo_plan(void *self, uint32_t fresh, uint32_t reserved, etl_str state, etl_error *error) {
  (void)reserved;
  int64_t next = 0;
  if (!zoo_number(state, &next) || next > 3) return zoo_fail(error, ETL_FATAL, "the state of the plan is not mine");
  ((zoo_head *)self)->next_split = fresh ? 0 : (int)next;
  return ETL_OK;
}
static ZOO_UNUSED etl_status zoo_plan_next(void *self, etl_split *out, etl_str *state, etl_error *error) {
  (void)error;
  zoo_head *head = self;
  if (head->next_split == 3) return ETL_END;
  head->id[0] = (char)('a' + head->next_split++);
  out->id = (etl_str){head->id, 1};
  out->state = (etl_str){"", 0};
  out->rows = head->rows;
  out->bytes = -1;
  *state = (etl_str){head->state, (uint64_t)sprintf(head->state, "%d", head->next_split)};
  return ETL_OK;
}
static ZOO_UNUSED etl_status zoo_open(void *worker, const etl_split *split, etl_str position, etl_error *error) {
  zoo_worker *me = worker;
  if (split->id.len != 1 || split->id.ptr[0] < 'a' || split->id.ptr[0] > 'c') return zoo_fail(error, ETL_FATAL, "no split of mine");
  if (!zoo_number(position, &me->at) || me->at > me->head->rows) return zoo_fail(error, ETL_FATAL, "the position is not mine");
  return ETL_OK;
}
static ZOO_UNUSED etl_status zoo_next(void *worker, struct ArrowArray *out, etl_str *position, etl_error *error) {
  (void)error;
  zoo_worker *me = worker;
  const int64_t left = me->head->rows - me->at, rows = left < 128 ? left : 128;
  if (rows == 0) return ETL_END;
  zoo_batch(out, me->at, rows);
  me->at += rows;
  *position = (etl_str){me->position, (uint64_t)sprintf(me->position, "%" PRId64, me->at)};
  return ETL_OK;
}

/* ---- transform: hands its input on ---- */
static ZOO_UNUSED void zoo_copy_schema(const struct ArrowSchema *from, struct ArrowSchema *to);
static ZOO_UNUSED void zoo_release_copy(struct ArrowSchema *schema) {
  free((void *)schema->format);
  free((void *)schema->name);
  if (schema->dictionary) {
    if (schema->dictionary->release) schema->dictionary->release(schema->dictionary);
    free(schema->dictionary);
  }
  zoo_release_schema(schema);
}
static void zoo_copy_schema(const struct ArrowSchema *from, struct ArrowSchema *to) {
  memset(to, 0, sizeof *to);
  to->format = strdup(from->format);
  to->name = strdup(from->name ? from->name : "");
  to->flags = from->flags;
  to->n_children = from->n_children;
  if (from->n_children) to->children = calloc((size_t)from->n_children, sizeof *to->children);
  for (int64_t i = 0; i < from->n_children; ++i) {
    to->children[i] = malloc(sizeof **to->children);
    zoo_copy_schema(from->children[i], to->children[i]);
  }
  if (from->dictionary) {
    to->dictionary = malloc(sizeof *to->dictionary);
    zoo_copy_schema(from->dictionary, to->dictionary);
  }
  to->release = zoo_release_copy;
}
static ZOO_UNUSED etl_status zoo_reshape(void *self, const struct ArrowSchema *in, struct ArrowSchema *out, etl_error *error) {
  (void)self, (void)error;
  zoo_copy_schema(in, out);
  return ETL_OK;
}
static ZOO_UNUSED etl_status zoo_open_transform(void *worker, const struct ArrowSchema *in, etl_error *error) {
  (void)worker, (void)in, (void)error;
  return ETL_OK;
}
static ZOO_UNUSED etl_status zoo_apply(void *worker, etl_batch *in, etl_error *error) {
  const etl_host *host = ((zoo_worker *)worker)->host;
  const etl_status status = host->emit(host, in->array, NULL); /* takes the array out of *in only when it says OK */
  return status == ETL_OK ? ETL_OK : zoo_fail(error, status, "the host did not take the batch");
}

/* ---- sink: forgets ---- */
static ZOO_UNUSED etl_status zoo_open_sink(void *worker, const struct ArrowSchema *in, etl_str state, etl_error *error) {
  (void)worker, (void)in, (void)state, (void)error;
  return ETL_OK;
}
static ZOO_UNUSED etl_status zoo_write(void *worker, etl_batch *in, etl_error *error) {
  (void)worker, (void)in, (void)error;
  return ETL_OK;
}
static ZOO_UNUSED etl_status zoo_flush(void *worker, etl_str *state, etl_error *error) {
  (void)worker, (void)state, (void)error;
  return ETL_OK;
}

static ZOO_UNUSED const etl_source zoo_source = {.size = sizeof(etl_source), .describe = zoo_describe, .plan = zoo_plan,
                                                 .plan_next = zoo_plan_next, .open = zoo_open, .next = zoo_next};
static ZOO_UNUSED const etl_transform zoo_transform = {.size = sizeof(etl_transform), .describe = zoo_reshape,
                                                       .open = zoo_open_transform, .apply = zoo_apply};
static ZOO_UNUSED const etl_sink zoo_sink = {.size = sizeof(etl_sink), .open = zoo_open_sink, .write = zoo_write,
                                             .flush = zoo_flush};

/* What every component has, to begin the initialiser with. */
#define ZOO_COMPONENT(kind)                                                                                            \
  .size = sizeof(etl_component), .flags = ETL_IDEMPOTENT | ETL_PARALLEL, .type = "zoo_" #kind, .summary = "A " #kind " for tests", \
  .doc = "For tests.", .options = zoo_options, .create = zoo_create, .destroy = zoo_destroy, .start = zoo_start, \
  .stop = zoo_stop, .interrupt = zoo_interrupt, .kind = &zoo_##kind

/* The plugin around components. */
#define ZOO_PLUGIN(plugin_name, ...)                                                                                    \
  ETL_NOTE(plugin_name, "1.0.0");                                                                                      \
  static const etl_component *const zoo_components[] = {__VA_ARGS__, NULL};                                            \
  static const etl_plugin zoo_plugin = {.size = sizeof(etl_plugin), .abi_minor = ETL_ABI_MINOR, .name = plugin_name,   \
                                        .version = "1.0.0", .license = "Apache-2.0", .summary = "For tests",           \
                                        .url = "https://example.org/zoo", .components = zoo_components};              \
  const etl_plugin *etl_plugin_v1(void) { return &zoo_plugin; }

#endif
