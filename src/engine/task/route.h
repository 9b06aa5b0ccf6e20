/*
 * route.h - which way texts of a side take through a model: a Router has several.
 */
#ifndef LM_TASK_ROUTE_H
#define LM_TASK_ROUTE_H

#include "model/model.h"

/* The model whose encoder runs for a side; LM_UNSUPPORTED where its Router has no way for it. */
lm_status lm_route_find(lm_context *ctx, const lm_model *model, lm_side side,
                        const lm_model **route);

#endif
