/*
 * model.h - a whole model: tokenizer, weights, and what its files say of pooling, prompts and
 * windows, in one relocatable image that is filled once and shared.
 *
 * Image: lm_image_header, settings, tokenizer section, weights section; each aligned. A head (a
 * classifier trained on another model's embedding) is an image of its own that holds only the head.
 */
#ifndef LM_MODEL_H
#define LM_MODEL_H

#include "family/family.h"
#include "token/tokenizer.h"

/* Changes with every change of the image's layout: part of the key under which it is shared. */
#define LM_IMAGE_LAYOUT 5u

typedef struct lm_model_info {
    const char *family; /* "bert"; NULL: a head, which has its base's */
    const char *task;   /* "embedding", "classification" */
    int dimensions;     /* of the embedding */
    bool cut;           /* they are fewer than the encoder's */
    bool implied_class; /* config.json tells the tokenizer's class; of a plan only */
    int max_tokens;     /* window, special tokens included */
    uint64_t parameters;
    lm_precision precision; /* of the encoder's weights; a head is float32 */
    int label_count;
    const char *const *labels;
} lm_model_info;

typedef struct lm_model_options {
    int max_tokens;         /* overrides the files; 0: not given */
    int dimensions;         /* of the embedding, at most; overrides the files; 0: not given */
    bool as_embedding;      /* a model with another head is taken for embedding */
    bool plain_class;       /* config.json does not tell the tokenizer's class, as in 0.2 */
    lm_precision precision; /* of the weights in the image */
} lm_model_options;

/* What is to be loaded; lives in the arena. */
typedef struct lm_model_plan lm_model_plan;

/*
 * Read the settings of a source, check them whole (config against weights, tokenizer against
 * vocabulary), and size the image. Reads each settings file once, then the tensors' headers.
 * info may be NULL; its strings live in the arena. notes is NULL where a stored version is loaded:
 * it was checked when it was imported.
 */
lm_status lm_model_plan_make(lm_context *ctx, lm_arena *arena, const lm_source *source,
                             const lm_model_options *options, const lm_kernels *kernels,
                             lm_model_plan **plan, lm_model_info *info, lm_notes *notes);
size_t lm_model_plan_size(const lm_model_plan *plan);
/* Fill the image (LM_ALIGNMENT-aligned, lm_model_plan_size bytes). Reads on in the same source. */
lm_status lm_model_fill(lm_context *ctx, lm_model_plan *plan, void *image);

/* A softmax head on a frozen embedding. */
typedef struct lm_head {
    int labels;               /* C */
    int width;                /* D of the base's embedding */
    const float *weight;      /* (C, D) */
    const float *bias;        /* (C) */
    const char *const *names; /* (C) */
} lm_head;

/* A model as this process sees it. Read only; valid while the image is mapped. */
typedef struct lm_model {
    lm_model_info info;
    lm_tokenizer tokenizer;
    lm_weights weights;
    lm_sentence_spec sentence;
    const lm_kernels *kernels; /* the table that the image was packed for */
    bool has_head;
    lm_head head;
    const struct lm_model *base; /* whose tokenizer and weights a head uses; set by the binder */
    void *memory;                /* what bind allocated */
} lm_model;

/* Make a view of an image. Cheap (no copy of weights): done once per backend. */
lm_status lm_model_bind(lm_context *ctx, const void *image, size_t size, lm_model *model);
/*
 * Another window than that which the image was made with: LM_BAD_ARGUMENT where the model has not
 * so many positions, or no room for a text. A head has no use for it.
 */
lm_status lm_model_set_window(lm_context *ctx, lm_model *model, int window);
/* At most so many dimensions of the embedding, as in lm_model_options. A head has its base's. */
void lm_model_set_dimensions(lm_model *model, int dimensions);
void lm_model_unbind(lm_context *ctx, lm_model *model);

/* The model whose encoder runs: itself, or a head's base. */
static inline const lm_model *
lm_model_encoder(const lm_model *model)
{
    return model->base ? model->base : model;
}

#endif
