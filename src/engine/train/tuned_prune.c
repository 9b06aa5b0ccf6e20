/*
 * tuned_prune.c - weights that are taken away: by magnitude (Han et al. 2015), and by heads and
 * neurons, whose size is the product of the lengths of what leads into them and out of them.
 */
#include "train/tuned_prune.h"

#include <math.h>
#include <string.h>

#include "base/sort.h"

#define HALF ((size_t)1 << 15) /* of a float's magnitude: the upper bits */
#define LOWER ((size_t)1 << 16)
#define POLL_EVERY ((size_t)1 << 18) /* numbers */

/* One target of a layer. */
typedef struct matrix {
    float *values;
    size_t rows, width, entry;
} matrix;

/* Before a number of a matrix, or before a row of it from the number `at` on. */
static lm_status
poll_at(lm_context *ctx, size_t at, size_t count)
{
    return at % POLL_EVERY < count ? lm_poll(ctx) : LM_OK;
}

static const lm_block *
block_of(const lm_tuned *tuned)
{
    return &tuned->plain.encoder.stack.blocks[0];
}

/* Layers that have weights of their own. */
static size_t
layers_of(const lm_tuned *tuned)
{
    const lm_plain *plain = &tuned->plain;

    return (plain->head_first - plain->layers) / plain->stride;
}

static matrix
matrix_of(const lm_tuned *tuned, size_t layer, int target)
{
    const lm_plain *plain = &tuned->plain;
    const size_t entry = plain->layers + layer * plain->stride + (size_t)target;

    if (target < 0)
        return (matrix){.values = NULL};
    return (matrix){tuned->values + plain->offsets[entry], plain->targets[entry].rows,
                    plain->targets[entry].width, entry};
}

/* ---- By magnitude ---- */

static uint32_t
magnitude_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits & 0x7fffffffu;
}

/* The first bin with which more than `wanted` are counted; *before: those of the bins before it. */
static size_t
find_bin(const size_t *counts, size_t bins, size_t wanted, size_t *before)
{
    size_t bin = 0;

    while (bin + 1 < bins && *before + counts[bin] <= wanted)
        *before += counts[bin++];
    return bin;
}

/* Upper halves of magnitudes, or lower halves of those whose upper one is `upper`. */
static lm_status
count_halves(lm_context *ctx, const matrix *m, size_t upper, size_t *counts)
{
    for (size_t i = 0; i < m->rows * m->width; i++) {
        const uint32_t bits = magnitude_bits(m->values[i]);

        LM_TRY(poll_at(ctx, i, 1));
        if (upper == HALF)
            counts[bits >> 16]++;
        else if (bits >> 16 == upper)
            counts[bits & 0xffff]++;
    }
    return LM_OK;
}

static lm_status
find_bits(lm_context *ctx, const matrix *m, size_t wanted, size_t *counts, uint32_t *threshold,
          size_t *smaller)
{
    size_t upper;

    LM_TRY(count_halves(ctx, m, HALF, counts));
    upper = find_bin(counts, HALF, wanted, smaller);
    memset(counts, 0, LOWER * sizeof *counts);
    LM_TRY(count_halves(ctx, m, upper, counts));
    *threshold = (uint32_t)(upper << 16) | (uint32_t)find_bin(counts, LOWER, wanted, smaller);
    return LM_OK;
}

/* The number of which `wanted` are smaller, or as small; *smaller: those that are smaller. */
static lm_status
find_threshold(lm_context *ctx, const matrix *m, size_t wanted, uint32_t *threshold,
               size_t *smaller)
{
    size_t *counts = lm_alloc_zero(ctx, LOWER * sizeof *counts);
    lm_status status =
        counts ? find_bits(ctx, m, wanted, counts, threshold, smaller) : LM_NO_MEMORY;

    lm_free(ctx, counts);
    return status;
}

/* Halves go to the even number, as torch has it. */
static size_t
part_of(double share, size_t count)
{
    return (size_t)nearbyint(share * (double)count);
}

/* The smallest numbers of a matrix, the first of equals. */
static lm_status
thin_out(lm_context *ctx, const matrix *m, double share)
{
    const size_t count = m->rows * m->width, wanted = part_of(share, count);
    size_t smaller = 0, equal;
    uint32_t threshold = 0;

    LM_TRY(find_threshold(ctx, m, wanted, &threshold, &smaller));
    equal = wanted - smaller;
    for (size_t i = 0; i < count; i++) {
        const uint32_t bits = magnitude_bits(m->values[i]);

        LM_TRY(poll_at(ctx, i, 1));
        if (bits < threshold || (bits == threshold && equal > 0)) {
            equal -= bits == threshold;
            m->values[i] = 0;
        }
    }
    return LM_OK;
}

static lm_status
count_zeros(lm_context *ctx, const matrix *m, size_t *zeros)
{
    for (size_t i = 0; i < m->rows * m->width; i++) {
        LM_TRY(poll_at(ctx, i, 1));
        *zeros += m->values[i] == 0;
    }
    return LM_OK;
}

/* ---- Heads and neurons ---- */

static double
length_of_rows(const matrix *m, size_t first, size_t count)
{
    double sum = 0;

    for (size_t i = first * m->width; i < (first + count) * m->width; i++)
        sum += (double)m->values[i] * (double)m->values[i];
    return sqrt(sum);
}

/* Squares of units of `count` columns side by side, row by row. */
static lm_status
add_columns(lm_context *ctx, const matrix *m, size_t count, double *sums)
{
    for (size_t row = 0; row < m->rows; row++) {
        const float *values = m->values + row * m->width;

        LM_TRY(poll_at(ctx, row * m->width, m->width));
        for (size_t first = 0; first < m->width; first += count)
            for (size_t i = first; i < first + count; i++)
                sums[first / count] += (double)values[i] * (double)values[i];
    }
    return LM_OK;
}

static void
clear_rows(const matrix *m, size_t first, size_t count)
{
    if (m->values && m->rows > 0)
        memset(m->values + first * m->width, 0, count * m->width * sizeof *m->values);
}

/* Columns of the units that are gone, row by row. */
static lm_status
clear_columns(lm_context *ctx, const matrix *m, size_t count, const unsigned char *gone)
{
    for (size_t row = 0; row < m->rows; row++) {
        LM_TRY(poll_at(ctx, row * m->width, m->width));
        for (size_t first = 0; first < m->width; first += count)
            if (gone[first / count])
                memset(m->values + row * m->width + first, 0, count * sizeof *m->values);
    }
    return LM_OK;
}

typedef struct sized {
    double size;
    size_t number;
} sized;

static int
compare_sizes(const void *a, const void *b)
{
    const sized *x = a, *y = b;

    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* Of heads or neurons at least one stays. */
static size_t
taken_of(double share, size_t count)
{
    const size_t taken = part_of(share, count);

    return taken < count ? taken : count - 1;
}

/* A layer's heads, or its neurons. */
typedef struct units {
    size_t count;
    matrix behind; /* each has `columns` of it */
    size_t columns;
    double (*length)(const lm_tuned *tuned, size_t layer, size_t number);
    void (*clear)(const lm_tuned *tuned, size_t layer, size_t number);
} units;

static double
length_of_head(const lm_tuned *tuned, size_t layer, size_t head)
{
    const lm_block *block = block_of(tuned);
    const matrix qkv = matrix_of(tuned, layer, block->qkv);
    const size_t d = block->head_dim;

    return length_of_rows(&qkv, (2 * block->heads + head) * d, d);
}

static void
clear_head(const lm_tuned *tuned, size_t layer, size_t head)
{
    const lm_block *block = block_of(tuned);
    const matrix qkv = matrix_of(tuned, layer, block->qkv),
                 bias = matrix_of(tuned, layer, block->qkv_bias);
    const size_t d = block->head_dim;

    for (size_t part = 0; part < 3; part++) {
        clear_rows(&qkv, (part * block->heads + head) * d, d);
        clear_rows(&bias, (part * block->heads + head) * d, d);
    }
}

static units
heads_of(const lm_tuned *tuned, size_t layer)
{
    const lm_block *block = block_of(tuned);

    return (units){block->heads, matrix_of(tuned, layer, block->output), block->head_dim,
                   length_of_head, clear_head};
}

static double
length_of_neuron(const lm_tuned *tuned, size_t layer, size_t neuron)
{
    const lm_block *block = block_of(tuned);
    const matrix up = matrix_of(tuned, layer, block->up);
    double length = 1;

    for (size_t row = neuron; row < lm_block_up_width(block); row += block->inner)
        length *= length_of_rows(&up, row, 1);
    return length;
}

static void
clear_neuron(const lm_tuned *tuned, size_t layer, size_t neuron)
{
    const lm_block *block = block_of(tuned);
    const matrix up = matrix_of(tuned, layer, block->up),
                 bias = matrix_of(tuned, layer, block->up_bias);

    for (size_t row = neuron; row < lm_block_up_width(block); row += block->inner) {
        clear_rows(&up, row, 1);
        clear_rows(&bias, row, 1);
    }
}

static units
neurons_of(const lm_tuned *tuned, size_t layer)
{
    const lm_block *block = block_of(tuned);

    return (units){block->inner, matrix_of(tuned, layer, block->down), 1, length_of_neuron,
                   clear_neuron};
}

/* The smallest first. */
static lm_status
sort_units(const lm_tuned *tuned, size_t layer, const units *u, double *sums, sized *sorted)
{
    LM_TRY(add_columns(tuned->ctx, &u->behind, u->columns, sums));
    for (size_t i = 0; i < u->count; i++) {
        LM_TRY(lm_poll(tuned->ctx));
        sorted[i] = (sized){u->length(tuned, layer, i) * sqrt(sums[i]), i};
    }
    return lm_sort(tuned->ctx, sorted, u->count, sizeof *sorted, compare_sizes);
}

static lm_status
take_away(const lm_tuned *tuned, size_t layer, const units *u, size_t taken)
{
    lm_context *ctx = tuned->ctx;
    sized *sorted = lm_alloc_array(ctx, u->count, sizeof *sorted);
    double *sums = lm_alloc_zero(ctx, u->count * sizeof *sums);
    unsigned char *gone = lm_alloc_zero(ctx, u->count);
    lm_status status =
        sorted && sums && gone ? sort_units(tuned, layer, u, sums, sorted) : LM_NO_MEMORY;

    for (size_t i = 0; status == LM_OK && i < taken; i++) {
        status = lm_poll(ctx);
        u->clear(tuned, layer, sorted[i].number);
        gone[sorted[i].number] = 1;
    }
    if (status == LM_OK)
        status = clear_columns(ctx, &u->behind, u->columns, gone);
    lm_free(ctx, gone);
    lm_free(ctx, sums);
    lm_free(ctx, sorted);
    return status;
}

/* ---- The start ---- */

static lm_status
refuse(const lm_tuned *tuned, const char *key)
{
    lm_raise(tuned->ctx, LM_UNSUPPORTED, "of a model of this family they cannot be taken away");
    lm_detail_key(tuned->ctx, "%s", key);
    return lm_detail_found(tuned->ctx, "%s", tuned->plain.family->name);
}

/* The key of config.json that says how many neurons there are. */
static bool
find_inner_key(const lm_tuned *tuned, char key[LM_CONFIG_KEY_SIZE])
{
    const lm_family *family = tuned->plain.family;
    size_t offset = 0;

    for (size_t i = 0; i < family->slot_count; i++) {
        const lm_weight_slot *slot = &family->slots[i];

        if (slot->group == LM_GROUP_LAYERS && slot->target == block_of(tuned)->down &&
            slot->rank == 2 && slot->shape[1].second == 0)
            offset = slot->shape[1].first;
    }
    for (size_t i = 0; offset > 0 && i < family->field_count; i++)
        if (family->fields[i].offset == offset && !strpbrk(family->fields[i].key, ".|"))
            return lm_config_key(&family->fields[i], 0, key);
    return false;
}

static lm_status
check(lm_tuned *tuned)
{
    const lm_pruning *p = &tuned->settings.pruning;
    const lm_block *block = block_of(tuned);

    if (block->narrow || block->nets > 0)
        return refuse(tuned, "method");
    if (p->heads > 0 && block->heads != block->kv_heads)
        return refuse(tuned, "heads");
    if (p->neurons > 0 && !find_inner_key(tuned, tuned->inner_key))
        return refuse(tuned, "neurons");
    return LM_OK;
}

/* Matrices of a layer; -1 behind the last. */
static int
target_at(const lm_block *block, size_t i)
{
    const int targets[] = {block->qkv, block->output, block->up, block->down};

    return i < sizeof targets / sizeof targets[0] ? targets[i] : -1;
}

static lm_status
prune_layer(lm_tuned *tuned, size_t layer)
{
    const lm_pruning *p = &tuned->settings.pruning;
    const lm_block *block = block_of(tuned);
    const size_t heads = taken_of(p->heads, block->heads),
                 neurons = block->inner - tuned->inner_left;
    units u;
    matrix m;

    u = heads_of(tuned, layer);
    if (heads > 0)
        LM_TRY(take_away(tuned, layer, &u, heads));
    u = neurons_of(tuned, layer);
    if (neurons > 0)
        LM_TRY(take_away(tuned, layer, &u, neurons));
    for (size_t i = 0; target_at(block, i) >= 0; i++) {
        m = matrix_of(tuned, layer, target_at(block, i));
        if (p->share > 0)
            LM_TRY(thin_out(tuned->ctx, &m, p->share));
        LM_TRY(count_zeros(tuned->ctx, &m, &tuned->zeros));
        tuned->thinned += m.rows * m.width;
    }
    return LM_OK;
}

lm_status
lm_tuned_prune(lm_tuned *tuned)
{
    const lm_block *block = block_of(tuned);

    LM_TRY(check(tuned));
    tuned->inner_left = block->inner - taken_of(tuned->settings.pruning.neurons, block->inner);
    for (size_t layer = 0; layer < layers_of(tuned); layer++)
        LM_TRY(prune_layer(tuned, layer));
    return LM_OK;
}

static lm_status
hold_zeros(lm_context *ctx, const matrix *m, float *gradient)
{
    for (size_t i = 0; gradient && i < m->rows * m->width; i++) {
        LM_TRY(poll_at(ctx, i, 1));
        if (m->values[i] == 0)
            gradient[i] = 0;
    }
    return LM_OK;
}

lm_status
lm_tuned_prune_gradients(const lm_tuned *tuned)
{
    const lm_block *block = block_of(tuned);

    for (size_t layer = 0; tuned->thinned > 0 && layer < layers_of(tuned); layer++)
        for (size_t i = 0; target_at(block, i) >= 0; i++) {
            const matrix m = matrix_of(tuned, layer, target_at(block, i));

            LM_TRY(hold_zeros(tuned->ctx, &m, lm_tuned_gradient(&tuned->encoder, m.entry)));
        }
    return LM_OK;
}

/* ---- The files ---- */

/* As many neurons of each layer as are to stay, also where more have no way out: nothing else
 * leaves all of a column at 0. */
static lm_status
choose_left(const lm_tuned *tuned, const matrix *down, double *sums, unsigned char *left)
{
    size_t taken = 0, wanted = down->width - tuned->inner_left;

    memset(sums, 0, down->width * sizeof *sums);
    LM_TRY(add_columns(tuned->ctx, down, 1, sums));
    for (size_t i = 0; i < down->width; i++) {
        left[i] = taken >= wanted || sums[i] > 0;
        taken += !left[i];
    }
    return taken == wanted ? LM_OK
                           : lm_raise(tuned->ctx, LM_INTERNAL, "a neuron came back in training");
}

/* Rows (of all parts) whose neuron is left, one behind the other. */
static void
shrink_rows(const matrix *m, const unsigned char *left, size_t inner)
{
    size_t kept = 0;

    for (size_t row = 0; m->values && row < m->rows; row++)
        if (left[row % inner])
            memmove(m->values + kept++ * m->width, m->values + row * m->width,
                    m->width * sizeof *m->values);
}

static lm_status
shrink_columns(lm_context *ctx, const matrix *m, const unsigned char *left)
{
    float *kept = m->values;

    for (size_t row = 0; row < m->rows; row++) {
        const float *values = m->values + row * m->width;

        LM_TRY(poll_at(ctx, row * m->width, m->width));
        for (size_t i = 0; i < m->width; i++)
            if (left[i])
                *kept++ = values[i];
    }
    return LM_OK;
}

static lm_status
shrink_layer(lm_tuned *tuned, size_t layer, double *sums, unsigned char *left)
{
    const lm_block *block = block_of(tuned);
    const matrix up = matrix_of(tuned, layer, block->up),
                 bias = matrix_of(tuned, layer, block->up_bias),
                 down = matrix_of(tuned, layer, block->down);

    LM_TRY(choose_left(tuned, &down, sums, left));
    shrink_rows(&up, left, block->inner);
    shrink_rows(&bias, left, block->inner);
    return shrink_columns(tuned->ctx, &down, left);
}

/* What a tensor of the files is behind it. */
static void
shrink_tensor(const lm_tuned *tuned, lm_plain_tensor *tensor)
{
    const lm_plain *plain = &tuned->plain;
    const lm_block *block = block_of(tuned);
    const size_t entry = (size_t)tensor->place.target;
    int target;

    if (entry < plain->layers || entry >= plain->head_first)
        return;
    target = (int)((entry - plain->layers) % plain->stride);
    if (target == block->down)
        tensor->width = tuned->inner_left;
    if (target != block->up && target != block->up_bias)
        return;
    tensor->rows = tensor->rows / block->inner * tuned->inner_left;
    tensor->place.row = tensor->place.row / block->inner * tuned->inner_left;
}

lm_status
lm_tuned_prune_shrink(lm_tuned *tuned)
{
    lm_plain *plain = &tuned->plain;
    const size_t inner = block_of(tuned)->inner;
    lm_plain_tensor *tensors =
        lm_arena_array(&tuned->arena, plain->tensor_count + 1, sizeof *tensors);
    unsigned char *left = lm_arena_alloc(&tuned->arena, inner);
    double *sums = lm_arena_array(&tuned->arena, inner, sizeof *sums);

    if (!tensors || !left || !sums)
        return LM_NO_MEMORY;
    for (size_t layer = 0; layer < layers_of(tuned); layer++)
        LM_TRY(shrink_layer(tuned, layer, sums, left));
    memcpy(tensors, plain->tensors, plain->tensor_count * sizeof *tensors);
    for (size_t i = 0; i < plain->tensor_count; i++)
        shrink_tensor(tuned, &tensors[i]);
    plain->tensors = tensors;
    return LM_OK;
}
