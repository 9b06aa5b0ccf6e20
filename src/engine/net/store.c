/*
 * store.c - one block of memory for all parameters.
 */
#include "net/store.h"

#include <string.h>

#include "base/size.h"

/* Bytes of a parameter's pieces; the counts were checked when the net was made. */
static size_t
packed_size(const lm_net_store *store, const lm_net_param *param)
{
    const lm_product *product = &store->kernels->products[LM_PRECISION_F32];

    return param->product ? product->packed_size(param->rows, param->columns) : 0;
}

/* memory NULL: the size alone. */
static size_t
lay(lm_net_store *store, char *memory)
{
    const lm_net *net = store->net;
    size_t size = 0;

    for (size_t i = 0; i < net->param_count; i++) {
        const lm_net_param *param = &net->params[i];
        const size_t bytes = param->rows * param->columns * sizeof(float);
        const size_t packed = packed_size(store, param);
        const size_t value = lm_lay_bytes(&size, bytes), grad = lm_lay_bytes(&size, bytes);
        const size_t at = lm_lay_bytes(&size, packed);
        const size_t rows = lm_lay_bytes(&size, param->table ? param->rows : 0);

        if (!memory)
            continue;
        store->params[i] = (lm_param){.name = param->name,
                                      .rows = param->rows,
                                      .columns = param->columns,
                                      .value = (float *)(void *)(memory + value),
                                      .grad = (float *)(void *)(memory + grad),
                                      .decay = param->rank > 1,
                                      .rate = param->frozen ? 0 : 1};
        store->values[i] = store->params[i].value;
        store->grads[i] = store->params[i].grad;
        store->packed[i] = packed > 0 ? memory + at : NULL;
        store->touched[i] = param->table ? (unsigned char *)memory + rows : NULL;
        store->params[i].touched = store->touched[i];
    }
    return size;
}

static lm_status
take_memory(lm_net_store *store, uint64_t seed)
{
    const size_t count = store->net->param_count, size = lay(store, NULL);

    store->params = lm_alloc_array(store->ctx, count, sizeof *store->params);
    store->values = lm_alloc_array(store->ctx, 4 * count, sizeof *store->values);
    store->memory = lm_alloc_zero(store->ctx, size + LM_ALIGNMENT);
    if (!store->params || !store->values || !store->memory)
        return LM_NO_MEMORY;
    store->grads = (float **)(void *)(store->values + count);
    store->packed = (void **)(store->grads + count);
    store->touched = (unsigned char **)(store->packed + count);
    (void)lay(store, (char *)lm_align_up((size_t)(uintptr_t)store->memory));
    for (size_t i = 0; i < count; i++)
        LM_TRY(lm_net_init(store->ctx, store->net, i, seed, store->params[i].value));
    return LM_OK;
}

lm_status
lm_net_store_open(lm_context *ctx, const lm_net *net, uint64_t seed, lm_net_store *store)
{
    *store = (lm_net_store){.ctx = ctx, .net = net, .kernels = lm_kernels_active()};
    return take_memory(store, seed);
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
                            (const void *const *)(const void *)store->packed};
}

lm_net_grads
lm_net_store_grads(const lm_net_store *store)
{
    return (lm_net_grads){store->grads, store->touched};
}
