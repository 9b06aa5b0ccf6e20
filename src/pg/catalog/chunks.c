/*
 * chunks.c - the files of a version as a source for the engine, hashed as they pass.
 *
 * One scan of the small heap finds every chunk (parts.h says why no index is used); what is kept of
 * each is the pointer into the TOAST table, in order of file and part. One chunk at a time is
 * fetched. A chunk takes part in its file's SHA-256 when it passes for the first time; the engine
 * reads front to back, and what it skips is fetched and hashed on the way.
 *
 * Laws: reads are called from engine frames, so errors are caught there and thrown again by
 * lmtext_check. An error leaves nothing behind: table, snapshot and hashes belong to the resource
 * owner, memory to the context that was current at the opening.
 */
#include "postgres.h"

#include "access/table.h"
#include "common/cryptohash.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

#include "pg/catalog/digest.h"
#include "pg/catalog/names.h"
#include "pg/catalog/parts.h"

/* A chunk as the heap has it. */
typedef struct stored_chunk {
    int file; /* index in the manifest */
    int32 part;
    Datum data;
} stored_chunk;

typedef struct chunk_file {
    char *stored_name; /* in the database's encoding */
    size_t stored_length;
    stored_chunk *chunks; /* part 0, 1, … */
    int parts;
    int hashed; /* parts that went into the hash */
    pg_cryptohash_ctx *hash;
} chunk_file;

struct lmtext_chunks {
    MemoryContext memory;
    Relation table;
    Snapshot snapshot;
    const lmtext_manifest *manifest;
    char *name; /* of the version, for messages */
    chunk_file *files;
    stored_chunk *found;
    size_t found_count, found_capacity;
    int current_file, current_part; /* of `current` */
    bytea *current;
};

static void name_files(lmtext_chunks *chunks);
static bool keep_chunk(void *opaque, const lmtext_part *part);
static void order_chunks(lmtext_chunks *chunks);
static lm_status chunks_stat(lm_context *ctx, void *opaque, const char *name, bool *found,
                             uint64_t *size);
static lm_status chunks_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset,
                             void *dest, size_t length);
static void pass_chunk(lmtext_chunks *chunks, int file, int part);

/* ---- Opening ---- */

/*
 * A REINDEX in an open transaction holds the index of the TOAST table but lets others have the
 * table: a loader that met that lock half way would make everybody wait who waits for the load,
 * perhaps the session that holds the lock.
 */
void
lmtext_chunks_lock(Oid relid)
{
    Relation table = table_open(relid, AccessShareLock);
    Oid toast = table->rd_rel->reltoastrelid;

    table_close(table, NoLock);
    if (OidIsValid(toast)) {
        Relation chunks = table_open(toast, AccessShareLock);
        List *indexes = RelationGetIndexList(chunks);
        ListCell *cell;

        foreach (cell, indexes)
            LockRelationOid(lfirst_oid(cell), AccessShareLock);
        list_free(indexes);
        table_close(chunks, NoLock);
    }
}

/* Every row is found here, so that a chunk that is missing is an error before anything is read. */
lmtext_chunks *
lmtext_chunks_open(Oid relid, const lmtext_manifest *manifest, lm_source *source)
{
    lmtext_chunks *chunks = palloc0(sizeof(*chunks));

    chunks->memory = CurrentMemoryContext;
    chunks->manifest = manifest;
    chunks->table = table_open(relid, AccessShareLock);
    chunks->snapshot = lmtext_version_snapshot();
    chunks->name = lmtext_catalog_display_name(relid);
    name_files(chunks);
    LMTEXT_FAULT_FETCH();
    lmtext_parts_visit(chunks->table, chunks->snapshot, keep_chunk, chunks);
    LMTEXT_FAULT_POINT("chunks_found");
    order_chunks(chunks);
    source->opaque = chunks;
    source->stat = chunks_stat;
    source->read = chunks_read;
    return chunks;
}

/* Names as the column has them: compared with every row, converted once. */
static void
name_files(lmtext_chunks *chunks)
{
    chunks->files = palloc0(Max(chunks->manifest->file_count, 1) * sizeof(chunk_file));
    for (int i = 0; i < chunks->manifest->file_count; i++) {
        const char *name = chunks->manifest->files[i].name;

        chunks->files[i].stored_name = lmtext_cstring_from_utf8(name, strlen(name));
        chunks->files[i].stored_length = strlen(chunks->files[i].stored_name);
    }
}

static void
grow_found(lmtext_chunks *chunks)
{
    Size capacity = chunks->found_capacity > 0 ? mul_size(chunks->found_capacity, 2) : 64;
    Size bytes = mul_size(capacity, sizeof(stored_chunk));

    chunks->found = chunks->found ? repalloc_huge(chunks->found, bytes)
                                  : MemoryContextAllocHuge(chunks->memory, bytes);
    chunks->found_capacity = capacity;
}

/* Copies the pointer into the TOAST table (or the few bytes of a short chunk), not the chunk. */
static bool
keep_chunk(void *opaque, const lmtext_part *part)
{
    lmtext_chunks *chunks = opaque;

    for (int i = 0; i < chunks->manifest->file_count; i++) {
        const chunk_file *file = &chunks->files[i];
        stored_chunk *kept;

        if (file->stored_length != part->file_length ||
            memcmp(file->stored_name, part->file, part->file_length) != 0)
            continue;
        if (chunks->found_count == chunks->found_capacity)
            grow_found(chunks);
        kept = &chunks->found[chunks->found_count++];
        kept->file = i;
        kept->part = part->part;
        kept->data = datumCopy(part->data, false, -1);
        break;
    }
    return true;
}

/* By file in the manifest's order, then by part. */
static int
compare_chunks(const void *a, const void *b)
{
    const stored_chunk *x = a, *y = b;

    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    return x->part < y->part ? -1 : x->part > y->part;
}

/* XX001 with model and file; a version never changes, so somebody wrote to its table. */
static void
throw_changed(const lmtext_chunks *chunks, int file, const char *what)
{
    const char *name = chunks->manifest->files[file].name;

    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("model \"%s\" was changed after it was made", chunks->name),
                    errdetail("File \"%s\": %s.", lmtext_cstring_lossy(name, strlen(name)), what),
                    errhint("Drop the version and import the model again.")));
}

/* Parts that a file of this size has. */
static int64
parts_of(int64 size)
{
    return size / LMTEXT_CHUNK_BYTES + (size % LMTEXT_CHUNK_BYTES != 0);
}

/* Give each file its run of the sorted chunks; every part must be there once. */
static void
order_chunks(lmtext_chunks *chunks)
{
    size_t at = 0;

    if (chunks->found_count > 1)
        qsort(chunks->found, chunks->found_count, sizeof(stored_chunk), compare_chunks);
    for (int i = 0; i < chunks->manifest->file_count; i++) {
        chunk_file *file = &chunks->files[i];

        file->chunks = chunks->found + at;
        while (at < chunks->found_count && chunks->found[at].file == i) {
            if (chunks->found[at].part != file->parts)
                throw_changed(chunks, i, "chunks are missing or stored twice");
            file->parts++;
            at++;
        }
        if (file->parts != parts_of(chunks->manifest->files[i].size))
            throw_changed(chunks, i, "chunks are missing, or there are too many");
    }
}

/* ---- Reading ---- */
/*
 * Reads come in pieces of any length, front to back within a file, and may leave out ranges
 * (tensors that the model has no use for). Hashing goes by whole chunks: the count of chunks that
 * went into a file's hash says what is left, whatever order files are read in, and a chunk that is
 * asked for again is fetched without being hashed twice.
 */

/* Index in the manifest, or -1. Models have a dozen files, seldom some hundred. */
static int
find_file(const lmtext_chunks *chunks, const char *name)
{
    for (int i = 0; i < chunks->manifest->file_count; i++)
        if (strcmp(chunks->manifest->files[i].name, name) == 0)
            return i;
    return -1;
}

/* From the manifest alone; order_chunks has compared it with the rows. */
static lm_status
chunks_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    const lmtext_chunks *chunks = opaque;
    int file = find_file(chunks, name);

    *found = file >= 0;
    *size = file >= 0 ? chunks->manifest->files[file].size : 0;
    return LM_OK;
}

/* Copy from the chunks that hold the range; may throw. */
static void
copy_range(lmtext_chunks *chunks, int file, uint64_t offset, char *dest, size_t length)
{
    while (length > 0) {
        size_t within = offset % LMTEXT_CHUNK_BYTES;
        size_t step = Min(length, LMTEXT_CHUNK_BYTES - within);

        pass_chunk(chunks, file, (int)(offset / LMTEXT_CHUNK_BYTES));
        memcpy(dest, VARDATA(chunks->current) + within, step);
        dest += step;
        offset += step;
        length -= step;
    }
}

/* Not inlined: locals of the caller must not live in registers across the jump. */
static pg_noinline lm_status
copy_caught(lmtext_call *call, lmtext_chunks *chunks, int file, uint64_t offset, void *dest,
            size_t length)
{
    MemoryContext caller = CurrentMemoryContext;
    volatile lm_status status = LM_OK;

    PG_TRY();
    {
        copy_range(chunks, file, offset, dest, length);
    }
    PG_CATCH();
    {
        status = lmtext_call_keep_error(call);
    }
    PG_END_TRY();
    MemoryContextSwitchTo(caller);
    return status;
}

/* The engine asks only for what stat promised; a hostile header can make it ask for more. */
static lm_status
chunks_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
            size_t length)
{
    lmtext_chunks *chunks = opaque;
    int file = find_file(chunks, name);
    uint64_t size = file >= 0 ? chunks->manifest->files[file].size : 0;

    if (offset > size || length > size - offset) {
        lm_raise(ctx, LM_BAD_MODEL, "a read reaches past the end of the file");
        return lm_detail_file(ctx, name);
    }
    return copy_caught((lmtext_call *)ctx, chunks, file, offset, dest, length);
}

/* Fetch a chunk into `current`; its length must be what the file's size says. */
static void
fetch_chunk(lmtext_chunks *chunks, int file, int part)
{
    int64 start = (int64)part * LMTEXT_CHUNK_BYTES;
    int64 expected = Min(chunks->manifest->files[file].size - start, LMTEXT_CHUNK_BYTES);
    MemoryContext caller;

    if (chunks->current != NULL) {
        pfree(chunks->current);
        chunks->current = NULL;
    }
    CHECK_FOR_INTERRUPTS();
    LMTEXT_FAULT_FETCH();
    LMTEXT_FAULT_POINT("mid_load");
    caller = MemoryContextSwitchTo(chunks->memory);
    chunks->current = DatumGetByteaPCopy(chunks->files[file].chunks[part].data);
    MemoryContextSwitchTo(caller);
    if (VARSIZE(chunks->current) - VARHDRSZ != expected)
        throw_changed(chunks, file, "a chunk has the wrong length");
    chunks->current_file = file;
    chunks->current_part = part;
}

/* After the last part of a file: what was read so far is what was stored. */
static void
check_hash(lmtext_chunks *chunks, int file)
{
    chunk_file *state = &chunks->files[file];
    uint8 sha256[LMTEXT_DIGEST_BYTES];

    if (state->hash == NULL)
        state->hash = lmtext_sha256_begin(); /* an empty file */
    lmtext_sha256_end(state->hash, sha256);
    state->hash = NULL;
    if (memcmp(sha256, chunks->manifest->files[file].sha256, sizeof(sha256)) != 0)
        throw_changed(chunks, file, "its bytes do not match their SHA-256");
}

/* Make a chunk the current one, after all before it went into the hash. */
static void
pass_chunk(lmtext_chunks *chunks, int file, int part)
{
    chunk_file *state = &chunks->files[file];

    while (state->hashed <= part) {
        fetch_chunk(chunks, file, state->hashed);
        if (state->hash == NULL)
            state->hash = lmtext_sha256_begin();
        lmtext_sha256_add(state->hash, VARDATA(chunks->current),
                          VARSIZE(chunks->current) - VARHDRSZ);
        if (++state->hashed == state->parts)
            check_hash(chunks, file);
    }
    if (chunks->current == NULL || chunks->current_file != file || chunks->current_part != part)
        fetch_chunk(chunks, file, part);
}

/* Files that the engine has no use for are hashed as well: a version is whole or it is not. */
void
lmtext_chunks_verify_and_close(lmtext_chunks *chunks)
{
    for (int i = 0; i < chunks->manifest->file_count; i++) {
        const chunk_file *file = &chunks->files[i];

        if (file->parts == 0)
            check_hash(chunks, i);
        else if (file->hashed < file->parts)
            pass_chunk(chunks, i, file->parts - 1);
    }
    LMTEXT_FAULT_POINT("hashes_compared");
    UnregisterSnapshot(chunks->snapshot);
    table_close(chunks->table, NoLock);
    if (chunks->current != NULL)
        pfree(chunks->current);
    if (chunks->found != NULL)
        pfree(chunks->found);
    pfree(chunks->files);
    pfree(chunks);
}
