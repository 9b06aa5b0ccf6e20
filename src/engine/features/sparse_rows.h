/*
 * sparse_rows.h - rows of (index, value), indexes ascending and each once; and the numbers of a
 * text's features counted into such a row.
 */
#ifndef LM_SPARSE_ROWS_H
#define LM_SPARSE_ROWS_H

#include "base/context.h"

/* Rows one behind the other; row i is starts[i] up to starts[i + 1]. */
typedef struct lm_sparse_rows {
    lm_context *ctx;
    uint32_t *index;
    float *value;
    size_t used, room; /* entries */
    size_t *starts;    /* (rows + 1) */
    size_t rows, row_room;
} lm_sparse_rows;

void lm_sparse_rows_init(lm_sparse_rows *sparse, lm_context *ctx);
void lm_sparse_rows_free(lm_sparse_rows *sparse);
/* Append a row. */
lm_status lm_sparse_rows_add(lm_sparse_rows *sparse, const uint32_t *index, const float *value,
                             size_t count);

/*
 * Numbers of a text's features as they come, and what they are counted into. Keeps its room. Of
 * many, what has come is counted now and then, so that memory is that of different numbers.
 */
typedef struct lm_numbers {
    lm_context *ctx;
    uint32_t *items, *spare; /* (room) each */
    float *counts;           /* (room) */
    size_t count, room;
    uint32_t *known; /* (known_count): counted before, ascending */
    float *times;    /* (known_count), in one block with these */
    size_t known_count;
} lm_numbers;

void lm_numbers_init(lm_numbers *numbers, lm_context *ctx);
void lm_numbers_free(lm_numbers *numbers);
/* Before a text. */
static inline void
lm_numbers_clear(lm_numbers *numbers)
{
    numbers->count = numbers->known_count = 0;
}
lm_status lm_numbers_add(lm_numbers *numbers, uint32_t number);
/* Sort what was added, once each, with how often it was there in `counts`. Polls cancel. */
lm_status lm_numbers_count(lm_numbers *numbers);

#endif
