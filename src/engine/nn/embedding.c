/*
 * embedding.c - the sum of a token's embeddings. Positions count anew in every text.
 */
#include <string.h>

#include "kernels/bf16.h"
#include "nn/nn.h"

/* Tokens between two polls: a few rows each, read from memory at random. */
#define TOKENS_PER_POLL 4096

/* Where a row of a table is; NULL where the model has no such table. */
static const void *
row_of(const lm_nn_embedding *args, const void *table, size_t row)
{
    size_t size = args->bf16 ? sizeof(uint16_t) : sizeof(float);

    return table ? (const char *)table + row * args->width * size : NULL;
}

static void
copy_row(const lm_nn_embedding *args, const void *row, float *out)
{
    if (!args->bf16)
        memcpy(out, row, args->width * sizeof(float));
    else
        for (size_t i = 0; i < args->width; i++)
            out[i] = lm_bf16_to(((const uint16_t *)row)[i]);
}

/* out += row, where there is one. */
static void
add_row(const lm_nn_embedding *args, const void *row, float *out)
{
    for (size_t i = 0; row && i < args->width; i++)
        out[i] += args->bf16 ? lm_bf16_to(((const uint16_t *)row)[i]) : ((const float *)row)[i];
}

/*
 * Adds the rows of one token. A model without type ids in its batch gets the row of type 0, as the
 * reference does.
 */
static void
embed_token(const lm_kernels *kernels, const lm_nn_embedding *args, size_t token, size_t position,
            float *out)
{
    size_t type = args->type_ids ? (size_t)args->type_ids[token] : 0;
    const void *word = row_of(args, args->words, (size_t)args->ids[token]);
    const void *b = row_of(args, args->types, type);
    const void *c = row_of(args, args->position, position);

    out += token * args->width;
    if (!args->words) {
        add_row(args, b, out);
        add_row(args, c, out);
        return;
    }
    if (!b) {
        b = c;
        c = NULL;
    }
    if (!b)
        copy_row(args, word, out);
    else if (args->bf16)
        kernels->add_bf16(args->width, word, b, c, out);
    else
        kernels->add_f32(args->width, word, b, c, out);
    add_row(args, args->common, out);
}

/* Walks texts, not tokens, since the position is counted from the start of each text. */
lm_status
lm_nn_embed(lm_context *ctx, const lm_kernels *kernels, const lm_nn_embedding *args, float *out)
{
    for (size_t text = 0; text < args->texts; text++) {
        size_t counted = 0;

        for (size_t token = args->offsets[text]; token < args->offsets[text + 1]; token++) {
            if (token % TOKENS_PER_POLL == 0)
                LM_TRY(lm_poll(ctx));
            embed_token(kernels, args, token, lm_nn_position_of(args, token, &counted), out);
        }
    }
    return LM_OK;
}

/* The word of a token, or 0 where the text has no such token. */
static void
put_word(const lm_nn_embedding *args, bool there, size_t token, float *out)
{
    if (there)
        copy_row(args, row_of(args, args->words, (size_t)args->ids[token]), out);
    else
        memset(out, 0, args->width * sizeof *out);
}

lm_status
lm_nn_trigrams(lm_context *ctx, const lm_nn_embedding *args, float *out)
{
    for (size_t text = 0; text < args->texts; text++) {
        size_t first = args->offsets[text], end = args->offsets[text + 1];

        for (size_t token = first; token < end; token++, out += 3 * args->width) {
            if (token % TOKENS_PER_POLL == 0)
                LM_TRY(lm_poll(ctx));
            put_word(args, token + 1 < end, token + 1, out);
            put_word(args, true, token, out + args->width);
            put_word(args, token > first, token - 1, out + 2 * args->width);
        }
    }
    return LM_OK;
}
