/*
 * checkpoint.c - what every container's model can have: quantised matrices, and a window.
 */
#include "format/checkpoint.h"

#include <limits.h>
#include <string.h>

#include "format/reader.h"

/* A file of another kind or of a later version may have the same name; it is not ours. */
static lm_status
check_quantized(lm_context *ctx, const lm_tensors *tensors)
{
    const char *format = lm_tensors_metadata(tensors, "format");
    const char *version = lm_tensors_metadata(tensors, "version");

    if (format && version && strcmp(format, LM_QUANTIZED_FORMAT) == 0 &&
        strcmp(version, LM_QUANTIZED_VERSION) == 0)
        return LM_OK;
    lm_raise(ctx, LM_UNSUPPORTED, "the format of the quantised matrices is not supported");
    lm_detail_file(ctx, LM_QUANTIZED_FILE);
    lm_detail_key(ctx, "__metadata__");
    lm_detail_found(ctx, "format %s, version %s", format ? format : "none",
                    version ? version : "none");
    return lm_detail_allowed(ctx, "format %s, version %s", LM_QUANTIZED_FORMAT,
                             LM_QUANTIZED_VERSION);
}

/* Leaves checkpoint->quantized empty where the file is missing. */
lm_status
lm_checkpoint_open_quantized(lm_context *ctx, lm_arena *arena, const lm_source *source,
                             lm_checkpoint *checkpoint)
{
    const lm_reader r = {ctx, arena, source, NULL, "", NULL};
    bool found = false;

    LM_TRY(lm_reader_exists(&r, LM_QUANTIZED_FILE, &found));
    if (!found)
        return LM_OK;
    LM_TRY(lm_tensors_open_file(ctx, arena, source, LM_QUANTIZED_FILE, &checkpoint->quantized));
    return check_quantized(ctx, &checkpoint->quantized);
}

/* Older files say max_len; the newer name wins, even with null. */
static const lm_json *
tokenizer_limit(const lm_checkpoint *checkpoint)
{
    const lm_json *limit = lm_json_get(checkpoint->tokenizer_config, "model_max_length");

    return limit ? limit : lm_json_get(checkpoint->tokenizer_config, "max_len");
}

/* The longer side's tokens, whose lengths take the place of the window. */
static double
late_window(const lm_late_spec *late, double window)
{
    double query = late->query_length > 0 ? late->query_length : window;
    double document = late->document_length > 0 ? late->document_length : window;

    if (late->writer == LM_LATE_NONE || query == 0 || document == 0)
        return window;
    return query > document ? query : document;
}

/* Computed as double, since files hold numbers far beyond int. */
int
lm_checkpoint_window(const lm_checkpoint *checkpoint, int positions)
{
    const lm_json *limit = tokenizer_limit(checkpoint);
    double window = checkpoint->sentence.max_seq_length;

    /* "No limit" is written as 1e30. */
    if (window == 0 && limit && limit->type == LM_JSON_NUMBER && limit->as.number >= 1)
        window = limit->as.number;
    window = late_window(&checkpoint->sentence.late, window);
    if (window == 0 || (positions > 0 && window > positions))
        window = positions;
    return window < INT_MAX ? (int)window : INT_MAX;
}
