/* Starts a thread when it is loaded. */
#include "zoo.h"
#include <pthread.h>
#include <unistd.h>
static void *wait(void *unused) {
  pause();
  return unused;
}
__attribute__((constructor)) static void start(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, wait, NULL);
}
static const etl_component sink = {ZOO_COMPONENT(sink)};
ZOO_PLUGIN("zoo.leaks_thread", &sink)
