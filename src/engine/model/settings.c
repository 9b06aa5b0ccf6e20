/*
 * settings.c - the settings section: a struct of numbers, then strings, then arrays of their
 * offsets. Offset 0 is the struct itself and so means "none". Read checks every offset although the
 * section is our own, because it lies in memory that other processes map.
 */
#include "model/settings.h"

#include <string.h>

#include "base/size.h"
#include "model/sections.h"

typedef struct settings {
    uint64_t parameters, flops_per_token;
    int32_t dimensions, max_tokens;
    int32_t pooling, max_seq_length, scoring, pair_scoring, mask_token, pad_token;
    uint32_t splade, padding;
    uint8_t present, include_prompt, normalize, lower_case;
    uint8_t routes[LM_SIDE_COUNT], spare;
    uint32_t kind, family, task, details, default_prompt; /* strings */
    uint32_t label_count, labels;                         /* labels: array of strings */
    uint32_t prompt_count, prompts;                       /* array of pairs: name, text */
} settings;

/* ---- Write ---- */

/* Append a string; *offset is its place from the section's start, 0 for NULL. */
static lm_status
write_string(lm_buffer *out, size_t start, const char *string, uint32_t *offset)
{
    *offset = 0;
    if (!string)
        return LM_OK;
    if (out->size - start > UINT32_MAX / 2)
        return lm_raise(out->ctx, LM_TOO_LARGE, "the settings of the model are too large");
    *offset = (uint32_t)(out->size - start);
    LM_TRY(lm_buffer_append_string(out, string));
    return lm_buffer_append_byte(out, '\0');
}

/* Append room for count offsets; *offset is its place. */
static lm_status
write_array(lm_buffer *out, size_t start, size_t count, uint32_t *offset)
{
    static const uint32_t zero;

    while ((out->size - start) % sizeof zero != 0)
        LM_TRY(lm_buffer_append_byte(out, '\0'));
    if (out->size - start > UINT32_MAX / 2)
        return lm_raise(out->ctx, LM_TOO_LARGE, "the settings of the model are too large");
    *offset = (uint32_t)(out->size - start);
    for (size_t i = 0; i < count; i++)
        LM_TRY(lm_buffer_append(out, &zero, sizeof zero));
    return LM_OK;
}

/* Set element i of the array at `array`. By offset, since appending moves the buffer. */
static void
set_element(lm_buffer *out, size_t start, uint32_t array, size_t i, uint32_t value)
{
    memcpy(out->data + start + array + i * sizeof value, &value, sizeof value);
}

/* Strings follow the array that points to them, in the order of the classes. */
static lm_status
write_labels(lm_buffer *out, size_t start, const lm_model_info *info, settings *head)
{
    uint32_t label;

    head->label_count = (uint32_t)info->label_count;
    LM_TRY(write_array(out, start, head->label_count, &head->labels));
    for (uint32_t i = 0; i < head->label_count; i++) {
        LM_TRY(write_string(out, start, info->labels[i], &label));
        set_element(out, start, head->labels, i, label);
    }
    return LM_OK;
}

/* Name and text in turn, as one array of pairs. */
static lm_status
write_prompts(lm_buffer *out, size_t start, const lm_sentence_transformers *sentence,
              settings *head)
{
    uint32_t name, text;

    head->prompt_count = (uint32_t)sentence->prompt_count;
    LM_TRY(write_array(out, start, 2 * (size_t)head->prompt_count, &head->prompts));
    for (uint32_t i = 0; i < head->prompt_count; i++) {
        LM_TRY(write_string(out, start, sentence->prompts[i].name, &name));
        LM_TRY(write_string(out, start, sentence->prompts[i].text, &text));
        set_element(out, start, head->prompts, 2 * (size_t)i, name);
        set_element(out, start, head->prompts, 2 * (size_t)i + 1, text);
    }
    return LM_OK;
}

/*
 * The struct is written twice: first to hold its place, then with the offsets that are known by
 * then.
 */
lm_status
lm_settings_write(lm_buffer *out, const lm_model_info *info,
                  const lm_sentence_transformers *sentence)
{
    size_t start = out->size;
    settings head;

    memset(&head, 0, sizeof head); /* padding too: equal models have equal images */
    head.parameters = info->parameters;
    head.flops_per_token = info->flops_per_token;
    head.dimensions = info->dimensions;
    head.max_tokens = info->max_tokens;
    head.pooling = (int32_t)sentence->pooling;
    head.max_seq_length = sentence->max_seq_length;
    head.scoring = (int32_t)info->scoring;
    head.pair_scoring = (int32_t)info->pair_scoring;
    head.mask_token = info->mask_token;
    head.pad_token = info->pad_token;
    head.splade = sentence->splade;
    head.present = sentence->present;
    head.include_prompt = sentence->include_prompt;
    head.normalize = sentence->normalize;
    head.lower_case = sentence->lower_case;
    for (int side = 0; side < LM_SIDE_COUNT; side++)
        head.routes[side] = (uint8_t)info->routes[side];
    LM_TRY(lm_buffer_append(out, &head, sizeof head));
    LM_TRY(write_string(out, start, info->kind, &head.kind));
    LM_TRY(write_string(out, start, info->family, &head.family));
    LM_TRY(write_string(out, start, info->task, &head.task));
    LM_TRY(write_string(out, start, info->details, &head.details));
    LM_TRY(write_string(out, start, sentence->default_prompt, &head.default_prompt));
    LM_TRY(write_labels(out, start, info, &head));
    LM_TRY(write_prompts(out, start, sentence, &head));
    memcpy(out->data + start, &head, sizeof head);
    return LM_OK;
}

/* ---- Read ---- */

typedef struct reader {
    const char *bytes;
    size_t size;
    bool broken;
} reader;

/* A string must end inside the section, or a reader would run on into the next one. */
static const char *
read_string(reader *r, uint32_t offset)
{
    if (offset == 0)
        return NULL;
    if (offset >= r->size || !memchr(r->bytes + offset, '\0', r->size - offset)) {
        r->broken = true;
        return NULL;
    }
    return r->bytes + offset;
}

/* The string that element i of an array of offsets points to. */
static const char *
read_element(reader *r, uint32_t array, size_t i)
{
    size_t at = array + i * sizeof(uint32_t);
    uint32_t offset;

    if (at + sizeof offset > r->size) {
        r->broken = true;
        return NULL;
    }
    memcpy(&offset, r->bytes + at, sizeof offset);
    return read_string(r, offset);
}

/* prompts is the array that the view keeps; its strings stay in the image. */
static void
read_sentence(reader *r, const settings *head, lm_prompt *prompts,
              lm_sentence_transformers *sentence)
{
    for (uint32_t i = 0; i < head->prompt_count; i++)
        prompts[i] = (lm_prompt){
            .name = read_element(r, head->prompts, 2 * (size_t)i),
            .text = read_element(r, head->prompts, 2 * (size_t)i + 1),
        };
    *sentence = (lm_sentence_transformers){
        .present = head->present,
        .pooling = (lm_pooling)head->pooling,
        .splade = head->splade,
        .include_prompt = head->include_prompt,
        .normalize = head->normalize,
        .lower_case = head->lower_case,
        .max_seq_length = head->max_seq_length,
        .prompts = prompts,
        .prompt_count = (int)head->prompt_count,
        .default_prompt = read_string(r, head->default_prompt),
    };
}

/* As read_sentence, for the labels of a head. */
static void
read_info(reader *r, const settings *head, const char **labels, lm_model_info *info)
{
    for (uint32_t i = 0; i < head->label_count; i++)
        labels[i] = read_element(r, head->labels, i);
    *info = (lm_model_info){
        .kind = read_string(r, head->kind),
        .family = read_string(r, head->family),
        .task = read_string(r, head->task),
        .details = read_string(r, head->details),
        .dimensions = head->dimensions,
        .max_tokens = head->max_tokens,
        .parameters = head->parameters,
        .flops_per_token = head->flops_per_token,
        .scoring = (lm_scoring)head->scoring,
        .pair_scoring = (lm_scoring)head->pair_scoring,
        .mask_token = head->mask_token,
        .pad_token = head->pad_token,
        .label_count = (int)head->label_count,
        .labels = labels,
    };
    for (int side = 0; side < LM_SIDE_COUNT; side++)
        info->routes[side] = head->routes[side];
}

/* Counts are checked against the section's size before memory for them is asked for. */
lm_status
lm_settings_read(lm_context *ctx, const void *section, size_t size, lm_model *model, void **memory)
{
    reader r = {.bytes = section, .size = size};
    settings head;
    lm_prompt *prompts;

    if (size < sizeof head)
        return lm_raise(ctx, LM_INTERNAL, "the settings in the image are truncated");
    memcpy(&head, section, sizeof head);
    if (head.label_count > size / sizeof(uint32_t) || head.prompt_count > size / sizeof(uint32_t) ||
        head.pooling < LM_POOL_NONE || head.pooling >= LM_POOL_COUNT || head.scoring < 0 ||
        head.scoring >= LM_SCORING_COUNT || head.pair_scoring < 0 ||
        head.pair_scoring >= LM_SCORING_COUNT || (head.splade & ~(uint32_t)LM_SPLADE_ALL) != 0)
        return lm_raise(ctx, LM_INTERNAL, "the settings of the image are not valid");
    prompts = lm_alloc(ctx, head.prompt_count * sizeof *prompts +
                                head.label_count * sizeof(const char *));
    if (!prompts)
        return LM_NO_MEMORY;
    read_sentence(&r, &head, prompts, &model->sentence);
    read_info(&r, &head, (const char **)(prompts + head.prompt_count), &model->info);
    if (r.broken) {
        lm_free(ctx, prompts);
        return lm_raise(ctx, LM_INTERNAL, "the settings of the image are not valid");
    }
    *memory = prompts;
    return LM_OK;
}

/* ---- Section ---- */

/* The last one that is planned, since it holds what the others found out. */
static lm_status
plan_settings(lm_planner *p, lm_planned_section *section)
{
    lm_buffer bytes;
    lm_status status;

    lm_buffer_init(&bytes, p->ctx);
    status = lm_settings_write(&bytes, &p->plan->info, &p->plan->checkpoint.sentence);
    if (status == LM_OK)
        status = lm_section_keep(p, &bytes, section);
    lm_buffer_free(&bytes);
    return status;
}

static lm_status
bind_settings(lm_context *ctx, const void *bytes, size_t size, lm_model *model)
{
    void *memory;

    LM_TRY(lm_settings_read(ctx, bytes, size, model, &memory));
    model->views[LM_SECTION_SETTINGS] = memory;
    return LM_OK;
}

static void
unbind_settings(lm_context *ctx, lm_model *model)
{
    lm_free(ctx, (void *)(uintptr_t)model->views[LM_SECTION_SETTINGS]);
}

const lm_section_kind lm_section_settings = {
    .name = "settings",
    .id = LM_SECTION_SETTINGS,
    .layout = 5,
    .plan = plan_settings,
    .fill = lm_section_copy,
    .bind = bind_settings,
    .unbind = unbind_settings,
};
