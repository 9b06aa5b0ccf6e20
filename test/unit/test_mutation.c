/*
 * test_mutation.c - shows that the goldens can see. Each mutation leaves something out of a model
 * or alters it, and the comparison of hidden states must turn red; the ones that change nothing
 * (none, the key's bias, which cancels in softmax) must stay green.
 */
#include "golden.h"

/* What is done to the tensors whose canonical name contains `tensor`. */
typedef enum change { KEEP, ZERO, ONE, DOUBLE, CHANGES } change;

typedef struct mutation {
    const char *what;
    const char *folder;
    const char *tensor;
    change change;
    const char *from, *to; /* in config.json */
    bool without_types;
    bool green;
} mutation;

static const mutation mutations[] = {
    {"nothing", "bert", NULL, KEEP, NULL, NULL, false, true},
    {"key bias", "bert", "self.key.bias", ZERO, NULL, NULL, false, true},
    {"query bias", "bert", "self.query.bias", ZERO, NULL, NULL, false, false},
    {"value bias", "bert", "self.value.bias", ZERO, NULL, NULL, false, false},
    {"output bias", "bert", "attention.output.dense.bias", ZERO, NULL, NULL, false, false},
    {"up bias", "bert", "intermediate.dense.bias", ZERO, NULL, NULL, false, false},
    {"down bias", "bert", "0.output.dense.bias", ZERO, NULL, NULL, false, false},
    {"embedding norm bias", "bert", "embeddings.LayerNorm.bias", ZERO, NULL, NULL, false, false},
    {"attention norm bias", "bert", "attention.output.LayerNorm.bias", ZERO, NULL, NULL, false,
     false},
    {"ffn norm bias", "bert", "1.output.LayerNorm.bias", ZERO, NULL, NULL, false, false},
    {"embedding norm gain", "bert", "embeddings.LayerNorm.weight", ONE, NULL, NULL, false, false},
    {"attention norm gain", "bert", "attention.output.LayerNorm.weight", ONE, NULL, NULL, false,
     false},
    {"ffn norm gain", "bert", "1.output.LayerNorm.weight", ONE, NULL, NULL, false, false},
    {"position embeddings", "bert", "position_embeddings", ZERO, NULL, NULL, false, false},
    {"type embeddings", "bert", "token_type_embeddings", ZERO, NULL, NULL, false, false},
    {"key weights", "bert", "self.key.weight", ZERO, NULL, NULL, false, false},
    {"scale of scores", "bert", "self.query", DOUBLE, NULL, NULL, false, false},
    {"heads", "bert", NULL, KEEP, "\"num_attention_heads\": 3", "\"num_attention_heads\": 4", false,
     false},
    {"erf gelu as tanh", "bert", NULL, KEEP, "\"gelu\"", "\"gelu_new\"", false, false},
    {"tanh gelu as erf", "bert-head5", NULL, KEEP, "\"gelu_new\"", "\"gelu\"", false, false},
    {"relu as gelu", "bert-types3", NULL, KEEP, "\"relu\"", "\"gelu\"", false, false},
    {"silu as gelu", "bert-silu", NULL, KEEP, "\"silu\"", "\"gelu\"", false, false},
    {"eps 1e-5 as 1e-12", "bert-head5", NULL, KEEP, "1e-05", "1e-12", false, false},
    {"eps 1e-3 as 1e-5", "bert-silu", NULL, KEEP, "0.001", "1e-5", false, false},
    {"two type ids left out", "bert", NULL, KEEP, NULL, NULL, true, false},
    {"three type ids left out", "bert-types3", NULL, KEEP, NULL, NULL, true, false},
    {"order of fused parts", "bert-fused", "self.qkv.bias", ZERO, NULL, NULL, false, false},
    {"gain under its old name", "bert-gamma", "LayerNorm.gamma", ONE, NULL, NULL, false, false},
};

static void
change_floats(change how, char *data, size_t bytes)
{
    for (size_t at = 0; at + sizeof(float) <= bytes; at += sizeof(float)) {
        float value;

        memcpy(&value, data + at, sizeof value);
        value = how == ZERO ? 0 : how == ONE ? 1 : 2 * value;
        memcpy(data + at, &value, sizeof value);
    }
}

/* Alter matching tensors in the folder's memory; every mutation must match something. */
static void
change_tensors(golden_folder *folder, const mutation *m)
{
    lm_tensors tensors = {.count = 0};
    int changed = 0;

    CHECK_OK(folder->ctx,
             lm_tensors_open(folder->ctx, &folder->arena, &folder->source, "", &tensors));
    for (size_t i = 0; i < tensors.count; i++) {
        const lm_tensor *tensor = &tensors.items[i];
        fake_file *file = fake_find(&folder->files, tensor->file);

        if (!strstr(tensor->name, m->tensor))
            continue;
        change_floats(m->change, (char *)(uintptr_t)file->data + tensor->offset,
                      (size_t)tensor->bytes);
        changed++;
    }
    CHECK(changed > 0);
}

static void
change_config(golden_folder *folder, const mutation *m)
{
    fake_file *config = fake_find(&folder->files, "config.json");
    const char *hit = strstr(config->data, m->from);
    size_t before, from = strlen(m->from), to = strlen(m->to);
    char *changed = lm_arena_alloc(&folder->arena, config->size + to + 1);

    if (!hit) {
        UNIT_FAIL("config.json of %s has no %s", m->folder, m->from);
        return;
    }
    before = (size_t)(hit - config->data);
    memcpy(changed, config->data, before);
    memcpy(changed + before, m->to, to);
    memcpy(changed + before + to, hit + from, config->size - before - from + 1);
    config->data = changed;
    config->size += to - from;
}

static void
run_mutation(const mutation *m)
{
    golden_folder folder;
    golden_weights loaded;
    lm_context ctx;
    double error, tolerance;

    lm_context_init(&ctx);
    golden_open(&ctx, m->folder, &folder);
    if (m->tensor)
        change_tensors(&folder, m);
    if (m->from)
        change_config(&folder, m);
    tolerance = golden_tolerance(lm_json_get(folder.golden, "hidden"));
    CHECK_OK(&ctx, golden_load(&folder, &folder.source, lm_kernels_at(LM_LEVEL_SCALAR), &loaded));
    if (loaded.image) {
        error = golden_hidden_error(&folder, &loaded.weights, !m->without_types);
        if (m->green ? !(error <= tolerance) : !(error > 3 * tolerance))
            UNIT_FAIL("%s of %s: error %g, tolerance %g", m->what, m->folder, error, tolerance);
        golden_unload(&folder, &loaded);
    }
    golden_close(&folder);
}

static void
goldens_see(void)
{
    for (size_t i = 0; i < sizeof mutations / sizeof mutations[0]; i++)
        run_mutation(&mutations[i]);
}

static const unit_case cases[] = {
    {"goldens see every mutation", goldens_see},
};

UNIT_MAIN(cases)
