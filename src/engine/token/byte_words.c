/*
 * byte_words.c - byte-level BPE straight over UTF-8.
 *
 * In the alphabet of ByteLevel every byte is one character, so a word's bytes are its first
 * symbols. Most words are in the cache: then a word costs its cut, one look-up and a copy of ids. A
 * token has the places of all characters of which it has a byte, as in the staged way.
 */
#include "token/byte_words.h"

#include "base/utf8.h"
#include "token/bpe.h"
#include "token/byte_level.h"
#include "token/composed.h"
#include "token/match.h"
#include "token/staged.h"
#include "token/trim.h"
#include "token/word_rules.h"

/* A cancel is looked for after this many bytes of text. */
#define POLL_BYTES ((size_t)1 << 16)

/* ---------------------------------------------------------------- whether */

/* The rule and prefix of a ByteLevel that cuts by itself. */
static lm_byte_words
read_byte_level(const lm_json *stage)
{
    const lm_json *prefix = lm_json_get(stage, "add_prefix_space");
    const lm_json *regex = lm_json_get(stage, "use_regex");
    const bool cuts = !regex || (regex->type == LM_JSON_BOOL && regex->boolean);
    lm_byte_words words = {0};

    if (!lm_json_is_string(lm_json_get(stage, "type"), "ByteLevel"))
        return words;
    words.rule = cuts ? LM_WORD_RULE_GPT2 : 0;
    words.prefix = prefix && prefix->type == LM_JSON_BOOL && prefix->boolean;
    return words;
}

/* A Split that keeps every match as a word: all text is matched, so the behaviours are one. */
static uint32_t
read_split(const lm_json *stage)
{
    const lm_json *regex = lm_json_get(lm_json_get(stage, "pattern"), "Regex");
    const lm_json *behavior = lm_json_get(stage, "behavior");
    const lm_json *invert = lm_json_get(stage, "invert");
    const bool inverted = invert && invert->type == LM_JSON_BOOL && invert->boolean;

    if (!lm_json_is_string(lm_json_get(stage, "type"), "Split") || !regex ||
        regex->type != LM_JSON_STRING ||
        !lm_json_is_string(behavior, inverted ? "Removed" : "Isolated"))
        return 0;
    return lm_word_rule_find(regex->as.string.bytes, regex->as.string.length);
}

/* Sequence[Split, ByteLevel], where the second neither cuts nor adds a space. */
static lm_byte_words
read_sequence(const lm_json *stage)
{
    const lm_json *members = lm_json_get(stage, "pretokenizers");
    const lm_json *first, *second;
    lm_byte_words level, words = {0};

    if (!members || members->type != LM_JSON_ARRAY || members->as.items.count != 2)
        return words;
    first = members->as.items.first;
    second = first->next;
    level = read_byte_level(second);
    if (lm_json_is_string(lm_json_get(second, "type"), "ByteLevel") && level.rule == 0 &&
        level.prefix == 0)
        words.rule = read_split(first);
    return words;
}

/* The tokens of the 256 bytes; false: one is missing. */
static bool
find_bytes(const lm_token_image *image, int32_t ids[256])
{
    const lm_cell *cells = lm_image_at(image, image->trie);

    for (unsigned byte = 0; byte < 256; byte++) {
        char text[4];
        int length = lm_utf8_encode(lm_byte_level_char((unsigned char)byte), text);

        ids[byte] = lm_trie_find(cells, image->trie_root, text, (size_t)length);
        if (ids[byte] < 0)
            return false;
    }
    return true;
}

/* Whether texts stay as they are before they are cut; *nfc: where they are composed. */
static bool
keeps_text(const lm_token_image *image, const lm_json *normalizer, uint16_t *nfc)
{
    *nfc = lm_json_is_string(lm_json_get(normalizer, "type"), "NFC");
    return image->normalizer.count == *nfc && lm_matcher_is_empty(&image->normalized);
}

/* Whether a word's first symbols are the tokens of its bytes. */
static bool
starts_as_bytes(const lm_token_image *image, const lm_token_model *model, int32_t ids[256])
{
    const lm_bpe *bpe = lm_image_at(image, image->settings);

    return model == &lm_bpe_model && bpe->first == bpe->next && bpe->suffix.count == 0 &&
           find_bytes(image, ids);
}

lm_status
lm_byte_words_compile(lm_context *ctx, const lm_json *root, const lm_token_model *model,
                      size_t start, lm_buffer *out)
{
    const lm_token_image *image = (const lm_token_image *)(out->data + start);
    const lm_json *pretokenizer = lm_json_get(root, "pre_tokenizer");
    lm_byte_words words = read_byte_level(pretokenizer);
    int32_t ids[256];

    if (words.rule == 0)
        words = read_sequence(pretokenizer);
    if (words.rule == 0 || !keeps_text(image, lm_json_get(root, "normalizer"), &words.nfc) ||
        !starts_as_bytes(image, model, ids))
        return LM_OK;
    LM_TRY(lm_image_append(out, start, ids, 256, sizeof ids[0], &words.ids));
    ((lm_token_image *)(out->data + start))->byte_words = words;
    return LM_OK;
}

/* ---------------------------------------------------------------- the run */

typedef struct reader {
    lm_encode_state *state;
    const lm_bpe *bpe;
    const int32_t *bytes; /* their tokens */
    lm_word_cache *cache;
    const unsigned char *end;  /* of the stretch */
    const unsigned char *owed; /* no pause here: only the space in front was read */
    int32_t at;                /* characters before the word; follows only when offsets count */
} reader;

/* A word: its bytes, of which the first `extra` are a space that the text has not. */
typedef struct word {
    const unsigned char *bytes;
    size_t length;
    size_t extra;
} word;

/* Room for a word of few tokens. */
static inline lm_status
reserve_tokens(lm_encoding *out, size_t count)
{
    return __builtin_expect(out->capacity - out->count < count, 0)
               ? lm_encoding_reserve(out, out->count + count)
               : LM_OK;
}

/* The characters that begin in some bytes. */
static inline int32_t
count_chars(const unsigned char *bytes, size_t length)
{
    int32_t count = 0;

    for (size_t i = 0; i < length; i++)
        count += (bytes[i] & 0xc0) != 0x80;
    return count;
}

/*
 * The places of the token at bytes [from, to) of a word. A space that was put in front has the
 * place of the first character.
 */
static inline void
emit_place(const reader *r, word w, size_t from, size_t to, int32_t *chars)
{
    lm_encoding *out = r->state->out;
    const size_t skip = from < w.extra ? w.extra - from : 0;
    const bool inside = skip == 0 && (w.bytes[from] & 0xc0) == 0x80;
    const int32_t begun = *chars; /* characters that began before the token */

    *chars += count_chars(w.bytes + from + skip, to - from - skip);
    out->start[out->count] = r->at + begun - inside;
    out->stop[out->count] = r->at + (*chars > 0 ? *chars : 1);
}

static inline void
emit_cached(reader *r, word w, const lm_cached_word *known, bool offsets)
{
    lm_encoding *out = r->state->out;
    int32_t chars = 0;
    size_t from = 0;

    if (!offsets) {
        memcpy(out->ids + out->count, known->ids, sizeof known->ids);
        out->count += known->count;
        return;
    }
    for (size_t i = 0; i < known->count; i++) {
        out->ids[out->count] = known->ids[i];
        emit_place(r, w, from, from + known->lengths[i], &chars);
        out->count++;
        from += known->lengths[i];
    }
}

/* The symbols of a word, merged, in the scratch. */
static lm_status
merge_word(reader *r, word w, lm_symbol **symbols, size_t *count)
{
    lm_buffer *buffer = &r->state->scratch->symbols;
    size_t bytes;

    if (lm_mul_overflows(w.length, sizeof **symbols, &bytes))
        return lm_raise(r->state->ctx, LM_TOO_LARGE, "the text is too long");
    buffer->size = 0;
    LM_TRY(lm_buffer_reserve(buffer, bytes));
    *symbols = (lm_symbol *)(void *)buffer->data;
    for (size_t i = 0; i < w.length; i++) {
        LM_TRY(lm_poll_step(r->state->ctx, i));
        (*symbols)[i] = (lm_symbol){r->bytes[w.bytes[i]], 1};
    }
    *count = w.length;
    return lm_bpe_merge(r->state, r->bpe, *symbols, count);
}

/* The token that the whole word is, if that goes before merges; else -1. */
static int32_t
find_whole(const reader *r, word w)
{
    const lm_token_image *image = r->state->image;
    const lm_cell *cells = lm_image_at(image, image->trie);
    uint32_t node = image->trie_root;

    if (!(r->bpe->flags & LM_BPE_IGNORE_MERGES))
        return -1;
    for (size_t i = 0; i < w.length && node != 0; i++) {
        char text[4];
        int length = lm_utf8_encode(lm_byte_level_char(w.bytes[i]), text);

        for (int k = 0; k < length && node != 0; k++)
            node = lm_trie_child(cells, node, (unsigned char)text[k]);
    }
    return node != 0 ? lm_trie_value(cells, node) : -1;
}

static lm_status
split_word(reader *r, word w, lm_symbol **symbols, size_t *count)
{
    const int32_t whole = find_whole(r, w);

    if (whole < 0)
        return merge_word(r, w, symbols, count);
    LM_TRY(lm_buffer_reserve(&r->state->scratch->symbols, sizeof **symbols));
    *symbols = (lm_symbol *)(void *)r->state->scratch->symbols.data;
    (*symbols)[0] = (lm_symbol){whole, (uint32_t)w.length};
    *count = 1;
    return LM_OK;
}

/* Take a word of any length without the cache; `keep` is where it is to be remembered, or NULL. */
static lm_status
take_new(reader *r, word w, lm_cached_word *keep, const uint64_t key[3])
{
    lm_encoding *out = r->state->out;
    lm_symbol *symbols = NULL;
    size_t count = 0, from = 0;
    int32_t chars = 0;

    LM_TRY(split_word(r, w, &symbols, &count));
    LM_TRY(reserve_tokens(out, count));
    for (size_t i = 0; i < count; i++) {
        LM_TRY(lm_poll_step(r->state->ctx, i));
        out->ids[out->count] = symbols[i].id;
        if (r->state->offsets)
            emit_place(r, w, from, from + symbols[i].length, &chars);
        from += symbols[i].length;
        out->count++;
    }
    if (keep)
        lm_cache_keep(r->cache, keep, key, w.length, symbols, count);
    return LM_OK;
}

/* A word that may be in the cache, and where it would lie. */
typedef struct looked_up {
    word word;
    uint64_t key[3];
    lm_cached_word *set; /* NULL: it is too long */
} looked_up;

/* Ask for the word's place: memory answers while other words are cut. */
static inline void
look_up(const reader *r, looked_up *l, word w, size_t room)
{
    l->word = w;
    l->set = NULL;
    if (__builtin_expect(w.length > LM_CACHED_BYTES, 0))
        return;
    lm_cache_key((const char *)w.bytes, w.length, room, l->key);
    l->set = lm_cache_set(r->cache, l->key);
    __builtin_prefetch(&l->set[0]);
    __builtin_prefetch(&l->set[1]);
}

static inline lm_status
take_word(reader *r, const looked_up *l, bool offsets)
{
    const lm_cached_word *known;

    if (__builtin_expect(!l->set, 0))
        return take_new(r, l->word, NULL, NULL);
    known = lm_cache_find(l->set, l->key, l->word.length);
    if (__builtin_expect(!known, 0))
        return take_new(r, l->word, l->set, l->key);
    LM_TRY(reserve_tokens(r->state->out, LM_CACHED_TOKENS));
    emit_cached(r, l->word, known, offsets);
    return LM_OK;
}

/* The first word of a stretch, with a space in front; *next receives its end in the text. */
static lm_status
take_prefixed(reader *r, lm_word_scan *scan, const unsigned char *p, const unsigned char **next)
{
    lm_buffer *copy = &r->state->scratch->word;
    looked_up first;

    *next = lm_word_after_space(scan, p);
    LM_TRY(scan->status);
    copy->size = 0;
    LM_TRY(lm_buffer_append_byte(copy, ' '));
    LM_TRY(lm_buffer_append(copy, p, (size_t)(*next - p)));
    look_up(r, &first, (word){(const unsigned char *)copy->data, copy->size, 1}, copy->size);
    return take_word(r, &first, r->state->offsets);
}

/* So many words are cut before the first of them is taken. */
#define AHEAD 16

/* Words from p on; *count receives their number. */
static inline lm_status
cut_words(const reader *r, lm_word_scan *scan, lm_word_rule *rule, const unsigned char *p,
          looked_up ahead[AHEAD], size_t *count)
{
    for (*count = 0; *count < AHEAD && p < r->end; ++*count) {
        const unsigned char *end = rule(scan, p);

        LM_TRY(scan->status);
        look_up(r, &ahead[*count], (word){p, (size_t)(end - p), 0}, (size_t)(r->end - p));
        p = end;
    }
    return LM_OK;
}

/* The words that were cut, until the state pauses; *p moves behind those that were taken. */
static inline lm_status
take_words(reader *r, const looked_up *ahead, size_t count, const unsigned char **p, bool offsets)
{
    for (size_t i = 0; i < count; i++) {
        const word w = ahead[i].word;

        if (lm_encode_pauses(r->state) && *p != r->owed)
            return LM_OK;
        LM_TRY(take_word(r, &ahead[i], offsets));
        if (offsets)
            r->at += count_chars(w.bytes, w.length);
        *p = w.bytes + w.length;
    }
    return LM_OK;
}

/* Words from *p on, until the state pauses; *p receives where. */
static inline lm_status
read_words(reader *r, lm_word_scan *scan, lm_word_rule *rule, const unsigned char **p, bool offsets)
{
    const unsigned char *poll = *p + POLL_BYTES;
    looked_up ahead[AHEAD];
    size_t count;

    while (*p < r->end && (*p == r->owed || !lm_encode_pauses(r->state))) {
        LM_TRY(cut_words(r, scan, rule, *p, ahead, &count));
        LM_TRY(take_words(r, ahead, count, p, offsets));
        if (__builtin_expect(*p >= poll, 0)) {
            LM_TRY(lm_poll(r->state->ctx));
            poll = *p + POLL_BYTES;
        }
    }
    return LM_OK;
}

/* The space in front belongs to the stretch: not where it goes on after a pause. */
static bool
wants_prefix(const lm_encode_state *state, const unsigned char *p, size_t byte)
{
    return state->image->byte_words.prefix && byte == state->stretch && *p != ' ';
}

static lm_status
run_bytes(lm_encode_state *state, const char *text, size_t stop, lm_place *place)
{
    const lm_token_image *image = state->image;
    const unsigned char *start = (const unsigned char *)text, *p = start + place->byte;
    reader r = {.state = state,
                .bpe = lm_image_at(image, image->settings),
                .bytes = lm_image_at(image, image->byte_words.ids),
                .cache = &state->scratch->cache,
                .end = start + stop,
                .at = place->at};
    lm_word_scan scan = {state->ctx, r.end, LM_OK};
    lm_word_rule *rule = lm_word_rule_of(image->byte_words.rule);
    const size_t before = state->out->count;

    LM_TRY(lm_word_cache_open(state->ctx, r.cache, 2 * state->serial + 1));
    if (wants_prefix(state, p, place->byte)) {
        const unsigned char *first = p;

        LM_TRY(take_prefixed(&r, &scan, first, &p));
        r.owed = p == first ? p : NULL;
        if (state->offsets)
            r.at += count_chars(first, (size_t)(p - first));
    }
    LM_TRY(state->offsets ? read_words(&r, &scan, rule, &p, true)
                          : read_words(&r, &scan, rule, &p, false));
    place->byte = (size_t)(p - start);
    place->at = r.at;
    return lm_trim_tokens(state, before);
}

/* ---------------------------------------------------------------- texts that are normalized */

/* So much is looked at at a time. */
#define SEGMENT_BYTES ((size_t)1 << 16)

/* No word reaches over it, nor does what NFC joins: a space behind a letter or digit of ASCII. */
static bool
is_cut(const char *text, size_t at)
{
    const unsigned char before = (unsigned char)text[at - 1];

    return text[at] == ' ' && ((before | 0x20u) - 'a' < 26u || before - (unsigned)'0' < 10u);
}

static lm_status
segment_end(lm_context *ctx, const char *text, size_t from, size_t stop, size_t *end)
{
    *end = stop;
    if (stop - from <= SEGMENT_BYTES)
        return LM_OK;
    for (size_t at = from + SEGMENT_BYTES; at < stop; at++) {
        if (is_cut(text, at)) {
            *end = at;
            return LM_OK;
        }
        LM_TRY(lm_poll_step(ctx, at));
    }
    return LM_OK;
}

/* Where places are not counted, bytes stand for them (stream.c). */
static lm_status
run_staged(lm_encode_state *state, const char *text, size_t stop, lm_place *place)
{
    const char *from = text + place->byte;

    LM_TRY(lm_staged_run(state, from, stop - place->byte,
                         state->offsets ? place->at : (int32_t)place->byte));
    if (state->offsets)
        place->at += (int32_t)lm_utf8_count(from, stop - place->byte);
    place->byte = stop;
    return LM_OK;
}

/* A segment that NFC may change takes the staged way. */
lm_status
lm_byte_words_run(lm_encode_state *state, const char *text, size_t stop, lm_place *place)
{
    bool composed;
    size_t end;

    if (!state->image->byte_words.nfc)
        return run_bytes(state, text, stop, place);
    LM_TRY(segment_end(state->ctx, text, place->byte, stop, &end));
    LM_TRY(lm_is_composed(state->ctx, text + place->byte, end - place->byte, &composed));
    return composed ? run_bytes(state, text, end, place) : run_staged(state, text, end, place);
}
