/* SPDX-License-Identifier: Apache-2.0
 * etl/tune.h - extension etl.tune/1 of a sink's component: what `etl tune` may try, and where.  Rules as in plugin.h. */
#ifndef ETL_TUNE_H
#define ETL_TUNE_H
#include <etl/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ETL_EXT_TUNE "etl.tune/1"

/* A scratch target beside the user's own, in which the pipeline's rows are written again and again with other options.
 * Calls on one scratch target come one at a time; between them other heads and workers of the sink write into it. */
typedef struct etl_tune {
  uint32_t size, reserved;
  /* Head, without begin(): makes the scratch target like the one that its options name, which is never touched.  The
     schema in `run` is that of the rows. */
  etl_status (*open)(void *self, const etl_run *run, void **scratch, etl_error *) ETL_NOEXCEPT;
  /* Lines "option = value, value, ...": what to try here, in an order that makes sense on an axis.  Options of the
     component that are ETL_TUNING, and `writers`; numbers, or words without commas.  Lent until the next call. */
  etl_status (*candidates)(void *scratch, etl_str *out, etl_error *) ETL_NOEXCEPT;
  /* Lines "option = TOML value" that let a sink write there, and nowhere else.  Lent until the next call. */
  etl_status (*overrides)(void *scratch, etl_str *out, etl_error *) ETL_NOEXCEPT;
  /* Empties it. */
  etl_status (*clear)(void *scratch, etl_error *) ETL_NOEXCEPT;
  /* Removes it, also after a failure.  RETRY: it still stands; whatever else it says, the scratch target is not used again. */
  etl_status (*close)(void *scratch, etl_error *) ETL_NOEXCEPT;
} etl_tune;

#ifdef __cplusplus
}
#endif
#endif
