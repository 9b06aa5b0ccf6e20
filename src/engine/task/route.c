/*
 * route.c - the way of a side; the contract is in route.h.
 */
#include "task/route.h"

/* What is said where a model has no way for a side. */
static const struct {
    const char *message, *hint;
} missing[LM_SIDE_COUNT] = {
    {"the model has routes for queries and for documents, and none by default",
     "Use lmtext.embed_query and lmtext.embed_document, or the argument role of sparse vectors."},
    {"the model has no route for queries", "It was made without one."},
    {"the model has no route for documents", "It was made without one."},
};

lm_status
lm_route_find(lm_context *ctx, const lm_model *model, lm_side side, const lm_model **route)
{
    *route = lm_model_route(lm_model_encoder(model), side);
    if (*route)
        return LM_OK;
    lm_raise(ctx, LM_UNSUPPORTED, "%s", missing[side].message);
    return lm_detail_hint(ctx, "%s", missing[side].hint);
}
