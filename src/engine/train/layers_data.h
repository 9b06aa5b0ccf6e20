/*
 * layers_data.h - what a net of layers learns from: texts as ids of words, and what is to be said
 * of them (private to train/).
 *
 * Words are cut as features/words.h has it and counted as they come; ids are given once all are
 * there. With a base its tokenizer gives the ids.
 */
#ifndef LM_TRAIN_LAYERS_DATA_H
#define LM_TRAIN_LAYERS_DATA_H

#include "features/vocabulary.h"
#include "features/words.h"
#include "model/layers.h"
#include "token/letters.h"
#include "train/augmented.h"
#include "train/labels.h"
#include "train/methods.h"

typedef struct lm_layers_words {
    const char *words; /* "whitespace", "unicode" */
    bool lower_case;
    int64_t max_size, min_count;
    const char *pad, *unknown;
} lm_layers_words;

typedef struct lm_layers_data {
    lm_context *ctx;
    const lm_layers_task *task;
    lm_layers_words cut;
    size_t longest; /* tokens of a text that count */
    bool cut_front;

    lm_vocabulary vocabulary;
    lm_buffer tokens;       /* int32_t: numbers of the vocabulary, then ids */
    bool spells;            /* letters of words are kept; set before the first row */
    lm_letters letters;     /* of all tokens, also those that are cut off */
    lm_buffer spelled;      /* int32_t, by token: its number in `letters` */
    lm_buffer offsets;      /* size_t (rows + 1) */
    lm_train_labels labels; /* of rows, or of tokens */
    lm_buffer targets;      /* float: of regression */
    size_t rows, empty;     /* empty: texts without a token, which are left out */

    const lm_model *base; /* NULL: words are counted */
    lm_token_scratch *scratch;
    lm_encoding encoding;
    lm_stretches spans;
    lm_buffer lower;

    lm_augmented augmented; /* of texts; the options come behind the opening */
    lm_buffer variant;
    int32_t *ids; /* of the vocabulary's numbers, where texts are read again; else NULL */
} lm_layers_data;

lm_status lm_layers_data_open(lm_layers_data *data, lm_context *ctx, const lm_layers_task *task);
void lm_layers_data_close(lm_layers_data *data);
lm_status lm_layers_data_add(lm_layers_data *data, const lm_train_rows *rows);
/*
 * Give words their ids, most frequent first behind the special ones, and append vocab.txt. Texts
 * are cut to `longest`. Without a base.
 */
lm_status lm_layers_data_number(lm_layers_data *data, lm_buffer *vocab, size_t *size);

/* All texts once more, those of the rows in other words; behind the numbers. */
lm_status lm_layers_data_vary(lm_layers_data *data, uint64_t epoch, const size_t *rows,
                              size_t count);

/* Whether rows have a target for each token. */
static inline bool
lm_layers_have_tags(const lm_layers_data *data)
{
    return !data->task->by_text && !data->task->language;
}

static inline const int32_t *
lm_layers_ids(const lm_layers_data *data, size_t row, size_t *count)
{
    const size_t *offsets = (const size_t *)(const void *)data->offsets.data;

    *count = offsets[row + 1] - offsets[row];
    return (const int32_t *)(const void *)data->tokens.data + offsets[row];
}

#endif
