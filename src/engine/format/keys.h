/*
 * keys.h - tables that say of every key of a settings file whether it is obeyed, harmless or
 * refused. A key that no table has is a note at import, so that a setting of a later version of the
 * reference libraries is never ignored silently.
 */
#ifndef LM_KEYS_H
#define LM_KEYS_H

#include "base/notes.h"
#include "format/json.h"

typedef enum lm_key_use {
    LM_KEY_OBEYED,   /* read, and checked where it is read */
    LM_KEY_HARMLESS, /* changes no result of lmtext */
    LM_KEY_REFUSED   /* would change results, except for the values that are allowed */
} lm_key_use;

/* A rule for one key. Tables end with a key of NULL. */
typedef struct lm_key_rule {
    const char *key;
    lm_key_use use;
    /*
     * LM_KEY_REFUSED: values that change nothing, as lm_json_show writes them, with " or " between:
     * "false or \"right\"". NULL: none. null, {} and [] always change nothing.
     */
    const char *allowed;
} lm_key_rule;

/*
 * Check an object of `file` (NULL: there is none) against its table. `path` stands before the keys
 * in messages, for an object inside another ("model."); "" at the root. LM_UNSUPPORTED names file,
 * key, value and what is allowed. Without notes nothing is checked; base/notes.h says why.
 */
lm_status lm_keys_check(lm_context *ctx, lm_notes *notes, const char *file, const char *path,
                        const lm_json *object, const lm_key_rule *rules);

/* Whether a key is read by somebody, whatever the tables say. */
typedef bool (*lm_key_read)(const void *opaque, const char *key);

/*
 * The same where several tables have the keys, the last one NULL: the first that has it counts. A
 * key that is read by somebody is not looked for; `read` may be NULL.
 */
lm_status lm_keys_check_all(lm_context *ctx, lm_notes *notes, const char *file, const char *path,
                            const lm_json *object, lm_key_read read, const void *opaque,
                            const lm_key_rule *const *tables);

/* The rule of a key, or NULL. */
const lm_key_rule *lm_keys_find(const lm_key_rule *rules, const char *key);

#endif
