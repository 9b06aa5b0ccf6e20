/*
 * version.h - making, deploying and dropping versions; where their files come from and go to.
 */
#ifndef LMTEXT_VERSION_H
#define LMTEXT_VERSION_H

#include "pg/catalog/catalog.h"

/*
 * Make the next version of `name` ([schema.]model) from files of a source: the table, its chunks
 * and manifest, in this transaction; deploys it when the name has no deployed version. Validates
 * what was stored by reading it back. `base` may be InvalidOid. Returns the version's table and
 * number. Text in `names` lists the files, settings first.
 */
Oid lmtext_version_create(const char *name, const lm_source *source, Oid base,
                          const lmtext_version_options *options, int *version);

/*
 * The same of a head on the encoder of `base`, whose folder may have the whole model's weights:
 * then its encoder must be the base's. The precision is the base's.
 */
Oid lmtext_version_add_head(const char *name, const lm_source *folder, Oid base,
                            lmtext_version_options *options, int *version);

/*
 * A version of rows that come from another database: its table, of number `wanted` or else the next
 * one; and its end, when the rows are in it: XX001 unless they are those that made a version of
 * this digest (64 hexadecimal digits). Returns the number.
 */
Oid lmtext_version_create_table(const char *name, int wanted, Oid base);
int lmtext_version_adopt(Oid relid, const char *digest);
/* Schema and name of a version that would be made; palloc'd. */
void lmtext_version_place(const char *name, char **schema, char **model);

/* The errors of a bad name, schema or owner, before the work that leads to a version. */
void lmtext_version_check_name(const char *name);
/* Make a version the one that the bare name means; 42704 when it is not there. Owner only. */
void lmtext_version_deploy(const char *name, int version);
/* Drop 'm@N', or 'm' with all its versions; what depends on them is an error of PostgreSQL's. */
void lmtext_version_drop(const char *name);

/* A NOTICE that lists what is pinned to other versions of a model than the deployed one. */
void lmtext_pinned_notice(Oid schema, const char *model, int deployed);

/* Write a version's files into a new directory of the server, all or nothing. */
void lmtext_version_export(Oid relid, const char *directory);

/* 42501 unless the current user may have all of its files, as an export and a training from them
 * show them. */
void lmtext_version_check_export(Oid relid);

/* What an int8 version's manifest says of its fidelity, as metrics; palloc'd, or NULL. */
char *lmtext_version_fidelity(const lmtext_manifest *manifest);
/* 0A000 where the version has int8 codes alone: for who needs fp32. */
void lmtext_version_refuse_codes(lmtext_call *call, const lmtext_manifest *manifest,
                                 const char *name);

/* Where an import reads from. After an error nothing is left open. */
typedef struct lmtext_origin {
    lmtext_call call;
    lm_source source; /* pass it the context of any lmtext_call */
    const char *(*find_words)(struct lmtext_origin *origin);
    void (*close)(struct lmtext_origin *origin);
} lmtext_origin;
/*
 * A directory of the server, or a file of word vectors there: pg_read_server_files, or below
 * lmtext.model_directory.
 */
lmtext_origin *lmtext_origin_directory(const char *path);
/* {"config.json": <oid of a large object>, …}, privileges checked as lo_open does. */
lmtext_origin *lmtext_origin_objects(Jsonb *files);
/* The name of a file of word vectors, where that is what is imported; else NULL. */
const char *lmtext_origin_words(lmtext_origin *origin);
void lmtext_origin_close(lmtext_origin *origin);

void lmtext_version_init(void); /* from _PG_init: lmtext.model_directory */

#endif
