/*
 * test_container_lists.c - the list of files that a model is made of, heads, and what happens when
 * memory, a file or the caller's patience ends while a folder is read.
 */
#include "model_folder.h"
#include "format/other_weights.h"

/* --- lists and heads -------------------------------------------------------------------------- */

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

static const unit_case cases[] = {
    {"container_list", test_list},
    {"quantized_shard", test_quantized_shard},
    {"container_list_missing", test_list_missing},
    {"container_missing_shard", test_missing_shard},
    {"container_head", test_head},
    {"container_faults", test_faults},
    {"container_cancel", test_cancel},
};

UNIT_MAIN(cases)
