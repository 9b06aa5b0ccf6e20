/*
 * other_folder.c - a folder that has no settings of a model but a model in one file of a format
 * that is not read (GGUF, ONNX): refused by that file rather than for what is missing.
 */
#include "format/container.h"
#include "format/other_weights.h"

static lm_status
probe(lm_reader *r, bool *found)
{
    static const char *const settings[] = {"config.json", "modules.json"};

    *found = false;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0] && !*found; i++)
        LM_TRY(lm_reader_exists(r, settings[i], found));
    if (!*found)
        LM_TRY(lm_other_weights_check(r->ctx, r->arena, r->source, ""));
    *found = false;
    return LM_OK;
}

/* Nothing is listed or opened: a probe that knows the folder fails. */
const lm_container lm_other_folder = {"other format", probe, NULL, NULL};
