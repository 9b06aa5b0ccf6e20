/*
 * tokenizer.c - binds an image and tokenizes texts: one as a stream in one part, two as two of
 * them, truncated and put into the template.
 */
#include "token/tokenizer.h"

#include <string.h>

#include "token/models.h"
#include "token/stream.h"
#include "token/template.h"

/* What a scratch remembers of one view must not serve another that lies at the same address. */
static uint64_t
next_serial(void)
{
    static uint64_t last;

    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

/* A few comparisons and no allocation: done at every attach. */
lm_status
lm_tokenizer_bind(lm_context *ctx, const void *image, size_t size, lm_tokenizer *tokenizer)
{
    const lm_token_image *header = image;

    if (size < sizeof *header || header->magic != LM_TOKEN_MAGIC ||
        header->layout != LM_TOKEN_LAYOUT || header->size > size)
        return lm_raise(ctx, LM_CORRUPT,
                        "the stored tokenizer is damaged or was made by another version");
    tokenizer->image = image;
    tokenizer->size = header->size;
    tokenizer->vocab_size = header->vocab_size;
    tokenizer->serial = next_serial();
    return LM_OK;
}

int32_t
lm_token_unknown(const lm_tokenizer *tokenizer)
{
    const lm_token_image *image = tokenizer->image;

    return lm_token_model_of(image->model)->unknown(lm_image_at(image, image->settings));
}

bool
lm_token_continues(const lm_tokenizer *tokenizer, int32_t id)
{
    const lm_token_image *image = tokenizer->image;
    const lm_token_model *model = lm_token_model_of(image->model);

    return model->continues && model->continues(image, id);
}

bool
lm_tokenizer_marks_pieces(const lm_tokenizer *tokenizer)
{
    const lm_token_image *image = tokenizer->image;
    const lm_token_model *model = lm_token_model_of(image->model);

    return model->marks_pieces && model->marks_pieces(lm_image_at(image, image->settings));
}

bool
lm_tokenizer_cuts_left(const lm_tokenizer *tokenizer)
{
    return ((const lm_token_image *)tokenizer->image)->cuts_left;
}

/* The stream's only part. */
lm_status
lm_tokenize(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
            const char *text, size_t length, const lm_token_options *options, lm_encoding *out)
{
    lm_token_stream stream;

    LM_TRY(lm_token_stream_open(&stream, ctx, tokenizer, scratch, text, length, options));
    stream.part_tokens = SIZE_MAX;
    return lm_token_stream_next(&stream, out);
}

/* Tokens are written over and over into one part. */
lm_status
lm_count_tokens(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
                const char *text, size_t length, const lm_token_options *options, size_t *count)
{
    lm_token_stream stream;

    *count = 0;
    LM_TRY(lm_token_stream_open(&stream, ctx, tokenizer, scratch, text, length, options));
    do {
        LM_TRY(lm_token_stream_next(&stream, &scratch->a));
        *count += scratch->a.count;
    } while (scratch->a.count > 0);
    return LM_OK;
}

/* In place of token by token: counts may be in the millions. */
void
lm_tokenizer_cut_pair(size_t counts[2], size_t limit)
{
    bool swap = counts[0] > counts[1];
    size_t low = swap ? counts[1] : counts[0], high;

    high = low > limit ? low : limit - low > low ? limit - low : low;
    if (low + high > limit) {
        low = limit / 2;
        high = low + limit % 2;
    }
    counts[0] = swap ? high : low;
    counts[1] = swap ? low : high;
}

/* Both texts are tokenized whole: which one is cut depends on the length of both. */
lm_status
lm_tokenize_both(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
                 const char *a, size_t a_length, const char *b, size_t b_length,
                 const lm_token_options *options, size_t counts[2])
{
    lm_token_options plain = *options;

    plain.add_special = false;
    plain.max_tokens = 0;
    LM_TRY(lm_tokenize(ctx, tokenizer, scratch, a, a_length, &plain, &scratch->a));
    LM_TRY(lm_tokenize(ctx, tokenizer, scratch, b, b_length, &plain, &scratch->b));
    counts[0] = scratch->a.count;
    counts[1] = scratch->b.count;
    return LM_OK;
}

lm_token_part
lm_tokenizer_keep(const lm_tokenizer *tokenizer, size_t all, size_t count)
{
    return (lm_token_part){lm_tokenizer_cuts_left(tokenizer) ? all - count : 0, count};
}

/* Make a view of some tokens out of one of all; false: there are not so many. */
static bool
narrow(lm_encoding *text, lm_token_part part)
{
    if (part.first > text->count || part.count > text->count - part.first)
        return false;
    text->count = part.count;
    text->ids += part.first;
    text->start += part.first;
    text->stop += part.first;
    text->begins += part.first;
    text->spared += part.first;
    return true;
}

/* Views of the scratch's texts, which keep all their tokens. */
lm_status
lm_tokenize_join(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
                 const lm_token_part parts[2], const lm_token_options *options, lm_encoding *out)
{
    lm_encoding texts[2] = {scratch->a, scratch->b};

    for (int i = 0; i < 2; i++)
        if (!narrow(&texts[i], parts[i]))
            return lm_raise(ctx, LM_INTERNAL, "a pair of texts does not have so many tokens");
    return lm_template_join(ctx, tokenizer->image, &texts[0], &texts[1], options, out);
}

lm_status
lm_tokenize_pair(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
                 const char *a, size_t a_length, const char *b, size_t b_length,
                 const lm_token_options *options, lm_encoding *out)
{
    size_t limit, all[2], counts[2];
    lm_token_part parts[2];

    LM_TRY(lm_token_limit(ctx, tokenizer, options, true, &limit));
    LM_TRY(lm_tokenize_both(ctx, tokenizer, scratch, a, a_length, b, b_length, options, all));
    memcpy(counts, all, sizeof counts);
    out->truncated = all[0] + all[1] > limit;
    if (out->truncated)
        lm_tokenizer_cut_pair(counts, limit);
    for (int i = 0; i < 2; i++)
        parts[i] = lm_tokenizer_keep(tokenizer, all[i], counts[i]);
    return lm_tokenize_join(ctx, tokenizer, scratch, parts, options, out);
}
