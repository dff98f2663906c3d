/* Notes each time that it is loaded in the file that ZOO_COUNT names. */
#include "zoo.h"
__attribute__((constructor)) static void count(void) {
  const char *file = getenv("ZOO_COUNT");
  FILE *out = file ? fopen(file, "a") : NULL;
  if (!out) return;
  fputc('x', out);
  fclose(out);
}
static const etl_component sink = {ZOO_COMPONENT(sink)};
ZOO_PLUGIN("zoo.counts_loads", &sink)
