/*
 * precision.c - how near a version in reduced precision comes to its own files in float32.
 */
#include "postgres.h"

#include "common/shortest_dec.h"
#include "lib/stringinfo.h"

#include "pg/catalog/golden.h"
#include "pg/catalog/precision.h"

static const lm_text texts[] = {
    {"how do I resize images", 22},
    {"The quick brown fox jumps over the lazy dog", 43},
};

/* The float32 copy lies in the current memory context, beside the reduced one. */
char *
lmtext_precision_measure(Oid relid, const lmtext_manifest *manifest, lmtext_call *call,
                         const lm_runner *reduced, const char *name)
{
    lmtext_manifest full = *manifest;
    lmtext_copy *copy;
    lm_runner reference;
    lm_fidelity fidelity;

    full.precision = LM_PRECISION_F32;
    full.max_tokens = reduced->model->info.max_tokens;
    copy = lmtext_copy_load(relid, &full, lm_kernels_active());
    reference = (lm_runner){&copy->model, copy->session};
    lmtext_check(call,
                 lm_fidelity_measure(&call->ctx, &reference, reduced, texts, lengthof(texts),
                                     &fidelity),
                 name);
    return psprintf("{\"fidelity\":{\"texts\":%zu,\"cosine_min\":%.6f,\"cosine_mean\":%.6f}}",
                    fidelity.texts, fidelity.least, fidelity.mean);
}
