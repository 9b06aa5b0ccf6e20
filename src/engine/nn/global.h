/*
 * global.h - attention with tokens that see all of a text and are seen by all (private to nn).
 */
#ifndef LM_NN_GLOBAL_H
#define LM_NN_GLOBAL_H

#include "nn/layer.h"

/* Numbers of the workspace that texts of up to so many tokens need; 0 without such tokens. */
size_t lm_global_room(const lm_stack *stack, size_t longest);

/* pass->attention of texts first … end − 1, whose queries, keys and values pass->wide begins with;
 * of the outputs alone where only they are asked for. */
lm_status lm_global_attend(const stack_layer *l, size_t first, size_t end);

#endif
