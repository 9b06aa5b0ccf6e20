/*
 * oracle.h - what a filter learns from: a user's SQL expression that is true, false or NULL of a
 * text. It runs as the current user, in this backend, and may do what any statement of theirs may,
 * except ending the transaction.
 *
 * The caller has called SPI_connect, and an oracle lives until SPI_finish.
 */
#ifndef LMTEXT_ORACLE_H
#define LMTEXT_ORACLE_H

#include "pg/glue/glue.h"

typedef struct lmtext_oracle lmtext_oracle;

/*
 * Check an expression in which the word `text` stands for the text; errors of it are PostgreSQL's
 * own. It must be boolean.
 */
lmtext_oracle *lmtext_oracle_open(const char *expression);

/* Evaluated once: 1 true, 0 false, -1 NULL. */
signed char lmtext_oracle_ask(const lmtext_oracle *oracle, lm_text text);

#endif
