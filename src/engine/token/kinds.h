/*
 * kinds.h - what tokenizer.json may name, as the tables have it: all kinds of stages and models.
 */
#ifndef LM_TOKEN_KINDS_H
#define LM_TOKEN_KINDS_H

/* Gets a row: the stage's key in the file and the kind's type there; both stay. */
typedef void lm_token_kind_sink(void *opaque, const char *stage, const char *name);

/* All rows, stage by stage as a text goes through them. */
void lm_token_kinds(lm_token_kind_sink *sink, void *opaque);

#endif
