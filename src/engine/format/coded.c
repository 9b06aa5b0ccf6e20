/*
 * coded.c - coded files seen as what they stand for. Nothing is allocated by a size that the file
 * claims and does not have: a block takes eight bytes of the file at least, and decodes to 64 kB at
 * most.
 */
#include "format/coded.h"

#include <string.h>

#include "base/hash.h"
#include "format/coded_parts.h"
#include "format/huffman.h"

#define SHOWN ".safetensors"
#define NAME_ROOM 256
#define NO_BLOCK SIZE_MAX

/* A stretch of the file that is shown. */
typedef struct stretch {
    uint64_t begin, bytes;
    size_t stride; /* 0: left out */
    size_t first;  /* its first block */
} stretch;

typedef struct lm_coded_file {
    const char *name; /* as it is shown */
    const char *real;
    uint64_t size, real_size;
    stretch *stretches;
    size_t stretch_count;
    uint64_t *offsets; /* of blocks in the real file, and of its end */
    uint32_t *checks;  /* of what they stand for */
    size_t block_count;
    size_t block; /* that `bytes` has; NO_BLOCK: none */
    unsigned char *bytes, *coded;
    lm_huffman_table table;
    struct lm_coded_file *next;
} lm_coded_file;

static lm_status
refuse(lm_context *ctx, const lm_coded_file *file, uint64_t offset)
{
    lm_raise(ctx, LM_BAD_MODEL, "a file of coded weights is damaged");
    lm_detail_file(ctx, file->real);
    return lm_detail_offset(ctx, offset);
}

static lm_status
refuse_left_out(lm_context *ctx, const char *real)
{
    lm_raise(ctx, LM_UNSUPPORTED, "the model holds its matrices as int8 codes alone");
    lm_detail_file(ctx, real);
    return lm_detail_hint(ctx, "Use the version that it was compressed from.");
}

static uint64_t
number_at(const unsigned char *bytes, size_t count)
{
    uint64_t number = 0;

    for (size_t i = 0; i < count; i++)
        number |= (uint64_t)bytes[i] << 8 * i;
    return number;
}

/* ---- The directory ---- */

/* A stretch from its entry; *at is where it begins, and then where it ends. */
static lm_status
read_stretch(lm_context *ctx, lm_coded_file *file, const unsigned char *entry, uint64_t *at,
             stretch *s)
{
    const uint64_t stride = number_at(entry + 8, 8);

    *s = (stretch){*at, number_at(entry, 8), (size_t)stride, file->block_count};
    if (s->bytes == 0 || s->bytes > file->size - *at || stride > 8 ||
        (stride > 0 && ((stride & (stride - 1)) != 0 || s->bytes % stride != 0)))
        return refuse(ctx, file, LM_CODED_HEAD);
    if (stride > 0) {
        const uint64_t blocks = (s->bytes - 1) / LM_CODED_BLOCK + 1;

        if (blocks > file->real_size / LM_CODED_SIZE - file->block_count)
            return refuse(ctx, file, LM_CODED_HEAD);
        file->block_count += (size_t)blocks;
    }
    *at += s->bytes;
    return LM_OK;
}

static lm_status
read_stretches(lm_context *ctx, lm_arena *arena, lm_coded_file *file, const unsigned char *entries)
{
    uint64_t at = 0;

    file->stretches = lm_arena_array(arena, file->stretch_count, sizeof *file->stretches);
    if (!file->stretches)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < file->stretch_count; i++)
        LM_TRY(read_stretch(ctx, file, entries + i * LM_CODED_ENTRY, &at, &file->stretches[i]));
    return at == file->size ? LM_OK : refuse(ctx, file, LM_CODED_HEAD);
}

/* Blocks stand one behind the other and fill the file. */
static lm_status
place_blocks(lm_context *ctx, lm_coded_file *file, const unsigned char *sizes, uint64_t at)
{
    for (size_t i = 0; i < file->block_count; i++) {
        const uint64_t size = number_at(sizes + i * LM_CODED_SIZE, 4);

        file->offsets[i] = at;
        file->checks[i] = (uint32_t)number_at(sizes + i * LM_CODED_SIZE + 4, 4);
        if (size == 0 || size > LM_CODED_LONGEST || size > file->real_size - at)
            return refuse(ctx, file, at);
        at += size;
    }
    file->offsets[file->block_count] = at;
    return at == file->real_size ? LM_OK : refuse(ctx, file, at);
}

/* The next `size` bytes of the real file, of which there are as many; polls on the way. */
static lm_status
read_next(lm_context *ctx, const lm_coded_files *files, const lm_coded_file *file, uint64_t *at,
          size_t size, unsigned char **bytes)
{
    *bytes = NULL;
    if (size > file->real_size - *at)
        return refuse(ctx, file, *at);
    if (!(*bytes = lm_arena_alloc(files->arena, size + 1)))
        return lm_arena_tell(ctx, files->arena, LM_NO_MEMORY);
    for (size_t done = 0; done < size;) {
        const size_t piece = size - done < LM_CODED_BLOCK ? size - done : LM_CODED_BLOCK;

        LM_TRY(lm_poll(ctx));
        LM_TRY(
            files->below->read(ctx, files->below->opaque, file->real, *at, *bytes + done, piece));
        done += piece;
        *at += piece;
    }
    return LM_OK;
}

/* All in front of the blocks. */
static lm_status
read_directory(lm_context *ctx, const lm_coded_files *files, lm_coded_file *file)
{
    unsigned char *head, *entries, *sizes;
    uint64_t at = 0, count;

    LM_TRY(read_next(ctx, files, file, &at, LM_CODED_HEAD, &head));
    file->size = number_at(head + 8, 8);
    count = number_at(head + 16, 8);
    if (memcmp(head, LM_CODED_MAGIC, 8) != 0 || count == 0 ||
        count > file->real_size / LM_CODED_ENTRY)
        return refuse(ctx, file, 0);
    file->stretch_count = (size_t)count;
    LM_TRY(read_next(ctx, files, file, &at, file->stretch_count * LM_CODED_ENTRY, &entries));
    LM_TRY(lm_arena_tell(ctx, files->arena, read_stretches(ctx, files->arena, file, entries)));
    LM_TRY(read_next(ctx, files, file, &at, file->block_count * LM_CODED_SIZE, &sizes));
    file->offsets = lm_arena_array(files->arena, file->block_count + 1, sizeof *file->offsets);
    file->checks = lm_arena_array(files->arena, file->block_count + 1, sizeof *file->checks);
    if (!file->offsets || !file->checks)
        return lm_arena_tell(ctx, files->arena, LM_NO_MEMORY);
    return place_blocks(ctx, file, sizes, at);
}

/* ---- Files that are shown ---- */

static bool
is_weights(const char *name)
{
    const size_t length = strlen(name), end = strlen(SHOWN);

    return length > end && length < NAME_ROOM - sizeof LM_CODED_SUFFIX &&
           strcmp(name + length - end, SHOWN) == 0;
}

/* Whether another file holds it, and which. */
static lm_status
find_holder(lm_context *ctx, const lm_source *below, const char *name, char real[NAME_ROOM],
            bool *found, uint64_t *size)
{
    *found = false;
    if (!is_weights(name))
        return LM_OK;
    memcpy(real, name, strlen(name));
    memcpy(real + strlen(name), LM_CODED_SUFFIX, sizeof LM_CODED_SUFFIX);
    return below->stat(ctx, below->opaque, real, found, size);
}

static lm_coded_file *
find(const lm_coded_files *files, const char *name)
{
    lm_coded_file *file = files->first;

    while (file && strcmp(file->name, name) != 0)
        file = file->next;
    return file;
}

static lm_status
open_file(lm_context *ctx, lm_coded_files *files, const char *name, const char *real, uint64_t size)
{
    lm_coded_file *file = lm_arena_zero(files->arena, sizeof *file);

    if (file) {
        file->block = NO_BLOCK;
        file->real_size = size;
        file->name = lm_arena_copy(files->arena, name, strlen(name));
        file->real = lm_arena_copy(files->arena, real, strlen(real));
        file->bytes = lm_arena_alloc(files->arena, LM_CODED_BLOCK);
        file->coded = lm_arena_alloc(files->arena, LM_CODED_LONGEST);
    }
    if (!file || !file->name || !file->real || !file->bytes || !file->coded)
        return lm_arena_tell(ctx, files->arena, LM_NO_MEMORY);
    LM_TRY(read_directory(ctx, files, file));
    file->next = files->first;
    files->first = file;
    return LM_OK;
}

static lm_status
coded_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    lm_coded_files *files = opaque;
    const lm_coded_file *file;
    char real[NAME_ROOM];

    LM_TRY(find_holder(ctx, files->below, name, real, found, size));
    if (!*found)
        return files->below->stat(ctx, files->below->opaque, name, found, size);
    if (!find(files, name))
        LM_TRY(open_file(ctx, files, name, real, *size));
    file = find(files, name);
    if (file->real_size != *size) {
        lm_raise(ctx, LM_IO_ERROR, "a file of the model changed while it was read");
        return lm_detail_file(ctx, real);
    }
    *size = file->size;
    return LM_OK;
}

/* ---- Reading ---- */

static lm_status
load_block(lm_context *ctx, const lm_source *below, lm_coded_file *file, const stretch *s,
           size_t index)
{
    const uint64_t from = (uint64_t)index * LM_CODED_BLOCK, left = s->bytes - from;
    const size_t block = s->first + index;
    const size_t count = (left < LM_CODED_BLOCK ? (size_t)left : LM_CODED_BLOCK) / s->stride;
    const uint64_t offset = file->offsets[block];
    const size_t size = (size_t)(file->offsets[block + 1] - offset);
    size_t at = 0, used;

    if (file->block == block)
        return LM_OK;
    file->block = NO_BLOCK;
    LM_TRY(lm_poll(ctx));
    LM_TRY(below->read(ctx, below->opaque, file->real, offset, file->coded, size));
    for (size_t plane = 0; plane < s->stride; plane++, at += used)
        if (!lm_huffman_decode(&file->table, file->coded + at, size - at, &used,
                               file->bytes + plane, count, s->stride))
            return refuse(ctx, file, offset);
    if (at != size ||
        (uint32_t)lm_hash_bytes(file->bytes, count * s->stride, 0) != file->checks[block])
        return refuse(ctx, file, offset);
    file->block = block;
    return LM_OK;
}

/* The last stretch that begins at `at` or before it. */
static const stretch *
find_stretch(const lm_coded_file *file, uint64_t at)
{
    size_t low = 0, high = file->stretch_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        *(file->stretches[middle].begin <= at ? &low : &high) = middle;
    }
    return &file->stretches[low];
}

/* As many bytes from `at` on as one block has. */
static lm_status
read_piece(lm_context *ctx, const lm_source *below, lm_coded_file *file, uint64_t at,
           unsigned char *to, size_t length, size_t *piece)
{
    const stretch *s = find_stretch(file, at);
    const uint64_t inside = at - s->begin;
    const size_t start = (size_t)(inside % LM_CODED_BLOCK);
    size_t room = LM_CODED_BLOCK - start;

    if (s->stride == 0)
        return refuse_left_out(ctx, file->real);
    LM_TRY(load_block(ctx, below, file, s, (size_t)(inside / LM_CODED_BLOCK)));
    if (room > s->bytes - inside)
        room = (size_t)(s->bytes - inside);
    *piece = length < room ? length : room;
    memcpy(to, file->bytes + start, *piece);
    return LM_OK;
}

static lm_status
coded_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
           size_t length)
{
    const lm_coded_files *files = opaque;
    lm_coded_file *file = find(files, name);
    unsigned char *to = dest;
    size_t piece = 0;

    if (!file)
        return files->below->read(ctx, files->below->opaque, name, offset, dest, length);
    if (offset > file->size || length > file->size - offset) {
        lm_raise(ctx, LM_BAD_MODEL, "a file of the model is truncated");
        return lm_detail_file(ctx, file->real);
    }
    for (; length > 0; to += piece, offset += piece, length -= piece)
        LM_TRY(read_piece(ctx, files->below, file, offset, to, length, &piece));
    return LM_OK;
}

lm_source
lm_coded_source(lm_coded_files *files, lm_arena *arena, const lm_source *below)
{
    *files = (lm_coded_files){.below = below, .arena = arena};
    return (lm_source){files, coded_stat, coded_read};
}

lm_status
lm_coded_name(lm_context *ctx, lm_arena *arena, const lm_source *below, const char *name,
              const char **holder)
{
    char real[NAME_ROOM];
    uint64_t size;
    bool found;

    *holder = name;
    LM_TRY(find_holder(ctx, below, name, real, &found, &size));
    if (found && !(*holder = lm_arena_copy(arena, real, strlen(real))))
        return LM_NO_MEMORY;
    return LM_OK;
}

bool
lm_coded_is(const char *name)
{
    const size_t length = strlen(name), end = strlen(LM_CODED_SUFFIX);

    return length > end && strcmp(name + length - end, LM_CODED_SUFFIX) == 0;
}

lm_status
lm_coded_refuse(lm_context *ctx, const char *name)
{
    return lm_coded_is(name) ? refuse_left_out(ctx, name) : LM_OK;
}
