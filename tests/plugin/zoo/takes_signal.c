/* Installs a signal handler when it is loaded. */
#include "zoo.h"
#include <signal.h>
static void handle(int number) { (void)number; }
__attribute__((constructor)) static void install(void) { signal(SIGUSR1, handle); }
static const etl_component sink = {ZOO_COMPONENT(sink)};
ZOO_PLUGIN("zoo.takes_signal", &sink)
