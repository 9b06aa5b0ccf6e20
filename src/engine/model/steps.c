/*
 * steps.c - the section of a model's modules behind its encoder: widths and offsets, then numbers,
 * which are float32 at every precision.
 */
#include "model/steps.h"

#include <string.h>

#include "base/size.h"
#include "model/sections.h"
#include "model/vectors.h"
#include "nn/pointwise.h"

/* Tensors of a step, by what they are to it. */
enum { WEIGHT, BIAS, SHORTCUT, STEP_TENSORS };

/* A step in the image. */
typedef struct stored_step {
    uint32_t kind, act, residual, padding;
    uint64_t in, out;
    uint64_t offsets[STEP_TENSORS]; /* in the section; 0: there is none */
} stored_step;

typedef struct stored_steps {
    uint32_t pooling_count, count;
    uint32_t poolings[LM_POOLING_LIMIT];
    uint64_t pooled, width, widest;
    uint64_t mix, mix_count; /* where the layers' weights are in the section; 0: there are none */
    stored_step items[LM_STEP_LIMIT];
} stored_steps;

/* What is known once the files are read; lives in the arena. */
typedef struct steps_plan {
    stored_steps head;
    const lm_tensor *tensors[LM_STEP_LIMIT][STEP_TENSORS];
    const lm_tensor *mix; /* of the layers from mix_first on */
    int mix_first;
} steps_plan;

/* ---- Plan ---- */

/* A tensor that a kind of step has. */
static const struct {
    const char *name;
    bool matrix;
} names[LM_STEP_KINDS][STEP_TENSORS] = {
    [LM_STEP_DENSE] = {{"linear.weight", true}, {"linear.bias", false}, {"residual.weight", true}},
    [LM_STEP_LAYER_NORM] = {{"norm.weight", false}, {"norm.bias", false}},
};

/* Whether the step has the tensor. */
static bool
has_tensor(const lm_step_spec *spec, int which)
{
    if (!names[spec->kind][which].name)
        return false;
    if (spec->kind != LM_STEP_DENSE)
        return true;
    return which == WEIGHT || (which == BIAS && spec->bias) ||
           (which == SHORTCUT && spec->residual && spec->in != spec->out);
}

static lm_status
refuse_tensor(lm_planner *p, const lm_step_spec *spec, const char *name, const char *message)
{
    lm_raise(p->ctx, LM_BAD_MODEL, "%s", message);
    lm_detail_file(p->ctx, spec->tensors.file_count > 0 ? spec->tensors.files[0] : spec->file);
    return lm_detail_key(p->ctx, "%s", name);
}

static lm_status
find_tensor(lm_planner *p, const lm_step_spec *spec, int which, const lm_tensor **found)
{
    const char *name = names[spec->kind][which].name;
    bool matrix = names[spec->kind][which].matrix;
    const lm_tensor *tensor = lm_tensors_find(&spec->tensors, name);

    if (!tensor)
        return refuse_tensor(p, spec, name, "a tensor that the module needs is missing");
    if (tensor->rank != (matrix ? 2 : 1) || tensor->shape[0] != (uint64_t)spec->out ||
        (matrix && tensor->shape[1] != (uint64_t)spec->in)) {
        refuse_tensor(p, spec, name, "a tensor's shape does not match the module's config.json");
        return matrix ? lm_detail_allowed(p->ctx, "(%d, %d)", spec->out, spec->in)
                      : lm_detail_allowed(p->ctx, "(%d)", spec->out);
    }
    *found = tensor;
    return lm_tensor_check_dtype(p->ctx, tensor);
}

/* Appends a tensor to the section, of whose size a hostile file may make too much. */
static lm_status
place_tensor(lm_planner *p, const lm_tensor *tensor, size_t *size, uint64_t *offset)
{
    size_t bytes;

    *offset = *size;
    if (tensor->count > SIZE_MAX / 2 / sizeof(float) ||
        lm_add_overflows(*size, (size_t)tensor->count * sizeof(float), &bytes) ||
        bytes > SIZE_MAX - LM_ALIGNMENT)
        return lm_raise(p->ctx, LM_TOO_LARGE, "the model is too large");
    *size = lm_align_up(bytes);
    return LM_OK;
}

/* The class of an activation; no others are without arguments and see numbers alone. */
static lm_status
find_activation(lm_planner *p, const lm_step_spec *spec, uint32_t *act)
{
    int found = lm_pointwise_find(spec->act);

    *act = (uint32_t)found;
    if (found >= 0)
        return LM_OK;
    lm_raise(p->ctx, LM_UNSUPPORTED, "the activation of a module is not supported");
    lm_detail_file(p->ctx, spec->file);
    lm_detail_key(p->ctx, "activation_function");
    lm_detail_found(p->ctx, "%.100s", spec->act);
    return lm_detail_allowed(p->ctx, "Identity, Tanh, ReLU, GELU, Sigmoid, SiLU, and others of "
                                     "torch.nn that see each number alone");
}

/* A vector of `width` goes in. */
static lm_status
check_width(lm_planner *p, const lm_step_spec *spec, uint64_t width)
{
    if ((uint64_t)spec->in == width)
        return LM_OK;
    lm_raise(p->ctx, LM_BAD_MODEL, "a module does not fit the one before it");
    lm_detail_file(p->ctx, spec->file);
    lm_detail_key(p->ctx, spec->kind == LM_STEP_DENSE ? "in_features" : "dimension");
    lm_detail_found(p->ctx, "%d", spec->in);
    return lm_detail_allowed(p->ctx, "%llu, the width of what goes in", (unsigned long long)width);
}

static lm_status
plan_step(lm_planner *p, const lm_step_spec *spec, steps_plan *plan, size_t *size)
{
    stored_steps *head = &plan->head;
    const uint32_t index = head->count++;
    stored_step *step = &head->items[index];

    step->kind = (uint32_t)spec->kind;
    step->residual = spec->residual;
    if (spec->kind != LM_STEP_NORMALIZE) {
        LM_TRY(check_width(p, spec, head->width));
        head->width = (uint64_t)spec->out;
    }
    step->in = spec->in > 0 ? (uint64_t)spec->in : head->width;
    step->out = head->width;
    head->widest = head->width > head->widest ? head->width : head->widest;
    if (spec->kind == LM_STEP_DENSE)
        LM_TRY(find_activation(p, spec, &step->act));
    for (int which = 0; which < STEP_TENSORS; which++) {
        if (!has_tensor(spec, which))
            continue;
        LM_TRY(find_tensor(p, spec, which, &plan->tensors[index][which]));
        LM_TRY(place_tensor(p, plan->tensors[index][which], size, &step->offsets[which]));
        p->plan->info.parameters += plan->tensors[index][which]->count;
    }
    return LM_OK;
}

/* Their vectors stand side by side. */
static void
plan_poolings(const lm_sentence_transformers *sentence, stored_steps *head)
{
    head->pooling_count = 1 + (uint32_t)sentence->more_count;
    head->poolings[0] = (uint32_t)sentence->pooling;
    for (int i = 0; i < sentence->more_count; i++)
        head->poolings[i + 1] = (uint32_t)sentence->more_poolings[i];
    head->pooled *= head->pooling_count;
}

/* ---- Plan: layers ---- */

static lm_status
refuse_mix(lm_planner *p, const char *key, int found, int allowed)
{
    lm_raise(p->ctx, LM_BAD_MODEL, "the weights of layers do not fit the encoder");
    lm_detail_file(p->ctx, p->plan->checkpoint.sentence.mix.file);
    lm_detail_key(p->ctx, "%s", key);
    lm_detail_found(p->ctx, "%d", found);
    return lm_detail_allowed(p->ctx, "%d", allowed);
}

/* Whether the transformer gives its layers' hidden states; else the library leaves the module out.
 */
static bool
gives_layers(const lm_planner *p)
{
    const lm_checkpoint *checkpoint = &p->plan->checkpoint;
    const lm_json *set = lm_json_get(checkpoint->config, "output_hidden_states");
    const bool given = set && set->type == LM_JSON_BOOL && set->boolean;

    if (!given && p->notes)
        lm_notes_add(p->notes, checkpoint->config_file, "output_hidden_states",
                     "it is not true: WeightedLayerPooling does nothing, as in "
                     "sentence-transformers");
    return given;
}

/* One weight for each layer from the first on. */
static lm_status
plan_mix(lm_planner *p, const lm_dims *dims, steps_plan *plan, size_t *size)
{
    const int hidden = dims->hidden, layers = lm_family_layers(p->plan->family, dims);
    const lm_mix_spec *mix = &p->plan->checkpoint.sentence.mix;
    const lm_tensor *tensor = lm_tensors_find(&mix->tensors, "layer_weights");

    if (!mix->present || !gives_layers(p))
        return LM_OK;
    if (mix->width != 0 && mix->width != hidden)
        return refuse_mix(p, "embedding_dimension", mix->width, hidden);
    if (mix->layers != layers)
        return refuse_mix(p, "num_hidden_layers", mix->layers, layers);
    if (mix->first > layers)
        return refuse_mix(p, "layer_start", mix->first, layers);
    if (!tensor || tensor->count != (uint64_t)(layers + 1 - mix->first))
        return refuse_mix(p, "layer_weights", tensor ? (int)tensor->count : 0,
                          layers + 1 - mix->first);
    plan->mix = tensor;
    plan->mix_first = mix->first;
    plan->head.mix = *size;
    plan->head.mix_count = (uint64_t)layers + 1;
    *size = lm_align_up(*size + plan->head.mix_count * sizeof(float));
    p->plan->info.parameters += tensor->count;
    return lm_tensor_check_dtype(p->ctx, tensor);
}

/* Of what is pooled, hidden states or else vectors of tokens. */
static uint64_t
planned_input(const lm_planner *p)
{
    const lm_vectors_plan *vectors = p->plan->sections[LM_SECTION_VECTORS].state;

    if (vectors)
        return (uint64_t)(vectors->shape.bag ? vectors->shape.rows : vectors->shape.width);
    return (uint64_t)((const lm_dims *)lm_planned_weights(p)->config)->hidden;
}

/* The encoder's weights, or the tokens' vectors, are planned by then. Late interaction takes each
 * token for itself, and of vectors only those of words are pooled by a module. */
static lm_status
plan_steps(lm_planner *p, lm_planned_section *section)
{
    const lm_sentence_transformers *sentence = &p->plan->checkpoint.sentence;
    const lm_weights_plan *weights = lm_planned_weights(p);
    steps_plan *plan = lm_arena_zero(p->arena, sizeof *plan);
    size_t size = lm_align_up(sizeof plan->head);

    if (!plan)
        return LM_NO_MEMORY;
    plan->head.pooled = planned_input(p);
    if ((weights && sentence->late.writer == LM_LATE_NONE) ||
        lm_checkpoint_has_words(&p->plan->checkpoint))
        plan_poolings(sentence, &plan->head);
    plan->head.width = plan->head.widest = plan->head.pooled;
    if (weights)
        LM_TRY(plan_mix(p, weights->config, plan, &size));
    for (int i = 0; i < sentence->step_count; i++)
        LM_TRY(plan_step(p, &sentence->steps[i], plan, &size));
    *section = (lm_planned_section){plan, size};
    return LM_OK;
}

size_t
lm_planned_width(const lm_planner *p)
{
    const steps_plan *plan = p->plan->sections[LM_SECTION_STEPS].state;

    return (size_t)plan->head.width;
}

lm_status
lm_plan_dimensions(lm_planner *p)
{
    const lm_json *truncate = p->plan->checkpoint.sentence.truncate_dim;
    const int width = (int)lm_planned_width(p);
    int most = p->options->dimensions;

    if (most <= 0 && truncate && truncate->type == LM_JSON_NUMBER && truncate->is_integer &&
        truncate->integer >= 1 && truncate->integer < width)
        most = (int)truncate->integer;
    p->plan->info.cut = most > 0 && most < width;
    p->plan->info.dimensions = p->plan->info.cut ? most : width;
    return LM_OK;
}

/* ---- Fill ---- */

/* The first of a step's tensors in their file that is at `order` or behind it; -1: none. */
static int
next_tensor(const lm_tensor *const tensors[STEP_TENSORS], uint32_t order)
{
    int next = -1;

    for (int which = 0; which < STEP_TENSORS; which++)
        if (tensors[which] && tensors[which]->order >= order &&
            (next < 0 || tensors[which]->order < tensors[next]->order))
            next = which;
    return next;
}

/* The layers' weights, as shares of their sum. */
static lm_status
fill_mix(lm_context *ctx, const lm_source *source, const steps_plan *plan, char *base)
{
    float *weights = (float *)(void *)(base + plan->head.mix), sum = 0;

    if (!plan->mix)
        return LM_OK;
    memset(weights, 0, (size_t)plan->head.mix_count * sizeof *weights);
    LM_TRY(lm_tensor_read(ctx, source, plan->mix, weights + plan->mix_first));
    for (uint64_t i = 0; i < plan->head.mix_count; i++)
        sum += weights[i];
    for (uint64_t i = 0; i < plan->head.mix_count; i++)
        weights[i] /= sum;
    return LM_OK;
}

static lm_status
fill_steps(lm_context *ctx, const lm_model_plan *model, const lm_planned_section *section,
           void *bytes)
{
    const steps_plan *plan = section->state;
    char *base = bytes;

    memcpy(base, &plan->head, sizeof plan->head);
    LM_TRY(fill_mix(ctx, &model->source, plan, base));
    for (uint32_t i = 0; i < plan->head.count; i++) {
        const lm_tensor *const *tensors = plan->tensors[i];
        int which = next_tensor(tensors, 0);

        for (; which >= 0; which = next_tensor(tensors, tensors[which]->order + 1))
            LM_TRY(lm_tensor_read(ctx, &model->source, tensors[which],
                                  (float *)(base + plan->head.items[i].offsets[which])));
    }
    return LM_OK;
}

/* ---- Bind ---- */

static size_t
activation_count(void)
{
    size_t count = 0;

    while (lm_pointwises[count].name)
        count++;
    return count;
}

/* Numbers of a section that lies in memory which other processes map. */
static bool
is_valid(const stored_steps *head, size_t size)
{
    bool good = head->pooling_count <= LM_POOLING_LIMIT && head->count <= LM_STEP_LIMIT &&
                head->pooled <= head->widest && head->width <= head->widest && head->mix < size &&
                head->mix % LM_ALIGNMENT == 0 &&
                head->mix_count <= (size - head->mix) / sizeof(float);

    for (uint32_t i = 0; good && i < head->pooling_count; i++)
        good = head->poolings[i] < LM_POOL_COUNT;
    for (uint32_t i = 0; good && i < head->count; i++) {
        const stored_step *step = &head->items[i];

        good = step->kind < LM_STEP_KINDS && step->act < activation_count() &&
               step->in <= head->widest && step->out <= head->widest;
        for (int which = 0; good && which < STEP_TENSORS; which++)
            good = step->offsets[which] < size && step->offsets[which] % LM_ALIGNMENT == 0;
    }
    return good;
}

/* NULL: the step has no such tensor. */
static const float *
numbers_at(const char *base, uint64_t offset)
{
    return offset > 0 ? (const float *)(base + offset) : NULL;
}

static void
view_step(const char *base, const stored_step *stored, lm_step *step)
{
    *step = (lm_step){
        .kind = (lm_step_kind)stored->kind,
        .in = (size_t)stored->in,
        .out = (size_t)stored->out,
        .act = lm_pointwises[stored->act].of,
        .slope = lm_pointwises[stored->act].slope,
        .residual = stored->residual,
        .weight = numbers_at(base, stored->offsets[WEIGHT]),
        .bias = numbers_at(base, stored->offsets[BIAS]),
        .shortcut = numbers_at(base, stored->offsets[SHORTCUT]),
    };
}

static lm_status
bind_steps(lm_context *ctx, const void *bytes, size_t size, lm_model *model)
{
    stored_steps head;
    lm_steps *steps;

    if (size < sizeof head)
        return lm_raise(ctx, LM_INTERNAL, "the modules in the image are truncated");
    memcpy(&head, bytes, sizeof head);
    if (!is_valid(&head, size))
        return lm_raise(ctx, LM_INTERNAL, "the modules in the image are not valid");
    steps = lm_alloc_zero(ctx, sizeof *steps);
    if (!steps)
        return LM_NO_MEMORY;
    steps->pooling_count = head.pooling_count;
    for (uint32_t i = 0; i < head.pooling_count; i++)
        steps->poolings[i] = (lm_pooling)head.poolings[i];
    steps->mix = numbers_at(bytes, head.mix);
    steps->mix_count = (size_t)head.mix_count;
    steps->pooled = (size_t)head.pooled;
    steps->width = (size_t)head.width;
    steps->widest = (size_t)head.widest;
    steps->count = head.count;
    for (uint32_t i = 0; i < head.count; i++)
        view_step(bytes, &head.items[i], &steps->items[i]);
    model->views[LM_SECTION_STEPS] = steps;
    return LM_OK;
}

static void
unbind_steps(lm_context *ctx, lm_model *model)
{
    lm_free(ctx, (void *)(uintptr_t)model->views[LM_SECTION_STEPS]);
}

const lm_section_kind lm_section_steps = {
    .name = "steps",
    .id = LM_SECTION_STEPS,
    .layout = 2,
    .plan = plan_steps,
    .fill = fill_steps,
    .bind = bind_steps,
    .unbind = unbind_steps,
};
