/*
 * record.h - inside this room: the row of a name in lmtext.model_name, the owner of its versions,
 * and commands as the caller. All but the checks take an SPI connection.
 */
#ifndef LMTEXT_RECORD_H
#define LMTEXT_RECORD_H

#include "pg/catalog/names.h"

/* Lock the row of a name, made if need be, until the transaction ends. */
void lmtext_record_lock(const char *schema, const char *model);
/* The locked row as it is now: another session may have changed it since the statement began. */
void lmtext_record_read(const char *schema, const char *model, lmtext_name_row *row);
/* Set its deployment (0: none) and raise its last number. */
void lmtext_record_update(const char *schema, const char *model, int deployed, int last_version);

/* A version that was made; returns the deployed one, which it is where there was none. */
int lmtext_record_add(Oid schema, const char *model, int version);

/* 42501 unless the current user owns the version. */
void lmtext_record_check_owner(Oid relid);
/* The same for all versions of a name: their highest number, and who owns them. */
int lmtext_record_check_versions(Oid schema, const char *model, Oid *owner);

void lmtext_run_command(const char *command);
char *lmtext_table_name(Oid relid); /* qualified and quoted */

#endif
