/*
 * vocab.c - reads, checks and stores the vocabulary, and looks tokens up in the image.
 */
#include "token/vocab.h"

#include <string.h>

#include "base/hash.h"
#include "token/tokenizer.h"

#define PATH "model.vocab"

static lm_status take_id(lm_context *ctx, lm_vocab *vocab, lm_field field, const lm_json *entry);
static lm_status insert(lm_context *ctx, lm_vocab *vocab, lm_field field, const char *text,
                        size_t length, int32_t id);

lm_status
lm_vocab_read(lm_context *ctx, lm_arena *arena, const lm_json *model, int32_t max_vocab,
              size_t added_count, lm_vocab *vocab)
{
    lm_field field = {model, "model"};
    const lm_json *entries;
    size_t total;

    memset(vocab, 0, sizeof *vocab);
    vocab->max_vocab = max_vocab;
    LM_TRY(lm_field_items(ctx, field, "vocab", LM_JSON_OBJECT, &entries));
    vocab->model_count = entries->as.items.count;
    if (lm_add_overflows(vocab->model_count, added_count, &total) || total > INT32_MAX)
        return lm_raise(ctx, LM_TOO_LARGE, "the vocabulary is too large");
    for (vocab->slot_count = 16; vocab->slot_count < 2 * total;)
        vocab->slot_count *= 2;
    vocab->tokens = lm_arena_array(arena, (size_t)max_vocab, sizeof *vocab->tokens);
    vocab->slots = lm_arena_array(arena, vocab->slot_count, sizeof *vocab->slots);
    if (!vocab->tokens || !vocab->slots)
        return LM_NO_MEMORY;
    memset(vocab->tokens, 0, (size_t)max_vocab * sizeof *vocab->tokens);
    memset(vocab->slots, -1, vocab->slot_count * sizeof *vocab->slots);
    for (const lm_json *entry = entries->as.items.first; entry; entry = entry->next)
        LM_TRY(take_id(ctx, vocab, (lm_field){entries, PATH}, entry));
    return LM_OK;
}

static lm_status
take_id(lm_context *ctx, lm_vocab *vocab, lm_field field, const lm_json *entry)
{
    int64_t id;

    LM_TRY(lm_poll(ctx));
    if (entry->type != LM_JSON_NUMBER || !entry->is_integer || entry->integer < 0 ||
        entry->integer >= vocab->max_vocab) {
        lm_field_wrong(ctx, field, entry->key, entry, "");
        return lm_detail_allowed(ctx, "an id from 0 to %d (rows of the embedding)",
                                 vocab->max_vocab - 1);
    }
    id = entry->integer;
    return insert(ctx, vocab, (lm_field){field.object, PATH}, entry->key, entry->key_length,
                  (int32_t)id);
}

lm_status
lm_vocab_add(lm_context *ctx, lm_vocab *vocab, const char *path, const char *text, size_t length,
             int64_t id)
{
    lm_field field = {NULL, path};

    if (id < 0 || id >= vocab->max_vocab) {
        lm_field_wrong(ctx, field, "id", NULL, "");
        lm_detail_found(ctx, "%lld", (long long)id);
        return lm_detail_allowed(ctx, "an id from 0 to %d (rows of the embedding)",
                                 vocab->max_vocab - 1);
    }
    LM_TRY(insert(ctx, vocab, field, text, length, (int32_t)id));
    vocab->tokens[id].added = true;
    return LM_OK;
}

static lm_status
insert(lm_context *ctx, lm_vocab *vocab, lm_field field, const char *text, size_t length,
       int32_t id)
{
    lm_vocab_token *token = &vocab->tokens[id];
    size_t slot = lm_hash_bytes(text, length, 0);

    if (token->text) {
        lm_field_wrong(ctx, field, text, NULL, "ids that differ");
        return lm_detail_found(ctx, "id %d, which \"%.80s\" has too", id, token->text);
    }
    *token = (lm_vocab_token){.text = text, .length = length};
    if (vocab->size <= id)
        vocab->size = id + 1;
    for (slot &= vocab->slot_count - 1; vocab->slots[slot] >= 0;)
        slot = (slot + 1) & (vocab->slot_count - 1);
    vocab->slots[slot] = id;
    return LM_OK;
}

int32_t
lm_vocab_find(const lm_vocab *vocab, const char *text, size_t length)
{
    size_t slot = lm_hash_bytes(text, length, 0) & (vocab->slot_count - 1);

    for (; vocab->slots[slot] >= 0; slot = (slot + 1) & (vocab->slot_count - 1)) {
        const lm_vocab_token *token = &vocab->tokens[vocab->slots[slot]];

        if (token->length == length && memcmp(token->text, text, length) == 0)
            return vocab->slots[slot];
    }
    return -1;
}

static lm_status
write_texts(lm_context *ctx, const lm_vocab *vocab, size_t start, lm_buffer *out,
            lm_token_image *header, uint32_t *starts, uint8_t *flags)
{
    size_t total = 0, at = 0;
    char *text;
    lm_status status;

    for (int32_t id = 0; id < vocab->size; id++)
        total += vocab->tokens[id].length;
    if (total > UINT32_MAX)
        return lm_raise(ctx, LM_TOO_LARGE, "the vocabulary is too large");
    text = lm_alloc(ctx, total);
    if (!text)
        return LM_NO_MEMORY;
    for (int32_t id = 0; id < vocab->size; id++) {
        const lm_vocab_token *token = &vocab->tokens[id];

        starts[id] = (uint32_t)at;
        flags[id] = (uint8_t)((token->text ? LM_TOKEN_PRESENT : 0) |
                              (token->special ? LM_TOKEN_SPECIAL : 0));
        if (token->text)
            memcpy(text + at, token->text, token->length);
        at += token->length;
    }
    starts[vocab->size] = (uint32_t)at;
    status = lm_image_append(out, start, text, total, 1, &header->text);
    lm_free(ctx, text);
    return status;
}

lm_status
lm_vocab_write(lm_context *ctx, const lm_vocab *vocab, size_t start, lm_buffer *out)
{
    size_t size = (size_t)vocab->size;
    uint32_t *starts = lm_alloc_array(ctx, size + 1, sizeof *starts);
    uint8_t *flags = lm_alloc_array(ctx, size, 1);
    lm_token_image header = {.vocab_size = vocab->size};
    lm_status status = starts && flags ? LM_OK : LM_NO_MEMORY;

    if (status == LM_OK)
        status = write_texts(ctx, vocab, start, out, &header, starts, flags);
    if (status == LM_OK)
        status = lm_image_append(out, start, starts, size + 1, sizeof *starts, &header.text_start);
    if (status == LM_OK)
        status = lm_image_append(out, start, flags, size, 1, &header.flags);
    if (status == LM_OK)
        status = lm_image_append(out, start, vocab->slots, vocab->slot_count, sizeof(int32_t),
                                 &header.slots);
    lm_free(ctx, starts);
    lm_free(ctx, flags);
    if (status == LM_OK) {
        lm_token_image *image = (lm_token_image *)(out->data + start);

        image->vocab_size = header.vocab_size;
        image->text_start = header.text_start;
        image->text = header.text;
        image->flags = header.flags;
        image->slots = header.slots;
    }
    return status;
}

/* Flags of an id; 0 when it names no token. */
static unsigned
token_flags(const lm_token_image *image, int32_t id)
{
    if (id < 0 || id >= image->vocab_size)
        return 0;
    return ((const uint8_t *)lm_image_at(image, image->flags))[id];
}

const char *
lm_token_text(const lm_tokenizer *tokenizer, int32_t id, size_t *length)
{
    const lm_token_image *image = tokenizer->image;
    const uint32_t *starts = lm_image_at(image, image->text_start);

    if (!(token_flags(image, id) & LM_TOKEN_PRESENT))
        return NULL;
    *length = starts[id + 1] - starts[id];
    return (const char *)lm_image_at(image, image->text) + starts[id];
}

bool
lm_token_is_special(const lm_tokenizer *tokenizer, int32_t id)
{
    return token_flags(tokenizer->image, id) & LM_TOKEN_SPECIAL;
}

int32_t
lm_token_id(const lm_tokenizer *tokenizer, const char *token, size_t length)
{
    const lm_token_image *image = tokenizer->image;
    const int32_t *slots = lm_image_at(image, image->slots);
    size_t mask = image->slots.count - 1;

    for (size_t slot = lm_hash_bytes(token, length, 0) & mask; slots[slot] >= 0;
         slot = (slot + 1) & mask) {
        size_t found = 0;
        const char *text = lm_token_text(tokenizer, slots[slot], &found);

        if (found == length && memcmp(text, token, length) == 0)
            return slots[slot];
    }
    return -1;
}
