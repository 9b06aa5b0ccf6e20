/*
 * fuzz_coded.c - a file of coded weights that is accepted gives the same bytes however it is read,
 * up to its end; what is refused says which file; what the engine codes it reads again.
 *
 * An input is such a file (begins with "L"), a plane of codes behind two bytes of its length
 * (begins with "H": no check of a block hides those from changes), or a file to be coded: a byte
 * that chooses the bytes of its numbers, and its bytes.
 */
#include "format/coded.h"
#include "format/huffman.h"
#include "fuzz.h"

#define SHOWN "model.safetensors"
#define REAL SHOWN LM_CODED_SUFFIX

#define PIECE ((size_t)4096)
/* A stretch that is left out, and blocks of one byte, stand for more than can be read. */
#define READ_TO ((uint64_t)1 << 22)

typedef struct memory_file {
    const char *name, *data;
    size_t size;
} memory_file;

void
fuzz_prepare(void)
{
}

/* Two blocks, a table of codes, the directory; what is written of a file, which doubles. */
size_t
fuzz_limit(size_t size)
{
    return ((size_t)1 << 20) + 64 * size;
}

static lm_status
file_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    const memory_file *file = opaque;

    *found = strcmp(name, file->name) == 0;
    *size = *found ? file->size : 0;
    return LM_OK;
}

/* The reader asks for what is there, and for nothing else. */
static lm_status
file_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
          size_t length)
{
    const memory_file *file = opaque;

    REQUIRE(strcmp(name, file->name) == 0);
    REQUIRE(offset <= file->size && length <= file->size - offset);
    memcpy(dest, file->data + offset, length);
    return LM_OK;
}

static void
check_refusal(const lm_context *ctx, lm_status status)
{
    REQUIRE(status == LM_NO_MEMORY || status == LM_BAD_MODEL || status == LM_UNSUPPORTED);
    REQUIRE(status == LM_NO_MEMORY || strcmp(ctx->error.file, REAL) == 0);
}

/* A byte in the middle of a piece is that byte alone. `plain` is what the file stands for; NULL:
 * nobody knows. */
static lm_status
read_piece(lm_context *ctx, const lm_source *source, uint64_t at, size_t length, const char *plain)
{
    char piece[PIECE], one;
    lm_status status = source->read(ctx, source->opaque, SHOWN, at, piece, length);

    if (status != LM_OK)
        return status;
    REQUIRE(!plain || memcmp(piece, plain + at, length) == 0);
    REQUIRE(source->read(ctx, source->opaque, SHOWN, at + length / 2, &one, 1) == LM_OK);
    REQUIRE(one == piece[length / 2]);
    return LM_OK;
}

static lm_status
read_pieces(lm_context *ctx, const lm_source *source, uint64_t size, const char *plain)
{
    for (uint64_t at = 0; at < size && at < READ_TO; at += PIECE)
        LM_TRY(read_piece(ctx, source, at, size - at < PIECE ? (size_t)(size - at) : PIECE, plain));
    return LM_OK;
}

static lm_status
check_file(lm_context *ctx, lm_arena *arena, const char *data, size_t size, const char *plain,
           size_t plain_size)
{
    memory_file file = {REAL, data, size};
    const lm_source below = {&file, file_stat, file_read};
    lm_coded_files files;
    const lm_source source = lm_coded_source(&files, arena, &below);
    uint64_t shown = 0;
    bool found = false;
    char one;
    lm_status status = source.stat(ctx, source.opaque, SHOWN, &found, &shown);

    if (status == LM_OK) {
        REQUIRE(found && shown > 0 && (!plain || shown == plain_size));
        status = read_pieces(ctx, &source, shown, plain);
        if (status == LM_OK)
            REQUIRE(source.read(ctx, source.opaque, SHOWN, shown, &one, 1) == LM_BAD_MODEL);
    }
    if (status != LM_OK)
        check_refusal(ctx, status);
    REQUIRE(status == LM_OK || status == LM_NO_MEMORY || !plain);
    return status;
}

/* Memory of exactly the sizes that are named: a sanitizer sees what goes beyond. */
static lm_status
check_plane(lm_context *ctx, const char *data, size_t size)
{
    const size_t count = 1 + ((size_t)(unsigned char)data[0] | (size_t)(unsigned char)data[1] << 8);
    lm_huffman_table *table = malloc(sizeof *table);
    unsigned char *coded = malloc(size - 1), *plain = malloc(count);
    size_t used = 0;
    bool sound;

    REQUIRE(table && coded && plain);
    memcpy(coded, data + 2, size - 2);
    sound = lm_huffman_decode(table, coded, size - 2, &used, plain, count, 1);
    REQUIRE(!sound || (used > 0 && used <= size - 2));
    free(table);
    free(coded);
    free(plain);
    return sound ? LM_OK : lm_raise(ctx, LM_BAD_MODEL, "no plane");
}

static lm_status
check_again(lm_context *ctx, lm_arena *arena, const char *data, size_t size, unsigned stride)
{
    memory_file file = {SHOWN, data, size};
    const lm_source source = {&file, file_stat, file_read};
    const size_t left = size % stride;
    const lm_coded_part parts[] = {{size - left, stride, NULL}, {left, 1, NULL}};
    lm_buffer coded;
    lm_status status;

    lm_buffer_init(&coded, ctx);
    status = lm_coded_write(ctx, &source, SHOWN, size < stride ? parts + 1 : parts,
                            size >= stride && left ? 2 : 1, &coded);
    if (status == LM_OK)
        status = check_file(ctx, arena, coded.data, coded.size, data, size);
    else
        REQUIRE(status == LM_NO_MEMORY);
    lm_buffer_free(&coded);
    return status;
}

lm_status
fuzz_target(lm_context *ctx, const char *data, size_t size)
{
    lm_arena arena;
    lm_status status = LM_OK;

    lm_arena_init(&arena, ctx);
    if (size > 0 && data[0] == 'L')
        status = check_file(ctx, &arena, data, size, NULL, 0);
    else if (size >= 3 && data[0] == 'H')
        status = check_plane(ctx, data + 1, size - 1);
    else if (size >= 2)
        status = check_again(ctx, &arena, data + 1, size - 1, 1u << (data[0] & 3));
    lm_arena_free(&arena);
    return status;
}
