/*
 * metaspace.c - reads a Metaspace, and runs that of a pre-tokenizer.
 */
#include "token/metaspace.h"

#include <string.h>

static const struct {
    const char *name;
    unsigned setting;
} schemes[] = {{"always", LM_METASPACE_ALWAYS}, {"first", LM_METASPACE_FIRST}, {"never", 0}};

/* "always" where it is left out; an older member may say the same once more, and nothing else. */
static lm_status
read_scheme(lm_context *ctx, lm_field field, unsigned *settings)
{
    const lm_json *scheme = lm_json_get(field.object, "prepend_scheme");
    size_t i = 0;
    bool given, prefix = true;

    while (scheme && i < 3 && !lm_json_is_string(scheme, schemes[i].name))
        i++;
    if (i == 3)
        return lm_field_wrong(ctx, field, "prepend_scheme", scheme, "always, first or never");
    LM_TRY(lm_field_optional_bool(ctx, field, "add_prefix_space", &given, &prefix));
    if (!prefix && schemes[i].setting != 0)
        return lm_field_wrong(ctx, field, "add_prefix_space",
                              lm_json_get(field.object, "add_prefix_space"),
                              "true, or prepend_scheme \"never\"");
    *settings = schemes[i].setting;
    return LM_OK;
}

lm_status
lm_metaspace_read(lm_context *ctx, lm_field field, lm_metaspace *metaspace)
{
    bool split;

    LM_TRY(lm_field_char(ctx, field, "replacement", &metaspace->replacement));
    LM_TRY(read_scheme(ctx, field, &metaspace->settings));
    LM_TRY(lm_field_bool(ctx, field, "split", true, &split));
    metaspace->settings |= split ? LM_METASPACE_SPLIT : 0;
    return LM_OK;
}

/*
 * "first" is what stands at the very start of the text: behind an added token, or behind characters
 * that the normalizer took away, nothing does.
 */
static bool
wants_prefix(unsigned settings, uint32_t c, int32_t at, uint32_t replacement)
{
    if (c == replacement || c == ' ')
        return false;
    return settings & LM_METASPACE_ALWAYS || (settings & LM_METASPACE_FIRST && at == 0);
}

lm_status
lm_metaspace_change(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                    const lm_chars *from, lm_range range, lm_chars *to, lm_ranges *words)
{
    const uint32_t replacement = *(const uint32_t *)lm_image_at(image, op->args);
    size_t start = to->count;

    LM_TRY(lm_chars_reserve(ctx, to, start + range.stop - range.start + 1));
    if (wants_prefix(op->flags, from->c[range.start], from->at[range.start], replacement))
        lm_chars_put(to, replacement, from->at[range.start]);
    for (size_t i = range.start; i < range.stop; i++) {
        uint32_t c = from->c[i] == ' ' ? replacement : from->c[i];

        LM_TRY(lm_poll_step(ctx, i));
        if (c == replacement && op->flags & LM_METASPACE_SPLIT && to->count > start) {
            LM_TRY(lm_ranges_add(ctx, words, start, to->count));
            start = to->count;
        }
        lm_chars_put(to, c, from->at[i]);
    }
    return lm_ranges_add(ctx, words, start, to->count);
}
