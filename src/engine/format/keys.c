/*
 * keys.c - checks objects of settings files against tables of their keys.
 */
#include "format/keys.h"

#include <stdio.h>
#include <string.h>

/* Values in messages are cut at this length. */
#define SHOWN_SIZE 80

#define OR " or "

const lm_key_rule *
lm_keys_find(const lm_key_rule *rules, const char *key)
{
    for (; rules->key; rules++)
        if (strcmp(rules->key, key) == 0)
            return rules;
    return NULL;
}

/* Whether `shown` is one of the values of an allowed list. */
static bool
is_listed(const char *allowed, const char *shown)
{
    size_t length = strlen(shown);

    for (const char *at = allowed; at; at = strstr(at, OR) ? strstr(at, OR) + strlen(OR) : NULL)
        if (strncmp(at, shown, length) == 0 &&
            (at[length] == '\0' || strncmp(at + length, OR, strlen(OR)) == 0))
            return true;
    return false;
}

/* null and empty collections are what libraries write for a setting that was not given. */
static bool
is_empty(const lm_json *value)
{
    return value->type == LM_JSON_NULL ||
           ((value->type == LM_JSON_ARRAY || value->type == LM_JSON_OBJECT) &&
            value->as.items.count == 0);
}

/* A member whose key is refused. */
static lm_status
check_refused(lm_context *ctx, lm_notes *notes, const char *file, const char *path,
              const lm_json *member, const char *allowed)
{
    char shown[SHOWN_SIZE];

    lm_json_show(member, shown, sizeof shown);
    if (is_empty(member) || is_listed(allowed, shown))
        return LM_OK;
    lm_raise(ctx, LM_UNSUPPORTED, "a setting of the model is not supported");
    lm_detail_file(ctx, file);
    lm_detail_key(ctx, "%s%s", path, member->key);
    lm_detail_found(ctx, "%s", shown);
    lm_detail_allowed(ctx, "%s", allowed ? allowed : "null");
    return lm_notes_refuse(ctx, notes);
}

/* A member whose key no table has. */
static void
note_unknown(lm_notes *notes, const char *file, const char *path, const lm_json *member)
{
    char key[sizeof notes->items[0].key];

    snprintf(key, sizeof key, "%s%s", path, member->key);
    lm_notes_add(notes, file, key, "unknown setting \"%s\" is ignored", key);
}

/* What all tables and the reader of some keys say. */
typedef struct key_check {
    lm_key_read read;
    const void *opaque;
    const lm_key_rule *const *tables;
} key_check;

/* No table has a key that holds U+0000. */
static const lm_key_rule *
find_rule(const key_check *check, const lm_json *member)
{
    static const lm_key_rule obeyed = {NULL, LM_KEY_OBEYED, NULL};
    const lm_key_rule *rule = NULL;

    if (strlen(member->key) != member->key_length)
        return NULL;
    if (check->read && check->read(check->opaque, member->key))
        return &obeyed;
    for (const lm_key_rule *const *table = check->tables; *table && !rule; table++)
        rule = lm_keys_find(*table, member->key);
    return rule;
}

lm_status
lm_keys_check_all(lm_context *ctx, lm_notes *notes, const char *file, const char *path,
                  const lm_json *object, lm_key_read read, const void *opaque,
                  const lm_key_rule *const *tables)
{
    const key_check check = {read, opaque, tables};

    if (!notes || !object || object->type != LM_JSON_OBJECT)
        return LM_OK;
    for (const lm_json *member = object->as.items.first; member; member = member->next) {
        const lm_key_rule *rule = find_rule(&check, member);

        LM_TRY(lm_poll(ctx));
        if (!rule)
            note_unknown(notes, file, path, member);
        else if (rule->use == LM_KEY_REFUSED)
            LM_TRY(check_refused(ctx, notes, file, path, member, rule->allowed));
    }
    return LM_OK;
}

lm_status
lm_keys_check(lm_context *ctx, lm_notes *notes, const char *file, const char *path,
              const lm_json *object, const lm_key_rule *rules)
{
    const lm_key_rule *const tables[] = {rules, NULL};

    return lm_keys_check_all(ctx, notes, file, path, object, NULL, NULL, tables);
}
