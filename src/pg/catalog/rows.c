/*
 * rows.c - the digest of all rows of a version: were they changed by hand since it was made?
 *
 * A manifest ends in a member "rows": SHA-256 over the manifest up to there, whose list has the
 * hashes of the files, and the SHA-256 of the golden values where there are some. It is there to
 * find mistakes: an owner can write another one. Versions made before 0.3.0 have none.
 */
#include "postgres.h"

#include "access/table.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/catalog/digest.h"
#include "pg/catalog/manifest.h"
#include "pg/catalog/names.h"
#include "pg/catalog/parts.h"

#define MEMBER ",\"rows\":\""
#define MEMBER_CHARS (sizeof(MEMBER) - 1 + LMTEXT_HEX_CHARS + 2) /* "} */

/* What a scan finds. */
typedef struct row_survey {
    const lmtext_manifest *manifest;
    char **names; /* of the manifest's files, as the column has them */
    bool has_golden, unlisted;
    uint8 golden[LMTEXT_DIGEST_BYTES];
} row_survey;

static void
hash_bytea(const bytea *data, uint8 *result)
{
    struct pg_cryptohash_ctx *hash = lmtext_sha256_begin();

    lmtext_sha256_add(hash, VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
    lmtext_sha256_end(hash, result);
}

static void
digest_rows(const char *manifest, size_t length, const uint8 *golden, uint8 *result)
{
    struct pg_cryptohash_ctx *hash = lmtext_sha256_begin();

    lmtext_sha256_add(hash, manifest, length);
    if (golden != NULL)
        lmtext_sha256_add(hash, golden, LMTEXT_DIGEST_BYTES);
    lmtext_sha256_end(hash, result);
}

/* Closes the manifest. */
void
lmtext_rows_append(StringInfo manifest, const bytea *golden)
{
    uint8 hash[LMTEXT_DIGEST_BYTES], digest[LMTEXT_DIGEST_BYTES];
    char hex[LMTEXT_HEX_CHARS + 1];

    if (golden != NULL)
        hash_bytea(golden, hash);
    digest_rows(manifest->data, manifest->len, golden != NULL ? hash : NULL, digest);
    lmtext_hex_write(digest, hex);
    appendStringInfo(manifest, MEMBER "%s\"}", hex);
}

static bool
is_file(const lmtext_part *part, const char *name)
{
    return part->file_length == strlen(name) && memcmp(part->file, name, part->file_length) == 0;
}

/* A visitor. Chunks of files are counted and hashed when a version is read. */
static bool
survey_row(void *opaque, const lmtext_part *part)
{
    row_survey *survey = opaque;

    for (int i = 0; i < survey->manifest->file_count; i++)
        if (is_file(part, survey->names[i]))
            return true;
    if (part->part == 0 && is_file(part, LMTEXT_GOLDEN_FILE)) {
        bytea *data = DatumGetByteaPP(part->data);

        hash_bytea(data, survey->golden);
        survey->has_golden = true;
        if ((Pointer)data != DatumGetPointer(part->data))
            pfree(data);
    } else if (part->part != 0 || !is_file(part, LMTEXT_MANIFEST_FILE))
        survey->unlisted = true;
    return !survey->unlisted;
}

lmtext_rows
lmtext_rows_compare(Oid relid, const lmtext_manifest *manifest)
{
    size_t length = strlen(manifest->json);
    row_survey survey = {.manifest = manifest};
    uint8 stored[LMTEXT_DIGEST_BYTES], found[LMTEXT_DIGEST_BYTES];
    const char *member;
    Snapshot snapshot;
    Relation table;

    member = length > MEMBER_CHARS ? manifest->json + length - MEMBER_CHARS : "";
    if (strncmp(member, MEMBER, sizeof(MEMBER) - 1) != 0 ||
        !lmtext_hex_read(member + sizeof(MEMBER) - 1, LMTEXT_HEX_CHARS, stored))
        return LMTEXT_ROWS_UNKNOWN;
    survey.names = palloc(Max(manifest->file_count, 1) * sizeof(char *));
    for (int i = 0; i < manifest->file_count; i++)
        survey.names[i] =
            lmtext_cstring_from_utf8(manifest->files[i].name, strlen(manifest->files[i].name));
    table = table_open(relid, AccessShareLock);
    snapshot = lmtext_version_snapshot();
    lmtext_parts_visit(table, snapshot, survey_row, &survey);
    UnregisterSnapshot(snapshot);
    table_close(table, NoLock);
    digest_rows(manifest->json, length - MEMBER_CHARS, survey.has_golden ? survey.golden : NULL,
                found);
    return survey.unlisted || memcmp(stored, found, sizeof(stored)) != 0 ? LMTEXT_ROWS_CHANGED
                                                                         : LMTEXT_ROWS_SAME;
}
