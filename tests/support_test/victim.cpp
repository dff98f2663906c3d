// What the kill loop and the failing disk are tried on, in a careful and in a careless form of
// each.
//
//   copy DATABASE COUNT [careless]   inserts rows 1…COUNT and goes on where it stopped
//   save FILE TEXT [careless]        replaces the file's content by TEXT
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

namespace {

volatile sig_atomic_t g_terminated = 0;

void Check(bool ok, const std::string& what) {
  if (!ok) throw std::runtime_error(what);
}

class Database {
 public:
  explicit Database(const std::string& path) {
    Check(sqlite3_open(path.c_str(), &db_) == SQLITE_OK, "open");
    Execute("PRAGMA synchronous = OFF");
    Execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER, text TEXT)");
    Execute(
        "CREATE TABLE IF NOT EXISTS position (id INTEGER PRIMARY KEY CHECK (id = 1), value "
        "INTEGER)");
  }
  ~Database() { sqlite3_close(db_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void Execute(const std::string& sql) {
    Check(sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK,
          sqlite3_errmsg(db_));
  }

  long Position() {
    sqlite3_stmt* statement = nullptr;
    Check(
        sqlite3_prepare_v2(db_, "SELECT value FROM position", -1, &statement, nullptr) == SQLITE_OK,
        "position");
    const long value = sqlite3_step(statement) == SQLITE_ROW
                           ? static_cast<long>(sqlite3_column_int64(statement, 0))
                           : 0;
    sqlite3_finalize(statement);
    return value;
  }

 private:
  sqlite3* db_ = nullptr;
};

int Copy(const std::string& path, long count, bool careless) {
  Database db(path);
  const long batch = careless ? count / 4 : count / 100;
  for (long first = db.Position() + 1; first <= count && g_terminated == 0; first += batch) {
    const long last = std::min(first + batch - 1, count);
    const std::string position = "REPLACE INTO position VALUES (1, " + std::to_string(last) + ")";
    if (careless)
      db.Execute(position);  // Before the rows are safe: a kill from here on loses them.
    db.Execute("BEGIN");
    for (long id = first; id <= last; ++id) {
      const std::string number = std::to_string(id);
      db.Execute("INSERT INTO rows VALUES (" + number + ", 'row " + number + "')");
    }
    if (!careless) db.Execute(position);
    db.Execute("COMMIT");
  }
  return g_terminated != 0 ? 143 : 0;
}

void WriteAll(int fd, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(fd, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    Check(count > 0, "write");
    done += static_cast<std::size_t>(count);
  }
}

int Open(const std::string& path, int flags) {
  int fd;
  do {
    fd = ::open(path.c_str(), flags, 0600);
  } while (fd < 0 && errno == EINTR);
  Check(fd >= 0, "open " + path);
  return fd;
}

void Sync(int fd) {
  while (::fsync(fd) != 0) Check(errno == EINTR, "fsync");
}

int Save(const std::string& path, const std::string& text, bool careless) {
  if (careless) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << text;
    return 0;  // Nobody looked whether it worked.
  }
  const std::string fresh = path + ".new";
  const int fd = Open(fresh, O_WRONLY | O_CREAT | O_TRUNC);
  WriteAll(fd, text);
  Sync(fd);
  Check(::close(fd) == 0, "close");
  Check(::rename(fresh.c_str(), path.c_str()) == 0, "rename");
  const int dir = Open(path.substr(0, path.rfind('/')), O_RDONLY | O_DIRECTORY);
  Sync(dir);
  ::close(dir);
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  ::signal(SIGTERM, [](int) { g_terminated = 1; });
  const std::string mode = argc > 3 ? argv[1] : "";
  const bool careless = argc > 4 && std::string(argv[4]) == "careless";
  if (mode == "copy") return Copy(argv[2], std::atol(argv[3]), careless);
  if (mode == "save") return Save(argv[2], argv[3], careless);
  std::fprintf(stderr, "victim: copy DATABASE COUNT | save FILE TEXT, and careless\n");
  return 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "victim: %s\n", error.what());
  return 1;
}
