/*
 * checks.c - laws of tokenizers: see checks.h.
 */
#include "checks.h"

#include "base/size.h"
#include "base/utf8.h"
#include "task/chunk.h"
#include "token/image.h"

/* What a check needs besides the text. */
typedef struct checker {
    lm_context *ctx;
    const fuzz_tokenizer *tokenizer;
    lm_token_scratch *scratch;
    const char *text;
    size_t length;
    lm_token_options options;
    lm_encoding whole, other;
    lm_buffer decoded;
    int32_t *ids; /* surround's output */
} checker;

/* The image's copy is what another process would map. */
static lm_status
copy_staged(lm_context *ctx, fuzz_tokenizer *t)
{
    lm_token_image *copy;

    t->copy = aligned_alloc(LM_ALIGNMENT, lm_align_up(t->image.size));
    memcpy(t->copy, t->image.data, t->image.size);
    copy = t->copy;
    copy->fused.present = copy->words = 0;
    REQUIRE_OK(ctx, lm_tokenizer_bind(ctx, t->copy, t->image.size, &t->staged));
    return LM_OK;
}

lm_status
fuzz_tokenizer_open(lm_context *ctx, const lm_json *json, const lm_json *config, int32_t max_vocab,
                    fuzz_tokenizer *t)
{
    lm_status status;
    lm_notes notes;

    memset(t, 0, sizeof *t);
    lm_notes_init(&notes, true); /* what an import refuses is compiled as well */
    lm_buffer_init(&t->image, ctx);
    status = lm_tokenizer_compile(ctx, json, config, max_vocab, &t->image, &notes);
    if (status == LM_OK)
        status = lm_tokenizer_bind(ctx, t->image.data, t->image.size, &t->fast);
    if (status == LM_OK)
        status = copy_staged(ctx, t);
    if (status != LM_OK)
        fuzz_tokenizer_close(t);
    else
        REQUIRE(t->fast.vocab_size >= 0 && t->fast.vocab_size <= max_vocab);
    return status;
}

void
fuzz_tokenizer_close(fuzz_tokenizer *t)
{
    lm_buffer_free(&t->image);
    free(t->copy);
}

/* An independent reading of Unicode's table 3-7; bytes of the valid prefix. */
static size_t
valid_prefix(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0;

    while (at < length) {
        unsigned char c = s[at];
        int more = c < 0x80 ? 0 : c < 0xc2 ? -1 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : -1;

        if (more < 0 || length - at <= (size_t)more)
            return at;
        for (int i = 1; i <= more; i++)
            if ((s[at + i] & 0xc0) != 0x80)
                return at;
        if ((c == 0xe0 && s[at + 1] < 0xa0) || (c == 0xed && s[at + 1] > 0x9f) ||
            (c == 0xf0 && s[at + 1] < 0x90) || (c == 0xf4 && s[at + 1] > 0x8f))
            return at;
        at += (size_t)more + 1;
    }
    return at;
}

static lm_status
encode(checker *c, const lm_tokenizer *tokenizer, const lm_token_options *options, lm_encoding *out)
{
    return lm_tokenize(c->ctx, tokenizer, c->scratch, c->text, c->length, options, out);
}

/*
 * Offsets never fall from token to token, and hold something; but a post-processor that trims may
 * take more than the white space of the text.
 */
static void
check_encoding(const checker *c)
{
    const lm_token_image *image = c->tokenizer->fast.image;
    const bool trims = image->postprocessor.count > 0;
    const lm_encoding *e = &c->whole;
    int32_t chars = (int32_t)lm_utf8_count(c->text, c->length), last = 0;
    int specials = 0;

    REQUIRE(!e->truncated);
    for (size_t i = 0; i < e->count; i++) {
        REQUIRE(e->ids[i] >= 0 && e->ids[i] < c->tokenizer->fast.vocab_size);
        REQUIRE(e->type_ids[i] >= 0);
        REQUIRE(e->start[i] >= 0 && e->start[i] <= e->stop[i] && e->stop[i] <= chars);
        specials += e->special[i];
        if (e->special[i]) {
            REQUIRE(e->start[i] == 0 && e->stop[i] == 0);
            continue;
        }
        REQUIRE(trims || e->start[i] < e->stop[i]);
        REQUIRE(trims || e->start[i] >= last);
        last = e->start[i];
    }
    REQUIRE(specials ==
            (c->options.add_special ? lm_tokenizer_special_count(&c->tokenizer->fast, false) : 0));
}

static bool
same(const lm_encoding *a, const lm_encoding *b, size_t count, bool offsets)
{
    size_t bytes = count * sizeof *a->ids;

    if (a->count < count || b->count < count)
        return false;
    return count == 0 ||
           (memcmp(a->ids, b->ids, bytes) == 0 && memcmp(a->type_ids, b->type_ids, bytes) == 0 &&
            memcmp(a->special, b->special, count) == 0 &&
            (!offsets ||
             (memcmp(a->start, b->start, bytes) == 0 && memcmp(a->stop, b->stop, bytes) == 0)));
}

/* Through the stages, with offsets and without. */
static lm_status
check_paths(checker *c)
{
    lm_token_options ids_only = c->options;

    REQUIRE_OK(c->ctx, encode(c, &c->tokenizer->staged, &c->options, &c->other));
    REQUIRE(c->other.count == c->whole.count && same(&c->whole, &c->other, c->whole.count, true));
    ids_only.offsets = false;
    REQUIRE_OK(c->ctx, encode(c, &c->tokenizer->staged, &ids_only, &c->other));
    REQUIRE(c->other.count == c->whole.count && same(&c->whole, &c->other, c->whole.count, false));
    REQUIRE_OK(c->ctx, encode(c, &c->tokenizer->fast, &ids_only, &c->other));
    REQUIRE(c->other.count == c->whole.count && same(&c->whole, &c->other, c->whole.count, false));
    return LM_OK;
}

/* A stream of the smallest parts, by both ways. */
static lm_status
check_parts(checker *c, const lm_tokenizer *tokenizer)
{
    lm_token_stream stream;
    size_t seen = 0, count;

    REQUIRE_OK(c->ctx, lm_token_stream_open(&stream, c->ctx, tokenizer, c->scratch, c->text,
                                            c->length, &c->options));
    stream.part_tokens = stream.segment_bytes = 1;
    do {
        REQUIRE_OK(c->ctx, lm_token_stream_next(&stream, &c->other));
        for (size_t i = 0; i < c->other.count; i++, seen++) {
            REQUIRE(seen < c->whole.count && c->other.ids[i] == c->whole.ids[seen]);
            REQUIRE(c->other.start[i] == c->whole.start[seen]);
            REQUIRE(c->other.stop[i] == c->whole.stop[seen]);
            REQUIRE(c->other.special[i] == c->whole.special[seen]);
        }
    } while (c->other.count > 0);
    REQUIRE(seen == c->whole.count);
    REQUIRE_OK(c->ctx, lm_count_tokens(c->ctx, tokenizer, c->scratch, c->text, c->length,
                                       &c->options, &count));
    REQUIRE(count == c->whole.count);
    return LM_OK;
}

/* Cut at `limit` tokens: those of the text before the cut are those of the whole. */
static lm_status
check_cut(checker *c, int limit)
{
    int special =
        c->options.add_special ? lm_tokenizer_special_count(&c->tokenizer->fast, false) : 0;
    lm_token_options options = c->options;
    size_t kept = 0, seen = 0;

    options.max_tokens = limit;
    if (limit < special) {
        lm_status status = encode(c, &c->tokenizer->fast, &options, &c->other);

        REQUIRE(status == LM_BAD_ARGUMENT || status == LM_NO_MEMORY);
        return status == LM_NO_MEMORY ? status : LM_OK;
    }
    REQUIRE_OK(c->ctx, encode(c, &c->tokenizer->fast, &options, &c->other));
    REQUIRE(c->other.count <= (size_t)limit);
    REQUIRE(c->other.truncated == (c->whole.count > (size_t)limit));
    REQUIRE(c->other.truncated || c->other.count == c->whole.count);
    for (size_t i = 0; i < c->other.count; i++) {
        if (c->other.special[i])
            continue;
        while (seen < c->whole.count && c->whole.special[seen])
            seen++;
        REQUIRE(seen < c->whole.count && c->other.ids[i] == c->whole.ids[seen]);
        REQUIRE(c->other.start[i] == c->whole.start[seen]);
        seen++;
        kept++;
    }
    REQUIRE(kept + (size_t)special == c->other.count);
    return LM_OK;
}

/* Special tokens put around plain ids are those that the tokenizer puts around a text. */
static lm_status
check_surround(checker *c)
{
    int special = lm_tokenizer_special_count(&c->tokenizer->fast, false);
    lm_token_options plain = c->options, full = c->options;
    size_t count, room;
    lm_encoding wanted;
    lm_status status;

    plain.add_special = false;
    full.add_special = true;
    REQUIRE_OK(c->ctx, encode(c, &c->tokenizer->fast, &plain, &c->other));
    room = c->other.count + (size_t)special;
    c->ids = malloc((2 * room + 1) * sizeof *c->ids);
    count = lm_tokenizer_surround(&c->tokenizer->fast, c->other.ids, c->other.count, c->ids,
                                  c->ids + room);
    REQUIRE(count == room);
    lm_encoding_init(&wanted, c->ctx);
    status = encode(c, &c->tokenizer->fast, &full, &wanted);
    if (status == LM_OK) {
        REQUIRE(wanted.count == count);
        REQUIRE(count == 0 || memcmp(wanted.ids, c->ids, count * sizeof *c->ids) == 0);
        REQUIRE(count == 0 || memcmp(wanted.type_ids, c->ids + room, count * sizeof *c->ids) == 0);
    }
    lm_encoding_free(&wanted);
    return status;
}

static lm_status
check_decoding(checker *c)
{
    for (int skip = 0; skip < 2; skip++) {
        c->decoded.size = 0;
        REQUIRE_OK(c->ctx, lm_detokenize(c->ctx, &c->tokenizer->fast, c->whole.ids, c->whole.count,
                                         skip, &c->decoded));
        REQUIRE(lm_utf8_valid_prefix(c->decoded.data, c->decoded.size) == c->decoded.size);
    }
    for (size_t i = 0; i < c->whole.count; i++) {
        size_t length = 0;
        const char *token = lm_token_text(&c->tokenizer->fast, c->whole.ids[i], &length);

        REQUIRE(token && lm_utf8_valid_prefix(token, length) == length);
    }
    return LM_OK;
}

/* Pieces go on through the text, on characters; each has the tokens that it says. */
static lm_status
check_pieces(checker *c, const lm_chunk *chunks, size_t count, int max_tokens)
{
    static const lm_token_options alone = {.parse_special = true};

    for (size_t i = 0; i < count; i++) {
        const lm_chunk *chunk = &chunks[i];

        REQUIRE(chunk->byte_start <= chunk->byte_stop && chunk->byte_stop <= c->length);
        REQUIRE(chunk->start == (int32_t)lm_utf8_count(c->text, chunk->byte_start));
        REQUIRE(chunk->stop == (int32_t)lm_utf8_count(c->text, chunk->byte_stop));
        REQUIRE(lm_utf8_valid_prefix(c->text, chunk->byte_start) == chunk->byte_start);
        REQUIRE(lm_utf8_valid_prefix(c->text, chunk->byte_stop) == chunk->byte_stop);
        REQUIRE(chunk->tokens <= max_tokens);
        REQUIRE(i == 0 || (chunk->byte_stop > chunks[i - 1].byte_stop &&
                           chunk->byte_start >= chunks[i - 1].byte_start));
        REQUIRE_OK(c->ctx,
                   lm_tokenize(c->ctx, &c->tokenizer->fast, c->scratch, c->text + chunk->byte_start,
                               chunk->byte_stop - chunk->byte_start, &alone, &c->other));
        REQUIRE((int32_t)c->other.count == chunk->tokens);
    }
    return LM_OK;
}

/* All pieces, into `chunks`; a few tokens of the text at a time. */
static lm_status
cut(checker *c, int max_tokens, int overlap, lm_buffer *chunks)
{
    bool found = true;
    lm_chunker chunker;
    lm_status status;

    lm_chunker_init(&chunker, c->ctx);
    status = lm_chunker_begin(&chunker, &c->tokenizer->fast, c->scratch, c->text, c->length,
                              max_tokens, overlap);
    chunker.stream.part_tokens = 3;
    while (status == LM_OK && found) {
        lm_chunk chunk;

        status = lm_chunker_next(&chunker, &chunk, &found);
        if (status == LM_OK && found)
            status = lm_buffer_append(chunks, &chunk, sizeof chunk);
    }
    lm_chunker_free(&chunker);
    return status;
}

/* A text that no cut fits is refused with a hint. */
static lm_status
check_chunks(checker *c, int max_tokens, int overlap)
{
    lm_buffer chunks;
    lm_status status;

    lm_buffer_init(&chunks, c->ctx);
    status = cut(c, max_tokens, overlap, &chunks);
    if (status == LM_OK)
        status = check_pieces(c, (const lm_chunk *)chunks.data, chunks.size / sizeof(lm_chunk),
                              max_tokens);
    else if (status == LM_BAD_ARGUMENT) {
        REQUIRE(c->ctx->error.hint[0] != '\0');
        status = LM_OK;
    }
    REQUIRE(status == LM_OK || status == LM_NO_MEMORY);
    lm_buffer_free(&chunks);
    return status;
}

/* Scratch that has seen other texts changes nothing. */
static lm_status
check_scratch(checker *c)
{
    lm_token_scratch *fresh;
    lm_status status;

    LM_TRY(lm_token_scratch_create(c->ctx, &fresh));
    status =
        lm_tokenize(c->ctx, &c->tokenizer->fast, fresh, c->text, c->length, &c->options, &c->other);
    lm_token_scratch_free(fresh);
    REQUIRE_OK(c->ctx, status);
    REQUIRE(c->other.count == c->whole.count && same(&c->whole, &c->other, c->whole.count, true));
    return LM_OK;
}

/* A pair without its first text has the tokens of the second. */
static lm_status
check_pair(checker *c)
{
    lm_token_options plain = c->options;

    plain.add_special = false;
    REQUIRE_OK(c->ctx, encode(c, &c->tokenizer->fast, &plain, &c->whole));
    REQUIRE_OK(c->ctx, lm_tokenize_pair(c->ctx, &c->tokenizer->fast, c->scratch, "", 0, c->text,
                                        c->length, &plain, &c->other));
    REQUIRE(c->other.count == c->whole.count);
    REQUIRE(c->whole.count == 0 ||
            memcmp(c->other.ids, c->whole.ids, c->whole.count * sizeof *c->whole.ids) == 0);
    return LM_OK;
}

static lm_status
check_all(checker *c, uint32_t choice)
{
    size_t valid = valid_prefix(c->text, c->length);
    int max_tokens = 1 + (int)(choice >> 8 & 15);
    lm_status status = encode(c, &c->tokenizer->fast, &c->options, &c->whole);

    if (valid < c->length) {
        REQUIRE(status == LM_NO_MEMORY || (status == LM_BAD_TEXT && c->ctx->error.has_offset &&
                                           c->ctx->error.offset == valid));
        return status;
    }
    REQUIRE_OK(c->ctx, status);
    check_encoding(c);
    LM_TRY(check_paths(c));
    LM_TRY(check_parts(c, &c->tokenizer->fast));
    LM_TRY(check_parts(c, &c->tokenizer->staged));
    LM_TRY(check_cut(c, 1 + (int)(choice >> 2 & 63)));
    LM_TRY(check_scratch(c));
    LM_TRY(check_surround(c));
    LM_TRY(check_decoding(c));
    LM_TRY(check_chunks(c, max_tokens, (int)(choice >> 12 & 15) % max_tokens));
    return check_pair(c);
}

lm_status
fuzz_check_text(lm_context *ctx, const fuzz_tokenizer *tokenizer, const char *text, size_t length,
                uint32_t choice)
{
    checker c = {
        .ctx = ctx,
        .tokenizer = tokenizer,
        .text = text,
        .length = length,
        .options = {.add_special = choice & 1, .parse_special = choice & 2, .offsets = true},
    };
    lm_status status;

    LM_TRY(lm_token_scratch_create(ctx, &c.scratch));
    lm_encoding_init(&c.whole, ctx);
    lm_encoding_init(&c.other, ctx);
    lm_buffer_init(&c.decoded, ctx);
    status = check_all(&c, choice);
    lm_encoding_free(&c.whole);
    lm_encoding_free(&c.other);
    lm_buffer_free(&c.decoded);
    lm_token_scratch_free(c.scratch);
    free(c.ids);
    return status;
}
