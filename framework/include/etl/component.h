// SPDX-License-Identifier: Apache-2.0
/// Source, Transform and Sink: what a plugin's author derives from, and ETL_PLUGIN, which makes the plugin.
///
/// The host makes one *head* of your class for each place where a pipeline names it, and as many *workers* as it wants
/// threads; all are objects of your class with the same options.  The head checks, describes, plans, begins and ends; a
/// worker reads, transforms or writes.  Each object is called by one thread at a time.  A worker reaches the head through
/// HeadAs<C>(): what they share there is yours to lock.
#pragma once
#include <etl/column.h>
#include <etl/option.h>

#include <algorithm>
#include <mutex>
#include <optional>

namespace etl {
inline namespace v1 {

/// What the host offers to one object.  See etl_host for threads and meaning.
class Host {
 public:
  explicit Host(const etl_host* h = nullptr) : h_(h) {}
  const etl_host* table() const { return h_; }
  std::string_view pipeline() const { return h_->pipeline; }
  void Debug(std::string_view m) const { h_->log(h_, ETL_DEBUG, ToStr(m)); }
  void Info(std::string_view m) const { h_->log(h_, ETL_INFO, ToStr(m)); }
  void Warn(std::string_view m) const { h_->log(h_, ETL_WARN, ToStr(m)); }
  bool Cancelled() const { return h_->cancelled(h_) != 0; }
  /// Sleeps; throws etl::Cancelled as soon as the host wants to stop.
  void Wait(std::chrono::nanoseconds d) const {
    if (h_->wait(h_, d.count())) throw v1::Cancelled();
  }
  std::chrono::nanoseconds Now() const { return std::chrono::nanoseconds(h_->now(h_)); }
  void Wake(std::chrono::nanoseconds at) const { h_->wake(h_, at.count()); }
  /// Nothing when the retry budget is used up.
  std::optional<std::chrono::nanoseconds> Backoff(unsigned attempt, std::chrono::nanoseconds since,
                                                  std::chrono::nanoseconds retry_after = {}) const {
    const std::int64_t ns = h_->backoff(h_, attempt, 0, since.count(), retry_after.count());
    if (ns < 0) return std::nullopt;
    return std::chrono::nanoseconds(ns);
  }
  void Count(std::string_view name, double v = 1) const { h_->metric(h_, ETL_COUNTER, ToStr(name), v); }
  void Gauge(std::string_view name, double v) const { h_->metric(h_, ETL_GAUGE, ToStr(name), v); }
  std::int64_t MemoryLimit() const { return h_->memory_limit; }
  bool Reserve(std::int64_t bytes) const { return h_->reserve(h_, bytes) == ETL_OK; }
  void Reject(std::uint64_t row, std::string_view reason, std::int64_t code = 0) const {
    const etl_reject r{sizeof r, 0, row, code, ToStr(reason), {nullptr, 0}, {nullptr, 0}};
    h_->reject(h_, &r);
  }
  /// A source's input that is not a row.
  void RejectInput(std::string_view where, std::string_view raw, std::string_view reason, std::int64_t code = 0) const {
    const etl_reject r{sizeof r, 0, ETL_NO_ROW, code, ToStr(reason), ToStr(raw), ToStr(where)};
    h_->reject(h_, &r);
  }
  void Again(std::uint64_t row) const { h_->again(h_, row); }
  /// All rejects so far are on disk.  Throws Retry or Fatal when they cannot be.
  void Durable() const {
    const etl_status s = h_->durable(h_);
    if (s != ETL_OK) throw Error(s, "the rejects could not be written to disk");
  }
  void Settled(std::uint64_t batch) const { h_->settled(h_, batch); }
  void Finished(std::uint64_t batch) const { h_->finished(h_, batch); }
  void Emit(ArrowArray* array, const std::uint64_t* origin = nullptr) const {
    const etl_status s = h_->emit(h_, array, origin);
    if (s == ETL_CANCELLED) throw v1::Cancelled();
    if (s != ETL_OK) throw Error(s, "the host did not take a batch");
  }
  void Keep(std::string_view note) const {
    const etl_status s = h_->keep(h_, ToStr(note));
    if (s != ETL_OK) throw Error(s, "the host could not note \"" + std::string(note) + "\" on disk");
  }
  template <class E>
  const E* Extension(const char* id) const {
    return static_cast<const E*>(h_->extension(h_, id));
  }

 private:
  const etl_host* h_;
};

/// What heads and workers of all kinds have.
class Component {
 public:
  Host host;
  virtual ~Component() = default;
  /// Head: reach the other system, load the model: what `etl check --connect` does.  Throws what is wrong.
  virtual void Check() {}
  /// Head: lines "name=value" that say what saved state belongs to, beyond the options.
  virtual std::string Identity() { return {}; }
  /// Any thread, any time, on the head and on each worker: make a blocked call return soon.
  virtual void Interrupt() noexcept {}
  bool is_worker() const { return head_ != nullptr; }
  /// In a worker: the head.
  template <class C>
  C& HeadAs() const {
    return static_cast<C&>(*head_);
  }

 private:
  template <class>
  friend struct Glue;
  Component* head_ = nullptr;
};

struct Split {
  std::string id;
  std::string state;           ///< opaque: what the split is
  std::int64_t rows = -1;      ///< estimates
  std::int64_t bytes = -1;
  bool wanted = false;         ///< PlanNext: a worker waits for it
  bool later = false;          ///< PlanNext's answer, with true: no split now; ask again.  See ETL_PENDING
};

class Source : public Component {
 public:
  static constexpr std::uint32_t kFlags = 0;
  /// Head: the schema of every batch.  Called before anything else that reads.
  virtual Schema Describe() = 0;
  /// Head: begin, or go on, planning; then PlanNext until it says false.  See etl_source.plan.
  virtual void Plan(bool fresh, std::string_view state) { planned_ = !fresh && !state.empty(); }
  virtual bool PlanNext(Split& out, std::string& state) {
    if (planned_) return false;
    planned_ = true;
    out.id = state = "all";
    return true;
  }
  /// Head: after the last split: what Plan(true, ...) of the next pass is given.  An incremental source's high mark.
  virtual std::string CarryOver() { return {}; }
  /// Worker: go to a position of a split; empty is its beginning.
  virtual void Open(const Split& split, std::string_view position) = 0;
  /// Worker: the next rows, and the position after them; false: no more in this split.  A batch without rows is allowed:
  /// it moves the position.  Throwing Retry: the same call comes again with a new Batch.
  virtual bool Next(Batch& out, std::string& position) = 0;
  /// Worker: the same without the builder, for who has Arrow arrays already.
  virtual bool NextArray(ArrowArray* out, std::string& position) {
    Batch batch(*schema_);
    if (!Next(batch, position)) return false;
    batch.Finish(out);
    return true;
  }
  /// Head: this position is saved.
  virtual void Committed(std::string_view /*split*/, std::string_view /*position*/) {}
  /// What Describe said, in the head and in its workers.
  const Schema& schema() const { return *schema_; }

 private:
  template <class>
  friend struct Glue;
  std::shared_ptr<const Schema> schema_;
  bool planned_ = false;
  Split split_;
  std::string plan_state_, position_;
};

/// Rows lent for a call: typed views of the columns.
class Rows {
 public:
  Rows(const ArrowSchema& schema, etl_batch* batch) : schema_(&schema), batch_(batch), array_(batch->array) {}
  std::int64_t size() const { return array_->length; }
  std::int64_t columns() const { return array_->n_children; }
  ColumnView column(std::int64_t i) const { return ColumnView(*schema_->children[i], *array_->children[i], array_->offset); }
  const ArrowSchema& schema() const { return *schema_; }
  const ArrowArray& array() const { return *array_; }
  std::uint64_t id() const { return batch_->id; }
  /// The name of row i for Host::Reject and Host::Again.
  std::uint64_t row(std::int64_t i) const { return batch_->first_row + static_cast<std::uint64_t>(i); }
  const etl_mark* marks() const { return batch_->marks; }
  std::uint64_t mark_count() const { return batch_->n_marks; }
  /// A transactional sink must not commit behind these rows: see ETL_MORE.
  bool more() const { return (batch_->flags & ETL_MORE) != 0; }
  /// To keep the rows beyond the call: moved out; release it when done.
  ArrowArray Keep() const {
    const ArrowArray kept = *array_;
    array_->release = nullptr;
    return kept;
  }

 private:
  const ArrowSchema* schema_;
  etl_batch* batch_;
  ArrowArray* array_;
};

class Transform : public Component {
 public:
  static constexpr std::uint32_t kFlags = ETL_PARALLEL;
  /// Head: the schema that comes out.
  virtual Schema Describe(const Schema& in) = 0;
  /// Worker: once, before the first rows.
  virtual void Open(const Schema& /*in*/) {}
  /// Worker: emit what comes of these rows, by host.Emit or Emit.
  virtual void Apply(const Rows& in) = 0;
  virtual void Tick() {}
  /// ETL_HOLDS: emit and finish all that is held.
  virtual void Flush() {}
  /// Head: as Describe, for who wants Arrow's own.
  virtual void DescribeArrow(const ArrowSchema& in, ArrowSchema* out) { ExportSchema(Describe(ImportSchema(in)), out); }

 protected:
  /// A built batch; origin[i] is Rows::row() of the input row that row i comes from, null: row for row.
  void Emit(Batch& batch, const std::uint64_t* origin = nullptr) {
    ArrowArray array;
    batch.Finish(&array);
    host.Emit(&array, origin);
  }
  const ArrowSchema& in_schema() const { return *arrow_; }

 private:
  template <class>
  friend struct Glue;
  void KeepSchema(const ArrowSchema& s) {
    schema_ = ImportSchema(s);
    arrow_ = detail::OwnSchema(schema_);
  }
  Schema schema_;
  std::shared_ptr<const ArrowSchema> arrow_;
};

/// What a sink's Write says of the rows.
enum class Written { kSettled, kPending };

struct Mark {
  std::string split, position;
  std::uint64_t seq = 0;
};

/// A pass over the source, as a sink's Begin sees it.
struct Run {
  std::string pipeline, key, kept;
  bool resumed = false, replay = false;
  const ArrowSchema* schema = nullptr;   ///< lent for the call
};

class Sink : public Component {
 public:
  static constexpr std::uint32_t kFlags = 0;
  /// Head: once before all workers; once after them, also after a failure (ETL_COMPLETE, ETL_FAILED, ETL_INTERRUPTED).
  virtual void Begin(const Run&) {}
  /// `rejects`: rows of this pass were rejected, by whichever stage.
  virtual void End(std::uint32_t /*outcome*/, bool /*rejects*/) {}
  /// Head, after Begin: true if rows and positions are committed together; gives what was committed under the run's key.
  virtual bool Positions(const std::function<void(const Mark&)>&) { return false; }
  /// Worker.  `state`: what Flush said with the last saved position.
  virtual void Open(const ArrowSchema& in, std::string_view state) = 0;
  virtual Written Write(const Rows& in) = 0;
  virtual void Tick() {}
  /// Worker: everything written is safe when it returns.  May say a state, which is saved with the position.
  virtual std::string Flush() { return {}; }

 private:
  template <class>
  friend struct Glue;
  std::shared_ptr<const ArrowSchema> arrow_;
  std::string state_;
};

/// The C tables of a class, and the functions behind them.
template <class C>
struct Glue {
  struct Head {
    std::unique_ptr<C> object;
    const etl_value* values = nullptr;
    std::string text;              // what identity() lent
    std::mutex mutex;              // over workers
    std::vector<C*> workers;
  };
  struct Worker {
    std::unique_ptr<C> object;
    Head* head = nullptr;
  };
  static Head& H(void* p) { return *static_cast<Head*>(p); }
  static C& W(void* p) { return *static_cast<Worker*>(p)->object; }

  static std::unique_ptr<C> Make(const etl_host* h, const etl_value* values) {
    auto c = std::make_unique<C>();
    c->host = Host(h);
    detail::Assign(c.get(), detail::FieldsOf<C>(), values);
    return c;
  }
  static etl_status Create(const etl_host* h, const etl_value* values, void** self, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      auto head = std::make_unique<Head>();
      head->values = values;
      head->object = Make(h, values);
      *self = head.release();
      return ETL_OK;
    });
  }
  static void Destroy(void* self) noexcept { delete &H(self); }
  static etl_status Start(void* self, const etl_host* h, void** worker, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      Head& head = H(self);
      auto w = std::make_unique<Worker>();
      w->head = &head;
      w->object = Make(h, head.values);
      w->object->head_ = head.object.get();
      if constexpr (std::is_base_of_v<Source, C>) w->object->schema_ = head.object->schema_;
      const std::lock_guard lock(head.mutex);
      head.workers.push_back(w->object.get());
      *worker = w.release();
      return ETL_OK;
    });
  }
  static void Stop(void* worker) noexcept {
    auto* w = static_cast<Worker*>(worker);
    {
      const std::lock_guard lock(w->head->mutex);
      auto& all = w->head->workers;
      all.erase(std::find(all.begin(), all.end(), w->object.get()));
    }
    delete w;
  }
  static etl_status Check(void* self, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      H(self).object->Check();
      return ETL_OK;
    });
  }
  static etl_status Identity(void* self, etl_str* out, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      H(self).text = H(self).object->Identity();
      *out = ToStr(H(self).text);
      return ETL_OK;
    });
  }
  static void Interrupt(void* self) noexcept {
    Head& head = H(self);
    head.object->Interrupt();
    const std::lock_guard lock(head.mutex);
    for (C* w : head.workers) w->Interrupt();
  }

  // ---- source ----
  static etl_status SourceDescribe(void* self, ArrowSchema* out, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      Source& c = *H(self).object;
      c.schema_ = std::make_shared<const Schema>(c.Describe());
      ExportSchema(*c.schema_, out);
      return ETL_OK;
    });
  }
  static etl_status SourcePlan(void* self, std::uint32_t fresh, std::uint32_t, etl_str state, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      static_cast<Source&>(*H(self).object).Plan(fresh != 0, View(state));
      return ETL_OK;
    });
  }
  static etl_status SourcePlanNext(void* self, etl_split* out, etl_str* state, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      Source& c = *H(self).object;
      c.split_ = Split();
      c.split_.wanted = (out->flags & ETL_WANTED) != 0;
      const bool more = c.PlanNext(c.split_, c.plan_state_);
      if (more && c.split_.later) return ETL_PENDING;
      if (!more) c.plan_state_ = c.CarryOver();
      *state = ToStr(c.plan_state_);
      if (!more) return ETL_END;
      out->id = ToStr(c.split_.id);
      out->state = ToStr(c.split_.state);
      out->rows = c.split_.rows;
      out->bytes = c.split_.bytes;
      return ETL_OK;
    });
  }
  static etl_status SourceOpen(void* worker, const etl_split* s, etl_str position, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      Source& c = W(worker);
      c.position_.assign(position.ptr, static_cast<std::size_t>(position.len));
      c.Open({std::string(View(s->id)), std::string(View(s->state)), s->rows, s->bytes, false, false}, c.position_);
      return ETL_OK;
    });
  }
  static etl_status SourceNext(void* worker, ArrowArray* out, etl_str* position, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      Source& c = W(worker);
      if (!c.NextArray(out, c.position_)) return ETL_END;
      *position = ToStr(c.position_);
      return ETL_OK;
    });
  }
  static void SourceCommitted(void* self, const etl_mark* m) noexcept {
    etl_error ignored{};
    detail::Guard(&ignored, [&] {
      static_cast<Source&>(*H(self).object).Committed(View(m->split), View(m->position));
      return ETL_OK;
    });
  }

  // ---- transform ----
  static etl_status TransformDescribe(void* self, const ArrowSchema* in, ArrowSchema* out, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      H(self).object->DescribeArrow(*in, out);
      return ETL_OK;
    });
  }
  static etl_status TransformOpen(void* worker, const ArrowSchema* in, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      Transform& c = W(worker);
      c.KeepSchema(*in);
      c.Open(c.schema_);
      return ETL_OK;
    });
  }
  static etl_status TransformApply(void* worker, etl_batch* in, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      Transform& c = W(worker);
      try {
        c.Apply(Rows(*c.arrow_, in));
      } catch (const Error& fault) {
        if (fault.status != ETL_RETRY || in->array->release) throw;
        throw Fatal(std::string(fault.what()) + "; and the rows are gone, so that it cannot be tried again", fault.code);
      }
      return ETL_OK;
    });
  }
  static etl_status TransformTick(void* worker, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      static_cast<Transform&>(W(worker)).Tick();
      return ETL_OK;
    });
  }
  static etl_status TransformFlush(void* worker, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      static_cast<Transform&>(W(worker)).Flush();
      return ETL_OK;
    });
  }

  // ---- sink ----
  static etl_status SinkBegin(void* self, const etl_run* r, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      static_cast<Sink&>(*H(self).object)
          .Begin({std::string(View(r->pipeline)), std::string(View(r->key)), std::string(View(r->kept)),
                  (r->flags & ETL_RESUMED) != 0, (r->flags & ETL_REPLAY) != 0, r->schema});
      return ETL_OK;
    });
  }
  static etl_status SinkEnd(void* self, std::uint32_t outcome, std::uint32_t flags, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      static_cast<Sink&>(*H(self).object).End(outcome, (flags & ETL_REJECTS) != 0);
      return ETL_OK;
    });
  }
  static etl_status SinkPositions(void* self, void* context, void (*each)(void*, const etl_mark*) noexcept,
                                  etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      const bool yes = static_cast<Sink&>(*H(self).object).Positions([&](const Mark& m) {
        const etl_mark mark{ToStr(m.split), ToStr(m.position), m.seq};
        each(context, &mark);
      });
      if (!yes) throw Error(ETL_UNSUPPORTED, "this sink does not keep positions with its rows");
      return ETL_OK;
    });
  }
  static etl_status SinkOpen(void* worker, const ArrowSchema* in, etl_str state, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      Sink& c = W(worker);
      c.arrow_ = detail::OwnSchema(ImportSchema(*in));
      c.Open(*c.arrow_, View(state));
      return ETL_OK;
    });
  }
  static etl_status SinkWrite(void* worker, etl_batch* in, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      Sink& c = W(worker);
      return c.Write(Rows(*c.arrow_, in)) == Written::kSettled ? ETL_OK : ETL_PENDING;
    });
  }
  static etl_status SinkTick(void* worker, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      static_cast<Sink&>(W(worker)).Tick();
      return ETL_OK;
    });
  }
  static etl_status SinkFlush(void* worker, etl_str* state, etl_error* e) noexcept {
    return detail::Guard(e, [&] {
      Sink& c = W(worker);
      c.state_ = c.Flush();
      *state = ToStr(c.state_);
      return ETL_OK;
    });
  }

  template <class T, class = void>
  struct HasExtension : std::false_type {};
  template <class T>
  struct HasExtension<T, std::void_t<decltype(T::Extension(""))>> : std::true_type {};
  template <class T, class = void>
  struct HasDoc : std::false_type {};
  template <class T>
  struct HasDoc<T, std::void_t<decltype(T::kDoc)>> : std::true_type {};

  static const void* FindExtension(const char* id) noexcept {
    if constexpr (HasExtension<C>::value) return C::Extension(id);
    (void)id;
    return nullptr;
  }

  static const etl_component* Table() {
    static const auto* const options = [] {
      auto* list = new std::vector<const etl_option*>;
      for (const auto& o : detail::FieldsOf<C>()) list->push_back(&o->table);
      list->push_back(nullptr);
      return list;
    }();
    static const etl_component table = [] {
      etl_component t{};
      t.size = sizeof t;
      t.flags = C::kFlags;
      t.type = C::kType;
      t.summary = C::kSummary;
      if constexpr (HasDoc<C>::value) t.doc = C::kDoc;
      t.options = options->data();
      t.create = Create;
      t.destroy = Destroy;
      t.start = Start;
      t.stop = Stop;
      t.check = Check;
      t.identity = Identity;
      t.interrupt = Interrupt;
      t.extension = FindExtension;
      if constexpr (std::is_base_of_v<Source, C>) {
        static const etl_source source{sizeof source, 0, SourceDescribe, SourcePlan, SourcePlanNext, SourceOpen,
                                       SourceNext, SourceCommitted};
        t.source = &source;
      } else if constexpr (std::is_base_of_v<Transform, C>) {
        static const etl_transform transform{sizeof transform, 0, TransformDescribe, TransformOpen, TransformApply,
                                             TransformTick, TransformFlush};
        t.transform = &transform;
      } else {
        // A sink that says nothing of positions keeps none.
        static constexpr auto positions = std::is_same_v<decltype(&C::Positions), decltype(&Sink::Positions)> ? nullptr : SinkPositions;
        static const etl_sink sink{sizeof sink, 0, SinkBegin, SinkEnd, positions, SinkOpen, SinkWrite, SinkTick,
                                   SinkFlush};
        t.sink = &sink;
      }
      return t;
    }();
    return &table;
  }
};

namespace detail {
template <class... C>
const etl_plugin* MakePlugin(const char* name, const char* version, const char* license) {
  static const etl_component* const components[] = {Glue<C>::Table()..., nullptr};
  static const etl_plugin plugin = [&] {
    etl_plugin p{};
    p.size = sizeof p;
    p.abi_minor = ETL_ABI_MINOR;
    p.name = name;
    p.version = version;
    p.license = license;
    p.components = components;
    return p;
  }();
  return &plugin;
}
}  // namespace detail

}  // namespace v1
}  // namespace etl

/// Once in a plugin: its name, SemVer version, SPDX licence, and its component classes.
#define ETL_PLUGIN(name, version, license, ...)                             \
  ETL_NOTE(name, version);                                                  \
  extern "C" const etl_plugin* ETL_ENTRY(void) noexcept {                   \
    return etl::detail::MakePlugin<__VA_ARGS__>(name, version, license);    \
  }
