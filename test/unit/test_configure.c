/*
 * test_configure.c - config.json by a table of fields: each type with its default, its range and
 * its refusals.
 */
#include "fake.h"
#include "unit.h"

#include "family/family.h"

typedef struct settings {
    int32_t layers, activation, flag, labels, deep, uniform;
    float eps;
    int32_t spread;
} settings;

static const lm_word fixed_words[] = {{"plain", 0}, {NULL, 0}};

#define AT(name) offsetof(settings, name)

static const lm_config_field fields[] = {
    {"layers|n_layers", LM_FIELD_INT, AT(layers), 3, 1, 100, .flags = 0},
    {"eps", LM_FIELD_FLOAT, AT(eps), 0.5, 0.1, 1, .flags = 0},
    {"act", LM_FIELD_WORD, AT(activation), LM_ACT_RELU, .words = lm_activation_words,
     .refusal = "the activation is not supported"},
    {"flag", LM_FIELD_BOOL, AT(flag), 1, .flags = 0},
    {"id2label|num_labels", LM_FIELD_COUNT, AT(labels), 2, 1, 9, .flags = 0},
    {"outer.inner.deep|outer.shallow|deep", LM_FIELD_INT, AT(deep), 5, 0, 9, .flags = 0},
    {"kind", LM_FIELD_WORD, .flags = LM_FIELD_MUST_BE, .words = fixed_words,
     .refusal = "other kinds"},
    {"decoder", LM_FIELD_BOOL, .flags = LM_FIELD_MUST_BE, .refusal = "decoders"},
    {"absolute", LM_FIELD_BOOL, .fallback = 1, .flags = LM_FIELD_MUST_BE, .refusal = "relative"},
    {"groups", LM_FIELD_INT, .fallback = 1, .low = 1, .high = 9, .flags = LM_FIELD_MUST_BE,
     .refusal = "groups"},
    {"scale", LM_FIELD_FLOAT, .fallback = 0.5, .low = 0, .high = 9, .flags = LM_FIELD_MUST_BE,
     .refusal = "scales"},
    {"uniform", LM_FIELD_UNIFORM, AT(uniform), 4, 1, 9, .refusal = "unequal"},
    {"spread", LM_FIELD_INT, AT(spread), 4, 1, 9, .flags = LM_FIELD_OR_NULL},
    {"turn", LM_FIELD_WORD, .flags = LM_FIELD_MUST_BE | LM_FIELD_OR_NULL, .words = fixed_words,
     .refusal = "turns"},
    {"name", LM_FIELD_BOOL, AT(flag), 0, .flags = LM_FIELD_REQUIRED},
};

#define COUNT (sizeof fields / sizeof fields[0])

/* Without a check of its own, and without `name` unless that is wanted. */
static lm_status
configure(lm_context *ctx, const char *json, bool strict, settings *out)
{
    const lm_family family = {
        .config_size = sizeof *out, .fields = fields, .field_count = strict ? COUNT : COUNT - 1};
    const lm_json *root = NULL;
    lm_arena arena;
    lm_status status;

    lm_context_init(ctx);
    lm_arena_init(&arena, ctx);
    CHECK_OK(ctx, lm_json_parse(ctx, &arena, json, strlen(json), "config.json", &root));
    status = lm_family_configure(ctx, &family, NULL, root, out);
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

/* null is 0 for a field that takes it; of a value that must be one, it is as if it were not there.
 */
static void
test_null(void)
{
    lm_context ctx;
    settings got;

    CHECK_OK(&ctx, configure(&ctx, "{}", false, &got));
    CHECK_EQ_INT(got.spread, 4);
    CHECK_OK(&ctx, configure(&ctx, "{\"spread\":null,\"turn\":null,\"layers\":9}", false, &got));
    CHECK(got.spread == 0 && got.layers == 9);
    CHECK_EQ_INT(configure(&ctx, "{\"spread\":0}", false, &got), LM_BAD_MODEL);
    CHECK_EQ_INT(configure(&ctx, "{\"turn\":\"over\"}", false, &got), LM_UNSUPPORTED);
    CHECK_EQ_INT(configure(&ctx, "{\"layers\":null}", false, &got), LM_BAD_MODEL);
}

/* A value is taken at the first place where there is one. */
static void
test_places(void)
{
    static const struct {
        const char *json;
        int layers, labels, deep;
    } good[] = {
        {"{}", 3, 2, 5},
        {"{\"n_layers\":7,\"num_labels\":4,\"deep\":1}", 7, 4, 1},
        {"{\"n_layers\":7,\"layers\":8,\"id2label\":{\"0\":\"a\",\"1\":\"b\",\"2\":7}}", 8, 3, 5},
        {"{\"outer\":{\"inner\":{\"deep\":0}},\"deep\":1}", 3, 2, 0},
        {"{\"outer\":{\"inner\":{},\"shallow\":4},\"deep\":1}", 3, 2, 4},
        {"{\"outer\":7,\"deep\":9}", 3, 2, 9},
        {"{\"kind\":\"plain\",\"decoder\":false,\"absolute\":true,\"groups\":1,\"scale\":0.5}", 3,
         2, 5},
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        lm_context ctx;
        settings got;

        CHECK_OK(&ctx, configure(&ctx, good[i].json, false, &got));
        CHECK_EQ_INT(got.layers, good[i].layers);
        CHECK_EQ_INT(got.labels, good[i].labels);
        CHECK_EQ_INT(got.deep, good[i].deep);
    }
}

/* A number, or a list of the same. */
static void
test_uniform(void)
{
    static const struct {
        const char *json;
        int wanted;
    } good[] = {
        {"{}", 4},
        {"{\"uniform\":7}", 7},
        {"{\"uniform\":[3]}", 3},
        {"{\"uniform\":[2,2,2]}", 2},
        {"{\"uniform\":6,\"later\":1}", 6},
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        lm_context ctx;
        settings got;

        CHECK_OK(&ctx, configure(&ctx, good[i].json, false, &got));
        CHECK_EQ_INT(got.uniform, good[i].wanted);
    }
}

/* Keys of the file that the fields read: of a path the first part, of choices each. */
static void
test_keys(void)
{
    static const char *const wanted[] = {"outer", "outer", "deep"};
    char key[LM_CONFIG_KEY_SIZE];
    int count = 0;

    for (; lm_config_key(&fields[5], count, key); count++)
        CHECK_STR(key, wanted[count]);
    CHECK_EQ_INT(count, 3);
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
        {"{\"n_layers\":0}", LM_BAD_MODEL, "n_layers", "0"},
        {"{\"layers\":true}", LM_BAD_MODEL, "layers", "true"},
        {"{\"id2label\":{}}", LM_BAD_MODEL, "id2label", "an object"},
        {"{\"num_labels\":[]}", LM_BAD_MODEL, "num_labels", "an array"},
        {"{\"outer\":{\"inner\":{\"deep\":10}}}", LM_BAD_MODEL, "outer.inner.deep", "10"},
        {"{\"outer\":{\"shallow\":-1}}", LM_BAD_MODEL, "outer.shallow", "-1"},
        {"{\"kind\":\"odd\"}", LM_UNSUPPORTED, "kind", "\"odd\""},
        {"{\"kind\":7}", LM_UNSUPPORTED, "kind", "7"},
        {"{\"decoder\":true}", LM_UNSUPPORTED, "decoder", "true"},
        {"{\"decoder\":0}", LM_BAD_MODEL, "decoder", "0"},
        {"{\"absolute\":false}", LM_UNSUPPORTED, "absolute", "false"},
        {"{\"groups\":2}", LM_UNSUPPORTED, "groups", "2"},
        {"{\"scale\":0.25}", LM_UNSUPPORTED, "scale", "0.25"},
        {"{\"uniform\":10}", LM_BAD_MODEL, "uniform", "10"},
        {"{\"uniform\":[]}", LM_BAD_MODEL, "uniform", "an array"},
        {"{\"uniform\":[3,\"3\"]}", LM_BAD_MODEL, "uniform", "\"3\""},
        {"{\"uniform\":[3,3,4]}", LM_UNSUPPORTED, "uniform", "4"},
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
    {"null", test_null}, {"defaults", test_defaults}, {"places", test_places},
    {"keys", test_keys}, {"uniform", test_uniform},   {"refusals", test_refusals},
};

UNIT_MAIN(cases)
