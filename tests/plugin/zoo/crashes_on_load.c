/* Dies while it is loaded. */
#include "zoo.h"
__attribute__((constructor)) static void crash(void) { __builtin_trap(); }
static const etl_component sink = {ZOO_COMPONENT(sink)};
ZOO_PLUGIN("zoo.crashes_on_load", &sink)
