#include "compare.h"

#include <etl/compare.h>
#include <etl/error.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "engine.h"
#include "plain_batch.h"

namespace etl::host {

namespace {

constexpr auto kOnce = "what can be read only once, or is being changed, cannot be verified";

const etl_compare* Offer(const StageConfig& sink) {
  const auto extension = sink.component->table.extension;
  const auto* table = extension ? static_cast<const etl_compare*>(extension(ETL_EXT_COMPARE)) : nullptr;
  const bool whole = table && ETL_HAS(table, open) && ETL_HAS(table, describe) && ETL_HAS(table, rewind) && ETL_HAS(table, next) && ETL_HAS(table, close);
  return whole ? table : nullptr;
}

Error NotOffered(const StageConfig& sink) {
  return Error(Exit::kConfig, fmt::format("{} ({}) cannot be verified: its plugin does not read back what it has written", sink.key, sink.type));
}

/// Leaves the sink that is verified as the only one.
void Choose(PipelineConfig& config, const std::string& stage) {
  std::vector<std::size_t> able;
  for (std::size_t i = 0; i < config.sinks.size(); ++i) {
    const StageConfig& sink = config.sinks[i];
    if (sink.key == stage && !Offer(sink)) throw NotOffered(sink);
    if (Offer(sink) && (stage.empty() || sink.key == stage)) able.push_back(i);
  }
  if (able.empty() && !stage.empty()) throw Error(Exit::kConfig, fmt::format("the pipeline has no {}; --stage names a sink, as in sink[0]", stage));
  if (able.empty()) throw NotOffered(config.sinks[0]);
  if (able.size() > 1) throw Error(Exit::kConfig, "the pipeline has several sinks that can be verified; say which with --stage, as in --stage sink[0]");
  StageConfig mine = std::move(config.sinks[able[0]]);
  config.sinks.clear();
  config.sinks.push_back(std::move(mine));
}

/// The reader's side: what it cannot give counts.
class ReaderSide : public HostSide {
 public:
  using HostSide::HostSide;
  void Reject(const etl_reject& r) override {
    const auto text = [](etl_str s) { return s.ptr ? std::string(View(s)) : std::string(); };
    if (unreadable) unreadable({DifferenceKind::kUnreadable, text(r.where), {}, 1, run.redactor.Clean(text(r.reason))});
  }
  std::function<void(Difference)> unreadable;
};

}  // namespace

/// Makes an engine known to Stop() for as long as it works.
class Verifier::Under {
 public:
  Under(Verifier& verifier, Engine& engine) : verifier_(verifier) {
    const std::lock_guard lock(verifier.mutex_);
    if (verifier.signal_) throw Stopped();
    verifier.engine_ = &engine;
  }
  ~Under() {
    const std::lock_guard lock(verifier_.mutex_);
    verifier_.engine_ = nullptr;
  }
  Under(const Under&) = delete;

 private:
  Verifier& verifier_;
};

/// What one Execute() knows.
struct VerifyRun {
  explicit VerifyRun(Verifier& v)
      : verifier(v), config(v.config_), context(config, v.run_), side(context, config.sinks[0], counters, context.stop_reading),
        head(side, config.sinks[0]), table(Offer(config.sinks[0])) {
    report.pipeline = config.name;
    report.stage = config.sinks[0].key;
    report.type = config.sinks[0].type;
    report.sample = v.options_.sample;
    const std::lock_guard lock(v.mutex_);
    if (v.signal_) throw Stopped();
    v.interrupt_ = [this] {
      context.stop_reading = true;
      context.WakeAll();
      head.Interrupt();
      if (reader && ETL_HAS(table, interrupt)) table->interrupt(reader);
    };
  }
  ~VerifyRun() {
    {
      const std::lock_guard lock(verifier.mutex_);
      verifier.interrupt_ = nullptr;
    }
    if (reader) table->close(reader);
  }
  VerifyRun(const VerifyRun&) = delete;

  /// When the schema of the rows is known.
  void Open(const ArrowSchema& schema) {
    const std::string text = SchemaText(schema);
    if (reader) {
      if (text == expected_text) return;
      throw Error(Exit::kSource, fmt::format("the source gave columns ({}) at first, and ({}) when it was read again: {}", expected_text, text, kOnce));
    }
    expected_text = text;
    expected = CopySchema(schema);
    const etl_run run{sizeof run, 0, ToStr(config.name), {nullptr, 0}, {nullptr, 0}, expected.get()};
    void* opened = nullptr;
    Call(side, "open for reading", [&](etl_error* e) { return table->open(head.self(), &run, &opened, e); });
    {
      const std::lock_guard lock(verifier.mutex_);   // Stop() looks at it
      reader = opened;
      if (verifier.signal_) throw Stopped();
    }
    ArrowSchema described{};
    etl_str names{nullptr, 0};
    Call(side, "describe what is there", [&](etl_error* e) { return table->describe(reader, &described, &names, &flags, e); });
    raw = SchemaHandle(described);
    if (auto wrong = CheckSchema(*raw)) throw Broken("described a broken schema: " + *wrong);
    stored = PlainSchema(*raw);
    for (std::string_view rest = View(names); !rest.empty();) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      if (end > 0) report.keys.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    columns = Pair(*expected, *stored, report.keys);
    for (std::int64_t i = 0; i < expected->n_children; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const bool seen = std::any_of(columns.begin(), columns.end(), [&](const ComparedColumn& c) { return c.expected == at; });
      if (!seen) report.unseen.emplace_back(expected->children[i]->name);
    }
  }

  Error Broken(const std::string& what) const {
    return Error(Exit::kInternal, fmt::format("{} ({}) {}; report it to the plugin's author", report.stage, report.type, what));
  }

  bool Sampled(std::uint64_t key) const {
    return verifier.options_.sample >= 1 || static_cast<double>(key & 0xffffffffu) < verifier.options_.sample * 0x1p32;
  }

  void Tell(const char* doing, std::int64_t rows) {
    const std::int64_t now = context.Now();
    if (!verifier.options_.progress || now - told < 200'000'000) return;
    told = now;
    verifier.options_.progress(doing, rows);
  }

  using TakeRow = std::function<void(RowHasher&, std::int64_t row)>;

  void ReadExpected(const char* doing, bool tell, const TakeRow& take) {
    Engine engine(config, verifier.run_);
    const Verifier::Under under(verifier, engine);
    std::optional<RowHasher> hasher;
    std::int64_t rows = 0;
    engine.Pass(
        [&](const ArrowSchema& schema) {
          Open(schema);
          hasher.emplace(*expected, columns, RowHasher::Side::kExpected);
        },
        [&](const ArrowArray& batch) {
          hasher->Begin(batch);
          for (std::int64_t i = 0; i < batch.length; ++i) take(*hasher, i);
          Tell(doing, rows += batch.length);
        },
        tell);
  }

  void ReadStored(const char* doing, const TakeRow& take) {
    RowHasher hasher(*stored, columns, RowHasher::Side::kStored);
    std::int64_t rows = 0;
    Call(side, "read what is there", [&](etl_error* e) { return table->rewind(reader, e); });
    for (;;) {
      if (context.stop_reading) throw Stopped();
      ArrowArray array{};
      if (Call(side, "read what is there", [&](etl_error* e) { return table->next(reader, &array, e); }) == ETL_END) return;
      auto owned = SharedArray::Own(array, 0);
      if (auto wrong = CheckArray(*raw, owned->array(), false)) throw Broken("gave a broken batch: " + *wrong);
      const PlainBatch batch(*raw, owned);
      hasher.Begin(*batch);
      for (std::int64_t i = 0; i < (*batch).length; ++i) take(hasher, i);
      Tell(doing, rows += (*batch).length);
    }
  }

  void Count(VerifyRound& round, const Difference& d, bool remains) {
    std::int64_t& count = d.kind == DifferenceKind::kMissing ? round.missing
                          : d.kind == DifferenceKind::kChanged ? round.changed
                          : d.kind == DifferenceKind::kExtra ? round.extra
                                                             : round.unreadable;
    count += d.rows;
    if (d.kind == DifferenceKind::kExtra && round.extra_ignored) return;
    if (round.first.size() < Verifier::kFirst) round.first.push_back(d);
    if (verifier.options_.found) verifier.options_.found(d, remains);
  }

  /// The sums of both sides; then the buckets that differ, row by row.
  void Compare(VerifyRound& round, bool remains) {
    round.extra_ignored = verifier.options_.ignore_extra;
    auto sums = std::make_unique<std::pair<BucketSums, BucketSums>>();
    const auto into = [this](BucketSums& to, std::int64_t& rows) {
      return [this, &to, &rows](RowHasher& hasher, std::int64_t row) {
        if (verifier.options_.sample < 1 && !Sampled(hasher.Key(row))) return;
        to.Add(hasher.Row(row));
        ++rows;
      };
    };
    ReadExpected("reading the source", !remains, into(sums->first, round.expected));
    side.unreadable = [&](const Difference& d) { Count(round, d, remains); };
    ReadStored("reading what is there", into(sums->second, round.stored));
    side.unreadable = nullptr;
    differ.assign(BucketSums::kCount, false);
    std::int64_t rows = 0;
    for (std::size_t b = 0; b < BucketSums::kCount; ++b) {
      if (sums->first.Same(sums->second, b)) continue;
      differ[b] = true;
      rows += sums->first.rows(b) + sums->second.rows(b);
    }
    if (rows > 0) Narrow(round, remains, rows);
    std::stable_sort(round.first.begin(), round.first.end(), [](const Difference& a, const Difference& b) {
      return std::tuple(a.kind, a.key.size(), a.key) < std::tuple(b.kind, b.key.size(), b.key);
    });
  }

  void Narrow(VerifyRound& round, bool remains, std::int64_t rows) {
    RecordFiles files(rows);
    RowRecord record;
    const auto into = [&](bool is_stored) {
      return [&, is_stored](RowHasher& hasher, std::int64_t row) {
        const std::uint64_t key = hasher.Key(row);
        if (!differ[BucketSums::Of(key)] || !Sampled(key)) return;
        record.hash = hasher.Row(row, &record.each);
        record.stored = is_stored;
        record.key = hasher.KeyText(row);
        files.Add(record);
      };
    };
    std::int64_t again = 0;
    const auto keep = into(false);
    ReadExpected("finding what differs: reading the source", false, [&](RowHasher& hasher, std::int64_t row) {
      ++again;
      keep(hasher, row);
    });
    if (again == 0 && round.expected > 0) {
      throw Error(Exit::kSource, fmt::format("the source gave {} rows, and none when it was read again: {}", round.expected, kOnce));
    }
    ReadStored("finding what differs: reading what is there", into(true));
    const bool one = (flags & ETL_COMPARE_ONE) != 0 && !report.keys.empty();
    files.Take([&](std::vector<RowRecord>& portion) {
      round.repeated += TellApart(portion, columns, one, [&](std::uint64_t key, const Difference& d) {
        Count(round, d, remains);
        if (!remains && verifier.options_.repair) Want(key, d);
      });
    });
  }

  /// A row that may be written again, if that helps.
  void Want(std::uint64_t key, const Difference& d) {
    const bool adds = (flags & ETL_COMPARE_ADDS) != 0, replaces = (flags & ETL_COMPARE_REPLACES) != 0 && !report.keys.empty();
    if (d.kind == DifferenceKind::kExtra) return;
    if (d.kind == DifferenceKind::kMissing ? !adds : !replaces) {
      report.unrepaired = d.kind == DifferenceKind::kMissing ? "the sink adds no rows, so that those which are missing stay so"
                                                             : "the sink replaces no rows, so that those which are changed stay so";
      return;
    }
    if (too_many) return;
    wanted[key] += replaces ? std::numeric_limits<std::int32_t>::max() : d.rows;
    if (wanted.size() <= Verifier::kMostKeys) return;
    too_many = true;
    wanted.clear();
    if (adds && replaces) return;
    report.unrepaired = fmt::format("more than {} rows differ, which is more than a repair keeps in mind: run the pipeline anew, into an empty table",
                                    Verifier::kMostKeys);
  }

  void Repair() {
    const bool all = too_many && report.unrepaired.empty();   // of the buckets that differ: to write an equal row again does no harm
    if (wanted.empty() && !all) return;
    Engine engine(config, verifier.run_);
    const Verifier::Under under(verifier, engine);
    std::optional<RowHasher> hasher;
    std::int64_t rows = 0;
    report.repaired = true;
    const Engine::Trial done = engine.Rewrite([&](const ArrowSchema& schema, const ArrowArray& batch) {
      if (!hasher) {
        Open(schema);
        hasher.emplace(*expected, columns, RowHasher::Side::kExpected);
      }
      hasher->Begin(batch);
      std::vector<std::int64_t> chosen;
      for (std::int64_t i = 0; i < batch.length; ++i) {
        const std::uint64_t key = hasher->Key(i);
        const auto at = wanted.find(key);
        const bool take = all ? differ[BucketSums::Of(key)] && Sampled(key) : at != wanted.end() && at->second-- > 0;
        if (take) chosen.push_back(i);
      }
      Tell("writing again what differs", rows += batch.length);
      return chosen;
    });
    report.written = done.rows;
    report.refused = done.rejected;
  }

  void Execute() {
    if (verifier.options_.repair) {
      const State state = PeekState(StateFolder(config, verifier.run_.state_dir));
      if (state.generation > 0 && !state.complete) {
        throw Error(Exit::kState, fmt::format("the last pass was interrupted, and what it has not written yet is no difference to repair: let "
                                              "'etl run {}' end it, then verify again", config.file));
      }
    }
    Compare(report.round, false);
    if (!verifier.options_.repair) return;
    Repair();
    if (report.repaired) Compare(report.after, true);
  }

  Verifier& verifier;
  const PipelineConfig& config;
  RunContext context;
  StageCounters counters;
  ReaderSide side;
  Head head;
  const etl_compare* table;
  void* reader = nullptr;
  SchemaHandle expected, raw, stored;   // raw: as the reader says it; stored: plain
  std::string expected_text;
  std::vector<ComparedColumn> columns;
  std::uint32_t flags = 0;
  std::vector<bool> differ;             // by bucket
  std::unordered_map<std::uint64_t, std::int64_t> wanted;   // how many rows with a key are to be written again
  bool too_many = false;
  std::int64_t told = 0;
  VerifyReport report;
};

Verifier::Verifier(PipelineConfig config, RunOptions run, VerifyOptions options) : config_(std::move(config)), run_(std::move(run)), options_(std::move(options)) {
  Choose(config_, options_.stage);
}

VerifyReport Verifier::Execute() {
  const RunContext clean(config_, run_);
  std::unique_ptr<VerifyRun> v;
  try {
    v = std::make_unique<VerifyRun>(*this);
    v->Execute();
    return std::move(v->report);
  } catch (const Stopped&) {
    const bool half = v && v->report.repaired;
    const std::lock_guard lock(mutex_);
    throw Error(signal_ == 2 ? Exit::kInterrupted : Exit::kTerminated,
                half ? "stopped by a signal; some rows are repaired, verify again" : "stopped by a signal; nothing was changed");
  } catch (const Error& e) {
    throw Error(e.exit(), clean.CleanLines(e.what()));
  }
}

void Verifier::Stop(int signal) {
  const std::lock_guard lock(mutex_);
  if (signal_) return;
  signal_ = signal;
  if (engine_) engine_->Stop(signal);
  if (interrupt_) interrupt_();
}

}  // namespace etl::host
