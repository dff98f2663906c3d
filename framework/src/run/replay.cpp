// Giving rejected rows back to the stage that refused them.
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "../data/json_read.h"
#include "engine.h"

namespace etl::host {
namespace {

constexpr std::size_t kRowsAtOnce = 1000;

/// Rows of one stage and one schema.
struct Group {
  std::string stage, schema_json;
  std::vector<std::string> rows;
};

/// "sink[1]" -> 1
std::size_t Number(const std::string& key) {
  const auto bracket = key.find('[');
  return bracket == std::string::npos ? 0 : static_cast<std::size_t>(std::stoul(key.substr(bracket + 1)));
}

}  // namespace

RunResult Engine::Replay() {
  RunResult result;
  mode_ = Mode::kReplay;
  std::int64_t replayed = 0;
  try {
    store_ = std::make_unique<StateStore>(StateFolder(config_, options_.state_dir));
    state_ = store_->Load();
    const std::string file = store_->rejects_file(), rest = file + ".new";
    std::filesystem::remove(rest);
    rejects_ = std::make_unique<RejectsWriter>(rest);
    MakeSource();
    MakeTransforms();
    MakeSinks();
    worker_states = state_.worker_states;
    BeginSinks(ETL_REPLAY);

    std::vector<std::unique_ptr<TransformSide>> sides;
    std::vector<std::unique_ptr<Worker>> workers = OpenTransforms(0, transforms.size(), sides);
    std::vector<std::unique_ptr<Writer>> writers;
    for (const auto& s : sinks) writers.push_back(std::make_unique<Writer>(*this, *s, 0));
    const std::function<void(Flow, std::size_t)> through = [&](Flow flow, std::size_t at) {
      if (at == sides.size()) {
        for (std::size_t i = 0; i + 1 < writers.size(); ++i) writers[i]->WriteFlow(flow.Again());
        writers.back()->WriteFlow(std::move(flow));
        return;
      }
      for (Flow& f : sides[at]->Apply(*workers[at], std::move(flow))) through(std::move(f), at + 1);
    };
    {
      const std::lock_guard lock(mutex_);
      if (!signal_) phase_ = "running";
    }
    Group group;
    const auto give = [&] {
      if (group.rows.empty()) return;
      const bool to_sink = group.stage.rfind("sink", 0) == 0;
      const std::size_t number = Number(group.stage);
      if (number >= (to_sink ? writers.size() : sides.size())) {
        throw Error(Exit::kState, fmt::format("{}: holds rows of {}, which the pipeline no longer has", file, group.stage));
      }
      const Stage& stage = to_sink ? *sinks[number] : *transforms[number];
      if (group.schema_json != stage.in_json) {
        throw Error(Exit::kState, fmt::format("{}: rows of {} have columns ({}) that the pipeline no longer gives it ({})", file,
                                              group.stage, SchemaText(*SchemaFromJson(group.schema_json)), SchemaText(*stage.in)));
      }
      ArrowArray array{};
      ReadJsonRows(*stage.in, group.rows, &array, JsonOptions::Exact());
      source.counters.rows_out.fetch_add(static_cast<std::int64_t>(group.rows.size()));
      replayed += static_cast<std::int64_t>(group.rows.size());
      Flow flow(SharedArray::Own(array, ArrayBytes(*stage.in, array)), {}, nullptr);
      if (to_sink) writers[number]->WriteFlow(std::move(flow));
      else through(std::move(flow), number);
      group.rows.clear();
    };
    bool stopped = false;
    ReadRejects(file, [&](const RejectRecord& r, const std::string& schema_json) {
      if (r.row.empty()) {   // input that was no row: nothing can take it again
        rejects_->Add(r, "");
        return;
      }
      if (r.stage != group.stage || schema_json != group.schema_json || group.rows.size() >= kRowsAtOnce) {
        give();
        group = {r.stage, schema_json, {}};
      }
      if (run.stop_reading) {
        stopped = true;
        rejects_->Add(r, schema_json);
        return;
      }
      group.rows.push_back(r.row);
    });
    give();
    for (std::size_t i = 0; i < sides.size(); ++i) {
      for (Flow& f : sides[i]->Flush(*workers[i])) through(std::move(f), i + 1);
    }
    for (const auto& w : writers) w->Flush();
    writers.clear();
    EndSinks(ETL_COMPLETE);
    SyncRejects();
    const std::int64_t left = rejects_->added();
    const bool moved = left ? std::rename(rest.c_str(), file.c_str()) == 0
                            : std::filesystem::remove(file) || !std::filesystem::exists(file);
    if (!moved) throw Error(Exit::kState, fmt::format("cannot replace {}: {}", file, std::strerror(errno)));
    if (left) {
      result.exit = stopped ? StopExit() : Exit::kRejected;
      result.message = fmt::format("{}{} {} still {}", stopped ? "stopped by a signal; " : "", left, left == 1 ? "row is" : "rows are",
                                   stopped ? "among the rejects" : "rejected");
      result.rejects_file = file;
      if (stopped) result.next.push_back("etl rejects replay " + config_.file);
    }
  } catch (const Stopped&) {
    Fail(Error(StopExit(), "interrupted; the rejects stand as they were"));
  } catch (const Error& e) {
    Fail(e);
  } catch (const std::exception& e) {
    Fail(Error(Exit::kInternal, e.what()));
  }
  if (failure_) {
    try {
      EndSinks(ETL_FAILED);
    } catch (const Error& e) {
      run.Log(ETL_ERROR, "", e.what());
    }
    result.exit = failure_->exit();
    result.message = run.CleanLines(failure_->what());
  }
  {
    const std::lock_guard lock(mutex_);
    phase_ = "ended";
  }
  result.status = Status();
  result.status.rows_read = replayed;
  return result;
}

}  // namespace etl::host
