/*
 * adopt.c - a version of rows that were copied from another database.
 *
 * The rows are what another server sent, so nothing is believed but the digest that was asked for:
 * the manifest's digest is computed anew, every byte of every file is compared with its hash, and
 * the rows as a whole with what they were when the version was made. They are not loaded: a version
 * that was made there is one here, as after a restore.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "pg/catalog/digest.h"
#include "pg/version/record.h"
#include "pg/version/version.h"

/* XX001; the transaction's end removes the table. */
static void
refuse_copy(Oid relid, const char *what)
{
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("the copy of model \"%s\" is not what it should be",
                           lmtext_catalog_display_name(relid)),
                    errdetail("%s", what)));
}

/* The base is another version here than there, of the same digest. */
static void
check_base_digest(Oid relid, const lmtext_manifest *manifest)
{
    Oid base = lmtext_catalog_base(relid);
    bool same = manifest->has_base == OidIsValid(base);

    if (same && manifest->has_base) {
        lmtext_digest digest = lmtext_manifest_read(base)->digest;

        same = memcmp(&digest, &manifest->base, sizeof(digest)) == 0;
    }
    if (!same)
        refuse_copy(relid, "It was made on another base.");
}

static void
check_rows(Oid relid, const char *digest)
{
    lmtext_manifest *manifest = lmtext_manifest_read(relid);
    char hex[LMTEXT_HEX_CHARS + 1];
    lm_source source;

    lmtext_hex_write(manifest->digest.bytes, hex);
    if (strcmp(hex, digest) != 0)
        refuse_copy(relid, psprintf("Its digest is %s.", hex));
    check_base_digest(relid, manifest);
    lmtext_chunks_verify_and_close(lmtext_chunks_open(relid, manifest, &source));
    if (lmtext_rows_compare(relid, manifest) == LMTEXT_ROWS_CHANGED)
        refuse_copy(relid, "Its manifest or its golden values were changed.");
}

int
lmtext_version_adopt(Oid relid, const char *digest)
{
    char model[NAMEDATALEN];
    int version;

    if (!lmtext_catalog_is_model(relid) || !lmtext_catalog_version_of(relid, model, &version))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("table %u is not a model version", relid)));
    lmtext_record_check_owner(relid);
    SPI_connect();
    lmtext_record_lock(get_namespace_name(get_rel_namespace(relid)), model);
    PushActiveSnapshot(GetTransactionSnapshot());
    check_rows(relid, digest);
    PopActiveSnapshot();
    (void)lmtext_record_add(get_rel_namespace(relid), model, version);
    SPI_finish();
    return version;
}
