/*
 * pieces.c - pieces to words by behaviour.
 */
#include "token/pieces.h"

static const char *const names[LM_BEHAVIORS] = {
    [LM_REMOVED] = "Removed",
    [LM_ISOLATED] = "Isolated",
    [LM_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
    [LM_MERGED_WITH_NEXT] = "MergedWithNext",
    [LM_CONTIGUOUS] = "Contiguous",
};

lm_status
lm_behavior_read(lm_context *ctx, lm_field field, bool optional, lm_behavior *behavior)
{
    const lm_json *value = lm_json_get(field.object, "behavior");

    *behavior = LM_ISOLATED;
    if (!value && optional)
        return LM_OK;
    for (unsigned i = 0; i < LM_BEHAVIORS; i++)
        if (lm_json_is_string(value, names[i])) {
            *behavior = (lm_behavior)i;
            return LM_OK;
        }
    return lm_field_wrong(ctx, field, "behavior", value,
                          "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
}

/* [behaviour][what came last matches][this one matches] */
static const bool joins[LM_BEHAVIORS][2][2] = {
    [LM_MERGED_WITH_PREVIOUS] = {[false] = {[true] = true}},
    [LM_MERGED_WITH_NEXT] = {[true] = {[false] = true}},
    [LM_CONTIGUOUS] = {[false] = {[false] = true}, [true] = {[true] = true}},
};

/* An empty piece is no word. */
lm_status
lm_pieces_end(lm_pieces *pieces)
{
    lm_range last = pieces->last;

    if (!pieces->waits || last.start == last.stop ||
        (pieces->behavior == LM_REMOVED && pieces->matched))
        return LM_OK;
    return lm_ranges_add(pieces->ctx, pieces->words, last.start, last.stop);
}

lm_status
lm_pieces_add(lm_pieces *pieces, size_t start, size_t stop, bool matches)
{
    if (pieces->waits && joins[pieces->behavior][pieces->matched][matches]) {
        pieces->last.stop = stop;
    } else {
        LM_TRY(lm_pieces_end(pieces));
        pieces->last = (lm_range){start, stop};
        pieces->waits = true;
    }
    pieces->matched = matches;
    return LM_OK;
}
