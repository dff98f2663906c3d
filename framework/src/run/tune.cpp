#include "tune.h"

#include <etl/error.h>
#include <etl/tune.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "engine.h"

namespace etl::host {

// ---- what the engine does ----

std::vector<std::shared_ptr<SharedArray>> Engine::Collect(std::size_t at, std::int64_t n, std::int64_t bytes) {
  mode_ = Mode::kLook;
  MakeSource();
  MakeTransforms();
  MakeSinks();
  SinkStage& sink = *sinks[at];
  std::unique_ptr<TransformSide> side;
  std::unique_ptr<Worker> filter;
  if (sink.filter) {
    side = std::make_unique<TransformSide>(*this, *sink.filter);
    filter = std::make_unique<Worker>(*sink.filter->head, *side);
    Call(*side, "open", [&](etl_error* e) { return filter->table().transform->open(filter->self(), sink.filter->in.get(), e); });
  }
  std::vector<std::shared_ptr<SharedArray>> rows;
  const auto keep = [&](const Flow& flow) {
    if (flow.rows() == 0 || n <= 0) return;
    std::shared_ptr<SharedArray> array = flow.array;
    if (array->rows() > n) {
      std::vector<std::int64_t> first(static_cast<std::size_t>(n));
      std::iota(first.begin(), first.end(), 0);
      ArrowArray part{};
      Take(*sink.in, array->array(), first, &part);
      array = SharedArray::Own(part, ArrayBytes(*sink.in, part));
    }
    n -= array->rows();
    bytes -= array->bytes();
    rows.push_back(std::move(array));
  };
  Look([&](Flow flow) {
    if (!filter) keep(flow);
    else for (const Flow& f : side->Apply(*filter, std::move(flow))) keep(f);
    return n > 0 && bytes > 0;
  });
  // A source may hold a snapshot or a lock as long as it lives.
  source.head.reset();
  return rows;
}

Engine::Trial Engine::Write(const ArrowSchema& schema, const std::vector<std::shared_ptr<SharedArray>>& rows, std::int64_t longest_ns) {
  mode_ = Mode::kTune;
  source.config = &config_.source;
  source.out = CopySchema(schema);
  state_.key = config_.name + "/tune";
  std::int64_t begin = 0;
  bool stopped = false;
  try {
    MakeSinks();
    {
      const std::lock_guard lock(mutex_);
      if (signal_) throw Stopped();
      phase_ = "running";
    }
    BeginSinks(0);
    SinkStage& sink = *sinks[0];
    sink.running = threads_running_ = sink.workers;
    begin = run.Now();
    for (int i = 0; i < sink.workers; ++i) threads_.emplace_back([this, &sink, i] { WriteLoop(sink, i); });
    for (const auto& array : rows) {
      if (run.stop_reading || run.Now() - begin > longest_ns) break;
      if (!sink.queue.Push(Flow(array, {}, nullptr), array->bytes())) break;
    }
    if (run.stop_reading) sink.queue.Abort();
    else sink.queue.Close();
  } catch (const Stopped&) {
    stopped = true;
  } catch (const Error& e) {
    Fail(e);
  }
  Join();
  const std::int64_t end = run.Now();
  EndSinks(failure_ ? ETL_FAILED : ETL_COMPLETE);
  if (failure_) throw *failure_;
  if (stopped || signal_) throw Stopped();
  const StageCounters& counters = sinks[0]->counters;
  return {counters.rows_in.load() + counters.rejects.load(), counters.rejects.load(), std::max<std::int64_t>(end - begin, 1)};
}

// ---- the experiment ----

namespace {

constexpr std::int64_t kLong = 2'000'000'000;   // ns: a measurement of that length is not repeated
constexpr int kRounds = 3, kFinalRounds = 7;
constexpr std::size_t kFinalists = 3;

std::vector<std::string> Split(std::string_view text, char by) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(by), text.size());
    std::string_view part = text.substr(0, end);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

/// An option and what may be tried for it.
struct Knob {
  std::string name;
  std::vector<std::string> values;
  const etl_option* option = nullptr;
};

/// "batch.rows" is option rows of table batch.
const etl_option* FindOption(const etl_option* const* options, const std::string& name) {
  const std::size_t dot = name.find('.');
  for (; options && *options; ++options) {
    if (name.substr(0, dot) != (*options)->name) continue;
    return dot == std::string::npos ? *options : FindOption((*options)->fields, name.substr(dot + 1));
  }
  return nullptr;
}

std::vector<std::pair<std::string, std::string>> Lines(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const std::string& line : Split(text, '\n')) {
    const std::size_t equals = line.find(" = ");
    if (equals == std::string::npos) throw Error(Exit::kInternal, fmt::format("the sink's plugin says \"{}\" where \"name = value\" is due; report it to its author", line));
    lines.emplace_back(line.substr(0, equals), line.substr(equals + 3));
  }
  return lines;
}

const etl_tune* Offer(const StageConfig& sink) {
  const auto extension = sink.component->table.extension;
  const auto* table = extension ? static_cast<const etl_tune*>(extension(ETL_EXT_TUNE)) : nullptr;
  const bool whole = table && ETL_HAS(table, open) && ETL_HAS(table, candidates) && ETL_HAS(table, overrides) && ETL_HAS(table, clear) && ETL_HAS(table, close);
  return whole ? table : nullptr;
}

std::size_t Choose(const PipelineConfig& config, const std::string& stage) {
  std::vector<std::size_t> able;
  for (std::size_t i = 0; i < config.sinks.size(); ++i) {
    const StageConfig& sink = config.sinks[i];
    if (sink.key == stage && !Offer(sink)) throw Error(Exit::kConfig, fmt::format("{} ({}) offers nothing to tune", sink.key, sink.type));
    if (Offer(sink) && (stage.empty() || sink.key == stage)) able.push_back(i);
  }
  if (able.size() == 1) return able[0];
  if (!stage.empty()) throw Error(Exit::kConfig, fmt::format("the pipeline has no {}; --stage names a sink, as in sink[0]", stage));
  if (able.empty()) throw Error(Exit::kConfig, fmt::format("{} ({}) offers nothing to tune", config.sinks[0].key, config.sinks[0].type));
  throw Error(Exit::kConfig, "the pipeline has several sinks that can be tuned; say which with --stage, as in --stage sink[0]");
}

std::string AsToml(const Knob& knob, const std::string& value) {
  const std::uint32_t type = knob.option->type;
  return type == ETL_INT || type == ETL_BOOL || type == ETL_FLOAT || value.starts_with('"') ? value : "\"" + value + "\"";
}

}  // namespace

/// Makes an engine known to Stop() for as long as it works.
class Tuner::Under {
 public:
  Under(Tuner& tuner, Engine& engine) : tuner_(tuner) {
    const std::lock_guard lock(tuner.mutex_);
    if (tuner.signal_) throw Stopped();
    tuner.engine_ = &engine;
  }
  ~Under() {
    const std::lock_guard lock(tuner_.mutex_);
    tuner_.engine_ = nullptr;
  }
  Under(const Under&) = delete;

 private:
  Tuner& tuner_;
};

/// What one Execute() knows.
struct TuneRun {
  TuneRun(Tuner& t, const PipelineConfig& c) : tuner(t), config(c), base(c, t.run_), at(Choose(c, t.options_.stage)) {}

  const StageConfig& sink() const { return config.sinks[at]; }
  HostSide& side() { return *base.sinks[at]->side; }
  std::string Key(const std::string& name) const { return fmt::format("{}.{}", config.sinks.size() == 1 ? "sink" : sink().key, name); }

  void Read() {
    const Tuner::Under under(tuner, base);
    rows = base.Collect(at, tuner.options_.rows, config.memory_limit / 2);
    for (const auto& r : rows) {
      report.rows += r->rows();
      report.bytes += r->bytes();
    }
    if (rows.empty()) throw Error(Exit::kSource, "the source has no rows that reach the sink: there is nothing to measure with");
  }

  void Open() {
    const Tuner::Under under(tuner, base);
    table = Offer(sink());
    const etl_run r{sizeof r, 0, ToStr(config.name), {nullptr, 0}, {nullptr, 0}, base.sinks[at]->in.get()};
    Call(side(), "make a scratch target", [&](etl_error* e) { return table->open(base.sinks[at]->head->self(), &r, &scratch, e); });
  }
  void Ask() {
    etl_str text{nullptr, 0};
    Call(side(), "say what to try", [&](etl_error* e) { return table->candidates(scratch, &text, e); });
    for (const auto& [name, values] : Lines(View(text))) {
      if (name == "writers") {
        for (const std::string& v : Split(values, ',')) counts.push_back(std::max(1, std::atoi(v.c_str())));
        continue;
      }
      const etl_option* option = FindOption(sink().component->table.options, name);
      if (!option) throw Error(Exit::kInternal, fmt::format("{} ({}) wants to try option \"{}\", which it does not have; report it to the plugin's author", sink().key, sink().type, name));
      knobs.push_back({name, Split(values, ','), option});
    }
    Call(side(), "name the scratch target", [&](etl_error* e) { return table->overrides(scratch, &text, e); });
    for (const auto& [name, value] : Lines(View(text))) sets.push_back(Key(name) + "=" + value);
    if (sets.empty()) throw Error(Exit::kInternal, fmt::format("{} ({}) does not say how rows get into its scratch target; report it to the plugin's author", sink().key, sink().type));
  }
  void Close() {
    if (scratch) Call(side(), "remove the scratch target", [&](etl_error* e) { return table->close(scratch, e); });
    scratch = nullptr;
  }

  void List() {
    report.cases.emplace_back();
    for (const Knob& k : knobs) {
      report.options.push_back(k.name);
      std::vector<TuneCase> more;
      for (const TuneCase& c : report.cases) {
        for (const std::string& v : k.values) {
          more.push_back(c);
          more.back().values.push_back(v);
        }
      }
      report.cases = std::move(more);
    }
    const auto known = [](const Knob& k) { return k.option->def != nullptr; };
    if (!knobs.empty() && std::all_of(knobs.begin(), knobs.end(), known)) {
      report.automatic = static_cast<int>(report.cases.size());
      TuneCase& c = report.cases.emplace_back();
      c.what = TuneCase::What::kAutomatic;
      for (const Knob& k : knobs) c.values.emplace_back(k.option->def);
    }
    if (std::any_of(knobs.begin(), knobs.end(), [&](const Knob& k) { return sink().places.count(k.name) > 0; })) {
      report.file = static_cast<int>(report.cases.size());
      report.cases.emplace_back().what = TuneCase::What::kFile;
    }
  }

  Engine::Trial Measure(const TuneCase& c, std::int64_t longest) {
    std::vector<std::string> given = sets;
    for (std::size_t i = 0; i < c.values.size(); ++i) given.push_back(Key(knobs[i].name) + "=" + c.values[i]);
    if (!counts.empty()) given.push_back(Key("writers") + "=" + std::to_string(c.writers));
    PipelineConfig one = tuner.load_(given);
    StageConfig mine = std::move(one.sinks[at]);
    mine.when.clear();   // the rows have passed it
    one.sinks.clear();
    one.sinks.push_back(std::move(mine));
    Engine::Trial trial;
    {
      Engine engine(one, tuner.run_);
      const Tuner::Under under(tuner, engine);
      trial = engine.Write(*base.sinks[at]->in, rows, longest);
    }
    const Tuner::Under under(tuner, base);
    Call(side(), "empty the scratch target", [&](etl_error* e) { return table->clear(scratch, e); });
    return trial;
  }

  std::int64_t Left() const { return std::max<std::int64_t>(tuner.options_.time_ns - (base.run.Now() - began), 0); }

  /// In rounds, so that what changes meanwhile on this machine and the server changes for all of them.
  void Measure(std::vector<TuneCase>& cases, const std::vector<std::size_t>& which, int rounds) {
    std::map<std::size_t, std::vector<double>> rates;
    std::set<std::size_t> slow;
    int done = 0;
    for (int round = 0; round < rounds; ++round) {
      for (std::size_t k = 0; k < which.size(); ++k, ++done) {
        TuneCase& c = cases[which[k]];
        if (slow.count(which[k])) continue;
        if (Left() == 0) {
          report.time_up = true;
          continue;
        }
        if (tuner.options_.progress) tuner.options_.progress(done, static_cast<int>(which.size()) * rounds);
        // However slow the first ones are, each gets its turn.
        const Engine::Trial t = Measure(c, round == 0 ? Left() / static_cast<std::int64_t>(which.size() - k) : Left());
        rates[which[k]].push_back(static_cast<double>(t.rows) * 1e9 / static_cast<double>(t.elapsed_ns));
        c.rejected = t.rejected;
        if (t.elapsed_ns >= kLong) slow.insert(which[k]);
      }
    }
    for (auto& [i, r] : rates) {
      std::sort(r.begin(), r.end());
      cases[i].measurements = static_cast<int>(r.size());
      cases[i].rows_per_second = r.size() % 2 ? r[r.size() / 2] : (r[r.size() / 2 - 1] + r[r.size() / 2]) / 2;
    }
  }

  static std::vector<std::size_t> All(std::size_t from, std::size_t to) {
    std::vector<std::size_t> all(to - from);
    std::iota(all.begin(), all.end(), from);
    return all;
  }

  /// The first of many is partly the luckiest: the fastest ones, and the choice to compare with, are measured anew.
  void Final() {
    std::vector<std::size_t> which;
    for (const std::size_t i : All(0, report.cases.size())) {
      if (report.cases[i].what == TuneCase::What::kFixed && report.cases[i].measurements > 0) which.push_back(i);
    }
    std::stable_sort(which.begin(), which.end(),
                     [&](std::size_t a, std::size_t b) { return report.cases[a].rows_per_second > report.cases[b].rows_per_second; });
    if (which.size() > kFinalists) which.resize(kFinalists);
    for (const int i : {report.automatic, report.file}) {
      if (i >= 0) which.push_back(static_cast<std::size_t>(i));
    }
    if (Left() == 0) return;
    for (const std::size_t i : which) report.cases[i].final = true;
    Measure(report.cases, which, kFinalRounds);
  }

  static int Best(const std::vector<TuneCase>& cases) {
    int best = -1;
    const bool held = std::any_of(cases.begin(), cases.end(), [](const TuneCase& c) { return c.final; });
    for (std::size_t i = 0; i < cases.size(); ++i) {
      if (cases[i].what != TuneCase::What::kFixed || cases[i].measurements == 0 || cases[i].final < held) continue;
      if (best < 0 || cases[i].rows_per_second > cases[static_cast<std::size_t>(best)].rows_per_second) best = static_cast<int>(i);
    }
    return best;
  }

  void Sweep() {
    began = base.run.Now();
    List();
    Measure(report.cases, All(0, report.cases.size()), kRounds);
    Final();
    report.best = Best(report.cases);
    if (report.best < 0) return;
    TuneCase best = report.cases[static_cast<std::size_t>(report.best)];
    for (std::size_t i = 0; i < knobs.size(); ++i) report.advice.emplace_back(knobs[i].name, AsToml(knobs[i], best.values[i]));
    if (counts.empty()) return;
    best.final = false;   // against the other writers it has no round of its own
    report.writers.push_back(best);
    for (const int n : counts) {
      if (n == 1) continue;
      report.writers.push_back(best);
      report.writers.back().writers = n;
    }
    Measure(report.writers, All(1, report.writers.size()), kRounds);
    report.best_writers = Best(report.writers);
    const int n = report.writers[static_cast<std::size_t>(report.best_writers)].writers;
    // One is what a sink has without the key.
    if (n > 1 || sink().workers > 0) report.advice.emplace_back("writers", std::to_string(n));
  }

  Tuner& tuner;
  const PipelineConfig& config;
  Engine base;                 // outlives the rows
  const std::size_t at;
  std::vector<std::shared_ptr<SharedArray>> rows;
  const etl_tune* table = nullptr;
  void* scratch = nullptr;
  std::vector<Knob> knobs;
  std::vector<int> counts;     // of writers
  std::vector<std::string> sets;
  std::int64_t began = 0;
  TuneReport report;
};

Tuner::Tuner(Load load, RunOptions run, TuneOptions options) : load_(std::move(load)), run_(std::move(run)), options_(std::move(options)) {}

TuneReport Tuner::Execute() {
  const PipelineConfig config = load_({});
  TuneRun t(*this, config);
  t.report.pipeline = config.name;
  t.report.stage = t.sink().key;
  t.report.type = t.sink().type;
  try {
    t.Read();
    t.Open();
    t.Ask();
    t.Sweep();
    t.Close();
  } catch (...) {
    try {
      t.Close();
    } catch (const Error& e) {
      t.base.run.Log(ETL_ERROR, t.report.stage, e.what());
    } catch (const Stopped&) {
      t.base.run.Log(ETL_ERROR, t.report.stage, "gave up removing the scratch target; the next etl tune removes it");
    }
    try {
      throw;
    } catch (const Stopped&) {
      const std::lock_guard lock(mutex_);
      throw Error(signal_ == 2 ? Exit::kInterrupted : Exit::kTerminated, "stopped by a signal; nothing was changed");
    } catch (const Error& e) {
      throw Error(e.exit(), t.base.run.CleanLines(e.what()));
    }
  }
  return std::move(t.report);
}

void Tuner::Stop(int signal) {
  const std::lock_guard lock(mutex_);
  if (signal_) return;
  signal_ = signal;
  if (engine_) engine_->Stop(signal);
}

}  // namespace etl::host
