/*
 * test_container_files.c - files that model folders have besides: those of older tokenizers, older
 * names of settings, what only an import checks, files of another kind. Expected values are what
 * sentence-transformers 6.2 makes of the same files.
 */
#include <limits.h>

#include "model_folder.h"
#include "format/other_weights.h"

/* --- a tokenizer's files of before tokenizer.json --------------------------------------------- */

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

static const unit_case cases[] = {
    {"container_lines", test_lines},
    {"container_bad_lines", test_bad_lines},
    {"container_many_lines", test_many_lines},
    {"container_window", test_window},
    {"container_older_names", test_older_names},
    {"container_imports", test_imports},
    {"container_converted", test_converted},
    {"container_old_layout", test_old_layout},
    {"container_other_kinds", test_other_kinds},
    {"container_other_files", test_other_files},
    {"container_other_paths", test_other_paths},
};

UNIT_MAIN(cases)
