/*
 * model.h - a whole model: what its files say, in one relocatable image that is filled once and
 * shared. The image's sections are rows of sections.c, the kinds of models rows of kinds.c.
 */
#ifndef LM_MODEL_H
#define LM_MODEL_H

#include "family/family.h"
#include "model/neighbours.h"
#include "model/steps.h"
#include "token/tokenizer.h"

/* Changes with every change of the image's layout: part of the key under which it is shared. */
#define LM_IMAGE_LAYOUT 10u

/* What becomes of a head's numbers. */
typedef enum lm_scoring {
    LM_SCORING_SOFTMAX,    /* probabilities of labels of which one holds */
    LM_SCORING_SIGMOID,    /* of labels each for itself */
    LM_SCORING_RAW,        /* they are the scores */
    LM_SCORING_CUMULATIVE, /* of ordered labels: log odds that it is one up to here */
    LM_SCORING_COUNT
} lm_scoring;

typedef struct lm_model_info {
    const char *kind;   /* "encoder", "head", "ngram": a row of kinds.c */
    const char *family; /* "bert"; NULL: a head, which has its base's */
    const char *task;   /* "embedding", "classification" */
    int dimensions;     /* of the embedding; 0: it computes none */
    bool cut;           /* they are fewer than the encoder's */
    bool implied_class; /* config.json tells the tokenizer's class; of a plan only */
    int max_tokens;     /* window, special tokens included; 0: it has none */
    uint64_t parameters;
    /*
     * What a token costs, roughly: 2 × the elements of the matrices that each token is multiplied
     * by. Products of tokens with each other (attention) are not in it. 0: its base's.
     */
    uint64_t flops_per_token;
    const char *details;     /* what is peculiar to the kind, as a JSON object on one line */
    lm_precision precision;  /* of the encoder's weights; a head is float32 */
    lm_scoring scoring;      /* of the labels */
    lm_scoring pair_scoring; /* of a single label's number, where it is the score of a pair */
    int label_count;
    const char *const *labels;
    /* Of a head on the vocabulary: ids of what stands for a word that is asked for, and for none
     * (−1: there is no such). */
    int32_t mask_token, pad_token;
    int routes[LM_SIDE_COUNT]; /* of a Router: the way that a side takes, from 1; 0: none */
} lm_model_info;

typedef struct lm_model_options {
    int max_tokens;         /* overrides the files; 0: not given */
    int dimensions;         /* of the embedding, at most; overrides the files; 0: not given */
    bool as_embedding;      /* a model with another head is taken for embedding */
    const char *task;       /* that the model is to serve; NULL: what its files say */
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

/*
 * What gives labels their scores: weight · norm(act(dense · x + dense_bias)) + bias, then
 * `scoring`; or a vote of neighbours. It was trained on the base's embedding, or is the
 * checkpoint's own.
 */
typedef struct lm_head {
    int labels;                      /* C, also where they have no names; 0: words */
    int width;                       /* D of x */
    int inner;                       /* E behind dense: D, or the width of the word table */
    const float *dense, *dense_bias; /* (E, D) and (E) or NULL; without dense x goes in as it is */
    lm_activation act;
    int net; /* F behind dense, from where `back` leads to x; 0: there is none */
    const float *back, *back_bias;      /* (E, F) and (E) or NULL; x is added to what it gives */
    const float *norm_gain, *norm_bias; /* (E) of a LayerNorm behind these, or NULL */
    float eps;
    bool late;           /* x has been through dense: LM_POOL_LATE */
    bool own_types;      /* tokens behind a window's first separator have type 1, others 0 */
    int32_t separator;   /* its id */
    const float *weight; /* (C, E) */
    const float *bias;   /* (C) or (V), or NULL */
    const float *start, *end, *transitions; /* (C), (C), (C, C) of a CRF behind it, or NULL */
    int words;                              /* V; 0: its outputs are labels */
    const void *table;                      /* (V, E): float32, or bfloat16 as the model's tables */
    lm_scoring scoring;
    const char *const *names; /* (C); NULL where they have none */
    lm_neighbours neighbours; /* these vote, and there is no weight; of count 0: there are none */
} lm_head;

/* What a section of an image holds. Numbers are not given twice. */
typedef enum lm_section_id {
    LM_SECTION_SETTINGS,
    LM_SECTION_TOKENIZER,
    LM_SECTION_WEIGHTS,
    LM_SECTION_HEAD,
    LM_SECTION_NGRAM,
    LM_SECTION_STEPS,
    LM_SECTION_VECTORS,
    LM_SECTION_LATE,
    LM_SECTION_NGRAM_HEAD,
    LM_SECTION_NET,
    LM_SECTION_COUNT
} lm_section_id;

/* A model as this process sees it. Read only; valid while the image is mapped. */
typedef struct lm_model {
    lm_model_info info;
    const struct lm_model_kind *kind;
    lm_sentence_transformers sentence;
    const lm_kernels *kernels; /* the table that the image was packed for */
    /* By lm_section_id: what the section's bind made; NULL: the image has no such section. */
    const void *views[LM_SECTION_COUNT];
    const struct lm_model *base; /* that a head runs on: lm_model_set_base */
    struct lm_model *routes;     /* ways of a Router, with an image each in this one; NULL: none */
    int route_count;
} lm_model;

/* Make a view of an image. Cheap (no copy of weights): done once per backend. */
lm_status lm_model_bind(lm_context *ctx, const void *image, size_t size, lm_model *model);
/*
 * Another window than that which the image was made with: LM_BAD_ARGUMENT where the model has fewer
 * positions, or no text fits. A head ignores it.
 */
lm_status lm_model_set_window(lm_context *ctx, lm_model *model, int window);
/* Cut the embedding to at most `dimensions`, as in lm_model_options. A head has its base's. */
void lm_model_set_dimensions(lm_model *model, int dimensions);
void lm_model_unbind(lm_context *ctx, lm_model *model);

/* Whether the model is useless without another one, which lm_model_set_base gives it. */
bool lm_model_needs_base(const lm_model *model);
/*
 * The model that a head runs on, bound as long as the head is used; again where that was bound
 * anew. A head of a checkpoint must fit its encoder.
 */
lm_status lm_model_set_base(lm_context *ctx, lm_model *model, const lm_model *base);

/* Numbers of an embedding before it is cut; 0: the model computes none. */
int lm_model_width(const lm_model *model);

/* Whether it is a head on the embedding of its base, and not on the hidden states; also where it
 * reads n-grams beside it. */
static inline bool
lm_model_reads_embedding(const lm_model *model)
{
    return model->base && !model->views[LM_SECTION_WEIGHTS];
}

/* The model that says how hidden states become what a head reads: itself, or a head's base. */
static inline const lm_model *
lm_model_encoder(const lm_model *model)
{
    return lm_model_reads_embedding(model) ? model->base : model;
}

/* What a model is to texts of a side: itself, or a way of its Router; NULL: it has none for it. */
static inline const lm_model *
lm_model_route(const lm_model *model, lm_side side)
{
    const int way = model->info.routes[side];

    if (!model->routes)
        return model;
    return way > 0 ? &model->routes[way - 1] : NULL;
}

/* What it is where nobody asks for a side: its default way, or else that of documents. */
static inline const lm_model *
lm_model_main(const lm_model *model)
{
    const lm_model *plain = lm_model_route(model, LM_SIDE_NONE);
    const lm_model *document = plain ? plain : lm_model_route(model, LM_SIDE_DOCUMENT);

    return document ? document : lm_model_route(model, LM_SIDE_QUERY);
}

/* The model whose encoder takes the texts that are searched, where a side is asked for. */
static inline const lm_model *
lm_model_of_documents(const lm_model *model)
{
    const lm_model *document = lm_model_route(lm_model_encoder(model), LM_SIDE_DOCUMENT);

    return document ? document : lm_model_main(lm_model_encoder(model));
}

/* A section's view: its own, or else its base's; NULL where neither has the section. */
static inline const void *
lm_model_view(const lm_model *model, lm_section_id id)
{
    const lm_model *other = model->base ? model->base : model;

    return model->views[id] ? model->views[id] : lm_model_main(other)->views[id];
}

static inline const lm_tokenizer *
lm_model_tokenizer(const lm_model *model)
{
    return lm_model_view(model, LM_SECTION_TOKENIZER);
}

static inline const lm_weights *
lm_model_weights(const lm_model *model)
{
    return lm_model_view(model, LM_SECTION_WEIGHTS);
}

static inline const lm_steps *
lm_model_steps(const lm_model *model)
{
    return lm_model_view(model, LM_SECTION_STEPS);
}

/* NULL: the model is not for late interaction. */
static inline const struct lm_late *
lm_model_late(const lm_model *model)
{
    return lm_model_view(model, LM_SECTION_LATE);
}

static inline const lm_head *
lm_model_head(const lm_model *model)
{
    return lm_model_view(model, LM_SECTION_HEAD);
}

/* What classifies by n-grams; NULL: the model does not. */
static inline const struct lm_ngram_head *
lm_model_ngram_head(const lm_model *model)
{
    return model->views[LM_SECTION_NGRAM_HEAD];
}

/* A net of layers; NULL: the model is none. */
static inline const struct lm_layers *
lm_model_layers(const lm_model *model)
{
    return model->views[LM_SECTION_NET];
}

static inline const struct lm_unigram *
lm_model_unigram(const lm_model *model)
{
    return lm_model_view(model, LM_SECTION_NGRAM);
}

#endif
