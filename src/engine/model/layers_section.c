/*
 * layers_section.c - the section of a net of layers: its description as JSON, then its parameters,
 * each aligned, products packed for the kernels and the others as they are.
 */
#include <inttypes.h>
#include <string.h>

#include "base/size.h"
#include "format/values.h"
#include "model/layers_plan.h"
#include "model/sections.h"

typedef struct section_head {
    uint64_t description; /* bytes of it */
    uint64_t vocabulary;
    uint8_t by_text, by_word, spare[6];
    char task[24];
} section_head;

/* Where a parameter lies; from 0 on, with `size` behind the last. */
static size_t
lay_params(const lm_kernels *kernels, const lm_net *net, size_t size, size_t *places)
{
    const lm_product *product = &kernels->products[LM_PRECISION_F32];

    for (size_t i = 0; i < net->param_count; i++) {
        const lm_net_param *param = &net->params[i];
        const size_t at =
            lm_lay_bytes(&size, param->product ? product->packed_size(param->rows, param->columns)
                                               : param->rows * param->columns * sizeof(float));

        if (places)
            places[i] = at;
    }
    return size;
}

static size_t
head_size(size_t description)
{
    return lm_align_up(sizeof(section_head) + description + 1);
}

/* ---- Plan ---- */

static lm_status
refuse_tensor(lm_context *ctx, const lm_tensor *tensor, const char *name, const char *message)
{
    lm_raise(ctx, LM_BAD_MODEL, "%s", message);
    lm_detail_file(ctx, tensor ? tensor->file : "model.safetensors");
    return lm_detail_key(ctx, "%s", name);
}

static lm_status
find_tensor(lm_context *ctx, const lm_tensors *tensors, const lm_net_param *param,
            const lm_tensor **found)
{
    const lm_tensor *tensor = lm_tensors_find(tensors, param->name);
    bool same;

    if (!tensor)
        return refuse_tensor(ctx, NULL, param->name, "a tensor that the model needs is missing");
    LM_TRY(lm_tensor_check_dtype(ctx, tensor));
    same = tensor->rank == param->rank;
    for (int i = 0; same && i < param->rank; i++)
        same = tensor->shape[i] == param->shape[i];
    *found = tensor;
    if (same)
        return LM_OK;
    refuse_tensor(ctx, tensor, param->name, "a tensor has another shape than its layer");
    lm_detail_found(ctx, "%" PRIu64 " numbers in %d dimensions", tensor->count, tensor->rank);
    return lm_detail_allowed(ctx, "(%zu%s%.0zu%s%.0zu)", param->shape[0],
                             param->rank > 1 ? ", " : "", param->shape[1],
                             param->rank > 2 ? ", " : "", param->shape[2]);
}

/* What no layer has would be weights that do nothing. */
static lm_status
check_others(lm_context *ctx, const lm_tensors *tensors, const lm_net *net)
{
    for (size_t i = 0; i < tensors->count; i++) {
        bool known = false;

        for (size_t j = 0; j < net->param_count && !known; j++)
            known = strcmp(tensors->items[i].name, net->params[j].name) == 0;
        if (!known)
            return refuse_tensor(ctx, &tensors->items[i], tensors->items[i].name,
                                 "a tensor belongs to no layer");
    }
    return LM_OK;
}

static lm_status
plan_net(lm_planner *p, lm_planned_section *section)
{
    lm_layers_plan *plan = lm_layers_planned(p);
    const lm_tensors *tensors = &p->plan->checkpoint.tensors;
    lm_buffer text;
    lm_status status;

    plan->tensors = lm_arena_array(p->arena, plan->net.param_count, sizeof *plan->tensors);
    if (!plan->tensors)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < plan->net.param_count; i++)
        LM_TRY(find_tensor(p->ctx, tensors, &plan->net.params[i], &plan->tensors[i]));
    LM_TRY(check_others(p->ctx, tensors, &plan->net));
    lm_buffer_init(&text, p->ctx);
    status = lm_net_write(&plan->net, &text);
    if (status == LM_OK) {
        plan->description = lm_arena_copy(p->arena, text.data, text.size);
        status = plan->description ? LM_OK : LM_NO_MEMORY;
    }
    lm_buffer_free(&text);
    plan->kernels = p->kernels;
    *section = (lm_planned_section){
        plan, status == LM_OK
                  ? lay_params(p->kernels, &plan->net, head_size(strlen(plan->description)), NULL)
                  : 0};
    return status;
}

/* ---- Fill ---- */

/* The parameter whose tensor is the next in the files; false behind the last. */
static bool
next_tensor(const lm_layers_plan *plan, int64_t *last, size_t *param)
{
    bool found = false;

    for (size_t i = 0; i < plan->net.param_count; i++)
        if ((int64_t)plan->tensors[i]->order > *last &&
            (!found || plan->tensors[i]->order < plan->tensors[*param]->order)) {
            *param = i;
            found = true;
        }
    if (found)
        *last = plan->tensors[*param]->order;
    return found;
}

static lm_status
read_product(lm_context *ctx, const lm_layers_plan *plan, const lm_source *source, size_t i,
             void *packed)
{
    const lm_net_param *param = &plan->net.params[i];
    lm_matrix matrix = {.n = param->rows, .k = param->columns};
    float *values = lm_alloc_array(ctx, (size_t)plan->tensors[i]->count, sizeof *values);
    lm_status status;

    if (!values)
        return LM_NO_MEMORY;
    matrix.values = values;
    status = lm_tensor_read(ctx, source, plan->tensors[i], values);
    if (status == LM_OK)
        status = lm_pack(ctx, &plan->kernels->products[LM_PRECISION_F32], &matrix, packed);
    lm_free(ctx, values);
    return status;
}

static lm_status
fill_params(lm_context *ctx, const lm_layers_plan *plan, const lm_source *source,
            const size_t *places, char *bytes)
{
    int64_t last = -1;
    size_t i = 0;

    while (next_tensor(plan, &last, &i))
        LM_TRY(plan->net.params[i].product ? read_product(ctx, plan, source, i, bytes + places[i])
                                           : lm_tensor_read(ctx, source, plan->tensors[i],
                                                            (float *)(void *)(bytes + places[i])));
    return LM_OK;
}

static lm_status
fill_net(lm_context *ctx, const lm_model_plan *whole, const lm_planned_section *section,
         void *bytes)
{
    const lm_layers_plan *plan = section->state;
    const size_t length = strlen(plan->description);
    size_t *places = lm_alloc_array(ctx, plan->net.param_count, sizeof *places);
    section_head head;
    lm_status status;

    if (!places)
        return LM_NO_MEMORY;
    memset(&head, 0, sizeof head);
    head.description = length;
    head.vocabulary = plan->net.vocabulary;
    head.by_text = plan->net.by_text;
    head.by_word = plan->by_word;
    lm_copy_text(head.task, sizeof head.task, plan->task->name);
    memset(bytes, 0, head_size(length));
    memcpy(bytes, &head, sizeof head);
    memcpy((char *)bytes + sizeof head, plan->description, length);
    (void)lay_params(plan->kernels, &plan->net, head_size(length), places);
    status = fill_params(ctx, plan, &whole->source, places, bytes);
    lm_free(ctx, places);
    return status;
}

/* ---- Bind ---- */

static lm_status
bind_params(lm_context *ctx, const lm_kernels *kernels, const void *bytes, size_t size,
            size_t start, lm_layers *view)
{
    const size_t count = view->net.param_count;
    size_t *places = lm_arena_array(view->arena, count, sizeof *places);
    const float **values = lm_arena_array(view->arena, count, sizeof *values);
    const void **packed = lm_arena_array(view->arena, count, sizeof *packed);

    if (!places || !values || !packed)
        return LM_NO_MEMORY;
    if (lay_params(kernels, &view->net, start, places) > size)
        return lm_raise(ctx, LM_INTERNAL, "the net in the image is truncated");
    for (size_t i = 0; i < count; i++) {
        const void *at = (const char *)bytes + places[i];

        values[i] = view->net.params[i].product ? NULL : at;
        packed[i] = view->net.params[i].product ? at : NULL;
    }
    view->weights = (lm_net_weights){.kernels = kernels, .values = values, .packed = packed};
    return LM_OK;
}

/* The view and all it points to lie in one arena. */
static lm_status
read_view(lm_context *ctx, const lm_kernels *kernels, const void *bytes, size_t size,
          lm_layers *view)
{
    lm_net_source source = {"the image", LM_INTERNAL, 0, false, false};
    const lm_layers_task *task;
    const lm_json *layers;
    section_head head;

    if (size < sizeof head)
        return lm_raise(ctx, LM_INTERNAL, "the net in the image is truncated");
    memcpy(&head, bytes, sizeof head);
    if (head.description >= size - sizeof head)
        return lm_raise(ctx, LM_INTERNAL, "the net in the image is truncated");
    LM_TRY(lm_json_parse(ctx, view->arena, (const char *)bytes + sizeof head, head.description,
                         source.file, &layers));
    source.vocabulary = head.vocabulary;
    source.by_text = head.by_text;
    view->by_word = head.by_word;
    head.task[sizeof head.task - 1] = '\0';
    task = lm_layers_task_find(head.task);
    view->task = task ? task->name : "";
    source.language = task && task->language;
    LM_TRY(lm_net_make(ctx, view->arena, layers, &source, &view->net));
    return bind_params(ctx, kernels, bytes, size, head_size(head.description), view);
}

static void
free_view(lm_context *ctx, lm_layers *view)
{
    lm_arena *arena = view->arena;

    if (arena)
        lm_arena_free(arena);
    lm_free(ctx, arena);
    lm_free(ctx, view);
}

static lm_status
bind_net(lm_context *ctx, const void *bytes, size_t size, lm_model *model)
{
    lm_layers *view = lm_alloc_zero(ctx, sizeof *view);
    lm_status status = LM_NO_MEMORY;

    if (!view)
        return LM_NO_MEMORY;
    view->arena = lm_alloc(ctx, sizeof *view->arena);
    if (view->arena) {
        lm_arena_init(view->arena, ctx);
        status = read_view(ctx, model->kernels, bytes, size, view);
    }
    if (status == LM_OK && model->info.label_count != (view->net.softmax ? 0 : (int)view->net.out))
        status = lm_raise(ctx, LM_INTERNAL, "the net in the image has other labels");
    if (status != LM_OK) {
        free_view(ctx, view);
        return status;
    }
    model->views[LM_SECTION_NET] = view;
    return LM_OK;
}

static void
unbind_net(lm_context *ctx, lm_model *model)
{
    free_view(ctx, (lm_layers *)(uintptr_t)model->views[LM_SECTION_NET]);
}

const lm_section_kind lm_section_net = {
    .name = "net",
    .id = LM_SECTION_NET,
    .layout = 1,
    .plan = plan_net,
    .fill = fill_net,
    .bind = bind_net,
    .unbind = unbind_net,
};

/* ---- Its values ---- */

lm_status
lm_layers_values(lm_context *ctx, const lm_layers *layers, size_t param, float *values)
{
    const lm_net_param *p = &layers->net.params[param];
    const lm_net_weights *w = &layers->weights;

    if (p->product)
        return lm_unpack(ctx, w->kernels, LM_PRECISION_F32, w->packed[param], p->rows, p->columns,
                         values);
    memcpy(values, w->values[param], p->rows * p->columns * sizeof *values);
    return lm_poll(ctx);
}
