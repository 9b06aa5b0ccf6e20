/*
 * states.h - hidden states of windows that were computed lately, for further heads on the same
 * encoder. A window is known by its tokens: nothing else that its hidden states depend on differs
 * between callers of one encoder. So a result has the same bits as one that was computed.
 *
 * The oldest go where room is needed. What cannot be kept is computed again: nothing here fails.
 */
#ifndef LM_TASK_STATES_H
#define LM_TASK_STATES_H

#include "base/context.h"

/* Of hidden states that are kept at a time: five thousand tokens of a width of 384. */
#define LM_STATES_BYTES ((size_t)8 << 20)
/* Of one window, which may be longer than that, and is alone then. */
#define LM_STATES_LONGEST ((size_t)32 << 20)
#define LM_STATES_WINDOWS 256

/* Zeroed, and a context whose memory lives as long; of one encoder. */
typedef struct lm_states {
    lm_context *ctx;
    struct lm_kept_window *windows[LM_STATES_WINDOWS]; /* a ring */
    size_t first, count;
    size_t next; /* from the first on, which the next caller is likely to ask for */
    size_t bytes;
} lm_states;

/* The tokens of a window. */
typedef struct lm_window_tokens {
    const int32_t *ids, *types;
    size_t count;
} lm_window_tokens;

/* Hidden states (count, D) of the encoder's last layer, or NULL. Valid until the next is kept. */
const float *lm_states_find(lm_states *states, const lm_window_tokens *tokens);
void lm_states_keep(lm_states *states, const lm_window_tokens *tokens, const float *hidden,
                    size_t width);
void lm_states_clear(lm_states *states); /* gives all memory back */

#endif
