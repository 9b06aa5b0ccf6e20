/*
 * engine_layers.c - how fast a net of layers trains: tokens a second of one core for the BiLSTM
 * 100/256×2/.5 with four labels, 25,002 words, batches of 64 texts, Adam. bench_layers.py runs it
 * beside torch.
 *
 * usage: engine_layers [steps [tokens of a text]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "net/store.h"
#include "optim/loss.h"
#include "optim/optimizer.h"

#define NET \
    "[{\"embedding\": 100}, {\"bilstm\": 256, \"layers\": 2, \"dropout\": 0.5}, {\"linear\": 4}]"

enum { WORDS = 25002, TEXTS = 64, LABELS = 4 };

/* Texts of `mean` tokens, give or take a half. */
static void
make_texts(lm_rng *rng, size_t mean, size_t *offsets, int32_t *ids, int32_t *labels)
{
    offsets[0] = 0;
    for (size_t b = 0; b < TEXTS; b++) {
        offsets[b + 1] = offsets[b] + mean / 2 + (size_t)lm_rng_below(rng, mean + 1);
        labels[b] = (int32_t)lm_rng_below(rng, LABELS);
    }
    for (size_t i = 0; i < offsets[TEXTS]; i++) {
        const double u = lm_rng_uniform(rng);

        ids[i] = (int32_t)((double)WORDS * u * u * u);
    }
}

static void
check(lm_context *ctx, lm_status status)
{
    if (status == LM_OK)
        return;
    fprintf(stderr, "%s\n", ctx->error.message);
    exit(1);
}

static void
step(lm_context *ctx, lm_net_store *store, lm_net_batch *batch, const int32_t *labels,
     lm_optimizer *optimizer, double *loss)
{
    const lm_net_weights weights = lm_net_store_weights(store);
    const lm_net_grads grads = lm_net_store_grads(store);
    const lm_cross_entropy_options options = {NULL, 0};
    const float *out;
    size_t bytes;
    void *room;

    for (size_t i = 0; i < store->net->param_count; i++)
        memset(store->grads[i], 0,
               store->params[i].rows * store->params[i].columns * sizeof(float));
    for (size_t i = 0; i < batch->tokens; i++)
        store->touched[0][batch->ids[i]] = 1;
    check(ctx, lm_optimizer_ready(optimizer));
    check(ctx, lm_net_store_pack(store));
    check(ctx, lm_net_room(ctx, store->net, batch, &bytes));
    room = malloc(bytes);
    check(ctx, lm_net_forward(ctx, store->net, &weights, batch, room, &out));
    *loss = 0;
    check(ctx, lm_cross_entropy_loss(ctx, store->kernels, &options, TEXTS, LABELS, out, labels,
                                     TEXTS, loss, lm_net_gradient(store->net, batch, room)));
    check(ctx, lm_net_backward(ctx, store->net, &weights, batch, room, &grads));
    check(ctx, lm_optimizer_step(optimizer, 1e-3));
    memset(store->touched[0], 0, WORDS);
    free(room);
}

int
main(int argc, char **argv)
{
    const int steps = argc > 1 ? atoi(argv[1]) : 10;
    const size_t mean = argc > 2 ? (size_t)atoi(argv[2]) : 40;
    size_t offsets[TEXTS + 1], order[TEXTS], *lengths = malloc((2 * mean + 2) * sizeof *lengths);
    uint64_t rows[TEXTS];
    int32_t labels[TEXTS], *ids = malloc(2 * mean * TEXTS * sizeof *ids);
    const lm_net_source source = {NULL, LM_BAD_ARGUMENT, WORDS, true, false};
    lm_optimizer_options options;
    lm_optimizer *optimizer;
    const lm_json *json;
    struct timespec start, end;
    lm_net_store store;
    lm_context ctx;
    lm_arena arena;
    lm_net net;
    lm_rng rng;
    size_t tokens = 0;
    double loss = 0;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    lm_rng_seed(&rng, 1);
    check(&ctx, lm_json_parse(&ctx, &arena, NET, strlen(NET), "", &json));
    check(&ctx, lm_net_make(&ctx, &arena, json, &source, &net));
    check(&ctx, lm_net_store_open(&ctx, &net, 1, &store));
    lm_optimizers[1]->defaults(&options);
    check(&ctx, lm_optimizer_open(&ctx, lm_optimizers[1], &options, store.params, net.param_count,
                                  &optimizer));
    for (size_t b = 0; b < TEXTS; b++)
        rows[b] = b;
    for (int i = -1; i < steps; i++) {
        lm_net_batch batch = {.texts = TEXTS,
                              .ids = ids,
                              .offsets = offsets,
                              .rows = rows,
                              .training = true,
                              .graded = true,
                              .seed = 1};

        if (i == 0)
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
        make_texts(&rng, mean, offsets, ids, labels);
        batch.tokens = offsets[TEXTS];
        batch.step = (uint64_t)(i + 1);
        lm_net_order(&batch, order, lengths);
        step(&ctx, &store, &batch, labels, optimizer, &loss);
        tokens += i >= 0 ? batch.tokens : 0;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    printf("%s %.0f tokens/s, loss %.3f\n", lm_optimizers[1]->name,
           (double)tokens /
               ((double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec)),
           loss);
    return 0;
}
