// Whole components in use: read a source, feed a transform, fill a sink.
#include <fmt/format.h>

#include <algorithm>

#include "../data/build.h"
#include "harness.h"

namespace etl::host {
namespace {

etl_str Str(const std::string& text) { return {text.data(), text.size()}; }
std::string Copy(etl_str text) { return text.len ? std::string(text.ptr, static_cast<std::size_t>(text.len)) : std::string(); }

void CheckBatch(const Session& session, const ArrowSchema& schema, const ArrowArray& array, std::size_t number) {
  if (!array.release) throw CheckFailed(fmt::format("{}: batch {} is OK, but was released", NameOf(session.component()), number));
  if (const auto fault = CheckArray(schema, array, true))
    throw CheckFailed(fmt::format("{}: batch {}: {}", NameOf(session.component()), number, *fault));
}

SchemaHandle Checked(const Session& session, ArrowSchema schema) {
  SchemaHandle handle(schema);
  if (!handle) throw CheckFailed(NameOf(session.component()) + ": describe() is OK, but its schema was released");
  if (const auto fault = CheckSchema(*handle)) throw CheckFailed(fmt::format("{}: schema: {}", NameOf(session.component()), *fault));
  return handle;
}

/// Rows as text whatever their encoding.
std::vector<std::string> Texts(const ArrowSchema& schema, data::OwnedArray array) {
  if (IsPlain(schema)) return RowTexts(schema, *array);
  const SchemaHandle plain = PlainSchema(schema);
  ArrowArray out{};
  MakePlain(schema, array.Release(), &out);
  data::OwnedArray owner(out);
  return RowTexts(*plain, *owner);
}

void Append(std::vector<std::string>& to, std::vector<std::string> from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

SchemaHandle DescribeSource(Session& session) {
  ArrowSchema schema{};
  session.Must("describe", [&](etl_error* e) { return session.table().source->describe(session.self(), &schema, e); });
  return Checked(session, schema);
}

std::vector<SplitCopy> PlanSource(Session& session, std::size_t most) {
  const etl_source& source = *session.table().source;
  if (!source.plan) return {{"all", ""}};
  session.Must("plan", [&](etl_error* e) { return source.plan(session.self(), 1, 0, {"", 0}, e); });
  std::vector<SplitCopy> splits;
  while (splits.size() < most) {
    etl_split split{};
    split.size = sizeof split;
    split.rows = split.bytes = -1;
    etl_str state{};
    etl_status status = ETL_OK;
    session.Must("plan_next", [&](etl_error* e) { return status = source.plan_next(session.self(), &split, &state, e); });
    if (status == ETL_END || status == ETL_PENDING) break;   // nothing is under way that could be divided
    splits.push_back({Copy(split.id), Copy(split.state)});
    if (splits.back().id.empty()) throw CheckFailed(NameOf(session.component()) + ": plan_next() gives a split without an id");
  }
  return splits;
}

SourceRead ReadSplit(Session& session, const ArrowSchema& schema, const SplitCopy& split, const std::string& position,
                     std::size_t batches) {
  const etl_source& source = *session.table().source;
  Session::Worker& worker = session.Start();
  const etl_split table = split.table();
  session.Must("open", [&](etl_error* e) { return source.open(worker.self, &table, Str(position), e); });
  SourceRead read;
  for (std::size_t i = 0; i < batches; ++i) {
    ArrowArray array{};
    etl_str after{};
    etl_status status = ETL_OK;
    session.Must("next", [&](etl_error* e) { return status = source.next(worker.self, &array, &after, e); });
    if (status == ETL_END) {
      if (array.release) array.release(&array);
      read.whole = true;
      break;
    }
    data::OwnedArray owner(array);
    CheckBatch(session, schema, *owner, i + 1);
    read.positions.push_back(Copy(after));
    Append(read.rows, Texts(schema, std::move(owner)));
    read.row_counts.push_back(read.rows.size());
    const etl_mark mark{Str(split.id), Str(read.positions.back()), i + 1};
    if (source.committed) source.committed(session.self(), &mark);
  }
  session.Stop(worker);
  return read;
}

OpenTransform::OpenTransform(CheckRun& run, const Component& component, FakeHost::Table table) : session(run, component, table) {
  session.CreateOrSkip();
  const etl_transform& transform = *component.table.transform;
  ArrowSchema schema{};
  std::string why;
  for (const std::string_view name : SampleSchemaNames()) {
    in = SampleSchema(name);
    if (session.Call("describe", [&](etl_error* e) { return transform.describe(session.self(), in.get(), &schema, e); }) >= 0) break;
    why = session.message();
    in = SchemaHandle();
  }
  if (!in) throw CheckSkipped(fmt::format("describe() takes none of the sample schemas: \"{}\"; give options that work with --options", why));
  out = Checked(session, schema);
  worker = &session.Start();
  session.Must("open", [&](etl_error* e) { return transform.open(worker->self, in.get(), e); });
}

std::vector<std::string> OpenTransform::TakeOutput() {
  std::vector<data::OwnedArray> owned;
  for (const ArrowArray& array : worker->host->TakeEmitted()) owned.emplace_back(array);
  std::vector<std::string> rows;
  for (std::size_t i = 0; i < owned.size(); ++i) {
    CheckBatch(session, *out, *owned[i], i + 1);
    Append(rows, Texts(*out, std::move(owned[i])));
  }
  return rows;
}

std::vector<std::string> OpenTransform::Apply(std::int64_t first, std::int64_t rows, bool nulls, Shape shape) {
  ArrowArray array{};
  SampleBatch(*in, first, rows, nulls, shape, &array);
  data::OwnedArray owner(array);
  etl_batch batch{sizeof batch, 0, next_batch++, next_row, &*owner, nullptr, 0};
  next_row += static_cast<std::uint64_t>(rows);
  session.Must("apply", [&](etl_error* e) { return session.table().transform->apply(worker->self, &batch, e); });
  return TakeOutput();
}

std::vector<std::string> OpenTransform::Flush() {
  if (session.table().transform->flush)
    session.Must("flush", [&](etl_error* e) { return session.table().transform->flush(worker->self, e); });
  return TakeOutput();
}

std::string AcceptedSchema(CheckRun& run, const Component& component) {
  std::string& known = run.accepted[&component];
  std::string why;
  for (const std::string_view name : SampleSchemaNames()) {
    if (!known.empty()) return known;
    try {
      OpenSink sink(run, component, name);
      if (sink.Write(100, 10, true, Shape::kPlain) >= 0 && sink.Flush() >= 0) return known = name;
      why = sink.session.message();
    } catch (const CheckSkipped& skip) {
      why = skip.what();
    }
  }
  throw CheckSkipped("takes none of the sample schemas: " + why);
}

OpenSink::OpenSink(CheckRun& run, const Component& component, std::string_view schema, FakeHost::Table table)
    : session(run, component, table), in(SampleSchema(schema.empty() ? AcceptedSchema(run, component) : schema)) {
  session.CreateOrSkip();
  Begin();
  try {
    worker = &session.Start();
    session.Must("open", [&](etl_error* e) { return component.table.sink->open(worker->self, in.get(), {"", 0}, e); });
  } catch (const CheckSkipped&) {
    End(ETL_FAILED);  // the destructor does not run
    throw;
  }
}

void OpenSink::Begin() {
  const etl_sink& sink = *session.table().sink;
  const etl_run run{sizeof run, 0, {"check", 5}, {"run-1", 5}, {"", 0}, in.get()};
  if (sink.begin) session.Must("begin", [&](etl_error* e) { return sink.begin(session.self(), &run, e); });
  begun = true;
  const auto ignore = [](void*, const etl_mark*) noexcept {};
  if (sink.positions)
    transactional = session.Call("positions", [&](etl_error* e) { return sink.positions(session.self(), nullptr, ignore, e); }) == ETL_OK;
}

OpenSink::~OpenSink() {
  if (!begun || !session.table().sink->end) return;
  session.Stop(*worker);
  etl_error error{};  // what end() says is the business of End(); here a check has failed already or is done
  error.size = sizeof error;
  session.table().sink->end(session.self(), ETL_FAILED, 0, &error);
}

void OpenSink::End(std::uint32_t outcome) {
  if (worker) session.Stop(*worker);
  begun = false;
  if (session.table().sink->end)
    session.Call("end", [&](etl_error* e) { return session.table().sink->end(session.self(), outcome, 0, e); });
}

etl_status OpenSink::Write(std::int64_t first, std::int64_t rows, bool nulls, Shape shape) {
  ArrowArray array{};
  SampleBatch(*in, first, rows, nulls, shape, &array);
  data::OwnedArray owner(array);
  const std::string position = fmt::format("{}", next_batch);
  const etl_mark mark{{"all", 3}, Str(position), next_batch};
  etl_batch batch{sizeof batch, 0, next_batch++, next_row, &*owner, transactional ? &mark : nullptr, transactional ? 1u : 0u};
  next_row += static_cast<std::uint64_t>(rows);
  return session.Call("write", [&](etl_error* e) { return session.table().sink->write(worker->self, &batch, e); });
}

etl_status OpenSink::Flush() {
  etl_str state{};
  return session.Call("flush", [&](etl_error* e) { return session.table().sink->flush(worker->self, &state, e); });
}

void UseComponent(CheckRun& run, const Component& component, FakeHost::Table table) {
  if (component.kind == Kind::kSource) {
    Session session(run, component, table);
    session.CreateOrSkip();
    const SchemaHandle schema = DescribeSource(session);
    for (const SplitCopy& split : PlanSource(session, 3)) ReadSplit(session, *schema, split, "", 3);
  } else if (component.kind == Kind::kTransform) {
    OpenTransform transform(run, component, table);
    for (int i = 0; i < 3; ++i) transform.Apply(100 + i * 50, 50, true, Shape::kPlain);
    transform.Flush();
  } else {
    OpenSink sink(run, component, {}, table);
    for (int i = 0; i < 3; ++i)
      if (sink.Write(100 + i * 50, 50, true, Shape::kPlain) < 0) throw CheckSkipped("write() says \"" + sink.session.message() + "\"");
    if (sink.Flush() < 0) throw CheckSkipped("flush() says \"" + sink.session.message() + "\"");
    sink.End(ETL_COMPLETE);
  }
}

}  // namespace etl::host
