/*
 * finetune.c - the method "finetune" of several tasks: what a query's columns are, how its rows
 * become texts and targets, and the run. The model in training is tuned.h's.
 */
#include "train/finetune.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/labels.h"
#include "train/neural.h"
#include "train/tuned.h"
#include "train/tuned_distill.h"
#include "train/tuned_prune.h"
#include "train/tuned_shared.h"

#define MEMORY_LEAST ((size_t)256 << 20) /* some hundred tokens of a base with 12 layers */
#define LEARNING_RATE 5e-5               /* of AdamW on an encoder that has learnt before */

typedef struct finetune finetune;

/* What a task's rows are. */
typedef struct finetune_kind {
    const lm_tuned_task *task;
    size_t per_row; /* texts; of similarity, at least */
    lm_status (*add_rows)(finetune *f, const lm_train_rows *rows);
    bool prunes; /* a model that has labels already */
} finetune_kind;

typedef struct finetune_options {
    lm_neural_options neural;
    int64_t train_layers;
    char *lora; /* JSON */
    char *loss; /* of similarity; NULL: as the columns say */
    double scale, margin, masked;
    bool crf; /* of tagging */
    double crf_rate;
    lm_pruning pruning;
    int64_t layers; /* of a student, and so on */
    double temperature, hard;
} finetune_options;

struct finetune {
    lm_context *ctx;
    const finetune_kind *kind;
    finetune_options options;
    lm_neural neural;
    lm_tuned_settings settings;
    lm_train_labels labels;
    lm_tuned *tuned; /* NULL: before the base is read */
    lm_buffer words; /* of a row, joined */
    size_t rows;
    size_t *order;
    float *class_weights;
    size_t bytes;          /* of the base's files */
    lm_measures before[2]; /* of the rows held out: the base's, and that of what is left of it */
};

/* ---- Opening ---- */

static void
finetune_defaults(void *options)
{
    finetune_options *defaults = options;

    *defaults = (finetune_options){.train_layers = -1,
                                   .scale = 20,
                                   .margin = 5,
                                   .masked = 0.15,
                                   .crf_rate = LM_TUNED_CRF_RATE,
                                   .temperature = 2,
                                   .hard = 0.5};
    lm_neural_defaults(&defaults->neural);
    defaults->neural.learning_rate = LEARNING_RATE;
    defaults->neural.schedule = (char *)(uintptr_t) "linear";
    defaults->neural.clip_norm = 1;
    defaults->neural.dropout = NAN;
}

static void
fill_settings(finetune *f)
{
    const finetune_options *options = &f->options;
    lm_tuned_settings *settings = &f->settings;

    lm_tuned_settings_default(settings);
    settings->encoder.train_layers = options->train_layers;
    if (!isnan(options->neural.dropout))
        settings->dropout = settings->encoder.hidden_dropout = settings->encoder.attention_dropout =
            options->neural.dropout;
    settings->label_smoothing = options->neural.label_smoothing;
    settings->scale = options->scale;
    settings->margin = options->margin;
    settings->masked = options->masked;
    settings->crf = options->crf;
    settings->pruning = options->pruning;
    settings->encoder.crf_rate = options->crf_rate;
    settings->layers = options->layers;
    settings->temperature = options->temperature;
    settings->hard = options->hard;
    settings->encoder.rounded = f->neural.precision == LM_PRECISION_BF16;
    settings->seed = (uint64_t)options->neural.seed;
}

static lm_status
refuse_lora(const finetune *f)
{
    lm_raise(f->ctx, LM_BAD_ARGUMENT, "option \"lora\" must be an object with rank and alpha");
    lm_detail_key(f->ctx, "lora");
    return lm_detail_allowed(f->ctx, "rank from 1 to 1024, alpha above 0");
}

/* Without alpha it is the rank: the product counts as it is. */
static lm_status
take_lora(finetune *f, const lm_json *json)
{
    const lm_json *rank = lm_json_get(json, "rank"), *alpha = lm_json_get(json, "alpha");
    const size_t known = (rank != NULL) + (size_t)(alpha != NULL);

    if (json->type != LM_JSON_OBJECT || json->as.items.count != known || !rank ||
        rank->type != LM_JSON_NUMBER || !rank->is_integer || rank->integer < 1 ||
        rank->integer > 1024 ||
        (alpha && (alpha->type != LM_JSON_NUMBER || !(alpha->as.number > 0))))
        return refuse_lora(f);
    f->settings.lora_rank = rank->integer;
    f->settings.lora_alpha = alpha ? alpha->as.number : (double)rank->integer;
    return LM_OK;
}

static lm_status
read_lora(finetune *f)
{
    const lm_json *json = NULL;
    lm_arena arena;
    lm_status status;

    lm_arena_init(&arena, f->ctx);
    status =
        lm_json_parse(f->ctx, &arena, f->options.lora, strlen(f->options.lora), "options", &json);
    if (status == LM_OK)
        status = take_lora(f, json);
    lm_arena_free(&arena);
    return status;
}

static lm_status
open_kind(lm_context *ctx, const finetune_kind *kind, const void *options, void **training)
{
    finetune *f = lm_alloc_zero(ctx, sizeof *f);
    lm_status status;

    if (!f)
        return LM_NO_MEMORY;
    f->ctx = ctx;
    f->kind = kind;
    f->options = *(const finetune_options *)options;
    lm_buffer_init(&f->words, ctx);
    lm_train_labels_init(&f->labels, ctx);
    status = lm_neural_open(&f->neural, ctx, &f->options.neural);
    fill_settings(f);
    if (status == LM_OK && (kind->task->tokens || kind->task == &lm_tuned_masked))
        status = lm_neural_refuse_augment(&f->neural, kind->task->name);
    if (status == LM_OK && f->options.lora)
        status = read_lora(f);
    f->settings.augment = f->neural.augment;
    if (status == LM_OK)
        *training = f;
    else
        lm_free(ctx, f);
    return status;
}

/* Its loss is of paths, which have neither weights nor a smoothed form. */
static lm_status
check_crf(lm_context *ctx, const finetune_options *options, bool crf)
{
    const char *key = options->neural.class_weights         ? "class_weights"
                      : options->neural.label_smoothing > 0 ? "label_smoothing"
                                                            : NULL;

    if (!crf || !key)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "a CRF has neither class weights nor label smoothing");
    return lm_detail_key(ctx, "%s", key);
}

/* The labels of a model that is pruned stay its own. */
static lm_status
take_labels(finetune *f, const lm_model *model)
{
    const lm_head *head = lm_model_head(model);

    if (!head || !head->names || head->scoring != LM_SCORING_SOFTMAX ||
        (head->transitions && !f->kind->task->tokens) ||
        strcmp(model->info.task, f->kind->task->head_task) != 0) {
        lm_raise(f->ctx, LM_UNSUPPORTED, "the model has no labels for the task");
        lm_detail_key(f->ctx, "%s", f->kind->task->name);
        return lm_detail_found(f->ctx, "%s", model->info.task);
    }
    f->tuned->settings.crf = head->transitions != NULL;
    LM_TRY(check_crf(f->ctx, &f->options, f->tuned->settings.crf));
    for (size_t i = 0; i < f->tuned->kept.count; i++)
        f->bytes += f->tuned->kept.files[i].bytes.size;
    return lm_tuned_names(f->tuned, head->names, (size_t)head->labels);
}

static lm_status
finetune_read_base(void *training, const lm_train_base *base)
{
    finetune *f = training;

    LM_TRY(lm_tuned_open(f->ctx, base, f->kind->task, &f->settings, f->kind->per_row, &f->tuned));
    if (f->neural.workers > 0)
        LM_TRY(lm_tuned_share_check(f->tuned));
    if (f->kind->prunes)
        LM_TRY(take_labels(f, base->model));
    return f->kind->task == &lm_tuned_distillation ? lm_tuned_teacher(f->tuned, base->model)
                                                   : LM_OK;
}

static void
finetune_close(void *training)
{
    finetune *f = training;

    if (!f)
        return;
    lm_tuned_close(f->tuned);
    lm_train_labels_free(&f->labels);
    lm_buffer_free(&f->words);
    lm_free(f->ctx, f->order);
    lm_free(f->ctx, f->class_weights);
    lm_free(f->ctx, f);
}

/* ---- Rows ---- */

static lm_status
finetune_add_rows(void *training, const lm_train_rows *rows)
{
    finetune *f = training;

    LM_TRY(f->kind->add_rows(f, rows));
    f->rows += rows->count;
    /* What similarity's rows are is known now. */
    return f->neural.workers > 0 ? lm_tuned_share_check(f->tuned) : LM_OK;
}

static lm_status
add_labelled(finetune *f, const lm_train_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        LM_TRY(lm_tuned_add_text(f->tuned, rows->texts[0][i]));
    return rows->texts[1] ? lm_train_labels_add(&f->labels, rows->texts[1], rows->count) : LM_OK;
}

static lm_status
add_taught(finetune *f, const lm_train_rows *rows)
{
    const lm_text *labels = rows->columns > 1 ? rows->texts[1] : NULL;

    if (!labels)
        f->tuned->settings.hard = 0;
    return lm_tuned_taught(f->tuned, rows->texts[0], labels, rows->count);
}

static lm_status
add_numbered(finetune *f, const lm_train_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        LM_TRY(lm_tuned_add_text(f->tuned, rows->texts[0][i]));
        LM_TRY(lm_tuned_add_number(f->tuned, (float)rows->numbers[1][i]));
    }
    return LM_OK;
}

static lm_status
check_share(const finetune *f, double number)
{
    if (number >= 0 && number <= 1)
        return LM_OK;
    lm_raise(f->ctx, LM_BAD_ARGUMENT, "the score of a pair is not between 0 and 1");
    lm_detail_found(f->ctx, "%g", number);
    return lm_detail_allowed(f->ctx, "0 to 1");
}

static lm_status
add_pairs(finetune *f, const lm_train_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        LM_TRY(check_share(f, rows->numbers[2][i]));
        LM_TRY(lm_tuned_add_text_pair(f->tuned, rows->texts[0][i], rows->texts[1][i]));
        LM_TRY(lm_tuned_add_number(f->tuned, (float)rows->numbers[2][i]));
    }
    return LM_OK;
}

/* A caller may have read the rows for another loss. */
static lm_status
check_columns(const finetune *f, const lm_train_rows *rows)
{
    const char *loss = f->options.loss;
    const bool third = rows->columns > 2, scored = third && rows->numbers[2];

    if (!loss || (strcmp(loss, "cosine") == 0 && scored) ||
        (strcmp(loss, "triplet") == 0 && third && !scored) ||
        (strcmp(loss, "ranking") == 0 && !scored))
        return LM_OK;
    lm_raise(f->ctx, LM_BAD_ARGUMENT, "the rows do not have the columns of the loss");
    lm_detail_key(f->ctx, "loss");
    return lm_detail_found(f->ctx, "%s", loss);
}

/* 1: the second text follows the first. */
static lm_status
add_neighbours(finetune *f, const lm_train_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        const double follows = rows->numbers[2][i];

        if (follows != 0 && follows != 1) {
            lm_raise(f->ctx, LM_BAD_ARGUMENT, "what says that a text follows is neither 0 nor 1");
            lm_detail_found(f->ctx, "%g", follows);
            return lm_detail_allowed(f->ctx, "0 or 1");
        }
        LM_TRY(lm_tuned_add_text_pair(f->tuned, rows->texts[0][i], rows->texts[1][i]));
        LM_TRY(lm_tuned_add_label(f->tuned, follows == 1 ? 0 : 1));
    }
    return LM_OK;
}

/* Two texts and a number, or two or three texts: the kind says what is made of them. */
static lm_status
add_similar(finetune *f, const lm_train_rows *rows)
{
    lm_tuned *tuned = f->tuned;
    const bool scored = rows->columns > 2 && rows->numbers[2];
    const char *loss = f->options.loss;
    const bool triplets = loss && strcmp(loss, "triplet") == 0;

    LM_TRY(check_columns(f, rows));
    tuned->texts.per_row = rows->columns > 2 && !scored ? 3 : 2;
    tuned->settings.pairs = scored     ? LM_TUNED_SCORED
                            : triplets ? LM_TUNED_TRIPLETS
                                       : LM_TUNED_RANKED;
    for (size_t i = 0; i < rows->count; i++) {
        for (size_t place = 0; place < tuned->texts.per_row; place++)
            LM_TRY(lm_tuned_add_text(tuned, rows->texts[place][i]));
        if (scored)
            LM_TRY(lm_tuned_add_number(tuned, (float)rows->numbers[2][i]));
    }
    return LM_OK;
}

/* ---- Words with tags ---- */

/* Characters of UTF-8. */
static int32_t
characters(lm_text text)
{
    int32_t count = 0;

    for (size_t i = 0; i < text.length; i++)
        count += ((unsigned char)text.bytes[i] & 0xc0) != 0x80;
    return count;
}

static lm_status
join_words(finetune *f, const lm_train_words *words)
{
    f->words.size = 0;
    for (size_t i = 0; i < words->count; i++) {
        if (i > 0)
            LM_TRY(lm_buffer_append_byte(&f->words, ' '));
        LM_TRY(lm_buffer_append(&f->words, words->words[i].bytes, words->words[i].length));
    }
    return LM_OK;
}

/*
 * The first token of each word has the word's label, or rather its place among all labels until
 * these are numbered. A token is of the word in which it ends: some begin with the space before.
 */
static lm_status
label_tokens(finetune *f, const lm_train_words *words, size_t first_label)
{
    const lm_encoding *encoding = &f->tuned->texts.encoding;
    size_t word = 0;
    int32_t end = words->count > 0 ? characters(words->words[0]) : 0;
    bool open = words->count > 0;

    for (size_t i = 0; i < encoding->count; i++) {
        const bool special = encoding->special[i] || encoding->stop[i] == encoding->start[i];
        int32_t label = LM_IGNORED;

        while (!special && word + 1 < words->count && encoding->stop[i] > end) {
            end += 1 + characters(words->words[++word]);
            open = true;
        }
        if (!special && open) {
            label = (int32_t)(first_label + word);
            open = false;
        }
        LM_TRY(lm_tuned_add_label(f->tuned, label));
    }
    return LM_OK;
}

static lm_status
add_tagged(finetune *f, const lm_train_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        const lm_train_words *words = &rows->words[0][i], *tags = &rows->words[1][i];
        const size_t first_label = f->labels.rows;

        if (words->count != tags->count) {
            lm_raise(f->ctx, LM_BAD_ARGUMENT, "a row has not as many tags as tokens");
            lm_detail_found(f->ctx, "%zu tags", tags->count);
            return lm_detail_allowed(f->ctx, "%zu", words->count);
        }
        LM_TRY(join_words(f, words));
        LM_TRY(lm_tuned_texts_add(&f->tuned->texts, (lm_text){f->words.data, f->words.size}));
        LM_TRY(lm_train_labels_add(&f->labels, tags->words, tags->count));
        LM_TRY(label_tokens(f, words, first_label));
    }
    return LM_OK;
}

/* ---- The fit ---- */

static bool
has_labels(const finetune *f)
{
    return f->kind->task == &lm_tuned_classification || f->kind->task == &lm_tuned_tagging;
}

static const char *
finetune_lacking(const void *training, const char **hint)
{
    const finetune *f = training;

    if (!has_labels(f) || f->kind->prunes || f->labels.names.count > 1)
        return NULL;
    *hint = "There is something to learn only where there are two labels or more.";
    return "returned only one label";
}

static lm_status
number_of(const finetune *f, const char *name, int32_t *number)
{
    const lm_tuned *tuned = f->tuned;

    for (size_t i = 0; i < tuned->name_count; i++)
        if (strcmp(tuned->names[i], name) == 0) {
            *number = (int32_t)i;
            return LM_OK;
        }
    return lm_raise(f->ctx, LM_BAD_ARGUMENT, "a row has a label that the base does not have");
}

/* The rows' labels by the numbers that the base gives them. */
static lm_status
map_labels(finetune *f)
{
    const char *const *names = NULL;
    int32_t *to = lm_arena_array(&f->tuned->arena, f->labels.names.count + 1, sizeof *to);

    if (!to)
        return LM_NO_MEMORY;
    LM_TRY(lm_train_labels_names(&f->labels, &f->tuned->arena, &names));
    for (uint32_t i = 0; i < f->labels.names.count; i++) {
        LM_TRY(lm_poll(f->ctx));
        LM_TRY(number_of(f, names[i], &to[i]));
    }
    for (size_t i = 0; i < f->labels.rows; i++)
        f->labels.y[i] = to[f->labels.y[i]];
    return LM_OK;
}

/* From places among all labels to labels. */
static lm_status
number_labels(finetune *f)
{
    lm_tuned *tuned = f->tuned;

    LM_TRY(lm_train_labels_sort(&f->labels));
    if (f->kind->prunes)
        LM_TRY(map_labels(f));
    for (size_t i = 0; i < tuned->label_count; i++)
        if (tuned->labels[i] != LM_IGNORED)
            tuned->labels[i] = f->labels.y[tuned->labels[i]];
    for (size_t i = 0; !f->kind->task->tokens && i < f->rows; i++)
        LM_TRY(lm_tuned_add_label(tuned, f->labels.y[i]));
    return LM_OK;
}

static lm_status
weigh_classes(finetune *f, const char *const *names)
{
    const size_t labels = f->labels.names.count;
    size_t *counts = lm_alloc_zero(f->ctx, (labels + 1) * sizeof *counts);
    bool given = false;
    lm_status status;

    f->class_weights = lm_alloc_array(f->ctx, labels + 1, sizeof *f->class_weights);
    if (!counts || !f->class_weights) {
        lm_free(f->ctx, counts);
        return LM_NO_MEMORY;
    }
    for (size_t i = 0; i < f->labels.rows; i++)
        counts[f->labels.y[i]]++;
    status = lm_neural_class_weights(f->ctx, &f->options.neural, names, counts, labels,
                                     f->class_weights, &given);
    f->tuned->settings.class_weights = given ? f->class_weights : NULL;
    lm_free(f->ctx, counts);
    return status;
}

static lm_status
start(finetune *f)
{
    static const char *const follows[] = {"LABEL_0", "LABEL_1"};
    const char *const *names = NULL;
    lm_tuned *tuned = f->tuned;

    if (f->kind->task == &lm_tuned_next)
        return lm_tuned_start(tuned, follows, 2);

    if (has_labels(f))
        LM_TRY(number_labels(f));
    if (has_labels(f) && !f->kind->prunes) {
        LM_TRY(lm_train_labels_names(&f->labels, &tuned->arena, &names));
        LM_TRY(weigh_classes(f, names));
    }
    if (f->kind->task == &lm_tuned_distillation || f->kind->prunes)
        return lm_tuned_start(tuned, tuned->names, tuned->name_count);
    return lm_tuned_start(tuned, names, has_labels(f) ? f->labels.names.count : 0);
}

/* Take weights away, and measure before and behind it. */
static lm_status
prune(finetune *f, const lm_network *network, size_t trained)
{
    const size_t held_out = f->rows - trained;

    if (held_out > 0)
        LM_TRY(network->measure(network->self, f->order + trained, held_out, &f->before[0]));
    LM_TRY(lm_tuned_prune(f->tuned));
    if (held_out > 0)
        LM_TRY(network->measure(network->self, f->order + trained, held_out, &f->before[1]));
    return LM_OK;
}

static lm_status
pack(void *self, const lm_cut *cut, lm_buffer *bytes)
{
    const finetune *f = self;

    return lm_tuned_pack(f->tuned, cut, bytes);
}

/* Values are where helpers see them, if there are some. */
static lm_status
share(finetune *f, const lm_train_watch *watch)
{
    const lm_neural_shared shared = {.self = f,
                                     .pack = pack,
                                     .values = lm_tuned_value_numbers(f->tuned),
                                     .grads = lm_tuned_grad_numbers(f->tuned),
                                     .base = f->tuned->encoder.grads};
    float *values = NULL;

    LM_TRY(lm_neural_share(&f->neural, &shared, watch, &values));
    if (values)
        lm_tuned_move(f->tuned, values);
    return LM_OK;
}

static lm_status
finetune_fit(void *training, const lm_train_watch *watch)
{
    finetune *f = training;
    /* Of a label that the base has there may be no row. */
    const bool by_label = f->kind->task == &lm_tuned_classification && !f->kind->prunes;
    lm_network network;
    size_t trained;

    if (f->neural.trainer.memory == 0 && watch->memory > 0)
        f->neural.trainer.memory = watch->memory > MEMORY_LEAST ? watch->memory : MEMORY_LEAST;
    f->tuned->settings.encoder.memory = f->neural.trainer.memory;
    LM_TRY(start(f));
    f->order = lm_alloc_array(f->ctx, f->rows + 1, sizeof *f->order);
    if (!f->order)
        return LM_NO_MEMORY;
    LM_TRY(lm_neural_split(f->ctx, &f->options.neural, by_label ? f->labels.y : NULL, f->rows,
                           f->labels.names.count, f->order, &trained));
    lm_tuned_network(f->tuned, &network);
    if (f->kind->prunes)
        LM_TRY(prune(f, &network, trained));
    LM_TRY(share(f, watch));
    LM_TRY(lm_neural_fit(&f->neural, &network, lm_tuned_words(f->tuned), f->order, trained, f->rows,
                         watch));
    lm_tuned_move(f->tuned, NULL);
    return LM_OK;
}

static void
add_value(lm_train_outcome *outcome, const char *name, double value)
{
    if (outcome->value_count < LM_TRAIN_VALUES_MAX)
        outcome->values[outcome->value_count++] = (lm_train_value){name, value, false};
}

/* Scores on the way, under names that live as long as the training. */
static lm_status
report_measures(finetune *f, const char *when, const lm_measures *measures,
                lm_train_outcome *outcome)
{
    enum { LENGTH = LM_MEASURE_NAME + 16 };

    for (int i = 0; i < measures->count; i++) {
        char *name = lm_arena_alloc(&f->tuned->arena, LENGTH);

        if (!name)
            return LM_NO_MEMORY;
        snprintf(name, LENGTH, "%s_%s", when, measures->names[i]);
        add_value(outcome, name, measures->values[i]);
    }
    return LM_OK;
}

/* What the base's files took and what the new ones take, and scores on the way. */
static lm_status
report_pruning(finetune *f, lm_train_outcome *outcome)
{
    size_t bytes = 0;

    for (int i = 0; i < outcome->file_count; i++)
        bytes += outcome->files[i].bytes.size;
    add_value(outcome, "base_bytes", (double)f->bytes);
    add_value(outcome, "bytes", (double)bytes);
    add_value(outcome, "zeros", (double)f->tuned->zeros / (double)f->tuned->thinned);
    LM_TRY(report_measures(f, "base", &f->before[0], outcome));
    return report_measures(f, "pruned", &f->before[1], outcome);
}

static lm_status
finetune_write(void *training, lm_train_outcome *outcome)
{
    finetune *f = training;

    memset(outcome, 0, sizeof *outcome);
    outcome->without_base = true;
    outcome->task = f->kind->task == &lm_tuned_masked ? "fill_mask" : NULL;
    if (has_labels(f))
        outcome->values[outcome->value_count++] =
            (lm_train_value){"labels", (double)f->tuned->name_count, false};
    if (f->kind->task == &lm_tuned_distillation)
        outcome->values[outcome->value_count++] =
            (lm_train_value){"layers", (double)f->tuned->settings.layers, false};
    lm_neural_outcome(&f->neural, outcome);
    LM_TRY(lm_tuned_write(f->tuned, outcome));
    return f->kind->prunes ? report_pruning(f, outcome) : LM_OK;
}

static int64_t
finetune_checkpoints(const void *options, bool *resume)
{
    const lm_neural_options *neural = &((const finetune_options *)options)->neural;

    *resume = neural->resume;
    return neural->checkpoint_steps;
}

/* ---- Tasks ---- */

#define SHARED_OPTIONS                                                                  \
    LM_NEURAL_OPTIONS(finetune_options, neural),                                        \
        LM_OPTION(finetune_options, lora, JSON, 0, 0, "an object with rank and alpha"), \
        LM_OPTION(finetune_options, train_layers, INT, 0, 1000, "a whole number from 0 to 1000")
#define SHARED_METHOD                                                                            \
    .base_files = true, .options_size = sizeof(finetune_options), .defaults = finetune_defaults, \
    .read_base = finetune_read_base, .add_rows = finetune_add_rows, .lacking = finetune_lacking, \
    .fit = finetune_fit, .write = finetune_write, .close = finetune_close,                       \
    .checkpoints = finetune_checkpoints
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const lm_option shared_options[] = {SHARED_OPTIONS};
static const lm_option similarity_options[] = {
    SHARED_OPTIONS,
    LM_OPTION(finetune_options, loss, TEXT, 0, 0, "cosine, ranking or triplet"),
    LM_OPTION(finetune_options, scale, FLOAT, 0.001, 1e6, "a number from 0.001 to 1000000"),
    LM_OPTION(finetune_options, margin, FLOAT, 0, 1e6, "a number from 0 to 1000000"),
};
static const lm_option masked_options[] = {
    SHARED_OPTIONS,
    LM_OPTION(finetune_options, masked, FLOAT, 0.01, 0.9, "a number from 0.01 to 0.9"),
};
static const lm_option tagging_options[] = {
    SHARED_OPTIONS,
    LM_OPTION(finetune_options, crf, BOOL, 0, 0, "true or false"),
    LM_OPTION(finetune_options, crf_rate, FLOAT, 0.001, 1e6, "a number from 0.001 to 1000000"),
};

static const lm_option distill_options[] = {
    SHARED_OPTIONS,
    LM_OPTION(finetune_options, layers, INT, 1, 1000, "a whole number from 1 to 1000"),
    LM_OPTION(finetune_options, temperature, FLOAT, 0.01, 100, "a number from 0.01 to 100"),
    LM_OPTION(finetune_options, hard, FLOAT, 0, 1, "a number from 0 to 1"),
};

#define SHARE "a number from 0 to 0.99"
static const lm_option prune_options[] = {
    SHARED_OPTIONS,
    {"share", LM_OPTION_FLOAT, offsetof(finetune_options, pruning.share), 0, 0.99, SHARE},
    {"heads", LM_OPTION_FLOAT, offsetof(finetune_options, pruning.heads), 0, 0.99, SHARE},
    {"neurons", LM_OPTION_FLOAT, offsetof(finetune_options, pruning.neurons), 0, 0.99, SHARE},
};

static const lm_train_column taught_columns[] = {{"text", LM_TRAIN_TEXT, false},
                                                 {"label", LM_TRAIN_LABEL, true}};
static const lm_train_column labelled_columns[] = {{"text", LM_TRAIN_TEXT, false},
                                                   {"label", LM_TRAIN_LABEL, false}};
static const lm_train_column numbered_columns[] = {{"text", LM_TRAIN_TEXT, false},
                                                   {"number", LM_TRAIN_NUMBER, false}};
static const lm_train_column tagged_columns[] = {{"tokens", LM_TRAIN_WORDS, false},
                                                 {"tags", LM_TRAIN_WORDS, false}};
static const lm_train_column pair_columns[] = {{"query", LM_TRAIN_TEXT, false},
                                               {"document", LM_TRAIN_TEXT, false},
                                               {"score", LM_TRAIN_NUMBER, false}};
static const lm_train_column neighbour_columns[] = {{"first text", LM_TRAIN_TEXT, false},
                                                    {"second text", LM_TRAIN_TEXT, false},
                                                    {"follows", LM_TRAIN_NUMBER, false}};
static const lm_train_column text_columns[] = {{"text", LM_TRAIN_TEXT, false}};
static const lm_train_column scored_columns[] = {{"first text", LM_TRAIN_TEXT, false},
                                                 {"second text", LM_TRAIN_TEXT, false},
                                                 {"similarity", LM_TRAIN_NUMBER, false}};
static const lm_train_column similar_columns[] = {{"first text", LM_TRAIN_TEXT, false},
                                                  {"second text", LM_TRAIN_TEXT, false},
                                                  {"similarity", LM_TRAIN_NUMBER, true}};
static const lm_train_column ranked_columns[] = {{"text", LM_TRAIN_TEXT, false},
                                                 {"similar text", LM_TRAIN_TEXT, false},
                                                 {"other text", LM_TRAIN_TEXT, true}};
static const lm_train_column triplet_columns[] = {{"text", LM_TRAIN_TEXT, false},
                                                  {"similar text", LM_TRAIN_TEXT, false},
                                                  {"other text", LM_TRAIN_TEXT, false}};

/* What similarity's columns are by its loss; without one a number may stand behind the pair. */
static const struct {
    const char *loss;
    const lm_train_column *columns;
    int count;
} similarities[] = {
    {"cosine", scored_columns, COUNT(scored_columns)},
    {"ranking", ranked_columns, COUNT(ranked_columns)},
    {"triplet", triplet_columns, COUNT(triplet_columns)},
};

static const lm_train_column *
similarity_columns(const void *options, int *count)
{
    const char *loss = ((const finetune_options *)options)->loss;

    for (size_t i = 0; loss && i < COUNT(similarities); i++)
        if (strcmp(similarities[i].loss, loss) == 0) {
            *count = similarities[i].count;
            return similarities[i].columns;
        }
    *count = COUNT(similar_columns);
    return similar_columns;
}

static lm_status
check_loss(lm_context *ctx, const char *loss)
{
    for (size_t i = 0; loss && i < COUNT(similarities); i++)
        if (strcmp(similarities[i].loss, loss) == 0)
            return LM_OK;
    if (!loss)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "option \"loss\" must be cosine, ranking or triplet");
    lm_detail_key(ctx, "loss");
    return lm_detail_found(ctx, "%s", loss);
}

static const finetune_kind classification = {&lm_tuned_classification, 1, add_labelled, false};
static const finetune_kind regression = {&lm_tuned_regression, 1, add_numbered, false};
static const finetune_kind tagging = {&lm_tuned_tagging, 1, add_tagged, false};
static const finetune_kind similarity = {&lm_tuned_similarity, 2, add_similar, false};
static const finetune_kind rerank = {&lm_tuned_rerank, 1, add_pairs, false};
static const finetune_kind next = {&lm_tuned_next, 1, add_neighbours, false};
static const finetune_kind distillation = {&lm_tuned_distillation, 1, add_taught, false};
static const finetune_kind masked = {&lm_tuned_masked, 1, add_labelled, false};

static const finetune_kind pruned_classification = {&lm_tuned_classification, 1, add_labelled,
                                                    true};
static const finetune_kind pruned_tagging = {&lm_tuned_tagging, 1, add_tagged, true};

static lm_status
open_classification(lm_context *ctx, const void *options, size_t width, void **training)
{
    return open_kind(ctx, &classification, options, training);
}

static lm_status
open_regression(lm_context *ctx, const void *options, size_t width, void **training)
{
    return open_kind(ctx, &regression, options, training);
}

static lm_status
open_tagging(lm_context *ctx, const void *options, size_t width, void **training)
{
    LM_TRY(check_crf(ctx, options, ((const finetune_options *)options)->crf));
    return open_kind(ctx, &tagging, options, training);
}

static lm_status
open_similarity(lm_context *ctx, const void *options, size_t width, void **training)
{
    LM_TRY(check_loss(ctx, ((const finetune_options *)options)->loss));
    return open_kind(ctx, &similarity, options, training);
}

static lm_status
open_rerank(lm_context *ctx, const void *options, size_t width, void **training)
{
    return open_kind(ctx, &rerank, options, training);
}

static lm_status
open_next(lm_context *ctx, const void *options, size_t width, void **training)
{
    return open_kind(ctx, &next, options, training);
}

static lm_status
open_distillation(lm_context *ctx, const void *options, size_t width, void **training)
{
    if (((const finetune_options *)options)->neural.class_weights) {
        lm_raise(ctx, LM_UNSUPPORTED, "a student's classes have no weights");
        return lm_detail_key(ctx, "class_weights");
    }
    return open_kind(ctx, &distillation, options, training);
}

static lm_status
open_masked(lm_context *ctx, const void *options, size_t width, void **training)
{
    return open_kind(ctx, &masked, options, training);
}

const lm_method lm_method_finetune_classification = {
    SHARED_METHOD,
    .name = "finetune",
    .task = "classification",
    .columns = labelled_columns,
    .column_count = COUNT(labelled_columns),
    .options = shared_options,
    .option_count = COUNT(shared_options),
    .open = open_classification,
};

const lm_method lm_method_finetune_regression = {
    SHARED_METHOD,
    .name = "finetune",
    .task = "regression",
    .columns = numbered_columns,
    .column_count = COUNT(numbered_columns),
    .options = shared_options,
    .option_count = COUNT(shared_options),
    .open = open_regression,
};

const lm_method lm_method_finetune_tagging = {
    SHARED_METHOD,
    .name = "finetune",
    .task = "tagging",
    .columns = tagged_columns,
    .column_count = COUNT(tagged_columns),
    .options = tagging_options,
    .option_count = COUNT(tagging_options),
    .open = open_tagging,
};

const lm_method lm_method_finetune_similarity = {
    SHARED_METHOD,
    .name = "finetune",
    .task = "similarity",
    .columns = similar_columns,
    .column_count = COUNT(similar_columns),
    .columns_for = similarity_columns,
    .options = similarity_options,
    .option_count = COUNT(similarity_options),
    .open = open_similarity,
};

const lm_method lm_method_finetune_rerank = {
    SHARED_METHOD,
    .name = "finetune",
    .task = "rerank",
    .columns = pair_columns,
    .column_count = COUNT(pair_columns),
    .options = shared_options,
    .option_count = COUNT(shared_options),
    .open = open_rerank,
};

const lm_method lm_method_finetune_next = {
    SHARED_METHOD,
    .name = "finetune",
    .task = "next_sentence",
    .columns = neighbour_columns,
    .column_count = COUNT(neighbour_columns),
    .options = shared_options,
    .option_count = COUNT(shared_options),
    .open = open_next,
};

const lm_method lm_method_finetune_masked = {
    SHARED_METHOD,
    .name = "finetune",
    .task = "masked_language_model",
    .columns = text_columns,
    .column_count = COUNT(text_columns),
    .options = masked_options,
    .option_count = COUNT(masked_options),
    .open = open_masked,
};

/* Something is to be taken away; adapters would leave what is 0 as it is no more. */
static lm_status
open_pruning(lm_context *ctx, const finetune_kind *kind, const void *options, void **training)
{
    const finetune_options *o = options;
    const char *key = o->neural.class_weights ? "class_weights" : o->lora ? "lora" : NULL;

    if (key) {
        lm_raise(ctx, LM_UNSUPPORTED, "a model that is pruned has no such option");
        return lm_detail_key(ctx, "%s", key);
    }
    if (o->pruning.share > 0 || o->pruning.heads > 0 || o->pruning.neurons > 0)
        return open_kind(ctx, kind, options, training);
    lm_raise(ctx, LM_BAD_ARGUMENT, "nothing is to be pruned");
    lm_detail_key(ctx, "share");
    return lm_detail_allowed(ctx, "share, heads or neurons above 0");
}

static lm_status
open_pruned_classification(lm_context *ctx, const void *options, size_t width, void **training)
{
    return open_pruning(ctx, &pruned_classification, options, training);
}

static lm_status
open_pruned_tagging(lm_context *ctx, const void *options, size_t width, void **training)
{
    return open_pruning(ctx, &pruned_tagging, options, training);
}

const lm_method lm_method_prune_classification = {
    SHARED_METHOD,
    .name = "prune",
    .task = "classification",
    .columns = labelled_columns,
    .column_count = COUNT(labelled_columns),
    .options = prune_options,
    .option_count = COUNT(prune_options),
    .open = open_pruned_classification,
};

const lm_method lm_method_prune_tagging = {
    SHARED_METHOD,
    .name = "prune",
    .task = "tagging",
    .columns = tagged_columns,
    .column_count = COUNT(tagged_columns),
    .options = prune_options,
    .option_count = COUNT(prune_options),
    .open = open_pruned_tagging,
};

const lm_method lm_method_distill = {
    SHARED_METHOD,
    .name = "distill",
    .task = "classification",
    .columns = taught_columns,
    .column_count = COUNT(taught_columns),
    .options = distill_options,
    .option_count = COUNT(distill_options),
    .open = open_distillation,
};
