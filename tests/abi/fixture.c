/* A source, a transform and a sink straight over the C boundary; compiled as C11 and C++17, by gcc and clang, against the
 * header of each release and against one of a later release, and run in today's host.
 * numbers: ids 0 .. rows-1 in batches of 10.  even: drops odd ids.  collect: writes ids to a file, a line each. */
#include <etl/plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
#define FIXTURE_NAME "etl.test.fixture_cpp"
#define NEW(T) ((T *)calloc(1, sizeof(T)))
#else
#define FIXTURE_NAME "etl.test.fixture_c"
#define NEW(T) calloc(1, sizeof(T))
#endif

/* ---- a batch of one int64 column ---- */
typedef struct column_data {
  int64_t *values;
  const void *buffers[2];
  struct ArrowArray child;
  struct ArrowArray *children[1];
  const void *top_buffers[1];
} column_data;

static void release_child(struct ArrowArray *a) { a->release = NULL; }
static void release_batch(struct ArrowArray *a) {
  column_data *d = (column_data *)a->private_data;
  free(d->values);
  free(d);
  a->release = NULL;
}
static int make_batch(const int64_t *ids, int64_t n, struct ArrowArray *out) {
  column_data *d = NEW(column_data);
  if (!d || !(d->values = (int64_t *)malloc(sizeof(int64_t) * (size_t)(n ? n : 1)))) return 0;
  memcpy(d->values, ids, sizeof(int64_t) * (size_t)n);
  d->buffers[1] = d->values;
  d->child.length = n;
  d->child.n_buffers = 2;
  d->child.buffers = d->buffers;
  d->child.release = release_child;
  d->children[0] = &d->child;
  memset(out, 0, sizeof *out);
  out->length = n;
  out->n_buffers = 1;
  out->buffers = d->top_buffers;
  out->n_children = 1;
  out->children = d->children;
  out->release = release_batch;
  out->private_data = d;
  return 1;
}

static struct ArrowSchema id_field;
static struct ArrowSchema *fields[1] = {&id_field};
static void release_schema(struct ArrowSchema *s) { s->release = NULL; }
static void make_schema(struct ArrowSchema *out) {
  memset(&id_field, 0, sizeof id_field);
  id_field.format = "l";
  id_field.name = "id";
  id_field.release = release_schema;
  memset(out, 0, sizeof *out);
  out->format = "+s";
  out->name = "";
  out->n_children = 1;
  out->children = fields;
  out->release = release_schema;
}

static int64_t id_at(const struct ArrowArray *batch, int64_t i) {
  const struct ArrowArray *c = batch->children[0];
  return ((const int64_t *)c->buffers[1])[batch->offset + c->offset + i];
}

/* ---- one object for heads and workers alike ---- */
typedef struct object {
  const etl_host *host;
  const etl_value *options;
  int64_t next;
  char position[32];
  FILE *file;
} object;

static etl_status create(const etl_host *h, const etl_value *options, void **self, etl_error *e) ETL_NOEXCEPT {
  object *o = NEW(object);
  (void)e;
  if (!o) return ETL_RETRY;
  o->host = h;
  o->options = options;
  *self = o;
  return ETL_OK;
}
static void destroy(void *self) ETL_NOEXCEPT {
  object *o = (object *)self;
  if (o->file) fclose(o->file);
  free(o);
}
static etl_status start(void *self, const etl_host *h, void **worker, etl_error *e) ETL_NOEXCEPT {
  return create(h, ((object *)self)->options, worker, e);
}

static etl_status source_describe(void *self, struct ArrowSchema *out, etl_error *e) ETL_NOEXCEPT {
  (void)self;
  (void)e;
  make_schema(out);
  return ETL_OK;
}
static etl_status source_open(void *w, const etl_split *split, etl_str position, etl_error *e) ETL_NOEXCEPT {
  object *o = (object *)w;
  (void)split;
  (void)e;
  o->next = position.len ? strtoll(position.ptr, NULL, 10) : 0;
  return ETL_OK;
}
static etl_status source_next(void *w, struct ArrowArray *out, etl_str *position, etl_error *e) ETL_NOEXCEPT {
  object *o = (object *)w;
  int64_t ids[10], n = 0, rows = o->options[0].as.i;
  (void)e;
  for (; n < 10 && o->next < rows; ++n) ids[n] = o->next++;
  if (!n) return ETL_END;
  if (!make_batch(ids, n, out)) return ETL_RETRY;
  snprintf(o->position, sizeof o->position, "%lld", (long long)o->next);
  position->ptr = o->position;
  position->len = strlen(o->position);
#ifdef ETL_ABI_NEXT
  if (ETL_HAS(o->host, span)) {
    const etl_str name = {"next", 4};
    if (o->host->abi_minor < 1) abort(); /* such a host does not have it, and must not seem to */
    o->host->span(o->host, name, 1);
  }
#endif
  return ETL_OK;
}

static etl_status transform_describe(void *self, const struct ArrowSchema *in, struct ArrowSchema *out, etl_error *e) ETL_NOEXCEPT {
  (void)self;
  (void)in;
  (void)e;
  make_schema(out);
  return ETL_OK;
}
static etl_status transform_open(void *w, const struct ArrowSchema *in, etl_error *e) ETL_NOEXCEPT {
  (void)w;
  (void)in;
  (void)e;
  return ETL_OK;
}
static etl_status transform_apply(void *w, etl_batch *in, etl_error *e) ETL_NOEXCEPT {
  object *o = (object *)w;
  struct ArrowArray out;
  int64_t ids[16], i, n = 0;
  uint64_t origin[16];
  (void)e;
  for (i = 0; i < in->array->length && n < 16; ++i) {
    if (id_at(in->array, i) % 2) continue;
    ids[n] = id_at(in->array, i);
    origin[n++] = in->first_row + (uint64_t)i;
  }
  if (!make_batch(ids, n, &out)) return ETL_RETRY;
  return o->host->emit(o->host, &out, origin);
}

static etl_status sink_open(void *w, const struct ArrowSchema *in, etl_str state, etl_error *e) ETL_NOEXCEPT {
  object *o = (object *)w;
  (void)in;
  (void)state;
  o->file = fopen(o->options[0].as.s.ptr, "a");
  if (o->file) return ETL_OK;
  snprintf(e->message, sizeof e->message, "cannot open it");
  snprintf(e->option, sizeof e->option, "path");
  return ETL_CONFIG;
}
static etl_status sink_write(void *w, etl_batch *in, etl_error *e) ETL_NOEXCEPT {
  object *o = (object *)w;
  int64_t i;
  (void)e;
  for (i = 0; i < in->array->length; ++i) fprintf(o->file, "%lld\n", (long long)id_at(in->array, i));
  return ETL_PENDING;
}
static etl_status sink_flush(void *w, etl_str *state, etl_error *e) ETL_NOEXCEPT {
  (void)state;
  (void)e;
  return fflush(((object *)w)->file) == 0 ? ETL_OK : ETL_RETRY;
}

static etl_option rows_option, path_option;
static const etl_option *source_options[2], *sink_options[2], *no_options[1];
static etl_source source;
static etl_transform transform;
static etl_sink sink;
static etl_component source_component, transform_component, sink_component;
static const etl_component *components[4];
static etl_plugin plugin;

static etl_component component(const char *type, const etl_option *const *options) {
  etl_component c;
  memset(&c, 0, sizeof c);
  c.size = sizeof c;
  c.type = type;
  c.summary = "A fixture of the tests.";
  c.options = options;
  c.create = create;
  c.destroy = destroy;
  c.start = start;
  c.stop = destroy;
#ifdef ETL_ABI_NEXT
  c.fingerprint = "of a later release";
#endif
  return c;
}

static void fill(void) {
  rows_option.size = path_option.size = sizeof(etl_option);
  rows_option.type = ETL_INT;
  rows_option.name = "rows";
  rows_option.doc = "How many.";
  rows_option.def = "25";
  path_option.type = ETL_PATH;
  path_option.flags = ETL_REQUIRED;
  path_option.name = "path";
  path_option.doc = "File to add to.";
#ifdef ETL_ABI_NEXT
  rows_option.example = path_option.example = "of a later release";
#endif
  source_options[0] = &rows_option;
  sink_options[0] = &path_option;
  source.size = sizeof source;
  source.describe = source_describe;
  source.open = source_open;
  source.next = source_next;
  transform.size = sizeof transform;
  transform.describe = transform_describe;
  transform.open = transform_open;
  transform.apply = transform_apply;
  sink.size = sizeof sink;
  sink.open = sink_open;
  sink.write = sink_write;
  sink.flush = sink_flush;
  source_component = component("fixture_numbers", source_options);
  source_component.source = &source;
  transform_component = component("fixture_even", no_options);
  transform_component.transform = &transform;
  sink_component = component("fixture_collect", sink_options);
  sink_component.sink = &sink;
  components[0] = &source_component;
  components[1] = &transform_component;
  components[2] = &sink_component;
  plugin.size = sizeof plugin;
  plugin.abi_minor = ETL_ABI_MINOR;
  plugin.name = FIXTURE_NAME;
  plugin.version = "1.0.0";
  plugin.license = "Apache-2.0";
  plugin.components = components;
}

ETL_NOTE(FIXTURE_NAME, "1.0.0");
const etl_plugin *ETL_ENTRY(void) ETL_NOEXCEPT {
  if (!plugin.size) fill();
  return &plugin;
}
