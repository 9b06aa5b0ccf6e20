/*
 * entities.h - entities in sequences of tags, and how many of them are right: a type and its first
 * and last token must be the same.
 */
#ifndef LM_METRICS_ENTITIES_H
#define LM_METRICS_ENTITIES_H

#include "metrics/classification.h"

typedef struct lm_entities lm_entities;

/*
 * How tags are read. NULL: as conlleval reads them, and seqeval where it is not strict: any mixture
 * of B, I, E and S, and what goes against them is mended. "IOB1", "IOB2", "IOE1", "IOE2", "IOBES",
 * "BILOU": as seqeval's strict mode; an entity that is not whole is none. LM_BAD_ARGUMENT else.
 */
lm_status lm_entities_create(lm_context *ctx, const char *scheme, lm_entities **entities);
void lm_entities_free(lm_entities *entities); /* may be NULL */

/* A sequence of `count` tags of each kind, UTF-8. LM_BAD_ARGUMENT where a tag is not of the scheme.
 */
lm_status lm_entities_add(lm_entities *entities, const lm_text *actual, const lm_text *predicted,
                          size_t count);

/* Scores of every type in the order of bytes, to be freed, and their means; 0 types: no entity. */
lm_status lm_entities_scores(lm_entities *entities, lm_label_score **scores, size_t *count,
                             lm_averages *averages);

#endif
