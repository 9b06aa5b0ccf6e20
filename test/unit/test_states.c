/*
 * test_states.c - hidden states that heads of one encoder share: what is kept and found, and that
 * tasks read the same bits as those that they compute.
 */
#include "golden.h"
#include "loaded.h"
#include "task/batch.h"

#define WIDTH 4

/* A window of `count` tokens that begins with this id, and what it is kept with. */
typedef struct sample {
    int32_t ids[8], types[8];
    float hidden[8 * WIDTH];
    lm_window_tokens tokens;
} sample;

static void
make_sample(sample *s, int32_t first, size_t count)
{
    for (int i = 0; i < 8; i++) {
        s->ids[i] = first + i;
        s->types[i] = 0;
        for (int k = 0; k < WIDTH; k++)
            s->hidden[i * WIDTH + k] = (float)first + (float)(i * WIDTH + k) / 100;
    }
    s->tokens = (lm_window_tokens){s->ids, s->types, count};
}

static bool
is_kept(lm_states *states, const sample *s)
{
    const float *found = lm_states_find(states, &s->tokens);

    return found && memcmp(found, s->hidden, s->tokens.count * WIDTH * sizeof(float)) == 0;
}

/* By ids, types and their number. */
static void
found(void)
{
    fake_memory memory = {0};
    lm_context ctx;
    lm_states states = {.ctx = &ctx};
    sample a, b, shorter, other_type;

    fake_context(&ctx, &memory);
    make_sample(&a, 1, 8);
    make_sample(&b, 2, 8);
    make_sample(&shorter, 1, 7);
    make_sample(&other_type, 1, 8);
    other_type.types[3] = 1;
    CHECK(!lm_states_find(&states, &a.tokens));
    lm_states_keep(&states, &a.tokens, a.hidden, WIDTH);
    lm_states_keep(&states, &b.tokens, b.hidden, WIDTH);
    for (int round = 0; round < 2; round++)
        CHECK(is_kept(&states, &a) && is_kept(&states, &b));
    CHECK(is_kept(&states, &a) && is_kept(&states, &a));
    CHECK(!lm_states_find(&states, &shorter.tokens));
    CHECK(!lm_states_find(&states, &other_type.tokens));
    lm_states_clear(&states);
    CHECK(!lm_states_find(&states, &a.tokens));
    CHECK_EQ_INT(memory.live, 0);
    CHECK_EQ_INT(states.bytes, 0);
}

/* The oldest go: by their number, and by their bytes. */
static void
room(void)
{
    const size_t wide = LM_STATES_BYTES / 2 / sizeof(float) / 8;
    float *much = calloc(LM_STATES_LONGEST / sizeof(float) + 8, sizeof(float));
    fake_memory memory = {0};
    lm_context ctx;
    lm_states states = {.ctx = &ctx};
    sample first, s;

    fake_context(&ctx, &memory);
    make_sample(&first, 0, 8);
    lm_states_keep(&states, &first.tokens, first.hidden, WIDTH);
    CHECK(is_kept(&states, &first));
    for (int32_t i = 1; i <= LM_STATES_WINDOWS; i++) {
        make_sample(&s, 10 * i, 8);
        lm_states_keep(&states, &s.tokens, s.hidden, WIDTH);
        CHECK(is_kept(&states, &s));
    }
    CHECK_EQ_INT(states.count, LM_STATES_WINDOWS);
    CHECK(!lm_states_find(&states, &first.tokens));
    for (int32_t i = 1; i <= 3; i++) {
        make_sample(&s, -10 * i, 8);
        lm_states_keep(&states, &s.tokens, much, wide - 64);
        CHECK(lm_states_find(&states, &s.tokens) != NULL);
        CHECK(states.bytes <= LM_STATES_BYTES);
    }
    lm_states_keep(&states, &first.tokens, much, 4 * wide); /* larger than all together may be */
    CHECK(lm_states_find(&states, &first.tokens) && states.count == 1);
    make_sample(&s, 7, 8);
    lm_states_keep(&states, &s.tokens, much, LM_STATES_LONGEST / sizeof(float) / 8);
    CHECK(!lm_states_find(&states, &s.tokens) && states.count == 1);
    memory.fail_at = memory.calls + 1;
    lm_states_keep(&states, &s.tokens, s.hidden, WIDTH); /* without memory it is not kept */
    CHECK(!lm_states_find(&states, &s.tokens));
    lm_states_clear(&states);
    CHECK_EQ_INT(memory.live, 0);
    free(much);
}

/* ---- Tasks ---- */

static const lm_text texts[] = {
    {"", 0},
    {"the quick brown fox jumps over the lazy dog and runs on and on until it is full", 79},
    {"databases and cats", 18},
};
#define COUNT (sizeof texts / sizeof texts[0])
#define ROOM 4096

/* What a task is given, one behind the other. */
typedef struct taken {
    float values[ROOM];
    size_t count;
    lm_batch_rows rows;
    size_t width;
    bool fails;
} taken;

static lm_status
take(void *opaque, const lm_window *window, const float *hidden, size_t tokens)
{
    taken *t = opaque;
    const size_t count = (t->rows == LM_EVERY_ROW ? tokens : 1) * t->width;

    if (t->fails)
        return LM_BAD_MODEL;
    for (size_t i = 0; i < count && t->count < ROOM; i++)
        t->values[t->count++] = hidden[i];
    return LM_OK;
}

static lm_status
run(lm_context *ctx, lm_session *session, const lm_model *model, lm_states *states, int layers,
    taken *t, lm_embed_counts *counts)
{
    lm_batcher b = {.ctx = ctx,
                    .session = session,
                    .model = model,
                    .layers = layers,
                    .rows = t->rows,
                    .states = states,
                    .take = take,
                    .opaque = t,
                    .counts = counts};

    t->count = 0;
    t->width = (size_t)lm_weights_dims(lm_model_weights(model))->hidden;
    for (size_t i = 0; i < COUNT; i++)
        LM_TRY(lm_batch_add(&b, &texts[i], i));
    return lm_batch_flush(&b);
}

/* The first task computes, the second reads; both see what they see alone. */
static void
tasks(void)
{
    static const lm_batch_rows kinds[] = {LM_EVERY_ROW, LM_FIRST_ROW, LM_LAST_ROW};
    static taken alone, t;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
    lm_context ctx;
    lm_states states = {.ctx = &ctx};
    int all;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert", &folder);
    CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_active(), &loaded));
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    all = lm_weights_layers(lm_model_weights(&loaded.model));
    for (size_t first = 0; first < 3; first++)
        for (size_t second = 0; second < 3; second++) {
            lm_embed_counts counts = {0};

            alone.rows = t.rows = kinds[first];
            CHECK_OK(&ctx, run(&ctx, session, &loaded.model, NULL, all, &alone, NULL));
            CHECK_OK(&ctx, run(&ctx, session, &loaded.model, &states, all, &t, &counts));
            CHECK_EQ_INT(counts.forwards, 1);
            CHECK_EQ_INT(memcmp(alone.values, t.values, alone.count * sizeof(float)), 0);
            alone.rows = t.rows = kinds[second];
            CHECK_OK(&ctx, run(&ctx, session, &loaded.model, NULL, all, &alone, NULL));
            counts = (lm_embed_counts){0};
            CHECK_OK(&ctx, run(&ctx, session, &loaded.model, &states, all, &t, &counts));
            CHECK_EQ_INT(counts.forwards, 0);
            CHECK_EQ_INT(counts.tokens, 0);
            CHECK_EQ_INT(counts.texts, COUNT);
            CHECK_EQ_INT(t.count, alone.count);
            CHECK_EQ_INT(memcmp(alone.values, t.values, alone.count * sizeof(float)), 0);
            lm_states_clear(&states);
        }
    /* Fewer layers are another computation, and what a task refuses is kept for the others. */
    t.rows = LM_EVERY_ROW;
    CHECK_OK(&ctx, run(&ctx, session, &loaded.model, &states, 0, &t, NULL));
    CHECK_EQ_INT(states.count, 0);
    t.fails = true;
    CHECK_EQ_INT(run(&ctx, session, &loaded.model, &states, all, &t, NULL), LM_BAD_MODEL);
    CHECK_EQ_INT(states.count, COUNT);
    CHECK_EQ_INT(run(&ctx, session, &loaded.model, &states, all, &t, NULL), LM_BAD_MODEL);
    lm_states_clear(&states);
    lm_session_free(session);
    loaded_close(&ctx, &loaded);
    golden_close(&folder);
}

static const unit_case cases[] = {
    {"found", found},
    {"room", room},
    {"tasks", tasks},
};

UNIT_MAIN(cases)
