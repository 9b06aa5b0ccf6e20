/*
 * test_model_refusals.c - damaged settings and weights: each is refused with its status, and names
 * the key or the tensor. What is only unusual (fewer layers, one head) is accepted.
 */
#define _GNU_SOURCE /* memmem */

#include "golden.h"

#include "model/model.h"

/* ---- Settings: one value of config.json replaced ---- */

typedef struct damage {
    const char *folder; /* of models/tiny; NULL: bert */
    const char *key;
    const char *value; /* instead of the one in config.json */
    lm_status status;
    const char *named; /* in the error's key; NULL: the key itself */
} damage;

static const damage damages[] = {
    {NULL, "hidden_size", "0", LM_BAD_MODEL, NULL},
    {NULL, "hidden_size", "-1", LM_BAD_MODEL, NULL},
    {NULL, "hidden_size", "1", LM_BAD_MODEL, "num_attention_heads"},
    {NULL, "hidden_size", "39", LM_BAD_MODEL, "embeddings.word_embeddings.weight"},
    {NULL, "hidden_size", "2147483648", LM_BAD_MODEL, NULL},
    {NULL, "hidden_size", "9223372036854775808", LM_BAD_MODEL, NULL},
    {NULL, "hidden_size", "36.5", LM_BAD_MODEL, NULL},
    {NULL, "hidden_size", "\"36\"", LM_BAD_MODEL, NULL},
    {NULL, "hidden_size", "null", LM_BAD_MODEL, NULL},
    {NULL, "hidden_size", "[36]", LM_BAD_MODEL, NULL},
    {NULL, "hidden_size", "NaN", LM_BAD_JSON, ""},
    {NULL, "num_attention_heads", "0", LM_BAD_MODEL, NULL},
    {NULL, "num_attention_heads", "-3", LM_BAD_MODEL, NULL},
    {NULL, "num_attention_heads", "5", LM_BAD_MODEL, NULL},
    {NULL, "num_attention_heads", "72", LM_BAD_MODEL, NULL},
    {NULL, "num_attention_heads", "2147483648", LM_BAD_MODEL, NULL},
    {NULL, "num_attention_heads", "null", LM_BAD_MODEL, NULL},
    {NULL, "num_attention_heads", "\"x\"", LM_BAD_MODEL, NULL},
    {NULL, "num_attention_heads", "1", LM_OK, NULL},
    {NULL, "num_hidden_layers", "0", LM_BAD_MODEL, NULL},
    {NULL, "num_hidden_layers", "-1", LM_BAD_MODEL, NULL},
    {NULL, "num_hidden_layers", "3", LM_BAD_MODEL, "encoder.layer.2.attention.self.query.weight"},
    {NULL, "num_hidden_layers", "1000", LM_BAD_MODEL,
     "encoder.layer.2.attention.self.query.weight"},
    {NULL, "num_hidden_layers", "2147483648", LM_BAD_MODEL, NULL},
    {NULL, "num_hidden_layers", "9223372036854775808", LM_BAD_MODEL, NULL},
    {NULL, "num_hidden_layers", "null", LM_BAD_MODEL, NULL},
    {NULL, "num_hidden_layers", "1", LM_OK, NULL},
    {NULL, "intermediate_size", "0", LM_BAD_MODEL, NULL},
    {NULL, "intermediate_size", "8", LM_BAD_MODEL, "encoder.layer.0.intermediate.dense.weight"},
    {NULL, "intermediate_size", "2147483648", LM_BAD_MODEL, NULL},
    {NULL, "max_position_embeddings", "0", LM_BAD_MODEL, NULL},
    {NULL, "max_position_embeddings", "25", LM_BAD_MODEL, "embeddings.position_embeddings.weight"},
    {NULL, "max_position_embeddings", "-1", LM_BAD_MODEL, NULL},
    {NULL, "vocab_size", "0", LM_BAD_MODEL, NULL},
    {NULL, "vocab_size", "84", LM_BAD_MODEL, "embeddings.word_embeddings.weight"},
    {NULL, "vocab_size", "4294967296", LM_BAD_MODEL, NULL},
    {NULL, "type_vocab_size", "0", LM_BAD_MODEL, NULL},
    {NULL, "type_vocab_size", "3", LM_BAD_MODEL, "embeddings.token_type_embeddings.weight"},
    {NULL, "layer_norm_eps", "0", LM_BAD_MODEL, NULL},
    {NULL, "layer_norm_eps", "-1e-12", LM_BAD_MODEL, NULL},
    {NULL, "layer_norm_eps", "1e30", LM_BAD_MODEL, NULL},
    {NULL, "layer_norm_eps", "NaN", LM_BAD_JSON, ""},
    {NULL, "layer_norm_eps", "\"1e-12\"", LM_BAD_MODEL, NULL},
    {NULL, "layer_norm_eps", "null", LM_BAD_MODEL, NULL},
    {NULL, "hidden_act", "\"gelu_10\"", LM_UNSUPPORTED, NULL},
    {NULL, "hidden_act", "7", LM_BAD_MODEL, NULL},
    {NULL, "is_decoder", "true", LM_UNSUPPORTED, NULL},
    {NULL, "is_decoder", "1", LM_BAD_MODEL, NULL},
    {NULL, "model_type", "\"bart\"", LM_UNSUPPORTED, NULL},
    {NULL, "model_type", "3", LM_BAD_MODEL, NULL},
    /* A key that these files do not have, in the place of one that does not matter. */
    {NULL, "use_cache", "false, \"position_embedding_type\": \"relative_key\"", LM_UNSUPPORTED,
     "position_embedding_type"},
    {NULL, "use_cache", "false, \"position_embedding_type\": \"absolute\"", LM_OK, NULL},
    {NULL, "use_cache", "false, \"hidden_size\": 36", LM_BAD_JSON, "hidden_size"},
    {"distilbert", "n_heads", "5", LM_BAD_MODEL, NULL},
    {"roberta", "pad_token_id", "25", LM_BAD_MODEL, "max_position_embeddings"},
    {"roberta", "pad_token_id", "24", LM_OK, NULL},
    {"roberta", "pad_token_id", "-1", LM_BAD_MODEL, NULL},
    {"roberta", "pad_token_id", "null", LM_BAD_MODEL, NULL},
    {"roberta", "max_position_embeddings", "2", LM_BAD_MODEL, NULL},
    {"roberta", "is_decoder", "true", LM_UNSUPPORTED, NULL},
    {"electra", "embedding_size", "36", LM_BAD_MODEL, "embeddings.word_embeddings.weight"},
    {"electra", "embedding_size", "0", LM_BAD_MODEL, NULL},
    {"ernie", "task_type_vocab_size", "3", LM_BAD_MODEL, "embeddings.task_type_embeddings.weight"},
    {"ernie-sequence", "use_task_id", "true", LM_BAD_MODEL,
     "embeddings.task_type_embeddings.weight"},
    {"albert", "num_hidden_groups", "3", LM_UNSUPPORTED, NULL},
    {"albert", "inner_group_num", "2", LM_UNSUPPORTED, NULL},
    {"albert", "embedding_size", "11", LM_BAD_MODEL, "embeddings.word_embeddings.weight"},
    {"mpnet", "relative_attention_num_buckets", "31", LM_BAD_MODEL, NULL},
    {"mpnet", "relative_attention_num_buckets", "33", LM_BAD_MODEL,
     "encoder.relative_attention_bias.weight"},
    {"mpnet", "max_position_embeddings", "2", LM_BAD_MODEL, NULL},
    {"roformer", "rotary_value", "true", LM_UNSUPPORTED, NULL},
    {"roformer", "num_attention_heads", "4", LM_BAD_MODEL, NULL},
    {"roformer", "embedding_size", "36", LM_BAD_MODEL, "embeddings.word_embeddings.weight"},
    {"big_bird", "attention_type", "\"random\"", LM_UNSUPPORTED, NULL},
    {"big_bird", "attention_type", "\"original_full\"", LM_OK, NULL},
    {"big_bird", "use_bias", "false", LM_UNSUPPORTED, NULL},
    {"big_bird", "rescale_embeddings", "true", LM_UNSUPPORTED, NULL},
    {"longformer-token", "num_hidden_layers", "2", LM_BAD_MODEL, "attention_window"},
};

/* Put a value in the place of a key's in config.json, which has one member a line. */
static void
replace_value(golden_folder *folder, const char *key, const char *value)
{
    fake_file *config = fake_find(&folder->files, "config.json");
    char *quoted = golden_join(folder, "\"", key, "\": "), *head;
    const char *hit = strstr(config->data, quoted), *end;

    if (!hit) {
        UNIT_FAIL("config.json has no %s", key);
        return;
    }
    hit += strlen(quoted);
    end = hit + strcspn(hit, ",\n");
    head = lm_arena_copy(&folder->arena, config->data, (size_t)(hit - config->data));
    config->data = golden_join(folder, head, value, end);
    config->size = strlen(config->data);
}

static void
check_damage(const damage *d)
{
    golden_folder folder;
    golden_weights loaded;
    lm_context ctx;
    lm_status status;

    lm_context_init(&ctx);
    golden_open(&ctx, d->folder ? d->folder : "bert", &folder);
    replace_value(&folder, d->key, d->value);
    status = golden_load(&folder, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded);
    if (status != d->status)
        UNIT_FAIL("%s = %s: status %d, wanted %d (%s)", d->key, d->value, status, d->status,
                  ctx.error.message);
    else if (status != LM_OK && strcmp(ctx.error.key, d->named ? d->named : d->key) != 0)
        UNIT_FAIL("%s = %s: names \"%s\"", d->key, d->value, ctx.error.key);
    if (status == LM_OK)
        golden_unload(&folder, &loaded);
    golden_close(&folder);
}

static void
damaged_settings(void)
{
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++)
        check_damage(&damages[i]);
}

/* Windows of attention, which stand in a list of several lines. */
static void
odd_windows(void)
{
    static const struct {
        const char *text;
        lm_status status;
    } windows[] = {
        {"7", LM_BAD_MODEL},
        {"0", LM_BAD_MODEL},
        {"6", LM_OK},
    };

    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        golden_folder folder;
        golden_weights loaded;
        fake_file *config;
        char *digit;
        lm_context ctx;

        lm_context_init(&ctx);
        golden_open(&ctx, "longformer-token", &folder);
        config = fake_find(&folder.files, "config.json");
        digit = strstr(config->data, "\n  6\n");
        CHECK(digit);
        if (digit)
            digit[3] = windows[i].text[0];
        CHECK_EQ_INT(golden_load(&folder, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded),
                     windows[i].status);
        CHECK_STR(ctx.error.key, windows[i].status == LM_OK ? "" : "attention_window");
        if (windows[i].status == LM_OK)
            golden_unload(&folder, &loaded);
        golden_close(&folder);
    }
}

static void
missing_model_type(void)
{
    golden_folder folder;
    golden_weights loaded;
    lm_context ctx;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert", &folder);
    fake_find(&folder.files, "config.json")->data = "{}";
    fake_find(&folder.files, "config.json")->size = 2;
    CHECK_EQ_INT(golden_load(&folder, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded),
                 LM_BAD_MODEL);
    CHECK_STR(ctx.error.key, "model_type");
    CHECK(strstr(ctx.error.allowed, "bert, distilbert, ernie, roberta, xlm-roberta") ==
          ctx.error.allowed);
    golden_close(&folder);
}

/* ---- Weights: one tensor after the other ---- */

/* Poke a float into a tensor's data. */
static void
poke(golden_folder *folder, const lm_tensor *tensor, uint64_t at, float value)
{
    fake_file *file = fake_find(&folder->files, tensor->file);

    memcpy((char *)(uintptr_t)file->data + tensor->offset + at * sizeof value, &value,
           sizeof value);
}

static void
refuse_poisoned(golden_folder *folder, const lm_tensor *tensor, float value)
{
    golden_weights loaded;
    uint64_t at = tensor->count - 1;
    float old;

    memcpy(&old, fake_find(&folder->files, tensor->file)->data + tensor->offset + at * 4, 4);
    poke(folder, tensor, at, value);
    CHECK_EQ_INT(golden_load(folder, &folder->source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded),
                 LM_BAD_MODEL);
    CHECK_STR(folder->ctx->error.key, tensor->name);
    CHECK_STR(folder->ctx->error.file, tensor->file);
    poke(folder, tensor, at, old);
}

static void
poisoned_weights(void)
{
    golden_folder folder;
    lm_tensors tensors = {.count = 0};
    lm_context ctx;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert", &folder);
    CHECK_OK(&ctx, lm_tensors_open(&ctx, &folder.arena, &folder.source, "", &tensors));
    CHECK_EQ_INT(tensors.count, 39);
    for (size_t i = 0; i < tensors.count; i++) {
        refuse_poisoned(&folder, &tensors.items[i], NAN);
        refuse_poisoned(&folder, &tensors.items[i], -INFINITY);
    }
    golden_close(&folder);
}

/* Replace the first `from` in the header of model.safetensors by `to`, which is as long. */
static void
change_header(golden_folder *folder, const char *from, const char *to)
{
    fake_file *file = fake_find(&folder->files, "model.safetensors");
    char *hit = memmem((char *)(uintptr_t)file->data, file->size, from, strlen(from));

    CHECK_EQ_INT(strlen(from), strlen(to));
    if (hit)
        memcpy(hit, to, strlen(to));
    else
        UNIT_FAIL("the header has no %s", from);
}

/* Without its name a tensor is missing, unless the family can do without it. */
static void
missing_tensors(void)
{
    golden_folder folder;
    lm_tensors tensors = {.count = 0};
    lm_context ctx;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert", &folder);
    CHECK_OK(&ctx, lm_tensors_open(&ctx, &folder.arena, &folder.source, "", &tensors));
    for (size_t i = 0; i < tensors.count; i++) {
        const char *name = tensors.items[i].name;
        char *quoted = golden_join(&folder, "\"", name, "\"");
        char *other = golden_join(&folder, "\"X", name + 1, "\"");
        bool optional = strncmp(name, "pooler.", 7) == 0;
        golden_weights loaded;
        lm_status status;

        change_header(&folder, quoted, other);
        status = golden_load(&folder, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded);
        CHECK_EQ_INT(status, optional ? LM_OK : LM_BAD_MODEL);
        if (!optional)
            CHECK_STR(ctx.error.key, name);
        if (status == LM_OK) {
            CHECK_EQ_INT(loaded.plan.ignored, 1);
            golden_unload(&folder, &loaded);
        }
        change_header(&folder, other, quoted);
    }
    golden_close(&folder);
}

typedef struct header_damage {
    const char *from, *to;
    lm_status status;
    const char *named;
} header_damage;

static const header_damage header_damages[] = {
    {"\"embeddings.LayerNorm.bias\":{\"dtype\":\"F32\"",
     "\"embeddings.LayerNorm.bias\":{\"dtype\":\"I32\"", LM_UNSUPPORTED,
     "embeddings.LayerNorm.bias"},
    {"\"encoder.layer.0.attention.self.key.weight\":{\"dtype\":\"F32\",\"shape\":[36,36]",
     "\"encoder.layer.0.attention.self.key.weight\":{\"dtype\":\"F32\",\"shape\":[18,72]",
     LM_BAD_MODEL, "encoder.layer.0.attention.self.key.weight"},
    {"\"encoder.layer.0.intermediate.dense.weight\":{\"dtype\":\"F32\",\"shape\":[7,36]",
     "\"encoder.layer.0.intermediate.dense.weight\":{\"dtype\":\"F32\",\"shape\":[36,7]",
     LM_BAD_MODEL, "encoder.layer.0.intermediate.dense.weight"},
    /* A name that a rename turns into another tensor's: which of the two counts is not certain. */
    {"\"encoder.layer.0.output.dense.weight\"", "\"bert.pooler.dense.bias\"             ",
     LM_BAD_MODEL, "pooler.dense.bias"},
};

static void
damaged_headers(void)
{
    for (size_t i = 0; i < sizeof header_damages / sizeof header_damages[0]; i++) {
        const header_damage *d = &header_damages[i];
        golden_folder folder;
        golden_weights loaded;
        lm_context ctx;

        lm_context_init(&ctx);
        golden_open(&ctx, "bert", &folder);
        change_header(&folder, d->from, d->to);
        CHECK_EQ_INT(golden_load(&folder, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded),
                     d->status);
        CHECK_STR(ctx.error.key, d->named);
        golden_close(&folder);
    }
}

/* ---- The whole model ---- */

typedef struct whole_case {
    const char *file;
    const char *from, *to; /* in the file; from NULL: the file is taken away */
    int max_tokens;
    lm_status status;
    const char *named_key, *named_file;
} whole_case;

static const whole_case whole_cases[] = {
    {"tokenizer.json", NULL, NULL, 0, LM_NO_FILE, "", "tokenizer.json"},
    {"config.json", NULL, NULL, 0, LM_NO_FILE, "", "config.json"},
    {"model.safetensors", NULL, NULL, 0, LM_NO_FILE, "", "model.safetensors"},
    {"1_Pooling/config.json", "\"word_embedding_dimension\": 20",
     "\"word_embedding_dimension\": 21", 0, LM_BAD_MODEL, "embedding_dimension", ""},
    {"sentence_bert_config.json", "\"max_seq_length\": 16", "\"max_seq_length\": 2", 0,
     LM_BAD_MODEL, "", ""},
    /* Of a token's type 2 the model has no row; the first piece of the template is [CLS]. */
    {"tokenizer.json", "\"type_id\": 0", "\"type_id\": 2", 0, LM_BAD_MODEL, "post_processor.single",
     "tokenizer.json"},
    {"tokenizer.json", "\"type_id\": 0", "\"type_id\": 1", 16, LM_OK, "", ""},
    {"config.json", "bert", "bert", 25, LM_BAD_ARGUMENT, "max_tokens", ""},
    {"config.json", "bert", "bert", 2, LM_BAD_ARGUMENT, "max_tokens", ""},
    {"config.json", "bert", "bert", -1, LM_BAD_ARGUMENT, "max_tokens", ""},
    {"config.json", "bert", "bert", 24, LM_OK, "", ""},
};

static void
change_file(golden_folder *folder, const whole_case *c)
{
    fake_file *file = fake_find(&folder->files, c->file);
    const char *hit;

    if (!file || !c->from) {
        CHECK(file != NULL);
        if (file)
            file->name = "";
        return;
    }
    hit = strstr(file->data, c->from);
    if (!hit) {
        UNIT_FAIL("%s has no %s", c->file, c->from);
        return;
    }
    file->data =
        golden_join(folder, lm_arena_copy(&folder->arena, file->data, (size_t)(hit - file->data)),
                    c->to, hit + strlen(c->from));
    file->size = strlen(file->data);
}

static void
damaged_models(void)
{
    for (size_t i = 0; i < sizeof whole_cases / sizeof whole_cases[0]; i++) {
        const whole_case *c = &whole_cases[i];
        const lm_model_options options = {.max_tokens = c->max_tokens};
        golden_folder folder;
        lm_model_plan *plan;
        lm_model_info info;
        lm_context ctx;
        lm_status status;

        lm_context_init(&ctx);
        golden_open(&ctx, "bert-st5-cls", &folder);
        change_file(&folder, c);
        status = lm_model_plan_make(&ctx, &folder.arena, &folder.source, &options,
                                    lm_kernels_at(LM_LEVEL_SCALAR), &plan, &info, NULL);
        CHECK_EQ_INT(status, c->status);
        CHECK_STR(ctx.error.key, c->named_key);
        CHECK_STR(ctx.error.file, c->named_file);
        if (status == LM_OK)
            CHECK_EQ_INT(info.max_tokens, c->max_tokens);
        golden_close(&folder);
    }
}

/* Lower case is asked for before the tokenizer: accepted where the tokenizer itself makes lower
 * case. */
static void
lower_case(void)
{
    static const whole_case sentence = {.file = "sentence_bert_config.json",
                                        .from = "\"do_lower_case\": false",
                                        .to = "\"do_lower_case\": true"};
    static const whole_case tokenizer = {.file = "tokenizer_config.json",
                                         .from = "\"do_lower_case\": true",
                                         .to = "\"do_lower_case\": false"};

    for (int keeps = 0; keeps <= 1; keeps++) {
        golden_folder folder;
        lm_model_plan *plan;
        lm_model_info info;
        lm_context ctx;

        lm_context_init(&ctx);
        golden_open(&ctx, "bert-st5-cls", &folder);
        change_file(&folder, &sentence);
        if (keeps)
            change_file(&folder, &tokenizer);
        CHECK_EQ_INT(lm_model_plan_make(&ctx, &folder.arena, &folder.source, NULL,
                                        lm_kernels_at(LM_LEVEL_SCALAR), &plan, &info, NULL),
                     keeps ? LM_UNSUPPORTED : LM_OK);
        CHECK_STR(ctx.error.key, keeps ? "do_lower_case" : "");
        golden_close(&folder);
    }
}

/* A truncated weights file is refused wherever it is cut. */
static void
truncated_weights(void)
{
    golden_folder folder;
    golden_weights loaded;
    lm_context ctx;
    fake_file *file;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert", &folder);
    file = fake_find(&folder.files, "model.safetensors");
    for (size_t size = file->size, cut = 0; cut < size; cut += 997) {
        file->size = cut;
        CHECK_EQ_INT(golden_load(&folder, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded),
                     LM_BAD_MODEL);
    }
    golden_close(&folder);
}

static const unit_case cases[] = {
    {"odd windows", odd_windows},
    {"damaged settings", damaged_settings},
    {"missing model type", missing_model_type},
    {"poisoned weights", poisoned_weights},
    {"missing tensors", missing_tensors},
    {"damaged headers", damaged_headers},
    {"damaged models", damaged_models},
    {"truncated weights", truncated_weights},
    {"lower case", lower_case},
};

UNIT_MAIN(cases)
