/*
 * tensors.c - the directory of tensors: headers of safetensors files, and the index over shards.
 *
 * A file is 8 bytes of header size (little-endian), the header (a JSON object from name to dtype,
 * shape and data_offsets; "__metadata__" holds strings for people), and the data. Laws: a header is
 * believed only after every claim is checked against the file's size; the ranges sorted by offset
 * must tile the data exactly, which rules out overlap, gap and trailing bytes at once; nothing is
 * allocated by a size that the file claims and does not have. Headers are read front to back, so
 * that a stream can serve them.
 */
#include "format/tensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/size.h"
#include "base/sort.h"
#include "format/json.h"
#include "format/looks.h"
#include "format/other_weights.h"

#define SINGLE_FILE "model.safetensors"
#define INDEX_FILE "model.safetensors.index.json"
#define SUFFIX ".safetensors"
#define METADATA "__metadata__"

#define PREAMBLE ((uint64_t)8) /* bytes of the header's size */
#define HEADER_LIMIT ((uint64_t)100000000)
#define TENSOR_LIMIT ((size_t)100000)
#define SHARD_LIMIT ((size_t)1000)

/* Bytes between two polls of cancel while a header is read. */
#define PIECE ((size_t)1 << 20)

/* One header on its way into the directory. */
typedef struct tensor_file {
    lm_context *ctx;
    lm_arena *arena;   /* of the directory */
    lm_arena *scratch; /* of parsed JSON */
    const lm_source *source;
    const char *name;
    uint64_t data_start; /* offset of the data in the file */
    uint64_t data_size;
    lm_tensor *items;
    size_t count;
    lm_metadata *metadata;
    size_t metadata_count;
} tensor_file;

/* --- errors ----------------------------------------------------------------------------------- */
/*
 * Messages name the file always, the tensor where there is one, and what the header said: a user
 * who meets one needs to know whether the download broke or the file is of another kind.
 */

/* Malformed bytes of a file as a whole. */
static lm_status
bad_file(const tensor_file *file, const char *message)
{
    lm_raise(file->ctx, LM_BAD_MODEL, "%s", message);
    return lm_detail_file(file->ctx, file->name);
}

/* The same, of one tensor. */
static lm_status
bad_tensor(const tensor_file *file, const char *tensor, const char *message)
{
    bad_file(file, message);
    return lm_detail_key(file->ctx, "%s", tensor);
}

/* A JSON value for a message: an array of numbers as it stands (its beginning), else its type. */
static void
describe(const lm_json *json, char *text, size_t room)
{
    size_t used = 0;

    snprintf(text, room, "%s", lm_json_type_name(json));
    if (!json || json->type != LM_JSON_ARRAY)
        return;
    for (const lm_json *item = json->as.items.first; item && used < room; item = item->next)
        if (item->type == LM_JSON_NUMBER)
            used += (size_t)snprintf(text + used, room - used, used ? ", %.17g" : "[%.17g",
                                     item->as.number);
        else
            return;
    if (used > 0 && used < room)
        snprintf(text + used, room - used, "]");
}

/* A member of a tensor's entry that is not what it must be. */
static lm_status
bad_entry(const tensor_file *file, const lm_json *entry, const char *member, const char *allowed)
{
    const lm_json *found = lm_json_get(entry, member);
    char text[128];

    describe(found, text, sizeof text);
    bad_file(file, "the header describes a tensor incorrectly");
    lm_detail_key(file->ctx, "%s.%s", entry->key, member);
    lm_detail_offset(file->ctx, PREAMBLE + (found ? found->offset : entry->offset));
    lm_detail_found(file->ctx, "%s", text);
    return lm_detail_allowed(file->ctx, "%s", allowed);
}

/* --- one entry of a header -------------------------------------------------------------------- */
/*
 * Each entry is checked by itself here, against the size of the data; how the ranges of all fit
 * together is checked when all are known. Numbers are accepted only as the plain unsigned integers
 * that the format writes: 1.0, 1e0 and -0 are refused, as the reference refuses them.
 */

/* The dtype by its name in the table. */
static lm_status
read_dtype(const tensor_file *file, const lm_json *entry, lm_tensor *tensor)
{
    const lm_json *dtype = lm_json_get(entry, "dtype");

    if (!dtype || dtype->type != LM_JSON_STRING)
        return bad_entry(file, entry, "dtype", "a string");
    for (int i = 0; i < LM_DTYPE_COUNT; i++)
        if (lm_json_is_string(dtype, lm_dtypes[i].name)) {
            tensor->dtype = (lm_dtype)i;
            return LM_OK;
        }
    lm_raise(file->ctx, LM_UNSUPPORTED, "the tensor's dtype is not supported");
    lm_detail_file(file->ctx, file->name);
    lm_detail_key(file->ctx, "%s", entry->key);
    lm_detail_found(file->ctx, "%s", dtype->as.string.bytes);
    return lm_detail_allowed(file->ctx,
                             "F32, F16, BF16, F64, I8, I16, I32, I64, U8, U16, U32, U64, BOOL");
}

/* A number written as an unsigned integer ("-0" is not). */
static bool
unsigned_value(const lm_json *json, uint64_t *value)
{
    if (json->type != LM_JSON_NUMBER || !json->is_integer || signbit(json->as.number))
        return false;
    *value = (uint64_t)json->integer;
    return true;
}

/*
 * Dimensions and their product. Empty tensors are refused: no model has a use for one, and two of
 * them could share an offset.
 */
static lm_status
read_shape(const tensor_file *file, const lm_json *entry, lm_tensor *tensor)
{
    const lm_json *shape = lm_json_get(entry, "shape");

    if (!shape || shape->type != LM_JSON_ARRAY)
        return bad_entry(file, entry, "shape", "an array");
    if (shape->as.items.count > LM_MAX_RANK)
        return bad_entry(file, entry, "shape", "at most 8 dimensions");
    tensor->count = 1;
    for (const lm_json *dim = shape->as.items.first; dim; dim = dim->next) {
        uint64_t value;

        if (!unsigned_value(dim, &value) || value == 0)
            return bad_entry(file, entry, "shape", "dimensions of at least 1");
        if (__builtin_mul_overflow(tensor->count, value, &tensor->count))
            return bad_entry(file, entry, "shape", "a product within 64 bits");
        tensor->shape[tensor->rank++] = value;
    }
    return LM_OK;
}

/* The range of the data, relative to its start, into offset and bytes. */
static lm_status
read_range(const tensor_file *file, const lm_json *entry, lm_tensor *tensor)
{
    const lm_json *range = lm_json_get(entry, "data_offsets");
    uint64_t begin, end, wanted;

    if (!range || range->type != LM_JSON_ARRAY || range->as.items.count != 2 ||
        !unsigned_value(range->as.items.first, &begin) ||
        !unsigned_value(range->as.items.first->next, &end))
        return bad_entry(file, entry, "data_offsets", "two integers of at least 0");
    if (begin > end)
        return bad_entry(file, entry, "data_offsets", "a begin that is not after the end");
    if (end > file->data_size) {
        bad_tensor(file, entry->key, "the data of a tensor reaches past the end of the file");
        lm_detail_found(file->ctx, "an end at byte %llu", (unsigned long long)end);
        return lm_detail_allowed(file->ctx, "%llu", (unsigned long long)file->data_size);
    }
    tensor->offset = begin;
    tensor->bytes = end - begin;
    if (!__builtin_mul_overflow(tensor->count, lm_dtypes[tensor->dtype].bytes, &wanted) &&
        wanted == tensor->bytes)
        return LM_OK;
    bad_tensor(file, entry->key, "shape and dtype of a tensor do not match its data");
    lm_detail_found(file->ctx, "%llu bytes", (unsigned long long)tensor->bytes);
    return lm_detail_allowed(file->ctx, "%llu values of %zu bytes",
                             (unsigned long long)tensor->count, lm_dtypes[tensor->dtype].bytes);
}

/* One member of the header. The name is copied, since the parsed header is released. */
static lm_status
read_entry(const tensor_file *file, const lm_json *entry, lm_tensor *tensor)
{
    memset(tensor, 0, sizeof *tensor);
    if (entry->key_length == 0 || strlen(entry->key) != entry->key_length)
        return bad_tensor(file, entry->key, "a tensor's name is empty or holds U+0000");
    if (entry->type != LM_JSON_OBJECT)
        return bad_tensor(file, entry->key, "a tensor's entry in the header is not an object");
    LM_TRY(read_dtype(file, entry, tensor));
    LM_TRY(read_shape(file, entry, tensor));
    LM_TRY(read_range(file, entry, tensor));
    tensor->file = file->name;
    tensor->name = lm_arena_copy(file->arena, entry->key, entry->key_length);
    return tensor->name ? LM_OK : LM_NO_MEMORY;
}

/* --- one file --------------------------------------------------------------------------------- */
/*
 * The parsed header takes several times its text and is needed once, so it lives in a scratch arena
 * of its own; what stays is one lm_tensor and one name per tensor.
 */

/* By begin, then by length: an overlap shows between neighbours whatever the order of the header.
 */
static int
compare_ranges(const void *a, const void *b)
{
    const lm_tensor *left = a, *right = b;

    if (left->offset != right->offset)
        return left->offset < right->offset ? -1 : 1;
    return left->bytes < right->bytes ? -1 : left->bytes > right->bytes;
}

/* Sort by offset, check that the ranges tile the data, and make the offsets those of the file. */
static lm_status
check_ranges(tensor_file *file)
{
    uint64_t end = 0;

    LM_TRY(lm_sort(file->ctx, file->items, file->count, sizeof *file->items, compare_ranges));
    for (size_t i = 0; i < file->count; i++) {
        lm_tensor *tensor = &file->items[i];

        if (tensor->offset != end) {
            bad_tensor(file, tensor->name,
                       tensor->offset < end ? "the data of two tensors overlaps"
                                            : "there is a gap before the data of a tensor");
            lm_detail_found(file->ctx, "data that begins at byte %llu",
                            (unsigned long long)tensor->offset);
            return lm_detail_allowed(file->ctx, "%llu", (unsigned long long)end);
        }
        end += tensor->bytes;
        tensor->offset += file->data_start;
    }
    if (end == file->data_size)
        return LM_OK;
    bad_file(file, "the file ends with bytes that belong to no tensor");
    lm_detail_offset(file->ctx, file->data_start + end);
    return lm_detail_found(file->ctx, "%llu bytes", (unsigned long long)(file->data_size - end));
}

/* Strings, which are kept; what the format forbids is refused. */
static lm_status
read_metadata(tensor_file *file, const lm_json *metadata)
{
    if (metadata->type == LM_JSON_NULL)
        return LM_OK;
    if (metadata->type != LM_JSON_OBJECT)
        return bad_tensor(file, METADATA, "the header's metadata is not an object");
    file->metadata = lm_arena_array(file->arena, metadata->as.items.count, sizeof *file->metadata);
    if (!file->metadata)
        return LM_NO_MEMORY;
    for (const lm_json *member = metadata->as.items.first; member; member = member->next) {
        lm_metadata *kept = &file->metadata[file->metadata_count++];

        if (member->type != LM_JSON_STRING)
            return bad_tensor(file, METADATA, "the header's metadata holds more than strings");
        kept->key = lm_arena_copy(file->arena, member->key, member->key_length);
        kept->value = lm_arena_copy(file->arena, member->as.string.bytes, member->as.string.length);
        if (!kept->key || !kept->value)
            return LM_NO_MEMORY;
    }
    return LM_OK;
}

/* All entries of a parsed header into file->items. */
static lm_status
read_entries(tensor_file *file, const lm_json *header)
{
    if (header->as.items.count > TENSOR_LIMIT) {
        lm_raise(file->ctx, LM_TOO_LARGE, "a file of the model has too many tensors");
        lm_detail_file(file->ctx, file->name);
        lm_detail_found(file->ctx, "%zu", header->as.items.count);
        return lm_detail_allowed(file->ctx, "%zu", TENSOR_LIMIT);
    }
    file->items = lm_arena_array(file->arena, header->as.items.count, sizeof *file->items);
    if (!file->items)
        return LM_NO_MEMORY;
    for (const lm_json *entry = header->as.items.first; entry; entry = entry->next) {
        LM_TRY(lm_poll(file->ctx));
        if (entry->key_length == strlen(METADATA) && strcmp(entry->key, METADATA) == 0)
            LM_TRY(read_metadata(file, entry));
        else
            LM_TRY(read_entry(file, entry, &file->items[file->count++]));
    }
    return check_ranges(file);
}

/*
 * The size of the header, which the first bytes give, is impossible. `first` has room for more of
 * them: most often the file is of another kind.
 */
static lm_status
refuse_header(const tensor_file *file, unsigned char *first, uint64_t size, uint64_t header)
{
    uint64_t most = size - PREAMBLE < HEADER_LIMIT ? size - PREAMBLE : HEADER_LIMIT;
    size_t length = size < LM_LOOKS_BYTES ? (size_t)size : LM_LOOKS_BYTES;

    LM_TRY(file->source->read(file->ctx, file->source->opaque, file->name, PREAMBLE,
                              first + PREAMBLE, length - PREAMBLE));
    LM_TRY(lm_looks_check(file->ctx, LM_BAD_MODEL, file->name, first, length));
    bad_file(file, header > HEADER_LIMIT ? "the header is too large"
                                         : "a file of the model is truncated");
    lm_detail_found(file->ctx, "a header of %llu bytes", (unsigned long long)header);
    return lm_detail_allowed(file->ctx, "%llu", (unsigned long long)most);
}

/* The header's bytes, after its size has been checked against the file's. */
static lm_status
read_header(tensor_file *file, char **text, size_t *length)
{
    unsigned char preamble[LM_LOOKS_BYTES];
    uint64_t size = 0, header = 0;
    bool found = false;
    const lm_source *source = file->source;

    LM_TRY(source->stat(file->ctx, source->opaque, file->name, &found, &size));
    if (!found) {
        lm_raise(file->ctx, LM_NO_FILE, "a file of the model is missing");
        return lm_detail_file(file->ctx, file->name);
    }
    if (size < PREAMBLE)
        return bad_file(file, "a file of the model is truncated");
    LM_TRY(source->read(file->ctx, source->opaque, file->name, 0, preamble, PREAMBLE));
    for (size_t i = 0; i < PREAMBLE; i++)
        header |= (uint64_t)preamble[i] << 8 * i;
    if (header > size - PREAMBLE || header > HEADER_LIMIT)
        return refuse_header(file, preamble, size, header);
    *text = lm_arena_alloc(file->scratch, (size_t)header);
    if (!*text)
        return LM_NO_MEMORY;
    for (size_t at = 0; at < header; at += PIECE) {
        size_t piece = header - at < PIECE ? (size_t)header - at : PIECE;

        LM_TRY(lm_poll(file->ctx));
        LM_TRY(
            source->read(file->ctx, source->opaque, file->name, PREAMBLE + at, *text + at, piece));
    }
    *length = (size_t)header;
    file->data_start = PREAMBLE + header;
    file->data_size = size - file->data_start;
    return LM_OK;
}

/* From bytes to checked entries. */
static lm_status
parse_header(tensor_file *file)
{
    const lm_json *header;
    lm_status status;
    size_t length = 0;
    char *text = NULL;

    LM_TRY(read_header(file, &text, &length));
    /* JSON may open with white space; this format may not. */
    if (length == 0 || text[0] != '{')
        return bad_file(file, "the header does not begin with '{'");
    status = lm_json_parse(file->ctx, file->scratch, text, length, file->name, &header);
    /* What is wrong JSON elsewhere is a malformed model file here, at an offset in that file. */
    if (status == LM_BAD_JSON)
        status = file->ctx->error.status = LM_BAD_MODEL;
    if (status != LM_OK && file->ctx->error.has_offset)
        file->ctx->error.offset += PREAMBLE;
    LM_TRY(status);
    return read_entries(file, header);
}

/* Read one file's header; its tensors come sorted by offset. */
static lm_status
open_one(lm_context *ctx, lm_arena *arena, const lm_source *source, const char *name,
         tensor_file *file)
{
    lm_arena scratch;
    lm_status status;

    lm_arena_init(&scratch, ctx);
    memset(file, 0, sizeof *file);
    file->ctx = ctx;
    file->arena = arena;
    file->scratch = &scratch;
    file->source = source;
    file->name = name;
    status = parse_header(file);
    file->scratch = NULL;
    lm_arena_free(&scratch);
    return status;
}

/* --- the directory ---------------------------------------------------------------------------- */
/*
 * Two orders matter: by name for finding, and `order` for reading the data front to back. The
 * items are sorted by name and carry the other order with them.
 */

/* Byte order, the same for sorting and finding. */
static int
compare_names(const void *a, const void *b)
{
    return strcmp(((const lm_tensor *)a)->name, ((const lm_tensor *)b)->name);
}

/* Sort by name, which brings a name that two files hold next to itself. */
static lm_status
finish(lm_context *ctx, lm_tensor *items, size_t count, const char *const *files, size_t file_count,
       lm_tensors *tensors)
{
    LM_TRY(lm_sort(ctx, items, count, sizeof *items, compare_names));
    for (size_t i = 1; i < count; i++)
        if (strcmp(items[i - 1].name, items[i].name) == 0) {
            lm_raise(ctx, LM_BAD_MODEL, "two files of the model hold the same tensor");
            lm_detail_file(ctx, items[i].file);
            lm_detail_key(ctx, "%s", items[i].name);
            return lm_detail_found(ctx, "the same name in %s", items[i - 1].file);
        }
    tensors->items = items;
    tensors->count = count;
    tensors->files = files;
    tensors->file_count = file_count;
    return LM_OK;
}

/* Read all files' headers, in the order given. */
static lm_status
open_files(lm_context *ctx, lm_arena *arena, const lm_source *source, const char *const *names,
           size_t name_count, lm_tensors *tensors)
{
    tensor_file *files = lm_arena_array(arena, name_count, sizeof *files);
    lm_tensor *items;
    size_t total = 0, order = 0;

    if (!files)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < name_count; i++) {
        LM_TRY(open_one(ctx, arena, source, names[i], &files[i]));
        total += files[i].count;
        /* Before the next file: a thousand headers could fill the memory first. */
        if (total > TENSOR_LIMIT) {
            lm_raise(ctx, LM_TOO_LARGE, "the model has too many tensors");
            lm_detail_found(ctx, "%zu", total);
            return lm_detail_allowed(ctx, "%zu", TENSOR_LIMIT);
        }
    }
    items = lm_arena_array(arena, total, sizeof *items);
    if (!items)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < name_count; i++)
        for (size_t j = 0; j < files[i].count; j++) {
            items[order] = files[i].items[j];
            items[order].order = (uint32_t)order;
            order++;
        }
    tensors->metadata = files[0].metadata;
    tensors->metadata_count = files[0].metadata_count;
    return finish(ctx, items, total, names, name_count, tensors);
}

/* A directory over one file. */
lm_status
lm_tensors_open_file(lm_context *ctx, lm_arena *arena, const lm_source *source, const char *file,
                     lm_tensors *tensors)
{
    const char **names = lm_arena_array(arena, 1, sizeof *names);

    if (!names)
        return LM_NO_MEMORY;
    names[0] = lm_arena_copy(arena, file, strlen(file));
    return names[0] ? open_files(ctx, arena, source, names, 1, tensors) : LM_NO_MEMORY;
}

/* Binary search by name. */
const lm_tensor *
lm_tensors_find(const lm_tensors *tensors, const char *name)
{
    lm_tensor key = {.name = name};

    if (tensors->count == 0)
        return NULL;
    return bsearch(&key, tensors->items, tensors->count, sizeof key, compare_names);
}

/* Few members: searched one by one. */
const char *
lm_tensors_metadata(const lm_tensors *tensors, const char *key)
{
    for (size_t i = 0; i < tensors->metadata_count; i++)
        if (strcmp(tensors->metadata[i].key, key) == 0)
            return tensors->metadata[i].value;
    return NULL;
}

/* --- shards ----------------------------------------------------------------------------------- */
/*
 * The index is the only file that names other files, so names are checked as any hostile name is.
 * It is redundant, since every shard has a header: headers are what is believed, and the index must
 * agree with them. A tensor that only a header has is taken, as transformers takes it.
 */

/* Where the weights of a model are looked for. */
typedef struct weights {
    lm_context *ctx;
    lm_arena *arena;
    const lm_source *source;
    const char *folder;
    const char *file, *index; /* SINGLE_FILE and INDEX_FILE in it */
} weights;

/* The index contradicts itself or its files. */
static lm_status
bad_index(const weights *w, const char *key, const char *message)
{
    lm_raise(w->ctx, LM_BAD_MODEL, "%s", message);
    lm_detail_file(w->ctx, w->index);
    return lm_detail_key(w->ctx, "%s", key);
}

/* A shard's name stays in the folder and ends as such files do, so that no index names itself. */
static lm_status
check_shard_name(const weights *w, const lm_json *value)
{
    const char *name = value->as.string.bytes;
    size_t length = value->as.string.length, suffix = strlen(SUFFIX);

    if (value->type != LM_JSON_STRING)
        return bad_index(w, value->key, "the index names a file by a value that is not a string");
    if (strlen(name) == length && length > suffix && strcmp(name + length - suffix, SUFFIX) == 0)
        return lm_source_check_name(w->ctx, name);
    lm_raise(w->ctx, LM_DENIED, "the index names a file that is not a safetensors file");
    lm_detail_file(w->ctx, w->index);
    return lm_detail_found(w->ctx, "\"%s\"", name);
}

/* Byte order of the strings that the elements point to. */
static int
compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The files that a weight map names, each once, in the order of their names. */
static lm_status
list_shards(const weights *w, const lm_json *map, const char *const **names, size_t *count)
{
    const char **all = lm_arena_array(w->arena, map->as.items.count, sizeof *all);
    size_t total = 0, kept = 0;

    if (!all)
        return LM_NO_MEMORY;
    for (const lm_json *value = map->as.items.first; value; value = value->next) {
        LM_TRY(check_shard_name(w, value));
        all[total++] = value->as.string.bytes;
    }
    LM_TRY(lm_sort(w->ctx, all, total, sizeof *all, compare_strings));
    for (size_t i = 0; i < total; i++)
        if (kept == 0 || strcmp(all[kept - 1], all[i]) != 0)
            all[kept++] = all[i];
    if (kept > SHARD_LIMIT) {
        lm_raise(w->ctx, LM_TOO_LARGE, "the model has too many files");
        lm_detail_file(w->ctx, w->index);
        lm_detail_found(w->ctx, "%zu", kept);
        return lm_detail_allowed(w->ctx, "%zu", SHARD_LIMIT);
    }
    for (size_t i = 0; i < kept; i++)
        LM_TRY(lm_source_join(w->ctx, w->arena, w->folder, all[i], &all[i]));
    *names = all;
    *count = kept;
    return LM_OK;
}

/* The weight map of the index; its strings live in the arena. NULL when there is no index. */
static lm_status
read_index(const weights *w, const lm_json **map)
{
    lm_arena text_arena;
    const lm_json *index = NULL;
    lm_status status;
    size_t length;
    char *text;

    *map = NULL;
    lm_arena_init(&text_arena, w->ctx);
    status = lm_source_slurp(w->ctx, w->source, &text_arena, w->index, (size_t)HEADER_LIMIT, false,
                             &text, &length);
    if (status == LM_OK && text)
        status = lm_looks_check(w->ctx, LM_BAD_JSON, w->index, text, length);
    if (status == LM_OK && text)
        status = lm_json_parse(w->ctx, w->arena, text, length, w->index, &index);
    lm_arena_free(&text_arena);
    if (status != LM_OK || !index)
        return status;
    *map = lm_json_get(index, "weight_map");
    if (!*map || (*map)->type != LM_JSON_OBJECT || (*map)->as.items.count == 0)
        return bad_index(w, "weight_map", "the index has no weight map");
    if ((*map)->as.items.count > TENSOR_LIMIT)
        return lm_raise(w->ctx, LM_TOO_LARGE, "the index names more than %zu tensors",
                        TENSOR_LIMIT);
    return LM_OK;
}

/* Every tensor that the index names must be in the file that it says. */
static lm_status
check_index(const weights *w, const lm_json *map, const lm_tensors *tensors)
{
    size_t folder = w->folder[0] ? strlen(w->folder) + 1 : 0;

    for (const lm_json *value = map->as.items.first; value; value = value->next) {
        const lm_tensor *tensor = lm_tensors_find(tensors, value->key);

        if (!tensor || strlen(value->key) != value->key_length ||
            strcmp(tensor->file + folder, value->as.string.bytes) != 0) {
            bad_index(w, value->key, "the index names a tensor that its file does not hold");
            return lm_detail_allowed(w->ctx, "tensors of %s", value->as.string.bytes);
        }
    }
    return LM_OK;
}

/* Names of the two files that are looked for, and whether the first is there. */
static lm_status
find_weights(weights *w, bool *single)
{
    uint64_t size;

    LM_TRY(lm_source_join(w->ctx, w->arena, w->folder, SINGLE_FILE, &w->file));
    LM_TRY(lm_source_join(w->ctx, w->arena, w->folder, INDEX_FILE, &w->index));
    return w->source->stat(w->ctx, w->source->opaque, w->file, single, &size);
}

/* Neither the one file nor an index is there: most likely the weights are in another format. */
static lm_status
no_weights(const weights *w)
{
    LM_TRY(lm_other_weights_check(w->ctx, w->arena, w->source, w->folder));
    lm_raise(w->ctx, LM_NO_FILE, "the model has no weights");
    lm_detail_file(w->ctx, w->file);
    return lm_detail_hint(w->ctx, LM_OTHER_WEIGHTS_HINT);
}

/* One file wins over an index, as in transformers. */
lm_status
lm_tensors_open(lm_context *ctx, lm_arena *arena, const lm_source *source, const char *folder,
                lm_tensors *tensors)
{
    weights w = {.ctx = ctx, .arena = arena, .source = source, .folder = folder};
    const char *const *names;
    const lm_json *map;
    bool single = false;
    size_t count;

    LM_TRY(find_weights(&w, &single));
    if (single)
        return lm_tensors_open_file(ctx, arena, source, w.file, tensors);
    LM_TRY(read_index(&w, &map));
    if (!map)
        return no_weights(&w);
    LM_TRY(list_shards(&w, map, &names, &count));
    LM_TRY(open_files(ctx, arena, source, names, count, tensors));
    return check_index(&w, map, tensors);
}

/* The same choice as lm_tensors_open makes, without reading a header. */
lm_status
lm_tensors_list(lm_context *ctx, lm_arena *arena, const lm_source *source, const char *folder,
                const char **index, const char *const **files, size_t *count)
{
    weights w = {.ctx = ctx, .arena = arena, .source = source, .folder = folder};
    const char **one = lm_arena_array(arena, 1, sizeof *one);
    const lm_json *map;
    bool single = false;

    *index = NULL;
    if (!one)
        return LM_NO_MEMORY;
    LM_TRY(find_weights(&w, &single));
    if (single) {
        one[0] = w.file;
        *files = one;
        *count = 1;
        return LM_OK;
    }
    LM_TRY(read_index(&w, &map));
    if (!map)
        return no_weights(&w);
    *index = w.index;
    return list_shards(&w, map, files, count);
}

/* --- writing ---------------------------------------------------------------------------------- */
/*
 * For heads that are trained and matrices that are quantised here. What is written must pass the
 * reader above; sizes come from the shapes, not from what a caller filled in.
 */

/* The metadata's object, where there is any. */
static lm_status
write_metadata(const lm_metadata *metadata, size_t count, lm_buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        LM_TRY(lm_buffer_append_string(out, i ? "," : "\"" METADATA "\":{"));
        LM_TRY(lm_json_write_string(out, metadata[i].key, strlen(metadata[i].key)));
        LM_TRY(lm_buffer_append_byte(out, ':'));
        LM_TRY(lm_json_write_string(out, metadata[i].value, strlen(metadata[i].value)));
    }
    return count > 0 ? lm_buffer_append_byte(out, '}') : LM_OK;
}

/* One member of the header; *end moves on by the tensor's bytes. */
static lm_status
write_entry(lm_context *ctx, const lm_tensor *tensor, uint64_t *end, lm_buffer *out)
{
    uint64_t bytes = lm_dtypes[tensor->dtype].bytes, begin = *end;

    for (int i = 0; i < tensor->rank; i++)
        if (__builtin_mul_overflow(bytes, tensor->shape[i], &bytes))
            return lm_raise(ctx, LM_TOO_LARGE, "a tensor is too large");
    if (__builtin_add_overflow(begin, bytes, end))
        return lm_raise(ctx, LM_TOO_LARGE, "the tensors of a file are too large");
    LM_TRY(lm_json_write_string(out, tensor->name, strlen(tensor->name)));
    LM_TRY(lm_buffer_printf(out, ":{\"dtype\":\"%s\",\"shape\":[", lm_dtypes[tensor->dtype].name));
    for (int i = 0; i < tensor->rank; i++)
        LM_TRY(lm_buffer_printf(out, i ? ",%llu" : "%llu", (unsigned long long)tensor->shape[i]));
    return lm_buffer_printf(out, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)begin,
                            (unsigned long long)*end);
}

/* The size stands before the header, so it is filled in when that is complete. */
lm_status
lm_tensors_write_header(lm_context *ctx, const lm_metadata *metadata, size_t metadata_count,
                        const lm_tensor *tensors, size_t count, lm_buffer *out)
{
    size_t start = out->size;
    uint64_t end = 0, header;

    LM_TRY(lm_buffer_append(out, "\0\0\0\0\0\0\0\0{", PREAMBLE + 1));
    LM_TRY(write_metadata(metadata, metadata_count, out));
    for (size_t i = 0; i < count; i++) {
        if (i > 0 || metadata_count > 0)
            LM_TRY(lm_buffer_append_byte(out, ','));
        LM_TRY(write_entry(ctx, &tensors[i], &end, out));
    }
    /* With spaces up to a multiple of 8, so that the data is aligned in the file. */
    LM_TRY(lm_buffer_append(out, "}       ", 8 - (out->size - start) % 8));
    header = out->size - start - PREAMBLE;
    for (size_t i = 0; i < PREAMBLE; i++)
        out->data[start + i] = (char)(header >> 8 * i);
    return LM_OK;
}
