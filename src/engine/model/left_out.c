/*
 * left_out.c - decides whether a checkpoint without a head of its own is an encoder for embeddings.
 *
 * The reference libraries load the encoder of any checkpoint and leave out what else it has. That
 * suits an encoder with the head of its pre-training; of a classifier's encoder the mean of the
 * tokens means little, and nobody who imports a classifier wants that.
 */
#include "model/left_out.h"

#include <stdio.h>
#include <string.h>

/* Names of tensors in a message. */
#define NAMES_SHOWN 4

/* What the functions of this file share. */
typedef struct check {
    lm_context *ctx;
    const lm_checkpoint *checkpoint;
    const lm_weights_plan *plan;
    bool asked;
    lm_notes *notes;
} check;

/* A refusal that the caller can lift by asking for the embedding; a note where that was done. */
static lm_status
refuse(const check *c, const char *file, const char *key, const char *found, const char *message)
{
    if (c->asked) {
        lm_notes_add(c->notes, file, key, "%s (%s); its head is left out", message, found);
        return LM_OK;
    }
    lm_raise(c->ctx, LM_UNSUPPORTED, "%s", message);
    lm_detail_file(c->ctx, file);
    lm_detail_key(c->ctx, "%s", key);
    lm_detail_found(c->ctx, "%s", found);
    lm_detail_hint(c->ctx, "The option {\"task\": \"embedding\"} imports its encoder for embedding "
                           "and leaves out its head.");
    return lm_notes_refuse(c->ctx, c->notes);
}

/* Each entry of `architectures`; in fact there is one. */
static lm_status
check_architectures(const check *c, const lm_json *architectures)
{
    for (const lm_json *each = architectures->as.items.first; each; each = each->next) {
        char found[128];

        if (lm_family_embeds(c->plan->family, each))
            continue;
        lm_json_show(each, found, sizeof found);
        return refuse(c, c->checkpoint->config_file, "architectures", found,
                      "the model is not an embedding model");
    }
    return LM_OK;
}

/* Labels that somebody named; the library itself writes LABEL_0 and LABEL_1 into every file. */
static bool
has_labels(const lm_json *config)
{
    const lm_json *labels = lm_json_get(config, "id2label");

    if (!labels || labels->type != LM_JSON_OBJECT)
        return false;
    for (const lm_json *label = labels->as.items.first; label; label = label->next)
        if (label->type != LM_JSON_STRING ||
            strncmp(label->as.string.bytes, "LABEL_", strlen("LABEL_")) != 0)
            return true;
    return false;
}

/* config.json does not say what the model is: its labels and tensors do. */
static lm_status
check_unnamed(const check *c)
{
    const lm_json *labels = lm_json_get(c->checkpoint->config, "id2label");
    char found[128];

    if (has_labels(c->checkpoint->config)) {
        lm_json_show(labels, found, sizeof found);
        return refuse(c, c->checkpoint->config_file, "id2label", found,
                      "the model is a classifier");
    }
    if (c->plan->left_out_count > 0)
        return refuse(c, c->plan->left_out[0]->file, c->plan->left_out[0]->name,
                      "a tensor that does not belong to the encoder",
                      "the model has more than an encoder, and config.json does not name its "
                      "architecture");
    return LM_OK;
}

/* The names of the first tensors, and the number of all. */
static void
note_tensors(const check *c)
{
    const lm_weights_plan *plan = c->plan;
    char names[160] = "";
    size_t used = 0;

    for (size_t i = 0; i < plan->left_out_count && i < NAMES_SHOWN && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 plan->left_out[i]->name);
    if (plan->left_out_count > 0)
        lm_notes_add(c->notes, plan->left_out[0]->file, NULL, "%zu tensor%s not used: %s%s",
                     plan->left_out_count, plan->left_out_count > 1 ? "s are" : " is", names,
                     plan->left_out_count > NAMES_SHOWN || used >= sizeof names ? ", ..." : "");
}

/* What kind of model the files say it is. */
static lm_status
check_kind(const check *c)
{
    const lm_sentence_transformers *sentence = &c->checkpoint->sentence;
    const lm_json *architectures = lm_json_get(c->checkpoint->config, "architectures");

    if (sentence->model_type)
        return refuse(c, "config_sentence_transformers.json", "model_type", sentence->model_type,
                      "the model is not an embedding model");
    if (sentence->present)
        return LM_OK;
    if (architectures && architectures->type == LM_JSON_ARRAY && architectures->as.items.count > 0)
        return check_architectures(c, architectures);
    return check_unnamed(c);
}

lm_status
lm_left_out_check(lm_context *ctx, const lm_checkpoint *checkpoint, const lm_weights_plan *plan,
                  bool asked, lm_notes *notes)
{
    const check c = {ctx, checkpoint, plan, asked, notes};

    if (!notes)
        return LM_OK;
    if (!plan->head)
        LM_TRY(check_kind(&c));
    note_tensors(&c);
    return LM_OK;
}
