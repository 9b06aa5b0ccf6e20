/*
 * families.c - the table of model families. A new family is one file and one line here.
 */
#include <stdio.h>
#include <string.h>

#include "family/family.h"

/* lm_family_NAME is defined in NAME.c. One that is known by its code or by a key stands before the
 * family whose model_type it has. */
#define FAMILIES(FAMILY)               \
    FAMILY(jina_bert)                  \
    FAMILY(jina_embeddings_v3_authors) \
    FAMILY(xlm_roberta_flash)          \
    FAMILY(bert)                       \
    FAMILY(distilbert)                 \
    FAMILY(ernie)                      \
    FAMILY(roberta)                    \
    FAMILY(electra)                    \
    FAMILY(albert)                     \
    FAMILY(mpnet)                      \
    FAMILY(mobilebert)                 \
    FAMILY(roformer)                   \
    FAMILY(big_bird)                   \
    FAMILY(longformer)                 \
    FAMILY(roberta_prelayernorm)       \
    FAMILY(xlm_roberta_xl)             \
    FAMILY(megatron_bert)              \
    FAMILY(rembert)                    \
    FAMILY(modernbert)                 \
    FAMILY(deberta_v2)                 \
    FAMILY(t5)                         \
    FAMILY(mt5)                        \
    FAMILY(umt5)                       \
    FAMILY(qwen3)                      \
    FAMILY(qwen2)                      \
    FAMILY(llama)                      \
    FAMILY(mistral)                    \
    FAMILY(gemma3)                     \
    FAMILY(eurobert)                   \
    FAMILY(nomic_bert_authors)         \
    FAMILY(nomic_bert)                 \
    FAMILY(gte)                        \
    FAMILY(gte_new)                    \
    FAMILY(jina_embeddings_v3)

#define DECLARE(name) extern const lm_family lm_family_##name;
FAMILIES(DECLARE)

#define ROW(name) &lm_family_##name,
const lm_family *const lm_families[] = {FAMILIES(ROW) NULL};

/* Whether the family reads files of this model_type; a family may read several. */
static bool
has_model_type(const lm_family *family, const lm_json *model_type)
{
    for (const char *const *name = family->model_types; *name; name++)
        if (lm_json_is_string(model_type, *name))
            return true;
    return false;
}

/* Whether all code that config.json asks for is of this repository. */
static bool
has_code(const lm_json *auto_map, const char *code)
{
    if (!auto_map || auto_map->type != LM_JSON_OBJECT || !auto_map->as.items.first)
        return false;
    for (const lm_json *each = auto_map->as.items.first; each; each = each->next)
        if (each->type != LM_JSON_STRING || strncmp(each->as.string.bytes, code, strlen(code)) != 0)
            return false;
    return true;
}

/* The files of a repository of code need not say their model_type. */
static bool
reads(const lm_family *family, const lm_json *config)
{
    const lm_json *model_type = lm_json_get(config, "model_type");

    return (has_model_type(family, model_type) || (!model_type && family->code)) &&
           (!family->code || has_code(lm_json_get(config, "auto_map"), family->code)) &&
           (!family->key || lm_json_get(config, family->key));
}

/* Adds a name, or dots in the place of the first that leaves no room for them. */
static void
add_name(char *list, size_t size, const char *name)
{
    static const char more[] = ", ...";
    size_t used = strlen(list), length = strlen(name);

    if (used >= strlen(more) && strcmp(list + used - strlen(more), more) == 0)
        return;
    if (used + length + 2 * strlen(more) >= size)
        name = more + 2;
    snprintf(list + used, size - used, "%s%s", used ? ", " : "", name);
}

/* Whether it is known by more than its model_type. */
static bool
is_told_apart(const lm_family *family)
{
    return family->code || family->key;
}

/* "bert, roberta": every model_type that some family reads, as far as they fit. */
static void
list_model_types(char *list, size_t size)
{
    for (const lm_family *const *family = lm_families; *family; family++)
        for (const char *const *name = (*family)->model_types; *name && !is_told_apart(*family);
             name++)
            add_name(list, size, *name);
}

/*
 * Tells the three failures apart: nothing said, not a string, or a name that no family has. Only
 * the last is a model that may be good elsewhere.
 */
static lm_status
unknown_model_type(lm_context *ctx, const lm_json *model_type)
{
    char known[sizeof ctx->error.allowed] = "";

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
        if (reads(*each, config)) {
            *family = *each;
            return LM_OK;
        }
    return unknown_model_type(ctx, model_type);
}

/* Whether a string ends so. */
static bool
ends_in(const lm_json *string, const char *end)
{
    size_t length = strlen(end);

    return string->type == LM_JSON_STRING && string->as.string.length >= length &&
           strcmp(string->as.string.bytes + string->as.string.length - length, end) == 0;
}

/* The name in config.json that is the head's architecture; NULL: none is. */
static const lm_json *
named(const lm_head_kind *head, const lm_json *names)
{
    for (const lm_json *name = names->as.items.first; name; name = name->next)
        if (ends_in(name, head->architecture))
            return name;
    return NULL;
}

bool
lm_family_embeds(const lm_family *family, const lm_json *architecture)
{
    for (const char *const *name = family->architectures; *name; name++)
        if (lm_json_is_string(architecture, *name))
            return true;
    return false;
}

const lm_head_kind *
lm_family_head(const lm_family *family, const lm_json *config)
{
    return lm_family_head_for(family, config, NULL);
}

const lm_head_kind *
lm_family_head_for(const lm_family *family, const lm_json *config, const char *task)
{
    const lm_json *names = lm_json_get(config, "architectures");
    const lm_head_kind *found = NULL;

    if (!names || names->type != LM_JSON_ARRAY)
        return NULL;
    for (size_t i = 0; i < family->head_count; i++) {
        const lm_head_kind *head = &family->heads[i];
        const lm_json *name = named(head, names);

        if (name && task && strcmp(head->task, task) == 0)
            return head;
        if (name && !found && !lm_family_embeds(family, name))
            found = head;
    }
    return found;
}

static bool
has_field(const lm_head_kind *head, lm_field_type type)
{
    for (size_t i = 0; i < head->field_count; i++)
        if (head->fields[i].type == type)
            return true;
    return false;
}

bool
lm_head_has_labels(const lm_head_kind *head)
{
    return has_field(head, LM_FIELD_COUNT);
}

bool
lm_head_marks(const lm_head_kind *head)
{
    return has_field(head, LM_FIELD_MARK);
}

const lm_config_field *
lm_head_types_by(const lm_head_kind *head)
{
    for (size_t i = 0; i < head->field_count; i++)
        if (head->fields[i].flags & LM_FIELD_TYPES_BY)
            return &head->fields[i];
    return NULL;
}

bool
lm_head_is_on_words(const lm_head_kind *head)
{
    for (size_t i = 0; i < head->slot_count; i++)
        if (head->slots[i].target == LM_HEAD_OUT)
            return head->slots[i].use == LM_SLOT_TABLE;
    return false;
}

lm_status
lm_family_head_pooling(lm_context *ctx, const lm_family *family, const lm_head_kind *head,
                       const lm_json *config, lm_pooling *pooling)
{
    const lm_config_field field = {
        .key = family->head_pooling_key,
        .type = LM_FIELD_WORD,
        .words = family->head_pooling_words,
        .fallback = head->pooling,
        .refusal = "the pooling of the head is not supported",
    };
    int32_t found;

    *pooling = head->pooling;
    if (!field.key || *pooling == LM_POOL_NONE)
        return LM_OK;
    LM_TRY(lm_config_read(ctx, &field, 1, config, (char *)&found));
    *pooling = (lm_pooling)found;
    return LM_OK;
}

static int
int_at(const void *config, size_t offset)
{
    int32_t value;

    memcpy(&value, (const char *)config + offset, sizeof value);
    return value;
}

int
lm_family_types(const lm_family *family, const void *config)
{
    return family->types ? int_at(config, family->types) : 0;
}

int
lm_group_layers(const lm_weight_group *group, const void *config)
{
    return group->count ? int_at(config, group->count) : 1;
}

int
lm_family_layers(const lm_family *family, const void *config)
{
    return family->layers ? int_at(config, family->layers)
                          : lm_group_layers(&family->groups[LM_GROUP_LAYERS], config);
}

int
lm_weights_layers(const lm_weights *weights)
{
    return lm_family_layers(weights->family, weights->config);
}
