/*
 * embed.h - text to vector: tokenize into packed batches, run the encoder, pool, normalise.
 */
#ifndef LM_EMBED_H
#define LM_EMBED_H

#include "base/text.h"
#include "model/session.h"

typedef enum lm_on_long { LM_LONG_TRUNCATE, LM_LONG_ERROR, LM_LONG_MEAN } lm_on_long;

/* What of a pair of texts goes where it is longer than the window. */
typedef enum lm_pair_cut {
    LM_CUT_LONGEST,       /* tokens of the longer text, as the reference's longest_first */
    LM_CUT_FIRST,         /* of the first text only: only_first */
    LM_CUT_SECOND_WINDOWS /* nothing: windows over the second text, each behind the whole first */
} lm_pair_cut;

typedef struct lm_embed_options {
    const char *prompt_name; /* NULL: the model's default prompt, if any */
    const char *prompt;      /* literal prefix, overrides prompt_name; NULL: none */
    size_t prompt_length;
    int dimensions; /* 0: all; else cut and normalised again */
    lm_on_long on_long;
    size_t batch_tokens; /* tokens in one packed batch (0: 512); a longer text is one of its own */
    bool pairs;          /* each text is two, one behind the other, and has no prompt */
    lm_pair_cut cut;     /* of pairs beyond the window */
    lm_text own;  /* what else a task's results depend on, in a form of its own without pointers */
    int choice;   /* of a task's own: which aggregation, how many, which layer */
    lm_side side; /* of a search: its prompt counts without prompt_name and prompt */
    struct lm_states *states; /* of the encoder, for further heads on it; NULL: none are asked */
} lm_embed_options;

typedef struct lm_embed_counts {
    uint64_t texts, tokens, truncated, forwards;
} lm_embed_counts;

/* To a sum, which may be NULL. */
static inline void
lm_embed_counts_add(lm_embed_counts *sum, const lm_embed_counts *counts)
{
    if (!sum)
        return;
    sum->texts += counts->texts;
    sum->tokens += counts->tokens;
    sum->truncated += counts->truncated;
    sum->forwards += counts->forwards;
}

/* Width of the result for these options; LM_BAD_ARGUMENT when dimensions are out of range. */
lm_status lm_embed_width(lm_context *ctx, const lm_model *model, const lm_embed_options *options,
                         int *width);

/*
 * Embed count texts into out (count, width). Same bits for a text alone and in any batch. A vector
 * that is not finite is LM_BAD_MODEL. counts, which may be NULL, is added to, also where the
 * call fails: texts and tokens of the batches that were computed. `truncated` also counts texts
 * that were averaged over several windows.
 */
lm_status lm_embed(lm_context *ctx, lm_session *session, const lm_model *model,
                   const lm_text *texts, size_t count, const lm_embed_options *options, float *out,
                   lm_embed_counts *counts);

/*
 * Hidden states (tokens, D) of one text, cut at the window, after `layer` layers (0: embeddings;
 * -1: the last). They lie in the session and are valid until its next use.
 */
lm_status lm_hidden_states(lm_context *ctx, lm_session *session, const lm_model *model,
                           lm_text text, int layer, const float **hidden, size_t *tokens);

#endif
