/*
 * compress.h - an int8 model without the float32 of its matrices: files of codes (format/coded.h)
 * that make the same image. docs/internals/compress.md has the scheme.
 */
#ifndef LM_COMPRESS_H
#define LM_COMPRESS_H

#include "base/buffer.h"
#include "model/model.h"

/* A file that takes the place of a safetensors file. */
typedef struct lm_compressed_file {
    const char *name;
    lm_buffer bytes;
} lm_compressed_file;

typedef struct lm_compressed {
    lm_compressed_file *files; /* in the arena, but for their bytes */
    size_t count;
    uint64_t fp32_bytes;  /* of the model's files without the int8 matrices */
    uint64_t int8_bytes;  /* with them */
    uint64_t bytes;       /* of the files as they are now */
    uint64_t codes;       /* int8 codes of matrices */
    uint64_t codes_coded; /* bytes that stand for them and their scales */
} lm_compressed;

/*
 * The coded files of a model that has LM_QUANTIZED_FILE: a source with these over `source` loads at
 * precision int8 to the same image, bit by bit, which is checked here. Each file of the source is
 * read several times, each time front to back. LM_UNSUPPORTED where there is no encoder of a
 * family. Polls cancel.
 */
lm_status lm_compress(lm_context *ctx, lm_arena *arena, const lm_source *source,
                      const lm_model_options *options, lm_compressed *compressed);
void lm_compressed_free(lm_compressed *compressed);

/* `below` with these files; the layers live in the arena. */
lm_status lm_compressed_source(lm_arena *arena, const lm_compressed *compressed,
                               const lm_source *below, lm_source *source);

#endif
