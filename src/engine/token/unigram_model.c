/*
 * unigram_model.c - the model Unigram: of all ways to cut a word into pieces, that with the highest
 * sum of scores (Viterbi), with the ties and sums of the library: from left to right, in double,
 * and the first of equal ones stays.
 *
 * A character that is no piece may be an unknown one, at the lowest score less 10. Unknown ones in
 * a row are one token, which may be a piece again, or the bytes of it where these are pieces.
 */
#include "token/unigram_model.h"

#include <stdio.h>

#include "base/utf8.h"
#include "token/trie.h"

#define ROOT 1u
#define UNKNOWN_PENALTY 10.0

/* Each character of a word is walked from at most so many bytes to its left. */
#define MAX_PIECE 1024

/* The model's settings in the image. */
typedef struct unigram {
    lm_span scores; /* double, by id */
    double unknown; /* score of a character that is no piece */
    int32_t unk;
    uint32_t bytes_count; /* 256 where every byte is a piece and stands for itself, else 0 */
    int32_t bytes[256];   /* their ids; -1: none */
} unigram;

/* ---------------------------------------------------------------- compilation */

static lm_status read_scores(lm_context *ctx, const lm_json *model, bool nearest, lm_buffer *scores,
                             unigram *settings);
static lm_status read_unk(lm_context *ctx, const lm_json *model, const lm_vocab *vocab,
                          unigram *settings);
static lm_status build_trie(lm_context *ctx, lm_vocab *vocab, lm_trie *trie);
static lm_status write_model(lm_buffer *out, size_t start, const lm_trie *trie,
                             const lm_buffer *scores, unigram *settings);

/* What is built is freed here, also after a failure. */
static lm_status
compile_unigram(lm_context *ctx, const lm_json *model, lm_vocab *vocab, size_t start,
                lm_buffer *out)
{
    lm_trie trie = {.ctx = ctx};
    lm_buffer scores;
    unigram settings = {.unk = -1};
    lm_status status;

    lm_buffer_init(&scores, ctx);
    status = read_scores(ctx, model, vocab->nearest_scores, &scores, &settings);
    if (status == LM_OK)
        status = read_unk(ctx, model, vocab, &settings);
    if (status == LM_OK)
        status = build_trie(ctx, vocab, &trie);
    if (status == LM_OK)
        status = write_model(out, start, &trie, &scores, &settings);
    lm_trie_free(&trie);
    lm_buffer_free(&scores);
    return status;
}

/*
 * lm_vocab_read_list has checked the entries. A last bit of a score decides between ways that have
 * the same pieces in another order: sums are rounded too.
 */
static lm_status
read_scores(lm_context *ctx, const lm_json *model, bool nearest, lm_buffer *scores,
            unigram *settings)
{
    const lm_json *entries = lm_json_get(model, "vocab");
    double low = __builtin_inf();
    size_t index = 0;

    for (const lm_json *entry = entries->as.items.first; entry; entry = entry->next) {
        const lm_json *number = entry->as.items.first->next;
        double score = nearest ? number->as.numbers.nearest : number->as.numbers.two_steps;

        if (index++ % 4096 == 4095)
            LM_TRY(lm_poll(ctx));
        if (score < low)
            low = score;
        LM_TRY(lm_buffer_append(scores, &score, sizeof score));
    }
    settings->unknown = low - UNKNOWN_PENALTY;
    return LM_OK;
}

/* Every byte of a text that has no piece is a token of its own. */
static void
find_bytes(const lm_vocab *vocab, unigram *settings)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[8];
        int length = snprintf(text, sizeof text, "<0x%02X>", byte);

        settings->bytes[byte] = lm_vocab_find(vocab, text, (size_t)length);
    }
    settings->bytes_count = 256;
}

/* The reference fails at the first character that is no piece where there is no unknown token. */
static lm_status
read_unk(lm_context *ctx, const lm_json *model, const lm_vocab *vocab, unigram *settings)
{
    lm_field field = {model, "model"};
    const lm_json *unk = lm_json_get(model, "unk_id");
    int64_t id;
    bool bytes;

    if (!unk || unk->type != LM_JSON_NUMBER || vocab->model_count == 0)
        return lm_field_wrong(ctx, field, "unk_id", unk, "the id of a piece of model.vocab");
    LM_TRY(lm_field_integer(ctx, field, "unk_id", 0, (int64_t)vocab->model_count - 1, 0, &id));
    LM_TRY(lm_field_bool(ctx, field, "byte_fallback", false, &bytes));
    settings->unk = (int32_t)id;
    if (bytes)
        find_bytes(vocab, settings);
    return LM_OK;
}

static lm_status
refuse_long(lm_context *ctx, const lm_vocab_token *token)
{
    lm_raise(ctx, LM_TOO_LARGE, "a piece of the vocabulary is too long");
    lm_detail_file(ctx, "tokenizer.json");
    lm_detail_key(ctx, "model.vocab");
    lm_detail_found(ctx, "%zu bytes", token->length);
    return lm_detail_allowed(ctx, "%d bytes", MAX_PIECE);
}

/* Of pieces with equal texts the last one is a key: its score and id count. */
static lm_status
add_keys(lm_context *ctx, lm_vocab *vocab, lm_trie_key *keys, size_t *count)
{
    for (int32_t id = 0; id < vocab->size; id++) {
        lm_vocab_token *token = &vocab->tokens[id];

        if (id % 4096 == 4095)
            LM_TRY(lm_poll(ctx));
        if (!token->text || token->added || token->length == 0)
            continue;
        if (token->length > MAX_PIECE)
            return refuse_long(ctx, token);
        token->is_key = lm_vocab_find(vocab, token->text, token->length) == id;
        if (token->is_key)
            keys[(*count)++] = (lm_trie_key){token->text, token->length, ROOT, id};
    }
    return LM_OK;
}

static lm_status
build_trie(lm_context *ctx, lm_vocab *vocab, lm_trie *trie)
{
    lm_trie_key *keys = lm_alloc_array(ctx, (size_t)vocab->size, sizeof *keys);
    size_t count = 0;
    lm_status status = keys ? add_keys(ctx, vocab, keys, &count) : LM_NO_MEMORY;

    if (status == LM_OK)
        status = lm_trie_build(ctx, keys, count, ROOT, trie);
    lm_free(ctx, keys);
    return status;
}

static lm_status
write_model(lm_buffer *out, size_t start, const lm_trie *trie, const lm_buffer *scores,
            unigram *settings)
{
    lm_span cells = {0}, span = {0};

    LM_TRY(lm_image_append(out, start, trie->cells, trie->count, sizeof *trie->cells, &cells));
    LM_TRY(lm_image_append(out, start, scores->data, scores->size / sizeof(double), sizeof(double),
                           &settings->scores));
    LM_TRY(lm_image_append(out, start, settings, 1, sizeof *settings, &span));
    lm_image_set_model(out, start, span, cells, ROOT);
    return LM_OK;
}

/* ---------------------------------------------------------------- one word */

/* The best way to a byte of the word: its last piece, and where that starts. */
typedef struct node {
    double score;
    int32_t id; /* NO_NODE: no piece ends here */
    uint32_t start;
} node;

#define NO_NODE (-1)

typedef struct path {
    lm_encode_state *state;
    const unigram *model;
    const lm_cell *cells;
    const double *scores;
    const char *text; /* the word as UTF-8 */
    size_t size;
    node *nodes; /* one more than bytes */
} path;

/* Room for the word and its nodes in the scratch. */
static lm_status
open_path(path *p, lm_encode_state *state, const uint32_t *c, size_t count)
{
    lm_buffer *text = &state->scratch->word, *nodes = &state->scratch->nodes;
    const lm_token_image *image = state->image;
    const lm_chars chars = {.c = (uint32_t *)(uintptr_t)c, .count = count};
    size_t bytes;

    LM_TRY(lm_chars_encode(state->ctx, &chars, text));
    nodes->size = 0;
    if (text->size > UINT32_MAX - 1 || lm_mul_overflows(text->size + 1, sizeof(node), &bytes))
        return lm_raise(state->ctx, LM_TOO_LARGE, "the text is too long");
    LM_TRY(lm_buffer_reserve(nodes, bytes));
    *p = (path){.state = state,
                .model = lm_image_at(image, image->settings),
                .cells = lm_image_at(image, image->trie),
                .text = text->data,
                .size = text->size,
                .nodes = (node *)(void *)nodes->data};
    p->scores = lm_image_at(image, p->model->scores);
    return LM_OK;
}

/* A way to `node`, unless there is one that is as good. */
static inline void
offer(node *node, double score, int32_t id, size_t start)
{
    if (node->id != NO_NODE && !(score > node->score))
        return;
    node->score = score;
    node->id = id;
    node->start = (uint32_t)start;
}

/* Every piece that starts at a character of so many bytes; how many bytes were walked. */
static inline size_t
offer_pieces(path *p, size_t start, size_t character)
{
    const double here = p->nodes[start].score;
    uint32_t at = ROOT;
    bool single = false;
    size_t stop = start;

    while (stop < p->size &&
           (at = lm_trie_child(p->cells, at, (unsigned char)p->text[stop])) != 0) {
        int32_t id = lm_trie_value(p->cells, at);

        stop++;
        if (id < 0)
            continue;
        offer(&p->nodes[stop], p->scores[id] + here, id, start);
        single |= stop == start + character;
    }
    if (!single)
        offer(&p->nodes[start + character], p->model->unknown + here, p->model->unk, start);
    return stop - start;
}

/* The length of a character by its first byte. */
static inline size_t
char_bytes(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The best way to every character, from left to right. */
static lm_status
find_path(path *p)
{
    size_t steps = 0;

    for (size_t i = 0; i <= p->size; i++) {
        LM_TRY(lm_poll_step(p->state->ctx, i));
        p->nodes[i].id = NO_NODE;
    }
    p->nodes[0].score = 0;
    for (size_t at = 0; at < p->size;) {
        size_t character = char_bytes((unsigned char)p->text[at]);

        steps += offer_pieces(p, at, character);
        if (steps > LM_STEPS_PER_POLL) {
            steps = 0;
            LM_TRY(lm_poll(p->state->ctx));
        }
        at += character;
    }
    return LM_OK;
}

/* Turn the best path around: `start` of each of its nodes becomes where its piece stops. */
static lm_status
turn_path(path *p)
{
    uint32_t stop = (uint32_t)p->size, later = stop;
    int32_t id = NO_NODE;

    for (size_t steps = 0;; steps++) {
        node here = p->nodes[stop];

        LM_TRY(lm_poll_step(p->state->ctx, steps));
        p->nodes[stop] = (node){0, id, later};
        if (stop == 0)
            return LM_OK;
        id = here.id;
        later = stop;
        stop = here.start;
    }
}

/* ---------------------------------------------------------------- tokens of a path */

/* The place of a character of the word, followed in bytes. */
typedef struct follower {
    const int32_t *at;
    size_t byte, character;
} follower;

/* Move on to a byte; the character there. */
static inline size_t
follow(follower *f, const char *text, size_t byte)
{
    for (; f->byte < byte; f->byte++)
        f->character += ((unsigned char)text[f->byte] & 0xc0) != 0x80;
    return f->character;
}

/* Whether all bytes of an unknown stretch are pieces. */
static bool
has_bytes(const path *p, size_t start, size_t stop)
{
    bool all = p->model->bytes_count > 0;

    for (size_t i = start; i < stop && all; i++)
        all = p->model->bytes[(unsigned char)p->text[i]] >= 0;
    return all;
}

/* Unknown characters in a row, which stand at characters [from, to) of the word. */
static lm_status
put_unknown(path *p, const int32_t *at, size_t start, size_t stop, size_t from, size_t to)
{
    lm_encode_state *state = p->state;
    int32_t id = lm_trie_find(p->cells, ROOT, p->text + start, stop - start);

    if (id >= 0 || !has_bytes(p, start, stop)) {
        lm_encode_token(state, id >= 0 ? id : p->model->unk, at, from, to, state->offsets);
        return LM_OK;
    }
    for (size_t i = start; i < stop; i++) {
        LM_TRY(lm_poll_step(state->ctx, i));
        lm_encode_token(state, p->model->bytes[(unsigned char)p->text[i]], at, from, to,
                        state->offsets);
    }
    return LM_OK;
}

/* Where the unknown ones in a row end of which the first stops at `stop`. */
static lm_status
unknown_stop(const path *p, size_t *stop)
{
    for (size_t steps = 0; *stop < p->size && p->nodes[*stop].id == p->model->unk; steps++) {
        LM_TRY(lm_poll_step(p->state->ctx, steps));
        *stop = p->nodes[*stop].start;
    }
    return LM_OK;
}

/* A turned path from left to right. */
static lm_status
put_path(path *p, const int32_t *places)
{
    lm_encode_state *state = p->state;
    follower f = {.at = places};
    size_t start = 0;

    for (size_t steps = 0; start < p->size; steps++) {
        int32_t id = p->nodes[start].id;
        size_t stop = p->nodes[start].start, from = 0, to = 0;

        LM_TRY(lm_poll_step(state->ctx, steps));
        if (id == p->model->unk)
            LM_TRY(unknown_stop(p, &stop));
        if (state->offsets) {
            from = follow(&f, p->text, start);
            to = follow(&f, p->text, stop);
        }
        if (id == p->model->unk)
            LM_TRY(put_unknown(p, places, start, stop, from, to));
        else
            lm_encode_token(state, id, places, from, to, state->offsets);
        start = stop;
    }
    return state->status;
}

static lm_status
run_unigram(lm_encode_state *state, const uint32_t *c, const int32_t *at, size_t count)
{
    path p = {0};

    LM_TRY(open_path(&p, state, c, count));
    LM_TRY(find_path(&p));
    LM_TRY(turn_path(&p));
    return put_path(&p, at);
}

static int32_t
unknown_of(const void *settings)
{
    return ((const unigram *)settings)->unk;
}

const lm_token_model lm_unigram_model = {.name = "Unigram",
                                         .read_vocab = lm_vocab_read_list,
                                         .compile = compile_unigram,
                                         .run = run_unigram,
                                         .unknown = unknown_of,
                                         .unknown_is_word = true};
