/*
 * pieces.h - the behaviours of Split and Punctuation: what becomes of the matches of a pattern and
 * of what stands between them.
 */
#ifndef LM_PIECES_H
#define LM_PIECES_H

#include "token/stage.h"

typedef enum lm_behavior {
    LM_REMOVED,
    LM_ISOLATED,
    LM_MERGED_WITH_PREVIOUS,
    LM_MERGED_WITH_NEXT,
    LM_CONTIGUOUS,
    LM_BEHAVIORS
} lm_behavior;

/* A text's pieces on their way into words; the last one waits for what may join it. */
typedef struct lm_pieces {
    lm_context *ctx;
    lm_ranges *words;
    lm_behavior behavior;
    bool waits;    /* there is a last piece … */
    lm_range last; /* … with what joined it … */
    bool matched;  /* … of which the end is a match */
} lm_pieces;

/* The member `behavior`; Isolated where there is none and that is allowed. */
lm_status lm_behavior_read(lm_context *ctx, lm_field field, bool optional, lm_behavior *behavior);

/* All pieces of a range, in order, matches and others; some may be empty. */
lm_status lm_pieces_add(lm_pieces *pieces, size_t start, size_t stop, bool matches);
lm_status lm_pieces_end(lm_pieces *pieces);

#endif
