/*
 * test_keys.c - tables of keys: what is obeyed or harmless passes, what is refused names file, key,
 * value and what is allowed, what is unknown is a note; the list of notes itself.
 */
#include "format/keys.h"

#include "unit.h"

static const lm_key_rule rules[] = {
    {"obeyed", LM_KEY_OBEYED, NULL},
    {"harmless", LM_KEY_HARMLESS, NULL},
    {"refused", LM_KEY_REFUSED, NULL},
    {"side", LM_KEY_REFUSED, "\"right\""},
    {"mode", LM_KEY_REFUSED, "false or \"a\" or 7"},
    {"size", LM_KEY_REFUSED, "77"},
    {0},
};

typedef struct fixture {
    lm_context ctx;
    lm_arena arena;
    lm_notes notes;
} fixture;

/* Check a JSON text against the rules; without a list of notes where it is NULL. */
static lm_status
check(fixture *f, const char *text, lm_notes *notes)
{
    const lm_json *json = NULL;

    CHECK_OK(&f->ctx, lm_json_parse(&f->ctx, &f->arena, text, strlen(text), "a.json", &json));
    return lm_keys_check(&f->ctx, notes, "a.json", "in.", json, rules);
}

static void
open_fixture(fixture *f, bool stored)
{
    lm_context_init(&f->ctx);
    lm_arena_init(&f->arena, &f->ctx);
    lm_notes_init(&f->notes, stored);
}

static const struct {
    const char *json;
    const char *key, *found, *allowed; /* key NULL: passes */
} checks[] = {
    {"{}", NULL, NULL, NULL},
    {"[1]", NULL, NULL, NULL},
    {"{\"obeyed\":1,\"harmless\":{\"x\":1}}", NULL, NULL, NULL},
    {"{\"refused\":null}", NULL, NULL, NULL},
    {"{\"refused\":{}}", NULL, NULL, NULL},
    {"{\"refused\":[]}", NULL, NULL, NULL},
    {"{\"side\":\"right\",\"mode\":\"a\"}", NULL, NULL, NULL},
    {"{\"mode\":7}", NULL, NULL, NULL},
    {"{\"mode\":false}", NULL, NULL, NULL},
    {"{\"refused\":false}", "in.refused", "false", "null"},
    {"{\"refused\":{\"a\":[1,2.5,null,true],\"b\":\"x\"}}", "in.refused",
     "{\"a\":[1,2.5,null,true],\"b\":\"x\"}", "null"},
    {"{\"side\":\"left\"}", "in.side", "\"left\"", "\"right\""},
    {"{\"side\":\"righ\"}", "in.side", "\"righ\"", "\"right\""},
    {"{\"side\":\"\"}", "in.side", "\"\"", "\"right\""},
    {"{\"mode\":true}", "in.mode", "true", "false or \"a\" or 7"},
    {"{\"mode\":77}", "in.mode", "77", "false or \"a\" or 7"},
    {"{\"size\":77}", NULL, NULL, NULL},
    {"{\"size\":7}", "in.size", "7", "77"},
};

static void
outcomes(void)
{
    fixture f;

    open_fixture(&f, false);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        lm_status status = check(&f, checks[i].json, &f.notes);

        CHECK_EQ_INT(status, checks[i].key ? LM_UNSUPPORTED : LM_OK);
        if (!checks[i].key)
            continue;
        CHECK_STR(f.ctx.error.file, "a.json");
        CHECK_STR(f.ctx.error.key, checks[i].key);
        CHECK_STR(f.ctx.error.found, checks[i].found);
        CHECK_STR(f.ctx.error.allowed, checks[i].allowed);
    }
    CHECK_EQ_INT(f.notes.count, 0);
    lm_arena_free(&f.arena);
}

/* A key with a hidden U+0000 is not the key before it. */
static void
unknown_keys(void)
{
    fixture f;

    open_fixture(&f, false);
    CHECK_OK(&f.ctx, check(&f, "{\"new\":1,\"obeyed\":1,\"refused\\u0000\":1}", &f.notes));
    CHECK_EQ_INT(f.notes.count, 2);
    CHECK_STR(f.notes.items[0].file, "a.json");
    CHECK_STR(f.notes.items[0].key, "in.new");
    CHECK_STR(f.notes.items[0].message, "unknown setting \"in.new\" is ignored");
    lm_arena_free(&f.arena);
}

/* What is stored was accepted once: a refusal of today is a note, or nothing when it is loaded. */
static void
stored_versions(void)
{
    fixture f;

    open_fixture(&f, true);
    CHECK_OK(&f.ctx, check(&f, "{\"side\":\"left\"}", &f.notes));
    CHECK_EQ_INT(f.notes.count, 1);
    CHECK_STR(f.notes.items[0].file, "a.json");
    CHECK_STR(f.notes.items[0].key, "in.side");
    CHECK(has_note(&f.notes, "not supported and is ignored: found \"left\""));
    CHECK_EQ_INT(f.ctx.error.status, LM_OK);
    CHECK_OK(&f.ctx, check(&f, "{\"side\":\"left\",\"new\":1}", NULL));
    lm_arena_free(&f.arena);
}

/* Files choose how many notes there are, and how long their keys are. */
static void
many_notes(void)
{
    char text[8000] = "{\"long";
    size_t used = strlen(text);
    fixture f;

    memset(text + used, 'k', 400);
    used += 400;
    used += (size_t)snprintf(text + used, sizeof text - used, "\":0");
    for (int i = 0; i < LM_NOTES_MAX + 4; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, ",\"k%d\":0", i);
    snprintf(text + used, sizeof text - used, "}");
    open_fixture(&f, false);
    CHECK_OK(&f.ctx, check(&f, text, &f.notes));
    CHECK_EQ_INT(f.notes.count, LM_NOTES_MAX);
    CHECK_EQ_INT(f.notes.dropped, 5);
    CHECK_EQ_INT(strlen(f.notes.items[0].key), sizeof f.notes.items[0].key - 1);
    lm_arena_free(&f.arena);
}

/* Values in messages are cut, nested ones and those of many items too. */
static void
shown_values(void)
{
    static const struct {
        const char *text, *shown;
    } values[] = {
        {"[[[[[[[[[[[[[[[[\"a long string\"]]]]]]]]]]]]]]]]", "[[[[[[[[[[[[[[[[\"a l..."},
        {"[1000,2000,3000,4000,5000,6000,7000]", "[1000,2000,3000,4000..."},
        {"[\"a string that fills all\",1,2]", "[\"a string that fill..."},
        {"{\"a\":1000,\"b\":2000,\"c\":3000,\"d\":4000}", "{\"a\":1000,\"b\":2000,\"..."},
    };
    fixture f;

    open_fixture(&f, false);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const char *text = values[i].text;
        const lm_json *json;
        char shown[24];

        CHECK_OK(&f.ctx, lm_json_parse(&f.ctx, &f.arena, text, strlen(text), "a.json", &json));
        lm_json_show(json, shown, sizeof shown);
        CHECK_STR(shown, values[i].shown);
    }
    lm_arena_free(&f.arena);
}

static bool
always(void *opaque)
{
    return true;
}

static void
cancel(void)
{
    static const char text[] = "{\"obeyed\":1}";
    const lm_json *json;
    fixture f;

    open_fixture(&f, false);
    CHECK_OK(&f.ctx, lm_json_parse(&f.ctx, &f.arena, text, strlen(text), "a.json", &json));
    f.ctx.cancelled = always;
    CHECK_EQ_INT(lm_keys_check(&f.ctx, &f.notes, "a.json", "", json, rules), LM_CANCELLED);
    lm_arena_free(&f.arena);
}

static const unit_case cases[] = {
    {"outcomes", outcomes},
    {"unknown keys", unknown_keys},
    {"stored versions", stored_versions},
    {"many notes", many_notes},
    {"shown values", shown_values},
    {"cancel", cancel},
};

UNIT_MAIN(cases)
