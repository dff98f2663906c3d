// A source, a transform and a sink that misbehave on request, for the tests of the runtime.
#include <etl/sdk.h>

#include <atomic>
#include <fstream>
#include <set>
#include <thread>

namespace {

/// Rows 0 .. rows-1 in equal splits; the position is the next row.
class ProbeSource : public etl::Source {
 public:
  static constexpr auto kType = "probe";
  static constexpr auto kSummary = "Numbers, with faults on request.";
  static constexpr std::uint32_t kFlags = ETL_PARALLEL | ETL_REPLANS;
  std::int64_t rows = 1000, splits = 1, batch = 100, reject_every = 0, retry_at = -1, retries = 2, fail_at = -1, block_at = -1;
  std::int64_t payload = 0, broken_at = -1;
  bool incremental = false, fail_planned = false;
  static auto Options() {
    using P = ProbeSource;
    return etl::Options(
        etl::Option("rows", &P::rows, "How many.").Tuning(), etl::Option("splits", &P::splits, "In how many splits."),
        etl::Option("batch", &P::batch, "Rows in a batch."), etl::Option("reject_every", &P::reject_every, "Each n-th is no row."),
        etl::Option("retry_at", &P::retry_at, "Fails for a while at this row.").Tuning(), etl::Option("retries", &P::retries, "How often.").Tuning(),
        etl::Option("fail_at", &P::fail_at, "Fails for good at this row.").Tuning(),
        etl::Option("fail_planned", &P::fail_planned, "Fails only once another reader came to the plan's end.").Tuning(),
        etl::Option("block_at", &P::block_at, "Hangs at this row until interrupted.").Tuning(),
        etl::Option("payload", &P::payload, "Bytes of text in a row."),
        etl::Option("broken_at", &P::broken_at, "Gives a broken batch at this row."),
        etl::Option("incremental", &P::incremental, "Reads only rows that the last pass did not have."));
  }
  etl::Schema Describe() override { return {{"id", etl::Int64(), false}, {"text", etl::Utf8()}}; }
  void Plan(bool fresh, std::string_view state) override {
    if (incremental && fresh && !state.empty()) first_ = std::stoll(std::string(state));
    if (!fresh && state == CarryOver()) host.Count("ended_plans");
    next_ = !fresh && !state.empty() ? std::stoll(std::string(state)) : 0;
  }
  bool PlanNext(etl::Split& out, std::string& state) override {
    if (next_ >= splits) {
      ended_ = true;
      return false;
    }
    const std::int64_t size = (rows - first_ + splits - 1) / splits, begin = first_ + next_ * size;
    out.id = "s" + std::to_string(next_);
    out.state = std::to_string(begin) + "-" + std::to_string(std::min(begin + size, rows));
    out.rows = size;
    state = std::to_string(++next_);
    return true;
  }
  std::string CarryOver() override { return incremental ? std::to_string(rows) : ""; }
  void Open(const etl::Split& split, std::string_view position) override {
    const auto dash = split.state.find('-');
    at_ = std::stoll(split.state.substr(0, dash));
    end_ = std::stoll(split.state.substr(dash + 1));
    if (!position.empty()) at_ = std::stoll(std::string(position));
  }
  bool Next(etl::Batch& out, std::string& position) override {
    if (at_ >= end_) return false;
    const std::int64_t to = std::min(at_ + batch, end_);
    const auto hits = [&](std::int64_t row) { return row >= at_ && row < to; };
    if (hits(retry_at) && tried_ < retries) {
      ++tried_;
      throw etl::Retry("not now");
    }
    if (hits(fail_at)) {
      while (fail_planned && !HeadAs<ProbeSource>().ended_) std::this_thread::yield();
      throw etl::Fatal("no more");
    }
    if (hits(block_at)) host.Wait(std::chrono::hours(1));
    for (; at_ < to; ++at_) {
      if (reject_every && at_ % reject_every == reject_every - 1) {
        host.RejectInput("row " + std::to_string(at_), "raw " + std::to_string(at_), "is no row", 7);
        continue;
      }
      out[0].Append(at_);
      if (at_ % 10 == 9) out[1].Null();
      else out[1].Append("row " + std::to_string(at_) + std::string(static_cast<std::size_t>(payload), 'x'));
    }
    position = std::to_string(at_);
    broken_ = broken_at >= 0 && at_ > broken_at;
    return true;
  }
  bool NextArray(ArrowArray* out, std::string& position) override {
    if (!etl::Source::NextArray(out, position)) return false;
    if (broken_) out->children[0]->length -= 1;
    return true;
  }

 private:
  std::int64_t first_ = 0, next_ = 0, at_ = 0, end_ = 0, tried_ = 0;
  bool broken_ = false;
  std::atomic<bool> ended_ = false;
};

class ProbeTransform : public etl::Transform {
 public:
  static constexpr auto kType = "probe";
  static constexpr auto kSummary = "Passes, drops, doubles, rejects, fails.";
  std::string mode = "pass";
  std::int64_t n = 2;
  static auto Options() {
    return etl::Options(etl::Option("mode", &ProbeTransform::mode, "What to do.").Choices({"pass", "drop", "double", "split", "reject", "retry", "late_retry", "fail", "lie"}),
                        etl::Option("n", &ProbeTransform::n, "Which rows: those whose id divides by n."));
  }
  std::string Identity() override { return "kind=plain\n"; }
  etl::Schema Describe(const etl::Schema& in) override { return in; }
  void Apply(const etl::Rows& in) override {
    if (mode == "pass") {
      ArrowArray array = in.Keep();
      host.Emit(&array);
      return;
    }
    if (mode == "retry" && !retried_) {
      retried_ = true;
      throw etl::Retry("busy");
    }
    if (mode == "late_retry") {
      ArrowArray taken = in.Keep();
      taken.release(&taken);
      throw etl::Retry("busy");
    }
    etl::Batch out(etl::ImportSchema(in.schema()));
    std::vector<std::uint64_t> origin;
    const auto copy = [&](std::int64_t i) {
      out[0].Append(in.column(0).Int(i));
      if (in.column(1).IsNull(i)) out[1].Null();
      else out[1].Append(in.column(1).Str(i));
      origin.push_back(mode == "lie" ? 1'000'000'000u : in.row(i));
    };
    for (std::int64_t i = 0; i < in.size(); ++i) {
      const bool hit = in.column(0).Int(i) % n == 0;
      if (mode == "fail" && hit && in.column(0).Int(i) > 0) throw etl::Fatal("cannot go on");
      if (mode == "reject" && hit) {
        host.Reject(in.row(i), "does not suit", 42);
        continue;
      }
      if (mode == "drop" && hit) continue;
      copy(i);
      if (mode == "double" && hit) copy(i);
      if (mode == "split" && hit) {
        Emit(out, origin.data());
        out = etl::Batch(etl::ImportSchema(in.schema()));
        origin.clear();
      }
    }
    if (out.rows() > 0) Emit(out, origin.data());
  }

 private:
  bool retried_ = false;
};

std::atomic<std::int64_t> saved{0};   // ids that sinks have written

/// Keeps rows of `n` batches back and gives them on in one, or each in a large one of its own.
class ProbeHold : public etl::Transform {
 public:
  static constexpr auto kType = "probe_hold";
  static constexpr auto kSummary = "Holds rows across batches.";
  static constexpr std::uint32_t kFlags = ETL_HOLDS;
  std::int64_t n = 3, drop_mod = 0, large = 0;
  std::chrono::nanoseconds linger{std::chrono::hours(1)};
  static auto Options() {
    return etl::Options(etl::Option("n", &ProbeHold::n, "Batches to hold."), etl::Option("drop_mod", &ProbeHold::drop_mod, "Ids that it filters divide by it."),
                        etl::Option("large", &ProbeHold::large, "Bytes of each row, if each is to leave alone."), etl::Option("linger", &ProbeHold::linger, "Longest wait."));
  }
  etl::Schema Describe(const etl::Schema& in) override { return schema_ = in; }
  void Open(const etl::Schema& in) override { schema_ = in; }
  void Apply(const etl::Rows& in) override {
    if (batches_.empty()) host.Wake(host.Now() + linger);
    for (std::int64_t i = 0; i < in.size(); ++i) {
      if (drop_mod && in.column(0).Int(i) % drop_mod == 0) continue;
      ids_.push_back(in.column(0).Int(i));
      origin_.push_back(in.row(i));
    }
    batches_.push_back(in.id());
    if (static_cast<std::int64_t>(batches_.size()) >= n) Flush();
  }
  void Tick() override { Flush(); }
  void Flush() override {
    if (batches_.empty()) return;
    const std::int64_t before = saved;
    for (std::size_t i = 0; large && i < ids_.size(); ++i) {
      etl::Batch one(schema_);
      one[0].Append(ids_[i]);
      one[1].Append(std::string(static_cast<std::size_t>(large), 'x'));
      Emit(one, &origin_[i]);
    }
    if (large) {
      host.Gauge("saved_meanwhile", static_cast<double>(saved - before));
      ids_.clear();
      origin_.clear();
    }
    etl::Batch out(schema_);
    for (auto at = ids_.rbegin(); at != ids_.rend(); ++at) {   // backwards: origins need not be in order
      out[0].Append(*at);
      out[1].Append("held");
    }
    std::reverse(origin_.begin(), origin_.end());
    if (!large) Emit(out, origin_.data());
    for (const std::uint64_t b : batches_) host.Finished(b);
    ids_.clear();
    origin_.clear();
    batches_.clear();
  }

 private:
  etl::Schema schema_;
  std::vector<std::int64_t> ids_;
  std::vector<std::uint64_t> origin_, batches_;
};

/// Writes ids to a file, a line each, in the way that `mode` says.
class ProbeSink : public etl::Sink {
 public:
  static constexpr auto kType = "probe";
  static constexpr auto kSummary = "Writes ids to a file, with faults on request.";
  static constexpr std::uint32_t kFlags = ETL_PARALLEL;
  std::string path, mode = "settle", log;
  std::int64_t reject_mod = 0, again_mod = 0, fail_at = -1, retry_at = -1;
  std::chrono::nanoseconds slow{0}, linger{0};
  static auto Options() {
    using P = ProbeSink;
    return etl::Options(etl::Option("path", &P::path, "File.").Path().Required(), etl::Option("log", &P::log, "File for begin and end.").Path(),
                        etl::Option("mode", &P::mode, "How rows settle.").Choices({"settle", "flush", "thread", "endless", "fail_end"}).Tuning(),
                        etl::Option("reject_mod", &P::reject_mod, "Rejects ids that divide by it.").Tuning(),
                        etl::Option("again_mod", &P::again_mod, "Wants such ids once more.").Tuning(),
                        etl::Option("fail_at", &P::fail_at, "Fails for good at this id.").Tuning(),
                        etl::Option("retry_at", &P::retry_at, "Fails once at this id.").Tuning(),
                        etl::Option("slow", &P::slow, "Takes this long for a batch.").Tuning(),
                        etl::Option("linger", &P::linger, "Writes what it has after this time.").Tuning());
  }
  ~ProbeSink() override {
    for (std::thread& t : threads_) t.join();
  }
  void Begin(const etl::Run& run) override {
    Note("begin " + std::string(run.resumed ? "resumed" : run.replay ? "replay" : "new") + " kept=" + run.kept);
    host.Keep("note");
  }
  void End(std::uint32_t outcome, bool) override {
    Note("end " + std::to_string(outcome));
    if (mode == "fail_end") throw etl::Fatal("the end failed");
  }
  void Open(const ArrowSchema&, std::string_view) override {}
  etl::Written Write(const etl::Rows& in) override {
    if (mode == "endless") throw etl::Retry("always busy");
    if (slow.count()) host.Wait(slow);
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < in.size(); ++i) {
      const std::int64_t id = in.column(0).Int(i);
      if (id == fail_at) throw etl::Fatal("disk on fire");
      if (id == retry_at && !std::exchange(retried_, true)) throw etl::Retry("hiccup");
      if (reject_mod && id % reject_mod == 0) {
        host.Reject(in.row(i), "id " + std::to_string(id) + " is poison", 19);
        continue;
      }
      if (again_mod && id % again_mod == 0 && seen_.insert(id).second) {
        host.Again(in.row(i));
        continue;
      }
      ids.push_back(id);
    }
    if (mode == "thread") {
      threads_.emplace_back([this, ids, batch = in.id()] {
        Save(ids);
        host.Settled(batch);
      });
      return etl::Written::kPending;
    }
    if (mode == "flush") {
      if (held_.empty() && linger.count()) host.Wake(host.Now() + linger);
      held_.insert(held_.end(), ids.begin(), ids.end());
      return etl::Written::kPending;
    }
    Save(ids);
    return etl::Written::kSettled;
  }
  void Tick() override {
    host.Count("ticks");
    Save(std::exchange(held_, {}));
  }
  std::string Flush() override {
    for (std::thread& t : threads_) t.join();
    threads_.clear();
    Save(std::exchange(held_, {}));
    return {};
  }

 private:
  void Save(const std::vector<std::int64_t>& ids) const {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    std::ofstream out(path, std::ios::app);
    for (const std::int64_t id : ids) out << id << "\n";
    saved += static_cast<std::int64_t>(ids.size());
  }
  void Note(const std::string& line) const {
    if (!log.empty()) std::ofstream(log, std::ios::app) << line << "\n";
  }
  bool retried_ = false;
  std::vector<std::int64_t> held_;
  std::set<std::int64_t> seen_;
  std::vector<std::thread> threads_;
};

/// Commits ids and marks together in one small file, as a database would in one transaction.
class ProbeTxn : public etl::Sink {
 public:
  static constexpr auto kType = "probe_txn";
  static constexpr auto kSummary = "Commits rows and positions together.";
  std::string path;
  std::int64_t commit_every = 3, fail_after = -1, reject_mod = 0;
  static auto Options() {
    using P = ProbeTxn;
    return etl::Options(etl::Option("path", &P::path, "File.").Path().Required(),
                        etl::Option("commit_every", &P::commit_every, "Batches in a transaction.").Tuning(),
                        etl::Option("reject_mod", &P::reject_mod, "Rejects ids that divide by it.").Tuning(),
                        etl::Option("fail_after", &P::fail_after, "Fails after so many batches.").Tuning());
  }
  void Begin(const etl::Run& run) override {
    Load();
    if (key_ != run.key) marks_.clear();
    key_ = run.key;
  }
  bool Positions(const std::function<void(const etl::Mark&)>& give) override {
    for (const auto& [split, mark] : marks_) give(mark);
    return true;
  }
  void Open(const ArrowSchema&, std::string_view) override {
    Load();
    key_ = HeadAs<ProbeTxn>().key_;
    marks_ = HeadAs<ProbeTxn>().marks_;
  }
  etl::Written Write(const etl::Rows& in) override {
    if (fail_after >= 0 && batches_ >= fail_after) throw etl::Fatal("server gone");
    for (std::int64_t i = 0; i < in.size(); ++i) {
      const std::int64_t id = in.column(0).Int(i);
      if (reject_mod && id % reject_mod == 0) host.Reject(in.row(i), "poison");
      else ids_.push_back(id);
    }
    for (std::uint64_t i = 0; i < in.mark_count(); ++i) {
      const etl_mark& m = in.marks()[i];
      marks_[std::string(etl::View(m.split))] = {std::string(etl::View(m.split)), std::string(etl::View(m.position)), m.seq};
    }
    if (++batches_ % commit_every == 0 && !in.more()) Commit();
    return etl::Written::kPending;
  }
  std::string Flush() override {
    Commit();
    return {};
  }

 private:
  void Load() {
    std::ifstream in(path);
    std::string kind;
    ids_.clear();
    marks_.clear();
    while (in >> kind) {
      if (kind == "key") in >> key_;
      if (kind == "id") in >> ids_.emplace_back();
      if (kind == "mark") {
        etl::Mark m;
        in >> m.split >> m.position >> m.seq;
        marks_[m.split] = m;
      }
    }
  }
  void Commit() {
    host.Durable();
    const std::string fresh = path + ".new";
    {
      std::ofstream out(fresh);
      out << "key " << key_ << "\n";
      for (const std::int64_t id : ids_) out << "id " << id << "\n";
      for (const auto& [split, m] : marks_) out << "mark " << m.split << " " << m.position << " " << m.seq << "\n";
    }
    if (std::rename(fresh.c_str(), path.c_str()) != 0) throw etl::Fatal("cannot commit");
  }
  std::string key_;
  std::vector<std::int64_t> ids_;
  std::map<std::string, etl::Mark> marks_;
  std::int64_t batches_ = 0;
};

/// Wants the batches of a split in order; keeps the length of its file as its state.
class ProbeOrdered : public etl::Sink {
 public:
  static constexpr auto kType = "probe_ordered";
  static constexpr auto kSummary = "A file that is cut back to what was saved.";
  static constexpr std::uint32_t kFlags = ETL_ORDERED;
  std::string path;
  static auto Options() { return etl::Options(etl::Option("path", &ProbeOrdered::path, "File.").Path().Required()); }
  void Open(const ArrowSchema&, std::string_view state) override {
    std::ifstream in(path);
    std::string all((std::istreambuf_iterator<char>(in)), {});
    all.resize(state.empty() ? 0 : std::stoul(std::string(state)));
    std::ofstream(path) << all;
    length_ = all.size();
  }
  etl::Written Write(const etl::Rows& in) override {
    std::ofstream out(path, std::ios::app);
    for (std::int64_t i = 0; i < in.size(); ++i) {
      const std::string line = std::to_string(in.column(0).Int(i)) + "\n";
      length_ += line.size();
      out << line;
    }
    return etl::Written::kPending;
  }
  std::string Flush() override { return std::to_string(length_); }

 private:
  std::size_t length_ = 0;
};

}  // namespace

ETL_PLUGIN("etl.test.probe", "1.0.0", "Apache-2.0", ProbeSource, ProbeTransform, ProbeHold, ProbeSink, ProbeTxn, ProbeOrdered)
