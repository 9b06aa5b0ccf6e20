/*
 * values.c - the values of a tensor: bytes of any dtype that holds weights become float32.
 */
#include "format/values.h"

#include <string.h>

/* Bytes of one read: some 0.2 ms from memory, so that a cancel is seen soon. */
#define READ_BYTES ((size_t)1 << 20)

/* Integers are there in files of quantised weights, and mean nothing without their scales. */
static const bool holds_weights[LM_DTYPE_COUNT] = {
    [LM_F32] = true,
    [LM_F16] = true,
    [LM_BF16] = true,
    [LM_F64] = true,
};

/* Asked for tensors that are used only: a file may hold integers elsewhere (position_ids). */
lm_status
lm_tensor_check_dtype(lm_context *ctx, const lm_tensor *tensor)
{
    if (holds_weights[tensor->dtype])
        return LM_OK;
    lm_raise(ctx, LM_UNSUPPORTED, "weights of this dtype are not supported");
    lm_detail_file(ctx, tensor->file);
    lm_detail_key(ctx, "%s", tensor->name);
    lm_detail_found(ctx, "%s", lm_dtypes[tensor->dtype].name);
    return lm_detail_allowed(ctx, "F32, F16, BF16 or F64");
}

/* Where values go: `floats`, all of them; or, where it is NULL, `piece` (READ_BYTES) and `take`. */
typedef struct destination {
    float *floats, *piece;
    char *raw; /* READ_BYTES for dtypes other than float32, else NULL */
    lm_values_take take;
    void *opaque;
} destination;

/* Whether all of n floats are finite: no exponent is all ones. */
static bool
all_finite(const float *values, size_t n)
{
    uint32_t bad = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, &values[i], sizeof bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return bad == 0;
}

/* One such value would make every vector NaN, far from its cause. */
static lm_status
refuse_value(lm_context *ctx, const lm_tensor *tensor)
{
    lm_raise(ctx, LM_BAD_MODEL, "a tensor holds NaN or infinity");
    lm_detail_file(ctx, tensor->file);
    return lm_detail_key(ctx, "%s", tensor->name);
}

/* One piece's values, read and converted; `count` of them fit the buffers. */
static lm_status
read_piece(lm_context *ctx, const lm_source *source, const lm_tensor *tensor, uint64_t done,
           size_t count, const destination *dest)
{
    const lm_dtype_info *dtype = &lm_dtypes[tensor->dtype];
    float *values = dest->floats ? dest->floats + done : dest->piece;
    void *into = dest->raw ? (void *)dest->raw : (void *)values;

    LM_TRY(source->read(ctx, source->opaque, tensor->file, tensor->offset + done * dtype->bytes,
                        into, count * dtype->bytes));
    if (dest->raw)
        dtype->to_f32(dest->raw, values, count);
    if (!all_finite(values, count))
        return refuse_value(ctx, tensor);
    if (dest->take)
        dest->take(dest->opaque, done, values, count);
    return LM_OK;
}

static lm_status
read_pieces(lm_context *ctx, const lm_source *source, const lm_tensor *tensor,
            const destination *dest)
{
    size_t width = lm_dtypes[tensor->dtype].bytes;
    size_t step = READ_BYTES / (width < sizeof(float) ? sizeof(float) : width);

    for (uint64_t done = 0; done < tensor->count; done += step) {
        size_t count = tensor->count - done < step ? (size_t)(tensor->count - done) : step;

        LM_TRY(lm_poll(ctx));
        LM_TRY(read_piece(ctx, source, tensor, done, count, dest));
    }
    return LM_OK;
}

/* Float32 to float32 goes straight to its place; all else through buffers of one piece. */
static lm_status
read_tensor(lm_context *ctx, const lm_source *source, const lm_tensor *tensor, destination dest)
{
    bool raw = tensor->dtype != LM_F32, piece = dest.take != NULL;
    lm_status status = LM_NO_MEMORY;

    if (raw)
        dest.raw = lm_alloc(ctx, READ_BYTES);
    if (piece)
        dest.piece = lm_alloc(ctx, READ_BYTES);
    if ((dest.raw || !raw) && (dest.piece || !piece))
        status = read_pieces(ctx, source, tensor, &dest);
    lm_free(ctx, dest.raw);
    lm_free(ctx, dest.piece);
    return status;
}

lm_status
lm_tensor_read(lm_context *ctx, const lm_source *source, const lm_tensor *tensor, float *dest)
{
    return read_tensor(ctx, source, tensor, (destination){.floats = dest});
}

lm_status
lm_tensor_read_pieces(lm_context *ctx, const lm_source *source, const lm_tensor *tensor,
                      lm_values_take take, void *opaque)
{
    return read_tensor(ctx, source, tensor, (destination){.take = take, .opaque = opaque});
}
