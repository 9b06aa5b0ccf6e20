/*
 * bpe_compile.c - settings, vocabulary and merges of a BPE, checked and written into the image.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "token/bpe.h"
#include "token/byte_level.h"
#include "token/trie.h"

#define ROOT 1u
#define PATH "model.merges"

/* The model while it is compiled. */
typedef struct compiler {
    lm_context *ctx;
    const lm_json *model;
    lm_vocab *vocab;
    const lm_json *prefix, *suffix; /* NULL: none */
    const lm_json *merges;
    lm_trie trie;
    uint64_t *pairs; /* by rank */
    int32_t *made;   /* by rank */
    uint64_t *table;
    size_t count;   /* merges */
    lm_buffer text; /* of the token that a merge makes */
    lm_bpe bpe;
} compiler;

static lm_status compile_all(compiler *c, size_t start, lm_buffer *out);
static lm_status read_settings(compiler *c);
static lm_status read_merges(compiler *c);
static lm_status build_table(compiler *c);
static lm_status write_model(compiler *c, size_t start, lm_buffer *out);

/* The arrays of the compilation are freed here, also after a failure. */
lm_status
lm_bpe_compile(lm_context *ctx, const lm_json *model, lm_vocab *vocab, size_t start, lm_buffer *out)
{
    compiler c = {.ctx = ctx, .model = model, .vocab = vocab, .trie.ctx = ctx};
    lm_status status;

    lm_buffer_init(&c.text, ctx);
    status = compile_all(&c, start, out);
    lm_trie_free(&c.trie);
    lm_buffer_free(&c.text);
    lm_free(ctx, c.pairs);
    lm_free(ctx, c.made);
    lm_free(ctx, c.table);
    return status;
}

/* The node that some bytes lead to from another; 0: none. */
static uint32_t
walk_from(const compiler *c, uint32_t node, const lm_json *text)
{
    for (size_t i = 0; text && i < text->as.string.length && node != 0; i++)
        node = lm_trie_child(c->trie.cells, node, (unsigned char)text->as.string.bytes[i]);
    return node;
}

static lm_status
compile_all(compiler *c, size_t start, lm_buffer *out)
{
    LM_TRY(read_settings(c));
    LM_TRY(lm_vocab_trie(c->ctx, c->vocab, ROOT, &c->trie));
    c->bpe.first = ROOT;
    c->bpe.next = walk_from(c, ROOT, c->prefix);
    LM_TRY(read_merges(c));
    LM_TRY(build_table(c));
    return write_model(c, start, out);
}

/* ---------------------------------------------------------------- settings */

/* A token of the model itself; -1: there is none. */
static int32_t
find_token(const compiler *c, const char *text, size_t length)
{
    int32_t id = lm_vocab_find(c->vocab, text, length);

    return id >= 0 && !c->vocab->tokens[id].added ? id : -1;
}

/* A string that may be null, missing or empty: then it is NULL. */
static lm_status
read_string(compiler *c, const char *key, const lm_json **value)
{
    *value = lm_json_get(c->model, key);
    if (!*value || (*value)->type == LM_JSON_NULL) {
        *value = NULL;
        return LM_OK;
    }
    return lm_field_string(c->ctx, (lm_field){c->model, "model"}, key, value);
}

static lm_status
read_affix(compiler *c, const char *key, const lm_json **value)
{
    LM_TRY(read_string(c, key, value));
    if (*value && (*value)->as.string.length == 0)
        *value = NULL;
    return LM_OK;
}

static lm_status
unsupported(compiler *c, const char *key, const lm_json *found, const char *allowed)
{
    char shown[80];

    lm_field_wrong(c->ctx, (lm_field){c->model, "model"}, key, found, allowed);
    lm_json_show(found, shown, sizeof shown);
    lm_detail_found(c->ctx, "%s", shown);
    c->ctx->error.status = LM_UNSUPPORTED;
    return LM_UNSUPPORTED;
}

/* Dropout makes a text's tokens a matter of chance. */
static lm_status
check_dropout(compiler *c)
{
    const lm_json *dropout = lm_json_get(c->model, "dropout");

    if (!dropout || dropout->type == LM_JSON_NULL ||
        (dropout->type == LM_JSON_NUMBER && dropout->as.number == 0))
        return LM_OK;
    if (dropout->type != LM_JSON_NUMBER)
        return lm_field_wrong(c->ctx, (lm_field){c->model, "model"}, "dropout", dropout,
                              "null or 0");
    return unsupported(c, "dropout", dropout, "null or 0");
}

static lm_status
read_flags(compiler *c)
{
    static const struct {
        const char *key;
        uint32_t flag;
    } flags[] = {{"fuse_unk", LM_BPE_FUSE_UNK},
                 {"byte_fallback", LM_BPE_BYTE_FALLBACK},
                 {"ignore_merges", LM_BPE_IGNORE_MERGES}};
    bool set;

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        LM_TRY(lm_field_bool(c->ctx, (lm_field){c->model, "model"}, flags[i].key, false, &set));
        c->bpe.flags |= set ? flags[i].flag : 0;
    }
    return LM_OK;
}

/*
 * The tokens <0x00> to <0xFF>. The reference also takes the bytes of a prefix or suffix for bytes
 * of the text, and then gives places that are not there.
 */
static lm_status
read_bytes(compiler *c)
{
    const lm_json *affix = c->prefix ? c->prefix : c->suffix;
    char code[8];

    for (unsigned byte = 0; byte < 256; byte++)
        c->bpe.bytes[byte] =
            find_token(c, code, (size_t)snprintf(code, sizeof code, "<0x%02X>", byte));
    if (!(c->bpe.flags & LM_BPE_BYTE_FALLBACK) || !affix)
        return LM_OK;
    return unsupported(c, "byte_fallback", lm_json_get(c->model, "byte_fallback"),
                       "false where there is a continuing_subword_prefix or end_of_word_suffix");
}

/* Whether all bytes of a byte-level tokenizer are tokens, so that none is unknown. */
static bool
has_all_bytes(const compiler *c)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[4];
        int length = lm_utf8_encode(lm_byte_level_char((unsigned char)byte), text);

        if (find_token(c, text, (size_t)length) < 0)
            return false;
    }
    return true;
}

/*
 * The reference fails at the first character that needs an unknown token which is not there. Files
 * of byte-level tokenizers name such a token, and never need it.
 */
static lm_status
read_unk(compiler *c)
{
    const lm_json *unk;

    LM_TRY(read_string(c, "unk_token", &unk));
    c->bpe.unk = unk ? find_token(c, unk->as.string.bytes, unk->as.string.length) : -1;
    if (!unk || c->bpe.unk >= 0)
        return LM_OK;
    c->bpe.flags |= LM_BPE_LACKS_UNK;
    if (has_all_bytes(c))
        return LM_OK;
    return lm_field_wrong(c->ctx, (lm_field){c->model, "model"}, "unk_token", unk,
                          "a token of model.vocab, or null");
}

static lm_status
read_settings(compiler *c)
{

    LM_TRY(check_dropout(c));
    LM_TRY(read_flags(c));
    LM_TRY(read_affix(c, "continuing_subword_prefix", &c->prefix));
    LM_TRY(read_affix(c, "end_of_word_suffix", &c->suffix));
    LM_TRY(read_unk(c));
    return read_bytes(c);
}

/* ---------------------------------------------------------------- merges */

typedef struct part {
    const char *text;
    size_t length;
} part;

/* Fail: a merge is not what it must be. */
static lm_status
merge_wrong(compiler *c, size_t index, const lm_json *merge, const char *allowed)
{
    char shown[80];

    lm_field_wrong(c->ctx, (lm_field){c->merges, PATH}, "", merge, allowed);
    lm_detail_key(c->ctx, "%s.%zu", PATH, index);
    lm_json_show(merge, shown, sizeof shown);
    return lm_detail_found(c->ctx, "%s", shown);
}

/* "a b" has one space. */
static bool
split_string(const lm_json *merge, part parts[2])
{
    const char *text = merge->as.string.bytes, *end = text + merge->as.string.length;
    const char *space = memchr(text, ' ', merge->as.string.length);

    if (!space || memchr(space + 1, ' ', (size_t)(end - space - 1)))
        return false;
    parts[0] = (part){text, (size_t)(space - text)};
    parts[1] = (part){space + 1, (size_t)(end - space - 1)};
    return true;
}

/* ["a", "b"] */
static bool
split_pair(const lm_json *merge, part parts[2])
{
    const lm_json *item = merge->as.items.first;

    for (int i = 0; i < 2; i++, item = item->next) {
        if (!item || item->type != LM_JSON_STRING)
            return false;
        parts[i] = (part){item->as.string.bytes, item->as.string.length};
    }
    return item == NULL;
}

/* A token that a merge names; fails where the vocabulary lacks it. */
static lm_status
find_part(compiler *c, size_t index, const lm_json *merge, part p, int32_t *id)
{
    char allowed[100];

    *id = find_token(c, p.text, p.length);
    if (*id >= 0)
        return LM_OK;
    snprintf(allowed, sizeof allowed, "tokens of model.vocab, which lacks \"%.*s\"",
             (int)(p.length < 40 ? p.length : 40), p.text);
    return merge_wrong(c, index, merge, allowed);
}

/* The right token loses as many bytes as the prefix has, whatever they are. */
static lm_status
read_merge(compiler *c, size_t index, const lm_json *merge, part parts[2])
{
    const size_t skip = c->prefix ? c->prefix->as.string.length : 0;
    int32_t left, right;

    LM_TRY(find_part(c, index, merge, parts[0], &left));
    LM_TRY(find_part(c, index, merge, parts[1], &right));
    if (parts[1].length < skip ||
        (parts[1].length > skip && ((unsigned char)parts[1].text[skip] & 0xc0) == 0x80))
        return merge_wrong(c, index, merge, "a second token with continuing_subword_prefix");
    if (parts[1].length == skip)
        c->bpe.flags |= LM_BPE_EMPTY_RIGHT;
    c->text.size = 0;
    LM_TRY(lm_buffer_append(&c->text, parts[0].text, parts[0].length));
    LM_TRY(lm_buffer_append(&c->text, parts[1].text + skip, parts[1].length - skip));
    c->pairs[c->count] = lm_bpe_pair(left, right);
    return find_part(c, index, merge, (part){c->text.data, c->text.size}, &c->made[c->count++]);
}

/* Lines of merges.txt have a comment with the version among them, which takes no rank. */
static bool
is_comment(const lm_json *merge)
{
    static const char start[] = "#version";

    return merge->type == LM_JSON_STRING && merge->as.string.length >= sizeof start - 1 &&
           memcmp(merge->as.string.bytes, start, sizeof start - 1) == 0;
}

/* All are strings or all are pairs, as the first one is. */
static lm_status
read_all_merges(compiler *c)
{
    const lm_json *first = c->merges->as.items.first;
    size_t index = 0;
    part parts[2];

    for (const lm_json *merge = first; merge; merge = merge->next, index++) {
        bool strings = first->type == LM_JSON_STRING, good = merge->type == first->type;

        if (index % 16 == 15)
            LM_TRY(lm_poll(c->ctx));
        if (is_comment(merge) && strings)
            continue;
        good = good && (strings ? split_string(merge, parts)
                                : merge->type == LM_JSON_ARRAY && split_pair(merge, parts));
        if (!good)
            return merge_wrong(c, index, merge,
                               strings ? "two tokens with one space between them"
                                       : "an array of two tokens, or a string of them");
        LM_TRY(read_merge(c, index, merge, parts));
    }
    return LM_OK;
}

static lm_status
read_merges(compiler *c)
{
    size_t count;

    LM_TRY(
        lm_field_items(c->ctx, (lm_field){c->model, "model"}, "merges", LM_JSON_ARRAY, &c->merges));
    count = c->merges->as.items.count;
    if (count > LM_BPE_MAX_MERGES) {
        lm_raise(c->ctx, LM_TOO_LARGE, "the tokenizer has too many merges");
        lm_detail_key(c->ctx, PATH);
        lm_detail_found(c->ctx, "%zu", count);
        return lm_detail_allowed(c->ctx, "%zu", LM_BPE_MAX_MERGES);
    }
    c->pairs = lm_alloc_array(c->ctx, count + 1, sizeof *c->pairs);
    c->made = lm_alloc_array(c->ctx, count + 1, sizeof *c->made);
    return c->pairs && c->made ? read_all_merges(c) : LM_NO_MEMORY;
}

/* ---------------------------------------------------------------- the table */

/* A pair that the list has twice keeps its last rank. */
static void
put_merge(compiler *c, uint32_t rank)
{
    const uint64_t pair = c->pairs[rank];
    uint64_t at = lm_bpe_home(&c->bpe, pair);

    while (c->table[at] != LM_BPE_FREE && c->table[at] >> LM_BPE_RANK_BITS != pair)
        at = (at + 1) & c->bpe.mask;
    c->table[at] = pair << LM_BPE_RANK_BITS | rank;
}

/* The seed is made of all pairs: who chooses them cannot choose where they fall. */
static lm_status
build_table(compiler *c)
{
    size_t size = 16;

    while (size < 2 * c->count)
        size *= 2;
    c->bpe.mask = size - 1;
    c->bpe.seed = lm_hash_bytes(c->pairs, c->count * sizeof *c->pairs, 0);
    c->table = lm_alloc_array(c->ctx, size, sizeof *c->table);
    if (!c->table)
        return LM_NO_MEMORY;
    memset(c->table, 0xff, size * sizeof *c->table);
    for (uint32_t rank = 0; rank < c->count; rank++) {
        if (rank % 4096 == 4095)
            LM_TRY(lm_poll(c->ctx));
        put_merge(c, rank);
    }
    return LM_OK;
}

static lm_status
write_model(compiler *c, size_t start, lm_buffer *out)
{
    const size_t suffix = c->suffix ? c->suffix->as.string.length : 0;
    lm_span cells = {0}, settings;

    LM_TRY(
        lm_image_append(out, start, c->trie.cells, c->trie.count, sizeof *c->trie.cells, &cells));
    LM_TRY(lm_image_append(out, start, c->table, c->bpe.mask + 1, sizeof *c->table, &c->bpe.table));
    LM_TRY(lm_image_append(out, start, c->made, c->count, sizeof *c->made, &c->bpe.made));
    LM_TRY(lm_image_append(out, start, suffix ? c->suffix->as.string.bytes : "", suffix, 1,
                           &c->bpe.suffix));
    LM_TRY(lm_image_append(out, start, &c->bpe, 1, sizeof c->bpe, &settings));
    lm_image_set_model(out, start, settings, cells, ROOT);
    return LM_OK;
}
