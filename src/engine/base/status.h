/*
 * status.h - status codes and the error record.
 *
 * Engine functions return lm_status. The detail of a failure goes to the context's error record,
 * which one file of the extension (pg/glue/error.c) turns into ereport. No engine function exits,
 * aborts, prints or jumps.
 */
#ifndef LM_STATUS_H
#define LM_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum lm_status {
    LM_OK = 0,
    LM_NO_MEMORY,    /* 53200 */
    LM_CANCELLED,    /* 57014 */
    LM_BAD_MODEL,    /* 22P03: malformed bytes of a model file */
    LM_BAD_JSON,     /* 22P02: malformed JSON */
    LM_TOO_DEEP,     /* 54001: nesting beyond the limit */
    LM_UNSUPPORTED,  /* 0A000: a feature, dtype, architecture or task that is not there */
    LM_UNKNOWN,      /* 42704: no such model, prompt, label */
    LM_DUPLICATE,    /* 42710 */
    LM_NO_FILE,      /* 58P01 */
    LM_IO_ERROR,     /* 58030 */
    LM_DENIED,       /* 42501 */
    LM_TOO_LARGE,    /* 54000: a limit of the product or of the model */
    LM_BAD_ARGUMENT, /* 22023 */
    LM_BAD_TEXT,     /* 22021: text that is not UTF-8 */
    LM_NO_TOKEN,     /* 22023: a text without a token has no vector */
    LM_CORRUPT,      /* XX001: stored bytes changed since they were registered */
    LM_NOT_FINITE,   /* 22003: numbers that a training computed are infinite or none */
    LM_INTERNAL,     /* XX000: a broken law of the engine itself */
    LM_STATUS_COUNT
} lm_status;

/* One failure. Strings are always terminated; empty means not known. */
typedef struct lm_error {
    lm_status status;
    char message[256]; /* lower case, no full stop */
    char file[256];    /* file inside the model */
    char key[256];     /* tensor name or JSON path */
    char found[160];
    char allowed[384];
    char hint[256];
    uint64_t offset; /* byte offset in the file, when has_offset */
    bool has_offset;
} lm_error;

#define LM_TRY(expression)                      \
    do {                                        \
        lm_status lm_try_status = (expression); \
        if (lm_try_status != LM_OK)             \
            return lm_try_status;               \
    } while (0)

#endif
