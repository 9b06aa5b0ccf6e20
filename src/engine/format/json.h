/*
 * json.h - a strict reader of JSON (RFC 8259) for hostile files: UTF-8 checked, nesting at most
 * LM_JSON_MAX_DEPTH, duplicate keys refused, lone surrogates and numbers beyond double refused
 * (a number out of double's range is LM_BAD_JSON). Strings may hold U+0000: use length.
 */
#ifndef LM_JSON_H
#define LM_JSON_H

#include "base/arena.h"

#define LM_JSON_MAX_DEPTH 128
/* Values of one document, 64 bytes each; the largest tokenizers in use have two million. */
#define LM_JSON_MAX_NODES 5000000

typedef enum lm_json_type {
    LM_JSON_NULL,
    LM_JSON_BOOL,
    LM_JSON_NUMBER,
    LM_JSON_STRING,
    LM_JSON_ARRAY,
    LM_JSON_OBJECT
} lm_json_type;

typedef struct lm_json {
    uint8_t type;        /* lm_json_type */
    bool boolean;        /* LM_JSON_BOOL */
    bool is_integer;     /* LM_JSON_NUMBER written without fraction and exponent, within int64 */
    uint32_t key_length; /* of a member of an object */
    const char *key;     /* terminated; NULL outside objects */
    const struct lm_json *next; /* next element or member */
    uint64_t offset;            /* byte offset in the text, for messages */
    union {
        double number;
        struct {
            double nearest;   /* number */
            double two_steps; /* as readers have it that round digits, then divide: serde_json */
        } numbers;
        struct {
            const char *bytes; /* UTF-8, terminated */
            size_t length;
        } string;
        struct {
            const struct lm_json *first;
            size_t count;
        } items; /* arrays and objects */
    } as;
    int64_t integer; /* LM_JSON_NUMBER with is_integer */
} lm_json;

/* Parse one document; `file` is used in messages. Polls cancel. */
lm_status lm_json_parse(lm_context *ctx, lm_arena *arena, const char *text, size_t length,
                        const char *file, const lm_json **root);

/* The member of an object, or NULL when absent or when json is NULL or no object. */
const lm_json *lm_json_get(const lm_json *json, const char *key);

/* Text of a type for messages: "a string", "an object". */
const char *lm_json_type_name(const lm_json *json);

/*
 * A value for messages, as compact JSON without escapes: false, "right", {"a":1}. What does not fit
 * is cut and ends in "...".
 */
void lm_json_show(const lm_json *json, char *out, size_t size);

bool lm_json_is_string(const lm_json *json, const char *value); /* NULL-safe */

/* Append a JSON string literal, with quotes and escapes. */
struct lm_buffer;
lm_status lm_json_write_string(struct lm_buffer *out, const char *bytes, size_t length);

#endif
