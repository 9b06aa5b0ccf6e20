/*
 * quantize.h - a model's matrices in int8, calibrated: rounded so that the model's results on real
 * texts change least. docs/internals/quantize.md has the scheme.
 */
#ifndef LM_QUANTIZE_H
#define LM_QUANTIZE_H

#include "base/buffer.h"
#include "task/fidelity.h"

/* At most this many tokens are read: more of them would show little more. */
#define LM_QUANTIZE_MAX_TOKENS ((uint64_t)65536)

typedef struct lm_quantize_options {
    /*
     * Texts to calibrate on. Every fifth is held out, to measure on; so there must be five at
     * least. NULL: the texts that ship with lmtext.
     */
    const lm_text *texts;
    size_t count;
    size_t memory; /* bytes for statistics of inputs at a time; 0: 320 MB */
} lm_quantize_options;

typedef struct lm_quantize_report {
    lm_fidelity fidelity; /* int8 to fp32, over the held-out texts */
    size_t texts;         /* calibrated on */
    uint64_t tokens;      /* of these */
    size_t matrices;
} lm_quantize_report;

/*
 * Append the content of LM_QUANTIZED_FILE to `file`, which is empty: with it beside its files a
 * model loads as calibrated at precision int8, at every kernel level, and gives the embeddings that
 * the report describes. `model` is bound at precision fp32, `source` has its files, of which each
 * is read once. The same texts give the same bytes on one machine. options may be NULL.
 *
 * Memory beyond the file: an int8 image of the model, options->memory or what the widest matrix
 * needs (4 K² bytes twice, 10240 K and 8 N K), and the session's. Polls cancel.
 */
lm_status lm_quantize(lm_context *ctx, lm_session *session, const lm_model *model,
                      const lm_source *source, const lm_quantize_options *options, lm_buffer *file,
                      lm_quantize_report *report);

#endif
