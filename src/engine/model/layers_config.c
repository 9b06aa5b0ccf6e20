/*
 * layers_config.c - config.json of a net of layers written, and the table of its tasks.
 */
#include <inttypes.h>
#include <string.h>

#include "model/layers.h"

static const lm_layers_task tasks[] = {
    {"classification", "classification", true, LM_SCORING_SOFTMAX, false},
    {"tagging", "token_classification", false, LM_SCORING_SOFTMAX, false},
    {"regression", "classification", true, LM_SCORING_RAW, false},
    {"language_model", "language_model", false, LM_SCORING_SOFTMAX, true},
};

const lm_layers_task *
lm_layers_task_find(const char *name)
{
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++)
        if (strcmp(tasks[i].name, name) == 0)
            return &tasks[i];
    return NULL;
}

/* A language model has none. */
static lm_status
write_labels(const lm_layers_settings *s, lm_buffer *out)
{
    if (s->label_count == 0)
        return LM_OK;
    LM_TRY(lm_buffer_append_string(out, ", \"labels\": ["));
    for (int i = 0; i < s->label_count; i++) {
        if (i > 0)
            LM_TRY(lm_buffer_append_string(out, ", "));
        LM_TRY(lm_json_write_string(out, s->labels[i], strlen(s->labels[i])));
    }
    return lm_buffer_append_byte(out, ']');
}

lm_status
lm_layers_write_config(const lm_net *net, const lm_layers_settings *s, lm_buffer *out)
{
    LM_TRY(lm_buffer_printf(
        out, "{\"model_type\": \"%s\", \"task\": \"%s\", \"layers\": ", LM_LAYERS_TYPE, s->task));
    LM_TRY(lm_net_write(net, out));
    LM_TRY(write_labels(s, out));
    return lm_buffer_printf(out,
                            ", \"words\": \"%s\", \"lower_case\": %s, \"pad_id\": %" PRId64
                            ", \"unknown_id\": %" PRId64 ", \"max_length\": %" PRId64
                            ", \"truncate\": \"%s\"}\n",
                            s->words, s->lower_case ? "true" : "false", s->pad, s->unknown,
                            s->longest, s->cut_front ? "pre" : "post");
}
