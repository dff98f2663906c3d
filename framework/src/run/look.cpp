// Looking without writing: check, plan, preview.
#include <etl/json.h>
#include <etl/plan.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine.h"

namespace etl::host {

std::vector<Problem> Engine::Check(bool connect) {
  mode_ = Mode::kLook;
  std::vector<Problem> problems;
  const auto attempt = [&](const std::function<void()>& f) {
    try {
      f();
      return true;
    } catch (const Error& e) {
      // What check() says, describe() may say once more.
      const std::string what = run.CleanLines(e.what());
      const auto said = [&](const Problem& p) { return p.message == what; };
      if (std::none_of(problems.begin(), problems.end(), said)) problems.push_back({{}, what, {}, false});
    } catch (const Stopped&) {
      problems.push_back({{}, "interrupted", {}, false});
    }
    return false;
  };
  const auto check_alone = [&](const StageConfig& c) {
    attempt([&] {
      StageCounters counters;
      HostSide side(run, c, counters, run.abort);
      Head(side, c).Check();
    });
  };
  if (!connect) {
    const auto check_local = [&](const StageConfig& c) {
      if (c.component->table.flags & ETL_LOCAL) check_alone(c);
    };
    check_local(config_.source);
    for (const StageConfig& c : config_.transforms) check_local(c);
    for (const StageConfig& c : config_.sinks) check_local(c);
    return problems;
  }
  const auto check = [&](const Stage& stage) { attempt([&] { stage.head->Check(); }); };
  if (!attempt([&] { MakeSource(); })) return problems;
  check(source);
  const bool chained = attempt([&] { MakeTransforms(); });
  for (const auto& t : transforms) check(*t);
  if (chained && attempt([&] { MakeSinks(); })) {
    for (const auto& s : sinks) check(*s);
    return problems;
  }
  // The chain is broken before the sinks: they can still be reached.
  sinks.clear();
  for (const StageConfig& c : config_.sinks) check_alone(c);
  return problems;
}

/// What the source itself says of its plan, where it offers etl.plan/1.
void Engine::Foresee(PlanReport& report, const std::string& write) {
  const auto extension = config_.source.component->table.extension;
  const auto* table = extension ? static_cast<const etl_plan*>(extension(ETL_EXT_PLAN)) : nullptr;
  const std::string who = fmt::format("source ({})", config_.source.type);
  std::string text;
  if (table && ETL_HAS(table, foresee)) {
    etl_str lines{nullptr, 0}, file{nullptr, 0};
    bool unsupported = false;
    Call(source.head->side(), "foresee", [&](etl_error* e) {
      const etl_status status = table->foresee(source.head->self(), &lines, &file, e);
      unsupported = status == ETL_UNSUPPORTED;
      return unsupported ? ETL_OK : status;
    });
    if (!unsupported) {
      std::istringstream in(std::string(lines.ptr, static_cast<std::size_t>(lines.len)));
      for (std::string line; std::getline(in, line);) {
        const auto equal = line.find(" = ");
        if (equal != std::string::npos) report.foreseen.emplace_back(line.substr(0, equal), line.substr(equal + 3));
      }
      if (file.len) text.assign(file.ptr, static_cast<std::size_t>(file.len));
    }
  }
  if (write.empty()) return;
  if (text.empty()) throw Error(Exit::kConfig, who + " has no plan to write with these options");
  const std::filesystem::path to(write), beside(write + ".new");
  std::ofstream out(beside, std::ios::binary);
  out << text;
  out.close();
  std::error_code fault;
  if (out) std::filesystem::rename(beside, to, fault);
  if (!out || fault) throw Error(Exit::kConfig, fmt::format("--write: \"{}\" cannot be written{}", write, fault ? ": " + fault.message() : ""));
}

/// How the last run stands to the next one.
std::string Engine::Standing(const State& state) const {
  if (state.generation == 0) return "nothing has run yet";
  if (state.complete) return fmt::format("pass {} is complete; the next run is a new one", state.generation);
  std::vector<std::string> changed = Differences(state.identity, IdentityNow());
  std::erase_if(changed, [](const std::string& line) { return line.rfind("sink", 0) == 0; });   // no sink is made here
  if (changed.empty()) return fmt::format("pass {} was interrupted and will go on", state.generation);
  return fmt::format("pass {} was interrupted and belongs to another pipeline than this file now declares, so that 'etl run' will refuse it: {}", state.generation,
                     fmt::join(changed, "; "));
}

PlanReport Engine::Plan(std::size_t most, const std::string& write) {
  mode_ = Mode::kLook;
  MakeSource();
  MakeTransforms();
  PlanReport report;
  report.schema = SchemaText(*source.out);
  for (const auto& t : transforms) report.schemas.push_back(SchemaText(*t->out));
  Foresee(report, write);
  const State state = PeekState(StateFolder(config_, options_.state_dir));
  const bool resumes = state.generation > 0 && !state.complete;
  report.standing = Standing(state);
  Splits planned(*source.head, 1);
  planned.Start(state, !resumes, nullptr);
  bool known = true;
  report.rows = 0;
  const auto add = [&](const SplitState& s) {
    PlannedSplit p{s.id, s.rows, s.bytes, s.done ? "done" : s.seq ? fmt::format("resumes after {} rows", s.rows_read) : "to do"};
    if (s.done) report.rows += s.rows_read;
    else if (s.rows >= 0) report.rows += s.rows;
    else known = false;
    report.splits.push_back(std::move(p));
  };
  if (resumes) {
    for (const auto& [id, s] : state.splits) {
      if (s.done) add(s);
    }
  }
  bool is_new = false;
  for (SplitTracker* t = planned.Next(is_new); t; t = planned.Next(is_new)) {
    if (report.splits.size() >= most) {
      report.truncated = true;
      break;
    }
    add(t->Saved());
  }
  if (!known || report.truncated) report.rows = -1;
  return report;
}

void Engine::Look(const std::function<bool(Flow)>& take) {
  std::vector<std::unique_ptr<TransformSide>> sides;
  std::vector<std::unique_ptr<Worker>> workers = OpenTransforms(0, transforms.size(), sides);
  bool more = true;
  const std::function<void(Flow, std::size_t)> through = [&](Flow flow, std::size_t at) {
    if (!more) return;
    if (at == sides.size()) {
      more = take(std::move(flow));
      return;
    }
    for (Flow& f : sides[at]->Apply(*workers[at], std::move(flow))) through(std::move(f), at + 1);
  };
  Splits planned(*source.head, 1 << 20);
  planned.Start({}, true, nullptr);
  SourceSide side(*this);
  Worker worker(*source.head, side);
  const etl_source& table = *config_.source.component->table.source;
  bool is_new = false;
  for (SplitTracker* t = planned.Next(is_new); t && more; t = planned.Next(is_new)) {
    const SplitState from = t->Saved();
    const etl_split s{sizeof s, 0, {from.id.data(), from.id.size()}, {from.state.data(), from.state.size()}, -1, -1};
    Call(side, "open", [&](etl_error* e) { return table.open(worker.self(), &s, {nullptr, 0}, e); });
    while (more) {
      if (run.stop_reading) throw Stopped();
      ArrowArray array{};
      etl_str position{nullptr, 0};
      if (Call(side, "next", [&](etl_error* e) { return table.next(worker.self(), &array, &position, e); }) == ETL_END) break;
      through(t->Begin(Adopt(source, &array), ""), 0);
    }
  }
  for (std::size_t i = 0; i < sides.size() && more; ++i) {
    for (Flow& f : sides[i]->Flush(*workers[i])) through(std::move(f), i + 1);
  }
}

void Engine::Preview(std::int64_t n, const std::function<void(const std::string&)>& emit) {
  mode_ = Mode::kLook;
  MakeSource();
  MakeTransforms();
  const ArrowSchema& schema = transforms.empty() ? *source.out : *transforms.back()->out;
  JsonOptions options;
  options.non_finite = JsonNonFinite::kText;
  options.bad_text = JsonBadText::kReplace;
  JsonWriter writer(schema, options);
  Look([&](Flow flow) {
    for (std::int64_t i = 0; i < flow.rows() && n > 0; ++i, --n) {
      std::string line;
      writer.Row(flow.array->array(), i, line);
      emit(line);
    }
    return n > 0;
  });
}

}  // namespace etl::host
