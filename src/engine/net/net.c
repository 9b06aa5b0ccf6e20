/*
 * net.c - reading a description, and writing it.
 */
#include "net/net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"

#define POLL_EVERY 65536 /* values that are drawn */

static const char *const act_names[LM_ACT_COUNT] = {
    [LM_ACT_NONE] = "none", [LM_ACT_GELU] = "gelu", [LM_ACT_GELU_TANH] = "gelu_tanh",
    [LM_ACT_RELU] = "relu", [LM_ACT_SILU] = "silu", [LM_ACT_TANH] = "tanh",
};

/* Reading one. */
typedef struct reading {
    lm_context *ctx;
    lm_arena *arena;
    const lm_net_source *source;
    lm_layer *layers; /* (LM_NET_LAYERS_MAX + 1) */
    size_t count;
} reading;

/* ---- Refusals ---- */

static lm_status
refuse(const reading *r, int place, const char *key, const lm_json *found, const char *allowed)
{
    char shown[80];

    lm_raise(r->ctx, r->source->refused, "the description of a layer is not supported");
    lm_detail_file(r->ctx, r->source->file);
    lm_detail_key(r->ctx, "layers[%d]%s%s", place, key ? "." : "", key ? key : "");
    if (found) {
        lm_json_show(found, shown, sizeof shown);
        lm_detail_found(r->ctx, "%s", shown);
    }
    return lm_detail_allowed(r->ctx, "%s", allowed);
}

/* A list of words, as far as it fits. */
typedef struct words {
    char text[320];
    size_t used;
} words;

static void
add_word(words *list, const char *word)
{
    if (list->used < sizeof list->text)
        list->used += (size_t)snprintf(list->text + list->used, sizeof list->text - list->used,
                                       "%s%s", list->used > 0 ? ", " : "", word);
}

static lm_status
refuse_kind(const reading *r, int place, const lm_json *layer)
{
    words list = {.used = 0};

    for (int i = 0; lm_layer_kinds[i]; i++) {
        add_word(&list, lm_layer_kinds[i]->name);
        if (lm_layer_kinds[i]->both)
            add_word(&list, lm_layer_kinds[i]->both);
    }
    return refuse(r, place, NULL, layer, list.text);
}

static lm_status
refuse_option(const reading *r, const lm_layer *layer, const lm_json *member)
{
    words list = {.used = 0};

    for (int i = 0; i < layer->kind->option_count; i++)
        add_word(&list, layer->kind->options[i].key);
    return refuse(r, layer->place, member->key, member,
                  list.used > 0 ? list.text : "no option: this layer has none");
}

/* ---- Options ---- */

static bool
number_fits(const lm_json *value, bool whole, double low, double high)
{
    return value->type == LM_JSON_NUMBER && (!whole || value->is_integer) &&
           value->as.number >= low && value->as.number <= high;
}

static lm_status
read_option(const reading *r, lm_layer *layer, const lm_option *option, const lm_json *value)
{
    char *field = (char *)&layer->options + option->offset;

    switch (option->type) {
    case LM_OPTION_BOOL:
        if (value->type != LM_JSON_BOOL)
            break;
        *(int64_t *)(void *)field = value->boolean;
        return LM_OK;
    case LM_OPTION_INT:
        if (!number_fits(value, true, option->low, option->high))
            break;
        *(int64_t *)(void *)field = value->integer;
        return LM_OK;
    case LM_OPTION_FLOAT:
        if (!number_fits(value, false, option->low, option->high))
            break;
        *(double *)(void *)field = value->as.number;
        return LM_OK;
    case LM_OPTION_TEXT:
    case LM_OPTION_JSON:
        if (value->type != LM_JSON_STRING)
            break;
        *(const char **)(void *)field = value->as.string.bytes;
        return LM_OK;
    }
    return refuse(r, layer->place, option->key, value, option->wanted);
}

static const lm_option *
option_named(const lm_layer_kind *kind, const char *key)
{
    for (int i = 0; i < kind->option_count; i++)
        if (strcmp(kind->options[i].key, key) == 0)
            return &kind->options[i];
    return NULL;
}

static lm_status
read_options(const reading *r, lm_layer *layer, const lm_json *json)
{
    for (const lm_json *member = json->as.items.first; member; member = member->next) {
        const lm_option *option = option_named(layer->kind, member->key);

        if (strcmp(member->key, layer->said) == 0)
            continue;
        if (!option)
            return refuse_option(r, layer, member);
        LM_TRY(read_option(r, layer, option, member));
    }
    return LM_OK;
}

/* ---- One layer ---- */

static bool
kind_named(const char *name, const lm_layer_kind **kind, bool *both)
{
    for (int i = 0; lm_layer_kinds[i]; i++) {
        *kind = lm_layer_kinds[i];
        *both = (*kind)->both && strcmp((*kind)->both, name) == 0;
        if (*both || strcmp((*kind)->name, name) == 0)
            return true;
    }
    return false;
}

/* The member that names the layer. `dropout` is an option too: where there is another, that names
 * it. */
static const lm_json *
naming_member(const lm_json *json, lm_layer *layer)
{
    const lm_json *found = NULL;

    for (const lm_json *member = json->as.items.first; member; member = member->next) {
        const lm_layer_kind *kind;
        bool both;

        if (!kind_named(member->key, &kind, &both) ||
            (found && strcmp(member->key, "dropout") == 0))
            continue;
        if (found && strcmp(found->key, "dropout") != 0)
            continue;
        found = member;
        layer->kind = kind;
        layer->both = both;
        layer->said = member->key;
    }
    return found;
}

static lm_status
read_word(const reading *r, lm_layer *layer, const lm_json *value)
{
    words list = {.used = 0};

    for (size_t i = 0; layer->kind->words[i]; i++) {
        if (lm_json_is_string(value, layer->kind->words[i])) {
            layer->size = i;
            return LM_OK;
        }
        add_word(&list, layer->kind->words[i]);
    }
    return refuse(r, layer->place, layer->said, value, list.text);
}

static lm_status
read_size(const reading *r, lm_layer *layer, const lm_json *value)
{
    const lm_layer_kind *kind = layer->kind;
    const bool whole = kind->high >= 1;
    char allowed[80];

    if (kind->named)
        return read_word(r, layer, value);
    if (kind->plain)
        return value->type == LM_JSON_BOOL && value->boolean
                   ? LM_OK
                   : refuse(r, layer->place, layer->said, value, "true");
    if (number_fits(value, whole, kind->low, kind->high)) {
        layer->number = value->as.number;
        layer->size = (size_t)layer->number;
        return LM_OK;
    }
    snprintf(allowed, sizeof allowed, "a %s from %g to %g", whole ? "whole number" : "number",
             kind->low, kind->high);
    return refuse(r, layer->place, layer->said, value, allowed);
}

static lm_status
read_activation(const reading *r, lm_layer *layer)
{
    const lm_layer_kind *kind = layer->kind;
    words list = {.used = 0};

    layer->act = kind->acts[0];
    if (!layer->options.activation)
        return LM_OK;
    for (int i = 0; i < kind->act_count; i++) {
        layer->act = kind->acts[i];
        if (strcmp(act_names[layer->act], layer->options.activation) == 0)
            return LM_OK;
        add_word(&list, act_names[layer->act]);
    }
    return refuse(r, layer->place, "activation", NULL, list.text);
}

static lm_status
read_layer(const reading *r, const lm_json *json, int place, lm_layer *layer)
{
    const lm_json *value;

    *layer = (lm_layer){.place = place,
                        .options = {.layers = 1,
                                    .biases = 2,
                                    .kernel = 3,
                                    .trainable = 1,
                                    .reset_after = 1,
                                    .filters = 32}};
    if (json->type != LM_JSON_OBJECT)
        return refuse(r, place, NULL, json, "an object");
    value = naming_member(json, layer);
    if (!value)
        return refuse_kind(r, place, json);
    LM_TRY(read_size(r, layer, value));
    LM_TRY(read_options(r, layer, json));
    return read_activation(r, layer);
}

/* ---- All of them ---- */

static bool
is_characters(const lm_layer *layer)
{
    return strcmp(layer->kind->name, "characters") == 0;
}

static lm_status
read_layers(reading *r, const lm_json *json)
{
    const lm_json *item;

    if (!json || json->type != LM_JSON_ARRAY || json->as.items.count == 0 ||
        json->as.items.count > LM_NET_LAYERS_MAX) {
        lm_raise(r->ctx, r->source->refused, "the layers of the net are not a list of layers");
        lm_detail_file(r->ctx, r->source->file);
        lm_detail_key(r->ctx, "layers");
        return lm_detail_allowed(r->ctx, "an array of 1 to %d objects", LM_NET_LAYERS_MAX);
    }
    item = json->as.items.first;
    for (int place = 0; item; item = item->next, place++)
        LM_TRY(read_layer(r, item, place, &r->layers[r->count++]));
    if (strcmp(r->layers[0].kind->name, "embedding") != 0 && !is_characters(&r->layers[0]))
        return refuse(r, 0, NULL, json->as.items.first,
                      "an embedding or characters, which is the first layer");
    return LM_OK;
}

static bool
pools(const reading *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->layers[i].kind->pools)
            return true;
    return false;
}

/* What stands for a text where nobody says it. */
static void
imply_pool(reading *r)
{
    size_t at = r->count;
    lm_layer pool = {.place = -1, .said = "pool"};

    if (!r->source->by_text || pools(r))
        return;
    while (at > 1 && r->layers[at - 1].kind->by_row)
        at--;
    (void)kind_named("pool", &pool.kind, &pool.both);
    for (pool.size = 0;
         strcmp(pool.kind->words[pool.size], r->layers[at - 1].kind->cell ? "final" : "mean") != 0;)
        pool.size++;
    memmove(r->layers + at + 1, r->layers + at, (r->count - at) * sizeof *r->layers);
    r->layers[at] = pool;
    r->count++;
}

static bool
is_softmax(const lm_layer *layer)
{
    return strcmp(layer->kind->name, "softmax") == 0;
}

/* A language model ends in one, whose size is the vocabulary's. */
static void
imply_softmax(reading *r)
{
    lm_layer *last = &r->layers[r->count - 1];

    if (r->source->language && !is_softmax(last)) {
        *++last = (lm_layer){.place = (int)r->count++, .said = "softmax"};
        (void)kind_named("softmax", &last->kind, &last->both);
    }
    if (is_softmax(last))
        last->size = r->source->vocabulary;
}

/* What else a language model may not have: no word may be seen before it is predicted. */
static const char *
wrong_for_language(const reading *r, size_t i, bool *recurrent)
{
    const lm_layer *layer = &r->layers[i];

    if (layer->kind->cell) {
        const bool second = *recurrent;

        *recurrent = true;
        if (second)
            return "a language model has one recurrent layer; \"layers\" stacks them";
        return layer->both && !layer->options.separate
                   ? "each direction of a language model sees its own alone: \"separate\": true"
                   : NULL;
    }
    if (is_softmax(layer) && !*recurrent)
        return "a language model has a recurrent layer";
    return i == 0 || is_softmax(layer) || strcmp(layer->kind->name, "dropout") == 0
               ? NULL
               : "a language model is an embedding or characters, a recurrent layer, and dropout";
}

static const char *
wrong_at_end(const reading *r, size_t i)
{
    const bool last = i + 1 == r->count;

    if (i > 0 && !last && strcmp(r->layers[i].kind->name, "crf") == 0)
        return "a crf is the last layer";
    if (is_softmax(&r->layers[i]) && (!r->source->language || !last))
        return "a softmax over words is the last layer, of a language model";
    return NULL;
}

/* Widths from the first layer to the last. */
static lm_status
shape_layers(const reading *r, lm_net *net)
{
    size_t width = r->source->vocabulary;
    bool pooled = false, both = false, recurrent = false;

    for (size_t i = 0; i < r->count; i++) {
        lm_layer *layer = &r->layers[i];
        const char *wrong;

        layer->in = layer->out = width;
        layer->pooled = pooled;
        if (layer->kind->cell)
            both = layer->both;
        else if (layer->kind->pools || is_softmax(layer))
            layer->both = both;
        wrong = layer->kind->shapes ? layer->kind->shapes(layer) : NULL;
        if (!wrong && layer->kind->pools && !r->source->by_text)
            wrong = "a label for each token needs a row for each token";
        if (!wrong)
            wrong = wrong_at_end(r, i);
        if (!wrong && r->source->language && layer->options.mix)
            wrong = "a mix is of a net on a language model, not of the language model";
        if (!wrong && r->source->language)
            wrong = wrong_for_language(r, i, &recurrent);
        if (wrong)
            return refuse(r, layer->place, layer->said, NULL, wrong);
        width = layer->out;
        pooled = pooled || layer->kind->pools;
    }
    net->out = width;
    return LM_OK;
}

static lm_status
name_param(const reading *r, const lm_layer *layer, lm_net_param *param)
{
    char name[96];
    int length = snprintf(name, sizeof name, "%d.%s", layer->place, param->name);

    param->name = lm_arena_copy(r->arena, name, (size_t)length);
    return param->name ? LM_OK : LM_NO_MEMORY;
}

static lm_status
count_numbers(const reading *r, lm_net *net)
{
    for (size_t i = 0; i < net->param_count; i++) {
        const lm_net_param *param = &net->params[i];
        size_t count;

        if (lm_mul_overflows(param->rows, param->columns, &count) ||
            count > LM_NET_NUMBERS_MAX - net->numbers) {
            lm_raise(r->ctx, LM_TOO_LARGE, "the net has too many parameters");
            lm_detail_key(r->ctx, "%s", param->name);
            return lm_detail_allowed(r->ctx, "%llu in all", (unsigned long long)LM_NET_NUMBERS_MAX);
        }
        net->numbers += count;
        net->flops += param->table || param->rank < 2 ? 0 : 2 * (uint64_t)count;
    }
    return LM_OK;
}

static lm_status
list_params(const reading *r, lm_net *net)
{
    lm_net_param *params;

    for (size_t i = 0; i < r->count; i++) {
        lm_layer *layer = &r->layers[i];

        layer->first = net->param_count;
        layer->count = layer->kind->params ? layer->kind->params(layer, NULL) : 0;
        net->param_count += layer->count;
        if (strcmp(layer->kind->name, "crf") == 0)
            net->crf = layer->first;
        if (is_softmax(layer))
            net->softmax = layer->first;
    }
    params = lm_arena_array(r->arena, net->param_count, sizeof *params);
    if (!params)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < r->count; i++) {
        const lm_layer *layer = &r->layers[i];

        if (layer->count > 0)
            layer->kind->params(layer, params + layer->first);
        for (size_t j = 0; j < layer->count; j++)
            LM_TRY(name_param(r, layer, &params[layer->first + j]));
    }
    net->params = params;
    return count_numbers(r, net);
}

lm_status
lm_net_make(lm_context *ctx, lm_arena *arena, const lm_json *layers, const lm_net_source *source,
            lm_net *net)
{
    reading r = {ctx, arena, source, NULL, 0};

    *net = (lm_net){.vocabulary = source->vocabulary, .by_text = source->by_text};
    r.layers = lm_arena_zero(arena, (LM_NET_LAYERS_MAX + 1) * sizeof *r.layers);
    if (!r.layers)
        return LM_NO_MEMORY;
    LM_TRY(read_layers(&r, layers));
    imply_pool(&r);
    imply_softmax(&r);
    LM_TRY(shape_layers(&r, net));
    net->layers = r.layers;
    net->characters = is_characters(&r.layers[0]);
    net->layer_count = r.count;
    return list_params(&r, net);
}

/* ---- Writing ---- */

static lm_status
write_option(const lm_layer *layer, const lm_option *option, lm_buffer *out)
{
    const char *field = (const char *)&layer->options + option->offset;

    LM_TRY(lm_buffer_printf(out, ", \"%s\": ", option->key));
    if (option->type == LM_OPTION_TEXT)
        return lm_buffer_printf(out, "\"%s\"", act_names[layer->act]);
    if (option->type == LM_OPTION_FLOAT)
        return lm_buffer_printf(out, "%.17g", *(const double *)(const void *)field);
    if (option->type == LM_OPTION_BOOL)
        return lm_buffer_append_string(out,
                                       *(const int64_t *)(const void *)field ? "true" : "false");
    return lm_buffer_printf(out, "%lld", (long long)*(const int64_t *)(const void *)field);
}

static lm_status
write_layer(const lm_layer *layer, lm_buffer *out)
{
    const lm_layer_kind *kind = layer->kind;

    LM_TRY(lm_buffer_printf(out, "%s{\"%s\": ", layer->place > 0 ? ", " : "",
                            layer->both && kind->both ? kind->both : kind->name));
    if (kind->named)
        LM_TRY(lm_buffer_printf(out, "\"%s\"", kind->words[layer->size]));
    else if (kind->plain)
        LM_TRY(lm_buffer_append_string(out, "true"));
    else
        LM_TRY(lm_buffer_printf(out, "%.17g", layer->number));
    for (int i = 0; i < kind->option_count; i++)
        LM_TRY(write_option(layer, &kind->options[i], out));
    return lm_buffer_append_byte(out, '}');
}

lm_status
lm_net_write(const lm_net *net, lm_buffer *out)
{
    LM_TRY(lm_buffer_append_byte(out, '['));
    for (size_t i = 0; i < net->layer_count; i++)
        if (net->layers[i].place >= 0)
            LM_TRY(write_layer(&net->layers[i], out));
    return lm_buffer_append_byte(out, ']');
}

/* ---- Values before training ---- */

/* Box and Muller 1958. */
static double
normal(lm_rng *rng)
{
    const double a = 1 - lm_rng_uniform(rng), b = lm_rng_uniform(rng);

    return sqrt(-2 * log(a)) * cos(6.28318530717958647692 * b);
}

lm_status
lm_net_init(lm_context *ctx, const lm_net *net, size_t param, uint64_t seed, float *values)
{
    const lm_net_param *p = &net->params[param];
    const double middle = (double)p->middle, spread = (double)p->spread;
    lm_rng rng;

    lm_rng_seed(&rng, seed + param * 0x9e3779b97f4a7c15u);
    for (size_t i = 0; i < p->rows * p->columns; i++) {
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        values[i] = (float)(p->normal ? middle + spread * normal(&rng)
                                      : middle + spread * (2 * lm_rng_uniform(&rng) - 1));
    }
    return LM_OK;
}
