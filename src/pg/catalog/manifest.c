/*
 * manifest.c - the row that describes a version: JSON (UTF-8) under the file name manifest.json.
 *
 *     {"format": 1, "digest": "<hex>", "files": [{"name", "size", "sha256"}, …], "family", "task",
 *      "dimensions", "max_tokens", "precision", "parameters", "bytes", "labels", "licence",
 *      "options": {…}, "metrics": {…}, "base": "<digest of the base>", "created_at",
 *      "rows": "<hex>"}                                        (rows.c)
 *
 * Laws: whoever owns a version's table can write anything into it, so a manifest is hostile input.
 * The digest is computed anew from what the manifest lists: it is the key under which a loaded
 * model is shared, and a forged one would put other weights under a stranger's model.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/table.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "pgtime.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/buffer.h"
#include "format/json.h"
#include "pg/catalog/digest.h"
#include "pg/catalog/manifest.h"
#include "pg/catalog/names.h"
#include "pg/catalog/parts.h"

#define MANIFEST_FORMAT 1
#define MANIFEST_BYTES_MAX (16 * 1024 * 1024)
#define MANIFEST_FILES_MAX 10000

typedef struct lmtext_manifest_file manifest_file;

static bytea *fetch_row(Relation table, Snapshot snapshot);
static lm_status parse_manifest(lm_context *ctx, const char *json, size_t length,
                                lmtext_manifest *manifest);
static void check_digest(Oid relid, const char *name, const lmtext_manifest *manifest);

/* ---- Reading ---- */

/* The absence of a manifest is no damage: rows may be there that the snapshot does not show. */
lmtext_manifest *
lmtext_manifest_read(Oid relid)
{
    Relation table = table_open(relid, AccessShareLock);
    char *name = lmtext_catalog_display_name(relid);
    lmtext_manifest *manifest = palloc0(sizeof(*manifest));
    bytea *row = fetch_row(table, lmtext_version_snapshot());
    lmtext_call call;

    table_close(table, NoLock);
    if (row == NULL)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("model \"%s\" has no manifest", name),
                        errhint("Its rows were deleted, are not restored yet, or were written "
                                "by a transaction that is not visible to this one.")));
    lmtext_call_init(&call, CurrentMemoryContext);
    lmtext_check(&call, parse_manifest(&call.ctx, VARDATA(row), VARSIZE(row) - VARHDRSZ, manifest),
                 name);
    check_digest(relid, name, manifest);
    return manifest;
}

/* An unlogged table has no file on a standby. */
static bool
is_readable(Relation table)
{
    return table->rd_rel->relpersistence == RELPERSISTENCE_PERMANENT || !RecoveryInProgress();
}

/*
 * Lists wait for nobody: a view that queued behind a DROP that waits, or that a prepared
 * transaction keeps, would tell nothing just when it is looked at. Everything that reading the
 * manifest locks is locked by trying, before it is opened: the table, its TOAST table, and that
 * one's indexes, which a REINDEX in an open transaction holds alone.
 */
static bool
try_lock(Oid relid, List **held)
{
    if (!ConditionalLockRelationOid(relid, AccessShareLock))
        return false;
    *held = lappend_oid(*held, relid);
    return true;
}

/* TOAST table and indexes of a table that is locked. */
static bool
try_lock_toast(Relation table, List **held)
{
    Oid toast = table->rd_rel->reltoastrelid;
    Relation chunks;
    bool locked = true;
    ListCell *cell;
    List *indexes;

    if (!OidIsValid(toast))
        return true;
    if (!try_lock(toast, held))
        return false;
    chunks = table_open(toast, NoLock);
    indexes = RelationGetIndexList(chunks);
    foreach (cell, indexes)
        locked = locked && try_lock(lfirst_oid(cell), held);
    list_free(indexes);
    table_close(chunks, NoLock);
    return locked;
}

/* Not to the transaction's end: a list that held one version while it waits for another command's
 * lock would deadlock with a drop of both. */
static void
unlock_all(List *held)
{
    ListCell *cell;

    foreach (cell, held)
        UnlockRelationOid(lfirst_oid(cell), AccessShareLock);
    list_free(held);
}

/* The row of a table that is locked, or why there is none. */
static bytea *
peek_row(Relation table, List **held, lmtext_peek *outcome)
{
    bytea *row = NULL;

    if (!try_lock_toast(table, held)) {
        *outcome = LMTEXT_PEEK_BUSY;
        return NULL;
    }
    if (is_readable(table))
        row = fetch_row(table, lmtext_read_snapshot());
    *outcome = row != NULL ? LMTEXT_PEEK_READ : LMTEXT_PEEK_NONE;
    return row;
}

/* The table may go away between the look-up and the lock, so it is opened by trying. */
static bytea *
peek_table(Oid relid, Oid *base, lmtext_peek *outcome)
{
    List *held = NIL;
    bytea *row = NULL;
    Relation table;

    *outcome = LMTEXT_PEEK_GONE;
    if (!lmtext_catalog_is_model(relid))
        return NULL;
    if (!try_lock(relid, &held)) {
        *outcome = LMTEXT_PEEK_BUSY;
        return NULL;
    }
    table = try_table_open(relid, NoLock);
    if (table != NULL) {
        row = peek_row(table, &held, outcome);
        if (base != NULL)
            *base = lmtext_table_base(table);
        table_close(table, NoLock);
    }
    unlock_all(held);
    return row;
}

lmtext_manifest *
lmtext_manifest_peek(Oid relid, Oid *base, lmtext_peek *outcome)
{
    bytea *row = peek_table(relid, base, outcome);
    lmtext_manifest *manifest;
    lmtext_call call;
    lm_status status;

    if (row == NULL)
        return NULL;
    manifest = palloc0(sizeof(*manifest));
    lmtext_call_init(&call, CurrentMemoryContext);
    status = parse_manifest(&call.ctx, VARDATA(row), VARSIZE(row) - VARHDRSZ, manifest);
    if (status == LM_CORRUPT) {
        *outcome = LMTEXT_PEEK_DAMAGED;
        return NULL;
    }
    lmtext_check(&call, status, NULL);
    return manifest;
}

/* A visitor. The size is asked of the TOAST pointer: a huge row is not even fetched. */
static bool
keep_manifest(void *opaque, const lmtext_part *part)
{
    bytea **row = opaque;

    if (part->part != 0 || part->file_length != strlen(LMTEXT_MANIFEST_FILE) ||
        memcmp(part->file, LMTEXT_MANIFEST_FILE, part->file_length) != 0)
        return true;
    if (toast_raw_datum_size(part->data) <= MANIFEST_BYTES_MAX)
        *row = DatumGetByteaPCopy(part->data);
    return false;
}

/* The bytes of the manifest row, or NULL; gives the snapshot back. */
static bytea *
fetch_row(Relation table, Snapshot snapshot)
{
    bytea *row = NULL;

    LMTEXT_FAULT_FETCH();
    lmtext_parts_visit(table, snapshot, keep_manifest, &row);
    UnregisterSnapshot(snapshot);
    return row;
}

/* ---- Parsing ---- */
/*
 * The engine's JSON reader refuses duplicate keys, bad UTF-8 and deep nesting; here types and
 * ranges are checked. Nothing in this part throws except for lack of memory: lists go on with the
 * next table. Strings for people (family, task) are shown lossily, names of files are kept as they
 * are.
 */

/* An error in a manifest names the key. */
static lm_status
broken(lm_context *ctx, const char *key)
{
    lm_raise(ctx, LM_CORRUPT, "the manifest is malformed");
    lm_detail_file(ctx, LMTEXT_MANIFEST_FILE);
    return lm_detail_key(ctx, "%s", key);
}

/* A whole number of at least 0 under a key; absent or null counts as 0. */
static lm_status
read_number(lm_context *ctx, const lm_json *object, const char *key, int64 high, int64 *value)
{
    const lm_json *member = lm_json_get(object, key);

    *value = 0;
    if (member == NULL || member->type == LM_JSON_NULL)
        return LM_OK;
    if (member->type != LM_JSON_NUMBER || !member->is_integer || member->integer < 0 ||
        member->integer > high)
        return broken(ctx, key);
    *value = member->integer;
    return LM_OK;
}

static lm_status
read_int(lm_context *ctx, const lm_json *object, const char *key, int *value)
{
    int64 wide;

    LM_TRY(read_number(ctx, object, key, PG_INT32_MAX, &wide));
    *value = (int)wide;
    return LM_OK;
}

/* A string without U+0000 in the database's encoding, as far as it can be shown. */
static lm_status
read_string(lm_context *ctx, const lm_json *object, const char *key, char **value)
{
    const lm_json *member = lm_json_get(object, key);

    if (member == NULL || member->type != LM_JSON_STRING)
        return broken(ctx, key);
    *value = lmtext_cstring_lossy(member->as.string.bytes, member->as.string.length);
    return LM_OK;
}

static lm_status
read_precision(lm_context *ctx, const lm_json *root, lm_precision *precision)
{
    const lm_json *member = lm_json_get(root, "precision");

    if (member == NULL || member->type != LM_JSON_STRING ||
        !lm_precision_find(member->as.string.bytes, precision))
        return broken(ctx, "precision");
    return LM_OK;
}

/* 64 lower-case hexadecimal digits. */
static lm_status
read_digest(lm_context *ctx, const lm_json *object, const char *key, uint8 *bytes)
{
    const lm_json *member = lm_json_get(object, key);

    if (member == NULL || member->type != LM_JSON_STRING ||
        !lmtext_hex_read(member->as.string.bytes, member->as.string.length, bytes))
        return broken(ctx, key);
    return LM_OK;
}

/* Only a head has one. */
static lm_status
read_base(lm_context *ctx, const lm_json *root, lmtext_manifest *manifest)
{
    if (lm_json_get(root, "base") == NULL)
        return LM_OK;
    manifest->has_base = true;
    return read_digest(ctx, root, "base", manifest->base.bytes);
}

/* One entry of "files". U+0000 in a name would end it early, and two names would be one. */
static lm_status
read_file(lm_context *ctx, const lm_json *item, manifest_file *file)
{
    const lm_json *name = lm_json_get(item, "name");

    if (name == NULL || name->type != LM_JSON_STRING ||
        strlen(name->as.string.bytes) != name->as.string.length)
        return broken(ctx, "files.name");
    file->name = pnstrdup(name->as.string.bytes, name->as.string.length);
    LM_TRY(read_number(ctx, item, "size", PG_INT64_MAX, &file->size));
    return read_digest(ctx, item, "sha256", file->sha256);
}

/* The limit keeps a hostile list from costing more than its bytes. */
static lm_status
read_files(lm_context *ctx, const lm_json *root, lmtext_manifest *manifest)
{
    const lm_json *files = lm_json_get(root, "files");

    if (files == NULL || files->type != LM_JSON_ARRAY || files->as.items.count > MANIFEST_FILES_MAX)
        return broken(ctx, "files");
    manifest->files = palloc0(Max(files->as.items.count, 1) * sizeof(manifest_file));
    for (const lm_json *item = files->as.items.first; item != NULL; item = item->next)
        LM_TRY(read_file(ctx, item, &manifest->files[manifest->file_count++]));
    return LM_OK;
}

/*
 * The parsed tree lives as long as the memory context. Whatever is wrong with the bytes is
 * LM_CORRUPT: the manifest was right when the version was made.
 */
static lm_status
parse_manifest(lm_context *ctx, const char *json, size_t length, lmtext_manifest *manifest)
{
    static const bool is_damage[LM_STATUS_COUNT] = {
        [LM_BAD_JSON] = true,
        [LM_TOO_DEEP] = true,
        [LM_TOO_LARGE] = true,
    };
    const lm_json *root;
    lm_status status;
    lm_arena arena;
    int64 format;

    lm_arena_init(&arena, ctx);
    manifest->json = pnstrdup(json, length);
    status = lm_json_parse(ctx, &arena, manifest->json, length, LMTEXT_MANIFEST_FILE, &root);
    LM_TRY(is_damage[status] ? LM_CORRUPT : status);
    manifest->root = root;
    LM_TRY(read_number(ctx, root, "format", PG_INT32_MAX, &format));
    if (format != MANIFEST_FORMAT)
        return broken(ctx, "format");
    LM_TRY(read_digest(ctx, root, "digest", manifest->digest.bytes));
    LM_TRY(read_base(ctx, root, manifest));
    LM_TRY(read_files(ctx, root, manifest));
    LM_TRY(read_string(ctx, root, "family", &manifest->family));
    LM_TRY(read_string(ctx, root, "task", &manifest->task));
    LM_TRY(read_precision(ctx, root, &manifest->precision));
    LM_TRY(read_int(ctx, root, "dimensions", &manifest->dimensions));
    if (lm_json_get(root, "truncate_dim") != NULL)
        LM_TRY(read_int(ctx, root, "truncate_dim", &manifest->truncate_dim));
    manifest->implied_class = lm_json_get(root, "implied_class") != NULL;
    LM_TRY(read_int(ctx, root, "max_tokens", &manifest->max_tokens));
    LM_TRY(read_number(ctx, root, "parameters", PG_INT64_MAX, &manifest->parameters));
    return read_number(ctx, root, "bytes", PG_INT64_MAX, &manifest->bytes);
}

/* ---- Digest ---- */
/*
 * Two versions of one image digest are one model to the cache, whoever owns them. What enters must
 * therefore be all that a loaded image is made of: the bytes of the files, the precision, the base
 * under a head, the task of a head among the files (on a base it classifies, or the task is said),
 * and whether config.json tells the tokenizer's class. float32 is not written down: versions were
 * made before there was another. The digest of the version has the window too (the option and the
 * files decide it together, so the outcome is what counts), and what the embedding is cut to (0.2
 * did not read that from the files).
 */

/* A base has no base: a chain of bases would have no known end. */
static void
check_digest(Oid relid, const char *name, const lmtext_manifest *manifest)
{
    Oid base = lmtext_catalog_base(relid);
    lmtext_digest digest;
    bool fits = !OidIsValid(base) && !manifest->has_base;

    if (OidIsValid(base)) {
        if (!lmtext_catalog_is_model(base) || OidIsValid(lmtext_catalog_base(base)))
            ereport(ERROR,
                    (errcode(ERRCODE_DATA_CORRUPTED),
                     errmsg("the base of model \"%s\" is not a model that can be a base", name)));
        fits = manifest->has_base &&
               memcmp(&lmtext_manifest_read(base)->digest, &manifest->base, sizeof(digest)) == 0;
    }
    digest = lmtext_manifest_digest(manifest);
    if (!fits || memcmp(&digest, &manifest->digest, sizeof(digest)) != 0)
        ereport(
            ERROR,
            (errcode(ERRCODE_DATA_CORRUPTED),
             errmsg("model \"%s\" was changed after it was made", name),
             errdetail(
                 "The digest in its manifest does not match the files that the manifest lists.")));
}

/* Its files may have a head that it leaves out, because it was asked to, or made before lmtext knew
 * that head. */
bool
lmtext_manifest_embeds(const lmtext_manifest *manifest)
{
    return strcmp(manifest->task, "embedding") == 0;
}

/* Order of the digest's listing, by bytes. */
static int
compare_files(const void *a, const void *b)
{
    return strcmp(((const manifest_file *)a)->name, ((const manifest_file *)b)->name);
}

/* Files sorted by name, one a line. Names and the task are led by their length, so that none can
 * look like the next line. */
static void
list_contents(const lmtext_manifest *manifest, StringInfo listing)
{
    size_t bytes = manifest->file_count * sizeof(manifest_file);
    manifest_file *files = palloc(Max(bytes, 1));
    char hex[LMTEXT_HEX_CHARS + 1];

    if (bytes > 0)
        memcpy(files, manifest->files, bytes);
    qsort(files, manifest->file_count, sizeof(manifest_file), compare_files);
    if (!lm_precisions[manifest->precision].exact)
        appendStringInfo(listing, "precision %s\n", lm_precision_name(manifest->precision));
    if (manifest->implied_class)
        appendStringInfoString(listing, "implied_class\n");
    if (manifest->has_base) {
        lmtext_hex_write(manifest->base.bytes, hex);
        appendStringInfo(listing, "base %s\n", hex);
    }
    if (strcmp(manifest->task, manifest->has_base ? "classification" : "embedding") != 0)
        appendStringInfo(listing, "task %zu %s\n", strlen(manifest->task), manifest->task);
    for (int i = 0; i < manifest->file_count; i++) {
        lmtext_hex_write(files[i].sha256, hex);
        appendStringInfo(listing, "file %zu %s " INT64_FORMAT " %s\n", strlen(files[i].name),
                         files[i].name, files[i].size, hex);
    }
    pfree(files);
}

/* SHA-256 over what is listed so far and the contents. */
static lmtext_digest
digest_contents(const lmtext_manifest *manifest, StringInfo listing)
{
    struct pg_cryptohash_ctx *hash = lmtext_sha256_begin();
    lmtext_digest digest;

    list_contents(manifest, listing);
    lmtext_sha256_add(hash, listing->data, listing->len);
    lmtext_sha256_end(hash, digest.bytes);
    pfree(listing->data);
    return digest;
}

lmtext_digest
lmtext_manifest_digest(const lmtext_manifest *manifest)
{
    StringInfoData listing;

    initStringInfo(&listing);
    appendStringInfo(&listing, "lmtext %d\nmax_tokens %d\n", MANIFEST_FORMAT, manifest->max_tokens);
    if (manifest->truncate_dim > 0)
        appendStringInfo(&listing, "truncate_dim %d\n", manifest->truncate_dim);
    return digest_contents(manifest, &listing);
}

/* A version without the member is not cut: 0.2 made it, or its files do not ask for it.
 */
int
lmtext_manifest_dimensions(const lmtext_manifest *manifest)
{
    return manifest->truncate_dim > 0 ? manifest->truncate_dim : PG_INT32_MAX;
}

lm_model_options
lmtext_manifest_options(const lmtext_manifest *manifest)
{
    return (lm_model_options){.max_tokens = manifest->max_tokens,
                              .dimensions = lmtext_manifest_dimensions(manifest),
                              .as_embedding = lmtext_manifest_embeds(manifest),
                              .task = manifest->task,
                              .plain_class = !manifest->implied_class,
                              .precision = manifest->precision};
}

lmtext_digest
lmtext_manifest_image(const lmtext_manifest *manifest)
{
    StringInfoData listing;

    initStringInfo(&listing);
    appendStringInfo(&listing, "lmtext %d\nimage\n", MANIFEST_FORMAT);
    return digest_contents(manifest, &listing);
}

/* ---- Writing ---- */
/*
 * Written once, by the transaction that makes the version, and read back before it ends. Members
 * are appended with a leading comma after "format". Everything is UTF-8, whatever the database is:
 * a manifest that is restored into another encoding stays the same bytes.
 */

/* A manifest that is being written; text goes through the engine's writer of JSON. */
typedef struct manifest_writer {
    lmtext_call *call;
    StringInfoData json;
} manifest_writer;

static void
write_text(manifest_writer *w, const char *text)
{
    lm_buffer quoted;

    lm_buffer_init(&quoted, &w->call->ctx);
    lmtext_check(w->call, lm_json_write_string(&quoted, text, strlen(text)), NULL);
    appendBinaryStringInfo(&w->json, quoted.data, quoted.size);
    lm_buffer_free(&quoted);
}

/* A further member of an object; the writer of the first one leads no comma. */
static void
write_string(manifest_writer *w, const char *key, const char *value)
{
    appendStringInfo(&w->json, ",\"%s\":", key);
    write_text(w, value);
}

static void
write_digest(manifest_writer *w, const char *key, const uint8 *digest)
{
    char hex[LMTEXT_HEX_CHARS + 1];

    lmtext_hex_write(digest, hex);
    write_string(w, key, hex);
}

/* Files in the order in which they were stored. */
static void
write_files(manifest_writer *w, const lmtext_manifest *manifest)
{
    appendStringInfoString(&w->json, ",\"files\":[");
    for (int i = 0; i < manifest->file_count; i++) {
        const manifest_file *file = &manifest->files[i];

        appendStringInfo(&w->json, "%s{\"size\":" INT64_FORMAT, i > 0 ? "," : "", file->size);
        write_string(w, "name", file->name);
        write_digest(w, "sha256", file->sha256);
        appendStringInfoChar(&w->json, '}');
    }
    appendStringInfoChar(&w->json, ']');
}

/* Labels stand here for lists only; a loaded model has its own from its files. */
static void
write_labels(manifest_writer *w, const lm_model_info *info)
{
    if (info->label_count == 0)
        return;
    appendStringInfoString(&w->json, ",\"labels\":[");
    for (int i = 0; i < info->label_count; i++) {
        if (i > 0)
            appendStringInfoChar(&w->json, ',');
        write_text(w, info->labels[i]);
    }
    appendStringInfoChar(&w->json, ']');
}

/*
 * For planners and lists: nothing that is loaded depends on it, and versions of 0.3 do not say it.
 * A head costs what its base does.
 */
static void
write_kind(manifest_writer *w, const lm_model_info *info)
{
    write_string(w, "kind", info->kind);
    if (info->flops_per_token > 0)
        appendStringInfo(&w->json, ",\"flops_per_token\":" UINT64_FORMAT, info->flops_per_token);
    appendStringInfo(&w->json, ",\"details\":%s", info->details);
}

/* What the engine found in the files. */
static void
write_info(manifest_writer *w, const lmtext_manifest *manifest, const lm_model_info *info)
{
    write_string(w, "family", info->family);
    write_string(w, "task", info->task);
    write_kind(w, info);
    write_string(w, "precision", lm_precision_name(manifest->precision));
    appendStringInfo(&w->json, ",\"dimensions\":%d,\"max_tokens\":%d", info->dimensions,
                     info->max_tokens);
    if (manifest->truncate_dim > 0)
        appendStringInfo(&w->json, ",\"truncate_dim\":%d", manifest->truncate_dim);
    if (manifest->implied_class)
        appendStringInfoString(&w->json, ",\"implied_class\":true");
    appendStringInfo(&w->json, ",\"parameters\":" UINT64_FORMAT ",\"bytes\":" INT64_FORMAT,
                     info->parameters, manifest->bytes);
    write_labels(w, info);
}

/* What the caller said about the version. */
static void
write_options(manifest_writer *w, const lmtext_version_options *options)
{
    if (options->licence != NULL)
        write_string(w, "licence", options->licence);
    if (options->metrics != NULL)
        appendStringInfo(&w->json, ",\"metrics\":%s", options->metrics);
    appendStringInfoString(&w->json, ",\"options\":{");
    if (options->max_tokens > 0)
        appendStringInfo(&w->json, "\"max_tokens\":%d", options->max_tokens);
    if (options->task_given)
        appendStringInfo(&w->json, "%s\"task\":\"%s\"", options->max_tokens > 0 ? "," : "",
                         options->task);
    appendStringInfoChar(&w->json, '}');
}

/*
 * The transaction's time, as now() has it; without zone names or DateStyle. Not by pg_gmtime, which
 * is NULL where it finds no memory at its first use.
 */
static void
write_time(manifest_writer *w)
{
    struct pg_tm now;
    fsec_t fraction;
    char time[64];

    if (timestamp2tm(GetCurrentTransactionStartTimestamp(), NULL, &now, &fraction, NULL, NULL) != 0)
        elog(ERROR, "the transaction's time is out of range");
    snprintf(time, sizeof(time), "%04d-%02d-%02dT%02d:%02d:%02dZ", now.tm_year, now.tm_mon,
             now.tm_mday, now.tm_hour, now.tm_min, now.tm_sec);
    write_string(w, "created_at", time);
}

bytea *
lmtext_manifest_write(lmtext_call *call, const lmtext_manifest *manifest, const lm_model_info *info,
                      const lmtext_version_options *options, const bytea *golden)
{
    manifest_writer w = {.call = call};
    bytea *row;

    initStringInfo(&w.json);
    appendStringInfo(&w.json, "{\"format\":%d", MANIFEST_FORMAT);
    write_digest(&w, "digest", manifest->digest.bytes);
    if (manifest->has_base)
        write_digest(&w, "base", manifest->base.bytes);
    write_info(&w, manifest, info);
    write_options(&w, options);
    write_time(&w);
    write_files(&w, manifest);
    lmtext_rows_append(&w.json, golden);
    if (w.json.len > MANIFEST_BYTES_MAX - VARHDRSZ)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("the model's labels and metrics are too long"),
                        errdetail("They take %d bytes; at most %d are allowed.", w.json.len,
                                  MANIFEST_BYTES_MAX - VARHDRSZ)));
    row = palloc(VARHDRSZ + w.json.len);
    SET_VARSIZE(row, VARHDRSZ + w.json.len);
    memcpy(VARDATA(row), w.json.data, w.json.len);
    pfree(w.json.data);
    return row;
}
