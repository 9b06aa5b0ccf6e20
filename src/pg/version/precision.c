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
#include "format/coded.h"
#include "format/json.h"
#include "pg/cache/loader.h"
#include "pg/glue/tell.h"
#include "pg/version/precision.h"
#include "pg/version/version.h"
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
    static const char *const made[] = {LM_QUANTIZED_FILE, LM_QUANTIZED_FILE LM_CODED_SUFFIX};
    bool found = false;
    uint64_t size;

    *files = (lmtext_precision_files){.from = from};
    lm_buffer_init(&files->codes, &call->ctx);
    for (int i = 0; i < lengthof(made) && !found && options->calibration == NULL; i++)
        if (lm_precisions[options->precision].coded)
            lmtext_check(call, from->stat(&call->ctx, from->opaque, made[i], &found, &size), name);
    *source = *from;
    if (found)
        return;
    if (lm_precisions[options->precision].coded)
        calibrate(files, call, options, name);
    files->with_codes =
        (lm_source_with_file){from, LM_QUANTIZED_FILE, files->codes.data, files->codes.size};
    *source = lm_source_with(&files->with_codes);
}

/* ---- Codes alone ---- */

/* What is known of the fidelity, and how large the files are. */
static char *
compression_json(const char *fidelity, const lm_compressed *made)
{
    StringInfoData json;

    initStringInfo(&json);
    appendStringInfoString(&json, fidelity != NULL ? fidelity : "{");
    if (fidelity != NULL)
        json.data[json.len - 1] = ',';
    appendStringInfo(
        &json,
        "\"compression\":{\"fp32_bytes\":" UINT64_FORMAT ",\"int8_bytes\":" UINT64_FORMAT
        ",\"bytes\":" UINT64_FORMAT ",\"ratio\":%.4f,\"codes\":" UINT64_FORMAT
        ",\"codes_coded\":" UINT64_FORMAT "}}",
        made->fp32_bytes, made->int8_bytes, made->bytes,
        (double)made->bytes / (double)made->fp32_bytes, made->codes, made->codes_coded);
    return json.data;
}

void
lmtext_precision_compress(lmtext_precision_files *files, lmtext_call *call,
                          const lmtext_version_options *options, const lm_model_options *loading,
                          const char *name, lm_source *source)
{
    lm_context *ctx = &call->ctx;

    files->whole = *source;
    lm_arena_init(&files->arena, ctx);
    lmtext_tell_phase(&(lmtext_phase){"compressing the model"});
    lmtext_check(call, lm_compress(ctx, &files->arena, &files->whole, loading, &files->compressed),
                 name);
    lmtext_check(
        call, lm_compressed_source(&files->arena, &files->compressed, &files->whole, source), name);
    files->metrics = compression_json(files->metrics != NULL ? files->metrics : options->metrics,
                                      &files->compressed);
}

static double
number_of(const lm_json *object, const char *key)
{
    const lm_json *number = lm_json_get(object, key);

    return number != NULL && number->type == LM_JSON_NUMBER ? number->as.number : 0;
}

char *
lmtext_version_fidelity(const lmtext_manifest *manifest)
{
    const lm_json *fidelity = lm_json_get(lm_json_get(manifest->root, "metrics"), "fidelity");

    if (fidelity == NULL || manifest->precision != LM_PRECISION_INT8)
        return NULL;
    return fidelity_json((size_t)number_of(fidelity, "texts"), number_of(fidelity, "cosine_min"),
                         number_of(fidelity, "cosine_mean"));
}

void
lmtext_version_refuse_codes(lmtext_call *call, const lmtext_manifest *manifest, const char *name)
{
    for (int i = 0; i < manifest->file_count; i++)
        lmtext_check(call, lm_coded_refuse(&call->ctx, manifest->files[i].name), name);
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

    for (int i = 0; i < manifest->file_count; i++)
        if (lm_coded_is(manifest->files[i].name))
            return NULL;
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
