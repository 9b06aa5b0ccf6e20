/*
 * unigram.h - how often each word of a corpus is: two files, a section of an image, look-up.
 *
 *   ngram.json         {"format": 1, "task": "language_model", "order": 1, "k": k, "unknown": u}
 *   ngram.safetensors  counts (V) U64, ends (V) U32, words (B) U8
 *
 * Words are UTF-8, one after the other and sorted by their bytes; word i ends at ends[i]. The
 * probability of a word is (count + k) / (total + k · (V + 1)), and that of any other word, of
 * which training saw u, is (u + k) / (…): k is Lidstone's, 1 Laplace's. total is the sum of counts,
 * and u.
 */
#ifndef LM_UNIGRAM_H
#define LM_UNIGRAM_H

#include "base/buffer.h"
#include "base/intern.h"
#include "format/checkpoint.h"

#define LM_UNIGRAM_WORDS_MAX ((uint32_t)1 << 26)
#define LM_UNIGRAM_BYTES_MAX ((uint32_t)1 << 30) /* of all words */
#define LM_UNIGRAM_TOTAL_MAX ((uint64_t)1 << 53) /* of counts: a double has it exactly */
#define LM_UNIGRAM_K_MAX 1e6

/* What was counted: the words `order[0]` to `order[count − 1]` of a table, sorted by their bytes.
 */
typedef struct lm_unigram_counts {
    const lm_intern *words;
    const uint64_t *counts; /* by the number in the table, each at least 1 */
    const uint32_t *order;
    uint32_t count; /* V, at least 1 */
    uint64_t unknown;
    double k;
} lm_unigram_counts;

/* Natural logarithm of a word's probability by its count; `total` with the unknown words. */
double lm_unigram_log(double k, uint32_t words, uint64_t total, uint64_t count);

/* Append the bytes of both files. Polls cancel. */
lm_status lm_unigram_write(lm_context *ctx, const lm_unigram_counts *counts, lm_buffer *json,
                           lm_buffer *tensors);

/* Counts that are to be loaded; lives in the arena. */
typedef struct lm_unigram_plan {
    const lm_tensor *counts, *ends, *words;
    double k;
    uint64_t unknown;
} lm_unigram_plan;

/* Check ngram.json and the tensors of a checkpoint against each other. */
lm_status lm_unigram_plan_make(lm_context *ctx, const lm_checkpoint *checkpoint,
                               lm_unigram_plan *plan);
/* Bytes of the image's section. Cannot overflow after a plan was made. */
size_t lm_unigram_size(const lm_unigram_plan *plan);
/* Reads on in the source; what the tensors hold is checked here. */
lm_status lm_unigram_fill(lm_context *ctx, const lm_unigram_plan *plan, const lm_source *source,
                          void *section);

/* The section as a process sees it. */
typedef struct lm_unigram {
    uint32_t count;       /* V */
    const double *log_p;  /* (V + 1): natural logarithms; the last is that of an unknown word */
    const uint32_t *ends; /* (V) */
    const char *bytes;
} lm_unigram;

lm_status lm_unigram_bind(lm_context *ctx, const void *section, size_t size, lm_unigram *view);

/* The number of a word; V: it is unknown. Bisection: allocates nothing. */
uint32_t lm_unigram_find(const lm_unigram *view, const char *bytes, size_t length);

#endif
