// ONNX Runtime driven directly, with nothing around it: the ceiling that the plugin embed is compared with.
// embed_ceiling --runtime libonnxruntime.so.1 --model M.onnx --tok tokenizer.json --corpus LINES [--sched fixed|sorted|budget|window] [--batch 32] [--tokens 1024]
//               [--threads 1] [--intra 2] [--max-len 256] [--repeat 3] [--warm 8] [--spin 0|1] [--dump OUT.f32]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>
#include <sys/resource.h>
#include <dlfcn.h>
#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>
#include "tokenizer.h"
using Clock = std::chrono::steady_clock;
static double cpu() { rusage u; getrusage(RUSAGE_SELF, &u); return u.ru_utime.tv_sec + u.ru_stime.tv_sec + 1e-6 * (u.ru_utime.tv_usec + u.ru_stime.tv_usec); }
static double secs(Clock::time_point a) { return std::chrono::duration<double>(Clock::now() - a).count(); }

struct Batch { std::vector<uint32_t> rows; size_t len = 0; };

static std::vector<Batch> plan(const std::vector<std::vector<int64_t>>& ids, const std::string& sched, size_t bs, size_t budget, size_t window) {
  std::vector<uint32_t> ord(ids.size());
  std::iota(ord.begin(), ord.end(), 0);
  auto by_len = [&](uint32_t a, uint32_t b) { return ids[a].size() > ids[b].size(); };
  if (sched == "sorted" || sched == "budget") std::stable_sort(ord.begin(), ord.end(), by_len);   // longest first
  if (sched == "window") for (size_t i = 0; i < ord.size(); i += window) std::stable_sort(ord.begin() + i, ord.begin() + std::min(ord.size(), i + window), by_len);
  std::vector<Batch> out;
  const bool tok = sched == "budget" || sched == "window";
  for (size_t k = 0; k < ord.size(); ++k) {
    size_t l = ids[ord[k]].size();
    bool cut = out.empty() || (tok ? (out.back().rows.size() + 1) * std::max(out.back().len, l) > budget : out.back().rows.size() >= bs)
               || (sched == "window" && k % window == 0);
    if (cut) out.emplace_back();
    out.back().rows.push_back(ord[k]);
    out.back().len = std::max(out.back().len, l);
  }
  return out;
}

int main(int argc, char** argv) {
  std::map<std::string, std::string> o{{"sched", "fixed"}, {"batch", "32"}, {"tokens", "2048"}, {"threads", "1"}, {"intra", "2"},
    {"max-len", "256"}, {"repeat", "3"}, {"spin", "1"}, {"window", "1024"}, {"dump", ""}, {"sessions", "1"}, {"denormal", "1"}, {"rows", "0"}, {"profile", ""}, {"warm", "8"}, {"disable", ""}};
  for (int i = 1; i + 1 < argc; i += 2) o[std::string(argv[i] + 2)] = argv[i + 1];
  std::vector<std::string> lines;
  { std::ifstream in(o["corpus"]); for (std::string s; std::getline(in, s) && (o["rows"] == "0" || lines.size() < std::stoul(o["rows"]));) lines.push_back(s); }
  const size_t maxlen = std::stoul(o["max-len"]), nthr = std::stoul(o["threads"]);

  void* const library = dlopen(o["runtime"].c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) { fprintf(stderr, "%s\n", dlerror()); return 1; }
  Ort::InitApi(reinterpret_cast<const OrtApiBase* (*)()>(dlsym(library, "OrtGetApiBase"))()->GetApi(ORT_API_VERSION));
  Ort::Env env(ORT_LOGGING_LEVEL_WARNING, "bench");
  Ort::SessionOptions so;
  so.SetIntraOpNumThreads(std::stoi(o["intra"]));
  so.SetInterOpNumThreads(1);
  so.SetExecutionMode(ORT_SEQUENTIAL);
  so.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  so.AddConfigEntry("session.intra_op.allow_spinning", o["spin"].c_str());
  if (o["denormal"] == "1") so.AddConfigEntry("session.set_denormal_as_zero", "1");
  if (!o["disable"].empty()) so.AddConfigEntry("optimization.disable_specified_optimizers", o["disable"].c_str());
  if (!o["profile"].empty()) so.EnableProfiling(o["profile"].c_str());
  std::vector<std::unique_ptr<Ort::Session>> sess;
  auto t0 = Clock::now();
  const size_t nsess = std::stoul(o["sessions"]);
  for (size_t i = 0; i < nsess; ++i) sess.push_back(std::make_unique<Ort::Session>(env, o["model"].c_str(), so));
  double load = secs(t0);
  size_t nin = sess[0]->GetInputCount();
  Ort::AllocatorWithDefaultOptions alloc;
  std::vector<std::string> inames;
  for (size_t i = 0; i < nin; ++i) inames.push_back(sess[0]->GetInputNameAllocated(i, alloc).get());
  std::string oname = sess[0]->GetOutputNameAllocated(0, alloc).get();

  std::ifstream json(o["tok"], std::ios::binary);
  const etl::embed::Tokenizer tokenizer(std::string((std::istreambuf_iterator<char>(json)), {}), o["tok"]);

  const size_t N = lines.size();
  std::vector<float> emb;
  size_t dim = 0;
  std::vector<double> walls, cpus; double tok_s = 0; size_t padded = 0, real = 0, nb = 0;
  const int reps = std::stoi(o["repeat"]);
  for (int rep = -1; rep < reps; ++rep) {               // -1: warm-up
    auto t = Clock::now(); const double c0 = cpu();
    std::vector<std::vector<int64_t>> ids(N);
    for (size_t i = 0; i < N; ++i) {
      auto& to = ids[i];
      to.assign(tokenizer.before().begin(), tokenizer.before().end());
      for (const auto& k : tokenizer.Encode(lines[i])) if (to.size() + tokenizer.behind().size() < maxlen) to.push_back(k.id);
      to.insert(to.end(), tokenizer.behind().begin(), tokenizer.behind().end());
    }
    tok_s = secs(t);
    auto batches = plan(ids, o["sched"], std::stoul(o["batch"]), std::stoul(o["tokens"]), std::stoul(o["window"]));
    nb = batches.size(); padded = real = 0;
    for (auto& b : batches) { padded += b.rows.size() * b.len; for (auto r : b.rows) real += ids[r].size(); }
    std::atomic<size_t> next{0};
    auto work = [&](size_t tid) {
      auto& s = *sess[tid % nsess];
      Ort::MemoryInfo mi = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
      std::vector<int64_t> in, mask, type;
      std::vector<const char*> names; for (auto& n : inames) names.push_back(n.c_str());
      const char* on = oname.c_str();
      const size_t lim = rep < 0 ? std::min<size_t>(std::stoul(o["warm"]), batches.size()) : batches.size();   // warm-up: some batches
      for (size_t k; (k = next++) < lim;) {
        auto& b = batches[k]; const size_t R = b.rows.size(), L = b.len;
        in.assign(R * L, 0); mask.assign(R * L, 0); type.assign(R * L, 0);
        for (size_t r = 0; r < R; ++r) {
          auto& v = ids[b.rows[r]];
          std::copy(v.begin(), v.end(), in.begin() + r * L);
          std::fill_n(mask.begin() + r * L, v.size(), 1);
        }
        const int64_t shape[2] = {(int64_t)R, (int64_t)L};
        std::vector<Ort::Value> x;
        for (auto& n : inames) {
          auto& src = n == "input_ids" ? in : n == "attention_mask" ? mask : type;
          x.push_back(Ort::Value::CreateTensor<int64_t>(mi, src.data(), src.size(), shape, 2));
        }
        auto y = s.Run(Ort::RunOptions{nullptr}, names.data(), x.data(), x.size(), &on, 1);
        auto sh = y[0].GetTensorTypeAndShapeInfo().GetShape();
        const size_t H = sh[2]; const float* p = y[0].GetTensorData<float>();
        if (!dim) { dim = H; emb.resize(N * H); }        // warm-up with one thread sets it
        for (size_t r = 0; r < R; ++r) {                 // mean pool over the real tokens, L2 norm
          float* e = &emb[b.rows[r] * H]; std::fill_n(e, H, 0.f);
          const size_t T = ids[b.rows[r]].size();
          for (size_t q = 0; q < T; ++q) { const float* z = p + (r * L + q) * H; for (size_t j = 0; j < H; ++j) e[j] += z[j]; }
          double ss = 0; for (size_t j = 0; j < H; ++j) { e[j] /= T; ss += (double)e[j] * e[j]; }
          float inv = ss > 0 ? 1 / std::sqrt(ss) : 0; for (size_t j = 0; j < H; ++j) e[j] *= inv;
        }
      }
    };
    if (rep < 0 || nthr == 1) work(0);
    else { std::vector<std::thread> tv; for (size_t i = 0; i < nthr; ++i) tv.emplace_back(work, i); for (auto& t : tv) t.join(); }
    if (rep >= 0) { walls.push_back(secs(t)); cpus.push_back(cpu() - c0); }
  }
  std::sort(walls.begin(), walls.end()); std::sort(cpus.begin(), cpus.end());
  const double med = walls[walls.size() / 2];
  std::string mn = o["model"].substr(o["model"].find_last_of('/') + 1);
  printf("%s sched=%s bs=%s tok=%s thr=%zu sess=%zu intra=%s spin=%s | %.1f sent/s (best %.1f) %.0f tok/s %.1f sent/cpu-s | wall %.2fs tokenise %.3fs pad-eff %.3f batches %zu load %.2fs\n",
         mn.c_str(), o["sched"].c_str(), o["batch"].c_str(), o["tokens"].c_str(), nthr, nsess, o["intra"].c_str(), o["spin"].c_str(),
         N / med, N / walls[0], real / walls[0], N / cpus[0], med, tok_s, (double)real / padded, nb, load);
  if (!o["dump"].empty()) std::ofstream(o["dump"], std::ios::binary).write((const char*)emb.data(), emb.size() * 4);
}
