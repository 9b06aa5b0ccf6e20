/*
 * fuzz_tensors.c - the tensors of a safetensors file that is accepted tile its data from the end of
 * the header to the end of the file, each as long as its shape and dtype say; names are unique and
 * found again; conversion to float stays in bounds and yields finite numbers or a refusal; a header
 * written from the directory is read as the same directory.
 *
 * An input that begins with '{' is a header alone (fuzz.h), any other the whole file.
 */
#include <math.h>

#include "base/buffer.h"
#include "family/family.h"
#include "format/tensors.h"
#include "fuzz.h"

#define NAME "model.safetensors"

/* Longest tensor that is read whole. */
#define READ_LIMIT ((uint64_t)1 << 16)

void
fuzz_prepare(void)
{
}

/* The parsed header, beside its text, the directory, and a tensor with the piece being read. */
size_t
fuzz_limit(size_t size)
{
    return ((size_t)1 << 22) + 1024 * size;
}

static const lm_tensor *
by_order(const lm_tensors *tensors, uint32_t order)
{
    for (size_t i = 0; i < tensors->count; i++)
        if (tensors->items[i].order == order)
            return &tensors->items[i];
    return NULL;
}

/* Each product is at most the file's size, so it does not wrap. */
static void
check_tensor(const lm_tensors *tensors, const lm_tensor *tensor)
{
    uint64_t count = 1;

    REQUIRE(tensor->dtype < LM_DTYPE_COUNT && tensor->rank <= LM_MAX_RANK);
    for (int i = 0; i < tensor->rank; i++) {
        REQUIRE(tensor->shape[i] > 0);
        REQUIRE(!__builtin_mul_overflow(count, tensor->shape[i], &count));
    }
    REQUIRE(count == tensor->count);
    REQUIRE(tensor->bytes / lm_dtypes[tensor->dtype].bytes == count);
    REQUIRE(tensor->bytes % lm_dtypes[tensor->dtype].bytes == 0);
    REQUIRE(lm_tensors_find(tensors, tensor->name) == tensor);
    REQUIRE(tensor->name[0] != '\0');
}

/* In the order of the data, without gap or overlap, to the end. */
static void
check_tiles(const lm_tensors *tensors, const fuzz_file *file)
{
    uint64_t end = file->read_to; /* the header's end */

    for (size_t i = 0; i < tensors->count; i++) {
        const lm_tensor *tensor = by_order(tensors, (uint32_t)i);

        REQUIRE(tensor && tensor->offset == end);
        end += tensor->bytes;
        check_tensor(tensors, tensor);
        REQUIRE(i == 0 || strcmp(tensors->items[i - 1].name, tensors->items[i].name) < 0);
    }
    REQUIRE(end == file->size);
}

/* Room for exactly the numbers that there are. */
static lm_status
read_tensor(lm_context *ctx, const lm_source *source, const lm_tensor *tensor)
{
    float *values;
    lm_status status;

    if (lm_tensor_check_dtype(ctx, tensor) != LM_OK)
        return LM_OK;
    values = malloc((size_t)tensor->count * sizeof *values);
    status = lm_tensor_read(ctx, source, tensor, values);
    for (uint64_t i = 0; status == LM_OK && i < tensor->count; i++)
        REQUIRE(isfinite(values[i]));
    free(values);
    return status == LM_NO_MEMORY ? status : LM_OK;
}

/* What the directory says, written as a header, is a file that reads back the same. */
static lm_status
write_back(lm_context *ctx, lm_arena *arena, const lm_tensors *tensors, lm_buffer *out)
{
    lm_tensor *ordered = lm_arena_array(arena, tensors->count, sizeof *ordered);
    fuzz_folder folder = {.count = 0};
    lm_source source = fuzz_folder_source(&folder);
    lm_tensors again;

    if (!ordered)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < tensors->count; i++)
        ordered[i] = *by_order(tensors, (uint32_t)i);
    REQUIRE_OK(ctx, lm_tensors_write_header(ctx, NULL, 0, ordered, tensors->count, out));
    fuzz_folder_add(&folder, NAME, out->data + 8, out->size - 8);
    REQUIRE_OK(ctx, lm_tensors_open(ctx, arena, &source, "", &again));
    REQUIRE(again.count == tensors->count);
    for (size_t i = 0; i < again.count; i++) {
        const lm_tensor *a = &tensors->items[i], *b = &again.items[i];

        REQUIRE(strcmp(a->name, b->name) == 0 && a->dtype == b->dtype && a->rank == b->rank);
        REQUIRE(memcmp(a->shape, b->shape, sizeof a->shape) == 0);
        REQUIRE(a->count == b->count && a->bytes == b->bytes && a->order == b->order);
    }
    return LM_OK;
}

static lm_status
check_accepted(lm_context *ctx, lm_arena *arena, const lm_source *source, const fuzz_file *file,
               const lm_tensors *tensors)
{
    lm_buffer out;
    lm_status status;

    check_tiles(tensors, file);
    for (size_t i = 0; i < tensors->count; i++) {
        const lm_tensor *tensor = by_order(tensors, (uint32_t)i);

        if (tensor->bytes <= READ_LIMIT)
            LM_TRY(read_tensor(ctx, source, tensor));
    }
    lm_buffer_init(&out, ctx);
    status = write_back(ctx, arena, tensors, &out);
    lm_buffer_free(&out);
    return status;
}

lm_status
fuzz_target(lm_context *ctx, const char *data, size_t size)
{
    fuzz_folder folder = {.count = 0};
    lm_source source = fuzz_folder_source(&folder);
    lm_tensors tensors;
    lm_arena arena;
    lm_status status;

    fuzz_folder_add(&folder, NAME, data, size);
    lm_arena_init(&arena, ctx);
    status = lm_tensors_open(ctx, &arena, &source, "", &tensors);
    if (status == LM_OK)
        status = check_accepted(ctx, &arena, &source, &folder.files[0], &tensors);
    else
        REQUIRE(strcmp(ctx->error.file, NAME) == 0 || status == LM_NO_MEMORY);
    lm_arena_free(&arena);
    return status;
}
