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
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#define LMTEXT_CHUNK_BYTES (1024 * 1024)

/* Resolve 'minilm', 'ml.minilm', 'minilm@3' by search_path; 42704 with a hint when there is none.
 */
Oid lmtext_catalog_resolve(const char *name);
/* The same for a trigger's argument, which must mean one version whoever fires it: names.c. */
Oid lmtext_catalog_resolve_near(const char *name, Oid table);
/*
 * 42704 unless relid is a model version; 42501 unless the current user may use it: SELECT on its
 * column file. The base of a version must be open to the version's owner, not to the user, as
 * tables under a view are.
 */
void lmtext_catalog_check_use(Oid relid);
bool lmtext_catalog_may_use(Oid relid, Oid role); /* the same as an answer, the base left out */
bool lmtext_catalog_is_model(Oid relid);
/* Base of a version that is built on another, or InvalidOid. */
Oid lmtext_catalog_base(Oid relid);
/* 'minilm@3', or 'ml.minilm@3' when not visible; palloc'd, for messages and views. */
char *lmtext_catalog_display_name(Oid relid);
/* Parts of a version's name; false where the name has no number (a table that was renamed). model
 * has room for NAMEDATALEN. */
bool lmtext_catalog_version_of(Oid relid, char *model, int *version);
/* For lists, which wait for no lock: does the bare name mean this version? False: it cannot be told
 * now. */
bool lmtext_catalog_peek_deployed(Oid relid, const char *model, int version, bool *deployed);
/* For estimates: what a name seems to mean, or InvalidOid. Waits for no lock and leaves none; a
 * name that is none, or not allowed, is an error. */
Oid lmtext_catalog_peek(const char *name);

typedef struct lmtext_manifest {
    lmtext_digest digest; /* of files, window, precision, base: of one digest, versions are equal */
    lmtext_digest base;   /* of the base that a head was made on */
    bool has_base;
    char *family, *task;
    lm_precision precision; /* of the weights when loaded; a head is float32 */
    int dimensions;
    int truncate_dim; /* what the embedding is cut to; 0: not cut, whatever its files say */
    int max_tokens;   /* the window; both are set anew where an image is bound */
    bool
        implied_class; /* config.json tells the tokenizer's class; versions of 0.2 did not ask it */
    int64 parameters, bytes;
    char *json;                 /* the whole manifest, UTF-8 */
    const struct lm_json *root; /* the same, parsed */
    int file_count;
    struct lmtext_manifest_file {
        char *name;
        int64 size;
        uint8 sha256[32];
    } * files;
} lmtext_manifest;

/*
 * Read the manifest row and check its digest against what it says (XX001); no privilege check.
 * Allocated in the current memory context.
 */
lmtext_manifest *lmtext_manifest_read(Oid relid);
/* The greatest number of dimensions of the version's embedding, for lm_model_options. */
int lmtext_manifest_dimensions(const lmtext_manifest *manifest);
/* How the version's files are read, in the precision that it has. */
struct lm_model_options lmtext_manifest_options(const lmtext_manifest *manifest);
/* Whether the task is embedding. */
bool lmtext_manifest_embeds(const lmtext_manifest *manifest);
/* What a list can say of a version. */
typedef enum lmtext_peek {
    LMTEXT_PEEK_READ,
    LMTEXT_PEEK_BUSY,    /* another session has a lock that keeps readers out */
    LMTEXT_PEEK_GONE,    /* no version, or not any more */
    LMTEXT_PEEK_NONE,    /* there is no manifest */
    LMTEXT_PEEK_DAMAGED, /* it is malformed */
} lmtext_peek;
/*
 * For lists: NULL where the manifest cannot be read; *outcome says why. Waits for no lock and
 * leaves none; *base (where it is wanted) is lmtext_catalog_base's.
 */
lmtext_manifest *lmtext_manifest_peek(Oid relid, Oid *base, lmtext_peek *outcome);

/* Are the rows of a version, golden values and manifest included, those that it was made with? */
typedef enum lmtext_rows {
    LMTEXT_ROWS_UNKNOWN, /* made before 0.3.0 */
    LMTEXT_ROWS_SAME,
    LMTEXT_ROWS_CHANGED
} lmtext_rows;
lmtext_rows lmtext_rows_compare(Oid relid, const lmtext_manifest *manifest);

/* The digest without the window: versions of one share an image. */
lmtext_digest lmtext_manifest_image(const lmtext_manifest *manifest);

/* A source over a version's chunks that hashes every byte as it passes; reads front to back. */
typedef struct lmtext_chunks lmtext_chunks;
/* Lock all that reading a version's chunks locks, until the transaction ends. */
void lmtext_chunks_lock(Oid relid);
lmtext_chunks *lmtext_chunks_open(Oid relid, const lmtext_manifest *manifest, lm_source *source);
/* Read what was not read, compare every file's hash: XX001 names model and file. Closes. (An error
 * on the way needs no close: the transaction's end releases everything.) */
void lmtext_chunks_verify_and_close(lmtext_chunks *chunks);

/* Options that travel with a version (in its manifest). */
typedef struct lmtext_version_options {
    int max_tokens;    /* 0: not given */
    int dimensions;    /* of the embedding, at most; 0: what the files say */
    bool as_embedding; /* a model with a head is taken for embedding */
    const char *task;  /* that it must be for; NULL: what its files say */
    bool task_given;   /* because somebody said so */
    bool plain_class;  /* config.json does not tell the tokenizer's class */
    lm_precision precision;
    bool compressed;            /* int8 as codes alone */
    const lm_text *calibration; /* of int8; NULL: the texts that ship with lmtext */
    size_t calibration_count;
    char *licence;
    char *metrics;              /* JSON object, of training; NULL: none */
    const lm_model *base_model; /* of a head: its base, loaded */
    bool stored; /* the files are a version's: what only imports refuse is a warning */
} lmtext_version_options;

/* Versions that 'm@N' or 'm' (all that are there) means to commands; a list of Oids, or 42704. */
List *lmtext_name_list(const char *name);

/* GRANT or REVOKE, as the current user, of "use" (SELECT on the column file) or "export" (SELECT
 * on all columns). */
void lmtext_catalog_grant(const char *model, Oid role, const char *privilege);
void lmtext_catalog_revoke(const char *model, Oid role, const char *privilege);

void lmtext_catalog_init(void); /* from _PG_init: what depends on a head depends on its base */

#endif
