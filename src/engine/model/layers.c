/*
 * layers.c - the kind of model that is a net of layers, trained here or anywhere. Its words are
 * made a tokenizer, so whatever cuts texts for encoders cuts them for it.
 */
#include <stdio.h>
#include <string.h>

#include "model/kinds.h"
#include "model/labels.h"
#include "model/layers_plan.h"
#include "model/window.h"

static const lm_key_rule config_keys[] = {
    {"model_type", LM_KEY_OBEYED, NULL},
    {"task", LM_KEY_OBEYED, NULL},
    {"layers", LM_KEY_OBEYED, NULL},
    {"labels", LM_KEY_OBEYED, NULL},
    {"words", LM_KEY_OBEYED, NULL},
    {"lower_case", LM_KEY_OBEYED, NULL},
    {"pad_id", LM_KEY_OBEYED, NULL},
    {"unknown_id", LM_KEY_OBEYED, NULL},
    {"max_length", LM_KEY_OBEYED, NULL},
    {"truncate", LM_KEY_OBEYED, NULL},
    {"architectures", LM_KEY_HARMLESS, NULL},
    {"torch_dtype", LM_KEY_HARMLESS, NULL}, /* the tensors say it, and the next */
    {"dtype", LM_KEY_HARMLESS, NULL},
    {"transformers_version", LM_KEY_HARMLESS, NULL},
    {0},
};

static bool
claims(const lm_checkpoint *checkpoint)
{
    return lm_json_is_string(lm_json_get(checkpoint->config, "model_type"), LM_LAYERS_TYPE);
}

/* ---- config.json ---- */

static lm_status
refuse(const lm_planner *p, const char *key, const char *allowed)
{
    const lm_json *found = lm_json_get(p->plan->checkpoint.config, key);
    char shown[80] = "nothing";

    if (found)
        lm_json_show(found, shown, sizeof shown);
    lm_raise(p->ctx, LM_BAD_MODEL, "a setting of the net is not valid");
    lm_detail_file(p->ctx, p->plan->checkpoint.config_file);
    lm_detail_key(p->ctx, "%s", key);
    lm_detail_found(p->ctx, "%s", shown);
    return lm_detail_allowed(p->ctx, "%s", allowed);
}

/* A string, or `fallback`; NULL: it is something else. */
static const char *
string_of(const lm_planner *p, const char *key, const char *fallback)
{
    const lm_json *found = lm_json_get(p->plan->checkpoint.config, key);

    if (!found)
        return fallback;
    return found->type == LM_JSON_STRING &&
                   strlen(found->as.string.bytes) == found->as.string.length
               ? found->as.string.bytes
               : NULL;
}

static lm_status
read_integer(const lm_planner *p, const char *key, int64_t low, int64_t high, int64_t *value)
{
    const lm_json *found = lm_json_get(p->plan->checkpoint.config, key);
    char allowed[80];

    if (!found)
        return LM_OK;
    *value = found->type == LM_JSON_NUMBER && found->is_integer ? found->integer : low - 1;
    if (*value >= low && *value <= high)
        return LM_OK;
    snprintf(allowed, sizeof allowed, "an integer from %lld to %lld", (long long)low,
             (long long)high);
    return refuse(p, key, allowed);
}

static lm_status
read_lower_case(const lm_planner *p, lm_layers_settings *s)
{
    const lm_json *found = lm_json_get(p->plan->checkpoint.config, "lower_case");

    if (found && found->type != LM_JSON_BOOL)
        return refuse(p, "lower_case", "true or false");
    s->lower_case = found && found->boolean;
    return LM_OK;
}

/* Labels go to SQL as text, which cannot hold U+0000. */
static lm_status
read_labels(const lm_planner *p, lm_layers_settings *s)
{
    const lm_json *labels = lm_json_get(p->plan->checkpoint.config, "labels");
    const char **names;

    if (!labels || labels->type != LM_JSON_ARRAY || labels->as.items.count == 0 ||
        labels->as.items.count > 65536)
        return refuse(p, "labels", "an array of 1 to 65536 strings");
    names = lm_arena_array(p->arena, labels->as.items.count, sizeof *names);
    if (!names)
        return LM_NO_MEMORY;
    for (const lm_json *label = labels->as.items.first; label; label = label->next) {
        if (label->type != LM_JSON_STRING ||
            strlen(label->as.string.bytes) != label->as.string.length)
            return refuse(p, "labels", "strings without U+0000");
        names[s->label_count++] = label->as.string.bytes;
    }
    s->labels = names;
    return lm_labels_check_distinct(p->ctx, p->plan->checkpoint.config_file, "labels", names,
                                    s->label_count);
}

static lm_status
read_words(const lm_planner *p, lm_layers_plan *plan)
{
    lm_layers_settings *s = &plan->settings;
    const char *cut = string_of(p, "truncate", "post");

    s->words = string_of(p, "words", "whitespace");
    plan->by_word = s->words && strcmp(s->words, LM_LAYERS_BY_TOKENIZER) != 0;
    if (!s->words || (plan->by_word && !lm_word_style_is_known(s->words)))
        return refuse(p, "words", "whitespace, unicode, tokenizer");
    if (!cut || (strcmp(cut, "pre") != 0 && strcmp(cut, "post") != 0))
        return refuse(p, "truncate", "pre, post");
    s->cut_front = strcmp(cut, "pre") == 0;
    LM_TRY(read_lower_case(p, s));
    s->longest = LM_LAYERS_LENGTH;
    LM_TRY(read_integer(p, "max_length", 1, LM_LAYERS_LONGEST, &s->longest));
    LM_TRY(read_integer(p, "pad_id", 0, INT32_MAX, &s->pad));
    s->unknown = 1;
    return read_integer(p, "unknown_id", 0, INT32_MAX, &s->unknown);
}

static lm_status
read_settings(const lm_planner *p, lm_layers_plan *plan)
{
    const char *task = string_of(p, "task", "");

    plan->task = task ? lm_layers_task_find(task) : NULL;
    if (!plan->task)
        return refuse(p, "task", "classification, tagging, regression, language_model");
    plan->settings.task = plan->task->name;
    LM_TRY(read_words(p, plan));
    return plan->task->language ? LM_OK : read_labels(p, &plan->settings);
}

/* ---- Words ---- */

static lm_status
no_file(const lm_planner *p, const char *file)
{
    lm_raise(p->ctx, LM_NO_FILE, "a file of the model is missing");
    return lm_detail_file(p->ctx, file);
}

/* vocab.txt as the tokenizer that it stands for. Another tokenizer beside it would be ignored. */
static lm_status
list_words(lm_planner *p, const lm_layers_plan *plan)
{
    lm_checkpoint *checkpoint = &p->plan->checkpoint;
    const lm_listed_words list = {"vocab.txt", checkpoint->vocab_lines, plan->settings.words,
                                  plan->settings.lower_case, (uint32_t)plan->settings.unknown};

    if (checkpoint->tokenizer)
        return refuse(p, "words", "tokenizer, since there is a tokenizer.json");
    if (!checkpoint->vocab_lines)
        return no_file(p, "vocab.txt");
    if (plan->settings.unknown >= (int64_t)checkpoint->vocab_lines->as.items.count)
        return refuse(p, "unknown_id", "the number of a line of vocab.txt");
    checkpoint->tokenizer_config = NULL;
    return lm_listed_words_tokenizer(p->ctx, p->arena, &list, &checkpoint->tokenizer);
}

/* The side is what config.json says. */
static lm_status
set_side(lm_planner *p, const lm_layers_plan *plan)
{
    static const char left[] = "{\"truncation_side\": \"left\"}";

    if (!plan->settings.cut_front)
        return LM_OK;
    return lm_json_parse(p->ctx, p->arena, left, sizeof left - 1, "config.json",
                         &p->plan->checkpoint.tokenizer_config);
}

static lm_status
make_tokenizer(lm_planner *p, const lm_layers_plan *plan)
{
    if (plan->by_word)
        LM_TRY(list_words(p, plan));
    else if (!p->plan->checkpoint.tokenizer)
        return no_file(p, "tokenizer.json");
    return set_side(p, plan);
}

/* ---- The kind ---- */

/* Rows of the embedding, as its tensor has them, which ids are below; without one the words of the
 * list. */
static size_t
count_words(const lm_checkpoint *checkpoint, const lm_layers_plan *plan)
{
    const lm_tensor *table = lm_tensors_find(&checkpoint->tensors, "0.weight");

    if (!table && plan->by_word && checkpoint->vocab_lines)
        return checkpoint->vocab_lines->as.items.count;
    return table && table->rank == 2 && table->shape[0] < INT32_MAX ? (size_t)table->shape[0] : 1;
}

static lm_status
read_net(lm_planner *p, lm_layers_plan *plan)
{
    const lm_checkpoint *checkpoint = &p->plan->checkpoint;
    const lm_net_source source = {checkpoint->config_file, LM_BAD_MODEL,
                                  count_words(checkpoint, plan), plan->task->by_text,
                                  plan->task->language};

    LM_TRY(lm_net_make(p->ctx, p->arena, lm_json_get(checkpoint->config, "layers"), &source,
                       &plan->net));
    p->plan->vocabulary = (int32_t)source.vocabulary;
    if (plan->net.characters && !plan->by_word)
        return refuse(p, "words", "whitespace, unicode, where the first layer is characters");
    if (plan->net.characters && plan->settings.lower_case)
        return refuse(p, "lower_case", "false, where the first layer is characters");
    if (plan->task->language || plan->net.out == (size_t)plan->settings.label_count)
        return LM_OK;
    lm_raise(p->ctx, LM_BAD_MODEL, "the last layer does not have a number for each label");
    lm_detail_file(p->ctx, checkpoint->config_file);
    lm_detail_key(p->ctx, "layers");
    lm_detail_found(p->ctx, "%zu numbers", plan->net.out);
    return lm_detail_allowed(p->ctx, "%d, as there are labels", plan->settings.label_count);
}

static lm_status
begin(lm_planner *p)
{
    const lm_checkpoint *checkpoint = &p->plan->checkpoint;
    lm_layers_plan *plan = lm_arena_zero(p->arena, sizeof *plan);

    if (!plan)
        return LM_NO_MEMORY;
    p->plan->sections[LM_SECTION_NET].state = plan;
    if (p->options->as_embedding)
        return lm_raise(p->ctx, LM_BAD_ARGUMENT, "a net of layers has no embedding");
    LM_TRY(lm_keys_check(p->ctx, p->notes, checkpoint->config_file, "", checkpoint->config,
                         config_keys));
    LM_TRY(read_settings(p, plan));
    LM_TRY(read_net(p, plan));
    return make_tokenizer(p, plan);
}

/* A window must have room for a token besides the special ones of a tokenizer.json. */
static lm_status
choose_window(lm_planner *p, const lm_tokenizer *tokenizer)
{
    const int own = (int)lm_layers_planned(p)->settings.longest, asked = lm_planned_window(p, own);
    const int least = lm_window_least(tokenizer);
    char allowed[80];

    if (asked > 0)
        LM_TRY(lm_window_check(p->ctx, asked, least, LM_LAYERS_LONGEST));
    p->plan->info.max_tokens = asked > 0 ? asked : own;
    if (p->plan->info.max_tokens >= least)
        return LM_OK;
    snprintf(allowed, sizeof allowed, "an integer from %d to %d", least, LM_LAYERS_LONGEST);
    return refuse(p, "max_length", allowed);
}

static lm_status
check_tokenizer(lm_planner *p)
{
    const lm_planned_section *section = &p->plan->sections[LM_SECTION_TOKENIZER];
    lm_tokenizer tokenizer;

    LM_TRY(lm_tokenizer_bind(p->ctx, section->state, section->size, &tokenizer));
    return choose_window(p, &tokenizer);
}

static lm_status
describe(lm_planner *p, lm_buffer *details)
{
    const lm_layers_plan *plan = lm_layers_planned(p);
    lm_model_info *info = &p->plan->info;

    info->family = LM_LAYERS_TYPE;
    info->task = plan->task->task;
    info->parameters = plan->net.numbers;
    info->flops_per_token = plan->net.flops;
    info->scoring = plan->task->scoring;
    info->label_count = plan->settings.label_count;
    info->labels = plan->settings.labels;
    if (plan->task->language) {
        info->dimensions = (int)plan->net.out;
        return lm_buffer_printf(details,
                                "{\"layers\": %zu, \"vocabulary\": %zu, \"words\": \"%s\"}",
                                plan->net.layer_count, plan->net.vocabulary, plan->settings.words);
    }
    return lm_buffer_printf(details,
                            "{\"layers\": %zu, \"vocabulary\": %zu, \"words\": \"%s\", "
                            "\"labels\": %d, \"scores\": \"%s\"}",
                            plan->net.layer_count, plan->net.vocabulary, plan->settings.words,
                            plan->settings.label_count, lm_scoring_name(info->scoring));
}

const lm_model_kind lm_kind_layers = {
    .name = "layers",
    .sections =
        {
            {&lm_section_settings, NULL},
            {&lm_section_tokenizer, check_tokenizer},
            {&lm_section_net, NULL},
        },
    .claims = claims,
    .begin = begin,
    .describe = describe,
};
