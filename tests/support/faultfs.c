// Makes one file operation of a program fail: LD_PRELOAD this library and say which with the
// environment.
//
//   FAULTFS_PATH    only operations on paths that begin so count (an absolute path; several are
//   parted by ":") FAULTFS_N       the operation that fails, from 1; 0 or unset: none FAULTFS_KIND
//   EIO, ENOSPC     it fails so
//                   EINTR           it fails so once, as a signal would; of the operations that
//                   signals interrupt SHORT           a write writes half of its bytes; of the
//                   writes of two bytes and more CRASH           the process ends before it, with
//                   exit code 86 and nothing flushed TORN            the process ends after half of
//                   a write; of the writes of two bytes and more
//   FAULTFS_STICKY  1: all later ones fail as well (not with EINTR, CRASH and TORN)
//   FAULTFS_COUNT   a file to which each process appends "hit N OPERATION PATH" for the first fault
//   that it meets, and
//                   "ops N" when it ends: how many operations there were to which the kind applies
//
// Operations are: open for writing, write, pwrite, writev, pwritev, fsync, fdatasync, fallocate,
// ftruncate, truncate, rename, link, unlink, mkdir, in all their variants, and of C's streams fopen
// for writing, fwrite and fflush (what else writes to a FILE goes by unseen).  Each process counts
// for itself.  Reading never fails.
#define _GNU_SOURCE
// The library defines both members of each pair, so the headers must not make one of the other.
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define REAL(name) ((__typeof__(&name))(uintptr_t)Real(#name))

enum { kMostFds = 65536, kCrashCode = 86 };

enum Kind { kNone, kError, kInterrupted, kShort, kCrash, kTorn };
enum Op { kOpen, kWrite, kSync, kResize, kName };  // kName: rename, link, unlink, mkdir

static const char* g_paths;
static const char* g_count_file;
static long g_fail_at;
static int g_sticky;
static enum Kind g_kind;
static int g_error;
static atomic_long g_done;
static atomic_int g_hit;
static atomic_uchar g_tracked[kMostFds];

static void* Real(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  if (found == NULL) _exit(87);
  return found;
}

__attribute__((constructor)) static void Begin(void) {
  const char* at = getenv("FAULTFS_N");
  const char* kind = getenv("FAULTFS_KIND");
  const char* sticky = getenv("FAULTFS_STICKY");
  g_paths = getenv("FAULTFS_PATH");
  g_count_file = getenv("FAULTFS_COUNT");
  g_fail_at = at != NULL ? atol(at) : 0;
  if (kind == NULL || strcmp(kind, "EIO") == 0)
    g_kind = kError, g_error = EIO;
  else if (strcmp(kind, "ENOSPC") == 0)
    g_kind = kError, g_error = ENOSPC;
  else if (strcmp(kind, "EINTR") == 0)
    g_kind = kInterrupted, g_error = EINTR;
  else if (strcmp(kind, "SHORT") == 0)
    g_kind = kShort;
  else if (strcmp(kind, "CRASH") == 0)
    g_kind = kCrash;
  else if (strcmp(kind, "TORN") == 0)
    g_kind = kTorn;
  else
    _exit(88);  // A kind that does not exist must not pass for a clean run.
  g_sticky = sticky != NULL && *sticky == '1' && g_kind != kInterrupted;
}

static void Report(const char* format, ...) {
  char line[PATH_MAX + 64];
  va_list arguments;
  if (g_count_file == NULL) return;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  const int fd = (int)syscall(SYS_openat, AT_FDCWD, g_count_file,
                              O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || syscall(SYS_write, fd, line, (size_t)length) != length) _exit(89);
  syscall(SYS_close, fd);
}

__attribute__((destructor)) static void End(void) {
  const long done = atomic_load(&g_done);
  if (done > 0) Report("ops %ld\n", done);
}

// ---- which paths

// Joins what `dir` names and `path`, and takes "//", "/./" and "/../" out, without asking the disk.
static int Absolute(int dir, const char* path, char out[PATH_MAX]) {
  char joined[PATH_MAX * 2];
  if (path[0] == '/') {
    snprintf(joined, sizeof joined, "%s", path);
  } else {
    char base[PATH_MAX] = "";
    if (dir == AT_FDCWD) {
      if (getcwd(base, sizeof base) == NULL) return 0;
    } else {
      char link[64];
      snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
      const ssize_t length = readlink(link, base, sizeof base - 1);
      if (length <= 0) return 0;
      base[length] = '\0';
    }
    snprintf(joined, sizeof joined, "%s/%s", base, path);
  }
  size_t end = 0;
  for (const char* part = joined; *part != '\0';) {
    const size_t length = strcspn(part, "/");
    if (length == 2 && part[0] == '.' && part[1] == '.') {
      while (end > 0 && out[--end] != '/') {
      }
    } else if (length > 0 && !(length == 1 && part[0] == '.')) {
      if (end + length + 2 > PATH_MAX) return 0;
      out[end++] = '/';
      memcpy(out + end, part, length);
      end += length;
    }
    part += length + (part[length] == '/');
  }
  out[end] = '\0';
  return 1;
}

static int Wanted(int dir, const char* path) {
  char absolute[PATH_MAX];
  if (g_paths == NULL || path == NULL || !Absolute(dir, path, absolute)) return 0;
  for (const char* prefix = g_paths; *prefix != '\0';) {
    const size_t length = strcspn(prefix, ":");
    if (length > 0 && strncmp(absolute, prefix, length) == 0) return 1;
    prefix += length + (prefix[length] == ':');
  }
  return 0;
}

static int Tracked(int fd) { return fd >= 0 && fd < kMostFds && atomic_load(&g_tracked[fd]); }

static int Track(int fd, int wanted) {
  if (fd >= 0 && fd < kMostFds) atomic_store(&g_tracked[fd], (unsigned char)wanted);
  return fd;
}

// ---- which operation

static int Applies(enum Op op, size_t bytes) {
  if (g_kind == kShort || g_kind == kTorn) return op == kWrite && bytes >= 2;
  if (g_kind == kInterrupted) return op != kName;
  return 1;
}

// Counts one operation; true when it is to fail, with errno set.  Does not return when the process
// is to crash.
static int Fails(enum Op op, const char* name, int fd, const char* path, size_t bytes) {
  if (!Applies(op, bytes)) return 0;
  const long number = atomic_fetch_add(&g_done, 1) + 1;
  const int hit = g_fail_at > 0 && (number == g_fail_at || (g_sticky && number > g_fail_at));
  if (!hit) return 0;
  if (!atomic_exchange(&g_hit, 1)) {
    char link[64], target[PATH_MAX] = "?";
    if (path == NULL) {
      snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
      const ssize_t length = readlink(link, target, sizeof target - 1);
      if (length > 0) target[length] = '\0';
    }
    Report("hit %ld %s %s\n", number, name, path != NULL ? path : target);
  }
  if (g_kind == kCrash) syscall(SYS_exit_group, kCrashCode);
  errno = g_error;
  return 1;
}

static int FailsFd(enum Op op, const char* name, int fd, size_t bytes) {
  return Tracked(fd) && Fails(op, name, fd, NULL, bytes);
}

static int FailsPath(enum Op op, const char* name, int dir, const char* path) {
  return Wanted(dir, path) && Fails(op, name, -1, path, 0);
}

// What a failing write gives back.
static ssize_t FailedWrite(ssize_t half) {
  if (g_kind == kTorn) syscall(SYS_exit_group, kCrashCode);
  return g_kind == kShort ? half : -1;
}

static int Halves(void) { return g_kind == kShort || g_kind == kTorn; }

// ---- open

static int Writes(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0;
}

static int Open(int dir, const char* path, int flags, mode_t mode) {
  const int wanted = Wanted(dir, path);
  if (wanted && Writes(flags) && Fails(kOpen, "open", -1, path, 0)) return -1;
  return Track((int)syscall(SYS_openat, dir, path, flags, mode), wanted);
}

#define MODE_OF(flags)                                              \
  mode_t mode = 0;                                                  \
  if (((flags)&O_CREAT) != 0 || ((flags)&O_TMPFILE) == O_TMPFILE) { \
    va_list arguments;                                              \
    va_start(arguments, flags);                                     \
    mode = (mode_t)va_arg(arguments, int);                          \
    va_end(arguments);                                              \
  }

EXPORT int open(const char* path, int flags, ...) {
  MODE_OF(flags)
  return Open(AT_FDCWD, path, flags, mode);
}
EXPORT int open64(const char* path, int flags, ...) {
  MODE_OF(flags)
  return Open(AT_FDCWD, path, flags, mode);
}
EXPORT int openat(int dir, const char* path, int flags, ...) {
  MODE_OF(flags)
  return Open(dir, path, flags, mode);
}
EXPORT int openat64(int dir, const char* path, int flags, ...) {
  MODE_OF(flags)
  return Open(dir, path, flags, mode);
}
EXPORT int __open_2(const char* path, int flags) { return Open(AT_FDCWD, path, flags, 0); }
EXPORT int __open64_2(const char* path, int flags) { return Open(AT_FDCWD, path, flags, 0); }
EXPORT int __openat_2(int dir, const char* path, int flags) { return Open(dir, path, flags, 0); }
EXPORT int __openat64_2(int dir, const char* path, int flags) { return Open(dir, path, flags, 0); }
EXPORT int creat(const char* path, mode_t mode) {
  return Open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}
EXPORT int creat64(const char* path, mode_t mode) { return creat(path, mode); }

EXPORT int close(int fd) {
  Track(fd, 0);
  return REAL(close)(fd);
}
EXPORT int dup(int fd) { return Track(REAL(dup)(fd), Tracked(fd)); }
EXPORT int dup2(int from, int to) { return Track(REAL(dup2)(from, to), Tracked(from)); }
EXPORT int dup3(int from, int to, int flags) {
  return Track(REAL(dup3)(from, to, flags), Tracked(from));
}

// ---- C streams

static FILE* OpenStream(FILE* (*real)(const char*, const char*), const char* path,
                        const char* mode) {
  const int wanted = Wanted(AT_FDCWD, path);
  if (wanted && strpbrk(mode, "wa+") != NULL && Fails(kOpen, "fopen", -1, path, 0)) return NULL;
  FILE* stream = real(path, mode);
  if (stream != NULL) Track(fileno(stream), wanted);
  return stream;
}

EXPORT FILE* fopen(const char* path, const char* mode) {
  return OpenStream(REAL(fopen), path, mode);
}
EXPORT FILE* fopen64(const char* path, const char* mode) {
  return OpenStream(REAL(fopen64), path, mode);
}
EXPORT int fclose(FILE* stream) {
  if (stream != NULL) Track(fileno(stream), 0);
  return REAL(fclose)(stream);
}
EXPORT int fflush(FILE* stream) {
  if (stream != NULL && !Halves() && FailsFd(kWrite, "fflush", fileno(stream), 0)) return EOF;
  return REAL(fflush)(stream);
}
EXPORT size_t fwrite(const void* bytes, size_t size, size_t count, FILE* stream) {
  if (FailsFd(kWrite, "fwrite", fileno(stream), size * count)) {
    const size_t half = Halves() ? REAL(fwrite)(bytes, size, count / 2, stream) : 0;
    if (g_kind == kTorn) REAL(fflush)(stream);
    return FailedWrite(1) < 0 ? 0 : half;
  }
  return REAL(fwrite)(bytes, size, count, stream);
}

// ---- write

EXPORT ssize_t write(int fd, const void* bytes, size_t size) {
  if (FailsFd(kWrite, "write", fd, size))
    return FailedWrite(Halves() ? REAL(write)(fd, bytes, size / 2) : -1);
  return REAL(write)(fd, bytes, size);
}
EXPORT ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  if (FailsFd(kWrite, "pwrite", fd, size))
    return FailedWrite(Halves() ? REAL(pwrite)(fd, bytes, size / 2, at) : -1);
  return REAL(pwrite)(fd, bytes, size, at);
}
EXPORT ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  if (FailsFd(kWrite, "pwrite", fd, size))
    return FailedWrite(Halves() ? REAL(pwrite64)(fd, bytes, size / 2, at) : -1);
  return REAL(pwrite64)(fd, bytes, size, at);
}

static size_t Total(const struct iovec* parts, int count) {
  size_t total = 0;
  for (int i = 0; i < count; ++i) total += parts[i].iov_len;
  return total;
}

// Half of a gathering write: its parts up to the middle, one write each.  at < 0: where the file
// stands.
static ssize_t WriteHalf(int fd, const struct iovec* parts, int count, off64_t at) {
  const size_t half = Total(parts, count) / 2;
  size_t done = 0;
  for (int i = 0; i < count && done < half; ++i) {
    const size_t size = parts[i].iov_len < half - done ? parts[i].iov_len : half - done;
    const ssize_t wrote = at < 0 ? REAL(write)(fd, parts[i].iov_base, size)
                                 : REAL(pwrite64)(fd, parts[i].iov_base, size, at + (off64_t)done);
    if (wrote < 0) return done > 0 ? (ssize_t)done : -1;
    done += (size_t)wrote;
    if ((size_t)wrote < size) break;
  }
  return (ssize_t)done;
}

EXPORT ssize_t writev(int fd, const struct iovec* parts, int count) {
  if (FailsFd(kWrite, "writev", fd, Total(parts, count))) {
    return FailedWrite(Halves() ? WriteHalf(fd, parts, count, -1) : -1);
  }
  return REAL(writev)(fd, parts, count);
}
EXPORT ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t at) {
  if (FailsFd(kWrite, "pwritev", fd, Total(parts, count))) {
    return FailedWrite(Halves() ? WriteHalf(fd, parts, count, at) : -1);
  }
  return REAL(pwritev)(fd, parts, count, at);
}
EXPORT ssize_t pwritev64(int fd, const struct iovec* parts, int count, off64_t at) {
  if (FailsFd(kWrite, "pwritev", fd, Total(parts, count))) {
    return FailedWrite(Halves() ? WriteHalf(fd, parts, count, at) : -1);
  }
  return REAL(pwritev64)(fd, parts, count, at);
}

// ---- sync and size

EXPORT int fsync(int fd) { return FailsFd(kSync, "fsync", fd, 0) ? -1 : REAL(fsync)(fd); }
EXPORT int fdatasync(int fd) {
  return FailsFd(kSync, "fdatasync", fd, 0) ? -1 : REAL(fdatasync)(fd);
}
EXPORT int ftruncate(int fd, off_t size) {
  return FailsFd(kResize, "ftruncate", fd, 0) ? -1 : REAL(ftruncate)(fd, size);
}
EXPORT int ftruncate64(int fd, off64_t size) {
  return FailsFd(kResize, "ftruncate", fd, 0) ? -1 : REAL(ftruncate64)(fd, size);
}
EXPORT int truncate(const char* path, off_t size) {
  return FailsPath(kResize, "truncate", AT_FDCWD, path) ? -1 : REAL(truncate)(path, size);
}
EXPORT int truncate64(const char* path, off64_t size) {
  return FailsPath(kResize, "truncate", AT_FDCWD, path) ? -1 : REAL(truncate64)(path, size);
}
EXPORT int fallocate(int fd, int mode, off_t at, off_t size) {
  return FailsFd(kResize, "fallocate", fd, 0) ? -1 : REAL(fallocate)(fd, mode, at, size);
}
EXPORT int fallocate64(int fd, int mode, off64_t at, off64_t size) {
  return FailsFd(kResize, "fallocate", fd, 0) ? -1 : REAL(fallocate64)(fd, mode, at, size);
}
EXPORT int posix_fallocate(int fd, off_t at, off_t size) {
  return FailsFd(kResize, "fallocate", fd, 0) ? g_error : REAL(posix_fallocate)(fd, at, size);
}
EXPORT int posix_fallocate64(int fd, off64_t at, off64_t size) {
  return FailsFd(kResize, "fallocate", fd, 0) ? g_error : REAL(posix_fallocate64)(fd, at, size);
}

// ---- names

static int RenameFails(int from_dir, const char* from, int to_dir, const char* to,
                       const char* name) {
  const int wanted = Wanted(to_dir, to) || Wanted(from_dir, from);
  return wanted && Fails(kName, name, -1, to, 0);
}

EXPORT int rename(const char* from, const char* to) {
  return RenameFails(AT_FDCWD, from, AT_FDCWD, to, "rename") ? -1 : REAL(rename)(from, to);
}
EXPORT int renameat(int from_dir, const char* from, int to_dir, const char* to) {
  return RenameFails(from_dir, from, to_dir, to, "rename")
             ? -1
             : REAL(renameat)(from_dir, from, to_dir, to);
}
EXPORT int renameat2(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
  return RenameFails(from_dir, from, to_dir, to, "rename")
             ? -1
             : REAL(renameat2)(from_dir, from, to_dir, to, flags);
}
EXPORT int link(const char* from, const char* to) {
  return RenameFails(AT_FDCWD, from, AT_FDCWD, to, "link") ? -1 : REAL(link)(from, to);
}
EXPORT int linkat(int from_dir, const char* from, int to_dir, const char* to, int flags) {
  return RenameFails(from_dir, from, to_dir, to, "link")
             ? -1
             : REAL(linkat)(from_dir, from, to_dir, to, flags);
}
EXPORT int unlink(const char* path) {
  return FailsPath(kName, "unlink", AT_FDCWD, path) ? -1 : REAL(unlink)(path);
}
EXPORT int unlinkat(int dir, const char* path, int flags) {
  return FailsPath(kName, "unlink", dir, path) ? -1 : REAL(unlinkat)(dir, path, flags);
}
EXPORT int remove(const char* path) {
  return FailsPath(kName, "unlink", AT_FDCWD, path) ? -1 : REAL(remove)(path);
}
EXPORT int mkdir(const char* path, mode_t mode) {
  return FailsPath(kName, "mkdir", AT_FDCWD, path) ? -1 : REAL(mkdir)(path, mode);
}
EXPORT int mkdirat(int dir, const char* path, mode_t mode) {
  return FailsPath(kName, "mkdir", dir, path) ? -1 : REAL(mkdirat)(dir, path, mode);
}
