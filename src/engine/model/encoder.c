/*
 * encoder.c - the kind of model that a Hugging Face folder holds: a tokenizer and a family's
 * encoder, with what sentence-transformers' files say of pooling and prompts.
 */
#include <limits.h>
#include <string.h>

#include "model/kinds.h"
#include "model/labels.h"
#include "model/left_out.h"
#include "model/rerank.h"
#include "model/vocabulary_head.h"
#include "model/window.h"

/* ---- Before the sections ---- */

static lm_status
show_architectures(const lm_planner *p)
{
    const lm_json *architectures = lm_json_get(p->plan->checkpoint.config, "architectures");
    char found[128] = "nothing";

    if (architectures)
        lm_json_show(architectures, found, sizeof found);
    lm_detail_file(p->ctx, p->plan->checkpoint.config_file);
    lm_detail_key(p->ctx, "architectures");
    return lm_detail_found(p->ctx, "%s", found);
}

/* The model was asked for by a task that its files have no head for. */
static lm_status
no_head(lm_planner *p, const char *task)
{
    lm_raise(p->ctx, LM_UNSUPPORTED, "the model has no head for the task %s", task);
    show_architectures(p);
    return lm_detail_hint(p->ctx, "Without the option task a model is imported for what its files "
                                  "say that it is.");
}

/* What the caller asks for, or sentence-transformers' files do by their modules. */
static bool
is_sparse(const lm_planner *p)
{
    const char *task = p->options->task;

    return task ? strcmp(task, "sparse") == 0 : p->plan->checkpoint.sentence.splade != 0;
}

/* The head of a sparse vector is that which fills masks. Without a word it makes the greatest of
 * log(1 + max(0, x)) over the tokens, as sentence-transformers does. */
static lm_status
choose_sparse_head(lm_planner *p)
{
    lm_checkpoint *checkpoint = &p->plan->checkpoint;
    lm_sentence_transformers *sentence = &checkpoint->sentence;
    const lm_head_kind *head = lm_family_head_for(p->plan->family, checkpoint->config, "fill_mask");

    if (!head || strcmp(head->task, "fill_mask") != 0)
        return no_head(p, "sparse");
    p->plan->head = head;
    if (!sentence->splade)
        *sentence = (lm_sentence_transformers){.splade = LM_SPLADE};
    sentence->pooling = LM_POOL_NONE;
    return LM_OK;
}

/* Taken for something else, a sparse encoder's settings do not count, as of other types. */
static void
leave_sparse(lm_sentence_transformers *sentence)
{
    if (sentence->splade)
        *sentence =
            (lm_sentence_transformers){.model_type = sentence->model_type, .include_prompt = true};
}

/*
 * A head that the family knows is what the model is for, unless the caller or
 * sentence-transformers' files want the embedding. It reads the hidden states as it was trained to.
 */
static lm_status
choose_head(lm_planner *p)
{
    lm_checkpoint *checkpoint = &p->plan->checkpoint;
    const lm_sentence_transformers *sentence = &checkpoint->sentence;
    const char *task = p->options->task;

    if (is_sparse(p) && !p->options->as_embedding)
        return choose_sparse_head(p);
    leave_sparse(&checkpoint->sentence);
    if (p->options->as_embedding || sentence->late.writer != LM_LATE_NONE ||
        (!task &&
         (sentence->present || (sentence->model_type && !lm_rerank_is_cross_encoder(sentence)))))
        return LM_OK;
    p->plan->head = lm_family_head_for(p->plan->family, checkpoint->config, task);
    if (!p->plan->head)
        return task ? no_head(p, task) : LM_OK;
    LM_TRY(lm_rerank_check_prompt(p));
    checkpoint->sentence = (lm_sentence_transformers){.model_type = sentence->model_type,
                                                      .activation = sentence->activation};
    return lm_family_head_pooling(p->ctx, p->plan->family, p->plan->head, checkpoint->config,
                                  &checkpoint->sentence.pooling);
}

static lm_status
begin(lm_planner *p)
{
    const lm_checkpoint *checkpoint = &p->plan->checkpoint;

    LM_TRY(lm_family_find(p->ctx, checkpoint->config, &p->plan->family));
    LM_TRY(choose_head(p));
    return lm_family_check_keys(p->ctx, p->notes, p->plan->family, checkpoint->config_file,
                                checkpoint->config);
}

/* ---- Weights: what the model is for, and how wide its embedding is ---- */

/* The pooling module says how wide the token embeddings are that it expects. */
static lm_status
check_sentence(lm_planner *p, const lm_dims *dims)
{
    int width = p->plan->checkpoint.sentence.embedding_dimension;

    if (width == 0 || width == dims->hidden)
        return LM_OK;
    lm_raise(p->ctx, LM_BAD_MODEL, "the pooling module does not fit the encoder");
    lm_detail_key(p->ctx, "embedding_dimension");
    lm_detail_found(p->ctx, "%d", width);
    return lm_detail_allowed(p->ctx, "%d, the hidden_size of config.json", dims->hidden);
}

/*
 * How many numbers of the embedding count. truncate_dim cuts it behind all modules, so a normalised
 * one is shorter than 1, as in sentence-transformers, which reads it only beside modules.json.
 */
static lm_status
choose_dimensions(lm_planner *p, int width)
{
    const lm_sentence_transformers *sentence = &p->plan->checkpoint.sentence;
    const lm_json *truncate = sentence->present ? sentence->truncate_dim : NULL;
    int64_t most = p->options->dimensions;

    if (most == 0 && truncate) {
        if (truncate->type != LM_JSON_NUMBER || !truncate->is_integer || truncate->integer < 1) {
            char found[80];

            lm_json_show(truncate, found, sizeof found);
            lm_raise(p->ctx, LM_BAD_MODEL, "a setting of the model is not valid");
            lm_detail_file(p->ctx, "config_sentence_transformers.json");
            lm_detail_key(p->ctx, "truncate_dim");
            lm_detail_found(p->ctx, "%s", found);
            return lm_detail_allowed(p->ctx, "an integer of at least 1");
        }
        most = truncate->integer;
    }
    p->plan->info.cut = most > 0 && most < width;
    p->plan->info.dimensions = p->plan->info.cut ? (int)most : width;
    return LM_OK;
}

/* What the files say of the embedding, against the weights. */
static lm_status
check_embedding(lm_planner *p)
{
    const lm_weights_plan *weights = lm_planned_weights(p);
    const lm_dims *dims = weights->config;

    LM_TRY(lm_left_out_check(p->ctx, &p->plan->checkpoint, weights, p->options->as_embedding,
                             p->notes));
    return check_sentence(p, dims);
}

static lm_status
check_steps(lm_planner *p)
{
    return choose_dimensions(p, (int)lm_planned_width(p));
}

/* ---- Tokenizer: what can be known of it only once it is compiled ---- */

/* Lower and upper case have the same ids: the tokenizer itself makes lower case. */
static lm_status
makes_lower_case(lm_planner *p, const lm_tokenizer *tokenizer, bool *lower)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const lm_token_options options = {.add_special = false};
    lm_token_scratch *scratch;
    lm_encoding small, big;
    lm_status status;

    LM_TRY(lm_token_scratch_create(p->ctx, &scratch));
    lm_encoding_init(&small, p->ctx);
    lm_encoding_init(&big, p->ctx);
    status = lm_tokenize(p->ctx, tokenizer, scratch, text, 26, &options, &small);
    if (status == LM_OK)
        status = lm_tokenize(p->ctx, tokenizer, scratch, text + 26, 26, &options, &big);
    *lower =
        status == LM_OK && small.count == big.count &&
        (small.count == 0 || memcmp(small.ids, big.ids, small.count * sizeof small.ids[0]) == 0);
    lm_encoding_free(&small);
    lm_encoding_free(&big);
    lm_token_scratch_free(scratch);
    return status;
}

/* sentence_bert_config.json may ask for lower case where the tokenizer keeps case. */
static lm_status
check_lower_case(lm_planner *p, const lm_tokenizer *tokenizer)
{
    bool lower = true;

    if (p->plan->checkpoint.sentence.lower_case)
        LM_TRY(makes_lower_case(p, tokenizer, &lower));
    if (lower)
        return LM_OK;
    lm_raise(p->ctx, LM_UNSUPPORTED,
             "converting text to lower case before the tokenizer is not supported");
    lm_detail_file(p->ctx, "sentence_bert_config.json");
    lm_detail_key(p->ctx, "do_lower_case");
    lm_detail_found(p->ctx, "true");
    return lm_detail_allowed(p->ctx, "false, or a tokenizer that converts to lower case");
}

/* The files speak of longer texts than the family computes: BigBird's, beyond its full attention.
 */
static void
note_cut_window(const lm_planner *p, const lm_dims *dims)
{
    int said = lm_checkpoint_window(&p->plan->checkpoint, 0);

    if (p->notes && p->options->max_tokens == 0 && said > dims->window && said < INT_MAX)
        lm_notes_add(p->notes, p->plan->checkpoint.config_file, NULL,
                     "texts are cut to %d tokens, though the model's files allow %d", dims->window,
                     said);
}

/* The window must have room for a token besides the special ones, and a position for each. */
static lm_status
choose_window(lm_planner *p, const lm_tokenizer *tokenizer, const lm_dims *dims)
{
    int least = lm_window_least(tokenizer);
    int window = lm_checkpoint_window(&p->plan->checkpoint, dims->window);
    int asked = lm_planned_window(p, window);

    if (asked != 0) {
        LM_TRY(lm_window_check(p->ctx, asked, least, dims->window));
        window = asked;
    }
    if (window < least || window > dims->window) {
        lm_raise(p->ctx, LM_BAD_MODEL, "the model's window is too small for any text");
        lm_detail_found(p->ctx, "%d tokens", window);
        return lm_detail_allowed(p->ctx, "%d to %d", least, dims->window);
    }
    note_cut_window(p, dims);
    p->plan->info.max_tokens = window;
    return LM_OK;
}

/* A token type without a row in the model would make every use of it an error. */
static lm_status
check_types(lm_planner *p, const lm_tokenizer *tokenizer)
{
    int32_t highest = lm_tokenizer_highest_type(tokenizer);
    int types = lm_family_types(p->plan->family, lm_planned_weights(p)->config);

    if (types == 0 || highest < types)
        return LM_OK;
    lm_raise(p->ctx, LM_BAD_MODEL, "the tokenizer gives a token type that the model does not have");
    lm_detail_file(p->ctx, "tokenizer.json");
    lm_detail_key(p->ctx, "post_processor.single");
    lm_detail_found(p->ctx, "type_id %d", highest);
    return lm_detail_allowed(p->ctx, "0 to %d, from type_vocab_size in config.json", types - 1);
}

static lm_status
check_tokenizer(lm_planner *p)
{
    const lm_planned_section *section = &p->plan->sections[LM_SECTION_TOKENIZER];
    const lm_dims *dims = lm_planned_weights(p)->config;
    lm_tokenizer tokenizer;

    LM_TRY(lm_tokenizer_bind(p->ctx, section->state, section->size, &tokenizer));
    LM_TRY(check_lower_case(p, &tokenizer));
    LM_TRY(check_types(p, &tokenizer));
    return choose_window(p, &tokenizer, dims);
}

/* ---- Description ---- */

/*
 * The matrices that every token is multiplied by: tables are looked up, a head runs behind. Layers
 * that share weights are multiplied by each time.
 */
static uint64_t
count_flops(const lm_weights_plan *weights)
{
    const lm_weight_group *layers = &weights->family->groups[LM_GROUP_LAYERS];
    size_t own = (size_t)weights->family->groups[LM_GROUP_MODEL].targets;
    uint64_t times = (uint64_t)lm_family_layers(weights->family, weights->config) /
                     (uint64_t)lm_group_layers(layers, weights->config);
    uint64_t elements = 0;

    for (size_t i = 0; i < weights->target_count; i++)
        if (weights->targets[i].use == LM_SLOT_PACKED && !weights->targets[i].spare)
            elements += (uint64_t)weights->targets[i].rows * weights->targets[i].width *
                        (i < own ? 1 : times);
    return 2 * elements;
}

/* The labels of the head, which is the last group; one without is on the vocabulary. */
static lm_status
describe_head(lm_planner *p, lm_buffer *details)
{
    const lm_weights_plan *weights = lm_planned_weights(p);
    const lm_weight_target *head = weights->targets + weights->target_count - LM_HEAD_TARGETS;
    lm_model_info *info = &p->plan->info;

    info->task = p->plan->head->task;
    if (p->plan->checkpoint.sentence.splade)
        return lm_sparse_head_check(p, head[LM_HEAD_OUT].parts > 0, info);
    if (!lm_head_has_labels(p->plan->head))
        return lm_head_is_on_words(p->plan->head)
                   ? lm_vocabulary_head_check(p, head[LM_HEAD_OUT].parts > 0, info)
                   : LM_OK;
    LM_TRY(lm_labels_read(p, (int)head[LM_HEAD_OUT].rows, info));
    LM_TRY(lm_rerank_read(p, info));
    return lm_buffer_printf(details, ", \"labels\": %d, \"scores\": \"%s\"", info->label_count,
                            lm_scoring_name(info->scoring));
}

/* The rest of the names of poolings, and the modules behind them. */
static lm_status
describe_steps(const lm_sentence_transformers *sentence, lm_buffer *details)
{
    static const char *const kinds[] = {
        [LM_STEP_DENSE] = "Dense",
        [LM_STEP_LAYER_NORM] = "LayerNorm",
        [LM_STEP_NORMALIZE] = "Normalize",
    };

    if (sentence->splade)
        return lm_buffer_printf(details, "%s\", \"activation\": \"%s\", \"normalize\": false",
                                sentence->splade & LM_SPLADE_SUM ? "sum" : "max",
                                sentence->splade & LM_SPLADE_TWICE ? "log1p_relu" : "relu");
    LM_TRY(lm_buffer_append_string(details, sentence->late.writer == LM_LATE_NONE
                                                ? lm_pooling_name(sentence->pooling)
                                                : "none"));
    for (int i = 0; i < sentence->more_count; i++)
        LM_TRY(lm_buffer_printf(details, ", %s", lm_pooling_name(sentence->more_poolings[i])));
    for (int i = 0; i < sentence->step_count; i++)
        LM_TRY(lm_buffer_printf(details, "%s%s", i > 0 ? ", " : "\", \"modules\": \"",
                                kinds[sentence->steps[i].kind]));
    return lm_buffer_printf(details, "\", \"normalize\": %s",
                            sentence->normalize ? "true" : "false");
}

/* What the caller asks the model to serve has to be what it can. */
static lm_status
check_task(const lm_planner *p)
{
    const char *asked = p->options->task, *found = p->plan->info.task;

    if (!asked || p->options->as_embedding || strcmp(asked, found) == 0)
        return LM_OK;
    lm_raise(p->ctx, LM_UNSUPPORTED, "the model does not serve the task that was asked for");
    lm_detail_file(p->ctx, p->plan->checkpoint.config_file);
    lm_detail_key(p->ctx, "architectures");
    lm_detail_found(p->ctx, "what serves the task %s", found);
    return lm_detail_allowed(p->ctx, "a head for the task %s", asked);
}

static lm_status
describe(lm_planner *p, lm_buffer *details)
{
    const lm_weights_plan *weights = lm_planned_weights(p);
    const lm_sentence_transformers *sentence = &p->plan->checkpoint.sentence;
    const lm_dims *dims = weights->config;
    lm_model_info *info = &p->plan->info;
    int layers = lm_family_layers(weights->family, dims);

    info->family = p->plan->family->name;
    info->task = sentence->late.writer == LM_LATE_NONE ? "embedding" : "late_interaction";
    info->parameters += weights->parameters;
    info->flops_per_token = count_flops(weights);
    info->precision = weights->precision;
    LM_TRY(
        lm_buffer_printf(details,
                         "{\"hidden\": %d, \"layers\": %d, \"vocabulary\": %d, \"positions\": %d, "
                         "\"pooling\": \"",
                         dims->hidden, layers, dims->vocab, dims->window));
    LM_TRY(describe_steps(sentence, details));
    if (p->plan->head)
        LM_TRY(describe_head(p, details));
    LM_TRY(check_task(p));
    return lm_buffer_append_byte(details, '}');
}

/* ---- A head on another model's encoder: what is the same of both is the base's ---- */

static bool
claims_added(const lm_checkpoint *checkpoint)
{
    return checkpoint->on_base && !lm_checkpoint_is_static(checkpoint);
}

static lm_status
begin_added(lm_planner *p)
{
    LM_TRY(begin(p));
    if (p->plan->head)
        return LM_OK;
    lm_raise(p->ctx, LM_UNSUPPORTED, "the model's files have no head");
    return show_architectures(p);
}

/* The tokenizer is the base's, and not in the image: what is to be known of it is looked at here.
 */
static lm_status
check_added(lm_planner *p)
{
    LM_TRY(check_steps(p));
    LM_TRY(lm_section_tokenizer.plan(p, &p->plan->sections[LM_SECTION_TOKENIZER]));
    return check_tokenizer(p);
}

const lm_model_kind lm_kind_added_head = {
    .name = "added_head",
    .on_base = true,
    .sections =
        {
            {&lm_section_settings, NULL},
            {&lm_section_steps, check_added},
            {&lm_section_weights, check_embedding},
        },
    .claims = claims_added,
    .begin = begin_added,
    .describe = describe,
};

const lm_model_kind lm_kind_encoder = {
    .name = "encoder",
    .sections =
        {
            {&lm_section_settings, NULL},
            {&lm_section_tokenizer, check_tokenizer},
            {&lm_section_steps, check_steps},
            {&lm_section_weights, check_embedding},
        },
    .begin = begin,
    .describe = describe,
};

/* ---- Late interaction: the same, and a vector for each token ---- */

static bool
claims_late(const lm_checkpoint *checkpoint)
{
    return checkpoint->sentence.late.writer != LM_LATE_NONE;
}

/* Its modules would be left out, and what is left was never trained to be pooled. */
static lm_status
begin_late(lm_planner *p)
{
    if (!p->options->as_embedding)
        return begin(p);
    lm_raise(p->ctx, LM_UNSUPPORTED, "the model is not an embedding model");
    lm_detail_key(p->ctx, "task");
    lm_detail_found(p->ctx, "embedding");
    return lm_detail_allowed(p->ctx, "late_interaction");
}

/* A vector that is cut is another model's. */
static lm_status
check_late_steps(lm_planner *p)
{
    const int width = p->plan->info.dimensions = (int)lm_planned_width(p);

    if (p->options->dimensions == 0 || p->options->dimensions >= width)
        return LM_OK;
    lm_raise(p->ctx, LM_BAD_ARGUMENT, "vectors of late interaction are not cut");
    lm_detail_key(p->ctx, "dimensions");
    return lm_detail_found(p->ctx, "%d", p->options->dimensions);
}

const lm_model_kind lm_kind_late = {
    .name = "late_interaction",
    .sections =
        {
            {&lm_section_settings, NULL},
            {&lm_section_late, NULL},
            {&lm_section_tokenizer, check_tokenizer},
            {&lm_section_steps, check_late_steps},
            {&lm_section_weights, check_embedding},
        },
    .claims = claims_late,
    .begin = begin_late,
    .describe = describe,
};
