/*
 * vocabulary.c - tokens and their counts.
 */
#include "features/vocabulary.h"

#include <string.h>

#include "base/sort.h"
#include "features/ngrams.h"
#include "features/tfidf.h"

typedef struct ranked_token {
    int64_t count;
    uint32_t number;
} ranked_token;

void
lm_vocabulary_init(lm_vocabulary *v, lm_context *ctx)
{
    *v = (lm_vocabulary){.ctx = ctx};
    lm_intern_init(&v->tokens, ctx, "tokens");
}

void
lm_vocabulary_free(lm_vocabulary *v)
{
    lm_intern_free(&v->tokens);
    lm_free(v->ctx, v->counts);
    v->counts = NULL;
}

static lm_status
grow(lm_vocabulary *v, uint32_t number)
{
    const uint32_t room = v->room < 512 ? 1024 : 2 * v->room;
    int64_t *counts;

    if (number < v->room)
        return LM_OK;
    counts = lm_realloc(v->ctx, v->counts, room * sizeof *counts);
    if (!counts)
        return LM_NO_MEMORY;
    memset(counts + v->room, 0, (room - v->room) * sizeof *counts);
    v->counts = counts;
    v->room = room;
    return LM_OK;
}

static lm_status
add(lm_vocabulary *v, const char *bytes, size_t length, uint32_t *number)
{
    const uint32_t before = v->tokens.count;

    LM_TRY(lm_intern_add(&v->tokens, bytes, length, number));
    if (v->tokens.count > before && (v->bytes += length) > LM_FEATURE_BYTES_MAX) {
        lm_raise(v->ctx, LM_TOO_LARGE, "the texts have too many different tokens");
        lm_detail_allowed(v->ctx, "tokens of %zu bytes in all", LM_FEATURE_BYTES_MAX);
        return lm_detail_hint(v->ctx, "Use shorter n-grams, or fewer texts.");
    }
    return grow(v, *number);
}

lm_status
lm_vocabulary_special(lm_vocabulary *v, const char *bytes, size_t length, bool *twice)
{
    uint32_t number;

    LM_TRY(add(v, bytes, length, &number));
    *twice = number != v->specials;
    v->specials = v->tokens.count;
    return LM_OK;
}

lm_status
lm_vocabulary_count(lm_vocabulary *v, const char *bytes, size_t length, uint32_t *number)
{
    uint32_t found;

    LM_TRY(add(v, bytes, length, &found));
    v->counts[found]++;
    if (number)
        *number = found;
    return LM_OK;
}

static int
compare_tokens(const void *a, const void *b)
{
    const ranked_token *x = a, *y = b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return (x->number > y->number) - (x->number < y->number);
}

static uint32_t
list_tokens(const lm_vocabulary *v, int64_t min_count, ranked_token *list)
{
    uint32_t count = 0;

    for (uint32_t i = v->specials; i < v->tokens.count; i++)
        if (v->counts[i] >= min_count)
            list[count++] = (ranked_token){v->counts[i], i};
    return count;
}

lm_status
lm_vocabulary_rank(const lm_vocabulary *v, int64_t max_size, int64_t min_count, uint32_t **numbers,
                   uint32_t *count)
{
    ranked_token *list = lm_alloc_array(v->ctx, (size_t)v->tokens.count + 1, sizeof *list);
    const uint32_t found = list ? list_tokens(v, min_count, list) : 0;
    lm_status status =
        list ? lm_sort(v->ctx, list, found, sizeof *list, compare_tokens) : LM_NO_MEMORY;

    *count = 0;
    *numbers = NULL;
    if (status == LM_OK &&
        !(*numbers = lm_alloc_array(v->ctx, (size_t)v->tokens.count + 1, sizeof **numbers)))
        status = LM_NO_MEMORY;
    for (uint32_t i = 0; status == LM_OK && i < v->specials; i++)
        (*numbers)[(*count)++] = i;
    for (uint32_t i = 0; status == LM_OK && i < found && (int64_t)*count < max_size; i++)
        (*numbers)[(*count)++] = list[i].number;
    lm_free(v->ctx, list);
    return status;
}
