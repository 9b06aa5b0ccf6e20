/*
 * outcome.c - figures, files and vectors of a training.
 */
#include "train/outcome.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "model/head.h"

#define POLL_EVERY 4096 /* rows */

void
lm_outcome_add(lm_train_outcome *outcome, const char *name, double value)
{
    outcome->values[outcome->value_count++] = (lm_train_value){.name = name, .value = value};
}

void
lm_outcome_add_bool(lm_train_outcome *outcome, const char *name, bool value)
{
    lm_outcome_add(outcome, name, value);
    outcome->values[outcome->value_count - 1].is_bool = true;
}

void
lm_outcome_summarize(lm_train_outcome *outcome, unsigned labels, double accuracy, size_t held_out)
{
    if (isnan(accuracy))
        snprintf(outcome->summary, sizeof outcome->summary,
                 "with %u labels: no row was held out to measure it", labels);
    else
        snprintf(outcome->summary, sizeof outcome->summary,
                 "with %u labels: accuracy %.4f on %zu held-out row%s", labels, accuracy, held_out,
                 held_out == 1 ? "" : "s");
}

void
lm_outcome_open_files(lm_context *ctx, lm_train_outcome *outcome, const char *json,
                      const char *tensors)
{
    outcome->file_count = 2;
    outcome->files[0].name = json;
    outcome->files[1].name = tensors;
    for (int i = 0; i < 2; i++)
        lm_buffer_init(&outcome->files[i].bytes, ctx);
}

lm_status
lm_outcome_write_head(lm_context *ctx, const lm_train_labels *labels, const lm_head *head,
                      lm_train_outcome *outcome)
{
    lm_head named = *head;
    lm_arena arena;
    lm_status status;

    lm_outcome_open_files(ctx, outcome, LM_HEAD_JSON, LM_HEAD_TENSORS);
    lm_arena_init(&arena, ctx);
    status = lm_train_labels_names(labels, &arena, &named.names);
    if (status == LM_OK)
        status = lm_head_write(ctx, &named, &outcome->files[0].bytes, &outcome->files[1].bytes);
    lm_arena_free(&arena);
    return status;
}

lm_status
lm_train_vectors_add(lm_context *ctx, lm_train_vectors *vectors, const float *values, size_t count)
{
    size_t need = vectors->rows + count, room = lm_grown_room(vectors->rows, need);
    size_t numbers, bytes;
    float *grown;

    if (need > vectors->room) {
        if (lm_mul_overflows(room, vectors->width, &numbers) ||
            lm_mul_overflows(numbers, sizeof *grown, &bytes))
            return lm_raise(ctx, LM_TOO_LARGE, "too many rows to train on");
        if (!(grown = lm_keep(ctx, vectors->values, bytes)))
            return LM_NO_MEMORY;
        vectors->values = grown;
        vectors->room = room;
    }
    if (count > 0)
        memcpy(vectors->values + vectors->rows * vectors->width, values,
               count * vectors->width * sizeof *grown);
    vectors->rows = need;
    return LM_OK;
}

static bool
normalize(float *row, size_t width)
{
    double square = 0;

    for (size_t j = 0; j < width; j++)
        square += (double)row[j] * row[j];
    if (!isfinite(square))
        return false;
    for (size_t j = 0; j < width && square > 0; j++)
        row[j] = (float)(row[j] / sqrt(square));
    return true;
}

lm_status
lm_train_vectors_normalize(lm_context *ctx, lm_train_vectors *vectors)
{
    for (size_t i = 0; i < vectors->rows; i++) {
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        if (!normalize(vectors->values + i * vectors->width, vectors->width))
            return lm_raise(ctx, LM_BAD_ARGUMENT, "vector of row %zu cannot be trained on", i);
    }
    return LM_OK;
}
