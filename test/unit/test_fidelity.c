/*
 * test_fidelity.c - how near two models of the same files come to each other, as it is measured.
 */
#include "golden.h"
#include "loaded.h"
#include "task/fidelity.h"

#define TEXTS 20 /* more than are embedded at a time */

static const char *const words[] = {"one", "two words",           "three of them",
                                    "",    "vier Wörter sind es", "猫と犬"};

static void
make_texts(lm_text *texts)
{
    for (size_t i = 0; i < TEXTS; i++) {
        const char *word = words[i % (sizeof words / sizeof words[0])];

        texts[i] = (lm_text){word, strlen(word)};
    }
}

/* Two models of a folder of models/tiny each. */
typedef struct pair {
    golden_folder folders[2];
    loaded_model models[2];
    lm_context ctx;
} pair;

/* All tensors of a folder become zero, and with them its embeddings. */
static void
clear_weights(golden_folder *folder)
{
    fake_file *file = fake_find(&folder->files, "model.safetensors");
    char *cleared = lm_arena_copy(&folder->arena, file->data, file->size);
    size_t header = 0;

    for (int i = 7; i >= 0; i--)
        header = header << 8 | (unsigned char)file->data[i];
    memset(cleared + 8 + header, 0, file->size - 8 - header);
    file->data = cleared;
}

/* `clear` has a bit for each of the two whose weights are to be zero. */
static void
open_cleared(pair *p, const char *first, const char *second, lm_precision precision, int clear)
{
    const char *const names[2] = {first, second};
    const lm_precision precisions[2] = {LM_PRECISION_F32, precision};

    lm_context_init(&p->ctx);
    for (int i = 0; i < 2; i++) {
        golden_open(&p->ctx, names[i], &p->folders[i]);
        if (clear >> i & 1)
            clear_weights(&p->folders[i]);
        CHECK_OK(&p->ctx,
                 loaded_open_as(&p->ctx, &p->folders[i].source, lm_kernels_at(LM_LEVEL_SCALAR),
                                precisions[i], &p->models[i]));
    }
}

static void
open_pair(pair *p, const char *first, const char *second, lm_precision precision)
{
    open_cleared(p, first, second, precision, 0);
}

static void
close_pair(pair *p)
{
    for (int i = 0; i < 2; i++) {
        loaded_close(&p->ctx, &p->models[i]);
        golden_close(&p->folders[i]);
    }
}

/* In a context, and a session of its own, that fail where `memory` says. */
static lm_status
measure(pair *p, fake_memory *memory, lm_fidelity *fidelity)
{
    lm_text texts[TEXTS];
    lm_session *session;
    lm_context ctx;
    lm_status status;

    fake_context(&ctx, memory);
    make_texts(texts);
    status = lm_session_create(&ctx, &session);
    if (status == LM_OK) {
        status = lm_fidelity_measure(&ctx, session, &p->models[0].model, &p->models[1].model, texts,
                                     TEXTS, fidelity);
        lm_session_free(session);
    }
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

/* A model is as near to itself as can be; coarser weights are farther. */
static void
test_precisions(void)
{
    double least[LM_PRECISION_COUNT], mean[LM_PRECISION_COUNT];

    for (lm_precision precision = 0; precision < LM_PRECISION_COUNT; precision++) {
        fake_memory memory = {0};
        lm_fidelity fidelity;
        pair p;

        open_pair(&p, "bert", "bert", precision);
        CHECK_EQ_INT(measure(&p, &memory, &fidelity), LM_OK);
        CHECK_EQ_INT(fidelity.texts, TEXTS);
        CHECK(fidelity.min_cosine <= fidelity.mean_cosine && fidelity.mean_cosine <= 1 + 1e-12);
        least[precision] = fidelity.min_cosine;
        mean[precision] = fidelity.mean_cosine;
        close_pair(&p);
    }
    CHECK_NEAR(least[LM_PRECISION_F32], 1, 1e-12);
    CHECK_NEAR(mean[LM_PRECISION_F32], 1, 1e-12);
    CHECK(least[LM_PRECISION_BF16] > .999 && mean[LM_PRECISION_BF16] < 1 - 1e-9);
    CHECK(least[LM_PRECISION_INT8] > .98 && mean[LM_PRECISION_INT8] < mean[LM_PRECISION_BF16]);
}

/* Vectors of zeros have no direction: two agree, one and another are as far as can be. */
static void
test_zeros(void)
{
    for (int clear = 1; clear <= 3; clear++) {
        fake_memory memory = {0};
        lm_fidelity fidelity;
        pair p;

        open_cleared(&p, "bert", "bert", LM_PRECISION_F32, clear);
        CHECK_EQ_INT(measure(&p, &memory, &fidelity), LM_OK);
        CHECK_NEAR(fidelity.min_cosine, clear == 3, 0);
        CHECK_NEAR(fidelity.mean_cosine, clear == 3, 0);
        close_pair(&p);
    }
}

static void
test_widths(void)
{
    fake_memory memory = {0};
    lm_fidelity fidelity;
    pair p;

    open_pair(&p, "bert", "bert", LM_PRECISION_F32);
    p.models[1].model.info.dimensions--;
    CHECK_EQ_INT(measure(&p, &memory, &fidelity), LM_BAD_ARGUMENT);
    p.models[1].model.info.dimensions++;
    close_pair(&p);
}

/* Every allocation fails in turn, and every poll cancels. */
static void
test_faults(void)
{
    lm_status status = LM_NO_MEMORY;
    lm_fidelity fidelity;
    int n;
    pair p;

    open_pair(&p, "bert", "bert", LM_PRECISION_BF16);
    for (n = 1; status == LM_NO_MEMORY; n++)
        status = measure(&p, &(fake_memory){.fail_at = n}, &fidelity);
    CHECK_EQ_INT(status, LM_OK);
    CHECK(n > 5);
    for (n = 1, status = LM_CANCELLED; status == LM_CANCELLED; n++)
        status = measure(&p, &(fake_memory){.stop_at = n}, &fidelity);
    CHECK_EQ_INT(status, LM_OK);
    CHECK(n > 5);
    close_pair(&p);
}

static const unit_case cases[] = {
    {"precisions", test_precisions},
    {"zeros", test_zeros},
    {"widths", test_widths},
    {"faults", test_faults},
};

UNIT_MAIN(cases)
