/*
 * pairs.c - tiles of bounds, and the pairs that they do not settle; the contract is in pairs.h.
 *
 * A tile's products C are those of codes. Of sketches x and y, and what their codes mean, x' and
 * y', |x·y − x'·y'| ≤ |x − x'| |y| + |x'| |y − y'|. So no pair of row i of a tile is wanted whose
 * product is below threshold − slack − |x − x'| reach − (reach + |x − x'|) max |y − y'|.
 */
#include "search/pairs.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "kernels/kernels.h"
#include "search/distance.h"
#include "search/sketch.h"

/* Rows and columns of a tile; its products stay near the core. */
#define LEFT ((size_t)96)
#define RIGHT (4 * LM_PACK_ROWS)

/* Columns that are looked at together. */
#define CHUNK ((size_t)64)

/* What a row's nearest ones have at least, most often: for the choice of a sketch only. */
#define LIKELY_NEAREST 0.6

/* Numbers of pairs that are computed in float between two polls. */
#define LOOK_WORK ((size_t)1 << 22)

/* One of a row's nearest. */
typedef struct near_row {
    size_t row;
    double similarity;
} near_row;

struct lm_pairs {
    lm_context *ctx;
    lm_pairs_options options;
    lm_sketch sketch;
    const lm_product *product;
    size_t first, rows; /* on the left */
    const float *values;
    float *sketches; /* (rows, kept) */
    float *errors;   /* (rows) of codes */
    near_row *near;  /* (rows, nearest): a heap each, whose top is the least similar */
    size_t *counts;  /* (rows) of them */
    float *tile;     /* (RIGHT, kept) sketches on the right, */
    int8_t *codes;   /* (RIGHT, kept) their codes, */
    float *scales;   /* (RIGHT), */
    double error;    /* the greatest error of those, */
    void *memory;    /* which holds: */
    char *packed;    /* the codes as the product wants them, */
    char *scratch;   /* of the product, */
    float *products; /* (LEFT, RIGHT) */
    size_t looked;   /* numbers computed since the last poll */
};

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- Memory ---- */

static lm_status
allocate(lm_pairs *p)
{
    const size_t kept = p->sketch.kept, products = LEFT * RIGHT * sizeof(float);
    const size_t packed = lm_align_up(p->product->packed_size(RIGHT, kept));
    const size_t scratch = lm_align_up(p->product->scratch_size(LEFT, kept));
    char *base;

    p->tile = lm_alloc_array(p->ctx, RIGHT, kept * sizeof(float));
    p->codes = lm_alloc_array(p->ctx, RIGHT, kept);
    p->scales = lm_alloc_array(p->ctx, RIGHT, sizeof(float));
    p->memory = lm_alloc(p->ctx, packed + scratch + products + LM_ALIGNMENT);
    if (!p->tile || !p->codes || !p->scales || !p->memory)
        return LM_NO_MEMORY;
    base = (char *)lm_align_up((uintptr_t)p->memory);
    p->packed = base;
    p->scratch = base + packed;
    p->products = (float *)(base + packed + scratch);
    return LM_OK;
}

/* A row's nearest ones are more alike than nothing, whatever threshold there is beside. */
static double
likely_threshold(const lm_pairs_options *options)
{
    return options->nearest > 0 ? fmax(options->threshold, LIKELY_NEAREST) : options->threshold;
}

lm_status
lm_pairs_open(lm_context *ctx, const lm_pairs_options *options, lm_pairs **pairs)
{
    lm_pairs *p = *pairs = lm_alloc_zero(ctx, sizeof *p);

    if (!p)
        return LM_NO_MEMORY;
    p->ctx = p->sketch.ctx = ctx;
    if (options->width > LM_INT8_MAX_K) {
        lm_raise(ctx, LM_TOO_LARGE, "vectors have too many dimensions");
        lm_detail_found(ctx, "%zu", options->width);
        return lm_detail_allowed(ctx, "at most %zu", LM_INT8_MAX_K);
    }
    p->options = *options;
    p->product = &lm_kernels_active()->products[LM_PRECISION_INT8];
    LM_TRY(lm_sketch_open(ctx, options->width, options->sample_rows, options->sample,
                          likely_threshold(options), &p->sketch));
    return allocate(p);
}

static void
drop_left(lm_pairs *p)
{
    lm_free(p->ctx, p->sketches);
    lm_free(p->ctx, p->errors);
    lm_free(p->ctx, p->near);
    lm_free(p->ctx, p->counts);
    p->sketches = p->errors = NULL;
    p->near = NULL;
    p->counts = NULL;
    p->rows = 0;
}

void
lm_pairs_close(lm_pairs *pairs)
{
    if (!pairs)
        return;
    drop_left(pairs);
    lm_free(pairs->ctx, pairs->memory);
    lm_free(pairs->ctx, pairs->scales);
    lm_free(pairs->ctx, pairs->codes);
    lm_free(pairs->ctx, pairs->tile);
    lm_sketch_close(&pairs->sketch);
    lm_free(pairs->ctx, pairs);
}

size_t
lm_pairs_row_bytes(size_t width, size_t nearest)
{
    return (width + 2) * sizeof(float) + nearest * sizeof(near_row) + sizeof(size_t);
}

/* ---- The left ---- */

/*
 * How far the codes that a product makes of a row are from it, at most: 255 steps from its least to
 * its greatest number, 0 among them; half a step each, and one more where the last is cut.
 */
static float
error_of_input(size_t count, const float *x)
{
    float low = 0, high = 0;

    for (size_t i = 0; i < count; i++) {
        low = fminf(low, x[i]);
        high = fmaxf(high, x[i]);
    }
    return (high - low) / 255 * (0.5001f * sqrtf((float)count) + 1);
}

static lm_status
make_left(lm_pairs *p)
{
    const size_t kept = p->sketch.kept, nearest = p->options.nearest;
    size_t entries;

    if (lm_mul_overflows(p->rows, nearest, &entries))
        return lm_raise(p->ctx, LM_NO_MEMORY, "out of memory");
    p->sketches = lm_alloc_array(p->ctx, p->rows, kept * sizeof(float));
    p->errors = lm_alloc_array(p->ctx, p->rows, sizeof(float));
    if (!p->sketches || !p->errors)
        return LM_NO_MEMORY;
    if (nearest > 0) {
        p->near = lm_alloc_array(p->ctx, entries, sizeof *p->near);
        p->counts = lm_alloc_zero(p->ctx, p->rows * sizeof *p->counts);
        if (!p->near || !p->counts)
            return LM_NO_MEMORY;
    }
    LM_TRY(lm_sketch_rows(&p->sketch, p->rows, p->values, p->sketches));
    for (size_t i = 0; i < p->rows; i++)
        p->errors[i] = error_of_input(kept, p->sketches + i * kept);
    return LM_OK;
}

lm_status
lm_pairs_left(lm_pairs *pairs, size_t first, size_t rows, const float *values)
{
    drop_left(pairs);
    pairs->first = first;
    pairs->rows = rows;
    pairs->values = values;
    return rows > 0 ? make_left(pairs) : LM_OK;
}

/* ---- The nearest of a row ---- */

/* Is x less wanted than y: less similar, or as similar and later? */
static bool
is_worse(const near_row *x, const near_row *y)
{
    return x->similarity < y->similarity || (x->similarity == y->similarity && x->row > y->row);
}

/* The entry at `at` goes down a heap until none below it is worse. */
static void
sift_down(near_row *heap, size_t count, size_t at)
{
    const near_row moved = heap[at];

    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        child += child + 1 < count && is_worse(&heap[child + 1], &heap[child]);
        if (!is_worse(&heap[child], &moved))
            break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

static void
sift_up(near_row *heap, size_t at)
{
    const near_row moved = heap[at];

    for (; at > 0 && is_worse(&moved, &heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = moved;
}

static void
keep_near(lm_pairs *p, size_t i, near_row found)
{
    near_row *heap = p->near + i * p->options.nearest;

    if (p->counts[i] < p->options.nearest) {
        heap[p->counts[i]] = found;
        sift_up(heap, p->counts[i]++);
    } else if (is_worse(&heap[0], &found)) {
        heap[0] = found;
        sift_down(heap, p->counts[i], 0);
    }
}

/* Least similarity that row i still wants. */
static double
wanted(const lm_pairs *p, size_t i)
{
    const size_t nearest = p->options.nearest;

    if (nearest > 0 && p->counts[i] == nearest)
        return fmax(p->options.threshold, p->near[i * nearest].similarity);
    return p->options.threshold;
}

/* Sorts by taking away the worst, which goes behind those that are left. */
static lm_status
tell_near(lm_pairs *p, size_t i)
{
    near_row *heap = p->near + i * p->options.nearest;

    LM_TRY(lm_poll(p->ctx));
    for (size_t count = p->counts[i]; count > 1; count--) {
        const near_row worst = heap[0];

        heap[0] = heap[count - 1];
        sift_down(heap, count - 1, 0);
        heap[count - 1] = worst;
    }
    for (size_t k = 0; k < p->counts[i]; k++)
        LM_TRY(p->options.sink(p->options.opaque, p->first + i, heap[k].row, heap[k].similarity));
    p->counts[i] = 0;
    return LM_OK;
}

lm_status
lm_pairs_finish(lm_pairs *pairs)
{
    for (size_t i = 0; pairs->options.nearest > 0 && i < pairs->rows; i++)
        LM_TRY(tell_near(pairs, i));
    return LM_OK;
}

/* ---- Tiles ---- */

/* Some rows of the right, first … of it. */
typedef struct right_rows {
    size_t first, rows;
    const float *values;
} right_rows;

/* The length of x − codes · scale. */
static double
error_of_codes(size_t count, const float *x, const int8_t *codes, float scale)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        const double off = x[i] - (double)codes[i] * scale;

        sum += off * off;
    }
    return sqrt(sum);
}

static lm_status
make_right(lm_pairs *p, const right_rows *right)
{
    const size_t kept = p->sketch.kept;
    const lm_matrix matrix = {.n = right->rows, .k = kept, .codes = p->codes, .scales = p->scales};

    LM_TRY(lm_sketch_rows(&p->sketch, right->rows, right->values, p->tile));
    LM_TRY(lm_quantize_matrix(p->ctx, p->tile, right->rows, kept, p->codes, p->scales));
    p->error = 0;
    for (size_t j = 0; j < right->rows; j++)
        p->error = fmax(
            p->error, error_of_codes(kept, p->tile + j * kept, p->codes + j * kept, p->scales[j]));
    return lm_pack(p->ctx, p->product, &matrix, p->packed);
}

/* A pair that its bound does not settle. */
static lm_status
look(lm_pairs *p, size_t i, const right_rows *right, size_t j)
{
    const size_t width = p->options.width;
    near_row found = {.row = right->first + j};

    if (p->options.same && p->first + i >= found.row)
        return LM_OK;
    p->looked += width;
    if (p->looked > LOOK_WORK) {
        p->looked = 0;
        LM_TRY(lm_poll(p->ctx));
    }
    found.similarity =
        1 - lm_cosine_distance(width, p->values + i * width, right->values + j * width);
    if (!(found.similarity >= p->options.threshold)) /* a zero vector has none */
        return LM_OK;
    if (p->options.nearest == 0)
        return p->options.sink(p->options.opaque, p->first + i, found.row, found.similarity);
    keep_near(p, i, found);
    return LM_OK;
}

/* Without a branch, so that it is done many at a time. */
static bool
any_above(const float *products, float bound)
{
    int any = 0;

    for (size_t k = 0; k < CHUNK; k++)
        any |= products[k] >= bound;
    return any != 0;
}

/* What no wanted pair's product of codes is below. */
static float
bound_of(const lm_pairs *p, size_t i)
{
    const double reach = p->sketch.reach, error = p->errors[i];

    return (float)(wanted(p, i) - p->sketch.slack - error * reach - (reach + error) * p->error -
                   1e-5);
}

/* A row of a tile; behind its last column stand products below any bound. */
static lm_status
look_at_row(lm_pairs *p, size_t i, const right_rows *right, const float *products)
{
    for (size_t j = 0; j < right->rows; j += CHUNK) {
        const float bound = bound_of(p, i);

        if (!any_above(products + j, bound))
            continue;
        for (size_t k = j; k < least(j + CHUNK, right->rows); k++)
            if (products[k] >= bound)
                LM_TRY(look(p, i, right, k));
    }
    return LM_OK;
}

static lm_status
meet(lm_pairs *p, size_t i, size_t rows, const right_rows *right)
{
    const lm_gemm args = {
        .m = rows,
        .n = right->rows,
        .k = p->sketch.kept,
        .a = p->sketches + i * p->sketch.kept,
        .lda = p->sketch.kept,
        .packed = p->packed,
        .act = LM_ACT_NONE,
        .c = p->products,
        .ldc = RIGHT,
        .scratch = p->scratch,
    };

    LM_TRY(lm_poll(p->ctx));
    p->product->gemm(&args);
    for (size_t k = 0; k < rows; k++)
        LM_TRY(look_at_row(p, i + k, right, p->products + k * RIGHT));
    return LM_OK;
}

/* Rows of a tile: fewer where they are long, so that a cancel is seen in time. */
static size_t
tile_rows(const lm_pairs *p)
{
    const double row = 2.0 * (double)RIGHT * (double)p->sketch.kept;
    const double rows = p->product->poll_flops / row;

    return rows < 1 ? 1 : rows < (double)LEFT ? (size_t)rows : LEFT;
}

/* Columns that a tile does not have are looked at with the others. */
static void
clear_products(lm_pairs *p)
{
    for (size_t k = 0; k < LEFT * RIGHT; k++)
        p->products[k] = -INFINITY;
}

lm_status
lm_pairs_right(lm_pairs *pairs, size_t first, size_t rows, const float *values)
{
    const size_t step = tile_rows(pairs);

    for (size_t j = 0; j < rows; j += RIGHT) {
        const right_rows right = {first + j, least(RIGHT, rows - j),
                                  values + j * pairs->options.width};

        LM_TRY(make_right(pairs, &right));
        clear_products(pairs);
        for (size_t i = 0; i < pairs->rows; i += step)
            if (!pairs->options.same || pairs->first + i < right.first + right.rows)
                LM_TRY(meet(pairs, i, least(step, pairs->rows - i), &right));
    }
    return LM_OK;
}
