// SPDX-License-Identifier: Apache-2.0
#include "tune.h"

#include <algorithm>

#include "sink.h"

namespace etl::mysql {
namespace {

constexpr auto kComment = "scratch copy of etl tune";

/// A name that any server takes, and no more than the 64 characters that it may have.
std::string ScratchName(std::string_view pipeline) {
  std::string name = "_etl_tune_";
  for (const char c : pipeline.substr(0, 64 - name.size())) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += plain ? c : '_';
  }
  return name;
}

class Scratch {
 public:
  Scratch(MysqlSink& sink, const etl_run& run)
      : sink_(sink), name_(ScratchName(View(run.pipeline))), link_(sink, Side::kSink) {
    if (sink.mode == "update" || sink.mode == "delete") {
      throw ConfigError("mode", "mode \"" + sink.mode + "\" writes rows that are there, and the copy that is measured has none");
    }
    if (SameName(sink.table, name_)) throw ConfigError("table", "\"" + name_ + "\" is the name that etl tune gives its own copies");
    Guarded([&](Session& s) { Make(s, *run.schema); });
  }

  void Clear() {
    Guarded([&](Session& s) { s.Run("TRUNCATE TABLE " + Quote(name_), "cannot empty the scratch copy"); });
  }
  void Drop() {
    Guarded([&](Session& s) { s.Run("DROP TABLE IF EXISTS " + Quote(name_), "cannot drop the scratch copy"); });
  }
  const std::string& candidates() const { return candidates_; }
  const std::string& overrides() const { return overrides_; }

 private:
  template <class F>
  void Guarded(F&& f) {
    try {
      f(link_.Get([this](Session& fresh) { Lock(fresh); }));
    } catch (const Error&) {
      if (link_.current() && link_.current()->lost()) link_.Drop();
      throw;
    }
  }

  /// Two of one pipeline would write into one copy.
  void Lock(Session& s) {
    const std::string id = "CONCAT('etl ', LEFT(SHA2(CONCAT(DATABASE(), '.', " + s.Literal(name_) + "), 256), 60))";
    if (s.Value("SELECT GET_LOCK(" + id + ", 0)").value_or("0") != "1") {
      throw Fatal("another etl tune of this pipeline is under way; wait for its end");
    }
  }

  void Make(Session& s, const ArrowSchema& schema) {
    const auto comment = s.Value("SELECT table_comment FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = " + s.Literal(name_));
    if (comment && *comment != kComment) throw Fatal("there is a table \"" + name_ + "\" that etl tune did not make; rename or drop it");
    s.Run("DROP TABLE IF EXISTS " + Quote(name_), "cannot drop the scratch copy of an earlier etl tune");
    const std::optional<Table> there = ReadTable(s, sink_.table);
    if (there) {
      s.Run("CREATE TABLE " + Quote(name_) + " LIKE " + Quote(sink_.table), "cannot make a scratch copy of the table");
    } else if (sink_.create) {
      s.Run(CreateTableSql(s, name_, Columns(schema), sink_.keys), "cannot make the scratch table");
    } else {
      throw ConfigError("table", "the database \"" + s.database() + "\" has no table \"" + sink_.table + "\" to copy; make it, or let create = true do so");
    }
    try {
      s.Run("ALTER TABLE " + Quote(name_) + " COMMENT = '" + kComment + "'", "cannot mark the scratch copy");
    } catch (const Error&) {
      s.Run("DROP TABLE " + Quote(name_), "cannot drop the scratch copy");
      throw;
    }
    Offer(s, there ? there->transactional : true);
    const bool bound = there && (there->has_triggers || s.Value("SELECT 1 FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE() AND table_name = " +
                                                                s.Literal(sink_.table) + " LIMIT 1"));
    if (bound) sink_.host.Warn("the copy that is measured has no triggers and foreign keys; the table \"" + sink_.table + "\" has, and is slower by what they do");
  }

  std::vector<NewColumn> Columns(const ArrowSchema& schema) const {
    std::vector<NewColumn> made;
    for (std::int64_t i = 0; i < schema.n_children; ++i) {
      const std::string name = schema.children[i]->name;
      if (sink_.columns.empty()) made.push_back({name, schema.children[i]});
      for (const auto& [to, from] : sink_.columns) {
        if (from == name) made.push_back({to, schema.children[i]});
      }
    }
    return made;
  }

  void Offer(const Session& s, bool transactional) {
    // Tables that cannot undo a statement get one row in each, whatever is asked for.
    if (transactional) candidates_ += "rows_per_statement = 1, 10, 50, 100, 200, 500, 1000, 5000, 10000\n";
    candidates_ += s.mariadb() ? "way = prepared, text, bulk\n" : "way = prepared, text\n";
    if (!sink_.exactly_once) candidates_ += "writers = 1, 2, 4\n";
    overrides_ = "table = \"" + name_ + "\"\nexactly_once = false\ntruncate = false\n";
  }

  MysqlSink& sink_;
  std::string name_, candidates_, overrides_;
  Link link_;
};

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
      return Do(e, [&] { *scratch = std::make_unique<Scratch>(*Glue<MysqlSink>::H(self).object, *run).release(); });
    };
    t.candidates = [](void* scratch, etl_str* out, etl_error* e) noexcept -> etl_status {
      return Do(e, [&] { *out = ToStr(S(scratch).candidates()); });
    };
    t.overrides = [](void* scratch, etl_str* out, etl_error* e) noexcept -> etl_status {
      return Do(e, [&] { *out = ToStr(S(scratch).overrides()); });
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

}  // namespace etl::mysql
