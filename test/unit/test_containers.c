/*
 * test_containers.c - model folders as the two generations of sentence-transformers write them,
 * heads, and folders that ask for what is not there or contradict themselves. Expected values are
 * what sentence-transformers 6.2 makes of the same files.
 */
#include "format/checkpoint.h"

#include <limits.h>
#include <time.h>

#include "base/buffer.h"
#include "fake.h"
#include "format/other_weights.h"
#include "unit.h"

#define CONFIG "{\"model_type\":\"bert\",\"hidden_size\":8}"
#define WEIGHTS "\x02\0\0\0\0\0\0\0{}"

/* A file of one tensor, "t", of one float. */
static const char tensor_file[] =
    "\x36\0\0\0\0\0\0\0{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
    "\0\0\0\0";

#define MODULE(type, path) \
    "{\"idx\":0,\"name\":\"" type "\",\"path\":\"" path "\",\"type\":\"" type "\"}"
#define OLD "sentence_transformers.models."
#define OLD_MODULES                                                                      \
    "[" MODULE(OLD "Transformer", "") "," MODULE(OLD "Pooling", "1_Pooling") "," MODULE( \
        OLD "Normalize", "2_Normalize") "]"
#define NEW_MODULES                                                                          \
    "[" MODULE("sentence_transformers.base.modules.transformer.Transformer", "") "," MODULE( \
        "sentence_transformers.sentence_transformer.modules.pooling.Pooling",                \
        "1_Pooling") "," MODULE("sentence_transformers.base.modules.normalize.Normalize",    \
                                "2_Normalize") "]"
#define NEW_NORMALIZE \
    "{\"module_input_name\":\"sentence_embedding\",\"module_output_name\":\"sentence_embedding\"}"

/* One file of a folder; an array of them ends with a name of NULL. */
typedef struct file {
    const char *name, *text;
} file;

/* Fill a source with the base files that every folder has, and these; text NULL takes one away. */
static void
fill(fake_source *fake, const file *files)
{
    fake_add(fake, "config.json", CONFIG);
    fake_add(fake, "tokenizer.json", "{\"version\":\"1.0\"}");
    fake_add_bytes(fake, "model.safetensors", WEIGHTS, sizeof WEIGHTS - 1);
    for (; files && files->name; files++) {
        fake_file *old = fake_find(fake, files->name);

        if (files->text == tensor_file)
            fake_add_bytes(fake, files->name, files->text, sizeof tensor_file - 1);
        else if (!old && files->text)
            fake_add(fake, files->name, files->text);
        else if (old && files->text)
            *old = (fake_file){files->name, files->text, strlen(files->text), 0};
        else if (old)
            old->name = "";
    }
}

static const file old_folder[] = {
    {"modules.json", OLD_MODULES},
    {"sentence_bert_config.json", "{\"max_seq_length\":256,\"do_lower_case\":true}"},
    {"1_Pooling/config.json",
     "{\"word_embedding_dimension\":8,\"pooling_mode_cls_token\":false,\"pooling_mode_mean_"
     "tokens\":"
     "true,\"pooling_mode_max_tokens\":false,\"pooling_mode_mean_sqrt_len_tokens\":false}"},
    {"config_sentence_transformers.json",
     "{\"__version__\":{\"sentence_transformers\":\"2.0.0\"}}"},
    {"tokenizer_config.json", "{\"model_max_length\":512}"},
    {NULL, NULL},
};

static const file new_folder[] = {
    {"modules.json", NEW_MODULES},
    {"sentence_bert_config.json",
     "{\"transformer_task\":\"feature-extraction\",\"modality_config\":{\"text\":{\"method\":"
     "\"forward\",\"method_output_name\":\"last_hidden_state\"}},\"module_output_name\":"
     "\"token_embeddings\"}"},
    {"1_Pooling/config.json",
     "{\"embedding_dimension\":8,\"pooling_mode\":\"cls\",\"include_prompt\":false}"},
    {"2_Normalize/config.json", NEW_NORMALIZE},
    {"config_sentence_transformers.json",
     "{\"default_prompt_name\":\"query\",\"prompts\":{\"document\":null,\"passage\":\"passage: \","
     "\"query\":\"query: \"},\"similarity_fn_name\":\"cosine\"}"},
    {"tokenizer_config.json", "{\"model_max_length\":32}"},
    {NULL, NULL},
};

/* A folder read by lm_checkpoint_open; released by close_folder. */
typedef struct folder {
    fake_source fake;
    lm_context ctx;
    lm_arena arena;
    lm_checkpoint checkpoint;
} folder;

static lm_status
open_with_notes(folder *f, const file *files, lm_notes *notes)
{
    lm_source source = fake_open(&f->fake);

    memset(&f->fake, 0, sizeof f->fake);
    fill(&f->fake, files);
    lm_context_init(&f->ctx);
    lm_arena_init(&f->arena, &f->ctx);
    return lm_checkpoint_open(&f->ctx, &f->arena, &source, notes, &f->checkpoint);
}

/* As a stored version is opened. */
static lm_status
open_folder(folder *f, const file *files)
{
    return open_with_notes(f, files, NULL);
}

static void
close_folder(folder *f)
{
    lm_arena_free(&f->arena);
}

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

static void check_list(fake_source *fake, const char *wanted);

/* --- variants of single files ----------------------------------------------------------------- */

#define POOL "1_Pooling/config.json"
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

#define TRANSFORMER MODULE(OLD "Transformer", "")
#define POOLING MODULE(OLD "Pooling", "1_Pooling")
#define NORMALIZE MODULE(OLD "Normalize", "2_Normalize")

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

/* --- a tokenizer's files of before tokenizer.json --------------------------------------------- */

static const file slow_folder[] = {
    {"tokenizer.json", NULL},    {"vocab.txt", "[PAD]\r\n\n\r\nthe\rcat\nlast"},
    {"vocab.json", "{\"a\":0}"}, {"merges.txt", "a b\n"},
    {"spiece.model", "x"},       {NULL, NULL},
};

/* Lines end in \n or \r\n; the last one may do without. */
static void
test_lines(void)
{
    static const char *const wanted[] = {"[PAD]", "", "", "the\rcat", "last"};
    fake_source fake = {0};
    const lm_json *line;
    size_t count = 0;
    folder f;

    CHECK_OK(&f.ctx, open_folder(&f, slow_folder));
    CHECK_EQ_INT(f.checkpoint.vocab_lines->as.items.count, 5);
    for (line = f.checkpoint.vocab_lines->as.items.first; line; line = line->next, count++)
        CHECK_STR(line->as.string.bytes, wanted[count]);
    CHECK_EQ_INT(count, 5);
    CHECK_EQ_INT(f.checkpoint.merges->as.items.count, 1);
    CHECK(f.checkpoint.vocab_json && f.checkpoint.spm[LM_SPM_SPIECE].size == 1);
    CHECK(!f.checkpoint.spm[LM_SPM_SPM].bytes);
    CHECK(!f.fake.went_back);
    close_folder(&f);
    fill(&fake, slow_folder);
    check_list(&fake, "config.json vocab.txt vocab.json merges.txt spiece.model model.safetensors");
}

static void
test_bad_lines(void)
{
    static const file files[] = {
        {"tokenizer.json", NULL}, {"vocab.txt", "[PAD]\n\xc3(\n"}, {NULL, NULL}};
    folder f;

    CHECK_EQ_INT(open_folder(&f, files), LM_BAD_MODEL);
    CHECK_STR(f.ctx.error.file, "vocab.txt");
    CHECK_EQ_INT(f.ctx.error.offset, 6);
    close_folder(&f);
}

static void
test_many_lines(void)
{
    char *text = malloc(LM_JSON_MAX_NODES + 2);
    const file files[] = {{"tokenizer.json", NULL}, {"vocab.txt", text}, {NULL, NULL}};
    folder f;

    memset(text, '\n', LM_JSON_MAX_NODES + 1);
    text[LM_JSON_MAX_NODES + 1] = '\0';
    CHECK_EQ_INT(open_folder(&f, files), LM_TOO_LARGE);
    CHECK_STR(f.ctx.error.file, "vocab.txt");
    close_folder(&f);
    free(text);
}

static void
test_window(void)
{
    static const struct {
        int max_seq_length;
        const char *tokenizer_config;
        int positions, window;
    } windows[] = {
        {256, "{\"model_max_length\":512}", 512, 256},
        {0, "{\"model_max_length\":512}", 514, 512},
        {0, "{\"model_max_length\":1000000000000000019884624838656}", 512, 512},
        {0, "{\"model_max_length\":1e30}", 0, INT_MAX},
        {0, "{\"model_max_length\":-5}", 512, 512},
        {0, "{\"model_max_length\":0.5}", 512, 512},
        {0, "{\"model_max_length\":\"512\"}", 128, 128},
        {0, "{\"model_max_length\":null}", 128, 128},
        {0, "{}", 128, 128},
        {0, "{\"max_len\":100}", 512, 100},
        {0, "{\"max_len\":100,\"model_max_length\":200}", 512, 200},
        {0, "{\"max_len\":100,\"model_max_length\":null}", 512, 512},
        {600, "{}", 512, 512},
        {600, "{\"model_max_length\":100}", 0, 600},
        {0, "{}", 0, 0},
    };

    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        const file files[] = {{"tokenizer_config.json", windows[i].tokenizer_config}, {NULL, NULL}};
        folder f;

        CHECK_OK(&f.ctx, open_folder(&f, files));
        f.checkpoint.sentence.max_seq_length = windows[i].max_seq_length;
        CHECK_EQ_INT(lm_checkpoint_window(&f.checkpoint, windows[i].positions), windows[i].window);
        close_folder(&f);
    }
}

/* The older names of the transformer module's settings. */
static void
test_older_names(void)
{
    static const char *const names[] = {
        "sentence_roberta_config.json",     "sentence_distilbert_config.json",
        "sentence_camembert_config.json",   "sentence_albert_config.json",
        "sentence_xlm-roberta_config.json", "sentence_xlnet_config.json",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const file files[] = {{names[i], "{\"max_seq_length\":99}"}, {NULL, NULL}};
        folder f;

        CHECK_OK(&f.ctx, open_folder(&f, files));
        CHECK_EQ_INT(f.checkpoint.sentence.max_seq_length, 99);
        close_folder(&f);
    }
}

/* --- what only an import checks ----------------------------------------------------------------
 */

/* Settings that would change the vector, or that nobody knows. */
static const struct {
    const char *name, *text;
    lm_status status; /* at import */
    const char *key, *found;
    const char *note; /* part of a note, NULL: none */
} imports[] = {
    {"config_sentence_transformers.json",
     "{\"__version__\":{\"sentence_transformers\":\"6.2.0\"},\"model_type\":"
     "\"SentenceTransformer\",\"similarity_fn_name\":\"cosine\",\"requirements\":null,"
     "\"truncate_dim\":4}",
     LM_OK, "", "", NULL},
    {"config_sentence_transformers.json", "{\"new\":1}", LM_OK, "", "", "unknown setting"},
    {"sentence_bert_config.json", "{\"tokenizer_args\":{},\"model_kwargs\":null}", LM_OK, "", "",
     NULL},
    {"sentence_bert_config.json", "{\"tokenizer_args\":{\"padding_side\":\"left\"}}",
     LM_UNSUPPORTED, "tokenizer_args", "{\"padding_side\":\"left\"}", NULL},
    {"sentence_bert_config.json", "{\"processor_kwargs\":{\"a\":1}}", LM_UNSUPPORTED,
     "processor_kwargs", "{\"a\":1}", NULL},
    {"sentence_bert_config.json", "{\"processing_kwargs\":{\"text\":{\"max_length\":8}}}",
     LM_UNSUPPORTED, "processing_kwargs", "{\"text\":{\"max_length\":8}}", NULL},
    {"sentence_bert_config.json", "{\"config_args\":{\"a\":1}}", LM_UNSUPPORTED, "config_args",
     "{\"a\":1}", NULL},
    {"sentence_bert_config.json", "{\"config_kwargs\":{\"num_hidden_layers\":1}}", LM_UNSUPPORTED,
     "config_kwargs", "{\"num_hidden_layers\":1}", NULL},
    {"sentence_bert_config.json", "{\"model_args\":{\"a\":1}}", LM_UNSUPPORTED, "model_args",
     "{\"a\":1}", NULL},
    {"sentence_bert_config.json", "{\"model_kwargs\":{\"dtype\":\"float16\"}}", LM_UNSUPPORTED,
     "model_kwargs", "{\"dtype\":\"float16\"}", NULL},
    {"sentence_bert_config.json", "{\"query_length\":32}", LM_UNSUPPORTED, "query_length", "32",
     NULL},
    {"sentence_bert_config.json",
     "{\"modality_config\":{\"text\":{\"method\":\"forward\",\"method_output_name\":"
     "\"pooler_output\"}}}",
     LM_UNSUPPORTED, "modality_config",
     "{\"text\":{\"method\":\"forward\",\"method_output_name\":\"pooler_output\"}}", NULL},
    {"sentence_bert_config.json", "{\"unpad_inputs\":true,\"later\":2}", LM_OK, "", "",
     "unknown setting"},
    {POOL, "{\"pooling_mode\":\"mean\",\"temperature\":2}", LM_OK, "", "", "unknown setting"},
    {"2_Normalize/config.json", "{\"p\":1}", LM_OK, "", "", "unknown setting"},
    {"adapter_config.json", "{}", LM_UNSUPPORTED, "", "", NULL},
    {"modules.json", "[" MODULE("custom_st.Transformer", "") "," POOLING "]", LM_UNSUPPORTED,
     "type", "\"custom_st.Transformer\"", NULL},
    {"modules.json", "[" MODULE("Transformer", "") "," POOLING "]", LM_UNSUPPORTED, "type",
     "\"Transformer\"", NULL},
    {"modules.json", "[" TRANSFORMER "," MODULE("sentence_transformers2.Pooling", "1_Pooling") "]",
     LM_UNSUPPORTED, "type", "\"sentence_transformers2.Pooling\"", NULL},
    {"modules.json",
     "[" TRANSFORMER ",{\"name\":\"" OLD "Transformer\",\"path\":\"1_Pooling\",\"type\":\"" OLD
     "Pooling\"}]",
     LM_BAD_MODEL, "name", "\"" OLD "Transformer\"", NULL},
    {"modules.json",
     "[" TRANSFORMER ",{\"name\":\"1\",\"idx\":1,\"kwargs\":[\"task\"],\"new\":0,\"path\":"
     "\"1_Pooling\",\"type\":\"" OLD "Pooling\"}]",
     LM_OK, "", "", "unknown setting"},
    /* Modules without names, and with what is none, have none that could be the same. */
    {"modules.json",
     "[{\"path\":\"\",\"type\":\"" OLD "Transformer\"},{\"path\":\"1_Pooling\",\"type\":\"" OLD
     "Pooling\"}]",
     LM_OK, "", "", NULL},
    {"modules.json",
     "[{\"name\":1,\"path\":\"\",\"type\":\"" OLD "Transformer\"},{\"name\":1,\"path\":"
     "\"1_Pooling\",\"type\":\"" OLD "Pooling\"}]",
     LM_OK, "", "", NULL},
    /* A kind of model that is no name is none. */
    {"config_sentence_transformers.json", "{\"model_type\":7}", LM_OK, "", "", NULL},
};

/* The same folder by import, by quantize (a note in place of a refusal), and loaded. */
static void
test_imports(void)
{
    for (size_t i = 0; i < sizeof imports / sizeof imports[0]; i++) {
        const file files[] = {{"modules.json", OLD_MODULES},
                              {POOL, "{}"},
                              {imports[i].name, imports[i].text},
                              {NULL, NULL}};
        lm_notes notes;
        folder f;

        lm_notes_init(&notes, false);
        CHECK_EQ_INT(open_with_notes(&f, files, &notes), imports[i].status);
        if (imports[i].status != LM_OK)
            CHECK_STR(f.ctx.error.file, imports[i].name);
        CHECK_STR(f.ctx.error.key, imports[i].key);
        CHECK_STR(f.ctx.error.found, imports[i].found);
        CHECK_EQ_INT(notes.count, imports[i].note != NULL);
        if (imports[i].note) {
            CHECK(has_note(&notes, imports[i].note));
            CHECK_STR(notes.items[0].file, imports[i].name);
        }
        close_folder(&f);
        lm_notes_init(&notes, true);
        CHECK_OK(&f.ctx, open_with_notes(&f, files, &notes));
        CHECK_EQ_INT(notes.count, imports[i].status != LM_OK || imports[i].note);
        close_folder(&f);
        CHECK_OK(&f.ctx, open_folder(&f, files));
        close_folder(&f);
    }
}

/* A model of another type is converted: neither its modules nor its prompts count. */
static void
test_converted(void)
{
    static const file files[] = {
        {"modules.json", "[" MODULE(OLD "Transformer", "0_T") "," MODULE("x.Head", "1_H") "]"},
        {"sentence_bert_config.json", "{\"transformer_task\":\"sequence-classification\"}"},
        {"config_sentence_transformers.json",
         "{\"model_type\":\"CrossEncoder\",\"prompts\":{\"q\":\"q\"},\"truncate_dim\":2}"},
        {NULL, NULL},
    };
    fake_source fake = {0};
    lm_notes notes;
    folder f;

    lm_notes_init(&notes, false);
    CHECK_OK(&f.ctx, open_with_notes(&f, files, &notes));
    CHECK_STR(f.checkpoint.sentence.model_type, "CrossEncoder");
    CHECK(!f.checkpoint.sentence.present && f.checkpoint.sentence.prompt_count == 0);
    CHECK(!f.checkpoint.sentence.truncate_dim);
    close_folder(&f);
    fill(&fake, files);
    check_list(&fake,
               "config_sentence_transformers.json config.json tokenizer.json model.safetensors");
}

/* Old models have the transformer in a folder of its own. */
static const file old_layout[] = {
    {"config.json", NULL},
    {"tokenizer.json", NULL},
    {"model.safetensors", NULL},
    {"modules.json", "[" MODULE(OLD "Transformer", "0_BERT/") "," POOLING "]"},
    {POOL, "{}"},
    {"0_BERT/config.json", CONFIG},
    {"0_BERT/tokenizer.json", "{}"},
    {"0_BERT/tokenizer_config.json", "{}"},
    {"0_BERT/sentence_bert_config.json", "{\"max_seq_length\":77}"},
    {"0_BERT/model.safetensors.index.json", "{\"weight_map\":{\"t\":\"b.safetensors\"}}"},
    {"0_BERT/b.safetensors", tensor_file},
    {"sentence_bert_config.json", "{\"max_seq_length\":78}"},
    {NULL, NULL},
};

static void
test_old_layout(void)
{
    fake_source fake = {0};
    folder f;

    CHECK_OK(&f.ctx, open_folder(&f, old_layout));
    CHECK_STR(f.checkpoint.folder, "0_BERT");
    CHECK_STR(f.checkpoint.config_file, "0_BERT/config.json");
    CHECK(f.checkpoint.tokenizer && f.checkpoint.tokenizer_config);
    CHECK_EQ_INT(f.checkpoint.sentence.max_seq_length, 77);
    CHECK_STR(f.checkpoint.tensors.items[0].file, "0_BERT/b.safetensors");
    CHECK(!f.fake.went_back);
    close_folder(&f);
    fill(&fake, old_layout);
    check_list(&fake, "modules.json 0_BERT/config.json 0_BERT/tokenizer.json "
                      "0_BERT/tokenizer_config.json 1_Pooling/config.json "
                      "0_BERT/sentence_bert_config.json 0_BERT/model.safetensors.index.json "
                      "0_BERT/b.safetensors");
}

#define POINTER                                                                       \
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0" \
    "ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 90868376\n"

/* Files of another kind under a name that is looked for. */
static void
test_other_kinds(void)
{
    static const struct {
        const char *name, *text, *found, *hint;
    } kinds[] = {
        {"model.safetensors", POINTER, "git-lfs", "git lfs pull"},
        {"tokenizer.json", POINTER, "git-lfs", "git lfs pull"},
        {"config.json", POINTER, "git-lfs", "git lfs pull"},
        {"modules.json", "<!DOCTYPE html>\n<html>", "HTML", "download"},
        {"model.safetensors", "<!doctype html><html><body>Sign in</body></html>", "HTML",
         "download"},
        {"model.safetensors", "PK\3\4\x14\x01\x08\x08 and more of a zip archive", "zip",
         "save_pretrained"},
        {"model.safetensors", "\x80\2\x8a\x0al\xfc\x9c\x46\xf9 j", "pickle", "save_pretrained"},
        {"model.safetensors", "GGUF\3\1\1\x10\xff\xff", "GGUF", "save_pretrained"},
        {"model.safetensors", "\x89HDF\r\n\x1a\n", "HDF5", "save_pretrained"},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const file files[] = {{kinds[i].name, kinds[i].text}, {NULL, NULL}};
        folder f;

        CHECK_EQ_INT(open_folder(&f, files),
                     strstr(kinds[i].name, ".json") ? LM_BAD_JSON : LM_BAD_MODEL);
        CHECK_STR(f.ctx.error.file, kinds[i].name);
        CHECK(strstr(f.ctx.error.found, kinds[i].found) != NULL);
        CHECK(strstr(f.ctx.error.hint, kinds[i].hint) != NULL);
        CHECK(!f.fake.went_back);
        close_folder(&f);
    }
}

/* What is there in place of the weights, and of the tokenizer. */
static void
test_other_files(void)
{
    static const struct {
        const char *name, *kind;
    } others[] = {{"model.gguf", "GGUF"}, {"onnx/model.onnx", "ONNX"}, {"tf_model.h5", "Keras"}};
    static const file slow[] = {{"tokenizer.json", NULL}, {"vocab.txt", "[PAD]\n"}, {NULL, NULL}};
    static const file bare[] = {{"config.json", NULL}, {NULL, NULL}};
    lm_source source;
    folder f;

    for (size_t i = 0; i < 2 * sizeof others / sizeof others[0]; i++) {
        const file files[] = {{"model.safetensors", NULL},
                              {others[i / 2].name, "x"},
                              {i & 1 ? "config.json" : "model.safetensors", NULL},
                              {NULL, NULL}};

        CHECK_EQ_INT(open_folder(&f, files), LM_UNSUPPORTED);
        CHECK_STR(f.ctx.error.file, others[i / 2].name);
        CHECK(strstr(f.ctx.error.message, others[i / 2].kind) != NULL);
        CHECK(f.ctx.error.hint[0] != '\0');
        close_folder(&f);
    }
    CHECK_EQ_INT(open_folder(&f, bare), LM_NO_FILE);
    CHECK_STR(f.ctx.error.file, "config.json");
    close_folder(&f);
    CHECK_OK(&f.ctx, open_folder(&f, slow));
    source = fake_open(&f.fake);
    CHECK_EQ_INT(lm_checkpoint_no_tokenizer(&f.ctx, &f.arena, &source, &f.checkpoint), LM_NO_FILE);
    CHECK_STR(f.ctx.error.file, "tokenizer.json");
    CHECK_STR(f.ctx.error.found, "vocab.txt");
    CHECK(strstr(f.ctx.error.hint, "save_pretrained") != NULL);
    fake_find(&f.fake, "vocab.txt")->name = "";
    CHECK_EQ_INT(lm_checkpoint_no_tokenizer(&f.ctx, &f.arena, &source, &f.checkpoint), LM_NO_FILE);
    CHECK_STR(f.ctx.error.found, "");
    close_folder(&f);
}

/* A file that is named in place of a folder, by the end of its name. */
static void
test_other_paths(void)
{
    static const struct {
        const char *path;
        lm_status wanted;
    } paths[] = {{"m", LM_OK},
                 {"a-folder-of-a-model", LM_OK},
                 {".onnx", LM_OK},
                 {"m.onnx", LM_UNSUPPORTED},
                 {"m.gguf", LM_UNSUPPORTED},
                 {"m.tflite", LM_UNSUPPORTED}};

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        lm_context ctx;

        lm_context_init(&ctx);
        CHECK_EQ_INT(lm_other_weights_check_path(&ctx, paths[i].path), paths[i].wanted);
    }
}

/* --- lists and heads -------------------------------------------------------------------------- */

/* Compare a list with names joined by spaces. */
static void
check_list(fake_source *fake, const char *wanted)
{
    lm_source source = fake_open(fake);
    lm_context ctx;
    lm_arena arena;
    lm_file_list list = {0};
    lm_buffer names;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    lm_buffer_init(&names, &ctx);
    CHECK_OK(&ctx, lm_checkpoint_list(&ctx, &arena, &source, &list));
    for (size_t i = 0; i < list.count; i++)
        lm_buffer_printf(&names, "%s%s", i ? " " : "", list.names[i]);
    lm_buffer_append_byte(&names, '\0');
    CHECK_STR(names.data, wanted);
    lm_buffer_free(&names);
    lm_arena_free(&arena);
}

static void
test_list(void)
{
    static const file shards[] = {
        {"model.safetensors", NULL},
        {"b.safetensors", "x"},
        {"a.safetensors", "x"},
        {"model.safetensors.index.json",
         "{\"weight_map\":{\"t\":\"b.safetensors\",\"u\":\"a.safetensors\"}}"},
        {"README.md", "x"},
        {NULL, NULL},
    };
    fake_source old = {0}, new = {0}, plain = {0}, sharded = {0};

    fill(&old, old_folder);
    check_list(&old, "config_sentence_transformers.json modules.json config.json tokenizer.json "
                     "tokenizer_config.json 1_Pooling/config.json sentence_bert_config.json "
                     "model.safetensors");
    fill(&new, new_folder);
    check_list(&new, "config_sentence_transformers.json modules.json config.json tokenizer.json "
                     "tokenizer_config.json 1_Pooling/config.json 2_Normalize/config.json "
                     "sentence_bert_config.json model.safetensors");
    fill(&plain, NULL);
    check_list(&plain, "config.json tokenizer.json model.safetensors");
    fill(&sharded, shards);
    check_list(&sharded, "config.json tokenizer.json model.safetensors.index.json a.safetensors "
                         "b.safetensors");
}

/* The name of what an int8 version has beside its weights is no shard's. */
static void
test_quantized_shard(void)
{
    static const file shards[] = {
        {"model.safetensors", NULL},
        {LM_QUANTIZED_FILE, "x"},
        {"model.safetensors.index.json", "{\"weight_map\":{\"t\":\"" LM_QUANTIZED_FILE "\"}}"},
        {NULL, NULL},
    };
    fake_source fake = {0};
    lm_source source = fake_open(&fake);
    lm_context ctx;
    lm_arena arena;
    lm_file_list list = {0};

    fill(&fake, shards);
    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_EQ_INT(lm_checkpoint_list(&ctx, &arena, &source, &list), LM_DENIED);
    CHECK_STR(ctx.error.file, LM_QUANTIZED_FILE);
    lm_arena_free(&arena);
}

static void
test_list_missing(void)
{
    static const char *const missing[] = {"config.json", POOL, "model.safetensors"};

    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        const file files[] = {{missing[i], NULL}, {NULL, NULL}};
        fake_source fake = {0};
        lm_source source = fake_open(&fake);
        lm_context ctx;
        lm_arena arena;
        lm_file_list list;

        fill(&fake, old_folder);
        fake_find(&fake, files[0].name)->name = "";
        lm_context_init(&ctx);
        lm_arena_init(&arena, &ctx);
        CHECK_EQ_INT(lm_checkpoint_list(&ctx, &arena, &source, &list), LM_NO_FILE);
        CHECK_STR(ctx.error.file, missing[i]);
        lm_arena_free(&arena);
    }
}

static void
test_missing_shard(void)
{
    static const file files[] = {
        {"model.safetensors", NULL},
        {"model.safetensors.index.json", "{\"weight_map\":{\"t\":\"b.safetensors\"}}"},
        {NULL, NULL},
    };
    fake_source fake = {0};
    lm_source source = fake_open(&fake);
    lm_context ctx;
    lm_arena arena;
    lm_file_list list;

    fill(&fake, files);
    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_EQ_INT(lm_checkpoint_list(&ctx, &arena, &source, &list), LM_NO_FILE);
    CHECK_STR(ctx.error.file, "b.safetensors");
    lm_arena_free(&arena);
}

static void
test_head(void)
{
    fake_source fake = {0};
    lm_source source = fake_open(&fake);
    lm_context ctx;
    lm_arena arena;
    lm_checkpoint checkpoint;
    lm_file_list list;

    fake_add(&fake, "head.json", "{\"labels\":[\"a\",\"b\"]}");
    fake_add_bytes(&fake, "head.safetensors", WEIGHTS, sizeof WEIGHTS - 1);
    check_list(&fake, "head.json head.safetensors");
    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_checkpoint_open(&ctx, &arena, &source, NULL, &checkpoint));
    CHECK(!checkpoint.config && !checkpoint.tokenizer && !checkpoint.sentence.present);
    CHECK_EQ_INT(lm_json_get(checkpoint.settings, "labels")->as.items.count, 2);
    CHECK_STR(checkpoint.tensors.files[0], "head.safetensors");
    CHECK_EQ_INT(lm_checkpoint_window(&checkpoint, 512), 512);
    /* Without its weights a head is incomplete; with a config.json the folder is no head. */
    fake.files[1].name = "";
    CHECK_EQ_INT(lm_checkpoint_list(&ctx, &arena, &source, &list), LM_NO_FILE);
    CHECK_STR(ctx.error.file, "head.safetensors");
    CHECK_EQ_INT(lm_checkpoint_open(&ctx, &arena, &source, NULL, &checkpoint), LM_NO_FILE);
    fake_add(&fake, "config.json", CONFIG);
    fake_add_bytes(&fake, "model.safetensors", WEIGHTS, sizeof WEIGHTS - 1);
    check_list(&fake, "config.json model.safetensors");
    lm_arena_free(&arena);
}

/* --- faults ----------------------------------------------------------------------------------- */

/* A folder and what reads it while something fails. */
typedef struct walk {
    const file *files;
    lm_status (*run)(lm_context *ctx, lm_arena *arena, const lm_source *source);
    lm_status wanted; /* without a fault */
} walk;

static lm_status
walk_open(lm_context *ctx, lm_arena *arena, const lm_source *source)
{
    lm_checkpoint checkpoint;
    lm_notes notes;

    lm_notes_init(&notes, false);
    return lm_checkpoint_open(ctx, arena, source, &notes, &checkpoint);
}

static lm_status
walk_list(lm_context *ctx, lm_arena *arena, const lm_source *source)
{
    lm_file_list names;

    return lm_checkpoint_list(ctx, arena, source, &names);
}

/* What is said of a folder without tokenizer.json. */
static lm_status
walk_no_tokenizer(lm_context *ctx, lm_arena *arena, const lm_source *source)
{
    const lm_checkpoint checkpoint = {.folder = "0_BERT"};

    return lm_checkpoint_no_tokenizer(ctx, arena, source, &checkpoint);
}

static const file pickled_folder[] = {
    {"config.json", NULL},
    {"model.safetensors", NULL},
    {"modules.json", "[" MODULE(OLD "Transformer", "0_BERT/") "," POOLING "]"},
    {POOL, "{}"},
    {"0_BERT/config.json", CONFIG},
    {"0_BERT/flax_model.msgpack", "x"},
    {NULL, NULL},
};

static const file zipped_folder[] = {
    {"model.safetensors", "PK\3\4\x14\x01\x08\x08 and more of a zip archive"},
    {NULL, NULL},
};

static const file single_file[] = {
    {"config.json", NULL},
    {"model.safetensors", NULL},
    {"tokenizer.json", NULL},
    {"model.gguf", "GGUF"},
    {NULL, NULL},
};

static const walk walks[] = {
    {new_folder, walk_open, LM_OK},
    {new_folder, walk_list, LM_OK},
    {old_layout, walk_open, LM_OK},
    {old_layout, walk_list, LM_OK},
    {old_layout, walk_no_tokenizer, LM_NO_FILE},
    {pickled_folder, walk_open, LM_UNSUPPORTED},
    {single_file, walk_open, LM_UNSUPPORTED},
    {zipped_folder, walk_open, LM_BAD_MODEL},
    {slow_folder, walk_open, LM_OK},
    {slow_folder, walk_list, LM_OK},
};

#define WALKS (sizeof walks / sizeof walks[0])

/* A run over a folder with the given faults; whether the fault was reached. */
static bool
run_once(const walk *walk, fake_source fake, fake_memory memory, size_t room)
{
    lm_source source = fake_open(&fake);
    lm_context ctx;
    lm_arena arena;
    lm_status status;
    int memory_at = memory.fail_at;
    bool reached;

    fill(&fake, walk->files);
    memory.fail_at = 0;
    fake_context(&ctx, &memory);
    lm_arena_init(&arena, &ctx);
    CHECK(fake_fill_arena(&arena, room));
    memory.calls = 0;
    memory.fail_at = memory_at;
    status = walk->run(&ctx, &arena, &source);
    reached = memory_at > 0 ? memory.calls >= memory_at : fake.calls >= fake.fail_at;
    CHECK_EQ_INT(status, !reached ? walk->wanted : memory_at > 0 ? LM_NO_MEMORY : LM_IO_ERROR);
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory.live, 0);
    return reached;
}

/* Every call of the source fails in turn, and every allocation, whatever room the arena has left.
 */
static void
test_faults(void)
{
    for (size_t i = 0; i < 2 * WALKS; i++) {
        const walk *walk = &walks[i / 2];
        bool forever = i & 1;
        int n = 1;

        while (
            run_once(walk, (fake_source){.fail_at = n, .fail_on = forever}, (fake_memory){0}, 64))
            n++;
        CHECK(n > 5);
        for (size_t room = 0; room < 7168; room += 16)
            for (n = 1; run_once(walk, (fake_source){0},
                                 (fake_memory){.fail_at = n, .fail_on = forever}, room);)
                n++;
    }
}

/* Every poll cancels in turn. */
static void
test_cancel(void)
{
    for (size_t i = 0; i < WALKS; i++) {
        lm_status status = LM_CANCELLED;

        for (int n = 1; status == LM_CANCELLED; n++) {
            fake_source fake = {0};
            fake_memory memory = {.stop_at = n};
            lm_source source = fake_open(&fake);
            lm_context ctx;
            lm_arena arena;

            fill(&fake, walks[i].files);
            fake_context(&ctx, &memory);
            lm_arena_init(&arena, &ctx);
            status = walks[i].run(&ctx, &arena, &source);
            CHECK_EQ_INT(status, memory.polls < n ? walks[i].wanted : LM_CANCELLED);
            lm_arena_free(&arena);
            CHECK_EQ_INT(memory.live, 0);
        }
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
    {"container_lines", test_lines},
    {"container_bad_lines", test_bad_lines},
    {"container_many_lines", test_many_lines},
    {"container_window", test_window},
    {"container_many_prompts", test_many_prompts},
    {"container_older_names", test_older_names},
    {"container_imports", test_imports},
    {"container_converted", test_converted},
    {"container_old_layout", test_old_layout},
    {"container_other_kinds", test_other_kinds},
    {"container_other_files", test_other_files},
    {"container_other_paths", test_other_paths},
    {"container_list", test_list},
    {"quantized_shard", test_quantized_shard},
    {"container_list_missing", test_list_missing},
    {"container_missing_shard", test_missing_shard},
    {"container_head", test_head},
    {"container_faults", test_faults},
    {"container_cancel", test_cancel},
};

UNIT_MAIN(cases)
