/*
 * characters.c - a vector for each word of its bytes, so that words which no vocabulary has are
 * told apart (Kim et al. 2016, Peters et al. 2018): {"characters": 16, "filters": 32, "kernel": 3}.
 *
 * A word is a mark, its bytes in UTF-8 and another mark, 16 numbers each: embedding.weight (258,
 * C). Of each width from 1 to `kernel` there are `filters` convolutions as torch.nn.Conv1d, without
 * padding; what a word shorter than a window lacks is 0. Of each the greatest of the word counts,
 * behind tanh or relu: y (T, kernel · filters), by width.
 */
#include <math.h>
#include <string.h>

#include "net/kinds.h"

#define BEGINS 256
#define ENDS 257
#define SYMBOLS 258
#define LONGEST 50 /* symbols of a word that count, with its marks */
#define KERNEL_MAX 7
#define BLOCK 512 /* windows of a product, at least */

static const lm_option options[] = {
    LM_OPTION(lm_layer_options, filters, INT, 1, 1024, "a whole number from 1 to 1024"),
    LM_OPTION(lm_layer_options, kernel, INT, 1, KERNEL_MAX, "a whole number from 1 to 7"),
    LM_OPTION(lm_layer_options, activation, TEXT, 0, 0, "tanh or relu"),
    LM_OPTION(lm_layer_options, trainable, BOOL, 0, 1, "true or false"),
};

static const char *
shapes(lm_layer *layer)
{
    layer->out = (size_t)(layer->options.filters * layer->options.kernel);
    return layer->place == 0 ? NULL : "characters are the first layer, and no other is";
}

static const char *const names[KERNEL_MAX][2] = {
    {"conv1.weight", "conv1.bias"}, {"conv2.weight", "conv2.bias"}, {"conv3.weight", "conv3.bias"},
    {"conv4.weight", "conv4.bias"}, {"conv5.weight", "conv5.bias"}, {"conv6.weight", "conv6.bias"},
    {"conv7.weight", "conv7.bias"},
};

static void
conv_params(const lm_layer *layer, size_t width, lm_net_param *params)
{
    const size_t filters = (size_t)layer->options.filters, columns = layer->size * width;
    const float spread = 1 / sqrtf((float)columns);

    params[0] = lm_net_matrix(names[width - 1][0], filters, columns, spread);
    params[0].rank = 3;
    params[0].shape[1] = layer->size;
    params[0].shape[2] = width;
    params[1] = lm_net_vector(names[width - 1][1], filters, 0, spread);
}

static size_t
params(const lm_layer *layer, lm_net_param *params)
{
    const size_t kernel = (size_t)layer->options.kernel, count = 1 + 2 * kernel;

    if (!params)
        return count;
    params[0] = lm_net_matrix("embedding.weight", SYMBOLS, layer->size, 1);
    params[0].normal = true;
    params[0].product = false;
    for (size_t width = 1; width <= kernel; width++)
        conv_params(layer, width, params + 2 * width - 1);
    for (size_t i = 0; i < count; i++)
        params[i].frozen = !layer->options.trainable;
    return count;
}

/* ---- The tape: windows that won (T, out), windows of a product, and what it gives ---- */

typedef struct net_letters {
    uint32_t *won;
    float *windows, *scores;
    size_t size;
} net_letters;

static net_letters
lay_letters(const lm_layer *layer, const lm_net_batch *batch, float *base)
{
    const size_t rows = BLOCK + LONGEST;
    net_letters t = {.size = 0};

    t.won = (uint32_t *)(void *)lm_net_lay(base, &t.size, batch->tokens * layer->out);
    t.windows = lm_net_lay(base, &t.size, rows * layer->size * (size_t)layer->options.kernel);
    t.scores = lm_net_lay(base, &t.size, rows * (size_t)layer->options.filters);
    return t;
}

static size_t
tape(const lm_layer *layer, const lm_net_batch *batch)
{
    return lay_letters(layer, batch, NULL).size;
}

/* ---- Words ---- */

typedef struct net_word {
    uint16_t symbols[LONGEST];
    size_t count;
} net_word;

static net_word
word_of(const lm_net_batch *batch, size_t token)
{
    const unsigned char *bytes = batch->letters + batch->letter_ends[token];
    const size_t length = batch->letter_ends[token + 1] - batch->letter_ends[token];
    net_word word = {.symbols = {BEGINS}, .count = 1};

    for (size_t i = 0; i < length && word.count < LONGEST - 1; i++)
        word.symbols[word.count++] = bytes[i];
    word.symbols[word.count++] = ENDS;
    return word;
}

static size_t
windows_of(const net_word *word, size_t width)
{
    return word->count > width ? word->count - width + 1 : 1;
}

/* Columns as a filter's: by number of a symbol, then by place. */
static void
put_windows(const lm_layer_run *run, const net_word *word, size_t width, float *windows)
{
    const size_t size = run->layer->size, count = windows_of(word, width);

    for (size_t w = 0; w < count; w++)
        for (size_t j = 0; j < width; j++)
            for (size_t c = 0; c < size; c++)
                windows[(w * size + c) * width + j] =
                    w + j < word->count ? run->values[0][word->symbols[w + j] * size + c] : 0;
}

/* The greatest of each filter, and its window. */
static void
take_greatest(const lm_layer *layer, size_t count, const float *scores, float *y, uint32_t *won)
{
    const size_t filters = (size_t)layer->options.filters;

    for (size_t f = 0; f < filters; f++) {
        size_t best = 0;

        for (size_t w = 1; w < count; w++)
            if (scores[w * filters + f] > scores[best * filters + f])
                best = w;
        won[f] = (uint32_t)best;
        y[f] = scores[best * filters + f];
    }
}

/* ---- Forward ---- */

/* Words from `first` on whose windows make a product; returns the first one behind them. */
static size_t
gather(const lm_layer_run *run, const net_letters *t, size_t width, size_t first, size_t *rows)
{
    size_t token = first;

    for (*rows = 0; token < run->batch->tokens && *rows < BLOCK; token++) {
        const net_word word = word_of(run->batch, token);

        put_windows(run, &word, width, t->windows + *rows * run->layer->size * width);
        *rows += windows_of(&word, width);
    }
    return token;
}

static lm_status
run_width(const lm_layer_run *run, const net_letters *t, size_t width)
{
    const lm_layer *layer = run->layer;
    const size_t filters = (size_t)layer->options.filters, param = 2 * width - 1;

    for (size_t first = 0, end; first < run->batch->tokens; first = end) {
        const float *scores = t->scores;
        size_t rows;

        end = gather(run, t, width, first, &rows);
        LM_TRY(lm_layer_multiply(run, param, rows, t->windows, run->values[param + 1], LM_ACT_NONE,
                                 t->scores));
        for (size_t token = first; token < end; token++) {
            const net_word word = word_of(run->batch, token);
            const size_t at = token * layer->out + (width - 1) * filters;

            take_greatest(layer, windows_of(&word, width), scores, run->y + at, t->won + at);
            scores += windows_of(&word, width) * filters;
        }
    }
    return LM_OK;
}

static lm_status
forward(const lm_layer_run *run)
{
    const lm_layer *layer = run->layer;
    const net_letters t = lay_letters(layer, run->batch, run->tape);

    if (!run->batch->letters)
        return lm_raise(run->ctx, LM_UNSUPPORTED, "the words of the texts are not spelled");
    for (size_t width = 1; width <= (size_t)layer->options.kernel; width++)
        LM_TRY(run_width(run, &t, width));
    run->kernels->activate_f32(layer->act, run->batch->tokens * layer->out, run->y);
    return lm_poll(run->ctx);
}

/* ---- Backward ---- */

/* Of one filter at its window: the filter's weights, its bias, and the symbols. */
static void
window_back(const lm_layer_run *run, const net_word *word, size_t width, size_t f, size_t window,
            float d)
{
    const size_t size = run->layer->size, param = 2 * width - 1;
    const float *weight = run->values[param] + f * size * width;
    float *dweight = run->grads[param] + f * size * width;

    run->grads[param + 1][f] += d;
    for (size_t j = 0; j < width && window + j < word->count; j++) {
        const size_t symbol = word->symbols[window + j] * size;

        for (size_t c = 0; c < size; c++) {
            dweight[c * width + j] += d * run->values[0][symbol + c];
            run->grads[0][symbol + c] += d * weight[c * width + j];
        }
    }
}

static lm_status
backward(const lm_layer_run *run, float *dy, float *dx)
{
    const lm_layer *layer = run->layer;
    const net_letters t = lay_letters(layer, run->batch, run->tape);
    const size_t filters = (size_t)layer->options.filters;

    for (size_t token = 0; run->grads && layer->options.trainable && token < run->batch->tokens;
         token++) {
        const net_word word = word_of(run->batch, token);

        LM_TRY(lm_poll(run->ctx));
        for (size_t i = 0; i < layer->out; i++) {
            const size_t at = token * layer->out + i;
            const float y = run->y[at], slope = layer->act == LM_ACT_TANH ? 1 - y * y : y > 0;

            window_back(run, &word, 1 + i / filters, i % filters, t.won[at], dy[at] * slope);
        }
    }
    return LM_OK;
}

const lm_layer_kind lm_layer_characters = {
    .name = "characters",
    .low = 1,
    .high = 512,
    .options = options,
    .option_count = 4,
    .acts = {LM_ACT_TANH, LM_ACT_RELU},
    .act_count = 2,
    .shapes = shapes,
    .params = params,
    .tape = tape,
    .forward = forward,
    .backward = backward,
};
