/*
 * wordpiece.c - compiles the vocabulary into a trie with failure links, and runs it on one word.
 *
 * Two tries share one array: pieces that start a word (every token as it is written), and pieces
 * that continue one (tokens with the continuing prefix, without it). For a node v that spells s,
 * let F(v) be the longest pieces from the left of s that are certain whatever follows, and f(v) the
 * node of the suffix trie that spells the rest. A word is walked byte by byte; where a node has no
 * child, its F is emitted and the walk goes on at f. Each byte is walked once and each token
 * emitted once.
 */
#include "token/wordpiece.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum { WORD_ROOT = 1, SUFFIX_ROOT = 2 };

/* All lists of pops together; a hostile vocabulary could make them quadratic in its size. */
#define MAX_POPS ((size_t)1 << 24)
#define MAX_WORD_CHARS (1 << 30)

/* The model while it is compiled. */
typedef struct compiler {
    lm_context *ctx;
    lm_trie trie;
    lm_wordpiece_link *links; /* by cell */
    uint32_t *chars;          /* by cell: characters from the root */
    lm_buffer pops;           /* lm_pop; the first is not used, place 0 means none */
} compiler;

static lm_status read_settings(lm_context *ctx, const lm_json *model, const lm_vocab *vocab,
                               lm_wordpiece *wordpiece, const lm_json **prefix);
static lm_status build_trie(compiler *c, const lm_vocab *vocab, const lm_json *prefix,
                            uint32_t max_chars);
static lm_status build_links(compiler *c);
static lm_status link_node(compiler *c, uint32_t node);
static lm_status write_model(const compiler *c, size_t start, lm_wordpiece *wordpiece,
                             lm_buffer *out);

/* The arrays of the compilation are freed here, also after a failure. */
lm_status
lm_wordpiece_compile(lm_context *ctx, const lm_json *model, const lm_vocab *vocab, size_t start,
                     lm_buffer *out)
{
    compiler c = {.ctx = ctx};
    lm_wordpiece wordpiece = {.word_root = WORD_ROOT, .suffix_root = SUFFIX_ROOT};
    const lm_json *prefix = NULL;
    lm_status status;

    lm_buffer_init(&c.pops, ctx);
    status = read_settings(ctx, model, vocab, &wordpiece, &prefix);
    if (status == LM_OK)
        status = build_trie(&c, vocab, prefix, wordpiece.max_chars);
    if (status == LM_OK)
        status = build_links(&c);
    if (status == LM_OK)
        status = write_model(&c, start, &wordpiece, out);
    lm_trie_free(&c.trie);
    lm_free(ctx, c.links);
    lm_free(ctx, c.chars);
    lm_buffer_free(&c.pops);
    return status;
}

/* The unknown token must be the model's own: every word may become it. */
static lm_status
read_settings(lm_context *ctx, const lm_json *model, const lm_vocab *vocab, lm_wordpiece *wordpiece,
              const lm_json **prefix)
{
    lm_field field = {model, "model"};
    const lm_json *unk;
    int64_t max_chars;

    LM_TRY(lm_field_string(ctx, field, "unk_token", &unk));
    LM_TRY(lm_field_string(ctx, field, "continuing_subword_prefix", prefix));
    LM_TRY(lm_field_integer(ctx, field, "max_input_chars_per_word", 0, MAX_WORD_CHARS, 100,
                            &max_chars));
    wordpiece->max_chars = (uint32_t)max_chars;
    wordpiece->unk = lm_vocab_find(vocab, unk->as.string.bytes, unk->as.string.length);
    if (wordpiece->unk < 0 || vocab->tokens[wordpiece->unk].added)
        return lm_field_wrong(ctx, field, "unk_token", unk, "a token of model.vocab");
    return LM_OK;
}

/* A key for a token, unless no word that is short enough could hold it. */
static void
add_key(lm_trie_key *keys, size_t *count, const char *text, size_t length, uint32_t root,
        int32_t id, uint32_t max_chars)
{
    if (length > 0 && lm_utf8_count(text, length) <= max_chars)
        keys[(*count)++] = (lm_trie_key){text, length, root, id};
}

/* A token with the prefix is in both tries: a word may also be written that way. */
static lm_status
build_trie(compiler *c, const lm_vocab *vocab, const lm_json *prefix, uint32_t max_chars)
{
    size_t skip = prefix->as.string.length, count = 0;
    lm_trie_key *keys = lm_alloc_array(c->ctx, 2 * (size_t)vocab->size, sizeof *keys);
    lm_status status = LM_OK;

    if (!keys)
        return LM_NO_MEMORY;
    for (int32_t id = 0; id < vocab->size && status == LM_OK; id++) {
        const lm_vocab_token *token = &vocab->tokens[id];

        if (id % 4096 == 4095)
            status = lm_poll(c->ctx);
        if (!token->text || token->added)
            continue;
        add_key(keys, &count, token->text, token->length, WORD_ROOT, id, max_chars);
        if (token->length > skip && memcmp(token->text, prefix->as.string.bytes, skip) == 0)
            add_key(keys, &count, token->text + skip, token->length - skip, SUFFIX_ROOT, id,
                    max_chars);
    }
    if (status == LM_OK)
        status = lm_trie_build(c->ctx, keys, count, SUFFIX_ROOT, &c->trie);
    lm_free(c->ctx, keys);
    return status;
}

/* Parents come before children, and a failure link leads to a lesser depth: both are known. */
static lm_status
build_links(compiler *c)
{
    static const lm_pop unused;

    c->links = lm_alloc_zero(c->ctx, c->trie.count * sizeof *c->links);
    c->chars = lm_alloc_zero(c->ctx, c->trie.count * sizeof *c->chars);
    if (!c->links || !c->chars)
        return LM_NO_MEMORY;
    LM_TRY(lm_buffer_append(&c->pops, &unused, sizeof unused));
    for (size_t i = SUFFIX_ROOT; i < c->trie.nodes; i++) {
        if (i % 4096 == 0)
            LM_TRY(lm_poll(c->ctx));
        LM_TRY(link_node(c, c->trie.order[i]));
    }
    return LM_OK;
}

/* Append F(node), whose link is set, to the list at the end of the buffer. */
static lm_status
append_pops(compiler *c, uint32_t node)
{
    uint32_t pops = c->links[node].pops;
    lm_pop own = {(int32_t)(pops & ~LM_POP_SELF), c->chars[node] << 1};

    if (c->pops.size / sizeof own > MAX_POPS)
        return lm_raise(c->ctx, LM_TOO_LARGE, "the pieces of the vocabulary nest too deeply");
    if (pops & LM_POP_SELF)
        return lm_buffer_append(&c->pops, &own, sizeof own);
    for (size_t at = pops;; at++) {
        lm_pop pop = ((const lm_pop *)c->pops.data)[at];
        lm_pop plain = {pop.id, pop.span & ~1u};

        LM_TRY(lm_buffer_append(&c->pops, &plain, sizeof plain));
        if (pop.span & 1)
            return LM_OK;
    }
}

/* F and f of a node from those of its parent u: the paper's algorithm 1. */
static lm_status
link_node(compiler *c, uint32_t node)
{
    uint32_t parent = c->trie.cells[node].check;
    unsigned char byte = (unsigned char)(node - c->trie.cells[parent].base);
    size_t before = c->pops.size;
    uint32_t z = c->links[parent].fail, child = 0;

    c->chars[node] = c->chars[parent] + ((byte & 0xc0) != 0x80);
    if (c->trie.values[node] >= 0) {
        c->links[node] =
            (lm_wordpiece_link){SUFFIX_ROOT, LM_POP_SELF | (uint32_t)c->trie.values[node]};
        return LM_OK;
    }
    if (z != 0)
        LM_TRY(append_pops(c, parent));
    while (z != 0 && (child = lm_trie_child(c->trie.cells, z, byte)) == 0) {
        if (c->links[z].fail != 0)
            LM_TRY(append_pops(c, z));
        z = c->links[z].fail;
    }
    if (z == 0) {
        c->pops.size = before;
        return LM_OK;
    }
    ((lm_pop *)(c->pops.data + c->pops.size))[-1].span |= 1;
    c->links[node] = (lm_wordpiece_link){child, (uint32_t)(before / sizeof(lm_pop))};
    return LM_OK;
}

/* The tries' values are not needed any more: links hold the ids. */
static lm_status
write_model(const compiler *c, size_t start, lm_wordpiece *wordpiece, lm_buffer *out)
{
    LM_TRY(lm_image_append(out, start, c->trie.cells, c->trie.count, sizeof *c->trie.cells,
                           &wordpiece->cells));
    LM_TRY(
        lm_image_append(out, start, c->links, c->trie.count, sizeof *c->links, &wordpiece->links));
    LM_TRY(lm_image_append(out, start, c->pops.data, c->pops.size / sizeof(lm_pop), sizeof(lm_pop),
                           &wordpiece->pops));
    ((lm_token_image *)(out->data + start))->wordpiece = *wordpiece;
    return LM_OK;
}

/* The staged way feeds characters that were normalized before. */
lm_status
lm_wordpiece_run(lm_run *run, const uint32_t *c, const int32_t *at, size_t count)
{
    lm_walk walk;

    lm_walk_init(&walk, run->image);
    lm_walk_begin(&walk, run);
    walk.at = at;
    walk.bad = count > walk.model->max_chars;
    for (size_t i = 0; i < count && !walk.bad; i++) {
        char bytes[4];
        int length = lm_utf8_encode(c[i], bytes);

        for (int k = 0; k < length && !walk.bad; k++)
            walk.bad = !lm_walk_byte(&walk, run, (unsigned char)bytes[k], run->offsets);
        walk.chars++;
    }
    lm_walk_end(&walk, run, at[0], at[count - 1] + 1, run->offsets);
    return run->status;
}
