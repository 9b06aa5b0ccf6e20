/*
 * method.h - a method run on rows in memory, and the model that comes of it.
 */
#ifndef METHOD_H
#define METHOD_H

#include <math.h>

#include "fake.h"
#include "loaded.h"
#include "train/methods.h"

/* Nothing is kept of progress; it must make sense. */
static inline void
method_report(void *opaque, const lm_train_progress *progress)
{
    CHECK(progress->step >= 0 && progress->step <= progress->steps);
}

/* All rows in batches of `size`; the files of the outcome are to be freed by method_free. */
static inline lm_status
method_train(lm_context *ctx, const lm_method *method, const void *options,
             const lm_train_rows *rows, size_t width, size_t size, lm_train_outcome *outcome)
{
    const lm_train_watch watch = {.report = method_report};
    void *training = NULL;
    lm_status status = method->open(ctx, options, width, &training);

    memset(outcome, 0, sizeof *outcome);
    for (size_t i = 0; status == LM_OK && i < rows->count; i += size) {
        lm_train_rows part = *rows;

        part.count = rows->count - i < size ? rows->count - i : size;
        if (rows->vectors)
            part.vectors += i * width;
        for (int column = 0; column < LM_TRAIN_COLUMNS_MAX; column++) {
            part.texts[column] += rows->texts[column] ? i : 0;
            part.words[column] += rows->words[column] ? i : 0;
            part.numbers[column] += rows->numbers[column] ? i : 0;
        }
        status = method->add_rows(training, &part);
    }
    if (status == LM_OK)
        status = method->fit(training, &watch);
    if (status == LM_OK)
        status = method->write(training, outcome);
    method->close(training);
    return status;
}

static inline void
method_free(lm_train_outcome *outcome)
{
    for (int i = 0; i < outcome->file_count; i++)
        lm_buffer_free(&outcome->files[i].bytes);
}

/* NaN: there is none of that name. */
static inline double
method_value(const lm_train_outcome *outcome, const char *name)
{
    for (int i = 0; i < outcome->value_count; i++)
        if (strcmp(outcome->values[i].name, name) == 0)
            return outcome->values[i].value;
    return NAN;
}

static inline lm_source
method_source(const lm_train_outcome *outcome, fake_source *fake)
{
    memset(fake, 0, sizeof *fake);
    for (int i = 0; i < outcome->file_count; i++)
        fake_add_bytes(fake, outcome->files[i].name, outcome->files[i].bytes.data,
                       outcome->files[i].bytes.size);
    return fake_open(fake);
}

/* Each poll and each read of loading fails in turn: its failure is told, and nothing stays. */
static inline void
method_load_faults(const lm_train_outcome *outcome)
{
    for (int polls = 0; polls < 2; polls++) {
        const lm_status fault = polls ? LM_CANCELLED : LM_IO_ERROR;
        lm_status status = fault;

        for (int at = 1; status == fault; at++) {
            fake_memory memory = {.stop_at = polls ? at : 0};
            loaded_model loaded;
            fake_source fake;
            lm_context ctx;
            lm_source source = method_source(outcome, &fake);

            fake_context(&ctx, &memory);
            fake.fail_at = polls ? 0 : at;
            status = loaded_open(&ctx, &source, lm_kernels_active(), &loaded);
            if (status == LM_OK)
                loaded_close(&ctx, &loaded);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
}

#endif
