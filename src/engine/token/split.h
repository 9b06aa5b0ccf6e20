/*
 * split.h - finds added tokens: in the text before anything else, and, where `normalized` is set,
 * in each normalized stretch between those.
 */
#ifndef LM_SPLIT_H
#define LM_SPLIT_H

#include "base/context.h"
#include "token/image.h"

/* Goes through a text: stretches of plain text and added tokens, in the reference's order. */
typedef struct lm_split {
    lm_context *ctx;
    lm_status status; /* why the end came early: a cancel */
    const lm_token_image *image;
    const lm_matcher *matcher;
    const char *text;
    size_t length;
    bool parse_special;
    size_t search;      /* where the next match is looked for */
    size_t done;        /* stretches so far reach to here */
    size_t start, stop; /* the current stretch */
    int32_t id;         /* of the added token, or -1 for plain text */
    /* The token that follows the current plain stretch; pending_id is -1 when there is none. */
    size_t pending_start, pending_stop;
    int32_t pending_id;
} lm_split;

void lm_split_init(lm_split *split, lm_context *ctx, const lm_token_image *image,
                   const lm_matcher *matcher, const char *text, size_t length, bool parse_special);
/* Move to the next stretch; false at the end, and when split->status is not LM_OK. */
bool lm_split_next(lm_split *split);

#endif
