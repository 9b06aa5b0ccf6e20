/*
 * fuzz_model.c - a whole folder that is accepted makes an image that embeds texts: vectors are
 * finite or refused, never a NaN; a text has the same bits alone and among others; a second view of
 * the image and a copy of it at another address give the same; nothing is written to the image.
 *
 * An input is a folder (fuzz.h); where it has no weights, a header that fits config.json is made.
 */
#include <math.h>

#include "base/size.h"
#include "fuzz.h"
#include "model/layers.h"
#include "task/classify.h"
#include "task/embed.h"
#include "task/language_model.h"
#include "task/tag.h"

/* Images beyond this are planned only. */
#define IMAGE_LIMIT ((size_t)1 << 20)

#define TEXT(literal)                \
    {                                \
        literal, sizeof(literal) - 1 \
    }

static const lm_text texts[] = {
    TEXT("Hello, World!"),
    TEXT(""),
    TEXT("caf\xc3\xa9 \xe4\xb8\xad\xe6\x96\x87 [SEP] token token token token token token"),
};

#define TEXTS (sizeof texts / sizeof texts[0])

void
fuzz_prepare(void)
{
    lm_kernels_active();
}

/* As for a tokenizer, and the workspace of the encoder. */
size_t
fuzz_limit(size_t size)
{
    return ((size_t)1 << 26) + 8192 * size;
}

static bool
all_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

/*
 * Finite weights may overflow on the way; that must be said. A text without any token has no vector
 * where the tokenizer adds none, or where the prompt's are not pooled.
 */
static lm_status
embed(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *some,
      size_t count, float *out, size_t width)
{
    static const lm_embed_options options = {.on_long = LM_LONG_MEAN, .batch_tokens = 24};
    lm_status status = lm_embed(ctx, session, model, some, count, &options, out, NULL);

    if (status == LM_NO_TOKEN)
        REQUIRE(lm_tokenizer_special_count(lm_model_tokenizer(model), false) == 0);
    else if (status == LM_BAD_ARGUMENT)
        REQUIRE(!model->sentence.include_prompt);
    else if (status != LM_OK && status != LM_NO_MEMORY && status != LM_BAD_MODEL)
        fuzz_broken(__FILE__, __LINE__, "an accepted model embeds", ctx->error.message);
    REQUIRE(status != LM_OK || all_finite(out, count * width));
    return status;
}

/* All at once, then one by one. */
static lm_status
check_texts(lm_context *ctx, lm_session *session, const lm_model *model, float *out, size_t width)
{
    LM_TRY(embed(ctx, session, model, texts, TEXTS, out, width));
    for (size_t i = 0; i < TEXTS; i++) {
        float *alone = out + TEXTS * width;

        LM_TRY(embed(ctx, session, model, &texts[i], 1, alone, width));
        REQUIRE(memcmp(alone, out + i * width, width * sizeof *out) == 0);
    }
    return LM_OK;
}

/* Ids and positions that the tokenizer can give have their rows. */
static void
check_bounds(const lm_model *model)
{
    const lm_weights *weights = lm_model_weights(model);

    if (!weights)
        return;
    REQUIRE(lm_model_tokenizer(model)->vocab_size <= lm_weights_dims(weights)->vocab);
    REQUIRE(model->info.max_tokens <= lm_weights_dims(weights)->window);
}

/* A classifier on n-grams has a finite score for each label, whatever the text. */
static lm_status
check_scores(lm_context *ctx, lm_session *session, const lm_model *model)
{
    static const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    const size_t labels = (size_t)model->info.label_count;
    float *scores = malloc(TEXTS * labels * sizeof *scores);
    lm_status status = lm_classify(ctx, session, model, texts, TEXTS, &options, scores, NULL);

    REQUIRE(status == LM_OK || status == LM_NO_MEMORY);
    REQUIRE(status != LM_OK || all_finite(scores, TEXTS * labels));
    free(scores);
    return status;
}

static lm_status
take_tags(void *opaque, size_t text, const lm_tag *tags, size_t count)
{
    for (size_t i = 0; i < count; i++)
        REQUIRE(tags[i].label >= 0 && tags[i].label < *(const int *)opaque &&
                isfinite(tags[i].score));
    return LM_OK;
}

/* So has a net, of texts that have a token, or their scores are refused; one for tokens has tags,
 * and a language model a sum of logarithms. */
static lm_status
ask_net(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *text,
        float *scores)
{
    static const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    const lm_net *net = &lm_model_layers(model)->net;
    int labels = model->info.label_count;
    double sum = 0;
    lm_status status;

    if (net->softmax > 0) {
        status = lm_log_probability(ctx, session, model, text, 1, &sum, NULL);
        REQUIRE(status != LM_OK || sum <= 0);
    } else if (net->by_text) {
        status = lm_classify(ctx, session, model, text, 1, &options, scores, NULL);
        REQUIRE(status != LM_OK || all_finite(scores, (size_t)labels));
    } else {
        status = lm_tag_texts(ctx, session, model, text, 1, &options, take_tags, &labels, NULL);
    }
    REQUIRE(status == LM_OK || status == LM_NO_TOKEN || status == LM_NO_MEMORY ||
            status == LM_BAD_MODEL);
    return status;
}

static lm_status
check_net(lm_context *ctx, lm_session *session, const lm_model *model)
{
    float *scores = malloc(((size_t)model->info.label_count + 1) * sizeof *scores);
    lm_status status = LM_OK;

    for (size_t i = 0; i < TEXTS && (status == LM_OK || status == LM_NO_TOKEN); i++)
        status = ask_net(ctx, session, model, &texts[i], scores);
    free(scores);
    return status == LM_NO_TOKEN ? LM_OK : status;
}

/* Bind, embed, unbind. The caller compares images afterwards. */
static lm_status
use_image(lm_context *ctx, const void *image, size_t size, float **out, size_t *count)
{
    static const lm_embed_options options = {.dimensions = 0};
    lm_session *session = NULL;
    lm_model model;
    int width = 0;
    lm_status status;

    LM_TRY(lm_model_bind(ctx, image, size, &model));
    status = lm_session_create(ctx, &session);
    if (!lm_model_needs_base(&model))
        check_bounds(&model);
    if (status == LM_OK && strcmp(model.info.task, "embedding") == 0) {
        status = lm_embed_width(ctx, &model, &options, &width);
        REQUIRE(status == LM_OK && width >= 1 && width <= lm_model_width(&model));
        *count = (TEXTS + 1) * (size_t)width;
        *out = malloc(*count * sizeof **out);
        status = check_texts(ctx, session, &model, *out, (size_t)width);
    }
    if (status == LM_OK && lm_model_ngram_head(&model) && !lm_model_needs_base(&model))
        status = check_scores(ctx, session, &model);
    if (status == LM_OK && lm_model_layers(&model))
        status = check_net(ctx, session, &model);
    lm_session_free(session);
    lm_model_unbind(ctx, &model);
    return status;
}

/* In the place where it was filled and in another. */
static lm_status
check_image(lm_context *ctx, char *image, size_t size)
{
    char *copy = aligned_alloc(LM_ALIGNMENT, size);
    float *first = NULL, *second = NULL;
    size_t count = 0, again = 0;
    lm_status status;

    memcpy(copy, image, size);
    status = use_image(ctx, image, size, &first, &count);
    if (status == LM_OK) {
        status = use_image(ctx, copy, size, &second, &again);
        REQUIRE(status == LM_OK || status == LM_NO_MEMORY);
        if (status == LM_OK && count > 0)
            REQUIRE(count == again && memcmp(first, second, count * sizeof *first) == 0);
        REQUIRE(memcmp(copy, image, size) == 0);
    }
    free(first);
    free(second);
    free(copy);
    return status;
}

static lm_status
run(lm_context *ctx, lm_arena *arena, const lm_source *source, fuzz_folder *folder)
{
    lm_model_plan *plan;
    lm_model_info info;
    lm_notes notes;
    char *image;
    size_t size;
    lm_status status;

    lm_notes_init(&notes, true); /* what an import refuses is looked at, and run as well */
    LM_TRY(lm_model_plan_make(ctx, arena, source, NULL, lm_kernels_active(), &plan, &info, &notes));
    REQUIRE(notes.count <= LM_NOTES_MAX);
    size = lm_model_plan_size(plan);
    REQUIRE(size % LM_ALIGNMENT == 0);
    REQUIRE(info.dimensions > 0 || strcmp(info.task, "embedding") != 0);
    if (size > IMAGE_LIMIT)
        return LM_OK;
    image = aligned_alloc(LM_ALIGNMENT, size);
    memset(image, 0, size);
    status = lm_model_fill(ctx, plan, image);
    if (status == LM_OK)
        status = check_image(ctx, image, size);
    free(image);
    return status;
}

lm_status
fuzz_target(lm_context *ctx, const char *data, size_t size)
{
    return fuzz_folder_run(ctx, data, size, run);
}
