/*
 * layers_vectors.c - vectors of words that a model has, as the first values of a net's embedding.
 */
#include "train/layers_vectors.h"

#include <math.h>
#include <string.h>

#include "model/vectors.h"

#define WORDS_PER_POLL 4096

void
lm_layers_vectors_init(lm_layers_vectors *vectors, lm_context *ctx)
{
    *vectors = (lm_layers_vectors){.ctx = ctx};
    lm_buffer_init(&vectors->places, ctx);
    lm_buffer_init(&vectors->rows, ctx);
}

void
lm_layers_vectors_close(lm_layers_vectors *vectors)
{
    lm_buffer_free(&vectors->places);
    lm_buffer_free(&vectors->rows);
}

static const lm_vectors *
view_of(const lm_model *model)
{
    return model->views[LM_SECTION_VECTORS];
}

bool
lm_layers_vectors_are_of(const lm_model *model)
{
    const lm_vectors *view = view_of(model);

    return view && !view->sparse && view->bag == LM_BAG_NONE && lm_model_tokenizer(model);
}

lm_status
lm_layers_vectors_open(lm_layers_vectors *vectors, const lm_train_base *base, int64_t wanted)
{
    vectors->model = base->model;
    vectors->width = (size_t)view_of(base->model)->width;
    if (wanted == (int64_t)vectors->width)
        return LM_OK;
    lm_raise(vectors->ctx, LM_BAD_ARGUMENT,
             "the embedding is not as wide as the vectors of the base");
    lm_detail_key(vectors->ctx, "layers[0].embedding");
    lm_detail_found(vectors->ctx, "%lld", (long long)wanted);
    return lm_detail_allowed(vectors->ctx, "%zu", vectors->width);
}

/* Where the word's vector is copied to; -1: it has none. */
static lm_status
copy_vector(lm_layers_vectors *vectors, const char *word, size_t length, int32_t *place)
{
    const lm_vectors *view = view_of(vectors->model);
    const size_t bytes = vectors->width * sizeof(float);
    const int32_t id = lm_token_id(lm_model_tokenizer(vectors->model), word, length);

    *place = -1;
    if (id < 0 || id >= view->rows)
        return LM_OK;
    *place = (int32_t)(vectors->rows.size / bytes);
    return lm_buffer_append(&vectors->rows, view->table + (size_t)id * vectors->width, bytes);
}

lm_status
lm_layers_vectors_add(lm_layers_vectors *vectors, const lm_vocabulary *vocabulary)
{
    const uint32_t known = (uint32_t)(vectors->places.size / sizeof(int32_t));

    for (uint32_t i = known; vectors->model && i < vocabulary->tokens.count; i++) {
        size_t length;
        const char *word = lm_intern_bytes(&vocabulary->tokens, i, &length);
        int32_t place = -1;

        if (i % WORDS_PER_POLL == 0)
            LM_TRY(lm_poll(vectors->ctx));
        if (i >= vocabulary->specials)
            LM_TRY(copy_vector(vectors, word, length, &place));
        LM_TRY(lm_buffer_append(&vectors->places, &place, sizeof place));
    }
    return LM_OK;
}

/* The root of the mean square of all numbers that were copied. */
static lm_status
find_spread(const lm_layers_vectors *vectors, float *spread)
{
    const float *numbers = (const float *)(const void *)vectors->rows.data;
    const size_t count = vectors->rows.size / sizeof *numbers;
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        if (i % (WORDS_PER_POLL * vectors->width) == 0)
            LM_TRY(lm_poll(vectors->ctx));
        sum += (double)numbers[i] * (double)numbers[i];
    }
    *spread = count > 0 ? (float)sqrt(sum / (double)count) : 1;
    return LM_OK;
}

/* A word of vocab.txt. */
static lm_status
give_row(lm_layers_vectors *vectors, const lm_vocabulary *vocabulary, const char *word,
         size_t length, float spread, float *row)
{
    const int32_t *places = (const int32_t *)(const void *)vectors->places.data;
    const float *numbers = (const float *)(const void *)vectors->rows.data;
    uint32_t number = 0;
    bool found;

    LM_TRY(lm_intern_find(&vocabulary->tokens, word, length, &found, &number));
    if (found && number < vectors->places.size / sizeof *places && places[number] >= 0) {
        vectors->found++;
        memcpy(row, numbers + (size_t)places[number] * vectors->width,
               vectors->width * sizeof *row);
        return LM_OK;
    }
    for (size_t i = 0; i < vectors->width; i++)
        row[i] *= spread;
    return LM_OK;
}

lm_status
lm_layers_vectors_give(lm_layers_vectors *vectors, const lm_vocabulary *vocabulary,
                       const lm_buffer *vocab, float *table)
{
    const char *word = vocab->data, *end = vocab->data + vocab->size;
    float spread;

    LM_TRY(find_spread(vectors, &spread));
    vectors->found = 0;
    for (size_t row = 0; word < end; row++) {
        const char *stop = memchr(word, '\n', (size_t)(end - word));

        if (row % WORDS_PER_POLL == 0)
            LM_TRY(lm_poll(vectors->ctx));
        LM_TRY(give_row(vectors, vocabulary, word, (size_t)(stop - word), spread,
                        table + row * vectors->width));
        word = stop + 1;
    }
    if (vectors->found > 0)
        return LM_OK;
    lm_raise(vectors->ctx, LM_BAD_ARGUMENT, "the base has a vector for no word of the rows");
    return lm_detail_key(vectors->ctx, "base");
}
