/*
 * markers.c - makes a marker a special token where it is only a token.
 */
#include "model/markers.h"

#include <string.h>

/* The marker or its first word, if the vocabulary has it: its id and length. */
static int32_t
find_token(const lm_tokenizer *tokenizer, const char **marker, size_t *length)
{
    static const char blanks[] = " \t\n\v\f\r";
    int32_t id;

    *length = strlen(*marker);
    id = lm_token_id(tokenizer, *marker, *length);
    if (id >= 0)
        return id;
    *marker += strspn(*marker, blanks);
    *length = strcspn(*marker, blanks);
    return *length > 0 ? lm_token_id(tokenizer, *marker, *length) : -1;
}

/* Whether a text is that token alone. */
static lm_status
is_read_whole(lm_context *ctx, const lm_tokenizer *tokenizer, const char *text, size_t length,
              int32_t id, bool *whole)
{
    const lm_token_options options = {.parse_special = true};
    lm_token_scratch *scratch;
    lm_encoding encoding;
    lm_status status;

    LM_TRY(lm_token_scratch_create(ctx, &scratch));
    lm_encoding_init(&encoding, ctx);
    status = lm_tokenize(ctx, tokenizer, scratch, text, length, &options, &encoding);
    *whole = status == LM_OK && encoding.count == 1 && encoding.ids[0] == id;
    lm_encoding_free(&encoding);
    lm_token_scratch_free(scratch);
    return status;
}

/* A copy of a list of nodes, whose last one's `next` can be set; NULL where it is empty. */
static lm_status
copy_nodes(lm_arena *arena, const lm_json *first, lm_json **copy, lm_json **last)
{
    *copy = *last = NULL;
    for (const lm_json *node = first; node; node = node->next) {
        lm_json *one = lm_arena_alloc(arena, sizeof *one);

        if (!one)
            return LM_NO_MEMORY;
        *one = *node;
        if (*last)
            (*last)->next = one;
        else
            *copy = one;
        *last = one;
    }
    return LM_OK;
}

/* {"id": …, "content": "…", "normalized": false, "special": true, …} */
static lm_status
make_entry(lm_arena *arena, const char *text, size_t length, int32_t id, lm_json **entry)
{
    static const char *const flags[] = {"single_word", "lstrip", "rstrip", "normalized", "special"};
    enum { FLAGS = sizeof flags / sizeof flags[0] };
    lm_json *nodes = lm_arena_zero(arena, (3 + FLAGS) * sizeof *nodes), *member = nodes + 1;

    if (!nodes)
        return LM_NO_MEMORY;
    *member++ = (lm_json){.type = LM_JSON_NUMBER,
                          .key = "id",
                          .is_integer = true,
                          .integer = id,
                          .as.number = (double)id};
    *member = (lm_json){.type = LM_JSON_STRING, .key = "content"};
    member->as.string.bytes = lm_arena_copy(arena, text, length);
    member->as.string.length = length;
    if (!member++->as.string.bytes)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < FLAGS; i++)
        *member++ = (lm_json){
            .type = LM_JSON_BOOL, .key = flags[i], .boolean = strcmp(flags[i], "special") == 0};
    for (lm_json *node = nodes + 1; node < member; node++) {
        node->key_length = (uint32_t)strlen(node->key);
        node->next = node + 1 < member ? node + 1 : NULL;
    }
    nodes->type = LM_JSON_OBJECT;
    nodes->as.items.first = nodes + 1;
    nodes->as.items.count = 2 + FLAGS;
    *entry = nodes;
    return LM_OK;
}

/* Put the entry in the place of one with its text, or behind the last. */
static void
place_entry(lm_json *list, lm_json *tokens, lm_json *last, lm_json *entry)
{
    const char *text = lm_json_get(entry, "content")->as.string.bytes;

    list->as.items.first = tokens ? tokens : entry;
    for (lm_json *token = tokens; token; token = (lm_json *)(uintptr_t)token->next)
        if (lm_json_is_string(lm_json_get(token, "content"), text)) {
            token->as = entry->as;
            return;
        }
    list->as.items.count++;
    if (last)
        last->next = entry;
}

/* The member of that name among copied ones, or NULL. */
static lm_json *
find_member(lm_json *members, const char *key)
{
    while (members && strcmp(members->key, key) != 0)
        members = (lm_json *)(uintptr_t)members->next;
    return members;
}

/* A copy of the tree with the entry among its added tokens. */
static lm_status
add_entry(lm_arena *arena, lm_json *entry, const lm_json **root)
{
    lm_json *copy = lm_arena_alloc(arena, sizeof *copy), *members, *last, *list, *tokens;

    if (!copy)
        return LM_NO_MEMORY;
    *copy = **root;
    LM_TRY(copy_nodes(arena, (*root)->as.items.first, &members, &last));
    list = find_member(members, "added_tokens");
    if (!list) {
        list = lm_arena_alloc(arena, sizeof *list);
        if (!list)
            return LM_NO_MEMORY;
        *list = (lm_json){
            .type = LM_JSON_ARRAY, .key = "added_tokens", .key_length = 12, .next = members};
        members = list;
        copy->as.items.count++;
    }
    LM_TRY(copy_nodes(arena, list->as.items.first, &tokens, &last));
    place_entry(list, tokens, last, entry);
    copy->as.items.first = members;
    *root = copy;
    return LM_OK;
}

lm_status
lm_marker_add(lm_context *ctx, lm_arena *arena, const lm_tokenizer *tokenizer, const char *marker,
              const lm_json **root, bool *added)
{
    lm_json *entry;
    bool whole = true;
    size_t length;
    int32_t id = find_token(tokenizer, &marker, &length);

    if (id < 0)
        return LM_OK;
    LM_TRY(is_read_whole(ctx, tokenizer, marker, length, id, &whole));
    if (whole)
        return LM_OK;
    LM_TRY(make_entry(arena, marker, length, id, &entry));
    LM_TRY(add_entry(arena, entry, root));
    *added = true;
    return LM_OK;
}
