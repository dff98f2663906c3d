/* Writes without end to where the host waits for its answer: a pipe that no program started from here would inherit. */
#include "zoo.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
static int is_the_hosts(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && (fcntl(fd, F_GETFD) & FD_CLOEXEC);
}
static etl_status flood(void *worker, etl_batch *in, etl_error *error) {
  static char block[65536];
  (void)worker, (void)in, (void)error;
  for (int fd = 3; fd < 1024; ++fd)
    while (is_the_hosts(fd) && write(fd, block, sizeof block) > 0) {
    }
  return ETL_OK;
}
static const etl_sink floods = {.size = sizeof(etl_sink), .open = zoo_open_sink, .write = flood, .flush = zoo_flush};
static const etl_component sink = {.size = sizeof(etl_component), .type = "zoo_sink", .summary = "Floods", .options = zoo_options,
                                   .create = zoo_create, .destroy = zoo_destroy, .start = zoo_start, .stop = zoo_stop, .sink = &floods};
ZOO_PLUGIN("zoo.floods", &sink)
