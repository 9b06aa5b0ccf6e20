/*
 * rope.c - checks of what config.json says of positions and of the kinds of layers.
 */
#include "family/rope.h"

const lm_word lm_rope_words[] = {{"default", 0}, {NULL, 0}};

lm_status
lm_rope_check(lm_context *ctx, const char *key, int head_dim)
{
    if (head_dim > 0 && head_dim % 2 == 0)
        return LM_OK;
    lm_raise(ctx, LM_BAD_MODEL, "a head's numbers cannot be turned in pairs");
    lm_detail_file(ctx, "config.json");
    lm_detail_key(ctx, "%s", key);
    lm_detail_found(ctx, "%d numbers in each head", head_dim);
    return lm_detail_allowed(ctx, "an even number");
}

/* Heads that share keys do so in groups of one size. */
lm_status
lm_rope_check_groups(lm_context *ctx, int heads, int kv_heads)
{
    if (heads % kv_heads == 0)
        return LM_OK;
    lm_raise(ctx, LM_BAD_MODEL, "the attention heads are not a multiple of the heads of keys");
    lm_detail_file(ctx, "config.json");
    lm_detail_key(ctx, "num_key_value_heads");
    lm_detail_found(ctx, "%d", kv_heads);
    return lm_detail_allowed(ctx, "a divisor of num_attention_heads, which is %d", heads);
}

static lm_status
refuse_types(lm_context *ctx, const char *found, const char *allowed)
{
    lm_raise(ctx, LM_UNSUPPORTED, "the kinds of the model's layers are not supported");
    lm_detail_file(ctx, "config.json");
    lm_detail_key(ctx, "layer_types");
    lm_detail_found(ctx, "%s", found);
    return lm_detail_allowed(ctx, "%s", allowed);
}

/* One entry; *full says which it is. */
static lm_status
read_type(lm_context *ctx, const lm_json *type, bool windows, bool *full)
{
    char found[80];

    *full = lm_json_is_string(type, "full_attention");
    if (*full || (windows && lm_json_is_string(type, "sliding_attention")))
        return LM_OK;
    lm_json_show(type, found, sizeof found);
    return refuse_types(
        ctx, found, windows ? "\"full_attention\" or \"sliding_attention\"" : "\"full_attention\"");
}

/* The array has an entry for each layer. */
static lm_status
check_count(lm_context *ctx, const lm_json *types, int layers)
{
    if (types->type == LM_JSON_ARRAY && types->as.items.count == (size_t)layers)
        return LM_OK;
    lm_raise(ctx, LM_BAD_MODEL, "a setting of the model has the wrong type");
    lm_detail_file(ctx, "config.json");
    lm_detail_key(ctx, "layer_types");
    if (types->type == LM_JSON_ARRAY)
        lm_detail_found(ctx, "an array of %zu", (size_t)types->as.items.count);
    else
        lm_detail_found(ctx, "%s", lm_json_type_name(types));
    return lm_detail_allowed(ctx, "an array of %d strings", layers);
}

/*
 * How far full layers are apart is known by the first of them, or by the second where the first is
 * layer 0; the others must be where that says.
 */
lm_status
lm_layer_types_check(lm_context *ctx, const lm_json *config, int layers, int32_t *every, bool last)
{
    const lm_json *types = lm_json_get(config, "layer_types");
    int32_t apart = 0, layer = last;

    if (!types || types->type == LM_JSON_NULL)
        return LM_OK;
    LM_TRY(check_count(ctx, types, layers));
    for (const lm_json *type = types->as.items.first; type; type = type->next, layer++) {
        bool full;

        LM_TRY(lm_poll(ctx));
        LM_TRY(read_type(ctx, type, every != NULL, &full));
        if (full && layer > 0 && apart == 0)
            apart = layer;
        if (full != (layer == 0 || (apart > 0 && layer % apart == 0)))
            return refuse_types(ctx, "full layers at other distances",
                                last ? "one full layer behind so many others"
                                     : "a full layer first, and then one in so many");
    }
    if (every)
        *every = apart > 0 ? apart : layers + 1;
    return LM_OK;
}
