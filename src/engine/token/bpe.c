/*
 * bpe.c - runs BPE on one word: its characters become symbols, which are merged; short words are
 * remembered.
 */
#include "token/bpe.h"

#include "base/utf8.h"
#include "token/trie.h"

/* The word under way; its bytes and symbols lie in the scratch. */
typedef struct word {
    lm_encode_state *state;
    const lm_bpe *bpe;
    const lm_cell *cells;
    const char *bytes;
    size_t length;
    lm_symbol *symbols;
    size_t count;
    size_t unknown; /* bytes of unknown characters that have no symbol yet */
} word;

/* The id of a character: with the prefix if it is not the first one, the suffix if it is the last.
 */
static int32_t
find_char(const word *w, const char *c, size_t length)
{
    const lm_bpe *bpe = w->bpe;
    const char *suffix = lm_image_at(w->state->image, bpe->suffix);
    uint32_t node = c == w->bytes ? bpe->first : bpe->next;

    for (size_t i = 0; i < length && node != 0; i++)
        node = lm_trie_child(w->cells, node, (unsigned char)c[i]);
    for (size_t i = 0; c + length == w->bytes + w->length && i < bpe->suffix.count && node; i++)
        node = lm_trie_child(w->cells, node, (unsigned char)suffix[i]);
    return node != 0 ? lm_trie_value(w->cells, node) : -1;
}

static void
add_symbol(word *w, int32_t id, size_t length)
{
    w->symbols[w->count++] = (lm_symbol){id, (uint32_t)length};
}

static void
end_unknown(word *w)
{
    if (w->unknown > 0)
        add_symbol(w, w->bpe->unk, w->unknown);
    w->unknown = 0;
}

/* A token for each byte, if there are tokens for all. */
static bool
add_bytes(word *w, const char *c, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (w->bpe->bytes[(unsigned char)c[i]] < 0)
            return false;
    for (size_t i = 0; i < length; i++)
        add_symbol(w, w->bpe->bytes[(unsigned char)c[i]], 1);
    return true;
}

/*
 * As in the reference: unknown characters wait for the next known one, and bytes overtake them;
 * what has no token at all is left out, and later tokens move up to its place.
 */
static void
add_char(word *w, const char *c, size_t length)
{
    int32_t id = find_char(w, c, length);

    if (id >= 0) {
        end_unknown(w);
        add_symbol(w, id, length);
        return;
    }
    if ((w->bpe->flags & LM_BPE_BYTE_FALLBACK) && add_bytes(w, c, length))
        return;
    if (w->bpe->flags & LM_BPE_LACKS_UNK)
        w->state->status = lm_raise(w->state->ctx, LM_BAD_MODEL,
                                    "the vocabulary lacks the tokenizer's unknown token");
    if (w->bpe->unk < 0)
        return;
    if (!(w->bpe->flags & LM_BPE_FUSE_UNK))
        end_unknown(w);
    w->unknown += length;
}

static lm_status
add_chars(word *w)
{
    int length;

    for (size_t at = 0, steps = 0; at < w->length; at += (size_t)length) {
        LM_TRY(lm_poll_step(w->state->ctx, steps++));
        lm_utf8_decode(w->bytes + at, &length);
        add_char(w, w->bytes + at, (size_t)length);
    }
    end_unknown(w);
    return w->state->status;
}

/* No word has more symbols than bytes. */
static lm_status
reserve_symbols(word *w)
{
    lm_buffer *symbols = &w->state->scratch->symbols;
    size_t bytes;

    if (lm_mul_overflows(w->length, sizeof *w->symbols, &bytes))
        return lm_raise(w->state->ctx, LM_TOO_LARGE, "the text is too long");
    symbols->size = 0;
    LM_TRY(lm_buffer_reserve(symbols, bytes));
    w->symbols = (lm_symbol *)(void *)symbols->data;
    return LM_OK;
}

/* The tokens of the word, into the scratch. */
static lm_status
split_word(word *w)
{
    int32_t whole = -1;

    LM_TRY(reserve_symbols(w));
    if (w->bpe->flags & LM_BPE_IGNORE_MERGES)
        whole = lm_trie_find(w->cells, w->state->image->trie_root, w->bytes, w->length);
    if (whole >= 0) {
        add_symbol(w, whole, w->length);
        return LM_OK;
    }
    LM_TRY(add_chars(w));
    return lm_bpe_merge(w->state, w->bpe, w->symbols, &w->count);
}

/* The symbols of a word that is remembered. */
static lm_status
recall(word *w, const lm_cached_word *known)
{
    LM_TRY(reserve_symbols(w));
    for (size_t i = 0; i < known->count; i++)
        add_symbol(w, known->ids[i], known->lengths[i]);
    return LM_OK;
}

static lm_status
find_word(word *w)
{
    lm_word_cache *cache = &w->state->scratch->cache;
    const lm_cached_word *known;
    lm_cached_word *set;
    uint64_t key[3];

    if (w->length > LM_CACHED_BYTES)
        return split_word(w);
    LM_TRY(lm_word_cache_open(w->state->ctx, cache, 2 * w->state->serial));
    lm_cache_key(w->bytes, w->length, w->state->scratch->word.capacity, key);
    set = lm_cache_set(cache, key);
    known = lm_cache_find(set, key, w->length);
    if (known)
        return recall(w, known);
    LM_TRY(split_word(w));
    lm_cache_keep(cache, set, key, w->length, w->symbols, w->count);
    return LM_OK;
}

/* A character of the word, as the places of its tokens are found. */
typedef struct position {
    const uint32_t *c;
    size_t index;
    size_t start; /* its first byte */
} position;

/* Move on to the character that holds a byte. */
static void
move_to(position *p, size_t byte)
{
    char bytes[4];
    size_t length;

    while (byte >= p->start + (length = (size_t)lm_utf8_encode(p->c[p->index], bytes))) {
        p->start += length;
        p->index++;
    }
}

/* A token has the places of all characters of which it has a byte. */
static void
emit_places(const word *w, const uint32_t *c, const int32_t *at)
{
    position p = {c, 0, 0};
    size_t byte = 0;

    for (size_t i = 0; i < w->count; i++) {
        int32_t start;

        move_to(&p, byte);
        start = at[p.index];
        byte += w->symbols[i].length;
        move_to(&p, byte - 1);
        lm_encode_span(w->state, w->symbols[i].id, start, at[p.index] + 1, true);
    }
}

static lm_status
run_word(lm_encode_state *state, const uint32_t *c, const int32_t *at, size_t count)
{
    lm_token_scratch *scratch = state->scratch;
    const lm_chars chars = {.c = (uint32_t *)(uintptr_t)c, .count = count};
    word w = {.state = state,
              .bpe = lm_image_at(state->image, state->image->settings),
              .cells = lm_image_at(state->image, state->image->trie)};

    LM_TRY(lm_chars_encode(state->ctx, &chars, &scratch->word));
    w.bytes = scratch->word.data;
    w.length = scratch->word.size;
    LM_TRY(find_word(&w));
    if (state->offsets)
        emit_places(&w, c, at);
    for (size_t i = 0; i < w.count && !state->offsets; i++)
        lm_encode_span(state, w.symbols[i].id, 0, 0, false);
    return state->status;
}

static int32_t
unknown_of(const void *settings)
{
    return ((const lm_bpe *)settings)->unk;
}

/* With a prefix that is not empty the characters behind the first one start elsewhere. */
static bool
marks_pieces(const void *settings)
{
    const lm_bpe *bpe = settings;

    return bpe->next != bpe->first;
}

const lm_token_model lm_bpe_model = {.name = "BPE",
                                     .read_vocab = lm_vocab_read,
                                     .compile = lm_bpe_compile,
                                     .run = run_word,
                                     .unknown = unknown_of,
                                     .marks_pieces = marks_pieces};
