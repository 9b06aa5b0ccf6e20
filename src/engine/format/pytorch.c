/*
 * pytorch.c - the directory of a file of torch.save: a zip archive in which NAME/data.pkl describes
 * the tensors and NAME/data/KEY are their storages, as bytes. It becomes the header of a
 * safetensors file and a list of where each tensor's bytes are.
 */
#include "format/pytorch.h"

#include <string.h>

#include "base/buffer.h"
#include "base/size.h"
#include "format/looks.h"
#include "format/pickle.h"
#include "format/zip.h"

#define PICKLE "data.pkl"
#define PICKLE_LIMIT ((uint64_t)32 << 20)

/* Tied weights share a storage; more of it than of any model would make a small file large. */
#define SHARE_LIMIT 8

/* One file on its way. */
typedef struct archive {
    lm_context *ctx;
    lm_arena *arena, *scratch; /* of what stays, and of what is needed once */
    const lm_source *source;
    lm_shown_file *file;
    lm_zip zip;
    const char *folder; /* with its slash; terminated */
    lm_pickle pickle;
} archive;

static lm_status
bad_archive(const archive *a, lm_status status, const char *message)
{
    lm_raise(a->ctx, status, "%s", message);
    return lm_detail_file(a->ctx, a->file->real);
}

/* Before version 1.6 torch wrote pickles one behind the other. */
static lm_status
check_kind(const archive *a)
{
    unsigned char first[LM_LOOKS_BYTES];
    size_t length = a->file->real_size < sizeof first ? (size_t)a->file->real_size : sizeof first;

    LM_TRY(a->source->read(a->ctx, a->source->opaque, a->file->real, 0, first, length));
    if (length >= 4 && memcmp(first, "PK\3\4", 4) == 0)
        return LM_OK;
    if (length >= 2 && first[0] == 0x80) {
        bad_archive(a, LM_UNSUPPORTED, "a file of weights is a pickle of an old form of PyTorch");
        lm_detail_allowed(a->ctx, "a zip archive, as torch.save writes since version 1.6");
        return lm_detail_hint(a->ctx, LM_PICKLE_HINT);
    }
    LM_TRY(lm_looks_check(a->ctx, LM_BAD_MODEL, a->file->real, first, length));
    return bad_archive(a, LM_BAD_MODEL, "a file of weights is not a zip archive of PyTorch");
}

/* All files of the archive are in one folder, whose name is any. */
static lm_status
find_folder(archive *a)
{
    for (size_t i = 0; i < a->zip.count; i++) {
        const lm_zip_entry *entry = &a->zip.entries[i];
        const char *slash = memchr(entry->name, '/', entry->length);

        if (!slash || strcmp(slash + 1, PICKLE) != 0)
            continue;
        a->folder = lm_arena_copy(a->scratch, entry->name, (size_t)(slash + 1 - entry->name));
        return a->folder ? LM_OK : LM_NO_MEMORY;
    }
    return bad_archive(a, LM_BAD_MODEL, "a zip archive of weights has no " PICKLE);
}

/* An entry of the archive's folder; NULL when absent. */
static const lm_zip_entry *
find_entry(const archive *a, const char *name, size_t length)
{
    size_t folder = strlen(a->folder);
    char full[LM_ZIP_NAME_LIMIT];

    if (folder > sizeof full || length > sizeof full - folder)
        return NULL;
    memcpy(full, a->folder, folder);
    memcpy(full + folder, name, length);
    return lm_zip_find(&a->zip, full, folder + length);
}

/* The bytes of an entry of at most `limit`; *bytes is NULL where it is absent. */
static lm_status
read_entry(const archive *a, const char *name, uint64_t limit, char **bytes, size_t *size,
           uint64_t *offset)
{
    const lm_zip_entry *entry = find_entry(a, name, strlen(name));

    *bytes = NULL;
    if (!entry)
        return LM_OK;
    if (entry->size > limit) {
        bad_archive(a, LM_TOO_LARGE, "an entry of a zip archive of weights is too large");
        return lm_detail_key(a->ctx, "%s", entry->name);
    }
    LM_TRY(lm_zip_locate(&a->zip, entry, offset));
    *size = (size_t)entry->size;
    *bytes = lm_arena_alloc(a->scratch, *size + 1);
    if (!*bytes)
        return LM_NO_MEMORY;
    return a->source->read(a->ctx, a->source->opaque, a->file->real, *offset, *bytes, *size);
}

/* Versions before 2.1 do not say it: they wrote on such machines, too, but hardly anybody did. */
static lm_status
check_order(const archive *a)
{
    uint64_t offset;
    size_t size = 0;
    char *order;

    LM_TRY(read_entry(a, "byteorder", 16, &order, &size, &offset));
    if (!order || (size == 6 && memcmp(order, "little", 6) == 0))
        return LM_OK;
    bad_archive(a, LM_UNSUPPORTED, "the byte order of a file of weights is not supported");
    return lm_detail_allowed(a->ctx, "little");
}

static lm_status
read_pickle(archive *a)
{
    char *bytes;

    LM_TRY(read_entry(a, PICKLE, PICKLE_LIMIT, &bytes, &a->pickle.size, &a->pickle.offset));
    if (!bytes)
        return bad_archive(a, LM_BAD_MODEL, "a zip archive of weights has no " PICKLE);
    a->pickle.file = a->file->real;
    a->pickle.bytes = bytes;
    return lm_pickle_read(a->ctx, a->scratch, &a->pickle);
}

/* --- the tensors ------------------------------------------------------------------------------ */

static lm_status
bad_tensor(const archive *a, const char *name, const char *message)
{
    bad_archive(a, LM_BAD_MODEL, message);
    return lm_detail_key(a->ctx, "%s", name);
}

/* Where the storage's bytes begin, which are as many as the pickle says. */
static lm_status
locate(const archive *a, const char *name, const lm_pickle_storage *storage, uint64_t *offset)
{
    const size_t prefix = strlen("data/");
    const lm_zip_entry *entry = NULL;
    char path[64] = "data/";
    uint64_t bytes;

    if (storage->key.length < sizeof path - prefix) {
        memcpy(path + prefix, storage->key.bytes, storage->key.length);
        entry = find_entry(a, path, prefix + storage->key.length);
    }
    if (!entry)
        return bad_tensor(a, name, "the storage of a tensor is not in its zip archive");
    if (__builtin_mul_overflow(storage->count, lm_dtypes[storage->dtype].bytes, &bytes) ||
        bytes != entry->size) {
        bad_tensor(a, name, "the storage of a tensor is not as long as its pickle says");
        lm_detail_found(a->ctx, "%llu bytes", (unsigned long long)entry->size);
        return lm_detail_allowed(a->ctx, "%llu values of %zu bytes",
                                 (unsigned long long)storage->count,
                                 lm_dtypes[storage->dtype].bytes);
    }
    return lm_zip_locate(&a->zip, entry, offset);
}

/* The tensor lies within its storage, which is checked, so nothing overflows here but the sum. */
static lm_status
read_tensor(const archive *a, const lm_pickle_item *item, lm_tensor *tensor, lm_shown_part *part)
{
    const lm_pickle_tensor *from = item->tensor;
    const size_t width = lm_dtypes[from->storage->dtype].bytes;

    *tensor = (lm_tensor){.dtype = from->storage->dtype, .rank = from->rank, .count = from->count};
    tensor->name = lm_arena_copy(a->scratch, item->name.bytes, item->name.length);
    if (!tensor->name)
        return LM_NO_MEMORY;
    if (item->name.length == 0 || strlen(tensor->name) != item->name.length)
        return bad_tensor(a, tensor->name, "a tensor's name is empty or holds U+0000");
    memcpy(tensor->shape, from->shape, sizeof tensor->shape);
    LM_TRY(locate(a, tensor->name, from->storage, &part->offset));
    part->offset += from->first * width;
    tensor->bytes = from->count * width;
    part->begin = a->file->size;
    if (!__builtin_add_overflow(a->file->size, tensor->bytes, &a->file->size) &&
        a->file->size / SHARE_LIMIT <= a->file->real_size)
        return LM_OK;
    bad_archive(a, LM_TOO_LARGE, "the tensors of a file of weights share their values too often");
    return lm_detail_key(a->ctx, "%s", tensor->name);
}

static lm_status
read_tensors(const archive *a, lm_tensor *tensors, lm_shown_part *parts)
{
    size_t i = 0;

    for (const lm_pickle_item *item = a->pickle.first; item; item = item->next, i++) {
        LM_TRY(lm_poll(a->ctx));
        LM_TRY(read_tensor(a, item, &tensors[i], &parts[i]));
    }
    return LM_OK;
}

static lm_status
write_header(const archive *a, const lm_tensor *tensors)
{
    lm_shown_file *file = a->file;
    lm_buffer out;
    lm_status status;

    lm_buffer_init(&out, a->ctx);
    status = lm_tensors_write_header(a->ctx, NULL, 0, tensors, a->pickle.count, &out);
    if (status == LM_OK) {
        file->header = lm_arena_copy(a->arena, out.data, out.size);
        file->header_size = out.size;
        status = file->header ? LM_OK : LM_NO_MEMORY;
    }
    lm_buffer_free(&out);
    if (status == LM_OK && __builtin_add_overflow(file->size, file->header_size, &file->size))
        return bad_archive(a, LM_TOO_LARGE, "the tensors of a file are too large");
    return status;
}

static lm_status
read_archive(archive *a)
{
    lm_shown_part *parts;
    lm_tensor *tensors;

    LM_TRY(check_kind(a));
    LM_TRY(lm_zip_open(a->ctx, a->scratch, a->source, a->file->real, &a->zip));
    LM_TRY(find_folder(a));
    LM_TRY(check_order(a));
    LM_TRY(read_pickle(a));
    tensors = lm_arena_array(a->scratch, a->pickle.count, sizeof *tensors);
    parts = lm_arena_array(a->arena, a->pickle.count, sizeof *parts);
    if (!tensors || !parts)
        return LM_NO_MEMORY;
    a->file->parts = parts;
    a->file->part_count = a->pickle.count;
    LM_TRY(read_tensors(a, tensors, parts));
    return write_header(a, tensors);
}

lm_status
lm_pytorch_read(lm_context *ctx, lm_arena *arena, const lm_source *source, lm_shown_file *file)
{
    lm_arena scratch;
    archive a = {.ctx = ctx, .arena = arena, .scratch = &scratch, .source = source, .file = file};
    lm_status status;

    lm_arena_init(&scratch, ctx);
    file->size = 0;
    status = read_archive(&a);
    lm_arena_free(&scratch);
    return status;
}
