/*
 * wordlevel.c - the model WordLevel: a word is a token of the vocabulary as a whole, or unknown.
 */
#include "token/wordlevel.h"

#include <string.h>

#include "token/trie.h"

#define ROOT 1u

/* Nodes that a trie has at most: each takes up to three of its cells, of LM_CELL_LIMIT. */
#define TRIE_NODES ((size_t)1 << 20)

/* Tries that a vocabulary has at most. */
#define TRIES 64

static lm_status read_unk(lm_context *ctx, const lm_json *model, const lm_vocab *vocab,
                          int32_t *unk);

/* ---------------------------------------------------------------- the tries */
/*
 * A vocabulary of millions of words does not fit one trie. Its words, in order, are cut into as
 * many tries as it takes, one behind the other; a word goes down all of them at once, and after
 * some bytes is left in one.
 */

/* Tries while they are built. */
typedef struct wordlevel_tries {
    lm_context *ctx;
    lm_buffer cells;
    uint32_t starts[TRIES];
    size_t count;
} wordlevel_tries;

/* Bytes of a key that the one before it, by order, does not begin with as well. */
static size_t
own_bytes(const lm_trie_key *key, const lm_trie_key *before)
{
    size_t shared = 0;

    while (shared < key->length && shared < before->length &&
           key->bytes[shared] == before->bytes[shared])
        shared++;
    return key->length - shared;
}

/* How many of the sorted keys go into the next trie: at least one. */
static lm_status
next_part(lm_context *ctx, const lm_trie_key *keys, size_t count, size_t *taken)
{
    size_t nodes = keys[0].length;

    for (*taken = 1; *taken < count; ++*taken) {
        nodes += own_bytes(&keys[*taken], &keys[*taken - 1]);
        if (nodes > TRIE_NODES)
            return LM_OK;
        if (*taken % 4096 == 0)
            LM_TRY(lm_poll(ctx));
    }
    return LM_OK;
}

static lm_status
add_trie(wordlevel_tries *tries, lm_trie_key *keys, size_t count)
{
    lm_trie trie;
    lm_status status = lm_trie_build(tries->ctx, keys, count, ROOT, &trie);

    tries->starts[tries->count++] = (uint32_t)(tries->cells.size / sizeof *trie.cells);
    if (status == LM_OK)
        status = lm_buffer_append(&tries->cells, trie.cells, trie.count * sizeof *trie.cells);
    lm_trie_free(&trie);
    return status;
}

static lm_status
refuse_large(lm_context *ctx, size_t count)
{
    lm_raise(ctx, LM_TOO_LARGE, "the vocabulary is too large");
    lm_detail_file(ctx, "tokenizer.json");
    lm_detail_key(ctx, "model.vocab");
    lm_detail_found(ctx, "%zu words", count);
    return lm_detail_allowed(ctx, "some %u million bytes that the words before do not share",
                             (unsigned)((uint64_t)TRIES * TRIE_NODES / 1000000));
}

/* One trie where there is no key, too. */
static lm_status
build_tries(wordlevel_tries *tries, lm_trie_key *keys, size_t count)
{
    size_t taken = count, bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += keys[i].length;
    if (bytes <= TRIE_NODES)
        return add_trie(tries, keys, count);
    LM_TRY(lm_trie_sort(tries->ctx, keys, count));
    for (size_t at = 0; at < count; at += taken) {
        if (tries->count == TRIES)
            return refuse_large(tries->ctx, count);
        LM_TRY(next_part(tries->ctx, keys + at, count - at, &taken));
        LM_TRY(add_trie(tries, keys + at, taken));
    }
    return LM_OK;
}

/* The vocabulary's tries are all that the model needs, beside the unknown token. */
static lm_status
write_model(const wordlevel_tries *tries, int32_t unk, size_t start, lm_buffer *out)
{
    lm_span cells, settings, further;

    LM_TRY(lm_image_append(out, start, tries->cells.data, tries->cells.size / sizeof(lm_cell),
                           sizeof(lm_cell), &cells));
    LM_TRY(lm_image_append(out, start, tries->starts + 1, tries->count - 1, sizeof *tries->starts,
                           &further));
    LM_TRY(lm_image_append(out, start, &unk, 1, sizeof unk, &settings));
    lm_image_set_model(out, start, settings, cells, ROOT);
    ((lm_token_image *)(out->data + start))->tries = further;
    return LM_OK;
}

static lm_status
compile_wordlevel(lm_context *ctx, const lm_json *model, lm_vocab *vocab, size_t start,
                  lm_buffer *out)
{
    wordlevel_tries tries = {.ctx = ctx};
    lm_trie_key *keys;
    lm_status status;
    size_t count;
    int32_t unk;

    LM_TRY(read_unk(ctx, model, vocab, &unk));
    LM_TRY(lm_vocab_keys(ctx, vocab, ROOT, &keys, &count));
    lm_buffer_init(&tries.cells, ctx);
    status = build_tries(&tries, keys, count);
    if (status == LM_OK)
        status = write_model(&tries, unk, start, out);
    lm_buffer_free(&tries.cells);
    lm_free(ctx, keys);
    return status;
}

/* The reference fails at the first word that needs an unknown token which is not there. */
static lm_status
read_unk(lm_context *ctx, const lm_json *model, const lm_vocab *vocab, int32_t *unk)
{
    lm_field field = {model, "model"};
    const lm_json *text;

    LM_TRY(lm_field_string(ctx, field, "unk_token", &text));
    *unk = lm_vocab_find(vocab, text->as.string.bytes, text->as.string.length);
    if (*unk < 0 || vocab->tokens[*unk].added)
        return lm_field_wrong(ctx, field, "unk_token", text, "a token of model.vocab");
    return LM_OK;
}

/* ---------------------------------------------------------------- the walk */

/* A word on its way down the tries. */
typedef struct walk {
    const lm_cell *cells[TRIES];
    const int32_t *at;     /* not needed: the one token has the place of the word */
    uint32_t nodes[TRIES]; /* 0: none in this trie */
    size_t tries;
    uint32_t chars;
    int32_t unk;
    size_t mark;
    bool bad;
} walk;

static inline void
walk_init(walk *walk, const lm_token_image *image)
{
    const uint32_t *tries = lm_image_at(image, image->tries);

    walk->tries = 1 + (image->tries.count < TRIES ? (size_t)image->tries.count : TRIES - 1);
    walk->cells[0] = lm_image_at(image, image->trie);
    for (size_t i = 1; i < walk->tries; i++)
        walk->cells[i] = walk->cells[0] + tries[i - 1];
    walk->unk = *(const int32_t *)lm_image_at(image, image->settings);
}

static inline void
walk_begin(walk *walk, const lm_encode_state *state)
{
    for (size_t i = 0; i < walk->tries; i++)
        walk->nodes[i] = ROOT;
    walk->chars = 0;
    walk->mark = state->out->count;
    walk->bad = false;
}

/* Words may be of any length. */
static inline bool
walk_has_room(const walk *walk)
{
    return true;
}

static inline bool
walk_byte(walk *walk, lm_encode_state *state, unsigned char byte, bool offsets)
{
    bool goes_on = false;

    for (size_t i = 0; i < walk->tries; i++)
        if (walk->nodes[i] != 0) {
            walk->nodes[i] = lm_trie_child(walk->cells[i], walk->nodes[i], byte);
            goes_on |= walk->nodes[i] != 0;
        }
    return goes_on;
}

static inline void
walk_end(walk *walk, lm_encode_state *state, int32_t start, int32_t stop, bool offsets)
{
    int32_t id = -1;

    for (size_t i = 0; i < walk->tries && id < 0 && !walk->bad; i++)
        if (walk->nodes[i] != 0)
            id = lm_trie_value(walk->cells[i], walk->nodes[i]);
    lm_encode_span(state, id >= 0 ? id : walk->unk, start, stop, offsets);
}

#include "token/fused_loop.h"

static int32_t
unknown_of(const void *settings)
{
    return *(const int32_t *)settings;
}

const lm_token_model lm_wordlevel_model = {.name = "WordLevel",
                                           .read_vocab = lm_vocab_read,
                                           .compile = compile_wordlevel,
                                           .run = walk_word,
                                           .walk = walk_text,
                                           .unknown = unknown_of};
