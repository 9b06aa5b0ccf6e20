/*
 * test_imports.c - what an import refuses or notes and a load does not: keys of config.json,
 * classifiers, adapters; and what an embedding is cut to. The library's answers are those of
 * sentence-transformers 6.2.
 */
#define _GNU_SOURCE /* memmem */

#include "golden.h"

#include "format/sentence_keys.h"
#include "task/embed.h"
#include "model/left_out.h"
#include "model/model.h"

/* A folder of models/tiny, and what planning made of it. */
typedef struct fixture {
    lm_context ctx;
    golden_folder folder;
    lm_notes notes;
    lm_model_plan *plan;
    lm_model_info info;
} fixture;

static void
open_fixture(fixture *f, const char *name, bool stored)
{
    lm_context_init(&f->ctx);
    lm_notes_init(&f->notes, stored);
    golden_open(&f->ctx, name, &f->folder);
}

static lm_status
plan(fixture *f, const lm_model_options *options, lm_notes *notes)
{
    return lm_model_plan_make(&f->ctx, &f->folder.arena, &f->folder.source, options,
                              lm_kernels_at(LM_LEVEL_SCALAR), &f->plan, &f->info, notes);
}

/* Put text in the place of other text of a file. */
static void
change(fixture *f, const char *name, const char *from, const char *to)
{
    fake_file *file = fake_find(&f->folder.files, name);
    const char *hit = strstr(file->data, from);
    const char *head;

    if (!hit) {
        UNIT_FAIL("%s has no %s", name, from);
        return;
    }
    head = lm_arena_copy(&f->folder.arena, file->data, (size_t)(hit - file->data));
    file->data = golden_join(&f->folder, head, to, hit + strlen(from));
    file->size = strlen(file->data);
}

/* Give config.json a member, in the place of one that does not matter. */
static void
add_member(fixture *f, const char *member)
{
    change(f, "config.json", "\"initializer_range\": 0.02", member);
}

/* Rename a tensor in the header, in place. */
static void
rename_tensor(fixture *f, const char *from, const char *to)
{
    fake_file *file = fake_find(&f->folder.files, "model.safetensors");
    char *hit = memmem(file->data, file->size, from, strlen(from));

    CHECK(hit && strlen(from) == strlen(to));
    if (hit)
        memcpy(hit, to, strlen(to));
}

/* --- tables of keys --------------------------------------------------------------------------- */

/* Of the only folder with tensors that an import leaves out: adapters of tasks. */
static bool
is_expected(const char *folder, const char *message)
{
    return strcmp(folder, "jina_v3-published") == 0 && strstr(message, "lora_A");
}

/* Every folder of models/tiny is known whole: nothing else is noted. */
static void
known_folders(void)
{
    static char names[512][256];
    int count = golden_list(names, 512);

    CHECK(count > 10);
    for (int i = 0; i < count; i++) {
        fixture f;

        open_fixture(&f, names[i], false);
        CHECK_OK(&f.ctx, plan(&f, NULL, &f.notes));
        for (int n = 0; n < f.notes.count; n++)
            if (!is_expected(names[i], f.notes.items[n].message))
                UNIT_FAIL("%s: %s %s: %s", names[i], f.notes.items[n].file, f.notes.items[n].key,
                          f.notes.items[n].message);
        golden_close(&f.folder);
    }
}

/* Blocks of one token: attention is full up to 7 tokens, of the 24 that the tokenizer allows. */
static void
cut_window(void)
{
    static const lm_model_options asked = {.max_tokens = 6};
    fixture f;

    open_fixture(&f, "big_bird", false);
    change(&f, "config.json", "\"block_size\": 16", "\"block_size\": 1");
    CHECK_OK(&f.ctx, plan(&f, NULL, &f.notes));
    CHECK_EQ_INT(f.notes.count, 1);
    CHECK(has_note(&f.notes, "texts are cut to 7 tokens, though the model's files allow 24"));
    lm_notes_init(&f.notes, false);
    CHECK_OK(&f.ctx, plan(&f, &asked, &f.notes));
    CHECK_EQ_INT(f.notes.count, 0);
    golden_close(&f.folder);
}

/* No key has two rules; each rule does what it says, whatever the value. */
static void
check_table(const lm_key_rule *rules)
{
    for (const lm_key_rule *rule = rules; rule->key; rule++) {
        const lm_json *json;
        lm_notes notes;
        lm_context ctx;
        lm_arena arena;
        char text[128];
        int length = snprintf(text, sizeof text, "{\"%s\":[\"x\"],\"-\":0}", rule->key);
        lm_status wanted = rule->use == LM_KEY_REFUSED ? LM_UNSUPPORTED : LM_OK;

        CHECK(lm_keys_find(rules, rule->key) == rule);
        lm_context_init(&ctx);
        lm_arena_init(&arena, &ctx);
        lm_notes_init(&notes, false);
        CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, text, (size_t)length, "f", &json));
        CHECK_EQ_INT(lm_keys_check(&ctx, &notes, "f", "", json, rules), wanted);
        CHECK_STR(ctx.error.key, wanted == LM_OK ? "" : rule->key);
        CHECK_EQ_INT(notes.count, wanted == LM_OK); /* the other key */
        CHECK(rule->use == LM_KEY_REFUSED || !rule->allowed);
        lm_arena_free(&arena);
    }
}

/* A family has a key that all have only to allow what is refused of the others. */
static bool
is_its_own(const char *key)
{
    const lm_key_rule *rule = lm_keys_find(lm_config_keys, key);

    return !rule || rule->use == LM_KEY_REFUSED;
}

static void
tables(void)
{
    check_table(lm_modules_keys);
    check_table(lm_sentence_keys);
    check_table(lm_transformer_keys);
    check_table(lm_pooling_keys);
    check_table(lm_normalize_keys);
    check_table(lm_dense_keys);
    check_table(lm_layer_norm_keys);
    check_table(lm_dropout_keys);
    check_table(lm_config_keys);
    for (int i = 0; lm_families[i]; i++) {
        const lm_family *family = lm_families[i];

        char key[LM_CONFIG_KEY_SIZE];

        check_table(family->config_keys);
        for (size_t j = 0; j < family->field_count; j++)
            for (int each = 0; lm_config_key(&family->fields[j], each, key); each++) {
                CHECK(!lm_keys_find(family->config_keys, key));
                CHECK(is_its_own(key));
            }
        for (const lm_key_rule *rule = family->config_keys; rule->key; rule++)
            CHECK(is_its_own(rule->key));
    }
}

/* --- config.json ------------------------------------------------------------------------------ */

static const struct {
    const char *member;
    lm_status status; /* at import */
    const char *key;
    const char *note; /* NULL: none */
} members[] = {
    {"\"quantization_config\": {\"bits\": 4}", LM_UNSUPPORTED, "quantization_config", NULL},
    {"\"auto_map\": {\"AutoModel\": \"modeling.Model\"}", LM_UNSUPPORTED, "auto_map", NULL},
    {"\"auto_map\": {}", LM_OK, "", NULL},
    {"\"pruned_heads\": {\"0\": [1]}", LM_UNSUPPORTED, "pruned_heads", NULL},
    {"\"pruned_heads\": {}", LM_OK, "", NULL},
    {"\"is_encoder_decoder\": true", LM_UNSUPPORTED, "is_encoder_decoder", NULL},
    {"\"tie_encoder_decoder\": true", LM_UNSUPPORTED, "tie_encoder_decoder", NULL},
    {"\"directionality\": \"bidi\", \"pooler_fc_size\": 768", LM_OK, "", NULL},
    {"\"rope_theta\": 10000", LM_OK, "", "unknown setting"},
    {"\"id2label\": {\"0\": \"joy\"}", LM_OK, "", NULL}, /* its architecture is BertModel */
};

static void
config_members(void)
{
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        fixture f;

        open_fixture(&f, "bert", false);
        add_member(&f, members[i].member);
        CHECK_EQ_INT(plan(&f, NULL, &f.notes), members[i].status);
        CHECK_STR(f.ctx.error.key, members[i].key);
        if (members[i].status != LM_OK)
            CHECK_STR(f.ctx.error.file, "config.json");
        CHECK_EQ_INT(f.notes.count, members[i].note != NULL);
        CHECK(!members[i].note || has_note(&f.notes, members[i].note));
        golden_close(&f.folder);
        open_fixture(&f, "bert", true);
        add_member(&f, members[i].member);
        CHECK_OK(&f.ctx, plan(&f, NULL, NULL));
        CHECK_OK(&f.ctx, plan(&f, NULL, &f.notes));
        CHECK_EQ_INT(f.notes.count, members[i].note || members[i].status == LM_UNSUPPORTED);
        golden_close(&f.folder);
    }
}

/* --- models with another head ----------------------------------------------------------------- */

#define ARCHITECTURES "\"architectures\": [\n  \"BertModel\"\n ]"
#define CLASSIFIER "\"architectures\": [\"BertForMultipleChoice\"]"

static const struct {
    const char *architectures; /* in place of the file's */
    const char *pooler;        /* the name of pooler.dense.bias in place of it; NULL: that */
    const char *model_type;    /* of config_sentence_transformers.json, NULL: no such file */
    const char *key;           /* of the refusal; NULL: imports */
    const char *note;          /* where it imports; NULL: none */
} kinds[] = {
    {"\"architectures\": [\"BertModel\"]", NULL, NULL, NULL, NULL},
    {"\"architectures\": [\"BertForMaskedLM\"]", NULL, NULL, NULL, NULL},
    {"\"architectures\": [\"BertForPreTraining\"]", "cls.predictions_.", NULL, NULL, NULL},
    {"\"architectures\": null", NULL, NULL, NULL, NULL},
    {"\"architectures\": []", NULL, NULL, NULL, NULL},
    {CLASSIFIER, NULL, NULL, "architectures", NULL},
    {CLASSIFIER, "classifier.weight", NULL, "architectures", NULL},
    {"\"architectures\": [\"BertForMultipleChoice\"]", NULL, NULL, "architectures", NULL},
    {"\"architectures\": [\"MyBert\"]", NULL, NULL, "architectures", NULL},
    {"\"architectures\": [7]", NULL, NULL, "architectures", NULL},
    {"\"architectures\": null", "classifier.weight", NULL, "classifier.weight", NULL},
    {"\"architectures\": null, \"id2label\": {\"0\": \"joy\", \"1\": \"LABEL_1\"}", NULL, NULL,
     "id2label", NULL},
    {"\"architectures\": null, \"id2label\": {\"0\": \"LABEL_0\"}", NULL, NULL, NULL, NULL},
    {"\"architectures\": null, \"id2label\": {\"0\": 7}", NULL, NULL, "id2label", NULL},
    {"\"architectures\": null, \"id2label\": [\"joy\"]", NULL, NULL, NULL, NULL},
    {"\"architectures\": \"BertForSequenceClassification\"", NULL, NULL, NULL, NULL},
    {"\"architectures\": [\"BertModel\"]", "classifier.weight", NULL, NULL,
     "1 tensor is not used: classifier.weight"},
    {"\"architectures\": [\"BertModel\"]", NULL, "CrossEncoder", "model_type", NULL},
    {"\"architectures\": [\"BertModel\"]", NULL, "SparseEncoder", "model_type", NULL},
    {"\"architectures\": [\"BertModel\"]", NULL, "SentenceTransformer", NULL, NULL},
};

static void
open_kind(fixture *f, size_t i, bool stored)
{
    open_fixture(f, "bert", stored);
    change(f, "config.json", ARCHITECTURES, kinds[i].architectures);
    if (kinds[i].pooler)
        rename_tensor(f, "pooler.dense.bias", kinds[i].pooler);
    if (kinds[i].model_type)
        fake_add(&f->folder.files, "config_sentence_transformers.json",
                 golden_join(&f->folder, "{\"model_type\":\"", kinds[i].model_type, "\"}"));
}

/* Imported, asked for as an embedding, quantized, and loaded. */
static void
other_heads(void)
{
    static const lm_model_options asked = {.as_embedding = true};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        fixture f;

        open_kind(&f, i, false);
        CHECK_EQ_INT(plan(&f, NULL, &f.notes), kinds[i].key ? LM_UNSUPPORTED : LM_OK);
        CHECK_STR(f.ctx.error.key, kinds[i].key ? kinds[i].key : "");
        CHECK(!kinds[i].key || strstr(f.ctx.error.hint, "{\"task\": \"embedding\"}"));
        CHECK_EQ_INT(f.notes.count, kinds[i].note != NULL);
        CHECK(!kinds[i].note || has_note(&f.notes, kinds[i].note));
        lm_notes_init(&f.notes, false);
        CHECK_OK(&f.ctx, plan(&f, &asked, &f.notes));
        CHECK_EQ_INT(has_note(&f.notes, "its head is left out"), kinds[i].key != NULL);
        CHECK_EQ_INT(f.info.dimensions, 36);
        golden_close(&f.folder);
        open_kind(&f, i, true);
        CHECK_OK(&f.ctx, plan(&f, NULL, &f.notes));
        CHECK_EQ_INT(f.notes.count > 0, kinds[i].key || kinds[i].note);
        CHECK_OK(&f.ctx, plan(&f, NULL, NULL));
        golden_close(&f.folder);
    }
}

#define LONG \
    "a_name_of_a_tensor_that_is_longer_than_most_names_of_tensors_are_in_the_files_of_models"

/* How many tensors are left out, and the names of the first. */
static void
left_out_names(void)
{
    static const struct {
        const char *names[6];
        size_t count;
        const char *note; /* its end */
    } lists[] = {
        {{"a"}, 1, "1 tensor is not used: a"},
        {{"a", "b"}, 2, "2 tensors are not used: a, b"},
        {{"a", "b", "c", "d"}, 4, "4 tensors are not used: a, b, c, d"},
        {{"a", "b", "c", "d", "e"}, 5, "5 tensors are not used: a, b, c, d, ..."},
        {{LONG, LONG, "c"}, 3, ", ..."},
    };

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        const lm_checkpoint checkpoint = {.sentence = {.present = true}};
        lm_tensor tensors[6];
        const lm_tensor *left_out[6];
        const lm_weights_plan plan = {.left_out = left_out, .left_out_count = lists[i].count};
        size_t length, wanted = strlen(lists[i].note);
        lm_notes notes;
        lm_context ctx;

        for (size_t k = 0; k < lists[i].count; k++) {
            tensors[k] = (lm_tensor){.name = lists[i].names[k], .file = "model.safetensors"};
            left_out[k] = &tensors[k];
        }
        lm_context_init(&ctx);
        lm_notes_init(&notes, false);
        CHECK_OK(&ctx, lm_left_out_check(&ctx, &checkpoint, &plan, false, &notes));
        CHECK_EQ_INT(notes.count, 1);
        CHECK_STR(notes.items[0].file, "model.safetensors");
        length = strlen(notes.items[0].message);
        CHECK(length >= wanted);
        if (length >= wanted)
            CHECK_STR(notes.items[0].message + length - wanted, lists[i].note);
    }
}

/* A folder of sentence-transformers is an embedding model, whatever its architecture is called. */
static void
sentence_folder(void)
{
    fixture f;

    open_fixture(&f, "bert-st5-cls", false);
    change(&f, "config.json", "\"BertModel\"", "\"BertForSequenceClassification\"");
    CHECK_OK(&f.ctx, plan(&f, NULL, &f.notes));
    CHECK_EQ_INT(f.notes.count, 0);
    golden_close(&f.folder);
}

/* --- a cut embedding -------------------------------------------------------------------------- */

#define SETTINGS "config_sentence_transformers.json"

/* The embedding of one text; returns how many numbers it has. */
static int
embed(fixture *f, const lm_model_options *options, int view, int asked, float *out)
{
    static const lm_text text = {"one two three", 13};
    const lm_embed_options how = {.dimensions = asked};
    lm_session *session = NULL;
    lm_model model;
    void *image;
    int width = 0;

    CHECK_OK(&f->ctx, plan(f, options, &f->notes));
    image = aligned_alloc(LM_ALIGNMENT, lm_model_plan_size(f->plan));
    CHECK_OK(&f->ctx, lm_model_fill(&f->ctx, f->plan, image));
    CHECK_OK(&f->ctx, lm_model_bind(&f->ctx, image, lm_model_plan_size(f->plan), &model));
    if (view)
        lm_model_set_dimensions(&model, view);
    CHECK_OK(&f->ctx, lm_session_create(&f->ctx, &session));
    CHECK_OK(&f->ctx, lm_embed_width(&f->ctx, &model, &how, &width));
    CHECK_OK(&f->ctx, lm_embed(&f->ctx, session, &model, &text, 1, &how, out, NULL));
    lm_session_free(session);
    lm_model_unbind(&f->ctx, &model);
    free(image);
    return width;
}

static double
norm_of(const float *x, int count)
{
    double sum = 0;

    for (int i = 0; i < count; i++)
        sum += (double)x[i] * x[i];
    return sqrt(sum);
}

/* Open a normalising model of 20 dimensions whose file has this truncate_dim. */
static void
open_cut(fixture *f, const char *truncate_dim)
{
    open_fixture(f, "bert-st5-cls", false);
    if (fake_find(&f->folder.files, SETTINGS))
        fake_find(&f->folder.files, SETTINGS)->name = "";
    fake_add(&f->folder.files, SETTINGS,
             golden_join(&f->folder, "{\"truncate_dim\":", truncate_dim, "}"));
}

/*
 * The library normalises first and cuts then, so what is left is shorter than 1; a cut that the
 * caller asks for on top is normalised again, as it is for other models.
 */
static void
truncated(void)
{
    static const lm_model_options whole_options = {.dimensions = 1000},
                                  five_options = {.dimensions = 5};
    float whole[64], cut[64], five[64], asked[64], viewed[64];
    fixture f;

    open_cut(&f, "8");
    CHECK_EQ_INT(embed(&f, &whole_options, 0, 0, whole), 20);
    CHECK(!f.info.cut);
    CHECK_NEAR(norm_of(whole, 20), 1, 1e-6);
    CHECK_EQ_INT(embed(&f, NULL, 0, 0, cut), 8);
    CHECK(f.info.cut);
    CHECK_EQ_INT(f.info.dimensions, 8);
    CHECK_EQ_INT(memcmp(cut, whole, 8 * sizeof cut[0]), 0);
    CHECK(norm_of(cut, 8) < .99);
    CHECK_EQ_INT(embed(&f, &five_options, 0, 0, five), 5);
    CHECK_EQ_INT(memcmp(five, whole, 5 * sizeof cut[0]), 0);
    CHECK_EQ_INT(embed(&f, NULL, 0, 5, asked), 5);
    CHECK_NEAR(norm_of(asked, 5), 1, 1e-6);
    CHECK_NEAR(asked[0] * norm_of(five, 5), five[0], 1e-6);
    /* The image is shared by versions that differ in this; each binds its own view. */
    CHECK_EQ_INT(embed(&f, NULL, 1000, 0, viewed), 20);
    CHECK_EQ_INT(memcmp(viewed, whole, 20 * sizeof cut[0]), 0);
    CHECK_EQ_INT(embed(&f, &whole_options, 8, 0, viewed), 8);
    CHECK_EQ_INT(memcmp(viewed, whole, 8 * sizeof cut[0]), 0);
    golden_close(&f.folder);
}

static void
truncate_values(void)
{
    static const struct {
        const char *value;
        lm_status status;
        int dimensions;
    } values[] = {
        {"null", LM_OK, 20},        {"1", LM_OK, 1},
        {"20", LM_OK, 20},          {"21", LM_OK, 20},
        {"99999999999", LM_OK, 20}, {"0", LM_BAD_MODEL, 0},
        {"-1", LM_BAD_MODEL, 0},    {"8.5", LM_BAD_MODEL, 0},
        {"\"8\"", LM_BAD_MODEL, 0}, {"true", LM_BAD_MODEL, 0},
    };
    static const lm_model_options stored = {.dimensions = 1000};

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        fixture f;

        open_cut(&f, values[i].value);
        CHECK_EQ_INT(plan(&f, NULL, &f.notes), values[i].status);
        if (values[i].status == LM_OK)
            CHECK_EQ_INT(f.info.dimensions, values[i].dimensions);
        else
            CHECK_STR(f.ctx.error.key, "truncate_dim");
        /* 0.2 did not read it. */
        CHECK_OK(&f.ctx, plan(&f, &stored, NULL));
        CHECK_EQ_INT(f.info.dimensions, 20);
        golden_close(&f.folder);
    }
}

/* Without modules.json the library does not read the file. */
static void
truncate_alone(void)
{
    fixture f;

    open_cut(&f, "8");
    fake_find(&f.folder.files, "modules.json")->name = "";
    CHECK_OK(&f.ctx, plan(&f, NULL, &f.notes));
    CHECK_EQ_INT(f.info.dimensions, 20);
    golden_close(&f.folder);
}

/* --- the old layout --------------------------------------------------------------------------- */

/* The transformer's files in a folder of their own give the same vector. */
static void
old_layout(void)
{
    static const char *const moved[] = {"config.json", "tokenizer.json", "tokenizer_config.json",
                                        "sentence_bert_config.json", "model.safetensors"};
    float here[64], there[64];
    fixture f;

    open_fixture(&f, "bert-st5-cls", false);
    CHECK_EQ_INT(embed(&f, NULL, 0, 0, here), 20);
    for (size_t i = 0; i < sizeof moved / sizeof moved[0]; i++) {
        fake_file *file = fake_find(&f.folder.files, moved[i]);

        file->name = golden_join(&f.folder, "0_Transformer", "/", moved[i]);
        file->read_to = 0;
    }
    change(&f, "modules.json", "\"path\": \"\"", "\"path\": \"0_Transformer\"");
    change(&f, "modules.json", "\"1_Pooling\"", "\"1_Pooling/\"");
    CHECK_EQ_INT(embed(&f, NULL, 0, 0, there), 20);
    CHECK_EQ_INT(memcmp(here, there, sizeof here[0] * 20), 0);
    CHECK_EQ_INT(f.notes.count, 0);
    change(&f, "0_Transformer/config.json", "\"initializer_range\": 0.02", "\"auto_map\": [1]");
    CHECK_EQ_INT(plan(&f, NULL, &f.notes), LM_UNSUPPORTED);
    CHECK_STR(f.ctx.error.file, "0_Transformer/config.json");
    golden_close(&f.folder);
}

static const unit_case cases[] = {
    {"known folders", known_folders},     {"cut window", cut_window},
    {"tables of keys", tables},           {"config members", config_members},
    {"other heads", other_heads},         {"left-out names", left_out_names},
    {"sentence folder", sentence_folder}, {"truncated", truncated},
    {"truncate values", truncate_values}, {"truncate alone", truncate_alone},
    {"old layout", old_layout},
};

UNIT_MAIN(cases)
