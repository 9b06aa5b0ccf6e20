/*
 * template.c - the templates of the post-processor, for one text and for two: how many special
 * tokens they have, and putting texts into them.
 */
#include "token/template.h"

#include <string.h>

#include "token/trim.h"

/* Tokens that are copied between two polls. */
#define PIECE ((size_t)1 << 20)

/* Every piece of a template that is no text. */
int
lm_tokenizer_special_count(const lm_tokenizer *tokenizer, bool pair)
{
    const lm_token_image *image = tokenizer->image;
    lm_span span = pair ? image->pair : image->single;

    return (int)span.count - (pair ? 2 : 1);
}

size_t
lm_tokenizer_special_before(const lm_tokenizer *tokenizer)
{
    const lm_token_image *image = tokenizer->image;
    const lm_piece *pieces = lm_image_at(image, image->single);
    size_t before = 0;

    while (before < image->single.count && pieces[before].id >= 0)
        before++;
    return before;
}

size_t
lm_tokenizer_second_starts(const lm_tokenizer *tokenizer, size_t a_count)
{
    const lm_token_image *image = tokenizer->image;
    const lm_piece *pieces = lm_image_at(image, image->pair);
    size_t before = 0;

    for (uint64_t i = 0; i < image->pair.count && pieces[i].id != LM_PIECE_B; i++)
        before += pieces[i].id == LM_PIECE_A ? a_count : 1;
    return before;
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

void
lm_template_put_special(lm_encoding *out, lm_piece piece)
{
    out->ids[out->count] = piece.id;
    out->type_ids[out->count] = piece.type;
    out->start[out->count] = out->stop[out->count] = 0;
    out->begins[out->count] = 1;
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
        memcpy(out->begins + out->count, text->begins + first, count);
        memcpy(out->spared + out->count, text->spared + first, count * sizeof *text->spared);
    }
    memset(out->special + out->count, 0, count);
    for (size_t i = 0; i < count; i++)
        out->type_ids[out->count + i] = type;
    out->count += count;
}

/* A whole text, or what is kept of it, in pieces between which a cancel is seen. */
static lm_status
put_text(lm_context *ctx, const lm_token_image *image, lm_encoding *out, const lm_encoding *text,
         int32_t type, bool offsets)
{
    const size_t before = out->count;

    for (size_t first = 0; first < text->count; first += PIECE) {
        size_t left = text->count - first;

        if (first > 0)
            LM_TRY(lm_poll(ctx));
        put_tokens(out, text, first, left < PIECE ? left : PIECE, type, offsets);
    }
    if (offsets && text->count > 0)
        lm_trim_as_first(image, out, before);
    return LM_OK;
}

lm_status
lm_template_join(lm_context *ctx, const lm_token_image *image, const lm_encoding *a,
                 const lm_encoding *b, const lm_token_options *options, lm_encoding *out)
{
    lm_span span = image->pair;
    const lm_piece *pieces = lm_image_at(image, span);

    out->count = 0;
    LM_TRY(lm_encoding_reserve(out, a->count + b->count + span.count));
    for (uint64_t i = 0; i < span.count; i++) {
        if (pieces[i].id >= 0 && options->add_special)
            lm_template_put_special(out, pieces[i]);
        else if (pieces[i].id < 0)
            LM_TRY(put_text(ctx, image, out, pieces[i].id == LM_PIECE_A ? a : b, pieces[i].type,
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
