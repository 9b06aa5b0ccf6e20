/*
 * catalog.h - model versions as tables: names, privileges, manifests, chunks.
 *
 * A version of model `m` is the table "m@N" OF lmtext.model_part (file text, part int, data bytea,
 * base regclass). Rows are chunks of files; the row ('manifest.json', 0) describes them. A version
 * built on another names it as the default of its column `base`. Which version a bare name means
 * stands in lmtext.model_name. Tables are read by table_open and systable scans, never by SPI.
 */
#ifndef LMTEXT_CATALOG_H
#define LMTEXT_CATALOG_H

#include "pg/glue/glue.h"

#define LMTEXT_CHUNK_BYTES (1024 * 1024)
#define LMTEXT_DIGEST_BYTES 32

typedef struct lmtext_digest {
    uint8 bytes[LMTEXT_DIGEST_BYTES]; /* SHA-256 over names, sizes and contents of the files */
} lmtext_digest;

/* Resolve 'minilm', 'ml.minilm', 'minilm@3' by search_path; 42704 with a hint when there is none.
 */
Oid lmtext_catalog_resolve(const char *name);
/* 42704 unless relid is a model version; 42501 unless the current user may use it. */
void lmtext_catalog_check_use(Oid relid);
bool lmtext_catalog_is_model(Oid relid);
/* Base of a version that is built on another, or InvalidOid. */
Oid lmtext_catalog_base(Oid relid);
/* 'minilm@3', or 'ml.minilm@3' when not visible; palloc'd, for messages and views. */
char *lmtext_catalog_display_name(Oid relid);

typedef struct lmtext_manifest {
    lmtext_digest digest;
    char *family, *task, *precision;
    int dimensions, max_tokens;
    int64 parameters, bytes;
    char *json; /* the whole manifest as text */
    int file_count;
    struct lmtext_manifest_file {
        char *name;
        int64 size;
        uint8 sha256[32];
    } * files;
} lmtext_manifest;

/* Read and check the manifest row; no privilege check. Allocated in the current memory context. */
lmtext_manifest *lmtext_manifest_read(Oid relid);

/* A source over a version's chunks that hashes every byte as it passes; reads front to back. */
typedef struct lmtext_chunks lmtext_chunks;
lmtext_chunks *lmtext_chunks_open(Oid relid, const lmtext_manifest *manifest, lm_source *source);
/* Read what was not read, compare every file's hash: XX001 names model and file. Closes. */
void lmtext_chunks_verify_and_close(lmtext_chunks *chunks);

/* Options that travel with a version (in its manifest). */
typedef struct lmtext_version_options {
    int max_tokens; /* 0: not given */
    char *licence;
    char *metrics; /* JSON object, of training; NULL: none */
} lmtext_version_options;

/*
 * Make the next version of `name` ([schema.]model) from files of a source: the table, its chunks
 * and manifest, in this transaction; deploys it when the name has no deployed version. Validates
 * what was stored by reading it back. `base` may be InvalidOid. Returns the version's table and
 * number. Text in `names` lists the files, settings first.
 */
Oid lmtext_version_create(const char *name, const lm_source *source, Oid base,
                          const lmtext_version_options *options, int *version);

#endif
