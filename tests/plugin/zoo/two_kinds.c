/* One component that wants to be a source and a sink. */
#include "zoo.h"
static const etl_component both = {ZOO_COMPONENT(source), .sink = &zoo_sink};
ZOO_PLUGIN("zoo.two_kinds", &both)
