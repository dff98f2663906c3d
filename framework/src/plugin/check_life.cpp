// Checks 25 to 30: heads and workers come and go.
#include <fmt/format.h>
#include <malloc.h>

#include <filesystem>

#include "harness.h"

extern "C" __attribute__((weak)) std::size_t __sanitizer_get_current_allocated_bytes();

namespace etl::host {
namespace {

constexpr int kWarmUp = 100, kRounds = 1000;
constexpr std::size_t kMostGrowth = 64 * 1024;

std::size_t CountIn(const char* folder) {
  std::size_t n = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) n += !entry.path().empty();
  return n;
}

std::size_t AllocatedBytes() {
  if (__sanitizer_get_current_allocated_bytes) return __sanitizer_get_current_allocated_bytes();
  return ::mallinfo2().uordblks;
}

std::string LeaksNothing(CheckRun& run) {
  return ForEach(run, {}, [&](const Component& component) {
    const InstanceValues values(run, component);
    FakeHost host, worker_host;
    const auto round = [&] {
      ErrorBox error;
      void *self = nullptr, *worker = nullptr;
      if (component.table.create(host.table(), values.data(), &self, error.get()) < 0)
        throw CheckSkipped("create() says \"" + error.message() + "\"; give options that work with --options");
      if (component.table.start(self, worker_host.table(), &worker, error.get()) >= 0) component.table.stop(worker);
      component.table.destroy(self);
    };
    for (int i = 0; i < kWarmUp; ++i) round();
    const std::size_t memory = AllocatedBytes(), threads = CountIn("/proc/self/task"), files = CountIn("/proc/self/fd");
    for (int i = 0; i < kRounds; ++i) round();
    const std::size_t memory_now = AllocatedBytes();
    if (CountIn("/proc/self/task") > threads) throw CheckFailed(fmt::format("create and destroy leave threads: {} more", CountIn("/proc/self/task") - threads));
    if (CountIn("/proc/self/fd") > files) throw CheckFailed(fmt::format("create and destroy leave files open: {} more", CountIn("/proc/self/fd") - files));
    if (memory_now > memory + kMostGrowth)
      throw CheckFailed(fmt::format("{} times create and destroy leave {} bytes", kRounds, memory_now - memory));
  });
}

void LeaveMidStream(CheckRun& run, const Component& component) {
  if (component.kind == Kind::kSource) {
    Session session(run, component);
    session.CreateOrSkip();
    const SchemaHandle schema = DescribeSource(session);
    for (const SplitCopy& split : PlanSource(session, 1)) ReadSplit(session, *schema, split, "", 1);
  } else if (component.kind == Kind::kTransform) {
    OpenTransform transform(run, component);
    transform.Apply(100, 10, true, Shape::kPlain);
  } else {
    OpenSink sink(run, component);
    sink.Write(100, 10, true, Shape::kPlain);
  }
}

void FailToOpen(CheckRun& run, const Component& component) {
  Session session(run, component);
  session.CreateOrSkip();
  Session::Worker& worker = session.Start();
  ArrowSchema nonsense{};  // a struct without columns
  nonsense.format = "+s";
  nonsense.name = "";
  nonsense.release = [](ArrowSchema* schema) { schema->release = nullptr; };
  const SplitCopy split{"no-such-split", "\x01garbage"};
  const etl_split table = split.table();
  ArrowSchema out{};
  session.Call("open", [&](etl_error* e) {
    if (component.kind == Kind::kSource) return component.table.source->open(worker.self, &table, table.state, e);
    if (component.kind == Kind::kSink) return component.table.sink->open(worker.self, &nonsense, {"", 0}, e);
    const etl_status status = component.table.transform->describe(session.self(), &nonsense, &out, e);
    return status < 0 ? status : component.table.transform->open(worker.self, &nonsense, e);
  });
  if (out.release) out.release(&out);
}

std::string CanAlwaysBeDestroyed(CheckRun& run) {
  return ForEach(run, {}, [&](const Component& component) {
    Session session(run, component);
    session.CreateOrSkip();
    session.Destroy();
    FailToOpen(run, component);
    LeaveMidStream(run, component);
  });
}

std::string TwoAtOnce(CheckRun& run) {
  return ForEach(run, {}, [&](const Component& component) {
    UseComponent(run, component);  // what cannot run at all says so here
    std::string failed;
    std::mutex mutex;
    const auto use = [&](int number) {
      CheckRun own{run.path, run.options, run.folder, false, 1000 * number, {}};
      try {
        UseComponent(own, component);
      } catch (const CheckFailed& failure) {
        const std::lock_guard lock(mutex);
        failed = failure.what();
      } catch (const CheckSkipped&) {
        return;  // two of them at one target may say no, as long as they say it properly
      }
    };
    std::thread one(use, 1), two(use, 2);
    one.join();
    two.join();
    if (!failed.empty()) throw CheckFailed("beside another instance: " + failed);
  });
}

std::string MovesBetweenThreads(CheckRun& run) {
  run.change_threads = true;
  return ForEach(run, {}, [&](const Component& component) { UseComponent(run, component); });
}

std::string SaysWhatIsWrong(CheckRun& run) {
  std::mt19937_64 random(29);
  return ForEach(run, {}, [&](const Component& component) {
    for (int i = 0; i < 100; ++i) Session(run, component, InstanceValues(run, component, random)).Create();
    FailToOpen(run, component);
    try {
      UseComponent(run, component);
    } catch (const CheckSkipped&) {
      return;  // a failure that was properly said: Session has looked at it
    }
  });
}

}  // namespace

std::vector<Check> LifeChecks() {
  return {{25, "create and destroy 1,000 times leave nothing", LeaksNothing},
          {26, "can be destroyed at any time", CanAlwaysBeDestroyed},
          {27, "two instances on two threads", TwoAtOnce},
          {28, "calls move from thread to thread", MovesBetweenThreads},
          {29, "every failure has a message and writes nothing else", SaysWhatIsWrong},
          {30, "no exception escapes", SaysWhatIsWrong}};
}

}  // namespace etl::host
