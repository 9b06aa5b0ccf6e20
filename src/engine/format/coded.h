/*
 * coded.h - safetensors files held as codes: NAME.safetensors.coded stands for NAME.safetensors,
 * and readers see the latter. Blocks of it are coded (huffman.h); stretches that an int8 version
 * does not read are left out. docs/internals/compress.md has the format.
 */
#ifndef LM_CODED_H
#define LM_CODED_H

#include "base/buffer.h"
#include "format/source.h"

#define LM_CODED_SUFFIX ".coded"

/* A source that shows such files beside those of another. */
typedef struct lm_coded_files {
    const lm_source *below;
    lm_arena *arena;
    struct lm_coded_file *first; /* those that were asked for */
} lm_coded_files;

/*
 * `below`, whose coded files are seen as what they stand for, each read front to back where its
 * reader does. Damage is LM_BAD_MODEL; a stretch that was left out is LM_UNSUPPORTED. `files`,
 * `below` and arena live as long as the source.
 */
lm_source lm_coded_source(lm_coded_files *files, lm_arena *arena, const lm_source *below);

/* The name of the file that holds `name`, in the arena where it is a coded one. */
lm_status lm_coded_name(lm_context *ctx, lm_arena *arena, const lm_source *below, const char *name,
                        const char **holder);

/* Whether a file of this name is a coded one; LM_UNSUPPORTED where it is, for who needs fp32. */
bool lm_coded_is(const char *name);
lm_status lm_coded_refuse(lm_context *ctx, const char *name);

/* ---- Writing ---- */

/* A stretch of a file that is written. */
typedef struct lm_coded_part {
    uint64_t bytes;
    unsigned stride; /* 1, 2, 4 or 8: bytes of a number, of which the first make a plane, and so on;
                        0: the stretch is left out */
    void (*change)(unsigned char *bytes, size_t size); /* of what is read, before; NULL: none */
} lm_coded_part;

/* Read a file of the source, all of which the parts are, and append what stands for it. */
lm_status lm_coded_write(lm_context *ctx, const lm_source *source, const char *name,
                         const lm_coded_part *parts, size_t count, lm_buffer *out);

#endif
