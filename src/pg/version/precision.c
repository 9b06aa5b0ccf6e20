/*
 * precision.c - versions in reduced precision: the matrices in int8 that are made of their files,
 * and how near they come to float32.
 *
 * What was measured stands in the manifest's metrics as "fidelity": cosines of embeddings to those
 * of float32, over texts that took no part in the calibration.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "format/checkpoint.h"
#include "pg/cache/loader.h"
#include "pg/glue/tell.h"
#include "pg/version/precision.h"
#include "quant/quantize.h"
#include "quant/texts.h"
#include "task/fidelity.h"

static char *
fidelity_json(size_t texts, double min_cosine, double mean_cosine)
{
    return psprintf("{\"fidelity\":{\"texts\":%zu,\"cosine_min\":%.6f,\"cosine_mean\":%.6f}}",
                    texts, min_cosine, mean_cosine);
}

/* ---- Making ---- */

/* From a float32 model that lives in memory of its own. */
static void
calibrate(lmtext_precision_files *files, lmtext_call *call, const lmtext_version_options *options,
          const char *name)
{
    const lm_model_options full = {.max_tokens = options->max_tokens,
                                   .dimensions = options->dimensions,
                                   .as_embedding = options->as_embedding,
                                   .task = options->task,
                                   .plain_class = options->plain_class};
    const lm_quantize_options quantize = {.texts = options->calibration,
                                          .count = options->calibration_count};
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext quantizing", ALLOCSET_DEFAULT_SIZES);
    MemoryContext old = MemoryContextSwitchTo(memory);
    lmtext_copy *copy = lmtext_copy_read(files->from, &full, lm_kernels_active(), name);
    lm_quantize_report report;

    MemoryContextSwitchTo(old);
    lmtext_tell_phase(&(lmtext_phase){"quantized", "matrices", .by_engine = true});
    lmtext_check(call,
                 lm_quantize(&call->ctx, copy->session, &copy->model, files->from, &quantize,
                             &files->codes, &report),
                 name);
    files->metrics = fidelity_json(report.fidelity.texts, report.fidelity.min_cosine,
                                   report.fidelity.mean_cosine);
    MemoryContextDelete(memory);
}

void
lmtext_precision_open(lmtext_precision_files *files, lmtext_call *call, const lm_source *from,
                      const lmtext_version_options *options, const char *name, lm_source *source)
{
    bool found = false;
    uint64_t size;

    *files = (lmtext_precision_files){.from = from};
    lm_buffer_init(&files->codes, &call->ctx);
    if (lm_precisions[options->precision].coded && options->calibration == NULL)
        lmtext_check(call, from->stat(&call->ctx, from->opaque, LM_QUANTIZED_FILE, &found, &size),
                     name);
    *source = *from;
    if (found)
        return;
    if (lm_precisions[options->precision].coded)
        calibrate(files, call, options, name);
    files->with_codes =
        (lm_source_with_file){from, LM_QUANTIZED_FILE, files->codes.data, files->codes.size};
    *source = lm_source_with(&files->with_codes);
}

/* ---- Measuring ---- */

/* The texts that ship to be measured on. */
static lm_text *
held_out_texts(void)
{
    lm_text *texts = palloc(lm_held_out_text_count * sizeof(*texts));

    for (size_t i = 0; i < lm_held_out_text_count; i++)
        texts[i] = (lm_text){lm_held_out_texts[i], strlen(lm_held_out_texts[i])};
    return texts;
}

char *
lmtext_precision_measure(Oid relid, const lmtext_manifest *manifest, lmtext_call *call,
                         lm_session *session, const lm_model *reduced, const char *name)
{
    lmtext_manifest full = *manifest;
    lmtext_copy *copy;
    lm_fidelity fidelity;

    full.precision = LM_PRECISION_F32;
    full.max_tokens = reduced->info.max_tokens;
    full.truncate_dim = reduced->info.cut ? reduced->info.dimensions : 0;
    copy = lmtext_copy_load(relid, &full, lm_kernels_active());
    lmtext_check(call,
                 lm_fidelity_measure(&call->ctx, session, &copy->model, reduced, held_out_texts(),
                                     lm_held_out_text_count, &fidelity),
                 name);
    return fidelity_json(fidelity.texts, fidelity.min_cosine, fidelity.mean_cosine);
}
