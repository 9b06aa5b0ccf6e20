/*
 * models.c - the table of models, and how a model without a type is recognised.
 */
#include "token/models.h"

#include <string.h>

#include "token/bpe.h"
#include "token/unigram_model.h"
#include "token/whitespace.h"
#include "token/wordlevel.h"
#include "token/wordpiece.h"

const lm_token_model *const lm_token_models[] = {
    &lm_wordpiece_model, &lm_wordlevel_model,  &lm_bpe_model,
    &lm_unigram_model,   &lm_whitespace_model, NULL,
};

#define MODEL_COUNT (sizeof lm_token_models / sizeof lm_token_models[0] - 1)

/*
 * Files of before 2021 name no type of the model: its members tell. The first row that fits counts,
 * as in the library.
 */
static const struct {
    const char *type;
    lm_json_type vocab;
    const char *members[3];
} untyped_models[] = {
    {"BPE", LM_JSON_OBJECT, {"merges"}},
    {"WordPiece",
     LM_JSON_OBJECT,
     {"unk_token", "continuing_subword_prefix", "max_input_chars_per_word"}},
    {"WordLevel", LM_JSON_OBJECT, {"unk_token"}},
    {"Unigram", LM_JSON_ARRAY, {0}},
};

const lm_token_model *
lm_token_model_of(uint32_t row)
{
    return lm_token_models[row];
}

/* Whether a model without a type has all that a row of untyped_models asks for. */
static bool
fits_untyped(const lm_json *model, size_t row)
{
    const lm_json *vocab = lm_json_get(model, "vocab");
    bool fits = vocab && vocab->type == untyped_models[row].vocab;

    for (size_t i = 0; i < 3 && fits && untyped_models[row].members[i]; i++)
        fits = lm_json_get(model, untyped_models[row].members[i]) != NULL;
    return fits;
}

/* The type that the file gives, or that the members of the model tell. */
static lm_status
model_type(lm_context *ctx, const lm_json *model, const char **type)
{
    const lm_field field = {model, "model"};
    const lm_json *given = lm_json_get(model, "type");

    *type = NULL;
    if (given) {
        LM_TRY(lm_field_string(ctx, field, "type", &given));
        *type = given->as.string.bytes;
        return LM_OK;
    }
    for (size_t i = 0; i < sizeof untyped_models / sizeof untyped_models[0] && !*type; i++)
        if (fits_untyped(model, i))
            *type = untyped_models[i].type;
    return *type ? LM_OK
                 : lm_field_wrong(ctx, field, "type", NULL,
                                  "a type, or vocab, unk_token, continuing_subword_prefix and "
                                  "max_input_chars_per_word");
}

lm_status
lm_token_model_find(lm_context *ctx, const lm_json *model, uint32_t *row)
{
    const char *type, *names[MODEL_COUNT];

    LM_TRY(model_type(ctx, model, &type));
    for (uint32_t i = 0; i < MODEL_COUNT; i++) {
        names[i] = lm_token_models[i]->name;
        if (strcmp(type, names[i]) == 0) {
            *row = i;
            return LM_OK;
        }
    }
    return lm_field_no_stage(ctx, "model", type, names, sizeof names[0], MODEL_COUNT);
}
