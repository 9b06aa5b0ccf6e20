/*
 * batch.h - texts, and pairs of texts, as windows of tokens, laid end to end until a batch is full;
 * then the encoder runs, and each window's hidden states go to the task. What a task keeps of them
 * is its own.
 *
 * Fill in the first members, add texts, flush. Windows come back in the order of the texts, so
 * those of one text are neighbours. All memory is the session's: it does not grow with the number
 * of texts, and a warm call allocates nothing.
 */
#ifndef LM_TASK_BATCH_H
#define LM_TASK_BATCH_H

#include "model/session.h"
#include "task/embed.h"
#include "task/states.h"

/* Which hidden states of a window are computed: one row is cheaper than every one. */
typedef enum lm_batch_rows {
    LM_EVERY_ROW,
    LM_FIRST_ROW, /* of the first token that is not left out */
    LM_LAST_ROW
} lm_batch_rows;

typedef struct lm_batcher {
    lm_context *ctx;
    lm_session *session;
    const lm_model *model; /* whose encoder runs */
    int layers;            /* that run */
    lm_batch_rows rows;
    const float *mix; /* weights of the layers that are added up, as lm_batch has it, or of a
                         language model of layers as lm_net_mix has it; or NULL */
    bool one_way;     /* of a language model of layers: its first direction alone is wanted */
    bool ranges;      /* the session's ranges are wanted */
    bool words;       /* and where words begin; of pairs only */
    lm_on_long on_long;
    size_t batch_tokens; /* 0: 512; a longer window is a batch of its own */
    lm_states *states;   /* that heads of one encoder share; NULL: none do */
    const char *prompt;  /* before each text */
    size_t prompt_length;
    size_t max_tokens; /* of a single text's window; 0: the model's, which is never exceeded */
    /*
     * Windows of single texts are filled up to so many tokens with one token; 0: they are not.
     * Unless `attended` nothing attends to these, and they attend to the text.
     */
    size_t filled_tokens;
    int32_t filler;
    bool attended;
    size_t excluded;     /* first tokens of a text that a window leaves out: the prompt's */
    lm_pair_cut cut;     /* of pairs */
    size_t pair_tokens;  /* of a pair's window, at most; 0: the model's window */
    size_t pair_overlap; /* tokens that windows over a second text have in common */
    /* The token behind which a pair's types are 1, and up to which they are 0; NULL: the tokenizer
     * says them. */
    const int32_t *separator;
    /*
     * A window of `tokens` tokens and its hidden states, (tokens, D) or the one row (D). They lie
     * in the session until the next batch runs.
     */
    lm_status (*take)(void *opaque, const lm_window *window, const float *hidden, size_t tokens);
    void *opaque;
    lm_embed_counts *counts; /* may be NULL: what was computed is added */

    bool spelled;           /* the net reads words by their letters, which the session has */
    lm_text text;           /* that is added, with its prompt */
    lm_letter_place read;   /* how far its letters are */
    size_t tokens, windows; /* in the batch */
    size_t longest;         /* tokens of its longest window */
} lm_batcher;

/* Tokenize a text into windows of the batch, which runs whenever it is full. */
lm_status lm_batch_add(lm_batcher *batcher, const lm_text *text, size_t index);
/*
 * The same for a pair, joined by the tokenizer's template, without a prompt. LM_LONG_ERROR refuses
 * a pair that would be cut; LM_LONG_MEAN means no more than LM_LONG_TRUNCATE. `ranges` are those of
 * the second text's tokens, all others have none.
 */
lm_status lm_batch_add_pair(lm_batcher *batcher, const lm_text pair[2], size_t index);
/* Run what is in the batch, and empty it. */
lm_status lm_batch_flush(lm_batcher *batcher);

#endif
