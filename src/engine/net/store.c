/*
 * store.c - one block of memory for all parameters; where processes share a training, values and
 * gradients lie elsewhere.
 */
#include "net/store.h"

#include <string.h>

#include "base/size.h"

static size_t
packed_size(const lm_net_store *store, const lm_net_param *param)
{
    const lm_product *product = &store->kernels->products[LM_PRECISION_F32];

    return param->product ? product->packed_size(param->rows, param->columns) : 0;
}

/* Numbers from a parameter's first to the next one's; the counts were checked when the net was
 * made. */
static size_t
numbers_of(const lm_net_param *param)
{
    return lm_align_up(param->rows * param->columns * sizeof(float)) / sizeof(float);
}

size_t
lm_net_store_numbers(const lm_net *net)
{
    size_t numbers = 0;

    for (size_t i = 0; i < net->param_count; i++)
        numbers += numbers_of(&net->params[i]);
    return numbers;
}

static void
place_values(lm_net_store *store, float *values)
{
    for (size_t i = 0; i < store->net->param_count; i++) {
        store->values[i] = store->params[i].value = values;
        values += numbers_of(&store->net->params[i]);
    }
}

static void
place_grads(lm_net_store *store, float *grads)
{
    for (size_t i = 0; i < store->net->param_count; i++) {
        store->grads[i] = store->params[i].grad = grads;
        grads += numbers_of(&store->net->params[i]);
    }
}

/* What no other process sees: packed products, and which rows of tables have a gradient. memory
 * NULL: the size alone. */
static size_t
lay(lm_net_store *store, char *memory)
{
    size_t size = 0;

    for (size_t i = 0; i < store->net->param_count; i++) {
        const lm_net_param *param = &store->net->params[i];
        const size_t packed = packed_size(store, param);
        const size_t at = lm_lay_bytes(&size, packed);
        const size_t rows = lm_lay_bytes(&size, param->table ? param->rows : 0);

        if (!memory)
            continue;
        store->packed[i] = packed > 0 ? memory + at : NULL;
        store->touched[i] = param->table ? (unsigned char *)memory + rows : NULL;
    }
    return size;
}

static void
describe(lm_net_store *store)
{
    for (size_t i = 0; i < store->net->param_count; i++) {
        const lm_net_param *param = &store->net->params[i];

        store->params[i] = (lm_param){.name = param->name,
                                      .rows = param->rows,
                                      .columns = param->columns,
                                      .decay = param->rank > 1,
                                      .rate = param->frozen ? 0 : 1,
                                      .touched = store->touched[i]};
    }
}

static lm_status
take_lists(lm_net_store *store)
{
    const size_t count = store->net->param_count;

    store->params = lm_alloc_array(store->ctx, count, sizeof *store->params);
    store->values = lm_alloc_array(store->ctx, 4 * count, sizeof *store->values);
    if (!store->params || !store->values)
        return LM_NO_MEMORY;
    store->grads = (float **)(void *)(store->values + count);
    store->packed = (void **)(store->grads + count);
    store->touched = (unsigned char **)(store->packed + count);
    return LM_OK;
}

/* `shared`: values and gradients are the caller's. */
static lm_status
take_memory(lm_net_store *store, bool shared)
{
    const size_t numbers = shared ? 0 : 2 * lm_net_store_numbers(store->net);
    char *own;

    LM_TRY(take_lists(store));
    store->memory =
        lm_alloc_zero(store->ctx, lay(store, NULL) + numbers * sizeof(float) + LM_ALIGNMENT);
    if (!store->memory)
        return LM_NO_MEMORY;
    own = (char *)lm_align_up((size_t)(uintptr_t)store->memory);
    (void)lay(store, own + numbers * sizeof(float));
    describe(store);
    store->own = shared ? NULL : (float *)(void *)own;
    return LM_OK;
}

lm_status
lm_net_store_open(lm_context *ctx, const lm_net *net, uint64_t seed, lm_net_store *store)
{
    *store = (lm_net_store){.ctx = ctx, .net = net, .kernels = lm_kernels_active()};
    LM_TRY(take_memory(store, false));
    place_values(store, store->own);
    place_grads(store, store->own + lm_net_store_numbers(net));
    for (size_t i = 0; i < net->param_count; i++)
        LM_TRY(lm_net_init(ctx, net, i, seed, store->params[i].value));
    return LM_OK;
}

lm_status
lm_net_store_share(lm_context *ctx, const lm_net *net, float *values, float *grads,
                   lm_net_store *store)
{
    *store = (lm_net_store){.ctx = ctx, .net = net, .kernels = lm_kernels_active()};
    LM_TRY(take_memory(store, true));
    place_values(store, values);
    place_grads(store, grads);
    return LM_OK;
}

void
lm_net_store_move(lm_net_store *store, float *values)
{
    const float *from = store->params[0].value;

    values = values ? values : store->own;
    if (values == from)
        return;
    memcpy(values, from, lm_net_store_numbers(store->net) * sizeof *values);
    place_values(store, values);
}

void
lm_net_store_close(lm_net_store *store)
{
    lm_free(store->ctx, store->params);
    lm_free(store->ctx, store->values);
    lm_free(store->ctx, store->memory);
    *store = (lm_net_store){.ctx = store->ctx};
}

lm_status
lm_net_store_pack(lm_net_store *store)
{
    for (size_t i = 0; i < store->net->param_count; i++) {
        const lm_net_param *param = &store->net->params[i];
        const lm_matrix matrix = {
            .n = param->rows, .k = param->columns, .values = store->values[i]};

        if (param->product)
            LM_TRY(lm_pack(store->ctx, &store->kernels->products[LM_PRECISION_F32], &matrix,
                           store->packed[i]));
    }
    return LM_OK;
}

lm_net_weights
lm_net_store_weights(const lm_net_store *store)
{
    return (lm_net_weights){store->kernels, store->values,
                            (const void *const *)(const void *)store->packed, store->rounded};
}

lm_net_grads
lm_net_store_grads(const lm_net_store *store)
{
    return (lm_net_grads){store->grads, store->touched};
}
