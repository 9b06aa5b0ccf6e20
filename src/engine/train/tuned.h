/*
 * tuned.h - a whole model that is fine-tuned: its files, its rows as tokens, encoder and head, as a
 * network for the trainer (optim/network.h). What is peculiar to a task is a row of a table.
 */
#ifndef LM_TRAIN_TUNED_H
#define LM_TRAIN_TUNED_H

#include "metrics/entities.h"
#include "model/model.h"
#include "model/session.h"
#include "optim/loss.h"
#include "optim/trainer.h"
#include "train/augmented.h"
#include "train/tuned_head.h"
#include "train/tuned_kept.h"
#include "train/tuned_lora.h"

typedef struct lm_tuned lm_tuned;

/* What is peculiar to a task. */
typedef struct lm_tuned_task {
    const char *name;      /* "classification" */
    const char *head_task; /* of the family's head; NULL: the encoder's embedding is trained */
    const char *label;     /* of a head whose only number it is; NULL: labels come with the rows */
    bool tokens;           /* targets are tokens', not rows' */
    bool pairs;            /* a text is two, which the template joins */
    bool (*whole)(const lm_tuned *tuned); /* batches are not cut; NULL: they may be */
    double (*weight)(const lm_tuned *tuned, const size_t *rows, size_t count);
    /* From hidden states to the loss, and in training to encoder.dhidden. */
    lm_status (*loss)(lm_tuned *tuned, const size_t *rows, size_t count, const lm_pass *pass,
                      const float *states, double *loss);
    /* What is measured of rows behind their loss, whose scores stand in the head; NULL: nothing. */
    lm_status (*add)(lm_tuned *tuned, const size_t *rows, size_t count);
    lm_status (*finish)(lm_tuned *tuned, lm_measures *measures);
} lm_tuned_task;

extern const lm_tuned_task lm_tuned_classification, lm_tuned_regression, lm_tuned_tagging,
    lm_tuned_similarity, lm_tuned_rerank, lm_tuned_masked, lm_tuned_next, lm_tuned_distillation;

/* How similar texts are told. */
typedef enum lm_tuned_pairs {
    LM_TUNED_SCORED,  /* pairs with a number: cosine */
    LM_TUNED_RANKED,  /* pairs, and further negatives, among the others of a batch */
    LM_TUNED_TRIPLETS /* by Euclidean distance, with a margin */
} lm_tuned_pairs;

/* Shares that are taken away before the training; all 0: nothing is. */
typedef struct lm_pruning {
    double share;          /* of the numbers of each matrix */
    double heads, neurons; /* of those of each layer */
} lm_pruning;

typedef struct lm_tuned_settings {
    lm_tuned_options encoder;
    double dropout; /* of the head; negative: as the model's files say, as those of the encoder */
    double label_smoothing;
    const float *class_weights; /* (labels), or NULL */
    lm_tuned_pairs pairs;
    double scale, margin; /* of ranks and of triplets */
    bool crf;             /* of tagging */
    lm_pruning pruning;
    double masked;      /* share of tokens that are guessed */
    int64_t layers;     /* of a student; 0: half of its teacher's */
    double temperature; /* of a teacher's scores */
    double hard;        /* share of the loss that labels have which people gave */
    int64_t lora_rank;  /* 0: none */
    double lora_alpha;
    uint64_t seed;
    lm_augmented_options augment;
} lm_tuned_settings;

/* Adam moves a number by the rate a step at most: that of an encoder would leave transitions at 0.
 */
#define LM_TUNED_CRF_RATE 100

void lm_tuned_settings_default(lm_tuned_settings *settings);

struct lm_tuned {
    lm_context *ctx;
    lm_arena arena;
    lm_kept kept; /* the base's files */
    const lm_tuned_task *task;
    lm_tuned_settings settings;
    lm_tuned_texts texts;
    lm_augmented augmented; /* texts, end to end; of pairs two */
    lm_buffer variants[2];
    /* Targets: a label or a number a row, or a label a token (LM_IGNORED: none). */
    int32_t *labels;
    float *numbers;
    size_t label_room, number_room, label_count, number_count;
    /* Behind lm_tuned_start. */
    bool started;
    const char *const *names; /* of labels, which live in the arena */
    size_t name_count;
    lm_checkpoint checkpoint;
    char layers_key[LM_CONFIG_KEY_SIZE]; /* of config.json, of a student; "": the base's layers */
    const char *config; /* config.json of a model with a head, which checkpoint.config is then */
    lm_plain plain;
    bool embeds; /* the base's embedding is its pooling, and perhaps normalised */
    lm_pooling pooling;
    bool normalize;
    size_t special, special_before; /* tokens of the template around a text, and before it */
    float *values;
    bool helps; /* values and gradients are memory of the caller's (shared.h) */
    lm_tuned_encoder encoder;
    lm_tuned_head head;
    char inner_key[LM_CONFIG_KEY_SIZE]; /* of config.json, where neurons are taken away */
    size_t inner_left;                  /* neurons of a layer; 0: nothing was taken away */
    size_t zeros, thinned; /* numbers that are 0 of those of matrices that were looked at */
    lm_lora lora;          /* without a rank: there is none */
    int32_t *changed;      /* (tokens): ids with masks; of masked_language_model alone */
    int32_t mask_id;
    int32_t *guessed; /* (tokens): what stands there, LM_IGNORED elsewhere */
    /* Of a student. */
    const lm_model *teacher;
    lm_session *session;
    float *taught; /* (rows, labels): the teacher's numbers */
    size_t taught_room;
    /* Of a batch. */
    int32_t *targets; /* (rows, or tokens that have one) */
    uint64_t *counters;
    size_t *picked; /* tokens of the batch that have a target */
    int32_t *found; /* their best labels */
    size_t target_room, counter_room, picked_room, found_room, picked_count;
    float *room;
    size_t room_size;
    /* Of a measure. */
    lm_confusion *confusion;
    lm_entities *entities;
    double sums[6];
};

/* Rows are added to `texts`, labels and numbers; then it is started. */
lm_status lm_tuned_open(lm_context *ctx, const lm_train_base *base, const lm_tuned_task *task,
                        const lm_tuned_settings *settings, size_t per_row, lm_tuned **tuned);
void lm_tuned_close(lm_tuned *tuned); /* may be NULL */

/* A text of a row, or two that the template joins. */
lm_status lm_tuned_add_text(lm_tuned *tuned, lm_text text);
lm_status lm_tuned_add_text_pair(lm_tuned *tuned, lm_text first, lm_text second);

/* What a row is to be learnt: the number of a label, a number, or labels of its tokens. */
lm_status lm_tuned_add_label(lm_tuned *tuned, int32_t label);
lm_status lm_tuned_add_number(lm_tuned *tuned, float number);

/* Names of labels, copied. */
lm_status lm_tuned_names(lm_tuned *tuned, const char *const *names, size_t count);

/* All rows are there; names are those of labels, copied. Read the weights. */
lm_status lm_tuned_start(lm_tuned *tuned, const char *const *names, size_t count);

/* Rows of a batch depend on each other. */
static inline bool
lm_tuned_is_whole(const lm_tuned *tuned)
{
    return tuned->task->whole && tuned->task->whole(tuned);
}

/* As the trainer sees it. */
void lm_tuned_network(lm_tuned *tuned, lm_network *network);

/* The table of words among the network's parameters; NULL: it is not trained. */
const lm_param *lm_tuned_words(const lm_tuned *tuned);

/* config.json of the new model with a head, from the base's: tuned->config. */
lm_status lm_tuned_config(lm_tuned *tuned, const lm_head_kind *head);

/* All files of the new model, into the outcome, whose names live as long as this. */
lm_status lm_tuned_write(lm_tuned *tuned, lm_train_outcome *outcome);

#endif
