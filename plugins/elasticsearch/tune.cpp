// SPDX-License-Identifier: Apache-2.0
#include "tune.h"

#include <simdjson.h>

#include "sink.h"

namespace etl::elasticsearch {

/// An index that rows are written into for measuring.
class Scratch {
 public:
  Scratch(ElasticsearchSink& sink, const etl_run& run)
      : sink_(sink), name_(Name(View(run.pipeline))), cluster_(MakeTarget(sink), [this] { return sink_.host.Cancelled(); }) {
    sink.CheckOptions();
    if (sink.templated()) throw ConfigError("index", "rows of \"" + sink.index + "\" go to many indices, and one is measured; name one of them with --set");
    if (sink.action == "update" || sink.action == "delete") {
      throw ConfigError("action", "action \"" + sink.action + "\" changes documents that are there, and the index that is measured has none");
    }
    if (sink.index == name_) throw ConfigError("index", "\"" + name_ + "\" is the name that etl tune gives its own indices");
    Make(*run.schema);
  }

  void Make(const ArrowSchema& rows) {
    const Place old = Resolve(cluster_, name_);
    if (!old.indices.empty() && old.indices[0].mappings.find("\"etl_tune\"") == std::string::npos) {
      throw Fatal("there is an index \"" + name_ + "\" that etl tune did not make; delete it");
    }
    const Place place = Resolve(cluster_, sink_.index);
    const Concrete* written = place.Written();
    if (written) body_ = CopyBody(*written);
    else if (sink_.create) body_ = CreateBody(*sink_.create, cluster_.Root(), rows, sink_.Encoding().shape, sink_.Keywords());
    else throw ConfigError("index", "there is no index \"" + sink_.index + "\" whose settings and mappings could be copied; make it, or say with create how");
    Drop();
    Fill();
  }
  void Fill() {
    CreateIndex(cluster_, sink_.host, name_, body_);
    // Known as one of ours by its name and this mark; _meta changes no document.
    cluster_.Call("PUT", "/" + name_ + "/_mapping", R"({"_meta":{"etl_tune":true}})", "marking the scratch index");
    if (sink_.load) cluster_.Call("PUT", "/" + name_ + "/_settings", LoadSettings(*sink_.load), "setting up the scratch index");
  }
  void Clear() {
    Drop();
    Fill();
  }
  void Drop() {
    const http::Reply reply = cluster_.Ask("DELETE", "/" + name_);
    if (reply.status != 200 && reply.status != 404) Throw(reply, "removing the scratch index \"" + name_ + "\"");
  }
  std::string candidates() const { return "batch.bytes = 1MiB, 2MiB, 5MiB, 10MiB, 15MiB\nconcurrency = 1, 2, 4, 8\nwriters = 1, 2\ncompression = none, gzip\n"; }
  std::string overrides() const { return "index = \"" + name_ + "\"\nswap_alias = false\nrequire_alias = false\n" + std::string(sink_.load ? "load = {}\n" : ""); }
  std::string text;                    // what was lent last

 private:
  static std::string Name(std::string_view pipeline) {
    std::string name = "etl-tune-";
    for (const char c : pipeline.substr(0, 200)) {
      const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      name += (small >= 'a' && small <= 'z') || (small >= '0' && small <= '9') ? small : '-';
    }
    return name;
  }
  ElasticsearchSink& sink_;
  std::string name_, body_;
  Cluster cluster_;
};

namespace {

Scratch& S(void* p) { return *static_cast<Scratch*>(p); }

template <class F>
etl_status Do(etl_error* e, F&& f) noexcept {
  return detail::Guard(e, [&] {
    f();
    return ETL_OK;
  });
}

}  // namespace

const etl_tune* TuneTable() {
  static const etl_tune table = [] {
    etl_tune t{};
    t.size = sizeof t;
    t.open = [](void* self, const etl_run* run, void** scratch, etl_error* e) noexcept -> etl_status {
      return Do(e, [&] { *scratch = std::make_unique<Scratch>(*Glue<ElasticsearchSink>::H(self).object, *run).release(); });
    };
    t.candidates = [](void* scratch, etl_str* out, etl_error* e) noexcept -> etl_status {
      return Do(e, [&] { *out = ToStr(S(scratch).text = S(scratch).candidates()); });
    };
    t.overrides = [](void* scratch, etl_str* out, etl_error* e) noexcept -> etl_status {
      return Do(e, [&] { *out = ToStr(S(scratch).text = S(scratch).overrides()); });
    };
    t.clear = [](void* scratch, etl_error* e) noexcept -> etl_status { return Do(e, [&] { S(scratch).Clear(); }); };
    t.close = [](void* scratch, etl_error* e) noexcept -> etl_status {
      const etl_status status = Do(e, [&] { S(scratch).Drop(); });
      if (status != ETL_RETRY) delete &S(scratch);
      return status;
    };
    return t;
  }();
  return &table;
}

}  // namespace etl::elasticsearch
