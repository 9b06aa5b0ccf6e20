/*
 * layers_elmo.c - the description of a net on a language model; the contract is in layers_elmo.h.
 */
#include "train/layers_elmo.h"

#include <string.h>

bool
lm_layers_ask_elmo(const lm_json *layers)
{
    return layers && layers->type == LM_JSON_ARRAY && lm_json_get(layers->as.items.first, "elmo");
}

static lm_status
refuse(lm_context *ctx, const char *key, const char *allowed)
{
    lm_raise(ctx, LM_BAD_ARGUMENT, "the description of a layer is not supported");
    lm_detail_key(ctx, "layers[0].%s", key);
    return lm_detail_allowed(ctx, "%s", allowed);
}

static lm_status
read_elmo(lm_context *ctx, const lm_json *layer, bool *trainable)
{
    *trainable = false;
    for (const lm_json *member = layer->as.items.first; member; member = member->next) {
        const bool named = strcmp(member->key, "elmo") == 0;

        if (!named && strcmp(member->key, "trainable") != 0)
            return refuse(ctx, member->key, "trainable");
        if (member->type != LM_JSON_BOOL || (named && !member->boolean))
            return refuse(ctx, member->key, named ? "true" : "true or false");
        if (!named)
            *trainable = member->boolean;
    }
    return LM_OK;
}

/* The base's layers up to the recurrent one, which gets a mix. Nothing is dropped where nothing is
 * trained. */
static lm_status
write_layers(lm_arena *arena, const lm_net *base, bool trainable, lm_buffer *text)
{
    const size_t count = (size_t)(lm_net_stacked(base) - base->layers) + 1;
    lm_layer *layers = lm_arena_array(arena, count, sizeof *layers);

    if (!layers)
        return LM_NO_MEMORY;
    memcpy(layers, base->layers, count * sizeof *layers);
    for (size_t i = 0; i < count; i++) {
        layers[i].options.trainable = trainable;
        if (!trainable)
            layers[i].number = strcmp(layers[i].kind->name, "dropout") == 0 ? 0 : layers[i].number;
        if (!trainable)
            layers[i].options.dropout = 0;
    }
    layers[count - 1].options.mix = true;
    return lm_net_write(&(lm_net){.layers = layers, .layer_count = count}, text);
}

/* Both lists lie in the arena, and the first is ours alone. */
static const lm_json *
join(const lm_json *front, const lm_json *layers)
{
    lm_json *all = (lm_json *)(uintptr_t)front, *last;

    last = (lm_json *)(uintptr_t)all->as.items.first;
    while (last->next)
        last = (lm_json *)(uintptr_t)last->next;
    last->next = layers->as.items.first->next;
    all->as.items.count += layers->as.items.count - 1;
    return all;
}

lm_status
lm_layers_put_elmo(lm_context *ctx, lm_arena *arena, const lm_net *base, const lm_json **layers)
{
    const lm_json *front = NULL;
    bool trainable;
    lm_buffer text;
    lm_status status;

    LM_TRY(read_elmo(ctx, (*layers)->as.items.first, &trainable));
    lm_buffer_init(&text, ctx);
    status = write_layers(arena, base, trainable, &text);
    if (status == LM_OK)
        status = lm_json_parse(ctx, arena, text.data, text.size, "options", &front);
    lm_buffer_free(&text);
    if (status == LM_OK)
        *layers = join(front, *layers);
    return status;
}

size_t
lm_layers_elmo_params(const lm_net *base)
{
    const lm_layer *stacked = lm_net_stacked(base);

    return stacked->first + stacked->count;
}
