/*
 * test_configure.c - config.json by a table of fields: each type with its default, its range and
 * its refusals.
 */
#include "fake.h"
#include "unit.h"

#include "family/family.h"

typedef struct settings {
    int32_t layers, activation, flag;
    float eps;
} settings;

static const lm_config_field fields[] = {
    {"layers", LM_FIELD_INT, offsetof(settings, layers), 3, 1, 100, false},
    {"eps", LM_FIELD_FLOAT, offsetof(settings, eps), 0.5, 0.1, 1, false},
    {"act", LM_FIELD_ACTIVATION, offsetof(settings, activation), LM_ACT_RELU, 0, 0, false},
    {"flag", LM_FIELD_BOOL, offsetof(settings, flag), 1, 0, 0, false},
    {"name", LM_FIELD_BOOL, offsetof(settings, flag), 0, 0, 0, true},
};

/* Without a check of its own, and without `name` unless that is wanted. */
static lm_status
configure(lm_context *ctx, const char *json, bool strict, settings *out)
{
    const lm_family family = {
        .config_size = sizeof *out, .fields = fields, .field_count = strict ? 5 : 4};
    const lm_json *root = NULL;
    lm_arena arena;
    lm_status status;

    lm_context_init(ctx);
    lm_arena_init(&arena, ctx);
    CHECK_OK(ctx, lm_json_parse(ctx, &arena, json, strlen(json), "config.json", &root));
    status = lm_family_configure(ctx, &family, root, out);
    lm_arena_free(&arena);
    return status;
}

static void
test_defaults(void)
{
    lm_context ctx;
    settings got;

    CHECK_OK(&ctx, configure(&ctx, "{}", false, &got));
    CHECK(got.layers == 3 && got.eps == 0.5f && got.activation == LM_ACT_RELU && got.flag == 1);
    CHECK_OK(&ctx, configure(&ctx, "{\"layers\":7,\"eps\":1,\"act\":\"linear\",\"flag\":false}",
                             false, &got));
    CHECK(got.layers == 7 && got.eps == 1 && got.activation == LM_ACT_NONE && got.flag == 0);
}

static void
test_refusals(void)
{
    static const struct {
        const char *json;
        lm_status status;
        const char *key, *found;
    } bad[] = {
        {"{\"layers\":0}", LM_BAD_MODEL, "layers", "0"},
        {"{\"layers\":101}", LM_BAD_MODEL, "layers", "101"},
        {"{\"layers\":7.0}", LM_BAD_MODEL, "layers", "7"},
        {"{\"layers\":\"7\"}", LM_BAD_MODEL, "layers", "\"7\""},
        {"{\"eps\":2}", LM_BAD_MODEL, "eps", "2"},
        {"{\"eps\":0}", LM_BAD_MODEL, "eps", "0"},
        {"{\"eps\":null}", LM_BAD_MODEL, "eps", "null"},
        {"{\"act\":\"gelu_10\"}", LM_UNSUPPORTED, "act", "\"gelu_10\""},
        {"{\"act\":[]}", LM_BAD_MODEL, "act", "an array"},
        {"{\"flag\":1}", LM_BAD_MODEL, "flag", "1"},
        {"{}", LM_BAD_MODEL, "name", "nothing"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lm_context ctx;
        settings got;

        CHECK_EQ_INT(configure(&ctx, bad[i].json, true, &got), bad[i].status);
        CHECK_STR(ctx.error.file, "config.json");
        CHECK_STR(ctx.error.key, bad[i].key);
        CHECK_STR(ctx.error.found, bad[i].found);
    }
}

static const unit_case cases[] = {
    {"defaults", test_defaults},
    {"refusals", test_refusals},
};

UNIT_MAIN(cases)
