/*
 * families.c - the table of model families. A new family is one file and one line here.
 */
#include <stdio.h>
#include <string.h>

#include "family/family.h"

extern const lm_family lm_family_bert;

const lm_family *const lm_families[] = {
    &lm_family_bert,
    NULL,
};

/* Whether the family reads files of this model_type; a family may read several. */
static bool
has_model_type(const lm_family *family, const lm_json *model_type)
{
    for (const char *const *name = family->model_types; *name; name++)
        if (lm_json_is_string(model_type, *name))
            return true;
    return false;
}

/* "bert, roberta": every model_type that some family reads, as far as it fits. */
static void
list_model_types(char *list, size_t size)
{
    size_t used = 0;

    for (const lm_family *const *family = lm_families; *family; family++)
        for (const char *const *name = (*family)->model_types; *name && used < size; name++)
            used += (size_t)snprintf(list + used, size - used, "%s%s", used ? ", " : "", *name);
}

/*
 * Tells the three failures apart: nothing said, not a string, or a name that no family has. Only
 * the last is a model that may be good elsewhere.
 */
static lm_status
unknown_model_type(lm_context *ctx, const lm_json *model_type)
{
    char known[128] = "";

    list_model_types(known, sizeof known);
    if (!model_type)
        lm_raise(ctx, LM_BAD_MODEL, "config.json does not name the model's type");
    else if (model_type->type != LM_JSON_STRING)
        lm_raise(ctx, LM_BAD_MODEL, "a setting of the model has the wrong type");
    else
        lm_raise(ctx, LM_UNSUPPORTED, "models of this type are not supported");
    lm_detail_file(ctx, "config.json");
    lm_detail_key(ctx, "model_type");
    if (model_type && model_type->type == LM_JSON_STRING)
        lm_detail_found(ctx, "\"%s\"", model_type->as.string.bytes);
    else
        lm_detail_found(ctx, "%s", model_type ? lm_json_type_name(model_type) : "nothing");
    return lm_detail_allowed(ctx, "%s", known);
}

/* A walk over the table: there are few families, and this runs once a load. */
lm_status
lm_family_find(lm_context *ctx, const lm_json *config, const lm_family **family)
{
    const lm_json *model_type = lm_json_get(config, "model_type");

    for (const lm_family *const *each = lm_families; *each; each++)
        if (has_model_type(*each, model_type)) {
            *family = *each;
            return LM_OK;
        }
    return unknown_model_type(ctx, model_type);
}
