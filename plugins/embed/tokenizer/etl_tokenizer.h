/* SPDX-License-Identifier: Apache-2.0
 * The Hugging Face tokenizers behind a C interface: what a tokenizer.json makes of a text. */
#ifndef ETL_TOKENIZER_H
#define ETL_TOKENIZER_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct etl_tokenizer etl_tokenizer;
typedef struct etl_token {
  uint32_t id;
  uint32_t begin, end; /* bytes of the text; 0, 0 without `offsets`, and for tokens that stand for none of it */
} etl_token;

/* From the bytes of a tokenizer.json; its truncation and padding are left out.  lower: texts are lowercased before all else.  Null: `error` says why,
   null-terminated. */
etl_tokenizer *etl_tokenizer_make(const char *json, size_t size, int32_t lower, char *error, size_t error_size);
void etl_tokenizer_free(etl_tokenizer *);
/* Hands all tokens of a UTF-8 text to `take`, once; bytes that are not UTF-8 count as U+FFFD.  special: with the tokens that the
   tokenizer puts around every text.  False: the tokenizer could not do it, and `take` was given the reason as `error`.
   Any thread, also at once. */
int32_t etl_tokenizer_encode(const etl_tokenizer *, const char *text, size_t size, int32_t special, int32_t offsets, void *context,
                             void (*take)(void *context, const etl_token *tokens, size_t count, const char *error, size_t error_size));

#ifdef __cplusplus
}
#endif
#endif
