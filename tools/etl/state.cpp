// etl state show, reset, accept.
#include "state/store.h"

#include <fmt/format.h>

#include "commands.h"
#include "text.h"

namespace etl::cli {
namespace {

std::int64_t Total(const host::State& state, const char* name) {
  const auto at = state.totals.find(name);
  return at == state.totals.end() ? 0 : at->second;
}

std::string Standing(const host::State& state) {
  if (state.generation == 0) return "nothing has run yet";
  return fmt::format("pass {} {}, saved {}", state.generation,
                     state.complete ? "is complete" : "is not complete", state.saved_at);
}

std::int64_t Done(const host::State& state) {
  std::int64_t done = 0;
  for (const auto& [id, split] : state.splits) done += split.done;
  return done;
}

Json::Ptr StateJson(const std::string& folder, const host::State& state) {
  Json::Ptr json = NewObject();
  json->set("folder", folder);
  json->set("generation", state.generation);
  json->set("complete", state.complete);
  json->set("key", state.key);
  json->set("saved_at", state.saved_at);
  json->set("held_by", host::LockHolder(folder));
  json->set("planned_all", state.planned_all);
  Json::Ptr totals = NewObject();
  for (const auto& [name, value] : state.totals) totals->set(name, value);
  json->set("totals", totals);
  auto splits = NewArray();
  for (const auto& [id, s] : state.splits) {
    Json::Ptr one = NewObject();
    one->set("id", id);
    one->set("done", s.done);
    one->set("position", s.position);
    one->set("rows_read", s.rows_read);
    splits->add(one);
  }
  json->set("splits", splits);
  Json::Ptr identity = NewObject();
  for (const auto& [name, value] : state.identity) identity->set(name, value);
  json->set("identity", identity);
  return json;
}

std::string StateText(const std::string& name, const std::string& folder,
                      const host::State& state) {
  std::string out = fmt::format("{}: {}\n  folder     {}\n", name, Standing(state), folder);
  if (const std::string holder = host::LockHolder(folder); !holder.empty())
    out += fmt::format("  held by    {}\n", holder);
  if (state.generation == 0) return out;
  out += fmt::format("  rows       read {}, delivered {}, filtered {}, rejected {}\n",
                     Count(Total(state, "rows_read")), Count(Total(state, "rows_delivered")),
                     Count(Total(state, "rows_filtered")), Count(Total(state, "rows_rejected")));
  if (!state.splits.empty()) {
    out += fmt::format("  splits     {} of {}{} done\n", Count(Done(state)),
                       state.planned_all ? "" : "~",
                       Count(static_cast<std::int64_t>(state.splits.size())));
  }
  constexpr int kMost = 100;
  int shown = 0;
  for (const auto& [id, s] : state.splits) {
    if (++shown > kMost) {
      out +=
          fmt::format("    and {} more; all: etl state show --json\n", state.splits.size() - kMost);
      break;
    }
    const std::string where = s.done               ? "done"
                              : s.position.empty() ? "not begun"
                                                   : "at " + Fit(s.position, 60);
    out += fmt::format("    {}  {}, {}\n", id, where, Plural(s.rows_read, "row", "rows"));
  }
  return out;
}

}  // namespace

int StateShow(Context& c) {
  host::Registry registry(c.Search());
  const host::PipelineConfig config = c.Load(registry);
  const std::string folder = host::StateFolder(config, c.args.state_dir);
  const host::State state = host::PeekState(folder);
  Print(c.console.Clean(c.args.json ? Text(StateJson(folder, state), 2) + "\n"
                                    : StateText(config.name, folder, state)));
  return 0;
}

int StateReset(Context& c) {
  host::Registry registry(c.Search());
  const host::PipelineConfig config = c.Load(registry);
  const std::string folder = host::StateFolder(config, c.args.state_dir);
  host::StateStore store(folder);
  const host::State state = store.Load();
  store.Reset();
  Print(fmt::format(
      "{}: {}\n", config.name,
      state.generation == 0
          ? "there was nothing to forget"
          : fmt::format(
                "forgot pass {} with {} read and {}; the next run reads everything",
                state.generation, Plural(Total(state, "rows_read"), "row", "rows"),
                Plural(static_cast<std::int64_t>(state.splits.size()), "split", "splits"))));
  return 0;
}

int StateAccept(Context& c) {
  host::Registry registry(c.Search());
  const host::PipelineConfig config = c.Load(registry);
  host::StateStore store(host::StateFolder(config, c.args.state_dir));
  host::State state = store.Load();
  if (state.generation == 0)
    throw host::Error(host::Exit::kState,
                      fmt::format("{}: nothing is saved that could be accepted", config.name));
  state.identity.clear();  // a state that says nothing of whose it is belongs to whoever runs next
  store.Save(state);
  Print(fmt::format("{}: the next run takes pass {} over, whatever it was made with\n", config.name,
                    state.generation));
  return 0;
}

}  // namespace etl::cli
