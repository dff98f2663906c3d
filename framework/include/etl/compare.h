/* SPDX-License-Identifier: Apache-2.0
 * etl/compare.h - extension etl.compare/1 of a sink's component: what it has written, read back for `etl verify`.  Rules as
 * in plugin.h; C++ classes for it below.
 *
 * The host reads the source once more, through the transforms, and compares row by row.  A row is known by its key.  Values
 * are compared column by column, each pair by what both types have in common:
 *   a float on either side     as floats, single ones if one side has no more
 *   a number or bool           as exact decimal numbers: 1.50 = 1.5, true = 1
 *   a date or timestamp        as ISO 8601 without zone, time of midnight, and zeros at the end of a fraction
 *   a time or duration         as hours:minutes:seconds, likewise
 *   JSON, lists, structs       as JSON values, whatever the order of members
 *   all others                 byte by byte; what is no text as JsonWriter (etl/json.h) writes it, without quotes
 * Where one side is text, its text is read as such a value; text that is none equals only itself.  Null equals null alone. */
#ifndef ETL_COMPARE_H
#define ETL_COMPARE_H
#include <etl/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ETL_EXT_COMPARE "etl.compare/1"

/* What the host offers while it reads rows for that: a transform that leaves out rows which the sink holds already passes them. */
#define ETL_EXT_COMPARING "etl.comparing/1"
typedef struct etl_comparing {
  uint32_t size, reserved;
} etl_comparing;

enum {
  ETL_COMPARE_ADDS = 1,    /* writing a row whose key is not there adds it */
  ETL_COMPARE_REPLACES = 2,/* writing a row whose key is there makes that row equal to it */
  ETL_COMPARE_ONE = 4      /* of several rows with one key it keeps one, and that is as it should be */
};

/* Calls on a reader come one at a time, but for interrupt().  A row that is there and cannot be given is told by the head's
 * host->reject, with ETL_NO_ROW and `where`: it counts as a difference. */
typedef struct etl_compare {
  uint32_t size, reserved;
  /* Head, without begin(): opens what its options name for reading, changes nothing there, and makes nothing that is not
     there.  The schema in `run` is that of the rows which the sink is given. */
  etl_status (*open)(void *self, const etl_run *run, void **reader, etl_error *) ETL_NOEXCEPT;
  /* The schema of what next() gives: of the columns that the sink writes, and no others, each by its name in the run's
     schema; types as they are there.  keys: names of columns that identify a row, a line each; empty: there are none, and
     rows are told apart by all they hold.  flags: what writing again does.  Lent until the next call. */
  etl_status (*describe)(void *reader, struct ArrowSchema *out, etl_str *keys, uint32_t *flags, etl_error *) ETL_NOEXCEPT;
  /* Before the first row, and to begin anew. */
  etl_status (*rewind)(void *reader, etl_error *) ETL_NOEXCEPT;
  /* The next rows, each once, in any order; END: no more.  RETRY: the same call comes again. */
  etl_status (*next)(void *reader, struct ArrowArray *out, etl_error *) ETL_NOEXCEPT;
  void (*interrupt)(void *reader) ETL_NOEXCEPT; /* any thread: a blocked call returns soon */
  void (*close)(void *reader) ETL_NOEXCEPT;
} etl_compare;

#ifdef __cplusplus
}

#include <etl/component.h>

namespace etl {
inline namespace v1 {

/// Whether rows are read to be compared with what the sink holds.
inline bool Comparing(const Host& host) { return host.Extension<etl_comparing>(ETL_EXT_COMPARING) != nullptr; }

/// What a sink has written, read back.  A sink's class C offers it by a member, called on the head without Begin,
///   std::unique_ptr<ReadBack> OpenReadBack(const Run& run);
/// and `static const void* Extension(std::string_view id)` that gives CompareTable<C>() for ETL_EXT_COMPARE.
class ReadBack {
 public:
  virtual ~ReadBack() = default;
  /// See etl_compare.describe.
  Schema schema;
  std::vector<std::string> keys;
  bool adds = false, replaces = false, one = false;
  virtual void Rewind() = 0;
  /// False: no more rows.
  virtual bool Next(ArrowArray* out) = 0;
  /// Any thread.
  virtual void Interrupt() noexcept {}
};

/// Reads back by the plugin's own source S, with one worker.
template <class S>
class SourceReadBack : public ReadBack {
 public:
  /// `host`: the sink's.  `set` gives the source its options; it is called for each of its objects.
  SourceReadBack(const Host& host, const std::function<void(S&)>& set) : none_(detail::FieldsOf<S>().size()) {
    head_.values = none_.data();
    head_.object = Glue<S>::Make(host.table(), none_.data());
    set(*head_.object);
    ArrowSchema described{};
    Must([&](etl_error* e) { return Glue<S>::SourceDescribe(&head_, &described, e); });
    schema = ImportSchema(described);
    described.release(&described);
    Must([&](etl_error* e) { return Glue<S>::Start(&head_, host.table(), &worker_, e); });
    set(Glue<S>::W(worker_));
  }
  ~SourceReadBack() override {
    if (worker_) Glue<S>::Stop(worker_);
  }
  SourceReadBack(const SourceReadBack&) = delete;

  void Rewind() override {
    planned_ = opened_ = false;
    Must([&](etl_error* e) { return Glue<S>::SourcePlan(&head_, 1, 0, {nullptr, 0}, e); });
  }
  bool Next(ArrowArray* out) override {
    for (;;) {
      if (!opened_ && !Open()) return false;
      etl_str position{nullptr, 0};
      const etl_status s = Must([&](etl_error* e) { return Glue<S>::SourceNext(worker_, out, &position, e); });
      if (s != ETL_END) return true;
      planned_ = opened_ = false;
    }
  }
  void Interrupt() noexcept override { Glue<S>::Interrupt(&head_); }

 private:
  /// The next split.  After Retry the same one.
  bool Open() {
    if (!planned_) {
      etl_str state{nullptr, 0};
      split_ = etl_split{sizeof split_, 0, {nullptr, 0}, {nullptr, 0}, -1, -1};
      if (Must([&](etl_error* e) { return Glue<S>::SourcePlanNext(&head_, &split_, &state, e); }) == ETL_END) return false;
      planned_ = true;
    }
    Must([&](etl_error* e) { return Glue<S>::SourceOpen(worker_, &split_, {nullptr, 0}, e); });
    opened_ = true;
    return true;
  }
  template <class F>
  static etl_status Must(F&& f) {
    etl_error e{};
    e.size = sizeof e;
    const etl_status status = f(&e);
    if (status >= 0) return status;
    Error error(status, e.message, e.code);
    error.retry_after_ns = e.retry_after_ns;
    error.option = e.option;
    throw error;
  }

  std::vector<etl_value> none_;   // no options given: the members' own
  typename Glue<S>::Head head_;
  void* worker_ = nullptr;
  etl_split split_{};             // lent by the head until the next one
  bool planned_ = false, opened_ = false;
};

/// The extension's table for a sink's class.
template <class C>
const etl_compare* CompareTable() {
  struct Opened {
    std::unique_ptr<ReadBack> rows;
    std::string keys;
  };
  static const etl_compare table = [] {
    etl_compare t{};
    t.size = sizeof t;
    t.open = [](void* self, const etl_run* r, void** reader, etl_error* e) noexcept -> etl_status {
      return detail::Guard(e, [&] {
        const Run run{std::string(View(r->pipeline)), std::string(View(r->key)), {}, false, false, r->schema};
        auto opened = std::make_unique<Opened>();
        opened->rows = Glue<C>::H(self).object->OpenReadBack(run);
        for (const std::string& k : opened->rows->keys) opened->keys += k + "\n";
        *reader = opened.release();
        return ETL_OK;
      });
    };
    t.describe = [](void* reader, ArrowSchema* out, etl_str* keys, std::uint32_t* flags, etl_error* e) noexcept -> etl_status {
      return detail::Guard(e, [&] {
        const auto& o = *static_cast<Opened*>(reader);
        *keys = ToStr(o.keys);
        *flags = 0;
        if (o.rows->adds) *flags |= ETL_COMPARE_ADDS;
        if (o.rows->replaces) *flags |= ETL_COMPARE_REPLACES;
        if (o.rows->one) *flags |= ETL_COMPARE_ONE;
        ExportSchema(o.rows->schema, out);
        return ETL_OK;
      });
    };
    t.rewind = [](void* reader, etl_error* e) noexcept -> etl_status {
      return detail::Guard(e, [&] {
        static_cast<Opened*>(reader)->rows->Rewind();
        return ETL_OK;
      });
    };
    t.next = [](void* reader, ArrowArray* out, etl_error* e) noexcept -> etl_status {
      return detail::Guard(e, [&] { return static_cast<Opened*>(reader)->rows->Next(out) ? ETL_OK : ETL_END; });
    };
    t.interrupt = [](void* reader) noexcept { static_cast<Opened*>(reader)->rows->Interrupt(); };
    t.close = [](void* reader) noexcept { delete static_cast<Opened*>(reader); };
    return t;
  }();
  return &table;
}

}  // namespace v1
}  // namespace etl
#endif
#endif
