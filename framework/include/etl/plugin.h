/* SPDX-License-Identifier: Apache-2.0
 * etl/plugin.h - the plugin ABI of etl, major version 1.  C11 or C++17; needs nothing but <stdint.h> and <stddef.h>.
 *
 * The rules, all of them:
 *  1. One exported symbol: const etl_plugin *etl_plugin_v1(void).  The major version is in its name.
 *  2. Every table starts with its own size.  A field exists when it lies inside that size; a function exists when,
 *     besides, it is not null.  Fields are only ever appended; none changes its meaning.
 *  3. A table belongs to the side that defines it, is constant, and lives until the process ends.  Arrays of tables
 *     are arrays of pointers ending in null.
 *  4. Nothing is freed across the border.  Batches and schemas are released by their Arrow callback, on any thread,
 *     also after destroy(); any other pointer is lent for the call (or until the time said next to it).
 *  5. A component is one *head* (create) and any number of *workers* (start).  Calls on one head, and calls on one
 *     worker, come one at a time, not always on the same thread.  Different workers, and the head beside them, are
 *     called in parallel: what they share inside the plugin is the plugin's to lock.  interrupt() may come at any
 *     time.  Host functions may be called from any thread until stop() (a worker's host) or destroy() (the head's)
 *     returns; emit() and wake() only from inside a call on that worker.
 *  6. No exception, longjmp, signal handler, exit(), setlocale(), chdir() or fork() in a plugin.
 *  7. A plugin is never unloaded.
 *
 * Life of a head:    create -> check? identity? -> describe | begin -> plan, plan_next ... -> end -> destroy
 * Life of a worker:  start -> open -> next | apply | write, tick, flush ... -> stop        (a source's worker is opened
 *                    once for each split).  After a failure stop() is the only legal call besides repeating a call
 *                    that said ETL_RETRY. */
#ifndef ETL_PLUGIN_H
#define ETL_PLUGIN_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define ETL_NOEXCEPT noexcept
extern "C" {
#else
#define ETL_NOEXCEPT
#endif

#define ETL_ABI_MAJOR 1
#ifdef ETL_ABI_NEXT /* the compatibility test only: stands for the header of some later release */
#define ETL_ABI_MINOR 1
#else
#define ETL_ABI_MINOR 0
#endif

/* Does table t hold field f (function or pointer), and is it set? */
#define ETL_HAS(t, f) (offsetof(ETL_TYPEOF(*(t)), f) + sizeof((t)->f) <= (t)->size && (t)->f)
#ifdef __cplusplus
} /* templates cannot have C linkage */
namespace etl_detail {
template <class T> struct plain { using type = T; };
template <class T> struct plain<const T> { using type = T; };
template <class T> struct plain<T &> : plain<T> {};
}
#define ETL_TYPEOF(x) etl_detail::plain<decltype(x)>::type
extern "C" {
#else
#define ETL_TYPEOF(x) __typeof__(x)
#endif

/* ---- Arrow C data interface (https://arrow.apache.org/docs/format/CDataInterface.html): layout and guard as there ---- */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4
struct ArrowSchema {
  const char *format;
  const char *name;
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};
struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers;
  struct ArrowArray **children;
  struct ArrowArray *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};
#endif

/* ---- values ---- */
typedef struct etl_str { /* UTF-8 or opaque bytes; not null-terminated.  Frozen. */
  const char *ptr;
  uint64_t len;
} etl_str;

typedef int32_t etl_status;
#define ETL_OK 0
#define ETL_END 1          /* next(), plan_next(): no more, ever */
#define ETL_PENDING 2      /* write(): taken over, not yet safe; settled() or the next flush() that says OK will settle it.
                              plan_next(): no split now; there may be one later */
#define ETL_RETRY (-1)     /* passing fault; nothing happened, or doing it again is harmless */
#define ETL_FATAL (-2)     /* lasting fault; stop */
#define ETL_CONFIG (-3)    /* lasting, and the user's to repair: error.option names the option */
#define ETL_CANCELLED (-4) /* gave up because the host asked */
#define ETL_UNSUPPORTED (-5)
#define ETL_FENCED (-6)    /* another run has taken over what this one writes to */
/* A status that the host does not know counts as FATAL if negative, as OK otherwise. */

typedef struct etl_error { /* the caller's; size set by the caller, the rest zero.  Frozen. */
  uint32_t size, reserved;
  int64_t code;           /* the other system's own number (errno, HTTP status, SQL error), or 0 */
  int64_t retry_after_ns; /* with ETL_RETRY: not before, or 0 */
  char option[64];        /* with ETL_CONFIG: which, as in "tls.ca" */
  char message[936];      /* UTF-8, null-terminated */
} etl_error;

/* What an option takes in the pipeline file. */
enum {
  ETL_BOOL = 1,
  ETL_INT,
  ETL_FLOAT,
  ETL_STRING,
  ETL_PATH,     /* a string; a relative one is made absolute from the pipeline file's folder; "-" stays */
  ETL_DURATION, /* "30s" -> ns */
  ETL_BYTES,    /* "8MiB" -> bytes */
  ETL_LIST,     /* of `item`; a single value stands for a list of one */
  ETL_TABLE,    /* of `fields`; with ETL_SHORT a bare value stands for the first field */
  ETL_MAP       /* free keys, values of `item`: items are key, value, key, value ... in the file's order */
};
typedef struct etl_value { /* Frozen. */
  uint32_t type;           /* as declared; 0 = not given, and there is no default */
  uint32_t count;          /* of items */
  union {
    int64_t i;                     /* BOOL, INT, DURATION (ns), BYTES */
    double f;                      /* FLOAT */
    etl_str s;                     /* STRING, PATH; also null-terminated */
    const struct etl_value *items; /* LIST, MAP; TABLE in the order of its fields */
  } as;
} etl_value;

enum {
  ETL_REQUIRED = 1,
  ETL_SECRET = 2,      /* never shown, logged or stored */
  ETL_ADVANCED = 4,    /* listed after the others */
  ETL_DEPRECATED = 8,  /* warned about; doc says what to write instead */
  ETL_TUNING = 16,     /* changes speed, not rows: not part of what a saved state belongs to */
  ETL_SHORT = 32       /* TABLE: a bare value stands for the first field */
};
typedef struct etl_option {
  uint32_t size, type, flags, item;       /* item: type of a LIST's or MAP's items */
  const char *name, *doc;
  const char *def;                        /* the default as it would be written in TOML; null = none */
  const char *range;                      /* "1..65535", "0..", "1ms..1h"; of the items where there are items */
  const char *const *choices;             /* null-terminated; of the items where there are items */
  const struct etl_option *const *fields; /* of a TABLE, or of a LIST or MAP of TABLEs */
#ifdef ETL_ABI_NEXT
  const char *example;
#endif
} etl_option;

/* ---- what flows ---- */
typedef struct etl_split { /* a part of a source's work that one worker reads on its own */
  uint32_t size, flags;   /* flags: given to plan_next() */
  etl_str id;     /* unique in a run and the same again after a restart; printable */
  etl_str state;  /* opaque: what the split is; the source finds it in every open() */
  int64_t rows;   /* estimate, or -1 */
  int64_t bytes;  /* estimate, or -1 */
} etl_split;

enum { ETL_WANTED = 1 };  /* plan_next(): a worker has nothing to do and waits for this split */

typedef struct etl_mark { /* "of this split, everything up to this position" */
  etl_str split;
  etl_str position;
  uint64_t seq;   /* batches of that split up to there; grows */
} etl_mark;

typedef struct etl_batch { /* rows lent to a transform or sink for the call */
  uint32_t size, flags;
  uint64_t id;                /* for finished() and settled() */
  uint64_t first_row;         /* row i of the array is first_row + i: for reject(), again() and emit()'s origin.
                                 Never given twice to one worker, but for a batch repeated after ETL_RETRY. */
  struct ArrowArray *array;   /* a struct array.  Buffers are read-only, and may be shared with others.  The callee may
                                 keep it by moving it out (copy the struct or its children's, set their release to null);
                                 what is left the host releases. */
  const etl_mark *marks;      /* transactional sinks: positions that are complete once this batch and all earlier ones */
  uint64_t n_marks;           /* given to this worker are committed: commit them in the same transaction */
} etl_batch;
enum { ETL_MORE = 1 }; /* transactional sinks: a part of what the source gave as one batch, and the rest comes next: do not
                          commit between them.  Neither tick() nor flush() is called before it has come. */

typedef struct etl_reject { /* a row that can never succeed */
  uint32_t size, reserved;
  uint64_t row;     /* etl_batch.first_row + i; ETL_NO_ROW from a source, which gives raw */
  int64_t code;
  etl_str reason;
  etl_str raw;      /* source: the input that is not a row, and */
  etl_str where;    /* where it stands, as in "part-7.csv:1204" */
} etl_reject;
#define ETL_NO_ROW UINT64_MAX

typedef struct etl_run { /* given to a sink's begin() */
  uint32_t size, flags;
  etl_str pipeline;
  etl_str key;      /* names this pass over the source; the same again when an interrupted pass goes on */
  etl_str kept;     /* what keep() noted last in a run that never came to end(); empty otherwise */
  const struct ArrowSchema *schema;
} etl_run;
enum { ETL_RESUMED = 1,   /* goes on from an interrupted pass: keep what that one wrote */
       ETL_REPLAY = 2 };  /* only rejected rows are written again: add to what is there */

enum { ETL_COMPLETE = 0, ETL_FAILED = 1, ETL_INTERRUPTED = 2 }; /* how a run ended */
enum { ETL_REJECTS = 1 }; /* flag of a sink's end(): of this pass, in this run or an interrupted one before it, rows were rejected by whichever stage */

/* ---- what the host offers: one table for the head, one for each worker ---- */
enum { ETL_TRACE, ETL_DEBUG, ETL_INFO, ETL_WARN, ETL_ERROR };
enum { ETL_COUNTER, ETL_GAUGE, ETL_HISTOGRAM };
typedef struct etl_host etl_host;
struct etl_host {
  uint32_t size;
  uint16_t abi_minor, log_level;
  void *impl;
  const char *name, *version;         /* "etl", "1.0.0" */
  const char *pipeline, *component;   /* "articles", "sink[0]" */
  void (*log)(const etl_host *, uint32_t level, etl_str message) ETL_NOEXCEPT;
  int32_t (*cancelled)(const etl_host *) ETL_NOEXCEPT;
  int32_t (*wait)(const etl_host *, int64_t ns) ETL_NOEXCEPT; /* sleeps; 1 at once when cancelled */
  int64_t (*now)(const etl_host *) ETL_NOEXCEPT;              /* the host's monotonic clock, ns */
  void (*wake)(const etl_host *, int64_t at) ETL_NOEXCEPT;    /* call tick() at that time of now() or soon after; 0 = no more */
  /* How long to wait before try number `attempt` (1, 2, ...) of something that first failed at `since` (of now()):
     the pipeline's retry policy, full jitter, not before retry_after_ns.  -1: the budget is used up. */
  int64_t (*backoff)(const etl_host *, uint32_t attempt, uint32_t reserved, int64_t since, int64_t retry_after_ns) ETL_NOEXCEPT;
  void (*metric)(const etl_host *, uint32_t kind, etl_str name, double value) ETL_NOEXCEPT;
  etl_status (*reserve)(const etl_host *, int64_t bytes) ETL_NOEXCEPT; /* memory besides batches: + before, - after; RETRY = over budget */
  void (*reject)(const etl_host *, const etl_reject *) ETL_NOEXCEPT;
  void (*again)(const etl_host *, uint64_t row) ETL_NOEXCEPT; /* sink, in write(): passing fault of this row only; write() then says OK or
                                                                 PENDING for the others, and these come again.  Not for a
                                                                 transactional sink: that says RETRY */
  etl_status (*durable)(const etl_host *) ETL_NOEXCEPT;       /* all rejects reported so far are on disk: before a sink commits marks */
  void (*settled)(const etl_host *, uint64_t batch) ETL_NOEXCEPT;  /* sink: each row of it is delivered or rejected */
  /* Transform: one output batch, moved out of *array.  origin[i]: the input row that row i comes from; null: row for row
     the input of this call. */
  etl_status (*emit)(const etl_host *, struct ArrowArray *array, const uint64_t *origin) ETL_NOEXCEPT;
  void (*finished)(const etl_host *, uint64_t batch) ETL_NOEXCEPT; /* ETL_HOLDS: no later output will hold rows of this input */
  etl_status (*keep)(const etl_host *, etl_str note) ETL_NOEXCEPT; /* sink's head: durable when it returns; see etl_run.kept */
  const void *(*extension)(const etl_host *, const char *id) ETL_NOEXCEPT;
  int64_t memory_limit; /* bytes that the run's batches and reservations may hold together: a batch is a small part of it */
#ifdef ETL_ABI_NEXT
  void (*span)(const etl_host *, etl_str name, int64_t ns) ETL_NOEXCEPT;
#endif
};

/* ---- what a plugin offers ---- */
typedef struct etl_source {
  uint32_t size, reserved;
  /* head: the schema of every batch; may contact the system */
  etl_status (*describe)(void *self, struct ArrowSchema *out, etl_error *) ETL_NOEXCEPT;
  /* head, optional: splits, lazily.  fresh: 1 = a new pass; `state` is what plan_next gave with its last END, empty the
     first time: an incremental source plans what came since, any other starts over.  0 = go on planning after a restart;
     `state` is what plan_next gave last.  A source that has nothing to hand from pass to pass gives an empty state with END.
     Without plan there is one split, id "all", with empty state.
     plan_next may say PENDING when splits are under way that it could divide later, for a worker that wants one: it is asked again
     soon.  It must say END once no split is under way. */
  etl_status (*plan)(void *self, uint32_t fresh, uint32_t reserved, etl_str state, etl_error *) ETL_NOEXCEPT;
  etl_status (*plan_next)(void *self, etl_split *out, etl_str *state, etl_error *) ETL_NOEXCEPT; /* out, state: lent until the next call */
  /* worker: go to a position of a split; empty = its beginning */
  etl_status (*open)(void *worker, const etl_split *, etl_str position, etl_error *) ETL_NOEXCEPT;
  /* worker: the next batch and the position after it, lent until the next call.  END: no more rows in this split */
  etl_status (*next)(void *worker, struct ArrowArray *out, etl_str *position, etl_error *) ETL_NOEXCEPT;
  /* head, optional: this position of this split is saved, and will not be asked for again */
  void (*committed)(void *self, const etl_mark *) ETL_NOEXCEPT;
#ifdef ETL_ABI_NEXT
  etl_status (*sample)(void *self, struct ArrowArray *out, etl_error *) ETL_NOEXCEPT;
#endif
} etl_source;

typedef struct etl_transform {
  uint32_t size, reserved;
  etl_status (*describe)(void *self, const struct ArrowSchema *in, struct ArrowSchema *out, etl_error *) ETL_NOEXCEPT;
  etl_status (*open)(void *worker, const struct ArrowSchema *in, etl_error *) ETL_NOEXCEPT;
  /* Output by host->emit, any number of times.  RETRY: nothing was emitted; the same batch comes again. */
  etl_status (*apply)(void *worker, etl_batch *in, etl_error *) ETL_NOEXCEPT;
  etl_status (*tick)(void *worker, etl_error *) ETL_NOEXCEPT;  /* optional: the time asked for by wake() has come */
  etl_status (*flush)(void *worker, etl_error *) ETL_NOEXCEPT; /* ETL_HOLDS: emit and finish all that is held */
} etl_transform;

typedef struct etl_sink {
  uint32_t size, reserved;
  /* head, optional: once before all workers, and once after them, also after a failure; never end() without begin() */
  etl_status (*begin)(void *self, const etl_run *, etl_error *) ETL_NOEXCEPT;
  etl_status (*end)(void *self, uint32_t outcome, uint32_t flags, etl_error *) ETL_NOEXCEPT;
  /* head, optional, after begin: the marks that were committed with the rows of this run's key, each given to `each`.
     Its being there, and not UNSUPPORTED, makes the sink transactional: one worker, batches in order, marks with them. */
  etl_status (*positions)(void *self, void *context, void (*each)(void *context, const etl_mark *) ETL_NOEXCEPT, etl_error *) ETL_NOEXCEPT;
  /* worker: state is what flush() gave with the last saved position, empty in a new pass */
  etl_status (*open)(void *worker, const struct ArrowSchema *in, etl_str state, etl_error *) ETL_NOEXCEPT;
  etl_status (*write)(void *worker, etl_batch *in, etl_error *) ETL_NOEXCEPT; /* OK: settled.  PENDING: see there */
  etl_status (*tick)(void *worker, etl_error *) ETL_NOEXCEPT;                 /* optional */
  /* worker: everything taken over is safe when this says OK.  state: lent until the next call; saved together with the
     positions that this flush settles: a sink with state says PENDING to every write and settles by flush alone */
  etl_status (*flush)(void *worker, etl_str *state, etl_error *) ETL_NOEXCEPT;
} etl_sink;

enum {
  ETL_IDEMPOTENT = 1,  /* sink: the same batch twice is the same as once */
  ETL_PARALLEL = 2,    /* several workers may share the work */
  ETL_ORDERED = 4,     /* sink: wants the batches of a split in source order */
  ETL_ENCODED = 8,     /* takes dictionary, view and run-end columns as they are; else the host makes them plain */
  ETL_HOLDS = 16,      /* transform: keeps rows across calls, and says finished() */
  ETL_LOCAL = 32,      /* check() looks at this machine alone, its files and libraries: `etl check` calls it without --connect, too */
  ETL_REPLANS = 64     /* source: plan(fresh = 0) is called also when a run goes on whose plan was at its end, with the state of that END;
                          plan_next() is not called then */
};
typedef struct etl_component {
  uint32_t size, flags;
  const char *type, *summary, *doc;
  const etl_option *const *options;
  const char *const *needs;            /* host extensions it cannot live without; may be null */
  etl_status (*create)(const etl_host *, const etl_value *options, void **self, etl_error *) ETL_NOEXCEPT;  /* no I/O; options lent until destroy */
  void (*destroy)(void *self) ETL_NOEXCEPT;                       /* all workers are stopped before */
  etl_status (*start)(void *self, const etl_host *, void **worker, etl_error *) ETL_NOEXCEPT;
  void (*stop)(void *worker) ETL_NOEXCEPT;
  etl_status (*check)(void *self, etl_error *) ETL_NOEXCEPT;      /* optional: reach the other system */
  etl_status (*identity)(void *self, etl_str *out, etl_error *) ETL_NOEXCEPT; /* optional: what saved state belongs to, beyond the options:
                                                                     lines "name=value"; lent until the next call.
                                                                     A sink is asked before begin() and, in a new pass, after it */
  void (*interrupt)(void *self) ETL_NOEXCEPT;                     /* optional; any thread: blocked calls on the head and its workers return soon */
  const void *(*extension)(const char *id) ETL_NOEXCEPT;          /* optional; ids are "etl.<name>/<revision>" */
  const etl_source *source;                                       /* exactly one of the three is set */
  const etl_transform *transform;
  const etl_sink *sink;
#ifdef ETL_ABI_NEXT
  const char *fingerprint;
#endif
} etl_component;

typedef struct etl_plugin {
  uint32_t size;
  uint16_t abi_minor, abi_minor_min;   /* built with; oldest host it can live with */
  const char *name, *version, *license, *summary, *url;
  const etl_component *const *components;
} etl_plugin;

/* Extension of a transform's component: it can decide which rows pass, by the condition given as its option `option`.
   `when` of a sink is served by it. */
#define ETL_EXT_FILTER "etl.filter/1"
typedef struct etl_filter {
  uint32_t size, reserved;
  const char *option;
} etl_filter;

#define ETL_EXPORT __attribute__((visibility("default")))
#define ETL_CAT_(a, b) a##b
#define ETL_CAT(a, b) ETL_CAT_(a, b)
#ifdef ETL_STATIC_NAME /* linked into the host: one symbol for each plugin */
#define ETL_ENTRY ETL_CAT(etl_plugin_v1_, ETL_STATIC_NAME)
#else
#define ETL_ENTRY etl_plugin_v1
#endif
ETL_EXPORT const etl_plugin *ETL_ENTRY(void) ETL_NOEXCEPT;

/* A note in the file itself, so that a plugin can be recognised without running any of it. */
#define ETL_STR_(x) #x
#define ETL_STR(x) ETL_STR_(x)
#define ETL_NOTE_TEXT(name, version) ETL_STR(ETL_ABI_MAJOR) "." ETL_STR(ETL_ABI_MINOR) " " name " " version
#define ETL_NOTE(name, version)                                                                        \
  __attribute__((used, aligned(4), section(".note.etl"))) static const struct {                        \
    uint32_t owner_size, text_size, type;                                                              \
    char owner[4], text[(sizeof ETL_NOTE_TEXT(name, version) + 3) & ~3ul];                             \
  } etl_note_ = {4, sizeof ETL_NOTE_TEXT(name, version), 1, "etl", ETL_NOTE_TEXT(name, version)}

#ifdef __cplusplus
}
#endif
#endif
