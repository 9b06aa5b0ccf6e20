/*
 * entities.h - names of things in a text: neighbouring tokens of one label, as transformers'
 * pipeline "token-classification" groups them.
 */
#ifndef LM_ENTITIES_H
#define LM_ENTITIES_H

#include "task/tag.h"

/* What a word's label is made of; SIMPLE knows no words. */
typedef enum lm_aggregation {
    LM_AGGREGATE_SIMPLE,  /* each token has its own label */
    LM_AGGREGATE_FIRST,   /* that of the word's first token */
    LM_AGGREGATE_AVERAGE, /* the label of the highest mean */
    LM_AGGREGATE_MAX,     /* that of the token with the highest score */
    LM_AGGREGATE_COUNT
} lm_aggregation;

/* "simple", "first", "average", "max". */
extern const char *const lm_aggregation_names[LM_AGGREGATE_COUNT];

typedef struct lm_entity {
    int32_t start, stop; /* characters of the text */
    int32_t label;       /* of its first token or word; lm_entity_name says what is shown of it */
    float score;         /* the mean of its tokens' or words' */
} lm_entity;

/* As lm_tag_sink. */
typedef lm_status (*lm_entity_sink)(void *opaque, size_t text, const lm_entity *entities,
                                    size_t count);

/*
 * Entities of texts, all of a text at once; tokens whose label is O are none. options and counts
 * are as lm_tag_texts has them; options->choice is the aggregation. An entity may go from one
 * window of a long text into the next.
 */
lm_status lm_entities(lm_context *ctx, lm_session *session, const lm_model *model,
                      const lm_text *texts, size_t count, const lm_embed_options *options,
                      lm_entity_sink sink, void *opaque, lm_embed_counts *counts);

/* What an entity of this label is called: "PER" of "B-PER" and "I-PER". */
const char *lm_entity_name(const char *label);

#endif
