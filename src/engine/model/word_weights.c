/*
 * word_weights.c - weights of words by their texts. The weights that WordWeights has in a file of
 * tensors were made so too, and the library reads them here again.
 */
#include "model/word_weights.h"

#include <math.h>

#include "base/intern.h"
#include "base/lower.h"

#define WORDS_PER_POLL 4096

/* Weights under construction. */
typedef struct word_weights {
    lm_context *ctx;
    const char *file;
    const lm_json *config;
    lm_intern known; /* words of word_weights … */
    lm_buffer by;    /* … and their weights: float */
    lm_intern seen;  /* words of a vocabulary that has each once */
    lm_buffer lower; /* one word */
    float other;     /* unknown_word_weight */
    size_t count;
    float *weights;
} word_weights;

static lm_status
refuse(const word_weights *w, const char *key, const lm_json *found, const char *allowed)
{
    char shown[64] = "nothing";

    lm_raise(w->ctx, LM_BAD_MODEL, "the weights of words are malformed");
    lm_detail_file(w->ctx, w->file);
    lm_detail_key(w->ctx, "%s", key);
    if (found)
        lm_json_show(found, shown, sizeof shown);
    lm_detail_found(w->ctx, "%s", shown);
    return lm_detail_allowed(w->ctx, "%s", allowed);
}

static lm_status
read_number(const word_weights *w, const char *key, const lm_json *found, float *number)
{
    *number = found && found->type == LM_JSON_NUMBER ? (float)found->as.number : NAN;
    return isfinite(*number) ? LM_OK : refuse(w, key, found, "a number");
}

/* The keys of an object differ from each other: the reader of JSON sees to it. */
static lm_status
read_known(word_weights *w)
{
    const lm_json *known = lm_json_get(w->config, "word_weights");
    uint32_t number = 0;
    float weight;

    if (known && known->type != LM_JSON_OBJECT)
        return refuse(w, "word_weights", known, "an object of numbers");
    for (const lm_json *word = known ? known->as.items.first : NULL; word; word = word->next) {
        if (number % WORDS_PER_POLL == 0)
            LM_TRY(lm_poll(w->ctx));
        LM_TRY(read_number(w, word->key, word, &weight));
        LM_TRY(lm_intern_add(&w->known, word->key, word->key_length, &number));
        LM_TRY(lm_buffer_append(&w->by, &weight, sizeof weight));
    }
    return LM_OK;
}

static lm_status
find_weight(word_weights *w, const lm_json *word, float *weight)
{
    bool found = false;
    uint32_t number;

    LM_TRY(
        lm_intern_find(&w->known, word->as.string.bytes, word->as.string.length, &found, &number));
    if (!found) {
        w->lower.size = 0;
        LM_TRY(lm_lower_append(&w->lower, word->as.string.bytes, word->as.string.length));
        LM_TRY(lm_intern_find(&w->known, w->lower.data ? w->lower.data : "", w->lower.size, &found,
                              &number));
    }
    *weight = found ? ((const float *)(const void *)w->by.data)[number] : w->other;
    return LM_OK;
}

/* The next word of the vocabulary; where each counts once, one that was there is passed over. */
static lm_status
take_word(word_weights *w, const lm_json *word, bool once)
{
    uint32_t number;

    if (word->type != LM_JSON_STRING)
        return refuse(w, "vocab", word, "a list of words");
    if (once) {
        LM_TRY(lm_intern_add(&w->seen, word->as.string.bytes, word->as.string.length, &number));
        if (number < w->count)
            return LM_OK;
    }
    return find_weight(w, word, &w->weights[w->count++]);
}

static lm_status
make_weights(word_weights *w, lm_arena *arena, size_t room)
{
    const lm_json *vocab = lm_json_get(w->config, "vocab");
    const lm_json *other = lm_json_get(w->config, "unknown_word_weight");
    size_t place = 0;

    if (!vocab || vocab->type != LM_JSON_ARRAY || vocab->as.items.count == 0)
        return refuse(w, "vocab", vocab, "a list of words");
    if (other)
        LM_TRY(read_number(w, "unknown_word_weight", other, &w->other));
    LM_TRY(read_known(w));
    w->weights = lm_arena_zero(
        arena, (vocab->as.items.count > room ? vocab->as.items.count : room) * sizeof(float));
    if (!w->weights)
        return LM_NO_MEMORY;
    for (const lm_json *word = vocab->as.items.first; word; word = word->next) {
        if (place++ % WORDS_PER_POLL == 0)
            LM_TRY(lm_poll(w->ctx));
        LM_TRY(take_word(w, word, room == 0));
    }
    return LM_OK;
}

lm_status
lm_word_weights(lm_planner *p, const char *file, const lm_json *config, size_t room, size_t *count,
                const float **weights)
{
    word_weights w = {.ctx = p->ctx, .file = file, .config = config, .other = 1};
    lm_status status;

    lm_intern_init(&w.known, p->ctx, "words");
    lm_intern_hide(&w.known);
    lm_intern_init(&w.seen, p->ctx, "words");
    lm_intern_hide(&w.seen);
    lm_buffer_init(&w.by, p->ctx);
    lm_buffer_init(&w.lower, p->ctx);
    status = make_weights(&w, p->arena, room);
    *count = w.count;
    *weights = w.weights;
    lm_buffer_free(&w.lower);
    lm_buffer_free(&w.by);
    lm_intern_free(&w.seen);
    lm_intern_free(&w.known);
    return status;
}
