/* Never comes back from being loaded. */
#include "zoo.h"
#include <unistd.h>
__attribute__((constructor)) static void hang(void) {
  for (;;) pause();
}
static const etl_component sink = {ZOO_COMPONENT(sink)};
ZOO_PLUGIN("zoo.hangs_on_load", &sink)
