/*
 * fuzz_pickle.c - a file of torch.save that is accepted is shown as a safetensors file whose reader
 * accepts it, too, and every byte of it can be read; what is refused says which file.
 *
 * An input is a whole zip archive (begins with "PK"), or a pickle alone, of which every tensor lies
 * within its storage.
 */
#include "format/pickle.h"
#include "format/pytorch.h"
#include "fuzz.h"

#define FILE_NAME "pytorch_model.bin"

/* Shares of a small storage may make a file eight times as long. */
#define PIECE ((size_t)4096)

typedef struct memory_file {
    const char *data;
    size_t size;
} memory_file;

void
fuzz_prepare(void)
{
}

/* Values of the stack and of the memo, which double; entries of the directory; the header. */
size_t
fuzz_limit(size_t size)
{
    return ((size_t)1 << 22) + 4096 * size;
}

static lm_status
file_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    const memory_file *file = opaque;

    *found = strcmp(name, FILE_NAME) == 0;
    *size = *found ? file->size : 0;
    return LM_OK;
}

/* The reader asks for what is there, and for nothing else. */
static lm_status
file_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
          size_t length)
{
    const memory_file *file = opaque;

    REQUIRE(strcmp(name, FILE_NAME) == 0);
    REQUIRE(offset <= file->size && length <= file->size - offset);
    memcpy(dest, file->data + offset, length);
    return LM_OK;
}

/* From front to back, as a copy of an import reads. */
static void
read_whole(lm_context *ctx, const lm_source *source, const char *name)
{
    char piece[PIECE];
    bool found = false;
    uint64_t size;

    REQUIRE(source->stat(ctx, source->opaque, name, &found, &size) == LM_OK && found);
    for (uint64_t at = 0; at < size; at += PIECE) {
        size_t length = size - at < PIECE ? (size_t)(size - at) : PIECE;

        REQUIRE(source->read(ctx, source->opaque, name, at, piece, length) == LM_OK);
    }
    REQUIRE(source->read(ctx, source->opaque, name, size, piece, 1) != LM_OK);
}

static lm_status
check_archive(lm_context *ctx, lm_arena *arena, const char *data, size_t size)
{
    memory_file file = {data, size};
    lm_source below = {&file, file_stat, file_read}, source;
    lm_pytorch_files files;
    lm_tensors tensors;
    lm_status status;

    source = lm_pytorch_source(&files, arena, &below);
    status = lm_tensors_open(ctx, arena, &source, "", &tensors);
    if (status == LM_OK)
        read_whole(ctx, &source, "model.safetensors");
    else
        REQUIRE(status == LM_NO_MEMORY || ctx->error.file[0] != '\0');
    return status;
}

static lm_status
check_pickle(lm_context *ctx, lm_arena *arena, const char *data, size_t size)
{
    lm_pickle pickle = {.file = FILE_NAME, .bytes = data, .size = size};
    size_t count = 0;

    LM_TRY(lm_pickle_read(ctx, arena, &pickle));
    for (const lm_pickle_item *item = pickle.first; item; item = item->next, count++) {
        const lm_pickle_tensor *tensor = item->tensor;
        uint64_t product = 1;

        REQUIRE(tensor->rank <= LM_MAX_RANK && tensor->storage->dtype < LM_DTYPE_COUNT);
        for (int i = 0; i < tensor->rank; i++)
            REQUIRE(!__builtin_mul_overflow(product, tensor->shape[i], &product));
        REQUIRE(product == tensor->count && product > 0);
        REQUIRE(tensor->first <= tensor->storage->count);
        REQUIRE(tensor->count <= tensor->storage->count - tensor->first);
        REQUIRE(item->name.bytes >= data && item->name.bytes + item->name.length <= data + size);
    }
    REQUIRE(count == pickle.count);
    return LM_OK;
}

lm_status
fuzz_target(lm_context *ctx, const char *data, size_t size)
{
    lm_arena arena;
    lm_status status;

    lm_arena_init(&arena, ctx);
    if (size >= 2 && memcmp(data, "PK", 2) == 0)
        status = check_archive(ctx, &arena, data, size);
    else
        status = check_pickle(ctx, &arena, data, size);
    lm_arena_free(&arena);
    return status;
}
