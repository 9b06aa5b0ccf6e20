/*
 * embedding.c - the sum of a token's three embeddings. Positions count from 0 in every text.
 */
#include "nn/nn.h"

/* Tokens between two polls: a few rows each, read from memory at random. */
#define TOKENS_PER_POLL 4096

/*
 * Adds the three rows of one token. A model without type ids in its batch gets the row of type 0,
 * as the reference does.
 */
static void
embed_token(const lm_kernels *kernels, const lm_nn_embedding *args, size_t token, size_t position,
            float *out)
{
    size_t width = args->width, bytes = width * (args->bf16 ? sizeof(uint16_t) : sizeof(float));
    size_t type = args->type_ids ? (size_t)args->type_ids[token] : 0;
    const void *a = (const char *)args->words + (size_t)args->ids[token] * bytes;
    const void *b = (const char *)args->types + type * bytes;
    const void *c = (const char *)args->position + position * bytes;

    if (args->bf16)
        kernels->add_bf16(width, a, b, c, out + token * width);
    else
        kernels->add_f32(width, a, b, c, out + token * width);
}

/* Walks texts, not tokens, since the position is counted from the start of each text. */
lm_status
lm_nn_embed(lm_context *ctx, const lm_kernels *kernels, const lm_nn_embedding *args, float *out)
{
    for (size_t text = 0; text < args->texts; text++) {
        size_t start = args->offsets[text];

        for (size_t token = start; token < args->offsets[text + 1]; token++) {
            if (token % TOKENS_PER_POLL == 0)
                LM_TRY(lm_poll(ctx));
            embed_token(kernels, args, token, token - start, out);
        }
    }
    return LM_OK;
}
