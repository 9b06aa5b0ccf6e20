/*
 * word_tries.c - builds the tries of a vocabulary of whole words.
 */
#include "token/word_tries.h"

/* Nodes that a trie has at most: each takes up to three of its cells, of LM_CELL_LIMIT. */
#define TRIE_NODES ((size_t)1 << 20)

/* Tries while they are built. */
typedef struct word_tries {
    lm_context *ctx;
    lm_buffer cells;
    uint32_t starts[LM_WORD_TRIES];
    size_t count;
} word_tries;

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
add_trie(word_tries *tries, lm_trie_key *keys, size_t count)
{
    lm_trie trie;
    lm_status status = lm_trie_build(tries->ctx, keys, count, LM_WORD_ROOT, &trie);

    tries->starts[tries->count++] = (uint32_t)(tries->cells.size / sizeof *trie.cells);
    if (status == LM_OK)
        status = lm_buffer_append(&tries->cells, trie.cells, trie.count * sizeof *trie.cells);
    lm_trie_free(&trie);
    return status;
}

/* The words are of tokenizer.json, or of a file of WhitespaceTokenizer. */
static lm_status
refuse_large(lm_context *ctx, size_t count)
{
    lm_raise(ctx, LM_TOO_LARGE, "the vocabulary is too large");
    lm_detail_found(ctx, "%zu words", count);
    return lm_detail_allowed(ctx, "some %u million bytes that the words before do not share",
                             (unsigned)((uint64_t)LM_WORD_TRIES * TRIE_NODES / 1000000));
}

/* One trie where there is no key, too. */
static lm_status
build_tries(word_tries *tries, lm_trie_key *keys, size_t count)
{
    size_t taken = count, bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += keys[i].length;
    if (bytes <= TRIE_NODES)
        return add_trie(tries, keys, count);
    LM_TRY(lm_trie_sort(tries->ctx, keys, count));
    for (size_t at = 0; at < count; at += taken) {
        if (tries->count == LM_WORD_TRIES)
            return refuse_large(tries->ctx, count);
        LM_TRY(next_part(tries->ctx, keys + at, count - at, &taken));
        LM_TRY(add_trie(tries, keys + at, taken));
    }
    return LM_OK;
}

static lm_status
write_tries(const word_tries *tries, size_t start, lm_buffer *out, lm_span *cells)
{
    lm_span further;

    LM_TRY(lm_image_append(out, start, tries->cells.data, tries->cells.size / sizeof(lm_cell),
                           sizeof(lm_cell), cells));
    LM_TRY(lm_image_append(out, start, tries->starts + 1, tries->count - 1, sizeof *tries->starts,
                           &further));
    ((lm_token_image *)(out->data + start))->tries = further;
    return LM_OK;
}

lm_status
lm_word_tries_write(lm_context *ctx, lm_vocab *vocab, size_t start, lm_buffer *out, lm_span *cells)
{
    word_tries tries = {.ctx = ctx};
    lm_trie_key *keys;
    lm_status status;
    size_t count;

    LM_TRY(lm_vocab_keys(ctx, vocab, LM_WORD_ROOT, &keys, &count));
    lm_buffer_init(&tries.cells, ctx);
    status = build_tries(&tries, keys, count);
    if (status == LM_OK)
        status = write_tries(&tries, start, out, cells);
    lm_buffer_free(&tries.cells);
    lm_free(ctx, keys);
    return status;
}
