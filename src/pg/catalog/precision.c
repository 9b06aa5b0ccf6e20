/*
 * precision.c - versions in reduced precision: the matrices in int8 that are made of their files,
 * and how near they come to float32.
 *
 * What was measured stands in the manifest's metrics as "fidelity": cosines of embeddings to those
 * of float32, over texts that took no part in the calibration.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "format/bundle.h"
#include "pg/catalog/golden.h"
#include "pg/catalog/precision.h"
#include "quant/quantize.h"
#include "quant/texts.h"
#include "task/fidelity.h"

static lm_status files_stat(lm_context *ctx, void *opaque, const char *name, bool *found,
                            uint64_t *size);
static lm_status files_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset,
                            void *dest, size_t length);

static char *
fidelity_json(size_t texts, double least, double mean)
{
    return psprintf("{\"fidelity\":{\"texts\":%zu,\"cosine_min\":%.6f,\"cosine_mean\":%.6f}}",
                    texts, least, mean);
}

/* ---- Making ---- */

/* From a float32 model that lives in memory of its own. */
static void
calibrate(lmtext_precision_files *files, lmtext_call *call, const lmtext_version_options *options,
          const char *name)
{
    const lm_model_options full = {.max_tokens = options->max_tokens};
    const lm_quantize_options quantize = {.texts = options->calibration,
                                          .count = options->calibration_count};
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext quantizing", ALLOCSET_DEFAULT_SIZES);
    MemoryContext old = MemoryContextSwitchTo(memory);
    lmtext_copy *copy = lmtext_copy_read(files->from, &full, lm_kernels_active(), name);
    lm_quantize_report report;

    MemoryContextSwitchTo(old);
    lmtext_check(call,
                 lm_quantize(&call->ctx, copy->session, &copy->model, files->from, &quantize,
                             &files->codes, &report),
                 name);
    files->metrics =
        fidelity_json(report.fidelity.texts, report.fidelity.least, report.fidelity.mean);
    MemoryContextDelete(memory);
}

void
lmtext_precision_open(lmtext_precision_files *files, lmtext_call *call, const lm_source *from,
                      const lmtext_version_options *options, const char *name, lm_source *source)
{
    bool found = true;
    uint64_t size;

    *files = (lmtext_precision_files){.from = from, .precision = options->precision};
    *source = (lm_source){files, files_stat, files_read};
    lm_buffer_init(&files->codes, &call->ctx);
    if (files->precision == LM_PRECISION_INT8)
        lmtext_check(call, from->stat(&call->ctx, from->opaque, LM_QUANTIZED_FILE, &found, &size),
                     name);
    if (!found || options->calibration != NULL)
        calibrate(files, call, options, name);
}

/* ---- The files as a source ---- */

static bool
is_codes(const char *name)
{
    return strcmp(name, LM_QUANTIZED_FILE) == 0;
}

static lm_status
files_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    const lmtext_precision_files *files = opaque;

    *found = files->precision == LM_PRECISION_INT8;
    *size = files->codes.size;
    if (is_codes(name) && (!*found || files->codes.size > 0))
        return LM_OK;
    return files->from->stat(ctx, files->from->opaque, name, found, size);
}

/* A reader asks only for what stat promised. */
static lm_status
files_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
           size_t length)
{
    const lmtext_precision_files *files = opaque;

    if (!is_codes(name) || files->codes.size == 0)
        return files->from->read(ctx, files->from->opaque, name, offset, dest, length);
    memcpy(dest, files->codes.data + offset, length);
    return LM_OK;
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
    copy = lmtext_copy_load(relid, &full, lm_kernels_active());
    lmtext_check(call,
                 lm_fidelity_measure(&call->ctx, session, &copy->model, reduced, held_out_texts(),
                                     lm_held_out_text_count, &fidelity),
                 name);
    return fidelity_json(fidelity.texts, fidelity.least, fidelity.mean);
}
