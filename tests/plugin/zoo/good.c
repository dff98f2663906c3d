/* Keeps its contract: a source, a transform and a sink. */
#include "zoo.h"

static const etl_component source = {ZOO_COMPONENT(source)};
static const etl_component transform = {ZOO_COMPONENT(transform)};
static const etl_component sink = {ZOO_COMPONENT(sink)};
ZOO_PLUGIN("zoo.good", &source, &transform, &sink)
