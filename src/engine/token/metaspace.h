/*
 * metaspace.h - the stages named Metaspace: spaces become a visible character, which starts words.
 */
#ifndef LM_METASPACE_H
#define LM_METASPACE_H

#include "token/stage.h"

/* Where the character is put before a word that lacks it. */
enum { LM_METASPACE_ALWAYS = 1, LM_METASPACE_FIRST = 2, LM_METASPACE_SPLIT = 4 };

typedef struct lm_metaspace {
    const lm_json *replacement; /* one character */
    unsigned settings;
} lm_metaspace;

lm_status lm_metaspace_read(lm_context *ctx, lm_field field, lm_metaspace *metaspace);

/* Its argument is the character (uint32_t), its flags are the settings. */
lm_change_op lm_metaspace_change;

#endif
