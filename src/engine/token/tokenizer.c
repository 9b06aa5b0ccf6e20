/*
 * tokenizer.c - binds an image and tokenizes texts: one as a stream in one part, two as two of
 * them, truncated and put into the template.
 */
#include "token/tokenizer.h"

#include <string.h>

#include "token/stream.h"

/* Tokens that are copied between two polls. */
#define PIECE ((size_t)1 << 20)

static lm_status join_pair(lm_context *ctx, const lm_token_image *image, const lm_encoding *a,
                           const lm_encoding *b, const lm_token_options *options, lm_encoding *out);

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
    return LM_OK;
}

/* Every piece of a template that is no text. */
int
lm_tokenizer_special_count(const lm_tokenizer *tokenizer, bool pair)
{
    const lm_token_image *image = tokenizer->image;
    lm_span span = pair ? image->pair : image->single;

    return (int)span.count - (pair ? 2 : 1);
}

/* Of the template for one text; types are not negative. */
int32_t
lm_tokenizer_highest_type(const lm_tokenizer *tokenizer)
{
    const lm_token_image *image = tokenizer->image;
    const lm_piece *pieces = lm_image_at(image, image->single);
    int32_t highest = 0;

    for (uint64_t i = 0; i < image->single.count; i++)
        if (pieces[i].type > highest)
            highest = pieces[i].type;
    return highest;
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

/*
 * Cut the longer text first, as the reference's longest_first does: it keeps the shorter one whole
 * where it takes at most half of the room, and else halves the room.
 */
static void
cut_pair(lm_encoding *a, lm_encoding *b, size_t limit)
{
    bool swap = a->count > b->count;
    size_t low = swap ? b->count : a->count, high;

    high = low > limit ? low : limit - low > low ? limit - low : low;
    if (low + high > limit) {
        low = limit / 2;
        high = low + limit % 2;
    }
    a->count = swap ? high : low;
    b->count = swap ? low : high;
}

/* Both texts are tokenized whole: which one is cut depends on the length of both. */
lm_status
lm_tokenize_pair(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
                 const char *a, size_t a_length, const char *b, size_t b_length,
                 const lm_token_options *options, lm_encoding *out)
{
    lm_token_options plain = *options;
    size_t limit;

    LM_TRY(lm_token_limit(ctx, tokenizer, options, true, &limit));
    plain.add_special = false;
    plain.max_tokens = 0;
    LM_TRY(lm_tokenize(ctx, tokenizer, scratch, a, a_length, &plain, &scratch->a));
    LM_TRY(lm_tokenize(ctx, tokenizer, scratch, b, b_length, &plain, &scratch->b));
    out->truncated = scratch->a.count + scratch->b.count > limit;
    if (out->truncated)
        cut_pair(&scratch->a, &scratch->b, limit);
    return join_pair(ctx, tokenizer->image, &scratch->a, &scratch->b, options, out);
}

/* A special token stands nowhere in the texts. */
static void
put_special(lm_encoding *out, lm_piece piece)
{
    out->ids[out->count] = piece.id;
    out->type_ids[out->count] = piece.type;
    out->start[out->count] = out->stop[out->count] = 0;
    out->special[out->count++] = 1;
}

/* Some tokens of a text, each with the type of its place in the template. */
static void
put_tokens(lm_encoding *out, const lm_encoding *text, size_t first, size_t count, int32_t type,
           bool offsets)
{
    memcpy(out->ids + out->count, text->ids + first, count * sizeof *text->ids);
    if (offsets) {
        memcpy(out->start + out->count, text->start + first, count * sizeof *text->start);
        memcpy(out->stop + out->count, text->stop + first, count * sizeof *text->stop);
    }
    memset(out->special + out->count, 0, count);
    for (size_t i = 0; i < count; i++)
        out->type_ids[out->count + i] = type;
    out->count += count;
}

/* A whole text, in pieces between which a cancel is seen. */
static lm_status
put_text(lm_context *ctx, lm_encoding *out, const lm_encoding *text, int32_t type, bool offsets)
{
    for (size_t first = 0; first < text->count; first += PIECE) {
        size_t left = text->count - first;

        if (first > 0)
            LM_TRY(lm_poll(ctx));
        put_tokens(out, text, first, left < PIECE ? left : PIECE, type, offsets);
    }
    return LM_OK;
}

/* Put both texts into the template; without special tokens only its order and types count. */
static lm_status
join_pair(lm_context *ctx, const lm_token_image *image, const lm_encoding *a, const lm_encoding *b,
          const lm_token_options *options, lm_encoding *out)
{
    lm_span span = image->pair;
    const lm_piece *pieces = lm_image_at(image, span);

    out->count = 0;
    LM_TRY(lm_encoding_reserve(out, a->count + b->count + span.count));
    for (uint64_t i = 0; i < span.count; i++) {
        if (pieces[i].id >= 0 && options->add_special)
            put_special(out, pieces[i]);
        else if (pieces[i].id < 0)
            LM_TRY(put_text(ctx, out, pieces[i].id == LM_PIECE_A ? a : b, pieces[i].type,
                            options->offsets));
    }
    return LM_OK;
}

/* What the template makes of one text, on plain arrays of the caller. */
size_t
lm_tokenizer_surround(const lm_tokenizer *tokenizer, const int32_t *ids, size_t count,
                      int32_t *out_ids, int32_t *out_types)
{
    const lm_token_image *image = tokenizer->image;
    const lm_piece *pieces = lm_image_at(image, image->single);
    size_t written = 0;

    for (uint64_t i = 0; i < image->single.count; i++) {
        size_t length = pieces[i].id >= 0 ? 1 : count;

        if (length > 0)
            memcpy(out_ids + written, pieces[i].id >= 0 ? &pieces[i].id : ids,
                   length * sizeof *out_ids);
        for (size_t k = 0; k < length; k++)
            out_types[written++] = pieces[i].type;
    }
    return written;
}
