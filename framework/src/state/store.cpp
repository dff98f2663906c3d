#include "store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <Poco/Data/LOB.h>
#include <Poco/Data/RecordSet.h>
#include <Poco/Data/SQLite/Connector.h>
#include <Poco/Data/SQLite/Utility.h>
#include <Poco/Data/Session.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "../error.h"

namespace etl::host {
namespace {

using namespace Poco::Data::Keywords;
using Poco::Data::BLOB;
using Poco::Data::Session;
namespace fs = std::filesystem;

constexpr int kFormat = 1;
constexpr int kApplicationId = 0x65746C31;  // "etl1": what PRAGMA application_id says of our files

BLOB ToBlob(const std::string& s) { return BLOB(reinterpret_cast<const unsigned char*>(s.data()), s.size()); }
std::string FromBlob(const BLOB& b) {
  return b.size() ? std::string(reinterpret_cast<const char*>(b.rawContent()), b.size()) : std::string();
}

[[noreturn]] void Throw(const std::string& what) { throw Error(Exit::kState, what); }

void RefuseStranger(const std::string& path) {
  struct stat s{};
  if (lstat(path.c_str(), &s) != 0) return;
  if (!S_ISREG(s.st_mode)) Throw(fmt::format("{}: is not a regular file; move it away or name another --state-dir", path));
  if (s.st_nlink > 1) Throw(fmt::format("{}: has other hard links; move it away or name another --state-dir", path));
}

void MakeFolder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(fs::path(folder).parent_path(), error);
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    Throw(fmt::format("cannot make the state folder {}: {}", folder, std::strerror(errno)));
  }
}

int OpenPrivate(const std::string& path) {
  int fd = -1;
  do {
    fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

/// False with errno.
bool Rewrite(int fd, const std::string& text) {
  while (ftruncate(fd, 0) != 0) {
    if (errno != EINTR) return false;
  }
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t n = pwrite(fd, text.data() + at, text.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) at += static_cast<std::size_t>(n);
  }
  return true;
}

std::string Utc() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm t{};
  gmtime_r(&now, &t);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour,
                     t.tm_min, t.tm_sec);
}

Session Connect(const std::string& file) {
  static std::once_flag once;
  std::call_once(once, [] { Poco::Data::SQLite::Connector::registerConnector(); });
  return Session("SQLite", file, 10);
}

/// What Poco says of a fault, as ours; `file` is the state's.
template <class F>
auto Translate(const std::string& file, const std::string& doing, F&& f) {
  try {
    return f();
  } catch (const Poco::Exception& e) {
    Throw(fmt::format("{}: {}: {}; see the disk and the file, or start anew with 'etl state reset'", file, doing,
                      e.displayText()));
  }
}

/// All of `writes` or nothing.  SQLite takes an fsync that a signal cut short for one that failed: then all is written
/// once more, and so a disk that does fail says it again.
template <class F>
void Transaction(Session& session, F&& writes) {
  for (bool again = false;; again = true) {
    session << "BEGIN IMMEDIATE", now;
    try {
      writes();
      session << "COMMIT", now;
      return;
    } catch (const Poco::Exception&) {
      const int code = sqlite3_extended_errcode(Poco::Data::SQLite::Utility::dbHandle(session));
      try {
        session << "ROLLBACK", now;
      } catch (const Poco::Exception&) {
        // SQLite has rolled back by itself already
      }
      if (again || (code != SQLITE_IOERR_FSYNC && code != SQLITE_IOERR_DIR_FSYNC)) throw;
    }
  }
}

/// Also of a file with bytes in it: where a crash cut its making short, SQLite takes them back on opening.
bool Empty(Session& session) {
  int tables = 0;
  session << "SELECT count(*) FROM sqlite_master", into(tables), now;
  return tables == 0;
}

void CheckFile(Session& session, const std::string& file) {
  int version = 0, application = 0;
  session << "PRAGMA user_version", into(version), now;
  session << "PRAGMA application_id", into(application), now;
  if (application != kApplicationId) Throw(file + ": is not a state file of etl; name another --state-dir");
  if (version > kFormat) {
    Throw(fmt::format("{}: was written by a newer etl (format {}, this one reads {}); use that one", file, version, kFormat));
  }
}

/// kind -> key -> value of all that is not a split.
using Items = std::map<std::pair<std::string, std::string>, std::string>;

Items ItemsOf(const State& s) {
  Items items;
  const auto meta = [&items](const char* key, const std::string& value) { items[{"meta", key}] = value; };
  meta("generation", std::to_string(s.generation));
  meta("complete", s.complete ? "1" : "0");
  meta("key", s.key);
  meta("plan_state", s.plan_state);
  meta("plan_begun", s.plan_begun ? "1" : "0");
  meta("planned_all", s.planned_all ? "1" : "0");
  meta("saved_at", s.saved_at);
  meta("schema", s.schema);
  for (const auto& [k, v] : s.worker_states) items[{"worker", k}] = v;
  for (const auto& [k, v] : s.kept) items[{"kept", k}] = v;
  for (const auto& [k, v] : s.totals) items[{"total", k}] = std::to_string(v);
  for (std::size_t i = 0; i < s.identity.size(); ++i) {
    items[{"identity", fmt::format("{:04}", i)}] = s.identity[i].first + "\n" + s.identity[i].second;
  }
  return items;
}

void FromItem(State& s, const std::string& kind, const std::string& key, const std::string& value) {
  if (kind == "worker") s.worker_states[key] = value;
  if (kind == "kept") s.kept[key] = value;
  if (kind == "total") s.totals[key] = std::stoll(value);
  if (kind == "identity") {
    const auto end = value.find('\n');
    s.identity.emplace_back(value.substr(0, end), value.substr(end + 1));
  }
  if (kind != "meta") return;
  if (key == "generation") s.generation = std::stoll(value);
  if (key == "complete") s.complete = value == "1";
  if (key == "key") s.key = value;
  if (key == "plan_state") s.plan_state = value;
  if (key == "plan_begun") s.plan_begun = value == "1";
  if (key == "planned_all") s.planned_all = value == "1";
  if (key == "saved_at") s.saved_at = value;
  if (key == "schema") s.schema = value;
}

State Read(Session& session) {
  State state;
  std::vector<std::string> kinds, keys;
  std::vector<BLOB> values;
  session << "SELECT kind, key, value FROM item ORDER BY kind, key", into(kinds), into(keys), into(values), now;
  for (std::size_t i = 0; i < kinds.size(); ++i) FromItem(state, kinds[i], keys[i], FromBlob(values[i]));

  std::vector<BLOB> ids, states, positions;
  std::vector<std::int64_t> seqs, rows, bytes, read, done;
  session << "SELECT id, state, position, seq, rows, bytes, rows_read, done FROM split", into(ids), into(states),
      into(positions), into(seqs), into(rows), into(bytes), into(read), into(done), now;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    SplitState& split = state.splits[FromBlob(ids[i])];
    split = {FromBlob(ids[i]), FromBlob(states[i]), FromBlob(positions[i]), static_cast<std::uint64_t>(seqs[i]),
             rows[i], bytes[i], read[i], done[i] != 0};
  }
  return state;
}

bool Same(const SplitState& a, const SplitState& b) {
  return a.seq == b.seq && a.done == b.done && a.position == b.position && a.rows_read == b.rows_read;
}

}  // namespace

std::string StateFolder(const PipelineConfig& config, const std::string& state_dir) {
  if (!state_dir.empty()) return fs::absolute(fs::path(state_dir) / config.name).lexically_normal();
  if (const char* dir = secure_getenv("ETL_STATE_DIR"); dir && *dir) {
    return fs::absolute(fs::path(dir) / config.name).lexically_normal();
  }
  return fs::path(config.dir) / ".etl" / config.name;
}

struct StateStore::Impl {
  std::string folder, file;
  int lock = -1;
  std::unique_ptr<Session> session;
  Items saved_items;
  std::map<std::string, SplitState> saved_splits;

  ~Impl() {
    session.reset();
    if (lock >= 0) close(lock);
  }

  void Lock() {
    const std::string path = folder + "/lock";
    RefuseStranger(path);
    lock = OpenPrivate(path);
    if (lock < 0) Throw(fmt::format("cannot open {}: {}", path, std::strerror(errno)));
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
      throw Error(Exit::kBusy, fmt::format("another run holds this pipeline ({}); wait for it or stop it", LockHolder(folder)));
    }
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    const std::string text = fmt::format("pid {} on {} since {}\n", getpid(), host, Utc());
    // What the file says is for people; the lock itself is the kernel's.
    if (!Rewrite(lock, text)) Throw(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  }

  void Open() {
    file = folder + "/state.db";
    RefuseStranger(file);
    const int fd = OpenPrivate(file);
    if (fd < 0) Throw(fmt::format("cannot open {}: {}", file, std::strerror(errno)));
    close(fd);
    Translate(file, "cannot be opened", [&] {
      session = std::make_unique<Session>(Connect(file));
      Session& db = *session;
      db << "PRAGMA synchronous = FULL", now;
      const auto make = [&] {
        db << "CREATE TABLE IF NOT EXISTS item(kind TEXT, key TEXT, value BLOB, PRIMARY KEY(kind, key)) WITHOUT ROWID", now;
        db << "CREATE TABLE IF NOT EXISTS split(id BLOB PRIMARY KEY, state BLOB, position BLOB, seq INTEGER, rows INTEGER, "
              "bytes INTEGER, rows_read INTEGER, done INTEGER) WITHOUT ROWID", now;
        db << fmt::format("PRAGMA application_id = {}", kApplicationId), now;
        db << fmt::format("PRAGMA user_version = {}", kFormat), now;
      };
      if (Empty(db)) Transaction(db, make);
      CheckFile(db, file);
      std::string verdict;
      db << "PRAGMA quick_check(1)", into(verdict), now;
      if (verdict != "ok") Throw(fmt::format("{}: is damaged ({}); restore it, or start anew with 'etl state reset'", file, verdict));
    });
  }

  void WriteItems(const Items& items) {
    Session& db = *session;
    std::string kind, key;
    BLOB value;
    for (const auto& [name, text] : items) {
      const auto old = saved_items.find(name);
      if (old != saved_items.end() && old->second == text) continue;
      kind = name.first;
      key = name.second;
      value = ToBlob(text);
      db << "INSERT OR REPLACE INTO item VALUES(?, ?, ?)", use(kind), use(key), use(value), now;
    }
    for (const auto& [name, text] : saved_items) {
      if (items.count(name)) continue;
      kind = name.first;
      key = name.second;
      db << "DELETE FROM item WHERE kind = ? AND key = ?", use(kind), use(key), now;
    }
  }

  void WriteSplits(const std::map<std::string, SplitState>& splits) {
    Session& db = *session;
    BLOB id, state, position;
    std::int64_t seq = 0, rows = 0, bytes = 0, read = 0, done = 0;
    for (const auto& [name, s] : splits) {
      const auto old = saved_splits.find(name);
      if (old != saved_splits.end() && Same(old->second, s)) continue;
      id = ToBlob(s.id);
      state = ToBlob(s.state);
      position = ToBlob(s.position);
      seq = static_cast<std::int64_t>(s.seq);
      rows = s.rows;
      bytes = s.bytes;
      read = s.rows_read;
      done = s.done;
      db << "INSERT OR REPLACE INTO split VALUES(?, ?, ?, ?, ?, ?, ?, ?)", use(id), use(state), use(position), use(seq),
          use(rows), use(bytes), use(read), use(done), now;
    }
    for (const auto& [name, s] : saved_splits) {
      if (splits.count(name)) continue;
      id = ToBlob(name);
      db << "DELETE FROM split WHERE id = ?", use(id), now;
    }
  }
};

StateStore::StateStore(const std::string& folder) : impl_(std::make_unique<Impl>()) {
  impl_->folder = folder;
  MakeFolder(folder);
  impl_->Lock();
  impl_->Open();
}
StateStore::~StateStore() = default;

const std::string& StateStore::folder() const { return impl_->folder; }
std::string StateStore::rejects_file() const { return impl_->folder + "/rejects.ndjson"; }

State StateStore::Load() {
  State state = Translate(impl_->file, "cannot be read", [&] { return Read(*impl_->session); });
  impl_->saved_splits = state.splits;
  impl_->saved_items = state.generation ? ItemsOf(state) : Items();
  return state;
}

void StateStore::Save(const State& state) {
  State stamped = state;
  stamped.saved_at = Utc();
  Items items = ItemsOf(stamped);
  Translate(impl_->file, "cannot be saved", [&] {
    Transaction(*impl_->session, [&] {
      impl_->WriteItems(items);
      impl_->WriteSplits(stamped.splits);
    });
  });
  impl_->saved_items = std::move(items);
  impl_->saved_splits = std::move(stamped.splits);
}

void StateStore::Reset() {
  Translate(impl_->file, "cannot be reset", [&] {
    Transaction(*impl_->session, [&] {
      *impl_->session << "DELETE FROM item", now;
      *impl_->session << "DELETE FROM split", now;
    });
  });
  impl_->saved_items.clear();
  impl_->saved_splits.clear();
}

State PeekState(const std::string& folder) {
  const std::string file = folder + "/state.db";
  struct stat s{};
  if (stat(file.c_str(), &s) != 0 || s.st_size == 0) return {};
  return Translate(file, "cannot be read", [&] {
    Session session = Connect(file);
    session << "PRAGMA query_only = 1", now;
    if (Empty(session)) return State();
    CheckFile(session, file);
    return Read(session);
  });
}

std::string LockHolder(const std::string& folder) {
  const int fd = open((folder + "/lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return {};
  std::string holder;
  if (flock(fd, LOCK_SH | LOCK_NB) != 0) {
    char text[512];
    const ssize_t n = read(fd, text, sizeof text);
    holder = n > 0 ? std::string(text, static_cast<std::size_t>(n)) : "unknown";
    while (!holder.empty() && holder.back() == '\n') holder.pop_back();
  }
  close(fd);
  return holder;
}

std::vector<std::string> Differences(const Identity& saved, const Identity& now) {
  if (saved.empty()) return {};
  const std::map<std::string, std::string> was(saved.begin(), saved.end()), is(now.begin(), now.end());
  std::vector<std::string> lines;
  for (const auto& [key, value] : was) {
    const auto at = is.find(key);
    if (at == is.end()) lines.push_back(fmt::format("{}: the state has {}, the pipeline no longer says it", key, value));
    else if (at->second != value) lines.push_back(fmt::format("{}: the state has {}, the pipeline now says {}", key, value, at->second));
  }
  for (const auto& [key, value] : is) {
    // What a component says besides its options it may have learned only later: an index has an identity once it is made.
    const bool learned = key.find(": ") != std::string::npos;
    if (!was.count(key) && !learned) lines.push_back(fmt::format("{}: the state has none, the pipeline now says {}", key, value));
  }
  return lines;
}

}  // namespace etl::host
