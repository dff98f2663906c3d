// Checks 31 to 37: batches and schemas.
#include <fmt/format.h>

#include <set>
#include <thread>

#include "../data/build.h"
#include "harness.h"

namespace etl::host {
namespace {

constexpr std::int64_t kManyRows = 65536;
constexpr std::size_t kBatches = 8;

std::string SchemasAreValid(CheckRun& run) {
  return ForEach(run, {Kind::kSource, Kind::kTransform}, [&](const Component& component) {
    SchemaHandle schema;
    if (component.kind == Kind::kSource) {
      Session session(run, component);
      session.CreateOrSkip();
      schema = DescribeSource(session);
    } else {
      OpenTransform transform(run, component);
      schema = std::move(transform.out);
    }
    std::set<std::string> names;
    for (std::int64_t i = 0; i < schema->n_children; ++i)
      if (const char* name = schema->children[i]->name; !names.insert(name ? name : "").second)
        throw CheckFailed(fmt::format("its schema has two columns \"{}\"", name ? name : ""));
  });
}

std::string BatchesAreValid(CheckRun& run) {
  return ForEach(run, {Kind::kSource, Kind::kTransform}, [&](const Component& component) {
    if (component.kind == Kind::kSource) {
      Session session(run, component);
      session.CreateOrSkip();
      const SchemaHandle schema = DescribeSource(session);
      for (const SplitCopy& split : PlanSource(session, 4)) ReadSplit(session, *schema, split, "", kBatches);
    } else {
      OpenTransform transform(run, component);
      for (int i = 0; i < 4; ++i) transform.Apply(100 + i * 100, 100, i % 2, Shape::kPlain);
      transform.Flush();
    }
  });
}

/// One batch of it, released when the component is gone.
ArrowArray Orphan(CheckRun& run, const Component& component) {
  if (component.kind == Kind::kTransform) {
    OpenTransform transform(run, component);
    ArrowArray input{};
    SampleBatch(*transform.in, 100, 10, true, Shape::kPlain, &input);
    data::OwnedArray owner(input);
    etl_batch batch{sizeof batch, 0, 1, 1, &*owner, nullptr, 0};
    transform.session.Must("apply", [&](etl_error* e) { return component.table.transform->apply(transform.worker->self, &batch, e); });
    std::vector<data::OwnedArray> out;
    for (const ArrowArray& array : transform.worker->host->TakeEmitted()) out.emplace_back(array);
    if (out.empty()) throw CheckSkipped("emits nothing for a batch");
    return out.front().Release();
  }
  Session session(run, component);
  session.CreateOrSkip();
  const SchemaHandle schema = DescribeSource(session);
  const auto splits = PlanSource(session, 1);
  if (splits.empty()) throw CheckSkipped("has no splits");
  Session::Worker& worker = session.Start();
  const etl_split split = splits.front().table();
  ArrowArray array{};
  etl_str position{};
  etl_status status = ETL_OK;
  session.Must("open", [&](etl_error* e) { return component.table.source->open(worker.self, &split, {"", 0}, e); });
  session.Must("next", [&](etl_error* e) { return status = component.table.source->next(worker.self, &array, &position, e); });
  if (status == ETL_END || !array.release) throw CheckSkipped("has no rows");
  return array;
}

std::string ReleaseIsFree(CheckRun& run) {
  return ForEach(run, {Kind::kSource, Kind::kTransform}, [&](const Component& component) {
    ArrowArray first = Orphan(run, component);  // the component is destroyed by now
    ArrowArray moved = first;
    first.release = nullptr;
    std::thread([&] { moved.release(&moved); }).join();
    if (moved.release) throw CheckFailed("release() does not set release to null");
    ArrowArray second = Orphan(run, component);
    if (second.n_children > 0) {  // a child moved out lives longer than its parent
      ArrowArray child = *second.children[0];
      second.children[0]->release = nullptr;
      second.release(&second);
      if (child.release) child.release(&child);
    } else {
      second.release(&second);
    }
  });
}

std::string ReadsEveryShape(CheckRun& run) {
  struct Size {
    std::int64_t rows;
    bool nulls;
  };
  static constexpr Size kSizes[] = {{0, false}, {1, true}, {100, false}, {100, true}, {kManyRows, true}};
  return ForEach(run, {Kind::kTransform, Kind::kSink}, [&](const Component& component) {
    for (const auto& [rows, nulls] : kSizes) {
      std::vector<std::string> expected;
      for (const Shape shape : kShapes) {
        if (rows == kManyRows && shape != Shape::kPlain && shape != Shape::kOffset) continue;
        const std::string what = fmt::format("{} rows, {}{}", rows, ShapeName(shape), nulls ? ", nulls" : ", no nulls");
        if (component.kind == Kind::kSink) {
          OpenSink sink(run, component);
          if (sink.Write(100, rows, nulls, shape) < 0 || sink.Flush() < 0) throw CheckFailed(what + ": \"" + sink.session.message() + "\"");
          sink.End(ETL_COMPLETE);
          continue;
        }
        OpenTransform transform(run, component);
        std::vector<std::string> out = transform.Apply(100, rows, nulls, shape);
        for (std::string& row : transform.Flush()) out.push_back(std::move(row));
        if (shape == Shape::kPlain)
          expected = std::move(out);
        else if (out != expected)
          throw CheckFailed(what + ": other rows come out than for the same rows in plain buffers");
      }
    }
  });
}

std::string TransformLeavesInput(CheckRun& run) {
  return ForEach(run, {Kind::kTransform}, [&](const Component& component) {
    OpenTransform transform(run, component);
    transform.Apply(100, 100, true, Shape::kReadOnly);
    transform.Flush();
    ArrowArray input{};
    SampleBatch(*transform.in, 200, 10, true, Shape::kReadOnly, &input);
    data::OwnedArray owner(input);
    etl_batch batch{sizeof batch, 0, transform.next_batch++, transform.next_row, &*owner, nullptr, 0};
    transform.worker->host->AnswerEmit(ETL_RETRY);
    const etl_status status =
        transform.session.Call("apply", [&](etl_error* e) { return component.table.transform->apply(transform.worker->self, &batch, e); });
    const bool same = owner && owner->length == 10;
    if (status < 0 && status != ETL_RETRY && !same) return;  // a lasting failure ends the run: nobody needs the input again
    if (status == ETL_RETRY && !same) throw CheckFailed("apply() says RETRY, but has taken its input");
  });
}

std::string SinkLeavesInput(CheckRun& run) {
  return ForEach(run, {Kind::kSink}, [&](const Component& component) {
    OpenSink sink(run, component);
    for (int i = 0; i < 3; ++i)
      if (sink.Write(100 + 100 * i, 100, true, Shape::kReadOnly) < 0) throw CheckSkipped("write() says \"" + sink.session.message() + "\"");
    sink.Flush();
    sink.End(ETL_COMPLETE);
  });
}

std::string IsRepeatable(CheckRun& run) {
  return ForEach(run, {Kind::kSource, Kind::kTransform}, [&](const Component& component) {
    std::vector<std::string> rows[2];
    for (std::vector<std::string>& out : rows) {
      if (component.kind == Kind::kSource) {
        Session session(run, component);
        session.CreateOrSkip();
        const SchemaHandle schema = DescribeSource(session);
        for (const SplitCopy& split : PlanSource(session, 3))
          for (std::string& row : ReadSplit(session, *schema, split, "", kBatches).rows) out.push_back(std::move(row));
      } else {
        OpenTransform transform(run, component);
        out = transform.Apply(100, 500, true, Shape::kPlain);
        for (std::string& row : transform.Flush()) out.push_back(std::move(row));
      }
    }
    if (rows[0] != rows[1]) throw CheckFailed("the same input gives other rows the second time");
  });
}

}  // namespace

std::vector<Check> DataChecks() {
  return {{31, "schemas are valid, names unique", SchemasAreValid},
          {32, "every batch is valid", BatchesAreValid},
          {33, "release works after a move, on another thread, after destroy", ReleaseIsFree},
          {34, "reads batches of every shape and size", ReadsEveryShape},
          {35, "transform never writes to its input, keeps it for RETRY", TransformLeavesInput},
          {36, "sink never writes to its input", SinkLeavesInput},
          {37, "same input, same output", IsRepeatable}};
}

}  // namespace etl::host
