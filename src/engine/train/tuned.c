/*
 * tuned.c - a model that is fine-tuned, from its files to a network. The head comes from the
 * family's table: what the new folder is imported as.
 */
#include "train/tuned.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "train/tuned_distill.h"
#include "train/tuned_prune.h"
#include "train/tuned_tasks.h"

#define EVALUATED_TOKENS ((size_t)4096) /* of a pass that measures, at most */

void
lm_tuned_settings_default(lm_tuned_settings *settings)
{
    *settings = (lm_tuned_settings){
        .encoder = {.train_layers = -1,
                    .hidden_dropout = -1,
                    .attention_dropout = -1,
                    .crf_rate = LM_TUNED_CRF_RATE},
        .dropout = -1,
        .scale = 20,
        .margin = 5,
        .masked = 0.15,
        .temperature = 2,
        .hard = 0.5,
    };
}

/* What the training must know of the loaded model, which may go before it starts. */
static void
look_at(lm_tuned *tuned, const lm_model *model, const lm_tokenizer *tokenizer)
{
    const lm_steps *steps = lm_model_steps(model);

    tuned->embeds = steps && steps->pooling_count == 1 && steps->count == 0 && !steps->mix &&
                    !model->info.cut && !lm_model_head(model);
    tuned->pooling = tuned->embeds ? steps->poolings[0] : LM_POOL_NONE;
    tuned->normalize = model->sentence.normalize;
    tuned->special = (size_t)lm_tokenizer_special_count(tokenizer, false);
    tuned->special_before = lm_tokenizer_special_before(tokenizer);
    tuned->mask_id = lm_token_id(tokenizer, "[MASK]", strlen("[MASK]"));
    if (tuned->mask_id < 0)
        tuned->mask_id = lm_token_id(tokenizer, "<mask>", strlen("<mask>"));
}

lm_status
lm_tuned_open(lm_context *ctx, const lm_train_base *base, const lm_tuned_task *task,
              const lm_tuned_settings *settings, size_t per_row, lm_tuned **tuned)
{
    const lm_tokenizer *tokenizer = lm_model_tokenizer(base->model);
    lm_tuned *new = lm_alloc_zero(ctx, sizeof *new);

    if (!new)
        return LM_NO_MEMORY;
    *tuned = new;
    new->ctx = ctx;
    new->task = task;
    new->settings = *settings;
    lm_arena_init(&new->arena, ctx);
    lm_augmented_open(&new->augmented, ctx, &settings->augment);
    for (int i = 0; i < 2; i++)
        lm_buffer_init(&new->variants[i], ctx);
    if (!lm_model_weights(base->model) || lm_model_needs_base(base->model) || !tokenizer ||
        base->model->routes)
        return lm_raise(ctx, LM_UNSUPPORTED, "only a model with an encoder can be trained");
    look_at(new, base->model, tokenizer);
    LM_TRY(lm_tuned_texts_open(ctx, tokenizer, (size_t)base->model->info.max_tokens, per_row,
                               &new->texts));
    return lm_kept_open(ctx, &new->arena, base, &new->kept);
}

void
lm_tuned_close(lm_tuned *tuned)
{
    if (!tuned)
        return;
    if (tuned->started) {
        lm_lora_close(&tuned->lora);
        lm_tuned_encoder_close(&tuned->encoder);
        if (tuned->plain.head)
            lm_tuned_head_close(&tuned->head);
    }
    lm_tuned_texts_close(&tuned->texts);
    lm_augmented_close(&tuned->augmented);
    for (int i = 0; i < 2; i++)
        lm_buffer_free(&tuned->variants[i]);
    lm_kept_close(&tuned->kept);
    lm_free(tuned->ctx, tuned->labels);
    lm_free(tuned->ctx, tuned->numbers);
    lm_free(tuned->ctx, tuned->taught);
    lm_session_free(tuned->session);
    if (!tuned->helps)
        lm_free(tuned->ctx, tuned->values);
    lm_free(tuned->ctx, tuned->changed);
    lm_free(tuned->ctx, tuned->guessed);
    lm_free(tuned->ctx, tuned->targets);
    lm_free(tuned->ctx, tuned->counters);
    lm_free(tuned->ctx, tuned->picked);
    lm_free(tuned->ctx, tuned->found);
    lm_free(tuned->ctx, tuned->room);
    lm_confusion_free(tuned->confusion);
    lm_entities_free(tuned->entities);
    lm_arena_free(&tuned->arena);
    lm_free(tuned->ctx, tuned);
}

/* ---- The start ---- */

static const lm_head_kind *
head_of(const lm_family *family, const char *task)
{
    for (size_t i = 0; i < family->head_count; i++)
        if (strcmp(family->heads[i].task, task) == 0)
            return &family->heads[i];
    return NULL;
}

/* The head that the new model has, and config.json as it will be. */
static lm_status
choose_head(lm_tuned *tuned, const lm_family *family, const lm_head_kind **head)
{
    lm_checkpoint *checkpoint = &tuned->checkpoint;

    if (!(*head = head_of(family, tuned->task->head_task))) {
        lm_raise(tuned->ctx, LM_UNSUPPORTED, "models of this family have no head for the task");
        lm_detail_found(tuned->ctx, "%s", family->name);
        return lm_detail_key(tuned->ctx, "%s", tuned->task->name);
    }
    LM_TRY(lm_tuned_config(tuned, *head));
    LM_TRY(lm_json_parse(tuned->ctx, &tuned->arena, tuned->config, strlen(tuned->config),
                         checkpoint->config_file, &checkpoint->config));
    LM_TRY(lm_family_head_pooling(tuned->ctx, family, *head, checkpoint->config, &tuned->pooling));
    if (tuned->pooling != LM_POOL_LATE)
        return LM_OK;
    return lm_raise(tuned->ctx, LM_UNSUPPORTED, "a head of this form cannot be trained");
}

/* The embedding is trained as the base makes it. */
static lm_status
choose_embedding(lm_tuned *tuned)
{
    if (tuned->embeds)
        return LM_OK;
    return lm_raise(tuned->ctx, LM_UNSUPPORTED,
                    "a model with modules behind its pooling cannot be trained");
}

/* A rate that config.json has under one of two keys; 0 where it has none. */
static double
rate_of(const lm_json *config, const char *key, const char *other)
{
    const lm_json *rate = lm_json_get(config, key);

    if (!rate || rate->type != LM_JSON_NUMBER)
        rate = lm_json_get(config, other);
    return rate && rate->type == LM_JSON_NUMBER && rate->as.number >= 0 && rate->as.number < 1
               ? rate->as.number
               : 0;
}

static void
choose_rates(lm_tuned *tuned)
{
    const lm_json *config = tuned->checkpoint.config;
    lm_tuned_options *options = &tuned->settings.encoder;
    const lm_json *own = lm_json_get(config, "classifier_dropout");

    if (options->hidden_dropout < 0)
        options->hidden_dropout = rate_of(config, "hidden_dropout_prob", "dropout");
    if (options->attention_dropout < 0)
        options->attention_dropout =
            rate_of(config, "attention_probs_dropout_prob", "attention_dropout");
    if (tuned->settings.dropout >= 0)
        return;
    tuned->settings.dropout = own && own->type == LM_JSON_NUMBER
                                  ? rate_of(config, "classifier_dropout", "")
                                  : options->hidden_dropout;
    /* A head on the vocabulary has none. */
    if (tuned->task == &lm_tuned_masked)
        tuned->settings.dropout = 0;
}

static float
head_eps(const lm_plain *plain)
{
    float eps = plain->encoder.stack.blocks[0].eps;

    if (plain->family->head_eps > 0)
        memcpy(&eps, (const char *)plain->config + plain->family->head_eps, sizeof eps);
    return eps;
}

/* A helper's are there. */
static lm_status
read_values(lm_tuned *tuned, lm_rng *rng)
{
    if (tuned->helps)
        return LM_OK;
    tuned->values = lm_alloc_array(tuned->ctx, tuned->plain.numbers + 1, sizeof *tuned->values);
    if (!tuned->values)
        return LM_NO_MEMORY;
    LM_TRY(lm_plain_read(tuned->ctx, &tuned->plain, &tuned->kept.source, rng, tuned->values));
    for (size_t i = 0; i < tuned->checkpoint.tensors.file_count; i++)
        LM_TRY(lm_kept_drop(&tuned->kept, tuned->checkpoint.tensors.files[i]));
    return LM_OK;
}

static lm_status
refuse_crf(const lm_tuned *tuned)
{
    lm_raise(tuned->ctx, LM_UNSUPPORTED, "models of this family have no CRF behind their head");
    lm_detail_key(tuned->ctx, "crf");
    return lm_detail_found(tuned->ctx, "%s", tuned->plain.family->name);
}

static lm_status
read_weights(lm_tuned *tuned, const lm_family *family, const lm_head_kind *head)
{
    lm_rng rng;

    LM_TRY(
        lm_plain_plan(tuned->ctx, &tuned->arena, family, head, &tuned->checkpoint, &tuned->plain));
    lm_rng_seed(&rng, tuned->settings.seed);
    LM_TRY(read_values(tuned, &rng));
    choose_rates(tuned);
    tuned->settings.encoder.adapters = tuned->settings.lora_rank > 0;
    tuned->settings.encoder.all_words = tuned->task == &lm_tuned_masked;
    tuned->started = true;
    LM_TRY(lm_tuned_encoder_open(tuned->ctx, &tuned->plain, &tuned->settings.encoder, tuned->values,
                                 &tuned->encoder));
    if (tuned->settings.lora_rank > 0)
        LM_TRY(lm_lora_open(tuned->ctx, &tuned->encoder, (size_t)tuned->settings.lora_rank,
                            tuned->settings.lora_alpha, &rng, &tuned->lora));
    if (!head)
        return LM_OK;
    LM_TRY(lm_tuned_head_open(tuned->ctx, &tuned->encoder, head_eps(&tuned->plain),
                              tuned->settings.dropout, &tuned->head));
    return tuned->settings.crf && !tuned->head.crf ? refuse_crf(tuned) : LM_OK;
}

lm_status
lm_tuned_start(lm_tuned *tuned, const char *const *names, size_t count)
{
    const lm_tuned_task *task = tuned->task;
    const lm_family *family;
    const lm_head_kind *head = NULL;

    LM_TRY(lm_tuned_names(tuned, task->label ? &task->label : names, task->label ? 1 : count));
    LM_TRY(lm_checkpoint_open(tuned->ctx, &tuned->arena, &tuned->kept.source, NULL,
                              &tuned->checkpoint));
    LM_TRY(lm_family_find(tuned->ctx, tuned->checkpoint.config, &family));
    if (task == &lm_tuned_distillation)
        LM_TRY(lm_tuned_cut(tuned, family));
    LM_TRY(task->head_task ? choose_head(tuned, family, &head) : choose_embedding(tuned));
    return read_weights(tuned, family, head);
}

/* ---- The network ---- */

static size_t
row_bytes(void *self, size_t row)
{
    lm_tuned *tuned = self;

    return lm_tuned_row_bytes(&tuned->encoder, lm_tuned_texts_row_tokens(&tuned->texts, row));
}

/* A variant of a text, or the text. */
static lm_status
vary(lm_tuned *tuned, size_t text, uint64_t epoch, bool varied, int place, lm_text *taken)
{
    lm_buffer *variant = &tuned->variants[place];

    *taken = lm_augmented_text(&tuned->augmented, text);
    if (!varied)
        return LM_OK;
    LM_TRY(lm_augmented_variant(&tuned->augmented, text, epoch, variant));
    *taken = (lm_text){variant->data, variant->size};
    return LM_OK;
}

static lm_status
vary_row(lm_tuned *tuned, size_t row, uint64_t epoch, bool varied)
{
    lm_text taken[2];

    if (tuned->task->pairs) {
        for (int i = 0; i < 2; i++)
            LM_TRY(vary(tuned, 2 * row + (size_t)i, epoch, varied, i, &taken[i]));
        return lm_tuned_texts_add_pair(&tuned->texts, taken[0], taken[1]);
    }
    for (size_t i = row * tuned->texts.per_row; i < (row + 1) * tuned->texts.per_row; i++) {
        LM_TRY(vary(tuned, i, epoch, varied, 0, &taken[0]));
        LM_TRY(lm_tuned_texts_add_variant(&tuned->texts, taken[0],
                                          lm_augmented_text(&tuned->augmented, i)));
    }
    return LM_OK;
}

/* All texts once more: rows that are trained on in other words. */
static lm_status
begin_epoch(void *self, uint64_t epoch, const size_t *rows, size_t count)
{
    lm_tuned *tuned = self;
    const size_t all = tuned->texts.texts / tuned->texts.per_row;
    unsigned char *trained = lm_augmented_mark(tuned->ctx, all, rows, count);
    lm_status status = trained ? LM_OK : LM_NO_MEMORY;

    lm_tuned_texts_clear(&tuned->texts);
    for (size_t row = 0; status == LM_OK && row < all; row++)
        status = vary_row(tuned, row, epoch, trained[row] != 0);
    lm_free(tuned->ctx, trained);
    return status;
}

static lm_status
touch(void *self, const size_t *rows, size_t count)
{
    lm_tuned *tuned = self;

    lm_tuned_touch(&tuned->encoder, &tuned->texts, rows, count);
    return LM_OK;
}

static lm_status
weigh(void *self, const size_t *rows, size_t count, double *weight)
{
    const lm_tuned *tuned = self;

    *weight = tuned->task->weight(tuned, rows, count);
    return LM_OK;
}

static lm_status
run(lm_tuned *tuned, const size_t *rows, size_t count, const lm_pass *pass, double *loss)
{
    const float *states;

    LM_TRY(lm_lora_add(&tuned->lora));
    if (tuned->task == &lm_tuned_masked)
        LM_TRY(lm_tuned_mask(tuned, rows, count, pass));
    LM_TRY(lm_tuned_forward(&tuned->encoder, &tuned->texts, rows, count, tuned->changed, pass,
                            &states));
    return tuned->task->loss(tuned, rows, count, pass, states, loss);
}

static lm_status
pass_rows(void *self, const size_t *rows, size_t count, const lm_pass *pass, double *loss)
{
    lm_tuned *tuned = self;

    LM_TRY(run(tuned, rows, count, pass, loss));
    if (!pass->training)
        return LM_OK;
    LM_TRY(lm_tuned_backward(&tuned->encoder));
    LM_TRY(lm_tuned_prune_gradients(tuned));
    return lm_lora_backward(&tuned->lora);
}

/* Rows of a pass that measures: as many as have not too many tokens, at least one. */
static size_t
some_rows(const lm_tuned *tuned, const size_t *rows, size_t count)
{
    size_t tokens = 0, taken = 0;

    while (taken < count) {
        tokens += lm_tuned_texts_row_tokens(&tuned->texts, rows[taken]);
        if (taken > 0 && tokens > EVALUATED_TOKENS)
            break;
        taken++;
    }
    return taken;
}

static lm_status
measure(void *self, const size_t *rows, size_t count, lm_measures *measures)
{
    lm_tuned *tuned = self;
    const lm_pass pass = {.weight = tuned->task->weight(tuned, rows, count),
                          .seed = tuned->settings.seed};

    *measures = (lm_measures){.loss = 0};
    memset(tuned->sums, 0, sizeof tuned->sums);
    for (size_t i = 0, some; i < count; i += some) {
        some = some_rows(tuned, rows + i, count - i);
        LM_TRY(run(tuned, rows + i, some, &pass, &measures->loss));
        if (tuned->task->add)
            LM_TRY(tuned->task->add(tuned, rows + i, some));
    }
    return tuned->task->finish ? tuned->task->finish(tuned, measures) : LM_OK;
}

void
lm_tuned_network(lm_tuned *tuned, lm_network *network)
{
    const bool adapted = tuned->lora.count > 0;

    *network = (lm_network){
        .self = tuned,
        .params = adapted ? tuned->lora.params : tuned->encoder.params,
        .param_count = adapted ? tuned->lora.param_count : tuned->encoder.param_count,
        .rows = tuned->texts.texts / tuned->texts.per_row,
        .whole_batches = lm_tuned_is_whole(tuned),
        .epoch = tuned->augmented.options.count > 0 ? begin_epoch : NULL,
        .weight = weigh,
        .touch = touch,
        .pass = pass_rows,
        .measure = measure,
        .row_bytes = row_bytes,
    };
}

const lm_param *
lm_tuned_words(const lm_tuned *tuned)
{
    const lm_tuned_encoder *encoder = &tuned->encoder;
    const int words = encoder->plain->encoder.embedding.words;

    for (size_t i = 0; words >= 0 && tuned->lora.count == 0 && i < encoder->param_count; i++)
        if (encoder->params[i].value == encoder->table[words])
            return &encoder->params[i];
    return NULL;
}
