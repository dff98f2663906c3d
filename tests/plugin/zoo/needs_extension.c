/* Cannot live without something that this host does not offer. */
#include "zoo.h"
static const char *const needs[] = {"etl.time_machine/1", NULL};
static const etl_component sink = {ZOO_COMPONENT(sink), .needs = needs};
ZOO_PLUGIN("zoo.needs_extension", &sink)
