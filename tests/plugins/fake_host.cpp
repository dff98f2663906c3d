#include "fake_host.h"

#include <cstring>

namespace etl::test {
namespace {

template <class Call>
etl_status Checked(Call&& call) {
  etl_error error{};
  error.size = sizeof error;
  const etl_status status = call(&error);
  if (status < 0) throw Failure(status, error);
  return status;
}

std::string Text(etl_str s) { return std::string(View(s)); }

}  // namespace

FakeHost::FakeHost() {
  table_.size = sizeof table_;
  table_.abi_minor = ETL_ABI_MINOR;
  table_.impl = this;
  table_.name = "fake";
  table_.version = "1.0.0";
  table_.pipeline = "test";
  table_.component = "component";
  table_.log = [](const etl_host* h, std::uint32_t, etl_str message) noexcept {
    const std::lock_guard lock(Of(h).mutex_);
    Of(h).logs.push_back(Text(message));
  };
  table_.cancelled = [](const etl_host*) noexcept -> std::int32_t { return 0; };
  table_.wait = [](const etl_host*, std::int64_t) noexcept -> std::int32_t { return 0; };
  table_.now = [](const etl_host*) noexcept -> std::int64_t { return 1; };
  table_.wake = [](const etl_host*, std::int64_t) noexcept {};
  table_.backoff = [](const etl_host*, std::uint32_t, std::uint32_t, std::int64_t, std::int64_t) noexcept
      -> std::int64_t { return -1; };
  table_.metric = [](const etl_host* h, std::uint32_t, etl_str name, double value) noexcept {
    const std::lock_guard lock(Of(h).mutex_);
    Of(h).metrics[Text(name)] += value;
  };
  table_.reserve = [](const etl_host*, std::int64_t) noexcept -> etl_status { return ETL_OK; };
  table_.reject = [](const etl_host* h, const etl_reject* r) noexcept {
    const std::lock_guard lock(Of(h).mutex_);
    Of(h).rejects.push_back({r->row, Text(r->reason), Text(r->raw), Text(r->where)});
  };
  table_.again = [](const etl_host*, std::uint64_t) noexcept {};
  table_.durable = [](const etl_host*) noexcept -> etl_status { return ETL_OK; };
  table_.settled = [](const etl_host* h, std::uint64_t batch) noexcept {
    const std::lock_guard lock(Of(h).mutex_);
    Of(h).settled.push_back(batch);
  };
  table_.emit = [](const etl_host*, ArrowArray*, const std::uint64_t*) noexcept -> etl_status { return ETL_FATAL; };
  table_.finished = [](const etl_host*, std::uint64_t) noexcept {};
  table_.keep = [](const etl_host*, etl_str) noexcept -> etl_status { return ETL_OK; };
  table_.extension = [](const etl_host*, const char*) noexcept -> const void* { return nullptr; };
}

const etl_component& FindComponent(char kind, const std::string& type) {
  for (const etl_component* const* c = etl_plugin_v1()->components; *c; ++c) {
    const char its = (*c)->source ? 's' : (*c)->transform ? 't' : 'k';
    if (its == kind && type == (*c)->type) return **c;
  }
  throw std::runtime_error("the plugin has no component " + type);
}

Head::Head(const etl_component& component, const TomlOptions& options) : component_(component) {
  std::size_t used = 0;
  for (const etl_option* const* o = component.options; *o; ++o) {
    const etl_option& option = **o;
    values_.push_back(owner_.Default(option));
    for (const auto& [name, toml] : options) {
      if (name != option.name) continue;
      values_.back() = owner_.Parse(option, toml);
      ++used;
    }
  }
  if (used != options.size()) throw std::runtime_error("a test gives an option that " + std::string(component.type) + " lacks");
  Checked([&](etl_error* e) { return component_.create(host.table(), values_.data(), &self_, e); });
}
Head::~Head() {
  if (self_) component_.destroy(self_);
}

Worker::Worker(Head& head) : head_(head) {
  Checked([&](etl_error* e) { return head_.component().start(head_.self(), host.table(), &self_, e); });
}
Worker::~Worker() {
  if (self_) head_.component().stop(self_);
}

TestSource::TestSource(const std::string& type, const TomlOptions& options) : head_(FindComponent('s', type), options) {}

std::string TestSource::Describe() {
  std::shared_ptr<ArrowSchema> schema(new ArrowSchema{}, [](ArrowSchema* s) {
    if (s->release) s->release(s);
    delete s;
  });
  Checked([&](etl_error* e) { return head_.component().source->describe(head_.self(), schema.get(), e); });
  owner_ = schema;
  schema_ = *schema;
  std::string text;
  for (std::int64_t i = 0; i < schema->n_children; ++i) {
    const ArrowSchema& child = *schema->children[i];
    text += std::string(i ? " " : "") + child.name + ":" + (IsJson(child) ? "json" : child.format);
  }
  return text;
}

std::vector<PlannedSplit> TestSource::Plan(bool fresh, const std::string& state) {
  if (!owner_) Describe();
  const etl_source& source = *head_.component().source;
  Checked([&](etl_error* e) { return source.plan(head_.self(), fresh, 0, ToStr(state), e); });
  std::vector<PlannedSplit> splits;
  for (;;) {
    etl_split split{sizeof(etl_split), 0, {nullptr, 0}, {nullptr, 0}, -1, -1};
    etl_str next{nullptr, 0};
    const etl_status status = Checked([&](etl_error* e) { return source.plan_next(head_.self(), &split, &next, e); });
    if (status == ETL_END || status == ETL_PENDING) return splits;
    splits.push_back({Text(split.id), Text(split.state), Text(next), split.rows, split.bytes});
  }
}

std::vector<ReadBatch> TestSource::ReadBatches(const PlannedSplit& split, const std::string& position) {
  if (!owner_) Describe();
  const etl_source& source = *head_.component().source;
  Worker worker(head_);
  const etl_split given{sizeof given, 0, ToStr(split.id), ToStr(split.state), split.rows, split.bytes};
  const std::string& from = position.empty() ? split.state : position;
  Checked([&](etl_error* e) { return source.open(worker.self(), &given, ToStr(from), e); });
  std::vector<ReadBatch> batches;
  JsonWriter writer(schema_);
  for (;;) {
    ArrowArray array{};
    etl_str after{nullptr, 0};
    if (Checked([&](etl_error* e) { return source.next(worker.self(), &array, &after, e); }) == ETL_END) break;
    ReadBatch batch;
    batch.position = Text(after);
    for (std::int64_t i = 0; i < array.length; ++i) writer.Row(array, i, batch.rows.emplace_back());
    array.release(&array);
    batches.push_back(std::move(batch));
  }
  rejects.insert(rejects.end(), worker.host.rejects.begin(), worker.host.rejects.end());
  return batches;
}

std::vector<std::string> TestSource::ReadAll() {
  std::vector<std::string> rows;
  for (const PlannedSplit& split : Plan()) {
    for (ReadBatch& batch : ReadBatches(split)) {
      for (std::string& row : batch.rows) rows.push_back(std::move(row));
    }
  }
  return rows;
}

TestSink::TestSink(const std::string& type, const TomlOptions& options, const Schema& schema)
    : head_(FindComponent('k', type), options), schema_(detail::OwnSchema(schema)) {}

void TestSink::Begin(std::uint32_t flags) {
  const etl_run run{sizeof run, flags, ToStr("test"), ToStr("key"), {nullptr, 0}, schema_.get()};
  Checked([&](etl_error* e) { return head_.component().sink->begin(head_.self(), &run, e); });
}

void TestSink::Open(const std::string& state) {
  worker_ = std::make_unique<Worker>(head_);
  Checked([&](etl_error* e) { return head_.component().sink->open(worker_->self(), schema_.get(), ToStr(state), e); });
}

etl_status TestSink::Write(Batch& batch) {
  ArrowArray array{};
  batch.Finish(&array);
  etl_batch given{sizeof given, 0, next_batch_++, next_row_, &array, nullptr, 0};
  next_row_ += static_cast<std::uint64_t>(array.length);
  const std::shared_ptr<ArrowArray> owner(&array, [](ArrowArray* a) {
    if (a->release) a->release(a);
  });
  return Checked([&](etl_error* e) { return head_.component().sink->write(worker_->self(), &given, e); });
}

std::string TestSink::Flush() {
  etl_str state{nullptr, 0};
  Checked([&](etl_error* e) { return head_.component().sink->flush(worker_->self(), &state, e); });
  return Text(state);
}

void TestSink::End(std::uint32_t outcome) {
  Checked([&](etl_error* e) { return head_.component().sink->end(head_.self(), outcome, 0, e); });
}

}  // namespace etl::test
