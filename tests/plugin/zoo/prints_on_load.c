/* Greets whoever loads it. */
#include "zoo.h"
__attribute__((constructor)) static void greet(void) { puts("hello"); }
static const etl_component sink = {ZOO_COMPONENT(sink)};
ZOO_PLUGIN("zoo.prints_on_load", &sink)
