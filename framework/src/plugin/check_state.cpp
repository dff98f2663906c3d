// Checks 38 to 44: positions, interruption, repetition.
#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "../data/build.h"
#include "harness.h"

namespace etl::host {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kBatches = 12;
constexpr auto kReturnTime = std::chrono::seconds(1);

std::string RestartsAnywhere(CheckRun& run) {
  std::size_t restarts = 0;
  std::string note = ForEach(run, {Kind::kSource}, [&](const Component& component) {
    Session session(run, component);
    session.CreateOrSkip();
    const SchemaHandle schema = DescribeSource(session);
    for (const SplitCopy& split : PlanSource(session, 2)) {
      const SourceRead whole = ReadSplit(session, *schema, split, "", kBatches);
      for (std::size_t i = 0; i < whole.positions.size(); ++i) {
        Session again(run, component);
        again.CreateOrSkip();
        const SchemaHandle same = DescribeSource(again);
        const SourceRead rest = ReadSplit(again, *same, split, whole.positions[i], kBatches);
        const std::vector<std::string> expected(whole.rows.begin() + static_cast<std::ptrdiff_t>(whole.row_counts[i]), whole.rows.end());
        const std::size_t both = whole.whole && rest.whole ? std::max(expected.size(), rest.rows.size()) : std::min(expected.size(), rest.rows.size());
        for (std::size_t row = 0; row < both; ++row)
          if (row >= expected.size() || row >= rest.rows.size() || expected[row] != rest.rows[row])
            throw CheckFailed(fmt::format("split \"{}\": opened at the position after batch {}, row {} is not the one that follows", split.id, i + 1, row));
        ++restarts;
      }
    }
  });
  return fmt::format("{} restarts{}{}", restarts, note.empty() ? "" : "; ", note);
}

std::string OldStatesOpen(CheckRun&) { throw CheckSkipped("no positions of earlier releases are kept for it"); }

std::vector<std::string> Garbage() {
  return {std::string(1, '\0'), "garbage", "-1", "99999999999999999999999", "{\"a\":[", std::string("\xff\xfe\x80", 3),
          std::string(65536, 'x'), "\"", "1,2,3", "../../etc/passwd"};
}

std::string GarbageIsAnError(CheckRun& run) {
  return ForEach(run, {Kind::kSource, Kind::kSink}, [&](const Component& component) {
    for (const std::string& garbage : Garbage()) {
      const etl_str state{garbage.data(), garbage.size()};
      if (component.kind == Kind::kSink) {
        Session session(run, component);
        session.CreateOrSkip();
        Session::Worker& worker = session.Start();
        const SchemaHandle schema = SampleSchema("small");
        session.Call("open", [&](etl_error* e) { return component.table.sink->open(worker.self, schema.get(), state, e); });
        continue;
      }
      const etl_source& source = *component.table.source;
      Session session(run, component);
      session.CreateOrSkip();
      const SchemaHandle schema = DescribeSource(session);
      const std::vector<SplitCopy> splits = PlanSource(session, 1);
      if (splits.empty()) throw CheckSkipped("has no splits");
      const etl_split split = splits.front().table();
      Session::Worker& worker = session.Start();
      if (session.Call("open", [&](etl_error* e) { return source.open(worker.self, &split, state, e); }) >= 0) {
        ArrowArray array{};
        etl_str position{};
        session.Call("next", [&](etl_error* e) { return source.next(worker.self, &array, &position, e); });
        if (array.release) array.release(&array);
      }
      if (source.plan) session.Call("plan", [&](etl_error* e) { return source.plan(session.self(), 0, 0, state, e); });
    }
  });
}

/// Uses the component until it says no or has no more, while another thread interrupts it.
std::string ReturnsSoon(CheckRun& run) {
  return ForEach(run, {}, [&](const Component& component) {
    if (!component.table.interrupt) throw CheckSkipped("has no interrupt()");
    UseComponent(run, component);  // what cannot run at all says so here
    Session session(run, component);
    session.CreateOrSkip();
    if (component.kind != Kind::kSource) {
      component.table.interrupt(session.self());
      return;
    }
    const SchemaHandle schema = DescribeSource(session);
    const auto splits = PlanSource(session, 1);
    if (splits.empty()) throw CheckSkipped("has no splits");
    Session::Worker& worker = session.Start();
    const etl_split split = splits.front().table();
    session.Must("open", [&](etl_error* e) { return component.table.source->open(worker.self, &split, {"", 0}, e); });
    std::atomic<bool> interrupted = false, done = false;
    std::atomic<int> calls = 0;
    std::string failed;
    std::thread reader([&] {
      try {
        for (etl_status status = ETL_OK; status == ETL_OK && !interrupted;) {
          ArrowArray array{};
          etl_str position{};
          ++calls;
          status = session.Call("next", [&](etl_error* e) { return component.table.source->next(worker.self, &array, &position, e); });
          if (array.release) array.release(&array);
        }
      } catch (const CheckFailed& failure) {
        failed = failure.what();
      }
      done = true;
      done.notify_all();
    });
    while (calls == 0) std::this_thread::yield();
    interrupted = true;
    const auto begin = Clock::now();
    session.host().Cancel();
    worker.host->Cancel();
    component.table.interrupt(session.self());
    done.wait(false);
    reader.join();
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    if (!failed.empty()) throw CheckFailed(failed);
    if (took > kReturnTime) throw CheckFailed(fmt::format("returns {} ms after interrupt(), expected at most 1000", took.count()));
  });
}

std::string InterruptIsHarmless(CheckRun& run) {
  return ForEach(run, {}, [&](const Component& component) {
    if (!component.table.interrupt) throw CheckSkipped("has no interrupt()");
    Session session(run, component);
    session.CreateOrSkip();
    component.table.interrupt(session.self());
    component.table.interrupt(session.self());
    Session::Worker& worker = session.Start();
    component.table.interrupt(session.self());
    session.Stop(worker);
    component.table.interrupt(session.self());
    session.Destroy();
  });
}

std::string RepeatsAfterRetry(CheckRun& run) {
  return ForEach(run, {Kind::kTransform, Kind::kSink}, [&](const Component& component) {
    if (component.kind == Kind::kSink) {
      if (!(component.table.flags & ETL_IDEMPOTENT)) throw CheckSkipped("does not call itself idempotent");
      OpenSink sink(run, component);
      const std::uint64_t row = sink.next_row, batch = sink.next_batch;
      for (int i = 0; i < 2; ++i) {
        sink.next_row = row, sink.next_batch = batch;
        if (sink.Write(100, 50, true, Shape::kPlain) < 0 || sink.Flush() < 0)
          throw CheckFailed(fmt::format("calls itself idempotent, but writing the same batch {} says \"{}\"", i ? "again" : "once", sink.session.message()));
      }
      sink.End(ETL_COMPLETE);
      return;
    }
    if (component.table.flags & ETL_HOLDS) throw CheckSkipped("holds rows across calls");
    const std::vector<std::string> expected = OpenTransform(run, component).Apply(100, 50, true, Shape::kPlain);
    OpenTransform transform(run, component);
    ArrowArray input{};
    SampleBatch(*transform.in, 100, 50, true, Shape::kPlain, &input);
    data::OwnedArray owner(input);
    etl_batch batch{sizeof batch, 0, 1, 1, &*owner, nullptr, 0};
    const auto apply = [&](etl_error* e) { return component.table.transform->apply(transform.worker->self, &batch, e); };
    transform.worker->host->AnswerEmit(ETL_RETRY);
    if (transform.session.Call("apply", apply) != ETL_RETRY) throw CheckSkipped("does not pass on a RETRY of emit()");
    if (!owner) throw CheckFailed("apply() says RETRY, but has taken its input");
    transform.worker->host->AnswerEmit(ETL_OK);
    if (transform.session.Call("apply", apply) < 0 || transform.TakeOutput() != expected)
      throw CheckFailed("the same batch again after RETRY does not give the rows that it gives at once");
  });
}

std::string Live(CheckRun&) { throw CheckSkipped("needs a live system: not run here"); }

}  // namespace

std::vector<Check> StateChecks() {
  return {{38, "goes on from every position without loss", RestartsAnywhere},
          {39, "positions of earlier releases still open", OldStatesOpen},
          {40, "a garbage position is an error, not a crash", GarbageIsAnError},
          {41, "interrupt during a call returns within 1 s", ReturnsSoon},
          {42, "interrupt before, after and twice is harmless", InterruptIsHarmless},
          {43, "the same call again after RETRY", RepeatsAfterRetry},
          {44, "kill -9 after flush: the rows are there", Live}};
}

}  // namespace etl::host
