/*
 * option.h - options as a table says them: one row for each key, with its type, its range, and
 * where its value goes. Whoever knows how options are written (jsonb in SQL) reads by the table.
 */
#ifndef LM_OPTION_H
#define LM_OPTION_H

#include <stddef.h>

typedef enum lm_option_type {
    LM_OPTION_BOOL,  /* bool */
    LM_OPTION_INT,   /* int64_t, a number without fraction */
    LM_OPTION_FLOAT, /* double */
    LM_OPTION_TEXT,  /* char * */
    LM_OPTION_JSON   /* char *, UTF-8: any value but null as its JSON text, for format/json.h */
} lm_option_type;

typedef struct lm_option {
    const char *key;
    lm_option_type type;
    size_t offset;      /* of the field in a struct, which holds the defaults before */
    double low, high;   /* of numbers, inclusive */
    const char *wanted; /* for the message: "a number from 0 to 0.5" */
} lm_option;

/* A row for a field that is called like its key. */
#define LM_OPTION(fields, field, type, low, high, wanted)                          \
    {                                                                              \
#field, LM_OPTION_##type, offsetof(fields, field), (low), (high), (wanted) \
    }

/* Seeds are exact in JSON's numbers. */
#define LM_SEED_MAX 9007199254740991.0

#endif
