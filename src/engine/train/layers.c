/*
 * layers.c - the rows of the method "layers": options, the net, its training, its folder.
 *
 * Without a base the description is the option `layers`, words are counted and values are drawn by
 * the seed. With a base, a net that was imported or trained, all of it is the base's but the
 * options of the training; or the base is a language model, whose layers are the first ones of the
 * description (layers_elmo.h), and whose words hold.
 */
#include "train/layers.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/layers_elmo.h"
#include "train/layers_fit.h"
#include "train/layers_shared.h"
#include "train/layers_vectors.h"
#include "train/neural.h"
#include "train/shared_bytes.h"

#define CONFIG_FILE "config.json"
#define TENSORS_FILE "model.safetensors"
#define VOCAB_FILE "vocab.txt"
#define FILE_MOST ((uint64_t)128 << 20)

typedef struct layers_options {
    lm_neural_options neural;
    char *layers, *vocabulary; /* JSON */
    char *truncate;
    int64_t max_length;
} layers_options;

static const lm_option options[] = {
    LM_NEURAL_OPTIONS(layers_options, neural),
    LM_OPTION(layers_options, layers, JSON, 0, 0, "an array of layers"),
    LM_OPTION(layers_options, vocabulary, JSON, 0, 0, "an object"),
    LM_OPTION(layers_options, truncate, TEXT, 0, 0, "pre or post"),
    LM_OPTION(layers_options, max_length, INT, 1, LM_LAYERS_LONGEST,
              "a whole number from 1 to 65536"),
};

#define OPTION_COUNT ((int)(sizeof options / sizeof options[0]))

typedef struct layers_training {
    lm_context *ctx;
    lm_arena arena;
    layers_options options;
    lm_neural neural;
    lm_layers_data data;
    lm_layers_vectors vectors; /* of a base that has one for each word */
    lm_layers_fit fit;
    lm_net net;
    lm_net_store store;
    bool has_store;
    const lm_json *layers;
    bool on_language; /* the base is a language model under a net of its own */
    lm_layers_settings settings;
    /* Of a base: its net's values, and files that go on as they are. */
    float **values;
    lm_train_outcome kept;
    lm_buffer vocab;
    char empty[80];
} layers_training;

static void
layers_defaults(void *fields)
{
    layers_options *o = fields;

    memset(o, 0, sizeof *o);
    lm_neural_defaults(&o->neural);
    o->neural.optimizer = "adam";
    o->max_length = LM_LAYERS_LENGTH;
}

/* ---- Options ---- */

static lm_status
refuse(lm_context *ctx, const char *key, const char *allowed)
{
    lm_raise(ctx, LM_BAD_ARGUMENT, "option \"%s\" must be %s", key, allowed);
    return lm_detail_key(ctx, "%s", key);
}

static bool
read_count(const lm_json *value, int64_t low, int64_t *number)
{
    *number = value->type == LM_JSON_NUMBER && value->is_integer ? value->integer : -1;
    return *number >= low && *number <= INT32_MAX;
}

/* A line of vocab.txt. */
static bool
is_special(const lm_json *word)
{
    const char *bytes = word->type == LM_JSON_STRING ? word->as.string.bytes : "";

    return bytes[0] != '\0' && strlen(bytes) == word->as.string.length && !strpbrk(bytes, "\r\n");
}

static lm_status
read_specials(layers_training *t, const lm_json *value)
{
    const lm_json *pad = value->type == LM_JSON_ARRAY ? value->as.items.first : NULL;
    const lm_json *unknown = pad ? pad->next : NULL;

    if (!unknown || value->as.items.count != 2 || !is_special(pad) || !is_special(unknown) ||
        lm_json_is_string(pad, unknown->as.string.bytes))
        return refuse(t->ctx, "vocabulary.specials", "two words: for padding, and for others");
    t->data.cut.pad = pad->as.string.bytes;
    t->data.cut.unknown = unknown->as.string.bytes;
    return LM_OK;
}

static lm_status
read_words(layers_training *t, const lm_json *value)
{
    if (value->type != LM_JSON_STRING || !lm_word_style_is_known(value->as.string.bytes))
        return refuse(t->ctx, "vocabulary.words",
                      "\"whitespace\" or \"unicode\"; a tokenizer comes with a base");
    t->data.cut.words = value->as.string.bytes;
    return LM_OK;
}

static lm_status
read_lower_case(layers_training *t, const lm_json *value)
{
    if (value->type != LM_JSON_BOOL)
        return refuse(t->ctx, "vocabulary.lower_case", "true or false");
    t->data.cut.lower_case = value->boolean;
    return LM_OK;
}

static lm_status
read_max_size(layers_training *t, const lm_json *value)
{
    return read_count(value, 3, &t->data.cut.max_size)
               ? LM_OK
               : refuse(t->ctx, "vocabulary.max_size", "a whole number of at least 3");
}

static lm_status
read_min_count(layers_training *t, const lm_json *value)
{
    return read_count(value, 1, &t->data.cut.min_count)
               ? LM_OK
               : refuse(t->ctx, "vocabulary.min_count", "a whole number of at least 1");
}

static const struct {
    const char *key;
    lm_status (*read)(layers_training *t, const lm_json *value);
} vocabulary_keys[] = {
    {"words", read_words},         {"lower_case", read_lower_case}, {"max_size", read_max_size},
    {"min_count", read_min_count}, {"specials", read_specials},
};

#define VOCABULARY_KEYS (sizeof vocabulary_keys / sizeof vocabulary_keys[0])

static lm_status
read_vocabulary(layers_training *t, const lm_json *json)
{
    if (json->type != LM_JSON_OBJECT)
        return refuse(t->ctx, "vocabulary", "an object");
    for (const lm_json *member = json->as.items.first; member; member = member->next) {
        size_t i = 0;

        while (i < VOCABULARY_KEYS && strcmp(vocabulary_keys[i].key, member->key) != 0)
            i++;
        if (i == VOCABULARY_KEYS)
            return refuse(t->ctx, "vocabulary",
                          "an object with words, lower_case, max_size, min_count, specials");
        LM_TRY(vocabulary_keys[i].read(t, member));
    }
    return LM_OK;
}

static lm_status
parse(layers_training *t, const char *text, const lm_json **json)
{
    return text ? lm_json_parse(t->ctx, &t->arena, text, strlen(text), "options", json) : LM_OK;
}

static lm_status
read_options(layers_training *t)
{
    const layers_options *o = &t->options;
    const lm_json *vocabulary = NULL;

    LM_TRY(parse(t, o->layers, &t->layers));
    LM_TRY(parse(t, o->vocabulary, &vocabulary));
    if (vocabulary)
        LM_TRY(read_vocabulary(t, vocabulary));
    if (o->truncate && strcmp(o->truncate, "pre") != 0 && strcmp(o->truncate, "post") != 0)
        return refuse(t->ctx, "truncate", "\"pre\" or \"post\"");
    if (o->neural.dropout > 0)
        return refuse(t->ctx, "dropout", "said in a layer by this method");
    t->data.longest = (size_t)o->max_length;
    t->data.cut_front = o->truncate && strcmp(o->truncate, "pre") == 0;
    LM_TRY(lm_neural_open(&t->neural, t->ctx, &o->neural));
    if (!t->data.task->by_text)
        LM_TRY(lm_neural_refuse_augment(&t->neural, t->data.task->name));
    if (t->neural.workers > 0 && t->neural.augment.count > 0)
        return lm_shared_refuse(t->ctx, "augment");
    lm_augmented_open(&t->data.augmented, t->ctx, &t->neural.augment);
    return LM_OK;
}

/* A description is checked before the first row is read: here against a vocabulary of any size. */
static lm_status
check_layers(layers_training *t)
{
    const lm_net_source source = {NULL, LM_BAD_ARGUMENT, 3, t->data.task->by_text,
                                  t->data.task->language};
    lm_net net;

    if (lm_layers_ask_elmo(t->layers)) /* once the base is there */
        return LM_OK;
    return t->layers ? lm_net_make(t->ctx, &t->arena, t->layers, &source, &net) : LM_OK;
}

static lm_status
open_for(const char *task, lm_context *ctx, const void *fields, void **training)
{
    layers_training *t = lm_alloc_zero(ctx, sizeof *t);

    *training = t;
    if (!t)
        return LM_NO_MEMORY;
    t->ctx = ctx;
    t->options = *(const layers_options *)fields;
    lm_arena_init(&t->arena, ctx);
    lm_buffer_init(&t->vocab, ctx);
    lm_layers_fit_init(&t->fit, ctx);
    lm_layers_vectors_init(&t->vectors, ctx);
    LM_TRY(lm_layers_data_open(&t->data, ctx, lm_layers_task_find(task)));
    LM_TRY(read_options(t));
    return check_layers(t);
}

static lm_status
open_classification(lm_context *ctx, const void *fields, size_t width, void **training)
{
    return open_for("classification", ctx, fields, training);
}

static lm_status
open_tagging(lm_context *ctx, const void *fields, size_t width, void **training)
{
    return open_for("tagging", ctx, fields, training);
}

static lm_status
open_language(lm_context *ctx, const void *fields, size_t width, void **training)
{
    return open_for("language_model", ctx, fields, training);
}

static lm_status
open_regression(lm_context *ctx, const void *fields, size_t width, void **training)
{
    return open_for("regression", ctx, fields, training);
}

static void
layers_close(void *training)
{
    layers_training *t = training;

    if (!t)
        return;
    lm_layers_data_close(&t->data);
    lm_layers_vectors_close(&t->vectors);
    lm_layers_fit_free(&t->fit);
    if (t->has_store)
        lm_net_store_close(&t->store);
    for (int i = 0; i < t->kept.file_count; i++)
        lm_buffer_free(&t->kept.files[i].bytes);
    for (size_t i = 0; t->values && i < t->net.param_count; i++)
        lm_free(t->ctx, t->values[i]);
    lm_free(t->ctx, t->values);
    lm_buffer_free(&t->vocab);
    lm_arena_free(&t->arena);
    lm_free(t->ctx, t);
}

/* ---- A base ---- */

static lm_status
refuse_base(layers_training *t, const lm_train_base *base, const char *message)
{
    lm_raise(t->ctx, LM_BAD_ARGUMENT, "%s", message);
    lm_detail_key(t->ctx, "base");
    return lm_detail_found(t->ctx, "%s", base->name);
}

/* A file of the base that goes on as it is; config.json is read, weights are the model's. */
static lm_status
keep_file(layers_training *t, const lm_train_base *base, const char *name)
{
    lm_buffer *bytes = &t->kept.files[t->kept.file_count].bytes;
    bool found = false;
    uint64_t size = 0;

    if (strcmp(name, TENSORS_FILE) == 0 || t->kept.file_count == LM_TRAIN_FILES_MAX - 1)
        return LM_OK;
    LM_TRY(base->source->stat(t->ctx, base->source->opaque, name, &found, &size));
    if (!found || size > FILE_MOST)
        return LM_OK;
    lm_buffer_init(bytes, t->ctx);
    t->kept.files[t->kept.file_count].name = lm_arena_copy(&t->arena, name, strlen(name));
    t->kept.file_count++;
    LM_TRY(lm_buffer_reserve(bytes, (size_t)size));
    LM_TRY(base->source->read(t->ctx, base->source->opaque, name, 0, bytes->data, (size_t)size));
    bytes->size = (size_t)size;
    return t->kept.files[t->kept.file_count - 1].name ? LM_OK : LM_NO_MEMORY;
}

/* Its description is read again, since its view goes when the fit begins. */
static lm_status
copy_net(layers_training *t, const lm_layers *layers)
{
    const lm_net_source source = {CONFIG_FILE, LM_BAD_MODEL, layers->net.vocabulary,
                                  layers->net.by_text, layers->net.softmax > 0};
    lm_buffer text;
    lm_status status;

    lm_buffer_init(&text, t->ctx);
    status = lm_net_write(&layers->net, &text);
    if (status == LM_OK)
        status = lm_json_parse(t->ctx, &t->arena, text.data, text.size, CONFIG_FILE, &t->layers);
    lm_buffer_free(&text);
    return status == LM_OK ? lm_net_make(t->ctx, &t->arena, t->layers, &source, &t->net) : status;
}

static lm_status
copy_values(layers_training *t, const lm_layers *layers, size_t count)
{
    t->values = lm_alloc_zero(t->ctx, t->net.param_count * sizeof *t->values);
    if (!t->values)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const lm_net_param *p = &t->net.params[i];

        t->values[i] = lm_alloc_array(t->ctx, p->rows * p->columns, sizeof(float));
        if (!t->values[i])
            return LM_NO_MEMORY;
        LM_TRY(lm_layers_values(t->ctx, layers, i, t->values[i]));
    }
    return LM_OK;
}

static lm_status
copy_labels(layers_training *t, const lm_model *model)
{
    const char **labels =
        lm_arena_array(&t->arena, (size_t)model->info.label_count + 1, sizeof *labels);

    if (!labels)
        return LM_NO_MEMORY;
    for (int i = 0; i < model->info.label_count; i++)
        if (!(labels[i] =
                  lm_arena_copy(&t->arena, model->info.labels[i], strlen(model->info.labels[i]))))
            return LM_NO_MEMORY;
    t->settings.labels = labels;
    t->settings.label_count = model->info.label_count;
    return LM_OK;
}

/* The first layer was checked when the description was. */
static lm_status
read_vectors(layers_training *t, const lm_train_base *base)
{
    const lm_json *first = t->layers ? t->layers->as.items.first : NULL;

    if (!first || !lm_json_get(first, "embedding"))
        return refuse(
            t->ctx, "layers",
            "an array that begins with an embedding, where the base has vectors of words");
    return lm_layers_vectors_open(&t->vectors, base, lm_json_get(first, "embedding")->integer);
}

static lm_status
keep_words(layers_training *t, const lm_train_base *base)
{
    for (int i = 0; i < base->file_count; i++)
        LM_TRY(keep_file(t, base, base->files[i]));
    t->data.base = base->model;
    t->data.longest = (size_t)base->model->info.max_tokens;
    t->data.cut_front = lm_tokenizer_cuts_left(lm_model_tokenizer(base->model));
    return LM_OK;
}

/* A net on a language model. */
static lm_status
read_language(layers_training *t, const lm_train_base *base, const lm_layers *layers)
{
    const lm_net_source source = {NULL, LM_BAD_ARGUMENT, layers->net.vocabulary,
                                  t->data.task->by_text, false};

    if (t->data.task->language)
        return refuse(t->ctx, "layers", "without elmo where the task is language_model");
    if (t->options.vocabulary)
        return refuse(t->ctx, "vocabulary", "left out where there is a base");
    t->on_language = true;
    LM_TRY(lm_layers_put_elmo(t->ctx, &t->arena, &layers->net, &t->layers));
    LM_TRY(lm_net_make(t->ctx, &t->arena, t->layers, &source, &t->net));
    LM_TRY(copy_values(t, layers, lm_layers_elmo_params(&layers->net)));
    return keep_words(t, base);
}

static lm_status
read_base(void *training, const lm_train_base *base)
{
    layers_training *t = training;
    const lm_layers *layers = lm_model_layers(base->model);

    if (lm_layers_ask_elmo(t->layers))
        return layers && layers->net.softmax
                   ? read_language(t, base, layers)
                   : refuse_base(t, base, "the base is no language model of layers");
    if (lm_layers_vectors_are_of(base->model))
        return read_vectors(t, base);
    if (!layers)
        return refuse_base(t, base, "the base is no net of layers, and has no vectors of words");
    if (layers->net.softmax && !t->data.task->language)
        return refuse(t->ctx, "layers",
                      "an array that begins with elmo, where the base is a language model");
    if (strcmp(layers->task, t->data.task->name) != 0)
        return refuse_base(t, base, "the base is a net for another task");
    if (t->layers || t->options.vocabulary)
        return refuse(t->ctx, t->layers ? "layers" : "vocabulary",
                      "left out where there is a base");
    LM_TRY(copy_net(t, layers));
    LM_TRY(copy_values(t, layers, t->net.param_count));
    LM_TRY(copy_labels(t, base->model));
    return keep_words(t, base);
}

/* Whether labels and net are the base's. */
static bool
goes_on(const layers_training *t)
{
    return t->data.base && !t->on_language;
}

/* ---- Rows ---- */

/* Letters are those of the rows as they come: neither in lower case nor in other words. */
static lm_status
choose_letters(layers_training *t)
{
    t->data.spells = lm_json_get(t->layers->as.items.first, "characters") != NULL;
    if (t->data.spells && t->data.cut.lower_case)
        return refuse(t->ctx, "vocabulary.lower_case", "false, where layers begin with characters");
    if (t->data.spells && t->data.augmented.options.count > 0)
        return refuse(t->ctx, "augment", "left out where layers begin with characters");
    return LM_OK;
}

static lm_status
layers_add(void *training, const lm_train_rows *rows)
{
    layers_training *t = training;

    if (!t->layers) {
        lm_raise(t->ctx, LM_BAD_ARGUMENT, "the method layers needs the option layers, or a base");
        return lm_detail_key(t->ctx, "layers");
    }
    if (lm_layers_ask_elmo(t->layers))
        return refuse(t->ctx, "base", "a language model of layers, where layers begin with elmo");
    LM_TRY(choose_letters(t));
    LM_TRY(lm_layers_data_add(&t->data, rows));
    return lm_layers_vectors_add(&t->vectors, &t->data.vocabulary);
}

static const char *
layers_lacking(const void *training, const char **hint)
{
    const layers_training *t = training;

    if (t->data.rows == 0) {
        *hint = "Texts without a word teach nothing.";
        return "returned no text that has a word";
    }
    if (t->data.task->scoring == LM_SCORING_RAW || t->data.task->language || goes_on(t) ||
        t->data.labels.names.count > 1)
        return NULL;
    *hint = "A classifier needs at least two labels.";
    return "returned only one label";
}

/* ---- The fit ---- */

/* A base's labels have its order: numbers of rows are made the base's. */
static lm_status
map_labels(layers_training *t)
{
    const char *const *names;
    lm_train_labels *labels = &t->data.labels;
    int32_t *to = lm_arena_array(&t->arena, (size_t)labels->names.count + 1, sizeof *to);

    if (!to)
        return LM_NO_MEMORY;
    LM_TRY(lm_train_labels_names(labels, &t->arena, &names));
    for (uint32_t i = 0; i < labels->names.count; i++) {
        LM_TRY(lm_poll(t->ctx));
        to[i] = 0;
        while (to[i] < t->settings.label_count && strcmp(t->settings.labels[to[i]], names[i]) != 0)
            to[i]++;
        if (to[i] == t->settings.label_count)
            return lm_raise(t->ctx, LM_BAD_ARGUMENT,
                            "a row has a label that the base does not have");
    }
    for (size_t i = 0; i < labels->rows; i++)
        labels->y[i] = to[labels->y[i]];
    return LM_OK;
}

static lm_status
take_labels(layers_training *t)
{
    static const char *const score[] = {"score"};

    t->settings.task = t->data.task->name;
    if (t->data.task->language)
        return LM_OK;
    if (t->data.task->scoring == LM_SCORING_RAW) {
        if (!goes_on(t)) {
            t->settings.labels = score;
            t->settings.label_count = 1;
        }
        return LM_OK;
    }
    LM_TRY(lm_train_labels_sort(&t->data.labels));
    if (goes_on(t))
        return map_labels(t);
    t->settings.label_count = (int)t->data.labels.names.count;
    return lm_train_labels_names(&t->data.labels, &t->arena, &t->settings.labels);
}

/* The net, once the vocabulary and the labels are there. */
static lm_status
make_net(layers_training *t, size_t vocabulary)
{
    const lm_net_source source = {NULL, LM_BAD_ARGUMENT, vocabulary, t->data.task->by_text,
                                  t->data.task->language};

    if (!t->data.base)
        LM_TRY(lm_net_make(t->ctx, &t->arena, t->layers, &source, &t->net));
    if (!t->net.softmax && t->net.out != (size_t)t->settings.label_count) {
        lm_raise(t->ctx, LM_BAD_ARGUMENT, "the last layer does not have a number for each label");
        lm_detail_key(t->ctx, "layers");
        lm_detail_found(t->ctx, "%zu", t->net.out);
        return lm_detail_allowed(t->ctx, "%d", t->settings.label_count);
    }
    t->has_store = true;
    LM_TRY(lm_net_store_open(t->ctx, &t->net, (uint64_t)t->options.neural.seed, &t->store));
    t->store.rounded = t->neural.precision == LM_PRECISION_BF16;
    for (size_t i = 0; t->values && i < t->net.param_count && t->values[i]; i++)
        memcpy(t->store.params[i].value, t->values[i],
               t->net.params[i].rows * t->net.params[i].columns * sizeof(float));
    if (!t->vectors.model)
        return LM_OK;
    return lm_layers_vectors_give(&t->vectors, &t->data.vocabulary, &t->vocab,
                                  t->store.params[0].value);
}

static lm_status
take_weights(layers_training *t)
{
    const size_t labels = (size_t)t->settings.label_count;
    const lm_train_labels *given = &t->data.labels;
    size_t *counts = lm_arena_zero(&t->arena, (labels + 1) * sizeof *counts);
    float *weights = lm_arena_array(&t->arena, labels + 1, sizeof *weights);
    bool is_given = false;

    if (!counts || !weights)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < given->rows && t->data.task->scoring != LM_SCORING_RAW; i++)
        counts[given->y[i]]++;
    LM_TRY(lm_neural_class_weights(t->ctx, &t->options.neural, t->settings.labels, counts, labels,
                                   weights, &is_given));
    t->fit.loss =
        (lm_cross_entropy_options){is_given ? weights : NULL, t->options.neural.label_smoothing};
    return LM_OK;
}

/* Rows of a label that the base has and the query lacks would have none to hold out: then all rows
 * are alike. */
static lm_status
split_rows(layers_training *t, size_t *order, size_t *trained)
{
    const bool stratified =
        t->data.task->by_text && !goes_on(t) && t->data.task->scoring != LM_SCORING_RAW;

    return lm_neural_split(t->ctx, &t->options.neural, stratified ? t->data.labels.y : NULL,
                           t->data.rows, (size_t)t->settings.label_count, order, trained);
}

static lm_status
pack(void *self, const lm_cut *cut, lm_buffer *bytes)
{
    const layers_training *t = self;

    return lm_layers_pack(&t->fit, cut, bytes);
}

/* Values are where helpers see them, if there are some. */
static lm_status
share(layers_training *t, const lm_train_watch *watch)
{
    const size_t numbers = lm_net_store_numbers(&t->net);
    const lm_neural_shared shared = {.self = t,
                                     .pack = pack,
                                     .values = numbers,
                                     .grads = numbers,
                                     .base = t->store.params[0].grad};
    float *values = NULL;

    LM_TRY(lm_neural_share(&t->neural, &shared, watch, &values));
    if (values)
        lm_net_store_move(&t->store, values);
    return LM_OK;
}

static lm_status
prepare_fit(layers_training *t)
{
    size_t vocabulary = 0;

    LM_TRY(lm_layers_data_number(&t->data, &t->vocab, &vocabulary));
    LM_TRY(take_labels(t));
    LM_TRY(make_net(t, vocabulary));
    LM_TRY(take_weights(t));
    t->fit.net = &t->net;
    t->fit.store = &t->store;
    t->fit.data = &t->data;
    t->fit.targets = t->data.labels.y;
    t->fit.names = t->settings.labels;
    return LM_OK;
}

static lm_status
layers_fit(void *training, const lm_train_watch *watch)
{
    layers_training *t = training;
    size_t trained = 0, *order;
    lm_network network;

    LM_TRY(prepare_fit(t));
    order = lm_arena_array(&t->arena, t->data.rows, sizeof *order);
    if (!order)
        return LM_NO_MEMORY;
    LM_TRY(split_rows(t, order, &trained));
    LM_TRY(share(t, watch));
    network = lm_layers_network(&t->fit);
    LM_TRY(lm_neural_fit(&t->neural, &network,
                         t->net.params[0].frozen || t->net.characters ? NULL : &network.params[0],
                         order, trained, t->data.rows, watch));
    lm_net_store_move(&t->store, NULL);
    return LM_OK;
}

/* ---- The folder ---- */

static lm_status
write_tensors(layers_training *t, lm_buffer *out)
{
    const lm_net *net = &t->net;
    lm_tensor *list = lm_arena_zero(&t->arena, net->param_count * sizeof *list);

    if (!list)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < net->param_count; i++) {
        const lm_net_param *p = &net->params[i];

        list[i] = (lm_tensor){.name = p->name,
                              .dtype = LM_F32,
                              .rank = p->rank,
                              .count = p->rows * p->columns,
                              .bytes = p->rows * p->columns * sizeof(float)};
        for (int d = 0; d < p->rank; d++)
            list[i].shape[d] = p->shape[d];
    }
    LM_TRY(lm_tensors_write_header(t->ctx, NULL, 0, list, net->param_count, out));
    for (size_t i = 0; i < net->param_count; i++) {
        LM_TRY(lm_poll(t->ctx));
        LM_TRY(lm_buffer_append(out, t->store.params[i].value, (size_t)list[i].bytes));
    }
    return LM_OK;
}

static lm_buffer *
add_file(layers_training *t, lm_train_outcome *outcome, const char *name)
{
    lm_buffer *bytes = &outcome->files[outcome->file_count].bytes;

    lm_buffer_init(bytes, t->ctx);
    outcome->files[outcome->file_count++].name = name;
    return bytes;
}

/* What the base was read with goes on as it was. */
static lm_status
write_kept(layers_training *t, lm_train_outcome *outcome)
{
    for (int i = 0; i < t->kept.file_count; i++) {
        const lm_buffer *kept = &t->kept.files[i].bytes;

        LM_TRY(
            lm_buffer_append(add_file(t, outcome, t->kept.files[i].name), kept->data, kept->size));
    }
    return LM_OK;
}

static lm_status
write_new(layers_training *t, lm_train_outcome *outcome)
{
    lm_layers_settings *s = &t->settings;

    s->words = t->data.cut.words;
    s->lower_case = t->data.cut.lower_case;
    s->cut_front = t->data.cut_front;
    s->pad = 0;
    s->unknown = 1;
    s->longest = (int64_t)t->data.longest;
    LM_TRY(lm_layers_write_config(&t->net, s, add_file(t, outcome, CONFIG_FILE)));
    return lm_buffer_append(add_file(t, outcome, VOCAB_FILE), t->vocab.data, t->vocab.size);
}

/* How the base cuts texts, as its config.json says; that was checked when it was read. */
static lm_status
read_cut(layers_training *t, const lm_buffer *config)
{
    lm_layers_settings *s = &t->settings;
    const lm_json *root, *value;

    LM_TRY(lm_json_parse(t->ctx, &t->arena, config->data, config->size, CONFIG_FILE, &root));
    s->words = (value = lm_json_get(root, "words")) ? value->as.string.bytes : "whitespace";
    s->lower_case = (value = lm_json_get(root, "lower_case")) && value->boolean;
    s->pad = (value = lm_json_get(root, "pad_id")) ? value->integer : 0;
    s->unknown = (value = lm_json_get(root, "unknown_id")) ? value->integer : 1;
    s->longest = (int64_t)t->data.longest;
    s->cut_front = t->data.cut_front;
    return LM_OK;
}

/* A net on a language model: its words, and a description of its own. */
static lm_status
write_on_language(layers_training *t, lm_train_outcome *outcome)
{
    for (int i = 0; i < t->kept.file_count; i++) {
        const lm_buffer *kept = &t->kept.files[i].bytes;
        lm_buffer *bytes = add_file(t, outcome, t->kept.files[i].name);

        if (strcmp(t->kept.files[i].name, CONFIG_FILE) != 0) {
            LM_TRY(lm_buffer_append(bytes, kept->data, kept->size));
            continue;
        }
        LM_TRY(read_cut(t, kept));
        LM_TRY(lm_layers_write_config(&t->net, &t->settings, bytes));
    }
    return LM_OK;
}

static lm_status
write_words(layers_training *t, lm_train_outcome *outcome)
{
    if (t->on_language)
        return write_on_language(t, outcome);
    return t->data.base ? write_kept(t, outcome) : write_new(t, outcome);
}

static lm_status
layers_write(void *training, lm_train_outcome *outcome)
{
    layers_training *t = training;

    memset(outcome, 0, sizeof *outcome);
    LM_TRY(write_words(t, outcome));
    LM_TRY(write_tensors(t, add_file(t, outcome, TENSORS_FILE)));
    outcome->without_base = true;
    outcome->values[outcome->value_count++] =
        (lm_train_value){"parameters", (double)t->net.numbers, false};
    outcome->values[outcome->value_count++] =
        (lm_train_value){"vocabulary", (double)t->net.vocabulary, false};
    if (t->vectors.model)
        outcome->values[outcome->value_count++] =
            (lm_train_value){"vectors", (double)t->vectors.found, false};
    if (t->data.empty > 0)
        outcome->values[outcome->value_count++] =
            (lm_train_value){"empty", (double)t->data.empty, false};
    lm_neural_outcome(&t->neural, outcome);
    return LM_OK;
}

static int64_t
layers_checkpoints(const void *fields, bool *resume)
{
    const layers_options *o = fields;

    *resume = o->neural.resume;
    return o->neural.checkpoint_steps;
}

/* ---- Rows of the table ---- */

static const lm_train_column text_columns[] = {{"text", LM_TRAIN_TEXT, false},
                                               {"label", LM_TRAIN_LABEL, false}};
static const lm_train_column word_columns[] = {{"tokens", LM_TRAIN_WORDS, false},
                                               {"tags", LM_TRAIN_WORDS, false}};
static const lm_train_column number_columns[] = {{"text", LM_TRAIN_TEXT, false},
                                                 {"number", LM_TRAIN_NUMBER, false}};

static const lm_train_column one_column[] = {{"text", LM_TRAIN_TEXT, false}};

#define LAYERS_METHOD(task_name, column_list, open_function)                                       \
    {                                                                                              \
        .name = "layers", .task = task_name, .base_files = true, .base_optional = true,            \
        .columns = column_list, .column_count = (int)(sizeof column_list / sizeof column_list[0]), \
        .options = options, .option_count = OPTION_COUNT, .options_size = sizeof(layers_options),  \
        .defaults = layers_defaults, .open = open_function, .read_base = read_base,                \
        .add_rows = layers_add, .lacking = layers_lacking, .fit = layers_fit,                      \
        .write = layers_write, .close = layers_close, .checkpoints = layers_checkpoints,           \
    }

const lm_method lm_method_layers =
    LAYERS_METHOD("classification", text_columns, open_classification);
const lm_method lm_method_layers_tagging = LAYERS_METHOD("tagging", word_columns, open_tagging);
const lm_method lm_method_layers_regression =
    LAYERS_METHOD("regression", number_columns, open_regression);
const lm_method lm_method_layers_language =
    LAYERS_METHOD("language_model", one_column, open_language);
