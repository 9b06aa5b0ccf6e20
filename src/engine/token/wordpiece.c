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
#include "token/trie.h"

enum { WORD_ROOT = 1, SUFFIX_ROOT = 2 };

#define MAX_WORD_CHARS (1 << 30)

/* f and F of a node without a value: as in its own cells, fail and the place of F or its only id.
 */
typedef struct wordpiece_link {
    uint32_t fail;
    uint32_t pops;
    bool single;
} wordpiece_link;

/* The model while it is compiled. */
typedef struct compiler {
    lm_context *ctx;
    lm_trie trie;
    wordpiece_link *links; /* by cell */
    lm_buffer pops;        /* uint32_t */
} compiler;

static lm_status read_settings(lm_context *ctx, const lm_json *model, const lm_vocab *vocab,
                               lm_wordpiece *wordpiece, const lm_json **prefix);
static lm_status build_trie(compiler *c, lm_vocab *vocab, const lm_json *prefix,
                            uint32_t max_chars);
static lm_status build_links(compiler *c);
static lm_status link_node(compiler *c, uint32_t node);
static lm_status append_arrays(compiler *c, size_t start, lm_wordpiece *wordpiece, lm_buffer *out);
static lm_status write_model(compiler *c, size_t start, lm_wordpiece *wordpiece, lm_buffer *out);

/* The arrays of the compilation are freed here, also after a failure. */
static lm_status
compile_wordpiece(lm_context *ctx, const lm_json *model, lm_vocab *vocab, size_t start,
                  lm_buffer *out)
{
    compiler c = {.ctx = ctx};
    lm_wordpiece wordpiece = {.word_root = WORD_ROOT, .suffix_root = SUFFIX_ROOT};
    const lm_json *prefix = NULL;
    lm_status status;

    lm_buffer_init(&c.pops, ctx);
    status = read_settings(ctx, model, vocab, &wordpiece, &prefix);
    if (status == LM_OK) {
        wordpiece.prefix_chars =
            (uint32_t)lm_utf8_count(prefix->as.string.bytes, prefix->as.string.length);
        status = build_trie(&c, vocab, prefix, wordpiece.max_chars);
    }
    if (status == LM_OK)
        status = build_links(&c);
    if (status == LM_OK)
        status = write_model(&c, start, &wordpiece, out);
    lm_trie_free(&c.trie);
    lm_free(ctx, c.links);
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

/* A key for a token, unless no word that is short enough could hold it; whether there is one. */
static bool
add_key(lm_trie_key *keys, size_t *count, const char *text, size_t length, uint32_t root,
        int32_t id, uint32_t max_chars)
{
    if (length == 0 || lm_utf8_count(text, length) > max_chars)
        return false;
    keys[(*count)++] = (lm_trie_key){text, length, root, id};
    return true;
}

/* A token with the prefix is in both tries: a word may also be written that way. */
static lm_status
build_trie(compiler *c, lm_vocab *vocab, const lm_json *prefix, uint32_t max_chars)
{
    size_t skip = prefix->as.string.length, count = 0;
    lm_trie_key *keys = lm_alloc_array(c->ctx, 2 * (size_t)vocab->size, sizeof *keys);
    lm_status status = keys ? LM_OK : LM_NO_MEMORY;

    for (int32_t id = 0; id < vocab->size && status == LM_OK; id++) {
        lm_vocab_token *token = &vocab->tokens[id];

        if (id % 4096 == 4095)
            status = lm_poll(c->ctx);
        if (!token->text || token->added)
            continue;
        token->is_key = add_key(keys, &count, token->text, token->length, WORD_ROOT, id, max_chars);
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
    c->links = lm_alloc_zero(c->ctx, c->trie.count * sizeof *c->links);
    if (!c->links)
        return LM_NO_MEMORY;
    for (size_t i = SUFFIX_ROOT; i < c->trie.nodes; i++) {
        if (i % 4096 == 0)
            LM_TRY(lm_poll(c->ctx));
        LM_TRY(link_node(c, c->trie.order[i]));
    }
    return LM_OK;
}

/* Where to go on after F(node); 0: nowhere. */
static uint32_t
fail_of(const compiler *c, uint32_t node)
{
    return c->trie.values[node] >= 0 ? SUFFIX_ROOT : c->links[node].fail;
}

/* Append F(node), where fail_of(node) is not 0, to the list at the end of the buffer. */
static lm_status
append_pops(compiler *c, uint32_t node)
{
    wordpiece_link link = c->links[node];
    int32_t value = c->trie.values[node];

    /* A hostile vocabulary could make the lists quadratic in its size. */
    if (c->pops.size / sizeof link.pops >= LM_CELL_LIMIT)
        return lm_raise(c->ctx, LM_TOO_LARGE, "the pieces of the vocabulary are nested too deeply");
    if (value >= 0 || link.single) {
        uint32_t pop = (value >= 0 ? (uint32_t)value : link.pops) << 1;

        return lm_buffer_append(&c->pops, &pop, sizeof pop);
    }
    for (size_t at = link.pops;; at++) {
        uint32_t pop = ((const uint32_t *)c->pops.data)[at], plain = pop & ~1u;

        LM_TRY(lm_buffer_append(&c->pops, &plain, sizeof plain));
        if (pop & 1)
            return LM_OK;
    }
}

/* Keep the list from `first` on as F(node), unless it is one id, or that of the parent. */
static void
keep_pops(compiler *c, uint32_t node, size_t first, bool longer)
{
    uint32_t *list = (uint32_t *)(void *)c->pops.data + first, parent = c->trie.parents[node];
    size_t count = c->pops.size / sizeof *list - first;
    wordpiece_link *link = &c->links[node];

    if (count > 1 && longer) {
        list[count - 1] |= 1;
        link->pops = (uint32_t)first;
        return;
    }
    link->single = count == 1;
    link->pops = count == 1 ? list[0] >> 1 : c->links[parent].pops;
    c->pops.size = first * sizeof *list;
}

/* F and f of a node from those of its parent: the paper's algorithm 1. */
static lm_status
link_node(compiler *c, uint32_t node)
{
    uint32_t parent = c->trie.parents[node], z = fail_of(c, parent), child = 0;
    unsigned char byte = (unsigned char)((c->trie.cells[node] & LM_CELL_LABEL) - 1);
    size_t first = c->pops.size / sizeof(uint32_t);
    bool longer = false; /* than F of the parent */

    if (c->trie.values[node] >= 0)
        return LM_OK;
    if (z != 0)
        LM_TRY(append_pops(c, parent));
    while (z != 0 && (child = lm_trie_child(c->trie.cells, z, byte)) == 0) {
        if (fail_of(c, z) != 0)
            LM_TRY(append_pops(c, z));
        z = fail_of(c, z);
        longer = true;
    }
    c->links[node].fail = child;
    if (child != 0)
        keep_pops(c, node, first, longer);
    else
        c->pops.size = first * sizeof(uint32_t);
    return LM_OK;
}

/* Links go into the cells that nodes without a value own; roots have none. */
static lm_status
write_model(compiler *c, size_t start, lm_wordpiece *wordpiece, lm_buffer *out)
{
    for (size_t i = 0; i < c->trie.nodes; i++) {
        uint32_t node = c->trie.order[i];
        wordpiece_link link = c->links[node];
        lm_cell *own = c->trie.cells + lm_cell_payload(c->trie.cells[node]);

        if (c->trie.values[node] >= 0 || link.fail == 0)
            continue;
        own[-1] = lm_cell_make(link.pops, false);
        own[-2] = lm_cell_make(link.fail, link.single);
    }
    return append_arrays(c, start, wordpiece, out);
}

/* The vocabulary's trie is the model's: its first root has the tokens as they are written. */
static lm_status
append_arrays(compiler *c, size_t start, lm_wordpiece *wordpiece, lm_buffer *out)
{
    lm_span settings;

    LM_TRY(lm_image_append(out, start, c->trie.cells, c->trie.count, sizeof *c->trie.cells,
                           &wordpiece->cells));
    LM_TRY(lm_image_append(out, start, c->pops.data, c->pops.size / sizeof(uint32_t),
                           sizeof(uint32_t), &wordpiece->pops));
    LM_TRY(lm_image_append(out, start, wordpiece, 1, sizeof *wordpiece, &settings));
    lm_image_set_model(out, start, settings, wordpiece->cells, wordpiece->word_root);
    return LM_OK;
}

/* ---------------------------------------------------------------- the walk */

/* The state of a word that is being split. */
typedef struct walk {
    const lm_cell *cells;
    const lm_wordpiece *model;
    const lm_token_image *image;
    const int32_t *at; /* place in the text of each character so far; only when offsets count */
    lm_cell node;
    lm_cell suffix;  /* the suffix root */
    uint32_t chars;  /* characters of the word so far */
    uint32_t popped; /* characters that the tokens so far take */
    size_t mark;     /* tokens before the word */
    bool bad;        /* the word is unknown */
} walk;

static inline void
walk_init(walk *walk, const lm_token_image *image)
{
    walk->image = image;
    walk->model = lm_image_at(image, image->settings);
    walk->cells = lm_image_at(image, walk->model->cells);
    walk->suffix = walk->cells[walk->model->suffix_root];
}

static inline void
walk_begin(walk *walk, const lm_encode_state *state)
{
    walk->node = walk->cells[walk->model->word_root];
    walk->chars = walk->popped = 0;
    walk->mark = state->out->count;
    walk->bad = false;
}

static inline bool
walk_has_room(const walk *walk)
{
    return walk->chars < walk->model->max_chars;
}

/* Characters that a token takes of a word, whose first one (continues: false) it is or is not. */
static uint32_t
token_chars(const walk *walk, int32_t id, bool continues)
{
    size_t length = 0;
    const char *text = lm_token_written(walk->image, id, &length);

    return (uint32_t)lm_utf8_count(text, length) - (continues ? walk->model->prefix_chars : 0);
}

/* Emit a token of the word that is not the last one so far. */
static inline void
walk_emit(walk *walk, lm_encode_state *state, int32_t id, bool offsets)
{
    uint32_t next = walk->popped;

    if (offsets)
        next += token_chars(walk, id, walk->popped > 0);
    lm_encode_token(state, id, walk->at, walk->popped, next, offsets);
    walk->popped = next;
}

/* Emit the tokens that end at the node, and follow its failure link; false: the word is unknown. */
static inline bool
walk_pop(walk *walk, lm_encode_state *state, bool offsets)
{
    lm_cell value = walk->node, fail;
    const uint32_t *pop;

    if (!(value & LM_CELL_FLAG))
        value = walk->cells[lm_cell_payload(walk->node) - 1];
    if (value & LM_CELL_FLAG) {
        lm_encode_token(state, (int32_t)lm_cell_payload(value), walk->at, walk->popped, walk->chars,
                        offsets);
        walk->popped = walk->chars;
        walk->node = walk->suffix;
        return true;
    }
    fail = walk->cells[lm_cell_payload(walk->node) - 2];
    if (fail == 0)
        return false;
    walk->node = walk->cells[lm_cell_payload(fail)];
    if (fail & LM_CELL_FLAG) {
        walk_emit(walk, state, (int32_t)lm_cell_payload(value), offsets);
        return true;
    }
    pop = (const uint32_t *)lm_image_at(walk->image, walk->model->pops) + lm_cell_payload(value);
    for (;; pop++) {
        walk_emit(walk, state, (int32_t)(*pop >> 1), offsets);
        if (*pop & 1)
            return true;
    }
}

/* Take one byte of the word; false: the word is unknown. */
static inline bool
walk_byte(walk *walk, lm_encode_state *state, unsigned char byte, bool offsets)
{
    for (;;) {
        if (!(walk->node & LM_CELL_FLAG)) {
            lm_cell next = walk->cells[lm_cell_payload(walk->node) + byte];

            if (__builtin_expect((next & LM_CELL_LABEL) == byte + 1u, 1)) {
                walk->node = next;
                return true;
            }
        }
        if (!walk_pop(walk, state, offsets))
            return false;
    }
}

/* End the word; [start, stop) is its place in the text, for a word that is unknown. */
static inline void
walk_end(walk *walk, lm_encode_state *state, int32_t start, int32_t stop, bool offsets)
{
    while (!walk->bad && walk->node != walk->suffix)
        walk->bad = !walk_pop(walk, state, offsets);
    if (!walk->bad)
        return;
    state->out->count = walk->mark;
    lm_encode_span(state, walk->model->unk, start, stop, offsets);
}

#include "token/fused_loop.h"

static int32_t
unknown_of(const void *settings)
{
    return ((const lm_wordpiece *)settings)->unk;
}

static bool
marks_pieces(const void *settings)
{
    return ((const lm_wordpiece *)settings)->prefix_chars > 0;
}

/* A key of the suffix trie, as its text without the prefix. */
static bool
continues_word(const lm_token_image *image, int32_t id)
{
    const lm_wordpiece *model = lm_image_at(image, image->settings);
    size_t length, prefix = 0;
    const char *text = lm_token_written(image, id, &length);

    for (uint32_t i = 0; i < model->prefix_chars && prefix < length; i++) {
        int bytes;

        lm_utf8_decode(text + prefix, &bytes);
        prefix += (size_t)bytes;
    }
    return prefix > 0 && prefix < length &&
           lm_trie_find(lm_image_at(image, model->cells), model->suffix_root, text + prefix,
                        length - prefix) == id;
}

const lm_token_model lm_wordpiece_model = {.name = "WordPiece",
                                           .read_vocab = lm_vocab_read,
                                           .compile = compile_wordpiece,
                                           .run = walk_word,
                                           .walk = walk_text,
                                           .unknown = unknown_of,
                                           .continues = continues_word,
                                           .marks_pieces = marks_pieces};
