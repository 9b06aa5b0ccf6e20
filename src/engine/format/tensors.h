/*
 * tensors.h - the directory of a model's tensors: safetensors files, one or in shards with an
 * index. Headers are checked whole: ranges are ordered, without gap or overlap, and cover the file;
 * the product of a shape equals its bytes; names are unique. Data is read later, in file order.
 *
 * Format: Hugging Face safetensors (8-byte little-endian header size, JSON header, data).
 */
#ifndef LM_TENSORS_H
#define LM_TENSORS_H

#include "format/source.h"

#define LM_MAX_RANK 8

typedef enum lm_dtype {
    LM_F32,
    LM_F16,
    LM_BF16,
    LM_F64,
    LM_I8,
    LM_I16,
    LM_I32,
    LM_I64,
    LM_U8,
    LM_U16,
    LM_U32,
    LM_U64,
    LM_BOOL,
    LM_DTYPE_COUNT
} lm_dtype;

typedef struct lm_dtype_info {
    const char *name; /* as safetensors writes it */
    size_t bytes;
    /* Convert n values to float; NULL where the dtype holds no weights. */
    void (*to_f32)(const void *from, float *to, size_t n);
} lm_dtype_info;

extern const lm_dtype_info lm_dtypes[LM_DTYPE_COUNT];

typedef struct lm_tensor {
    const char *name;
    const char *file;
    lm_dtype dtype;
    int rank;
    uint64_t shape[LM_MAX_RANK];
    uint64_t count;  /* product of shape; 1 for rank 0 */
    uint64_t offset; /* of the data in the file */
    uint64_t bytes;
    uint32_t order; /* position in reading order over all files */
} lm_tensor;

/* A member of a header's metadata. */
typedef struct lm_metadata {
    const char *key;
    const char *value;
} lm_metadata;

typedef struct lm_tensors {
    const lm_tensor *items; /* sorted by name */
    size_t count;
    const lm_metadata *metadata; /* of the first file */
    size_t metadata_count;
    const char *const *files; /* the files that hold them, in reading order */
    size_t file_count;
} lm_tensors;

/*
 * Read the headers of model.safetensors, or of the shards that model.safetensors.index.json names,
 * in a folder of the source ("": the source itself).
 */
lm_status lm_tensors_open(lm_context *ctx, lm_arena *arena, const lm_source *source,
                          const char *folder, lm_tensors *tensors);
/* The same for one safetensors file by name. */
lm_status lm_tensors_open_file(lm_context *ctx, lm_arena *arena, const lm_source *source,
                               const char *file, lm_tensors *tensors);
/*
 * The names alone: the index (NULL when the weights are in one file) and the files that hold the
 * tensors, in reading order. Reads nothing but the index.
 */
lm_status lm_tensors_list(lm_context *ctx, lm_arena *arena, const lm_source *source,
                          const char *folder, const char **index, const char *const **files,
                          size_t *count);
/* NULL when absent. */
const lm_tensor *lm_tensors_find(const lm_tensors *tensors, const char *name);
/* The value of a member of the metadata; NULL when absent. */
const char *lm_tensors_metadata(const lm_tensors *tensors, const char *key);

/*
 * Write the header of a safetensors file holding the given metadata and tensors (names, dtypes,
 * shapes; in this order, one after the other); the caller appends the data.
 */
struct lm_buffer;
lm_status lm_tensors_write_header(lm_context *ctx, const lm_metadata *metadata,
                                  size_t metadata_count, const lm_tensor *tensors, size_t count,
                                  struct lm_buffer *out);

#endif
