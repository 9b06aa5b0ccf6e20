/*
 * loaded.h - a whole model in memory for tests, from any source.
 */
#ifndef LOADED_H
#define LOADED_H

#include "base/size.h"
#include "task/classify.h"
#include "unit.h"

typedef struct loaded_model {
    lm_model model;
    lm_model_info info; /* as plan gave it; strings are gone */
    void *image;
    size_t size;
} loaded_model;

static inline lm_status
loaded_open_with(lm_context *ctx, const lm_source *source, const lm_model_options *options,
                 const lm_kernels *kernels, loaded_model *loaded)
{
    lm_model_plan *plan;
    lm_arena arena;
    lm_status status;

    memset(loaded, 0, sizeof *loaded);
    lm_arena_init(&arena, ctx);
    status = lm_model_plan_make(ctx, &arena, source, options, kernels, &plan, &loaded->info, NULL);
    if (status == LM_OK) {
        loaded->size = lm_model_plan_size(plan);
        loaded->image = aligned_alloc(LM_ALIGNMENT, loaded->size);
        status = lm_model_fill(ctx, plan, loaded->image);
    }
    if (status == LM_OK)
        status = lm_model_bind(ctx, loaded->image, loaded->size, &loaded->model);
    if (status != LM_OK) {
        free(loaded->image);
        loaded->image = NULL;
    }
    lm_arena_free(&arena);
    return status;
}

static inline lm_status
loaded_open_as(lm_context *ctx, const lm_source *source, const lm_kernels *kernels,
               lm_precision precision, loaded_model *loaded)
{
    const lm_model_options options = {.precision = precision};

    return loaded_open_with(ctx, source, &options, kernels, loaded);
}

static inline lm_status
loaded_open(lm_context *ctx, const lm_source *source, const lm_kernels *kernels,
            loaded_model *loaded)
{
    return loaded_open_as(ctx, source, kernels, LM_PRECISION_F32, loaded);
}

static inline void
loaded_close(lm_context *ctx, loaded_model *loaded)
{
    lm_model_unbind(ctx, &loaded->model);
    free(loaded->image);
}

#endif
