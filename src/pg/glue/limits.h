/*
 * limits.h - caps that a superuser sets on what one call may take: settings, by database or role.
 */
#ifndef LMTEXT_LIMITS_H
#define LMTEXT_LIMITS_H

#include "postgres.h"

/* 54000 where a text has more bytes than lmtext.max_text_size allows. */
void lmtext_limit_text(size_t bytes);
/* 54000 where an array has more texts than lmtext.max_array_texts allows. */
void lmtext_limit_texts(int count);
/* The lesser of what a session asks for and lmtext.max_batch_tokens. */
int lmtext_limit_batch(int tokens);

void lmtext_limits_init(void);

#endif
