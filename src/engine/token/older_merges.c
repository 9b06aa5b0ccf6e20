/*
 * older_merges.c - every way in which a piece is two others is a merge. Scores count for nothing:
 * pieces come by their numbers, and the ways to one by the length of their first half.
 */
#include "token/older_merges.h"

#include "format/json.h"

/* More is refused before it is parsed: real ones take some 12 MB. */
#define MOST_TEXT ((size_t)128 << 20)

typedef struct merge_writer {
    lm_context *ctx;
    const lm_intern *words;
    const int64_t *ids;
    lm_buffer *text;
    bool written; /* one at least */
} merge_writer;

static lm_status
write_merge(merge_writer *w, const lm_spm_piece *piece, size_t half)
{
    LM_TRY(lm_buffer_append_string(w->text, w->written ? ",[" : "["));
    LM_TRY(lm_json_write_string(w->text, piece->text, half));
    LM_TRY(lm_buffer_append_byte(w->text, ','));
    LM_TRY(lm_json_write_string(w->text, piece->text + half, piece->length - half));
    w->written = true;
    return lm_buffer_append_byte(w->text, ']');
}

/* Halves end between characters. */
static lm_status
write_ways(merge_writer *w, const lm_spm_piece *piece)
{
    for (size_t half = 1; half < piece->length; half++) {
        bool left, right = false;
        uint32_t number;

        if (((unsigned char)piece->text[half] & 0xc0) == 0x80)
            continue;
        LM_TRY(lm_intern_find(w->words, piece->text, half, &left, &number));
        if (left)
            LM_TRY(lm_intern_find(w->words, piece->text + half, piece->length - half, &right,
                                  &number));
        if (right)
            LM_TRY(write_merge(w, piece, half));
    }
    return LM_OK;
}

static lm_status
refuse_long(lm_context *ctx, size_t length)
{
    lm_raise(ctx, LM_UNSUPPORTED, "a piece of the SentencePiece model is too long");
    lm_detail_key(ctx, "model.vocab"); /* names the file: lm_older_blame */
    lm_detail_file(ctx, "tokenizer.json");
    lm_detail_found(ctx, "%zu bytes", length);
    return lm_detail_allowed(ctx, "%d bytes", LM_SPM_LONGEST);
}

static lm_status
refuse_many(lm_context *ctx)
{
    lm_raise(ctx, LM_TOO_LARGE, "the SentencePiece model has too many merges");
    lm_detail_key(ctx, "model.vocab");
    lm_detail_file(ctx, "tokenizer.json");
    return lm_detail_allowed(ctx, "%zu bytes of them", MOST_TEXT);
}

lm_status
lm_older_write_merges(lm_context *ctx, const lm_intern *words, const int64_t *ids,
                      const lm_spm_model *spm, lm_buffer *text)
{
    merge_writer w = {ctx, words, ids, text, false};

    LM_TRY(lm_buffer_append_string(text, "\"merges\":["));
    for (size_t i = 0; i < spm->count; i++) {
        const lm_spm_piece *piece = &spm->pieces[i];
        uint32_t number = 0;
        bool found;

        if (piece->length > LM_SPM_LONGEST)
            return refuse_long(ctx, piece->length);
        if (i % 256 == 255 || piece->length > 64)
            LM_TRY(lm_poll(ctx));
        LM_TRY(lm_intern_find(words, piece->text, piece->length, &found, &number));
        if (ids[number] == (int64_t)i)
            LM_TRY(write_ways(&w, piece));
        if (text->size > MOST_TEXT)
            return refuse_many(ctx);
    }
    return lm_buffer_append_string(text, "],");
}
