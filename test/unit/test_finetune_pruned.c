/*
 * test_finetune_pruned.c - weights that are taken away: which ones, and that they stay away in
 * training and in files.
 */
#include "finetune_case.h"
#include "train/tuned_prune.h"

/* Numbers of the layers' matrices that are 0. */
static size_t
zeros_of(const trained *t)
{
    const lm_plain *plain = &t->tuned->plain;
    const lm_block *block = &plain->encoder.stack.blocks[0];
    const int targets[] = {block->qkv, block->output, block->up, block->down};
    size_t zeros = 0;

    for (size_t first = plain->layers; first < plain->head_first; first += plain->stride)
        for (int i = 0; i < 4; i++) {
            const size_t entry = first + (size_t)targets[i];
            const lm_weight_target *target = &plain->targets[entry];
            const float *values = t->tuned->values + plain->offsets[entry];

            for (size_t j = 0; j < target->rows * target->width; j++)
                zeros += values[j] == 0;
        }
    return zeros;
}

/* As torch.nn.utils.prune.l1_unstructured: no number that stays is smaller than one that goes. */
static void
check_smallest(const trained *t, const float *before, double share)
{
    const lm_plain *plain = &t->tuned->plain;
    const size_t entry = plain->layers + (size_t)plain->encoder.stack.blocks[0].down;
    const lm_weight_target *target = &plain->targets[entry];
    const float *now = t->tuned->values + plain->offsets[entry];
    const float *was = before + plain->offsets[entry];
    const size_t count = target->rows * target->width;
    float gone = 0, left = 1e30f;
    size_t zeros = 0;

    for (size_t i = 0; i < count; i++) {
        const float size = fabsf(was[i]);

        if (now[i] == 0) {
            zeros++;
            gone = size > gone ? size : gone;
        } else {
            CHECK(now[i] == was[i]);
            left = size < left ? size : left;
        }
    }
    CHECK_EQ_INT(zeros, (size_t)nearbyint(share * (double)count));
    CHECK(gone <= left);
}

/* What the files say, behind a training, against what the training says. */
static void
check_pruned_files(trained *t, const lm_json *each)
{
    const lm_json *text = lm_json_get(each, "texts")->as.items.first;
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    lm_train_outcome outcome = {.file_count = 0};
    fake_source files = {.count = 0};
    const lm_source source = fake_open(&files);
    float own[MOST_TEXTS][8], scores[8];
    const size_t inner = t->tuned->inner_left;
    lm_session *session;
    loaded_model loaded;

    for (size_t row = 0; row < t->network.rows; row++)
        own_scores(t, row, own[row]);
    CHECK_OK(t->ctx, lm_tuned_write(t->tuned, &outcome));
    for (int i = 0; i < outcome.file_count; i++)
        fake_add_bytes(&files, outcome.files[i].name, outcome.files[i].bytes.data,
                       outcome.files[i].bytes.size);
    CHECK_OK(t->ctx, loaded_open(t->ctx, &source, lm_kernels_active(), &loaded));
    CHECK_OK(t->ctx, lm_session_create(t->ctx, &session));
    for (size_t row = 0; text; text = text->next, row++) {
        const lm_text body = {text->as.string.bytes, text->as.string.length};

        CHECK_OK(t->ctx,
                 lm_classify(t->ctx, session, &loaded.model, &body, 1, &options, scores, NULL));
        for (size_t i = 0; i < t->name_count; i++)
            CHECK_NEAR((double)scores[i], (double)own[row][i], 1e-5);
    }
    CHECK(inner > 0 && inner < t->tuned->plain.encoder.stack.blocks[0].inner);
    lm_session_free(session);
    loaded_close(t->ctx, &loaded);
    free_files(&outcome);
}

static void
prune_case(lm_context *ctx, const lm_json *each, lm_pruning pruning)
{
    lm_tuned_settings settings = plain_settings();
    curve c = {.count = 0};
    float *before;
    size_t zeros;
    trained t;

    settings.pruning = pruning;
    CHECK_OK(ctx, start_case(&t, ctx, each, &settings));
    before = malloc(t.tuned->plain.numbers * sizeof *before);
    memcpy(before, t.tuned->values, t.tuned->plain.numbers * sizeof *before);
    CHECK_OK(ctx, lm_tuned_prune(t.tuned));
    zeros = zeros_of(&t);
    CHECK_EQ_INT(zeros, t.tuned->zeros);
    if (pruning.neurons == 0)
        check_smallest(&t, before, pruning.share);
    CHECK_OK(ctx, run_steps(&t, &c));
    CHECK_EQ_INT(zeros_of(&t), zeros);
    if (pruning.neurons > 0)
        check_pruned_files(&t, each);
    free(before);
    close_trained(&t);
}

/* What is 0 stays so through AdamW with decay; neurons go out of files whose scores stay. */
static void
test_pruned(void)
{
    static const char *const folders[] = {"bert-sequence", "distilbert-sequence",
                                          "modernbert-sequence"};
    lm_context ctx;
    recorded r;

    lm_context_init(&ctx);
    open_recorded(&r, &ctx);
    for (const lm_json *each = lm_json_get(r.root, "cases")->as.items.first; each;
         each = each->next)
        for (int i = 0; i < 3; i++)
            if (lm_json_is_string(lm_json_get(each, "folder"), folders[i])) {
                prune_case(&ctx, each, (lm_pruning){.share = 0.6});
                prune_case(&ctx, each, (lm_pruning){.share = 0.375}); /* of 252: 94.5 */
                prune_case(&ctx, each, (lm_pruning){.heads = 0.5, .neurons = 0.4});
                prune_case(&ctx, each, (lm_pruning){.share = 0.7, .heads = 0.5, .neurons = 0.4});
            }
    lm_arena_free(&r.file.arena);
}

/* Layers of other forms, which no family has that can be trained today. */
static void
test_other_layers(void)
{
    static const lm_pruning pruning[] = {{.share = 0.5}, {.heads = 0.5}, {.neurons = 0.5}};
    static const char *const keys[] = {"method", "heads", "neurons"};
    lm_tuned_settings settings = plain_settings();
    lm_context ctx;
    recorded r;

    lm_context_init(&ctx);
    open_recorded(&r, &ctx);
    for (int i = 0; i < 3; i++) {
        static const lm_narrow narrow;
        lm_block *block;
        trained t;

        settings.pruning = pruning[i];
        CHECK_OK(&ctx,
                 start_case(&t, &ctx, lm_json_get(r.root, "cases")->as.items.first, &settings));
        block = &t.tuned->plain.encoder.stack.blocks[0];
        block->narrow = i == 0 ? &narrow : NULL;
        block->kv_heads -= i == 1;
        block->down = i == 2 ? -1 : block->down;
        CHECK_EQ_INT(lm_tuned_prune(t.tuned), LM_UNSUPPORTED);
        CHECK_STR(ctx.error.key, keys[i]);
        CHECK_STR(ctx.error.found, "bert");
        close_trained(&t);
    }
    lm_arena_free(&r.file.arena);
}

/* Each allocation and poll from the pruning on to the files. */
static lm_status
faulty_pruning(lm_context *good, const lm_json *each, fake_memory *faults)
{
    fake_memory memory = {.fail_at = 0};
    lm_tuned_settings settings = plain_settings();
    lm_train_outcome outcome = {.file_count = 0};
    lm_context ctx;
    lm_status status;
    trained t;

    fake_context(&ctx, &memory);
    settings.pruning = (lm_pruning){.share = 0.5, .heads = 0.5, .neurons = 0.4};
    CHECK_OK(good, start_case(&t, &ctx, each, &settings));
    memory = (fake_memory){memory.live, 0, faults->fail_at, false, 0, faults->stop_at};
    status = lm_tuned_prune(t.tuned);
    if (status == LM_OK)
        status = lm_tuned_write(t.tuned, &outcome);
    free_files(&outcome);
    memory.stop_at = 0;
    close_trained(&t);
    CHECK_EQ_INT(memory.live, 0);
    return status;
}

static void
test_pruning_faults(void)
{
    lm_context ctx;
    recorded r;

    lm_context_init(&ctx);
    open_recorded(&r, &ctx);
    for (int polls = 0; polls < 2; polls++) {
        const lm_status wanted = polls ? LM_CANCELLED : LM_NO_MEMORY;
        lm_status status = wanted;

        for (int at = unit_next_fault(0); status == wanted; at = unit_next_fault(at)) {
            fake_memory faults = {.fail_at = polls ? 0 : at, .stop_at = polls ? at : 0};

            status = faulty_pruning(&ctx, lm_json_get(r.root, "cases")->as.items.first, &faults);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
    lm_arena_free(&r.file.arena);
}

static const unit_case cases[] = {
    {"what is taken away stays away", test_pruned},
    {"layers of other forms are refused", test_other_layers},
    {"allocations and polls of a pruning may fail", test_pruning_faults},
};

UNIT_MAIN(cases)
