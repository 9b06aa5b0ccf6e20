/*
 * test_late_folders.c - the files of folders for late interaction, by sentence-transformers and by
 * pylate: what is read of them, what is refused, and a failure of every allocation meanwhile.
 */
#include "fake.h"
#include "format/checkpoint.h"
#include "unit.h"

#define MODULE(type, path) "{\"name\":\"" path "\",\"path\":\"" path "\",\"type\":\"" type "\"}"
#define BASE "sentence_transformers.base.modules."
#define LATE "sentence_transformers.multi_vector_encoder.modules."
#define TRANSFORMER MODULE(BASE "transformer.Transformer", "")
#define MASK(path) MODULE(LATE "multi_vector_mask.MultiVectorMask", path)
#define NORMALIZE MODULE(BASE "normalize.Normalize", "2_N")
#define MODULES "[" TRANSFORMER "," MASK("1_M") "," NORMALIZE "]"
#define ENCODER "{\"model_type\":\"MultiVectorEncoder\"}"
#define EXPANSION(more) "{\"query_expansion\":{\"strategy\":\"fixed\"" more "}}"
#define TOKENS "{\"module_input_name\":\"token_embeddings\"}"
#define PYLATE(more) "{\"model_type\":\"ColBERT\"" more "}"

/* What stands in a folder; NULL: the file is not there. */
typedef struct late_folder {
    const char *sentence, *modules, *transformer, *mask, *normalize;
    const char *key; /* of the refusal; NULL: none */
    int window;      /* of 512 positions, where it is taken */
} late_folder;

static void
fill(fake_source *fake, const late_folder *folder)
{
    static const char weights[] = "\x02\0\0\0\0\0\0\0{}";
    const char *const names[] = {"config_sentence_transformers.json", "modules.json",
                                 "sentence_bert_config.json", "1_M/config.json", "2_N/config.json"};
    const char *const texts[] = {folder->sentence, folder->modules, folder->transformer,
                                 folder->mask, folder->normalize};

    fake_add(fake, "config.json", "{\"model_type\":\"bert\",\"hidden_size\":8}");
    fake_add(fake, "tokenizer.json", "{\"version\":\"1.0\"}");
    fake_add_bytes(fake, "model.safetensors", weights, sizeof weights - 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (texts[i])
            fake_add(fake, names[i], texts[i]);
}

/* A folder is opened with room in the arena's first block, and with the memory's faults. */
static lm_status
open_once(const late_folder *folder, lm_notes *notes, size_t room, fake_memory *memory,
          lm_error *error, int *window)
{
    const int fail_at = memory->fail_at;
    fake_source fake = {0};
    lm_source source = fake_open(&fake);
    lm_checkpoint checkpoint;
    lm_context ctx;
    lm_arena arena;
    lm_status status;

    fill(&fake, folder);
    memory->fail_at = 0;
    fake_context(&ctx, memory);
    lm_arena_init(&arena, &ctx);
    CHECK(fake_fill_arena(&arena, room));
    memory->calls = 0;
    memory->fail_at = fail_at;
    status = lm_checkpoint_open(&ctx, &arena, &source, notes, &checkpoint);
    *error = ctx.error;
    if (status == LM_OK)
        *window = lm_checkpoint_window(&checkpoint, 512);
    lm_arena_free(&arena);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

static const late_folder folders[] = {
    /* Whose file it is. */
    {"{\"model_type\":\"SentenceTransformer\",\"query_prefix\":\"q\"}", "[" TRANSFORMER "]",
     "{\"max_seq_length\":20}", NULL, NULL, NULL, 32},
    {"{\"model_type\":null,\"document_prefix\":\"d\"}", "[" TRANSFORMER "]",
     "{\"max_seq_length\":40}", NULL, NULL, NULL, 40},
    /* pylate. */
    {PYLATE(), "[" TRANSFORMER "]", NULL, NULL, NULL, NULL, 512},
    {PYLATE(",\"query_length\":9,\"document_length\":11"), "[" TRANSFORMER "]", NULL, NULL, NULL,
     NULL, 11},
    {PYLATE(",\"query_length\":9"), "[" TRANSFORMER "]", NULL, NULL, NULL, NULL, 512},
    {PYLATE(",\"query_prefix\":\"q \",\"prompts\":{\"query\":\"q and\",\"document\":\"d\"}"),
     "[" TRANSFORMER "]", NULL, NULL, NULL, NULL, 512},
    {PYLATE(",\"query_prefix\":3"), "[" TRANSFORMER "]", NULL, NULL, NULL, "query_prefix", 0},
    {PYLATE(",\"query_length\":0"), "[" TRANSFORMER "]", NULL, NULL, NULL, "query_length", 0},
    {PYLATE(",\"document_length\":\"a\""), "[" TRANSFORMER "]", NULL, NULL, NULL, "document_length",
     0},
    {PYLATE(",\"attend_to_mask_tokens\":3"), "[" TRANSFORMER "]", NULL, NULL, NULL,
     "attend_to_mask_tokens", 0},
    {PYLATE(",\"attend_to_expansion_tokens\":3"), "[" TRANSFORMER "]", NULL, NULL, NULL,
     "attend_to_expansion_tokens", 0},
    {PYLATE(",\"do_query_expansion\":3"), "[" TRANSFORMER "]", NULL, NULL, NULL,
     "do_query_expansion", 0},
    {PYLATE(",\"skiplist_words\":[\"a\\u0000b\"]"), "[" TRANSFORMER "]", NULL, NULL, NULL,
     "skiplist_words", 0},
    {PYLATE(",\"skiplist_words\":[\"a\",\"b\"]"), "[" TRANSFORMER "]", NULL, NULL, NULL, NULL, 512},
    /* sentence-transformers. */
    {ENCODER, MODULES, EXPANSION(",\"length\":5"), "{}", TOKENS, NULL, 512},
    {ENCODER, MODULES,
     "{\"query_length\":7,\"document_length\":6,"
     "\"query_expansion\":{\"strategy\":\"fixed\",\"length\":5}}",
     "{\"skiplist_words\":[\"a\"],\"skiplist_tasks\":\"query\"}", TOKENS, NULL, 6},
    {ENCODER, MODULES, "{\"query_length\":\"7\"}", "{}", TOKENS, "query_length", 0},
    {ENCODER, MODULES, "{\"document_length\":[]}", "{}", TOKENS, "document_length", 0},
    {ENCODER, MODULES, "{\"query_expansion\":7}", "{}", TOKENS, "query_expansion", 0},
    {ENCODER, MODULES, "{\"transformer_task\":7}", "{}", TOKENS, "transformer_task", 0},
    {ENCODER, MODULES, "{\"query_expansion\":{\"strategy\":7}}", "{}", TOKENS, "strategy", 0},
    {ENCODER, MODULES, EXPANSION(",\"token\":7"), "{}", TOKENS, "token", 0},
    {ENCODER, MODULES, EXPANSION(",\"odd\":7,\"length\":5"), "{}", TOKENS, NULL, 512},
    {ENCODER, MODULES, EXPANSION(""), "{}", TOKENS, "length", 0},
    {ENCODER, MODULES, EXPANSION(",\"length\":\"5\""), "{}", TOKENS, "length", 0},
    {ENCODER, MODULES, "{}", "{\"skiplist_tasks\":\"both\"}", TOKENS, "skiplist_tasks", 0},
    {ENCODER, MODULES, "{}", "{}", "{\"module_input_name\":\"other\"}", "module_input_name", 0},
    {ENCODER, MODULES, "{}", "{}",
     "{\"module_input_name\":\"token_embeddings\",\"module_output_name\":\"other\"}",
     "module_output_name", 0},
    {ENCODER, "[" TRANSFORMER "," NORMALIZE "]", EXPANSION(",\"length\":5"), NULL, TOKENS, "type",
     0},
    {ENCODER, "[" TRANSFORMER "," MASK("1_M") "," MASK("2_N") "]", "{}", "{}", "{}",
     "skiplist_words", 0},
    {ENCODER, "[" NORMALIZE "]", "{}", NULL, TOKENS, "type", 0},
    /* Other pipelines, where the file of the transformer is silent or missing. */
    {NULL,
     "[" MODULE("sentence_transformers.sparse_encoder.models.MLMTransformer",
                "") "," MODULE("sentence_transformers.models.Pooling", "1_M") "]",
     NULL, "{}", NULL, "type", 0},
    {"{\"model_type\":\"SparseEncoder\"}",
     "[" MODULE("sentence_transformers.sparse_encoder.models.MLMTransformer", "") "," MODULE(
         "sentence_transformers.sparse_encoder.models.SpladePooling", "1_M") "]",
     NULL, "{\"pooling_strategy\":3}", NULL, "pooling_strategy", 0},
    {"{\"model_type\":\"CrossEncoder\",\"default_prompt_name\":3}", NULL, NULL, NULL, NULL,
     "default_prompt_name", 0},
    {"{\"model_type\":\"Other\",\"default_prompt_name\":3}", NULL, NULL, NULL, NULL, NULL, 512},
};

#define FOLDERS (sizeof folders / sizeof folders[0])

static void
test_folders(void)
{
    for (size_t i = 0; i < FOLDERS; i++) {
        const char *key = folders[i].key;
        fake_memory memory = {0};
        lm_error error;
        lm_notes notes;
        lm_status status;
        int window = 0;

        lm_notes_init(&notes, false);
        status = open_once(&folders[i], &notes, 64, &memory, &error, &window);
        if ((status == LM_OK) != !key || (key && strcmp(error.key, key) != 0) ||
            window != folders[i].window)
            UNIT_FAIL("folder %d: %s, key %s, window %d", (int)i, error.message, error.key, window);
    }
}

/* A stored version is read without notes: keys that an import refuses say nothing. */
static void
test_stored(void)
{
    static const late_folder stored = {
        PYLATE(",\"query_length\":9,\"document_length\":11,\"query_expansion\":null"),
        "[" TRANSFORMER "]",
        NULL,
        NULL,
        NULL,
        NULL,
        11};
    fake_memory memory = {0};
    lm_error error;
    int window = 0;

    CHECK_EQ_INT(open_once(&stored, NULL, 64, &memory, &error, &window), LM_OK);
    CHECK_EQ_INT(window, stored.window);
}

/* Every poll cancels in turn. */
static void
test_cancel(void)
{
    lm_status status = LM_CANCELLED;
    int n = 0, window = 0;

    while (status == LM_CANCELLED && n < 1000) {
        fake_memory memory = {.stop_at = ++n};
        lm_error error;
        lm_notes notes;

        lm_notes_init(&notes, false);
        status = open_once(&folders[15], &notes, 64, &memory, &error, &window);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK_EQ_INT(window, folders[15].window);
    CHECK(n > 10);
}

/* More words than a skip list may have. */
static void
test_long_list(void)
{
    static char text[4 * 4097 + 64] = "{\"model_type\":\"ColBERT\",\"skiplist_words\":[\"a\"";
    const late_folder folder = {text, "[" TRANSFORMER "]", NULL, NULL, NULL, NULL, 0};
    size_t end = strlen(text);
    fake_memory memory = {0};
    lm_error error;
    int window = 0;

    for (int i = 0; i < 4096; i++, end += 4)
        memcpy(text + end, ",\"a\"", 4);
    memcpy(text + end, "]}", 3);
    CHECK_EQ_INT(open_once(&folder, NULL, 64, &memory, &error, &window), LM_UNSUPPORTED);
    CHECK_STR(error.key, "skiplist_words");
}

/* Every allocation fails in turn, whatever room the arena has left. */
static void
test_memory(void)
{
    static const size_t some[] = {5, 13, 15};

    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        for (size_t room = 0; room < 7168; room += 16) {
            fake_memory memory = {0};
            lm_status status = LM_NO_MEMORY;
            lm_error error;
            int n = 0, window = 0;

            while (status == LM_NO_MEMORY && n < 100) {
                memory.fail_at = ++n;
                status = open_once(&folders[some[i]], NULL, room, &memory, &error, &window);
            }
            CHECK_EQ_INT(status, LM_OK);
            CHECK_EQ_INT(window, folders[some[i]].window);
        }
}

static const unit_case cases[] = {
    {"folders", test_folders},     {"stored", test_stored}, {"cancel", test_cancel},
    {"long list", test_long_list}, {"memory", test_memory},
};

UNIT_MAIN(cases)
