/*
 * added.c - reads added_tokens, and compiles them into two matchers.
 */
#include "token/added.h"

#include <string.h>

/* Longer tokens would let a text of near misses cost its length times theirs. */
#define MAX_ADDED_BYTES 512

static const struct {
    const char *key;
    unsigned flag;
} flag_names[] = {
    {"special", LM_ADDED_SPECIAL},
    {"single_word", LM_ADDED_SINGLE_WORD},
    {"lstrip", LM_ADDED_LSTRIP},
    {"rstrip", LM_ADDED_RSTRIP},
};

/* One member of added_tokens. */
typedef struct added_token {
    const char *text;
    size_t length;
    int64_t id;
    unsigned flags;
    bool normalized;
} added_token;

static lm_status read_token(lm_context *ctx, const lm_json *json, size_t index, added_token *token);
static lm_status place_token(lm_context *ctx, const added_token *token, size_t index,
                             lm_vocab *vocab, int64_t *next_id);
static lm_status normalize_token(lm_context *ctx, const added_token *token, size_t index,
                                 const lm_token_image *image, lm_token_scratch *scratch,
                                 lm_arena *arena, lm_vocab *vocab);
static lm_status add_keys(lm_context *ctx, const lm_json *tokens, const lm_vocab *vocab,
                          lm_added *added, lm_trie_key *keys, size_t *raw, size_t *normalized);

/* An id that the vocabulary does not give must be the next free one, as the reference counts. */
lm_status
lm_added_read(lm_context *ctx, const lm_json *tokens, const lm_token_image *image,
              lm_token_scratch *scratch, lm_arena *arena, lm_vocab *vocab)
{
    int64_t next_id = (int64_t)vocab->model_count;
    size_t index = 0;

    if (!tokens)
        return LM_OK;
    for (const lm_json *json = tokens->as.items.first; json; json = json->next, index++) {
        added_token token;

        LM_TRY(lm_poll(ctx));
        LM_TRY(read_token(ctx, json, index, &token));
        LM_TRY(place_token(ctx, &token, index, vocab, &next_id));
        if (token.normalized)
            LM_TRY(normalize_token(ctx, &token, index, image, scratch, arena, vocab));
    }
    return LM_OK;
}

/* Fail: a member of added_tokens is not what it must be; its index says which. */
static lm_status
added_wrong(lm_context *ctx, size_t index, const char *key, const char *found, const char *allowed)
{
    lm_raise(ctx, LM_BAD_MODEL, "malformed tokenizer");
    lm_detail_file(ctx, "tokenizer.json");
    lm_detail_key(ctx, "added_tokens.%zu.%s", index, key);
    lm_detail_found(ctx, "%s", found);
    return lm_detail_allowed(ctx, "%s", allowed);
}

/*
 * Read and check one member; flags that are left out are false, but `normalized` follows
 * `special`.
 */
static lm_status
read_token(lm_context *ctx, const lm_json *json, size_t index, added_token *token)
{
    lm_field field = {json, "added_tokens"};
    const lm_json *content;
    bool set;

    memset(token, 0, sizeof *token);
    if (json->type != LM_JSON_OBJECT)
        return lm_field_wrong(ctx, field, "", json, "an object");
    LM_TRY(lm_field_string(ctx, field, "content", &content));
    token->text = content->as.string.bytes;
    token->length = content->as.string.length;
    LM_TRY(lm_field_integer(ctx, field, "id", 0, INT32_MAX, -1, &token->id));
    for (size_t i = 0; i < sizeof flag_names / sizeof flag_names[0]; i++) {
        LM_TRY(lm_field_bool(ctx, field, flag_names[i].key, false, &set));
        token->flags |= set ? flag_names[i].flag : 0;
    }
    LM_TRY(lm_field_bool(ctx, field, "normalized", !(token->flags & LM_ADDED_SPECIAL),
                         &token->normalized));
    if (token->id < 0)
        return lm_field_wrong(ctx, field, "id", NULL, "an integer");
    if (token->length == 0)
        return added_wrong(ctx, index, "content", "an empty string", "a text");
    if (token->length > MAX_ADDED_BYTES)
        return added_wrong(ctx, index, "content", "a longer text", "at most 512 bytes");
    return LM_OK;
}

/* Give the token its id in the vocabulary; next_id is the one that the reference would give. */
static lm_status
place_token(lm_context *ctx, const added_token *token, size_t index, lm_vocab *vocab,
            int64_t *next_id)
{
    int32_t known = lm_vocab_find(vocab, token->text, token->length);

    if (known >= 0 && vocab->tokens[known].listed)
        return added_wrong(ctx, index, "content", token->text, "each token once");
    if (token->id != (known >= 0 ? known : *next_id)) {
        added_wrong(ctx, index, "id", "", "");
        lm_detail_found(ctx, "%lld", (long long)token->id);
        return lm_detail_allowed(ctx, "%lld, %s",
                                 known >= 0 ? (long long)known : (long long)*next_id,
                                 known >= 0 ? "its id in model.vocab" : "the next free id");
    }
    if (known < 0) {
        LM_TRY(lm_vocab_add(ctx, vocab, "added_tokens", token->text, token->length, token->id));
        ++*next_id;
    } else if (token->id >= *next_id)
        *next_id = token->id + 1;
    vocab->tokens[token->id].listed = true;
    vocab->tokens[token->id].special = token->flags & LM_ADDED_SPECIAL;
    vocab->tokens[token->id].flags = (uint8_t)((token->flags & ~(unsigned)LM_ADDED_SPECIAL) |
                                               (token->normalized ? LM_VOCAB_NORMALIZED : 0));
    return LM_OK;
}

/* The form that is looked for in normalized text, and that the reference shows for the token. */
static lm_status
normalize_token(lm_context *ctx, const added_token *token, size_t index,
                const lm_token_image *image, lm_token_scratch *scratch, lm_arena *arena,
                lm_vocab *vocab)
{
    lm_vocab_token *entry = &vocab->tokens[token->id];

    LM_TRY(lm_chars_decode(ctx, &scratch->chars, token->text, token->length, 0));
    LM_TRY(lm_normalizer_run(ctx, image, &scratch->chars, &scratch->spare));
    LM_TRY(lm_chars_encode(ctx, &scratch->chars, &scratch->utf8));
    if (scratch->utf8.size == 0)
        return added_wrong(ctx, index, "content", token->text,
                           "a text that is not empty after the normalizer");
    entry->shown = lm_arena_copy(arena, scratch->utf8.data, scratch->utf8.size);
    entry->shown_length = scratch->utf8.size;
    return entry->shown ? LM_OK : LM_NO_MEMORY;
}

/* Keys point into the vocabulary and the parsed JSON, which both outlive this call. */
lm_status
lm_added_compile(lm_context *ctx, const lm_json *tokens, const lm_vocab *vocab, size_t start,
                 lm_buffer *out)
{
    size_t count = tokens ? tokens->as.items.count : 0, raw = 0, normalized = 0;
    lm_trie_key *keys = lm_alloc_array(ctx, 2 * count, sizeof *keys);
    lm_added *added = lm_alloc_array(ctx, count, sizeof *added);
    lm_matcher raw_matcher, normalized_matcher;
    lm_span span;
    lm_status status = keys && added ? LM_OK : LM_NO_MEMORY;

    if (status == LM_OK && count > 0)
        status = add_keys(ctx, tokens, vocab, added, keys, &raw, &normalized);
    if (status == LM_OK)
        status = lm_image_append(out, start, added, count, sizeof *added, &span);
    if (status == LM_OK)
        status = lm_matcher_compile(ctx, keys, raw, start, out, &raw_matcher);
    if (status == LM_OK)
        status = lm_matcher_compile(ctx, keys + count, normalized, start, out, &normalized_matcher);
    lm_free(ctx, keys);
    lm_free(ctx, added);
    if (status == LM_OK) {
        lm_token_image *image = (lm_token_image *)(out->data + start);

        image->added = span;
        image->raw = raw_matcher;
        image->normalized = normalized_matcher;
    }
    return status;
}

/*
 * Raw patterns go to keys[0…], normalized ones to keys[tokens…]. Of equal patterns the reference
 * takes special tokens first, then those listed first.
 */
static lm_status
add_keys(lm_context *ctx, const lm_json *tokens, const lm_vocab *vocab, lm_added *added,
         lm_trie_key *keys, size_t *raw, size_t *normalized)
{
    size_t count = tokens->as.items.count, placed = 0;

    for (int pass = 0; pass < 2; pass++) {
        unsigned special = pass == 0 ? LM_ADDED_SPECIAL : 0;
        size_t index = 0;

        for (const lm_json *json = tokens->as.items.first; json; json = json->next, index++) {
            const lm_vocab_token *entry;
            added_token token;
            int32_t value;

            LM_TRY(read_token(ctx, json, index, &token));
            if ((token.flags & LM_ADDED_SPECIAL) != special)
                continue;
            entry = &vocab->tokens[token.id];
            value = (int32_t)placed;
            added[placed++] = (lm_added){(int32_t)token.id, token.flags};
            if (token.normalized)
                keys[count + (*normalized)++] =
                    (lm_trie_key){entry->shown, entry->shown_length, 1, value};
            else
                keys[(*raw)++] = (lm_trie_key){token.text, token.length, 1, value};
        }
    }
    return LM_OK;
}
