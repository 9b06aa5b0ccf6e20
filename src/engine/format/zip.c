/*
 * zip.c - the directory of a zip archive, for hostile bytes.
 *
 * The directory stands behind the entries, and its end record is the last of the file (an archive
 * with a comment is refused). Laws: each offset is checked against the file before it is read;
 * memory is bounded by the directory's own bytes; an entry's local header must say the same name.
 */
#include "format/zip.h"

#include <stdlib.h>
#include <string.h>

#include "base/sort.h"
#include "base/utf8.h"

#define END_BYTES ((uint64_t)22)
#define LOCATOR_BYTES ((uint64_t)20)
#define END64_BYTES ((uint64_t)56)
#define ENTRY_BYTES ((size_t)46)
#define LOCAL_BYTES ((size_t)30)
#define DIRECTORY_LIMIT ((uint64_t)64 << 20)

#define ABSENT32 0xffffffffu /* the number is in the field of zip64 */
#define ENCRYPTED 1u

/* A number of `bytes` bytes, the lowest first. */
static uint64_t
number(const unsigned char *at, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = bytes; i > 0; i--)
        value = value << 8 | at[i - 1];
    return value;
}

static lm_status
bad_zip(const lm_zip *zip, uint64_t offset, const char *message)
{
    lm_raise(zip->ctx, LM_BAD_MODEL, "%s", message);
    lm_detail_file(zip->ctx, zip->file);
    return lm_detail_offset(zip->ctx, offset);
}

static lm_status
read_at(const lm_zip *zip, uint64_t offset, void *to, size_t length)
{
    return zip->source->read(zip->ctx, zip->source->opaque, zip->file, offset, to, length);
}

/* --- the end records -------------------------------------------------------------------------- */

typedef struct directory {
    uint64_t count, size, offset;
    uint64_t end; /* of the directory, at the latest */
} directory;

/* The record of zip64, which a locator before the end record points to. */
static lm_status
read_end64(const lm_zip *zip, uint64_t locator, directory *d)
{
    unsigned char bytes[END64_BYTES];
    uint64_t at;

    LM_TRY(read_at(zip, locator, bytes, LOCATOR_BYTES));
    if (memcmp(bytes, "PK\6\7", 4) != 0)
        return LM_OK;
    at = number(bytes + 8, 8);
    if (at > locator || locator - at < END64_BYTES)
        return bad_zip(zip, locator, "the end record of a zip archive is not where it must be");
    LM_TRY(read_at(zip, at, bytes, END64_BYTES));
    if (memcmp(bytes, "PK\6\6", 4) != 0)
        return bad_zip(zip, at, "the end record of a zip archive is missing");
    *d = (directory){number(bytes + 32, 8), number(bytes + 40, 8), number(bytes + 48, 8), at};
    return LM_OK;
}

static lm_status
read_end(const lm_zip *zip, uint64_t size, directory *d)
{
    unsigned char bytes[END_BYTES];
    uint64_t at;

    if (size < END_BYTES)
        return bad_zip(zip, size, "a zip archive is truncated");
    at = size - END_BYTES;
    LM_TRY(read_at(zip, at, bytes, END_BYTES));
    if (memcmp(bytes, "PK\5\6", 4) != 0)
        return bad_zip(zip, at, "a zip archive is truncated: its end record is missing");
    *d = (directory){number(bytes + 10, 2), number(bytes + 12, 4), number(bytes + 16, 4), at};
    if (at >= LOCATOR_BYTES)
        LM_TRY(read_end64(zip, at - LOCATOR_BYTES, d));
    if (d->offset > d->end || d->size > d->end - d->offset || d->count > d->size / ENTRY_BYTES)
        return bad_zip(zip, at, "the directory of a zip archive reaches past its end record");
    if (d->size <= DIRECTORY_LIMIT)
        return LM_OK;
    lm_raise(zip->ctx, LM_TOO_LARGE, "the directory of a zip archive is too large");
    return lm_detail_file(zip->ctx, zip->file);
}

/* --- entries ---------------------------------------------------------------------------------- */

/* Takes the place of `value` where that says so; the next 8 bytes of the field of zip64. */
static bool
take64(const unsigned char **at, const unsigned char *end, uint64_t *value)
{
    if (*value != ABSENT32)
        return true;
    if (end - *at < 8)
        return false;
    *value = number(*at, 8);
    *at += 8;
    return true;
}

/* Size, compressed size and offset that did not fit into 32 bits, out of the extra fields. */
static bool
read_extra(const unsigned char *at, const unsigned char *end, uint64_t sizes[3])
{
    while (end - at >= 4) {
        uint64_t id = number(at, 2), length = number(at + 2, 2);

        at += 4;
        if (length > (uint64_t)(end - at))
            return false;
        if (id == 1) {
            end = at + length;
            return take64(&at, end, &sizes[0]) && take64(&at, end, &sizes[1]) &&
                   take64(&at, end, &sizes[2]);
        }
        at += length;
    }
    return sizes[0] != ABSENT32 && sizes[1] != ABSENT32 && sizes[2] != ABSENT32;
}

static lm_status
check_stored(const lm_zip *zip, const unsigned char *at, const lm_zip_entry *entry)
{
    if (number(at + 10, 2) == 0 && !(number(at + 8, 2) & ENCRYPTED))
        return LM_OK;
    lm_raise(zip->ctx, LM_UNSUPPORTED, "an entry of a zip archive is compressed or encrypted");
    lm_detail_file(zip->ctx, zip->file);
    lm_detail_key(zip->ctx, "%s", entry->name);
    return lm_detail_allowed(zip->ctx, "stored entries, as torch.save writes them");
}

/* An entry at *at, which moves behind it. `where` is its offset in the file. */
static lm_status
read_entry(const lm_zip *zip, lm_arena *arena, uint64_t where, const unsigned char **at,
           const unsigned char *end, lm_zip_entry *entry)
{
    const unsigned char *p = *at;
    uint64_t name, extra, comment, sizes[3];

    if ((size_t)(end - p) < ENTRY_BYTES || memcmp(p, "PK\1\2", 4) != 0)
        return bad_zip(zip, where, "the directory of a zip archive is damaged");
    name = number(p + 28, 2), extra = number(p + 30, 2), comment = number(p + 32, 2);
    if (name + extra + comment > (size_t)(end - p) - ENTRY_BYTES)
        return bad_zip(zip, where, "the directory of a zip archive is damaged");
    sizes[0] = number(p + 24, 4), sizes[1] = number(p + 20, 4), sizes[2] = number(p + 42, 4);
    entry->name = lm_arena_copy(arena, (const char *)p + ENTRY_BYTES, name);
    if (!entry->name)
        return LM_NO_MEMORY;
    entry->length = name;
    if (lm_utf8_valid_prefix(entry->name, name) != name)
        return bad_zip(zip, where, "the name of an entry of a zip archive is not UTF-8");
    LM_TRY(check_stored(zip, p, entry));
    p += ENTRY_BYTES + name;
    if (!read_extra(p, p + extra, sizes) || sizes[0] != sizes[1])
        return bad_zip(zip, where, "the sizes of an entry of a zip archive contradict each other");
    entry->size = sizes[0], entry->header = sizes[2];
    *at = p + extra + comment;
    return LM_OK;
}

/* Shorter names first: order serves the search alone. */
static int
compare_entries(const void *a, const void *b)
{
    const lm_zip_entry *left = a, *right = b;

    if (left->length != right->length)
        return left->length < right->length ? -1 : 1;
    return memcmp(left->name, right->name, left->length);
}

static lm_status
sort_entries(const lm_zip *zip, lm_zip_entry *entries, size_t count)
{
    LM_TRY(lm_sort(zip->ctx, entries, count, sizeof *entries, compare_entries));
    for (size_t i = 1; i < count; i++)
        if (compare_entries(&entries[i - 1], &entries[i]) == 0) {
            bad_zip(zip, entries[i].header, "a zip archive has two entries of one name");
            return lm_detail_key(zip->ctx, "%s", entries[i].name);
        }
    return LM_OK;
}

static lm_status
read_entries(lm_zip *zip, lm_arena *arena, const directory *d)
{
    unsigned char *bytes = lm_arena_alloc(arena, (size_t)d->size + 1);
    lm_zip_entry *entries = lm_arena_array(arena, (size_t)d->count + 1, sizeof *entries);
    const unsigned char *at = bytes;

    if (!bytes || !entries)
        return LM_NO_MEMORY;
    LM_TRY(read_at(zip, d->offset, bytes, (size_t)d->size));
    for (uint64_t i = 0; i < d->count; i++) {
        LM_TRY(lm_poll(zip->ctx));
        LM_TRY(read_entry(zip, arena, d->offset + (uint64_t)(at - bytes), &at, bytes + d->size,
                          &entries[i]));
    }
    zip->entries = entries;
    zip->count = (size_t)d->count;
    zip->end = d->offset;
    return sort_entries(zip, entries, zip->count);
}

lm_status
lm_zip_open(lm_context *ctx, lm_arena *arena, const lm_source *source, const char *file,
            lm_zip *zip)
{
    directory d = {0};
    uint64_t size;
    bool found;

    *zip = (lm_zip){.ctx = ctx, .source = source, .file = file};
    LM_TRY(source->stat(ctx, source->opaque, file, &found, &size));
    LM_TRY(read_end(zip, found ? size : 0, &d));
    return read_entries(zip, arena, &d);
}

const lm_zip_entry *
lm_zip_find(const lm_zip *zip, const char *name, size_t length)
{
    const lm_zip_entry key = {.name = name, .length = length};

    if (zip->count == 0)
        return NULL;
    return bsearch(&key, zip->entries, zip->count, sizeof key, compare_entries);
}

static lm_status
bad_entry(const lm_zip *zip, const lm_zip_entry *entry, const char *message)
{
    bad_zip(zip, entry->header, message);
    return lm_detail_key(zip->ctx, "%s", entry->name);
}

/* Sizes of the local header are often left to a record behind the bytes, so they are not read. */
lm_status
lm_zip_locate(const lm_zip *zip, const lm_zip_entry *entry, uint64_t *offset)
{
    unsigned char bytes[LOCAL_BYTES + LM_ZIP_NAME_LIMIT];
    uint64_t room, start;

    if (entry->length > LM_ZIP_NAME_LIMIT || entry->header > zip->end ||
        zip->end - entry->header < LOCAL_BYTES + entry->length)
        return bad_entry(zip, entry, "an entry of a zip archive is not where it must be");
    LM_TRY(read_at(zip, entry->header, bytes, LOCAL_BYTES + entry->length));
    if (memcmp(bytes, "PK\3\4", 4) != 0 || number(bytes + 26, 2) != entry->length ||
        memcmp(bytes + LOCAL_BYTES, entry->name, entry->length) != 0)
        return bad_entry(zip, entry, "an entry of a zip archive is not where it must be");
    start = LOCAL_BYTES + entry->length + number(bytes + 28, 2);
    room = zip->end - entry->header;
    if (start > room || entry->size > room - start)
        return bad_entry(zip, entry, "an entry of a zip archive reaches into its directory");
    *offset = entry->header + start;
    return LM_OK;
}
