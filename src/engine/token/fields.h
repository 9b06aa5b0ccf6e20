/*
 * fields.h - reads members of tokenizer.json with their types checked; every failure names the JSON
 * path, what was found and what is allowed.
 */
#ifndef LM_TOKEN_FIELDS_H
#define LM_TOKEN_FIELDS_H

#include "format/json.h"

/* Where a value stands, for messages: "normalizer.lowercase". */
typedef struct lm_field {
    const lm_json *object;
    const char *path; /* of the object */
} lm_field;

/* A member of a stage that is absent takes the default. */
lm_status lm_field_bool(lm_context *ctx, lm_field field, const char *key, bool fallback,
                        bool *value);
/* true, false or null: *given tells whether it was one of the first two. */
lm_status lm_field_optional_bool(lm_context *ctx, lm_field field, const char *key, bool *given,
                                 bool *value);
/* It must be there. */
lm_status lm_field_required_bool(lm_context *ctx, lm_field field, const char *key, bool *value);
lm_status lm_field_integer(lm_context *ctx, lm_field field, const char *key, int64_t low,
                           int64_t high, int64_t fallback, int64_t *value);
/* A required string. */
lm_status lm_field_string(lm_context *ctx, lm_field field, const char *key, const lm_json **value);
/* A required string of one character. */
lm_status lm_field_char(lm_context *ctx, lm_field field, const char *key, const lm_json **value);
/* A required array or object. */
lm_status lm_field_items(lm_context *ctx, lm_field field, const char *key, lm_json_type type,
                         const lm_json **value);

/* Fail: the value at path.key is not what it must be. */
lm_status lm_field_wrong(lm_context *ctx, lm_field field, const char *key, const lm_json *found,
                         const char *allowed);

/* Fail: the value is right, but lmtext does not have it. */
lm_status lm_field_unsupported(lm_context *ctx, lm_field field, const char *key, const char *found,
                               const char *allowed);

/*
 * The `type` of a stage, and the failure for one that has no row. The names of the rows are
 * allowed: the first one, and `count` in all, `stride` bytes apart; those that are NULL are left
 * out.
 */
lm_status lm_field_type(lm_context *ctx, lm_field field, const lm_json **type);
lm_status lm_field_no_stage(lm_context *ctx, const char *stage, const char *type,
                            const char *const *first, size_t stride, size_t count);
/* Fail: a stage is a sequence of more steps than an image holds. */
lm_status lm_field_many_steps(lm_context *ctx, const char *stage, int limit);

#endif
