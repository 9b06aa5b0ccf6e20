/*
 * attention.c - attention of packed texts: one kernel call for a text, for some heads of a long
 * one, or for some queries of a head. Polls before the work since the last poll goes beyond the
 * budget.
 */
#include "nn/nn.h"

/* Queries of one call are a multiple of this where a head is cut: whole tiles of all kernels. */
#define QUERY_STEP 48

/* What one kernel call takes of a text: some heads, and all of its queries or some. */
typedef struct piece {
    size_t text, head, heads;
    size_t query, queries; /* in the text */
} piece;

/* Work of one query of a head: q Kᵀ and the weighted sum of V, and with places twice as much again.
 */
static double
query_flops(const lm_nn_attention *args, size_t tokens)
{
    double products = args->places ? 3 : 1;

    return 4.0 * products * (double)tokens * (double)args->head_dim;
}

/* Of a piece; packing the keys costs about as much as a query. */
static double
piece_flops(const lm_nn_attention *args, const piece *piece, size_t tokens)
{
    return query_flops(args, tokens) * (double)piece->heads * (double)(piece->queries + 1);
}

/* The bias of the first query, which is at this position, and of the text's first key. */
static const float *
bias_from(const lm_nn_attention *args, size_t head, size_t position)
{
    size_t distances = 2 * args->bias_positions - 1;

    return args->bias ? args->bias + head * distances + args->bias_positions - 1 - position : NULL;
}

/* The tokens of a text that are attended to. */
static size_t
keys_of(const lm_nn_attention *args, size_t text)
{
    return args->keys ? args->keys[text] : args->offsets[text + 1] - args->offsets[text];
}

/* The kernel's arguments for a piece. */
static lm_attention
call_of(const lm_nn_attention *args, const piece *piece)
{
    size_t width = args->heads * args->head_dim, kv_width = args->kv_heads * args->head_dim;
    size_t group = args->heads / args->kv_heads, ld = width + 2 * kv_width;
    size_t row = args->offsets[piece->text];
    size_t column = piece->head * args->head_dim;
    size_t out = args->outputs ? piece->text : row + piece->query;
    const float *qkv = args->qkv + (row - args->offsets[args->first]) * ld;

    return (lm_attention){
        .queries = piece->queries,
        .keys = keys_of(args, piece->text),
        .heads = piece->heads,
        .kv_heads = piece->heads / group,
        .head_dim = args->head_dim,
        .q = qkv + piece->query * ld + column,
        .ldq = ld,
        .k = qkv + width + column / group,
        .v = qkv + width + kv_width + column / group,
        .ldkv = ld,
        .mask = args->mask,
        .window = args->window,
        .first_query = piece->query,
        .bias = bias_from(args, piece->head, piece->query),
        .bias_head = 2 * (ptrdiff_t)args->bias_positions - 1,
        .bias_ld = -1,
        .scale = args->scale,
        .out = args->out + out * width + column,
        .ldo = width,
        .scratch = args->scratch,
    };
}

/* All queries of all heads of a text: what there is to cut. */
static piece
whole_text(const lm_nn_attention *args, size_t text)
{
    size_t row = args->offsets[text], tokens = args->offsets[text + 1] - row;

    return (piece){
        .text = text,
        .heads = args->heads,
        .query = args->outputs ? args->outputs[text] - row : 0,
        .queries = args->outputs ? 1 : tokens,
    };
}

/*
 * Cuts a text's piece to what the budget allows: to fewer heads, but whole groups that share a head
 * of keys; then to fewer queries. Places have room for the bias of one head.
 */
static void
cut_piece(const lm_nn_attention *args, size_t tokens, double budget, piece *piece)
{
    size_t group = args->heads / args->kv_heads;
    double head = query_flops(args, tokens) * (double)(piece->queries + 1);
    double heads = budget / head, queries;

    if (args->places)
        piece->heads = 1;
    else if (heads < (double)args->heads)
        piece->heads = heads >= (double)group ? (size_t)heads / group * group : group;
    queries = budget / (query_flops(args, tokens) * (double)piece->heads);
    if (queries < (double)piece->queries && piece->queries > QUERY_STEP)
        piece->queries =
            queries >= QUERY_STEP ? (size_t)queries / QUERY_STEP * QUERY_STEP : QUERY_STEP;
}

static void
run_piece(const lm_kernels *kernels, const lm_nn_attention *args, const piece *piece)
{
    lm_attention call = call_of(args, piece);

    if (args->places)
        lm_nn_disentangle(kernels, args->places, piece->head, &call);
    args->kernel->run(&call);
}

/* A text, in pieces; polls before a piece whose work goes beyond what is left of the budget. */
static lm_status
attend_text(lm_context *ctx, const lm_kernels *kernels, const lm_nn_attention *args, size_t text,
            double *spent)
{
    const piece whole = whole_text(args, text);
    size_t tokens = args->offsets[text + 1] - args->offsets[text];
    piece step = whole, each;

    cut_piece(args, tokens, kernels->poll_flops, &step);
    for (size_t head = 0; head < whole.heads; head += step.heads)
        for (size_t query = 0; query < whole.queries; query += step.queries) {
            double cost;

            each = step;
            each.head = head;
            each.query = whole.query + query;
            if (whole.heads - head < step.heads)
                each.heads = whole.heads - head;
            if (whole.queries - query < step.queries)
                each.queries = whole.queries - query;
            cost = piece_flops(args, &each, tokens);
            if (*spent + cost > kernels->poll_flops) {
                LM_TRY(lm_poll(ctx));
                *spent = 0;
            }
            run_piece(kernels, args, &each);
            *spent += cost;
        }
    return LM_OK;
}

/* A query whose window has no key left has nothing to take the mean of. */
static lm_status
check_keys(lm_context *ctx, const lm_nn_attention *args, size_t text)
{
    const size_t tokens = args->offsets[text + 1] - args->offsets[text], keys = keys_of(args, text);

    if (args->mask == LM_MASK_FULL || args->window == 0 || tokens - keys <= args->window)
        return LM_OK;
    lm_raise(ctx, LM_UNSUPPORTED,
             "tokens that nothing attends to go beyond the window of attention");
    lm_detail_found(ctx, "%zu", tokens - keys);
    return lm_detail_allowed(ctx, "at most %zu", args->window);
}

/* Short texts are many to a budget, so the work is added up and a poll comes only when it is due.
 */
lm_status
lm_nn_attend(lm_context *ctx, const lm_kernels *kernels, const lm_nn_attention *args)
{
    double spent = kernels->poll_flops;

    for (size_t text = args->first; text < args->end; text++)
        if (args->offsets[text + 1] > args->offsets[text]) {
            LM_TRY(check_keys(ctx, args, text));
            LM_TRY(attend_text(ctx, kernels, args, text, &spent));
        }
    return LM_OK;
}
