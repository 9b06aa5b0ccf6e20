/*
 * layers.h - a net of layers as a model: a folder, a section of an image, the view of it.
 *
 *   config.json        {"model_type": "lmtext_layers", "task": "classification", "layers": [{…},
 * …], "labels": ["…", …], "words": "whitespace", "lower_case": false, "pad_id": 0, "unknown_id": 1,
 * "max_length": 512, "truncate": "post"} vocab.txt          a word a line; with "words":
 * "tokenizer" a tokenizer.json instead model.safetensors  <place in layers>.<torch's name> of each
 * parameter, float32 in the image
 *
 * Tasks are classification and regression of texts, tagging, of tokens, and language_model, which
 * has no labels.
 */
#ifndef LM_MODEL_LAYERS_H
#define LM_MODEL_LAYERS_H

#include "model/model.h"
#include "net/run.h"

#define LM_LAYERS_TYPE "lmtext_layers"
#define LM_LAYERS_LENGTH 512 /* tokens of a text, where nothing else is said */
#define LM_LAYERS_LONGEST 65536
#define LM_LAYERS_BY_TOKENIZER "tokenizer" /* words of a tokenizer.json */

typedef struct lm_layers {
    lm_net net;
    lm_net_weights weights;
    bool by_word;     /* its tokens are words, not pieces of them */
    const char *task; /* of the description */
    lm_arena *arena;  /* that the view lies in */
} lm_layers;

/* What stands in config.json beside the layers. */
typedef struct lm_layers_settings {
    const char *task;
    const char *const *labels;
    int label_count;
    const char *words; /* how texts are cut */
    bool lower_case;
    bool cut_front; /* "truncate": "pre" */
    int64_t pad, unknown, longest;
} lm_layers_settings;

/* Append config.json. */
lm_status lm_layers_write_config(const lm_net *net, const lm_layers_settings *settings,
                                 lm_buffer *out);

/* A row of what a net can be for. */
typedef struct lm_layers_task {
    const char *name; /* in config.json */
    const char *task; /* of the model: one of task/tasks.c */
    bool by_text;
    lm_scoring scoring;
    bool language; /* no labels: it predicts the words themselves */
} lm_layers_task;

/* NULL: there is none of the name. */
const lm_layers_task *lm_layers_task_find(const char *name);

/* Values of a parameter of a model: those that are packed are unpacked. */
lm_status lm_layers_values(lm_context *ctx, const lm_layers *layers, size_t param, float *values);

#endif
