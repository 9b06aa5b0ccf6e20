/*
 * options.h - a jsonb argument of options, read by tables (base/option.h). An unknown key is 22023
 * and lists the known ones.
 */
#ifndef LMTEXT_OPTIONS_H
#define LMTEXT_OPTIONS_H

#include "base/option.h"
#include "pg/glue/glue.h"
#include "utils/jsonb.h"

/* Some options, and the struct that they go to. */
typedef struct lmtext_option_set {
    const lm_option *table;
    int count;
    void *fields;
} lmtext_option_set;

/*
 * Read an object into the fields of one of `count` sets, which hold the defaults: a key that is
 * left out or null changes nothing. Strings are palloc'd in the current memory context, in the
 * database's encoding.
 */
void lmtext_options_read(Jsonb *json, const lmtext_option_set *sets, int count);
/* The string of one key, before it is known which options there are; NULL: there is none. */
char *lmtext_options_word(Jsonb *json, const char *key);

#endif
