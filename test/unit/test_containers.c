/*
 * test_containers.c - model folders as the two generations of sentence-transformers write them:
 * their modules, pooling, pipelines, settings and steps. Expected values are what
 * sentence-transformers 6.2 makes of the same files. test_container_files.c has files of other
 * kinds and what only an import checks, test_container_lists.c the lists of files, heads and
 * faults.
 */
#include <time.h>

#include "model_folder.h"

static void
test_old_generation(void)
{
    folder f;
    const lm_sentence_transformers *spec = &f.checkpoint.sentence;

    CHECK_OK(&f.ctx, open_folder(&f, old_folder));
    CHECK(spec->present && spec->normalize && spec->include_prompt && spec->lower_case);
    CHECK_EQ_INT(spec->pooling, LM_POOL_MEAN);
    CHECK_EQ_INT(spec->max_seq_length, 256);
    CHECK_EQ_INT(spec->embedding_dimension, 8);
    CHECK(spec->prompt_count == 0 && !spec->default_prompt);
    CHECK(lm_json_is_string(lm_json_get(f.checkpoint.config, "model_type"), "bert"));
    CHECK(f.checkpoint.tokenizer && f.checkpoint.tokenizer_config && !f.checkpoint.settings);
    CHECK(!f.fake.went_back);
    CHECK_EQ_INT(lm_checkpoint_window(&f.checkpoint, 512), 256);
    CHECK_EQ_INT(lm_checkpoint_window(&f.checkpoint, 128), 128);
    close_folder(&f);
}

static void
test_new_generation(void)
{
    folder f;
    const lm_sentence_transformers *spec = &f.checkpoint.sentence;

    CHECK_OK(&f.ctx, open_folder(&f, new_folder));
    CHECK(spec->present && spec->normalize && !spec->include_prompt && !spec->lower_case);
    CHECK_EQ_INT(spec->pooling, LM_POOL_CLS);
    CHECK_EQ_INT(spec->max_seq_length, 0);
    CHECK_EQ_INT(spec->embedding_dimension, 8);
    CHECK_EQ_INT(spec->prompt_count, 3);
    CHECK_STR(spec->prompts[0].name, "document");
    CHECK_STR(spec->prompts[0].text, "");
    CHECK_STR(spec->prompts[1].text, "passage: ");
    CHECK_STR(spec->prompts[2].name, "query");
    CHECK_STR(spec->default_prompt, "query");
    CHECK_EQ_INT(lm_checkpoint_window(&f.checkpoint, 40), 32);
    CHECK(!f.fake.went_back);
    close_folder(&f);
}

/* A plain transformers folder has no settings of sentences. */
static void
test_plain_folder(void)
{
    static const file bare[] = {{"tokenizer.json", NULL}, {NULL, NULL}};
    folder f;

    CHECK_OK(&f.ctx, open_folder(&f, NULL));
    CHECK(!f.checkpoint.sentence.present && !f.checkpoint.sentence.normalize);
    CHECK(f.checkpoint.sentence.include_prompt);
    CHECK_EQ_INT(f.checkpoint.sentence.pooling, LM_POOL_NONE);
    CHECK(!f.checkpoint.tokenizer_config);
    CHECK_EQ_INT(lm_checkpoint_window(&f.checkpoint, 512), 512);
    close_folder(&f);
    CHECK_OK(&f.ctx, open_folder(&f, bare));
    CHECK(!f.checkpoint.tokenizer);
    close_folder(&f);
}

/* --- variants of single files ----------------------------------------------------------------- */

#define OLD_POOL(flags) "{\"word_embedding_dimension\":8," flags "}"

/* Pooling settings and the outcome: a pooling, or a status with its key. */
static const struct {
    const char *text;
    lm_status status;
    lm_pooling pooling;
    const char *key;
    int more; /* poolings behind the first */
} poolings[] = {
    {"{}", LM_OK, LM_POOL_MEAN, "", 0},
    {OLD_POOL("\"pooling_mode_cls_token\":true"), LM_OK, LM_POOL_CLS, "", 0},
    {OLD_POOL("\"pooling_mode_max_tokens\":true"), LM_OK, LM_POOL_MAX, "", 0},
    {OLD_POOL("\"pooling_mode_mean_sqrt_len_tokens\":true"), LM_OK, LM_POOL_MEAN_SQRT, "", 0},
    {OLD_POOL("\"pooling_mode_weightedmean_tokens\":true"), LM_OK, LM_POOL_WEIGHTED_MEAN, "", 0},
    {OLD_POOL("\"pooling_mode_lasttoken\":true"), LM_OK, LM_POOL_LAST, "", 0},
    {OLD_POOL("\"pooling_mode_mean_tokens\":false"), LM_OK, LM_POOL_MEAN, "", 0},
    {OLD_POOL("\"pooling_mode_mean_tokens\":null"), LM_OK, LM_POOL_MEAN, "", 0},
    {OLD_POOL("\"pooling_mode_mean_tokens\":true,\"pooling_mode_cls_token\":true"), LM_OK,
     LM_POOL_CLS, "", 1},
    {OLD_POOL("\"pooling_mode_attention\":true,\"pooling_mode_cls_token\":true"), LM_UNSUPPORTED, 0,
     "pooling_mode_attention", 0},
    {OLD_POOL("\"pooling_mode_attention\":true"), LM_UNSUPPORTED, 0, "pooling_mode_attention", 0},
    {OLD_POOL("\"pooling_mode_attention\":false"), LM_OK, LM_POOL_MEAN, "", 0},
    {OLD_POOL("\"pooling_mode_cls_token\":1"), LM_BAD_MODEL, 0, "pooling_mode_cls_token", 0},
    {"{\"pooling_mode\":\"mean\"}", LM_OK, LM_POOL_MEAN, "", 0},
    {"{\"pooling_mode\":\"max\"}", LM_OK, LM_POOL_MAX, "", 0},
    {"{\"pooling_mode\":\"mean_sqrt_len_tokens\"}", LM_OK, LM_POOL_MEAN_SQRT, "", 0},
    {"{\"pooling_mode\":\"weightedmean\"}", LM_OK, LM_POOL_WEIGHTED_MEAN, "", 0},
    {"{\"pooling_mode\":\"lasttoken\"}", LM_OK, LM_POOL_LAST, "", 0},
    {"{\"pooling_mode\":[\"cls\"]}", LM_OK, LM_POOL_CLS, "", 0},
    {"{\"pooling_mode\":\"cls\",\"pooling_mode_mean_tokens\":true}", LM_OK, LM_POOL_CLS, "", 0},
    {"{\"pooling_mode\":[\"mean\",\"cls\",\"mean\"]}", LM_OK, LM_POOL_MEAN, "", 2},
    {"{\"pooling_mode\":[\"mean\",\"sum\"]}", LM_UNSUPPORTED, 0, "pooling_mode", 0},
    {"{\"pooling_mode\":[\"cls\",\"cls\",\"cls\",\"cls\",\"cls\",\"cls\",\"cls\",\"cls\",\"cls\"]}",
     LM_UNSUPPORTED, 0, "pooling_mode", 0},
    {"{\"pooling_mode\":[]}", LM_UNSUPPORTED, 0, "pooling_mode", 0},
    {"{\"pooling_mode\":[[\"cls\"]]}", LM_UNSUPPORTED, 0, "pooling_mode", 0},
    {"{\"pooling_mode\":\"attention\"}", LM_UNSUPPORTED, 0, "pooling_mode", 0},
    {"{\"pooling_mode\":7}", LM_UNSUPPORTED, 0, "pooling_mode", 0},
    {"{\"include_prompt\":\"no\"}", LM_BAD_MODEL, 0, "include_prompt", 0},
    {"{\"embedding_dimension\":0}", LM_BAD_MODEL, 0, "embedding_dimension", 0},
    {"{\"word_embedding_dimension\":1.5}", LM_BAD_MODEL, 0, "word_embedding_dimension", 0},
    {"[]", LM_BAD_MODEL, 0, "", 0},
    {"{", LM_BAD_JSON, 0, "", 0},
    {NULL, LM_NO_FILE, 0, "", 0},
};

static void
test_pooling(void)
{
    for (size_t i = 0; i < sizeof poolings / sizeof poolings[0]; i++) {
        const file files[] = {
            {"modules.json", OLD_MODULES}, {POOL, poolings[i].text}, {NULL, NULL}};
        folder f;
        lm_status status = open_folder(&f, files);

        if (status != poolings[i].status || strcmp(f.ctx.error.key, poolings[i].key) != 0)
            UNIT_FAIL("%s: %d, %s [%s]", poolings[i].text, status, f.ctx.error.message,
                      f.ctx.error.key);
        else if (status == LM_OK)
            CHECK(f.checkpoint.sentence.pooling == poolings[i].pooling &&
                  f.checkpoint.sentence.more_count == poolings[i].more);
        else
            CHECK_STR(f.ctx.error.file, POOL);
        close_folder(&f);
    }
}

#define N(i) MODULE(OLD "Normalize", #i)

/* Pipelines and their outcome: whether normalised, or a status with what was found. */
static const struct {
    const char *text;
    lm_status status;
    bool normalize;
    const char *found;
} pipelines[] = {
    {"[" TRANSFORMER "," POOLING "]", LM_OK, false, ""},
    {"[" TRANSFORMER "," POOLING "," NORMALIZE "]", LM_OK, true, ""},
    {"[" MODULE("Transformer", "") "," MODULE("my.Pooling", "1_Pooling") "]", LM_OK, false, ""},
    {"[" TRANSFORMER "," POOLING "," NORMALIZE "," MODULE(OLD "Dropout", "3_Dropout") "]", LM_OK,
     true, ""},
    {"[" TRANSFORMER "," POOLING "," NORMALIZE "," MODULE(OLD "Normalize", "3_Normalize") "]",
     LM_OK, true, ""},
    {"[" TRANSFORMER "," POOLING "," MODULE(OLD "Dense", "2_Dense") "]", LM_NO_FILE, false, ""},
    {"[" TRANSFORMER "," POOLING "," MODULE(OLD "LayerNorm", "2_LayerNorm") "]", LM_NO_FILE, false,
     ""},
    {"[" TRANSFORMER "," MODULE(OLD "Dense", "2_Dense") "," POOLING "]", LM_UNSUPPORTED, false,
     "\"" OLD "Dense\""},
    {"[" TRANSFORMER "," POOLING "," MODULE(OLD "CNN", "2_CNN") "]", LM_UNSUPPORTED, false,
     "\"" OLD "CNN\""},
    {"[" TRANSFORMER "," POOLING "," N(1) "," N(2) "," N(3) "," N(4) "," N(5) "," N(6) "," N(
         7) "," N(8) "," N(9) "," N(10) "," N(11) "," N(12) "," N(13) "]",
     LM_UNSUPPORTED, false, ""},
    {"[" TRANSFORMER "," POOLING "," MODULE("x.NotNormalize", "") "]", LM_UNSUPPORTED, false,
     "\"x.NotNormalize\""},
    {"[" TRANSFORMER "," POOLING "," POOLING "]", LM_UNSUPPORTED, false, "\"" OLD "Pooling\""},
    {"[" TRANSFORMER "," NORMALIZE "," POOLING "]", LM_UNSUPPORTED, false, "\"" OLD "Normalize\""},
    {"[" POOLING "," TRANSFORMER "]", LM_UNSUPPORTED, false, "\"" OLD "Pooling\""},
    {"[" TRANSFORMER "," TRANSFORMER "]", LM_UNSUPPORTED, false, "\"" OLD "Transformer\""},
    {"[" TRANSFORMER "," MODULE(OLD "Pooling", "1_Pooling/") "]", LM_OK, false, ""},
    {"[" MODULE(OLD "Transformer", ".") "," MODULE(OLD "Pooling", "./1_Pooling//") "]", LM_OK,
     false, ""},
    {"[" MODULE(OLD "Transformer", "0_Transformer") "," POOLING "]", LM_NO_FILE, false, ""},
    {"[" MODULE(OLD "Transformer", "../0") "," POOLING "]", LM_DENIED, false, "\"../0\""},
    {"[" TRANSFORMER "," MODULE(OLD "Pooling", "../1_Pooling") "]", LM_DENIED, false,
     "\"../1_Pooling\""},
    {"[" TRANSFORMER "," MODULE(OLD "Pooling", "1_Pooling/../..") "]", LM_DENIED, false,
     "\"1_Pooling/../..\""},
    {"[" TRANSFORMER "," MODULE(OLD "Pooling", "") "]", LM_BAD_MODEL, false, "\"\""},
    {"[" MODULE(OLD "Transformer", "1_Pooling") "," MODULE(OLD "Pooling", "1_Pooling/") "]",
     LM_BAD_MODEL, false, "\"1_Pooling/\""},
    {"[" TRANSFORMER "," POOLING "," MODULE(OLD "Normalize", "1_Pooling") "]", LM_BAD_MODEL, false,
     "\"1_Pooling\""},
    {"[" TRANSFORMER "," MODULE(OLD "Pooling", "/etc") "]", LM_DENIED, false, "\"/etc\""},
    {"[" TRANSFORMER "]", LM_UNSUPPORTED, false, ""},
    {"[]", LM_UNSUPPORTED, false, ""},
    {"{}", LM_BAD_MODEL, false, "an object"},
    {"[1]", LM_BAD_MODEL, false, "nothing"},
    {"[{\"path\":\"\"}]", LM_BAD_MODEL, false, "nothing"},
    {"[{\"type\":1,\"path\":\"\"}]", LM_BAD_MODEL, false, "1"},
    {"[{\"type\":\"Transformer\\u0000\"}]", LM_BAD_MODEL, false, "\"Transformer\""},
    {"[{\"type\":\"Transformer\",\"path\":[]}]", LM_BAD_MODEL, false, "an array"},
};

static void
test_pipelines(void)
{
    for (size_t i = 0; i < sizeof pipelines / sizeof pipelines[0]; i++) {
        const file files[] = {{"modules.json", pipelines[i].text},
                              {POOL, "{\"pooling_mode\":\"mean\"}"},
                              {NULL, NULL}};
        folder f;
        lm_source source = fake_open(&f.fake);
        lm_file_list list;
        lm_status status = open_folder(&f, files);

        if (status != pipelines[i].status || strcmp(f.ctx.error.found, pipelines[i].found) != 0)
            UNIT_FAIL("%s: %d, %s [%s]", pipelines[i].text, status, f.ctx.error.message,
                      f.ctx.error.found);
        if (status == LM_OK)
            CHECK_EQ_INT(f.checkpoint.sentence.normalize, pipelines[i].normalize);
        CHECK_EQ_INT(lm_checkpoint_list(&f.ctx, &f.arena, &source, &list), status);
        close_folder(&f);
    }
}

/* Other settings files: name, text, and the outcome with its key. */
static const struct {
    const char *name, *text;
    lm_status status;
    const char *key;
} settings[] = {
    {"config.json", NULL, LM_NO_FILE, ""},
    {"config.json", "[]", LM_BAD_MODEL, ""},
    {"config.json", "", LM_BAD_JSON, ""},
    {"config.json", "{\"a\":1,\"a\":2}", LM_BAD_JSON, "a"},
    {"tokenizer.json", "7", LM_BAD_MODEL, ""},
    {"tokenizer_config.json", "null", LM_BAD_MODEL, ""},
    {"2_Normalize/config.json", NEW_NORMALIZE, LM_OK, ""},
    {"2_Normalize/config.json", "{\"module_input_name\":\"token_embeddings\"}", LM_UNSUPPORTED,
     "module_input_name"},
    {"2_Normalize/config.json", "{\"module_output_name\":\"other\"}", LM_UNSUPPORTED,
     "module_output_name"},
    {"2_Normalize/config.json", "{\"module_output_name\":[]}", LM_BAD_MODEL, "module_output_name"},
    {"sentence_bert_config.json", "{\"max_seq_length\":null,\"do_lower_case\":null}", LM_OK, ""},
    {"sentence_bert_config.json", "{\"max_seq_length\":0}", LM_BAD_MODEL, "max_seq_length"},
    {"sentence_bert_config.json", "{\"max_seq_length\":-1}", LM_BAD_MODEL, "max_seq_length"},
    {"sentence_bert_config.json", "{\"max_seq_length\":2147483648}", LM_BAD_MODEL,
     "max_seq_length"},
    {"sentence_bert_config.json", "{\"max_seq_length\":\"256\"}", LM_BAD_MODEL, "max_seq_length"},
    {"sentence_bert_config.json", "{\"do_lower_case\":1}", LM_BAD_MODEL, "do_lower_case"},
    {"sentence_bert_config.json", "{\"transformer_task\":\"fill-mask\"}", LM_UNSUPPORTED,
     "transformer_task"},
    {"sentence_bert_config.json", "{\"module_output_name\":\"sentence_embedding\"}", LM_UNSUPPORTED,
     "module_output_name"},
    {"config_sentence_transformers.json", "{\"prompts\":{}}", LM_OK, ""},
    {"config_sentence_transformers.json", "{\"prompts\":null,\"default_prompt_name\":null}", LM_OK,
     ""},
    {"config_sentence_transformers.json", "{\"prompts\":[]}", LM_BAD_MODEL, "prompts"},
    {"config_sentence_transformers.json", "{\"prompts\":{\"a\":1}}", LM_BAD_MODEL, "a"},
    {"config_sentence_transformers.json", "{\"prompts\":{\"a\":\"x\\u0000\"}}", LM_BAD_MODEL, "a"},
    {"config_sentence_transformers.json", "{\"prompts\":{\"a\\u0000\":\"x\"}}", LM_BAD_MODEL, "a"},
    {"config_sentence_transformers.json", "{\"default_prompt_name\":\"q\"}", LM_BAD_MODEL,
     "default_prompt_name"},
    {"config_sentence_transformers.json", "{\"default_prompt_name\":3}", LM_BAD_MODEL,
     "default_prompt_name"},
    {"model.safetensors", NULL, LM_NO_FILE, ""},
    {"model.safetensors", "", LM_BAD_MODEL, ""},
};

static void
test_settings(void)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const file files[] = {{"modules.json", OLD_MODULES},
                              {POOL, "{}"},
                              {settings[i].name, settings[i].text},
                              {NULL, NULL}};
        folder f;
        lm_status status = open_folder(&f, files);

        if (status != settings[i].status || strcmp(f.ctx.error.key, settings[i].key) != 0)
            UNIT_FAIL("%s %s: %d, %s [%s]", settings[i].name, settings[i].text, status,
                      f.ctx.error.message, f.ctx.error.key);
        if (status != LM_OK)
            CHECK_STR(f.ctx.error.file, settings[i].name);
        close_folder(&f);
    }
}

/* --- steps behind the pooling ----------------------------------------------------------------- */

#define DENSE_FILE "2_Dense/config.json"
#define DENSE_TENSORS "2_Dense/model.safetensors"
#define NORM_FILE "3_LayerNorm/config.json"
#define STEPS_MODULES           \
    "[" TRANSFORMER "," POOLING \
    "," MODULE(OLD "Dense", "2_Dense") "," MODULE(OLD "LayerNorm", "3_LayerNorm") "]"
#define WIDTHS "\"in_features\":8,\"out_features\":4"
#define ACTIVATION(path) "{" WIDTHS ",\"activation_function\":" path "}"

/* A folder with both steps; the last of two files of one name counts. */
#define STEP_FILES                                                                    \
    {"modules.json", STEPS_MODULES}, {POOL, "{}"}, {DENSE_TENSORS, tensor_file},      \
        {"3_LayerNorm/model.safetensors", tensor_file}, {DENSE_FILE, "{" WIDTHS "}"}, \
    {                                                                                 \
        NORM_FILE, "{\"dimension\":4}"                                                \
    }

/* What a step's config.json says, and the activation or the key that it is refused for. */
static const struct {
    const char *name, *text;
    lm_status status;
    const char *key;
    const char *act;
    bool noted;
} steps[] = {
    {DENSE_FILE, "{" WIDTHS "}", LM_OK, "", "Tanh", false},
    {DENSE_FILE, ACTIVATION("null"), LM_OK, "", "Tanh", false},
    {DENSE_FILE, ACTIVATION("\"torch.nn.modules.activation.GELU\""), LM_OK, "", "GELU", false},
    {DENSE_FILE, ACTIVATION("\"torch.ReLU\""), LM_OK, "", "ReLU", false},
    {DENSE_FILE, ACTIVATION("\"my.module.Swish\""), LM_OK, "", "Tanh", true},
    {DENSE_FILE, ACTIVATION("\"GELU\""), LM_OK, "", "Tanh", true},
    {DENSE_FILE, ACTIVATION("7"), LM_BAD_MODEL, "activation_function", NULL, false},
    {DENSE_FILE, "{}", LM_BAD_MODEL, "in_features", NULL, false},
    {DENSE_FILE, "{\"in_features\":1048577}", LM_BAD_MODEL, "in_features", NULL, false},
    {DENSE_FILE, "{\"in_features\":8}", LM_BAD_MODEL, "out_features", NULL, false},
    {DENSE_FILE, "{\"in_features\":8,\"out_features\":\"4\"}", LM_BAD_MODEL, "out_features", NULL,
     false},
    {DENSE_FILE, "{" WIDTHS ",\"bias\":1}", LM_BAD_MODEL, "bias", NULL, false},
    {DENSE_FILE, "{" WIDTHS ",\"use_residual\":[]}", LM_BAD_MODEL, "use_residual", NULL, false},
    {NORM_FILE, "{\"dimension\":1048576}", LM_OK, "", "Tanh", false},
    {NORM_FILE, "{\"dimension\":1048577}", LM_BAD_MODEL, "dimension", NULL, false},
    {NORM_FILE, "{\"dimension\":null}", LM_BAD_MODEL, "dimension", NULL, false},
};

static void
test_steps(void)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const file files[] = {STEP_FILES, {steps[i].name, steps[i].text}, {NULL, NULL}};
        lm_notes notes;
        folder f;

        lm_notes_init(&notes, false);
        CHECK_EQ_INT(open_with_notes(&f, files, &notes), steps[i].status);
        CHECK_STR(f.ctx.error.file, steps[i].status == LM_OK ? "" : steps[i].name);
        CHECK_STR(f.ctx.error.key, steps[i].key);
        CHECK_EQ_INT(notes.count, steps[i].noted);
        CHECK(!steps[i].noted || has_note(&notes, "is no class of torch"));
        if (steps[i].status == LM_OK) {
            CHECK_EQ_INT(f.checkpoint.sentence.step_count, 2);
            CHECK_STR(f.checkpoint.sentence.steps[0].act, steps[i].act);
        }
        close_folder(&f);
        CHECK_EQ_INT(open_folder(&f, files), steps[i].status);
        close_folder(&f);
    }
}

/* The weights of a step are one file: an index is refused, of one file as of two. */
static void
test_sharded_steps(void)
{
    static const char *const maps[] = {
        "{\"weight_map\":{\"t\":\"a.safetensors\"}}",
        "{\"weight_map\":{\"t\":\"a.safetensors\",\"u\":\"b.safetensors\"}}",
    };

    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        const file files[] = {STEP_FILES,
                              {DENSE_TENSORS, NULL},
                              {"2_Dense/a.safetensors", tensor_file},
                              {"2_Dense/b.safetensors", tensor_file},
                              {"2_Dense/model.safetensors.index.json", maps[i]},
                              {NULL, NULL}};
        fake_source fake = {0};
        lm_source source = fake_open(&fake);
        lm_context ctx;
        lm_arena arena;
        lm_file_list list;

        fill(&fake, files);
        lm_context_init(&ctx);
        lm_arena_init(&arena, &ctx);
        CHECK_EQ_INT(lm_checkpoint_list(&ctx, &arena, &source, &list), LM_UNSUPPORTED);
        CHECK_STR(ctx.error.file, "2_Dense/model.safetensors.index.json");
        CHECK_STR(ctx.error.allowed, "one file");
        lm_arena_free(&arena);
    }
}

/* A megabyte of prompts is read in linear time: quadratic time is ten seconds and more. */
static void
test_many_prompts(void)
{
    fake_source fake = {0};
    lm_source source;
    lm_context ctx;
    lm_arena arena;
    lm_buffer text;
    lm_checkpoint checkpoint;
    clock_t start;
    int count = 0;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    lm_buffer_init(&text, &ctx);
    lm_buffer_append_string(&text, "{\"prompts\":{");
    while (text.size < ((size_t)1 << 20) - 100) {
        lm_buffer_printf(&text, "%s\"%x\":\"%x\"", count ? "," : "", count, count);
        count++;
    }
    lm_buffer_append(&text, "}}", 3);
    fill(&fake, (const file[]){{"config_sentence_transformers.json", text.data}, {NULL, NULL}});
    source = fake_open(&fake);
    start = clock();
    CHECK_OK(&ctx, lm_checkpoint_open(&ctx, &arena, &source, NULL, &checkpoint));
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 2);
    CHECK_EQ_INT(checkpoint.sentence.prompt_count, count);
    CHECK_STR(checkpoint.sentence.prompts[255].text, "ff");
    lm_arena_free(&arena);
    lm_buffer_free(&text);
}

static const unit_case cases[] = {
    {"container_old_generation", test_old_generation},
    {"container_new_generation", test_new_generation},
    {"container_plain_folder", test_plain_folder},
    {"container_pooling", test_pooling},
    {"container_pipelines", test_pipelines},
    {"container_settings", test_settings},
    {"container_steps", test_steps},
    {"container_sharded_steps", test_sharded_steps},
    {"container_many_prompts", test_many_prompts},
};

UNIT_MAIN(cases)
