// Making the stages of a run, and the state it begins with.
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "../config/across.h"
#include "../data/json_read.h"
#include "engine.h"

namespace etl::host {
namespace {

constexpr std::size_t kWindow = 4096;                    // batches that a reader may be ahead of the watermark

int Cores() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

}  // namespace

void Engine::MakeSource() {
  source.config = &config_.source;
  source.side = std::make_unique<HostSide>(run, config_.source, source.counters, run.stop_reading);
  source.head = std::make_unique<Head>(*source.side, config_.source);
  source.workers = !source.has(ETL_PARALLEL) ? 1 : config_.source.workers > 0 ? config_.source.workers : std::min(Cores(), 4);
}

namespace {

/// Which schema flows after a producer: plain ones, unless everybody behind takes encoded columns.
void SetOut(Stage& stage, SchemaHandle said, bool encoded_taken) {
  if (auto wrong = CheckSchema(*said)) {
    throw Error(Exit::kInternal, fmt::format("{} ({}) described a broken schema: {}; report it to the plugin's author",
                                             stage.config->key, stage.config->type, *wrong));
  }
  if (encoded_taken || IsPlain(*said)) {
    stage.out = std::move(said);
  } else {
    stage.out = PlainSchema(*said);
    stage.raw = std::move(said);
  }
}

bool AllTakeEncoded(const std::vector<StageConfig>& transforms, std::size_t from, const std::vector<StageConfig>& sinks) {
  const auto takes = [](const StageConfig& s) { return (s.component->table.flags & ETL_ENCODED) != 0 && s.when.empty(); };
  return std::all_of(transforms.begin() + static_cast<std::ptrdiff_t>(from), transforms.end(), takes) &&
         std::all_of(sinks.begin(), sinks.end(), takes);
}

void DescribeTransform(Stage& stage, const ArrowSchema& in, bool encoded_taken) {
  stage.in = CopySchema(in);
  stage.in_json = SchemaToJson(*stage.in);
  ArrowSchema out{};
  Call(*stage.side, "describe", [&](etl_error* e) {
    return stage.config->component->table.transform->describe(stage.head->self(), stage.in.get(), &out, e);
  });
  SetOut(stage, SchemaHandle(out), encoded_taken);
}

}  // namespace

void Engine::MakeTransforms() {
  ArrowSchema described{};
  Call(*source.side, "describe", [&](etl_error* e) {
    return config_.source.component->table.source->describe(source.head->self(), &described, e);
  });
  SetOut(source, SchemaHandle(described), AllTakeEncoded(config_.transforms, 0, config_.sinks));
  const ArrowSchema* schema = source.out.get();
  for (std::size_t i = 0; i < config_.transforms.size(); ++i) {
    const StageConfig& c = config_.transforms[i];
    auto stage = std::make_unique<Stage>();
    stage->config = &c;
    stage->side = std::make_unique<HostSide>(run, c, stage->counters, run.abort);
    stage->head = std::make_unique<Head>(*stage->side, c);
    DescribeTransform(*stage, *schema, AllTakeEncoded(config_.transforms, i + 1, config_.sinks));
    stage->workers = !stage->has(ETL_PARALLEL) ? 1 : c.workers > 0 ? c.workers : config_.workers > 0 ? config_.workers : Cores();
    schema = stage->out.get();
    transforms.push_back(std::move(stage));
  }
}

std::int64_t QueueBytes(const PipelineConfig& config) { return std::clamp<std::int64_t>(config.memory_limit / 16, 64 << 10, 4 << 20); }

void Engine::MakeSinks() {
  const ArrowSchema& schema = transforms.empty() ? *source.out : *transforms.back()->out;
  const std::int64_t queue = QueueBytes(config_);
  for (const StageConfig& c : config_.sinks) {
    auto stage = std::make_unique<SinkStage>(queue);
    stage->config = &c;
    stage->side = std::make_unique<SinkHeadSide>(*this, c, stage->counters);
    stage->head = std::make_unique<Head>(*stage->side, c);
    stage->in = CopySchema(schema);
    stage->in_json = SchemaToJson(schema);
    stage->ordered = stage->has(ETL_ORDERED);
    stage->workers = !stage->has(ETL_PARALLEL) || stage->ordered ? 1 : std::max(1, c.workers);
    if (!c.when.empty()) {
      stage->filter_config = std::make_unique<StageConfig>(MakeFilter(c, *config_.filter));
      auto filter = std::make_unique<Stage>();
      filter->config = stage->filter_config.get();
      filter->side = std::make_unique<HostSide>(run, *filter->config, filter->counters, run.abort);
      filter->head = std::make_unique<Head>(*filter->side, *filter->config);
      DescribeTransform(*filter, schema, false);
      stage->filter = std::move(filter);
    }
    sinks.push_back(std::move(stage));
  }
}

void Engine::MakeSegments() {
  const std::int64_t queue = QueueBytes(config_);
  for (std::size_t i = 0; i < transforms.size(); ++i) {
    const bool holds = transforms[i]->has(ETL_HOLDS);
    if (segments.empty() || holds) {
      segments.push_back(std::make_unique<Segment>(i, i, queue));
      segments.back()->holds = holds;
      segments.back()->threads = transforms[i]->workers;
    }
    segments.back()->last = i + 1;
    segments.back()->threads = std::min(segments.back()->threads, transforms[i]->workers);
  }
  for (const auto& s : segments) {
    for (std::size_t t = s->first; t < s->last; ++t) transforms[t]->workers = s->threads;
  }
}

namespace {

/// What a component itself says.
void AddSaid(const Stage& stage, Identity& identity) {
  const std::string lines = stage.head->Identity();
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    const std::string line = lines.substr(at, end - at);
    const std::size_t equals = line.find('=');
    if (equals != std::string::npos) identity.emplace_back(stage.config->key + ": " + line.substr(0, equals), line.substr(equals + 1));
    at = end + 1;
  }
}

}  // namespace

Identity Engine::IdentityNow() const {
  Identity identity;
  const auto add = [&identity](const Stage& stage) {
    const StageConfig& c = *stage.config;
    identity.emplace_back(c.key + ".type", "\"" + c.type + "\"");
    for (const auto& [key, value] : c.identity) identity.emplace_back(c.key + "." + key, value);
    AddSaid(stage, identity);
  };
  add(source);
  identity.emplace_back("source: schema", SchemaText(*source.out));
  for (const auto& t : transforms) add(*t);
  for (const auto& s : sinks) {
    add(*s);
    if (!s->config->when.empty()) identity.emplace_back(s->config->key + ".when", s->config->when);
  }
  return identity;
}

void Engine::LoadState() {
  state_ = store_->Load();
  const Identity now = IdentityNow();
  const bool interrupted = state_.generation > 0 && !state_.complete;
  if (interrupted || (state_.generation > 0 && !state_.plan_state.empty())) {
    const std::vector<std::string> lines = Differences(state_.identity, now);
    if (!lines.empty()) {
      std::string all;
      for (const std::string& l : lines) all += "\n  " + l;
      throw Error(Exit::kState,
                  fmt::format("the state in {} belongs to another pipeline than this file now declares:{}\n"
                              "go on with it all the same: etl state accept {}; start anew: etl state reset {}",
                              store_->folder(), all, config_.file, config_.file));
    }
  }
  resumed_ = interrupted;
  if (!interrupted) {
    ++state_.generation;
    state_.complete = false;
    state_.splits.clear();
    state_.plan_begun = state_.planned_all = false;
    state_.worker_states.clear();
    state_.totals.clear();
    std::random_device random;
    state_.key = fmt::format("{}/{}/{:08x}{:08x}", config_.name, state_.generation, random(), random());
  }
  state_.identity = now;
  state_.schema = SchemaText(*source.out);
  worker_states = state_.worker_states;
  for (const auto& [key, note] : state_.kept) worker_states["kept:" + key] = note;
  if (resumed_) run.Log(ETL_INFO, "", fmt::format("goes on with pass {}, which was interrupted", state_.generation));
  store_->Save(state_);
}

void Engine::BeginSinks(std::uint32_t flags) {
  const auto identify = [&](const std::string& s) -> etl_str { return {s.data(), s.size()}; };
  for (const auto& sink : sinks) {
    const etl_sink& table = *sink->config->component->table.sink;
    const std::string kept = worker_states.count("kept:" + sink->config->key) ? worker_states["kept:" + sink->config->key] : "";
    const etl_run r{sizeof r, flags, identify(config_.name),
                    identify(state_.key), identify(kept), sink->in.get()};
    sink->begun = true;   // end() also after a begin() that failed half-way
    if (table.begin) {
      Call(*sink->side, "begin", [&](etl_error* e) {
        const etl_status s = table.begin(sink->head->self(), &r, e);
        return s == ETL_UNSUPPORTED ? ETL_OK : s;
      });
    }
    if (!table.positions || sinks.size() > 1 || mode_ != Mode::kRun) continue;
    if (std::any_of(segments.begin(), segments.end(), [](const auto& g) { return g->holds; })) {
      // Rows of a batch that is not all there yet would be committed ahead of its position.
      run.Log(ETL_WARN, sink->config->key, "is not exactly once here: a transform holds rows back; after an interruption rows may come twice");
      continue;
    }
    marks_.clear();
    const etl_status s = Call(*sink->side, "read positions", [&](etl_error* e) {
      marks_.clear();
      const etl_status status = table.positions(
          sink->head->self(), &marks_,
          [](void* context, const etl_mark* m) noexcept {
            SplitState split;
            split.id.assign(m->split.ptr, static_cast<std::size_t>(m->split.len));
            split.position.assign(m->position.ptr ? m->position.ptr : "", static_cast<std::size_t>(m->position.len));
            split.seq = m->seq;
            (*static_cast<std::map<std::string, SplitState>*>(context))[split.id] = split;
          },
          e);
      return status == ETL_UNSUPPORTED ? ETL_END : status;
    });
    sink->transactional = s == ETL_OK;
    if (sink->transactional) {
      sink->workers = 1;
      sink->ordered = true;   // rows that overtake their position would be committed without it
    }
  }
}

void Engine::SetUp() {
  store_ = std::make_unique<StateStore>(StateFolder(config_, options_.state_dir));
  rejects_ = std::make_unique<RejectsWriter>(store_->rejects_file());
  MakeSource();
  MakeTransforms();
  MakeSinks();
  MakeSegments();
  LoadState();
  BeginSinks(resumed_ ? ETL_RESUMED : 0);
  if (!resumed_) {
    for (const auto& s : sinks) {   // of what they have made, too
      std::erase_if(state_.identity, [own = s->config->key + ": "](const auto& line) { return line.first.rfind(own, 0) == 0; });
      AddSaid(*s, state_.identity);
    }
    SaveNow();   // with what begin() has noted
  }
  splits = std::make_unique<Splits>(*source.head, kWindow);
  const bool transactional = !sinks.empty() && sinks[0]->transactional;
  splits->Start(state_, !resumed_, transactional ? &marks_ : nullptr);
}

}  // namespace etl::host
