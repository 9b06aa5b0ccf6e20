/*
 * options.h - a jsonb argument of options, read by a table: one row per key says its type, its
 * range and where its value goes. An unknown key is 22023 and lists the known ones.
 */
#ifndef LMTEXT_OPTIONS_H
#define LMTEXT_OPTIONS_H

#include "pg/glue/glue.h"
#include "utils/jsonb.h"

typedef enum lmtext_option_type {
    LMTEXT_OPTION_BOOL,  /* bool */
    LMTEXT_OPTION_INT,   /* int64, a number without fraction */
    LMTEXT_OPTION_FLOAT, /* double */
    LMTEXT_OPTION_TEXT   /* char *, in the database's encoding */
} lmtext_option_type;

typedef struct lmtext_option {
    const char *key;
    lmtext_option_type type;
    size_t offset;      /* of the field in the caller's struct */
    double low, high;   /* of numbers, inclusive */
    const char *wanted; /* for the message: "a number from 0 to 0.5" */
} lmtext_option;

/*
 * Read an object into fields, which hold the defaults: a key that is left out or null changes
 * nothing. Strings are palloc'd in the current memory context.
 */
void lmtext_options_read(Jsonb *json, const lmtext_option *table, int count, void *fields);

#endif
