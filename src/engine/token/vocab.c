/*
 * vocab.c - reads, checks and stores the vocabulary, and looks tokens up in the image.
 */
#include "token/vocab.h"

#include <string.h>

#include "base/hash.h"
#include "base/sort.h"
#include "token/tokenizer.h"
#include "token/trie.h"

#define PATH "model.vocab"

static lm_status check_ids(lm_context *ctx, lm_vocab *vocab, const lm_json *entries);
static lm_status make_room(lm_vocab *vocab, lm_arena *arena, size_t tokens);
static lm_status insert(lm_context *ctx, lm_vocab *vocab, lm_field field, const char *text,
                        size_t length, int32_t id);

/* Ids are checked before anything is sized by them. */
lm_status
lm_vocab_read(lm_context *ctx, lm_arena *arena, const lm_json *model, size_t added, lm_vocab *vocab)
{
    const lm_json *entries;
    size_t total, index = 0;

    LM_TRY(lm_field_items(ctx, (lm_field){model, "model"}, "vocab", LM_JSON_OBJECT, &entries));
    vocab->model_count = entries->as.items.count;
    LM_TRY(check_ids(ctx, vocab, entries));
    if ((size_t)vocab->size > LM_CELL_LIMIT) /* the trie holds ids */
        return lm_raise(ctx, LM_TOO_LARGE, "the vocabulary is too large");
    total = vocab->model_count > (size_t)vocab->size ? vocab->model_count : (size_t)vocab->size;
    LM_TRY(make_room(vocab, arena, total + added));
    for (const lm_json *entry = entries->as.items.first; entry; entry = entry->next) {
        if (index++ % 4096 == 4095)
            LM_TRY(lm_poll(ctx));
        LM_TRY(insert(ctx, vocab, (lm_field){entries, PATH}, entry->key, entry->key_length,
                      (int32_t)entry->integer));
    }
    return LM_OK;
}

/* A piece and its score. */
static lm_status
check_piece(lm_context *ctx, const lm_json *entries, const lm_json *entry)
{
    const lm_json *score;

    if (entry->type == LM_JSON_ARRAY && entry->as.items.count == 2 &&
        entry->as.items.first->type == LM_JSON_STRING) {
        score = entry->as.items.first->next;
        if (score->type == LM_JSON_NUMBER)
            return LM_OK;
    }
    lm_field_wrong(ctx, (lm_field){entries, PATH}, "", entry, "pairs of a text and a score");
    return lm_detail_offset(ctx, entry->offset);
}

/* The bucket of a text is the last one's. */
static lm_status
insert_piece(lm_context *ctx, lm_vocab *vocab, const lm_json *entries, const lm_json *text,
             int32_t id)
{
    const char *bytes = text->as.string.bytes;
    size_t length = text->as.string.length, bucket;
    int32_t known = lm_vocab_find(vocab, bytes, length);

    if (known < 0)
        return insert(ctx, vocab, (lm_field){entries, PATH}, bytes, length, id);
    bucket = lm_hash_bytes(bytes, length, 0) & (vocab->bucket_count - 1);
    while (vocab->buckets[bucket] != known)
        bucket = (bucket + 1) & (vocab->bucket_count - 1);
    vocab->buckets[bucket] = id;
    vocab->tokens[id] = (lm_vocab_token){.text = bytes, .length = length};
    return LM_OK;
}

lm_status
lm_vocab_read_list(lm_context *ctx, lm_arena *arena, const lm_json *model, size_t added,
                   lm_vocab *vocab)
{
    const lm_json *entries;
    int32_t id = 0;

    LM_TRY(lm_field_items(ctx, (lm_field){model, "model"}, "vocab", LM_JSON_ARRAY, &entries));
    vocab->model_count = entries->as.items.count;
    if (vocab->model_count > (size_t)vocab->max_vocab || vocab->model_count > LM_CELL_LIMIT) {
        lm_raise(ctx, LM_BAD_MODEL, "malformed tokenizer");
        lm_detail_file(ctx, "tokenizer.json");
        lm_detail_key(ctx, PATH);
        lm_detail_found(ctx, "%zu pieces", vocab->model_count);
        return lm_detail_allowed(ctx, "at most %d (rows of the embedding)", vocab->max_vocab);
    }
    vocab->size = (int32_t)vocab->model_count;
    LM_TRY(make_room(vocab, arena, vocab->model_count + added));
    for (const lm_json *entry = entries->as.items.first; entry; entry = entry->next, id++) {
        if (id % 4096 == 4095)
            LM_TRY(lm_poll(ctx));
        LM_TRY(check_piece(ctx, entries, entry));
        LM_TRY(insert_piece(ctx, vocab, entries, entry->as.items.first, id));
    }
    return LM_OK;
}

/* Every id is in range; vocab->size becomes the highest + 1. */
static lm_status
check_ids(lm_context *ctx, lm_vocab *vocab, const lm_json *entries)
{
    size_t index = 0;

    for (const lm_json *entry = entries->as.items.first; entry; entry = entry->next) {
        if (index++ % 4096 == 0)
            LM_TRY(lm_poll(ctx));
        if (entry->type != LM_JSON_NUMBER || !entry->is_integer || entry->integer < 0 ||
            entry->integer >= vocab->max_vocab) {
            lm_field_wrong(ctx, (lm_field){entries, PATH}, entry->key, entry, "");
            return lm_detail_allowed(ctx, "an id from 0 to %d (rows of the embedding)",
                                     vocab->max_vocab - 1);
        }
        if (vocab->size <= entry->integer)
            vocab->size = (int32_t)entry->integer + 1;
    }
    return LM_OK;
}

/* Room for as many tokens, by id and by text. */
static lm_status
make_room(lm_vocab *vocab, lm_arena *arena, size_t tokens)
{
    for (vocab->bucket_count = 16; vocab->bucket_count < 2 * tokens;)
        vocab->bucket_count *= 2;
    vocab->tokens = lm_arena_array(arena, tokens, sizeof *vocab->tokens);
    vocab->buckets = lm_arena_array(arena, vocab->bucket_count, sizeof *vocab->buckets);
    if (!vocab->tokens || !vocab->buckets)
        return LM_NO_MEMORY;
    if (tokens > 0)
        memset(vocab->tokens, 0, tokens * sizeof *vocab->tokens);
    memset(vocab->buckets, -1, vocab->bucket_count * sizeof *vocab->buckets);
    return LM_OK;
}

/*
 * Added tokens come after the model's, in the room that was made for them: their ids are known ones
 * or the next free one (added.c), which stays below it.
 */
lm_status
lm_vocab_add(lm_context *ctx, lm_vocab *vocab, const char *path, const char *text, size_t length,
             int64_t id)
{
    lm_field field = {NULL, path};

    if (id >= vocab->max_vocab) {
        lm_field_wrong(ctx, field, "id", NULL, "");
        lm_detail_found(ctx, "%lld", (long long)id);
        return lm_detail_allowed(ctx, "an id from 0 to %d (rows of the embedding)",
                                 vocab->max_vocab - 1);
    }
    LM_TRY(insert(ctx, vocab, field, text, length, (int32_t)id));
    vocab->tokens[id].added = true;
    return LM_OK;
}

/*
 * Two texts with one id are refused; two ids with one text cannot be, JSON keys differ. The hash
 * has no secret: keys may be made to collide, so a long chain can be cancelled.
 */
static lm_status
insert(lm_context *ctx, lm_vocab *vocab, lm_field field, const char *text, size_t length,
       int32_t id)
{
    lm_vocab_token *token = &vocab->tokens[id];
    size_t bucket = lm_hash_bytes(text, length, 0), probes = 0;

    if (token->text) {
        lm_field_wrong(ctx, field, text, NULL, "each id once");
        return lm_detail_found(ctx, "id %d, which \"%s\" has too", id, token->text);
    }
    *token = (lm_vocab_token){.text = text, .length = length};
    if (vocab->size <= id)
        vocab->size = id + 1;
    for (bucket &= vocab->bucket_count - 1; vocab->buckets[bucket] >= 0;) {
        bucket = (bucket + 1) & (vocab->bucket_count - 1);
        if (++probes % 4096 == 0)
            LM_TRY(lm_poll(ctx));
    }
    vocab->buckets[bucket] = id;
    return LM_OK;
}

int32_t
lm_vocab_find(const lm_vocab *vocab, const char *text, size_t length)
{
    size_t bucket = lm_hash_bytes(text, length, 0) & (vocab->bucket_count - 1);

    for (; vocab->buckets[bucket] >= 0; bucket = (bucket + 1) & (vocab->bucket_count - 1)) {
        const lm_vocab_token *token = &vocab->tokens[vocab->buckets[bucket]];

        if (token->length == length && memcmp(token->text, text, length) == 0)
            return vocab->buckets[bucket];
    }
    return -1;
}

lm_status
lm_vocab_keys(lm_context *ctx, lm_vocab *vocab, uint32_t root, lm_trie_key **keys, size_t *count)
{
    lm_status status = LM_OK;

    *count = 0;
    *keys = lm_alloc_array(ctx, (size_t)vocab->size, sizeof **keys);
    if (!*keys)
        return LM_NO_MEMORY;
    for (int32_t id = 0; id < vocab->size && status == LM_OK; id++) {
        lm_vocab_token *token = &vocab->tokens[id];

        if (id % 4096 == 4095)
            status = lm_poll(ctx);
        token->is_key = token->text && !token->added && token->length > 0;
        if (token->is_key)
            (*keys)[(*count)++] = (lm_trie_key){token->text, token->length, root, id};
    }
    if (status == LM_OK)
        return LM_OK;
    lm_free(ctx, *keys);
    *keys = NULL;
    return status;
}

lm_status
lm_vocab_trie(lm_context *ctx, lm_vocab *vocab, uint32_t root, lm_trie *trie)
{
    lm_trie_key *keys;
    size_t count;
    lm_status status;

    trie->ctx = ctx;
    LM_TRY(lm_vocab_keys(ctx, vocab, root, &keys, &count));
    status = lm_trie_build(ctx, keys, count, root, trie);
    lm_free(ctx, keys);
    return status;
}

/* The arrays of a vocabulary while it is written. */
typedef struct vocab_writer {
    lm_buffer starts, text, renamed, written, others;
} vocab_writer;

/* A token that is no key of the trie; they are sorted by text. */
typedef struct other_token {
    const char *text;
    size_t length;
    int32_t id;
} other_token;

static int
compare_texts(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);

    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

static int
compare_others(const void *a, const void *b)
{
    const other_token *x = a, *y = b;

    return compare_texts(x->text, x->length, y->text, y->length);
}

/* Sort the tokens that are not in the trie, and write their ids. */
static lm_status
append_others(lm_context *ctx, vocab_writer *w, size_t start, lm_buffer *out, lm_span *span)
{
    other_token *others = (other_token *)(void *)w->others.data;
    int32_t *ids = (int32_t *)others;
    size_t count = w->others.size / sizeof *others;

    LM_TRY(lm_sort(ctx, others, count, sizeof *others, compare_others));
    for (size_t i = 0; i < count; i++)
        memmove(&ids[i], &others[i].id, sizeof *ids); /* to a place that was read before */
    return lm_image_append(out, start, ids, count, sizeof *ids, span);
}

/* A number in bytes of seven bits, the lowest first, with the highest bit where more follow. */
static lm_status
append_number(lm_buffer *out, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        LM_TRY(lm_buffer_append_byte(out, (char)(number | 0x80)));
    return lm_buffer_append_byte(out, (char)number);
}

/* Most heads are one byte. */
static inline const unsigned char *
read_number(const unsigned char *at, uint64_t *number)
{
    *number = *at & 0x7f;
    for (int shift = 7; *at++ & 0x80; shift += 7)
        *number |= (uint64_t)(*at & 0x7f) << shift;
    return at;
}

/* One token at the end of every array; ids without a token have an empty text. */
static lm_status
add_token(vocab_writer *w, int32_t id, const lm_vocab_token *token)
{
    uint32_t start = (uint32_t)w->text.size;
    unsigned flags = (token->text ? LM_TOKEN_PRESENT : 0) | (token->special ? LM_TOKEN_SPECIAL : 0);
    lm_renamed renamed = {id, (uint32_t)w->written.size, (uint32_t)token->length};
    size_t length = token->shown ? token->shown_length : token->length;
    other_token other = {token->text, token->length, id};

    if (token->text && !token->is_key)
        LM_TRY(lm_buffer_append(&w->others, &other, sizeof other));
    if (id % LM_TEXT_RUN == 0)
        LM_TRY(lm_buffer_append(&w->starts, &start, sizeof start));
    LM_TRY(append_number(&w->text, (uint64_t)length << LM_TOKEN_FLAG_BITS | flags));
    if (length > UINT32_MAX - w->text.size)
        return lm_raise(w->text.ctx, LM_TOO_LARGE, "the vocabulary is too large");
    if (!token->shown)
        return lm_buffer_append(&w->text, token->text, length);
    LM_TRY(lm_buffer_append(&w->text, token->shown, length));
    LM_TRY(lm_buffer_append(&w->renamed, &renamed, sizeof renamed));
    return lm_buffer_append(&w->written, token->text, token->length);
}

/* Spans are set in the header when all arrays are in place. */
static lm_status
append_arrays(vocab_writer *w, const lm_vocab *vocab, size_t start, lm_buffer *out)
{
    lm_token_image image = {.vocab_size = vocab->size}, *header;

    LM_TRY(lm_image_append(out, start, w->starts.data, w->starts.size / sizeof(uint32_t),
                           sizeof(uint32_t), &image.text_start));
    LM_TRY(lm_image_append(out, start, w->text.data, w->text.size, 1, &image.text));
    LM_TRY(lm_image_append(out, start, w->renamed.data, w->renamed.size / sizeof(lm_renamed),
                           sizeof(lm_renamed), &image.renamed));
    LM_TRY(lm_image_append(out, start, w->written.data, w->written.size, 1, &image.written));
    LM_TRY(append_others(out->ctx, w, start, out, &image.others));
    header = (lm_token_image *)(out->data + start);
    header->vocab_size = image.vocab_size;
    header->text_start = image.text_start;
    header->text = image.text;
    header->renamed = image.renamed;
    header->written = image.written;
    header->others = image.others;
    return LM_OK;
}

/* Arrays are gathered in buffers of their own, since appending one moves the others. */
lm_status
lm_vocab_write(lm_context *ctx, const lm_vocab *vocab, size_t start, lm_buffer *out)
{
    vocab_writer w;
    lm_buffer *buffers[] = {&w.starts, &w.text, &w.renamed, &w.written, &w.others};
    lm_status status = LM_OK;

    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        lm_buffer_init(buffers[i], ctx);
    for (int32_t id = 0; id < vocab->size && status == LM_OK; id++) {
        status = add_token(&w, id, &vocab->tokens[id]);
        if (status == LM_OK && id % 4096 == 4095)
            status = lm_poll(ctx);
    }
    if (status == LM_OK)
        status = append_arrays(&w, vocab, start, out);
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        lm_buffer_free(buffers[i]);
    return status;
}

/* The text and flags of an id below vocab_size. */
static const char *
find_text(const lm_token_image *image, int32_t id, size_t *length, unsigned *flags)
{
    const uint32_t *starts = lm_image_at(image, image->text_start);
    const unsigned char *at = lm_image_at(image, image->text);
    uint64_t head = 0;

    at = read_number(at + starts[id / LM_TEXT_RUN], &head);
    for (int32_t before = id % LM_TEXT_RUN; before > 0; before--)
        at = read_number(at + (head >> LM_TOKEN_FLAG_BITS), &head);
    *length = (size_t)(head >> LM_TOKEN_FLAG_BITS);
    *flags = (unsigned)head & ((1u << LM_TOKEN_FLAG_BITS) - 1);
    return (const char *)at;
}

const char *
lm_token_find(const lm_tokenizer *tokenizer, int32_t id, size_t *length, bool *special)
{
    const char *text = NULL;
    unsigned flags = 0;

    if (id >= 0 && id < tokenizer->vocab_size)
        text = find_text(tokenizer->image, id, length, &flags);
    *special = flags & LM_TOKEN_SPECIAL;
    return flags & LM_TOKEN_PRESENT ? text : NULL;
}

const char *
lm_token_text(const lm_tokenizer *tokenizer, int32_t id, size_t *length)
{
    bool special;

    return lm_token_find(tokenizer, id, length, &special);
}

bool
lm_token_is_special(const lm_tokenizer *tokenizer, int32_t id)
{
    size_t length;
    bool special;

    lm_token_find(tokenizer, id, &length, &special);
    return special;
}

/* In `renamed` if it is shown in another form. */
const char *
lm_token_written(const lm_token_image *image, int32_t id, size_t *length)
{
    const lm_renamed *renamed = lm_image_at(image, image->renamed);
    size_t low = 0, high = image->renamed.count;
    unsigned flags;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (renamed[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < image->renamed.count && renamed[low].id == id) {
        *length = renamed[low].length;
        return (const char *)lm_image_at(image, image->written) + renamed[low].start;
    }
    return find_text(image, id, length, &flags);
}

/* The token of a key, in whichever trie it is. */
static int32_t
find_key(const lm_token_image *image, const char *token, size_t length)
{
    const lm_cell *cells = lm_image_at(image, image->trie);
    const uint32_t *tries = lm_image_at(image, image->tries);
    int32_t id = lm_trie_find(cells, image->trie_root, token, length);

    for (size_t i = 0; i < image->tries.count && id < 0; i++)
        id = lm_trie_find(cells + tries[i], image->trie_root, token, length);
    return id;
}

/* Most tokens are keys of the trie. */
int32_t
lm_token_id(const lm_tokenizer *tokenizer, const char *token, size_t length)
{
    const lm_token_image *image = tokenizer->image;
    const int32_t *others = lm_image_at(image, image->others);
    int32_t id = find_key(image, token, length);
    size_t low = 0, high = image->others.count;

    while (id < 0 && low < high) {
        size_t middle = low + (high - low) / 2, found = 0;
        const char *text = lm_token_written(image, others[middle], &found);
        int order = compare_texts(text, found, token, length);

        if (order == 0)
            id = others[middle];
        else if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return id;
}
