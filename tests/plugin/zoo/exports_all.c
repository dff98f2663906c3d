/* Shows its insides to the whole process. */
#include "zoo.h"
ETL_EXPORT int compress(int level);
ETL_EXPORT int uncompress(int level);
int compress(int level) { return level + 1; }
int uncompress(int level) { return level - 1; }
static const etl_component sink = {ZOO_COMPONENT(sink)};
ZOO_PLUGIN("zoo.exports_all", &sink)
