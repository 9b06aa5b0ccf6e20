/*
 * precision.h - inside this room: what a version in reduced precision has beside its files.
 */
#ifndef LMTEXT_PRECISION_H
#define LMTEXT_PRECISION_H

#include "base/buffer.h"
#include "pg/catalog/catalog.h"
#include "quant/compress.h"

/*
 * The files of a version that is made: those of another source, with the file of int8 matrices for
 * int8, and without it for other precisions.
 */
typedef struct lmtext_precision_files {
    const lm_source *from;
    lm_source_with_file with_codes;
    lm_buffer codes; /* LM_QUANTIZED_FILE as it was made; empty: none was */
    lm_source whole; /* with these; what is compressed, if anything is */
    lm_arena arena;
    lm_compressed compressed;
    char *metrics; /* JSON object, of its making; NULL: none was made */
} lmtext_precision_files;

/*
 * Calibrates where int8 asks for it and `from` has no result yet. The buffer allocates from `call`;
 * the float32 model that it takes goes before the return.
 */
void lmtext_precision_open(lmtext_precision_files *files, lmtext_call *call, const lm_source *from,
                           const lmtext_version_options *options, const char *name,
                           lm_source *source);

/*
 * Behind it, of an int8 version: files of codes in place of its weights, and in the metrics how
 * large they are.
 */
void lmtext_precision_compress(lmtext_precision_files *files, lmtext_call *call,
                               const lmtext_version_options *options,
                               const lm_model_options *loading, const char *name,
                               lm_source *source);

/*
 * Compares a model in reduced precision with the version in float32, of whose files it is; a JSON
 * object for the manifest's metrics, palloc'd; NULL where the version has int8 codes alone. Takes
 * memory for both from the current context.
 */
char *lmtext_precision_measure(Oid relid, const lmtext_manifest *manifest, lmtext_call *call,
                               lm_session *session, const lm_model *reduced, const char *name);

#endif
