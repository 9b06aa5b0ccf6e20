/*
 * test_markers.c - markers of late interaction that become special tokens: in a tokenizer that has
 * the list of added tokens, has an empty one, has none, or has the marker in it, and without
 * memory.
 */
#include "model/markers.h"

#include "fake.h"
#include "tokenizer.h"

#define MODEL                                                                       \
    "\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{\"u\":0,\"a " \
    "b\":1,\"c\":2,\"d\":3}}"
#define SPLIT "\"pre_tokenizer\":{\"type\":\"Whitespace\"},"
#define ADDED(id, content, special)                                                      \
    "{\"id\":" id ",\"content\":\"" content "\",\"single_word\":false,\"lstrip\":false," \
    "\"rstrip\":false,\"normalized\":false,\"special\":" special "}"

typedef struct marker_case {
    const char *added; /* the member of the file, or nothing */
    const char *marker;
    bool changes;
    size_t count; /* of added tokens afterwards */
} marker_case;

static const marker_case marker_cases[] = {
    {"", "a b", true, 1},
    {"\"added_tokens\":[],", "a b", true, 1},
    {"\"added_tokens\":[" ADDED("3", "d", "true") "],", "a b", true, 2},
    {"\"added_tokens\":[" ADDED("3", "d", "true") "," ADDED("1", "a b", "false") "],", "a b", false,
     2},
    {"", "c", false, 0},
    {"", " c ", false, 0},
    {"", "x", false, 0},
    {"", " ", false, 0},
};

static void
open_case(fixture *f, const marker_case *c, const lm_json **root)
{
    char text[1024];

    open_empty(f);
    snprintf(text, sizeof text, "{\"version\":\"1.0\",%s" SPLIT MODEL "}", c->added);
    CHECK_OK(&f->ctx, compile_json(f, text, strlen(text), NULL, 100));
    CHECK_OK(&f->ctx, lm_tokenizer_bind(&f->ctx, f->image.data, f->image.size, &f->tokenizer));
    CHECK_OK(&f->ctx, lm_json_parse(&f->ctx, &f->arena, text, strlen(text), "", root));
    *root = lm_json_get(*root, "model") ? *root : NULL;
}

/* The marker's entry is in the list once, and special. */
static void
check_list(const marker_case *c, const lm_json *root)
{
    const lm_json *list = lm_json_get(root, "added_tokens");
    size_t seen = 0;

    CHECK_EQ_INT(list ? list->as.items.count : 0, c->count);
    if (!c->changes || !list)
        return;
    for (const lm_json *token = list->as.items.first; token; token = token->next)
        if (lm_json_is_string(lm_json_get(token, "content"), c->marker)) {
            CHECK(lm_json_get(token, "special")->boolean);
            CHECK(!lm_json_get(token, "normalized")->boolean);
            seen++;
        }
    CHECK_EQ_INT(seen, 1);
}

static void
markers(void)
{
    for (size_t i = 0; i < sizeof marker_cases / sizeof marker_cases[0]; i++) {
        const marker_case *c = &marker_cases[i];
        const lm_json *root;
        bool added = false;
        fixture f;

        open_case(&f, c, &root);
        CHECK_OK(&f.ctx, lm_marker_add(&f.ctx, &f.arena, &f.tokenizer, c->marker, &root, &added));
        CHECK_EQ_INT(added, c->changes);
        check_list(c, root);
        close_fixture(&f);
    }
}

/* One that stands in the list under the marker's text, but is not read by this tokenizer. */
static void
listed_already(void)
{
    static const char text[] = "{\"added_tokens\":[" ADDED("7", "a b", "false") "]}";
    const lm_json *root, *other;
    bool added = false;
    fixture f;

    open_case(&f, &marker_cases[0], &root);
    CHECK_OK(&f.ctx, lm_json_parse(&f.ctx, &f.arena, text, strlen(text), "", &other));
    CHECK_OK(&f.ctx, lm_marker_add(&f.ctx, &f.arena, &f.tokenizer, "a b", &other, &added));
    CHECK(added);
    check_list(&marker_cases[0], other);
    close_fixture(&f);
}

/* Whatever meets the end of the arena's block, and each call of the tokenizer. */
static void
without_memory(void)
{
    for (size_t i = 0; i < 3; i++)
        for (size_t room = 0; room < 2048; room += 16) {
            lm_status status = LM_NO_MEMORY;
            const lm_json *root;
            fixture f;

            open_case(&f, &marker_cases[i], &root);
            for (int at = 1; status == LM_NO_MEMORY; at++) {
                fake_memory memory = {.fail_at = 0};
                const lm_json *tree = root;
                bool added = false;
                lm_context ctx;
                lm_arena arena;

                fake_context(&ctx, &memory);
                lm_arena_init(&arena, &ctx);
                CHECK(fake_fill_arena(&arena, room));
                memory.calls = 0;
                memory.fail_at = at;
                status = lm_marker_add(&ctx, &arena, &f.tokenizer, "a b", &tree, &added);
                CHECK_EQ_INT(added, status == LM_OK);
                lm_arena_free(&arena);
                CHECK_EQ_INT(memory.live, 0);
            }
            CHECK_EQ_INT(status, LM_OK);
            close_fixture(&f);
        }
}

static const unit_case cases[] = {
    {"markers become special tokens", markers},
    {"a marker that is listed already", listed_already},
    {"markers without memory", without_memory},
};

UNIT_MAIN(cases)
