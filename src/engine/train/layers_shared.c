/*
 * layers_shared.c - a net of layers in training as bytes, and back: its description, its rows as
 * ids, their targets. Values come with the memory.
 */
#include "train/layers_shared.h"

#include <string.h>

#include "train/shared_bytes.h"

#define MARK UINT64_C(0x314c524853544d4c) /* "LMTSHRL1" */

typedef struct packed_head {
    uint64_t mark;
    size_t head_size;
    lm_cut cut;
    lm_cross_entropy_options loss;
    size_t vocabulary, description, rows, tokens, targets, numbers, weights, values;
    size_t spelled, letter_ends, letters; /* of a net of characters */
    size_t rounded;                       /* 0 or 1: any bytes are a number */
} packed_head;

/* ---- To bytes ---- */

static size_t
tokens_of(const lm_layers_data *data)
{
    return data->tokens.size / sizeof(int32_t);
}

static packed_head
head_of(const lm_layers_fit *fit, const lm_cut *cut)
{
    packed_head head;

    memset(&head, 0, sizeof head);
    head.mark = MARK;
    head.head_size = sizeof head;
    head.cut = *cut;
    head.loss = fit->loss;
    head.loss.class_weights = NULL;
    head.vocabulary = fit->net->vocabulary;
    head.rows = fit->data->rows;
    head.tokens = tokens_of(fit->data);
    head.targets = fit->data->labels.rows;
    head.numbers = fit->data->targets.size / sizeof(float);
    head.spelled = fit->data->spelled.size / sizeof(int32_t);
    head.letter_ends = fit->data->letters.ends.size / sizeof(size_t);
    head.letters = fit->data->letters.bytes.size;
    head.weights = fit->loss.class_weights ? fit->net->out : 0;
    head.values = lm_net_store_numbers(fit->net);
    head.rounded = fit->store->rounded;
    return head;
}

static lm_status
put_letters(const lm_layers_data *data, const packed_head *head, lm_buffer *bytes)
{
    LM_TRY(lm_shared_put_array(bytes, data->spelled.data, head->spelled, sizeof(int32_t)));
    LM_TRY(lm_shared_put_array(bytes, data->letters.ends.data, head->letter_ends, sizeof(size_t)));
    return lm_shared_put_array(bytes, data->letters.bytes.data, head->letters, 1);
}

static lm_status
put_all(const lm_layers_fit *fit, packed_head *head, const lm_buffer *description, lm_buffer *bytes)
{
    const lm_layers_data *data = fit->data;

    head->description = description->size;
    LM_TRY(lm_buffer_append(bytes, head, sizeof *head));
    LM_TRY(lm_shared_put_string(bytes, data->task->name));
    LM_TRY(lm_buffer_append(bytes, description->data, description->size));
    LM_TRY(lm_shared_put_array(bytes, data->offsets.data, head->rows + 1, sizeof(size_t)));
    LM_TRY(lm_shared_put_array(bytes, data->tokens.data, head->tokens, sizeof(int32_t)));
    LM_TRY(put_letters(data, head, bytes));
    LM_TRY(lm_shared_put_array(bytes, fit->targets, head->targets, sizeof *fit->targets));
    LM_TRY(lm_shared_put_array(bytes, data->targets.data, head->numbers, sizeof(float)));
    return lm_shared_put_array(bytes, fit->loss.class_weights, head->weights, sizeof(float));
}

lm_status
lm_layers_pack(const lm_layers_fit *fit, const lm_cut *cut, lm_buffer *bytes)
{
    packed_head head = head_of(fit, cut);
    lm_buffer description;
    lm_status status;

    lm_buffer_init(&description, fit->ctx);
    status = lm_net_write(fit->net, &description);
    if (status == LM_OK)
        status = put_all(fit, &head, &description, bytes);
    lm_buffer_free(&description);
    return status;
}

/* ---- From bytes ---- */

typedef struct helper {
    lm_context *ctx;
    lm_arena arena;
    lm_layers_data data;
    lm_layers_fit fit;
    lm_net net;
    lm_net_store store;
} helper;

static lm_status
take_net(lm_shared_reader *r, helper *h, const packed_head *head)
{
    const lm_net_source source = {NULL, LM_CORRUPT, head->vocabulary, h->data.task->by_text,
                                  h->data.task->language};
    const lm_json *layers = NULL;

    if (head->description > r->left)
        return lm_shared_damaged(r->ctx);
    LM_TRY(lm_json_parse(r->ctx, &h->arena, r->at, head->description, "layers", &layers));
    r->at += head->description;
    r->left -= head->description;
    LM_TRY(lm_net_make(r->ctx, &h->arena, layers, &source, &h->net));
    return lm_net_store_numbers(&h->net) == head->values ? LM_OK : lm_shared_damaged(r->ctx);
}

/* Into a buffer of the rows. */
static lm_status
take_buffer(lm_shared_reader *r, lm_buffer *buffer, size_t count, size_t size)
{
    if (count > r->left / size)
        return lm_shared_damaged(r->ctx);
    buffer->size = 0;
    LM_TRY(lm_buffer_append(buffer, r->at, count * size));
    r->at += count * size;
    r->left -= count * size;
    return LM_OK;
}

static lm_status
take_letters(lm_shared_reader *r, lm_layers_data *data, const packed_head *head)
{
    LM_TRY(take_buffer(r, &data->spelled, head->spelled, sizeof(int32_t)));
    LM_TRY(take_buffer(r, &data->letters.ends, head->letter_ends, sizeof(size_t)));
    return take_buffer(r, &data->letters.bytes, head->letters, 1);
}

/* Numbers from 0 to below − 1. */
static bool
are_below(const int32_t *numbers, size_t count, size_t below)
{
    size_t i = 0;

    while (i < count && numbers[i] >= 0 && (size_t)numbers[i] < below)
        i++;
    return i == count;
}

/* Ends of `count` pieces, from 0 to `last`, each at least `least` behind the one before. */
static bool
are_ends(const lm_buffer *buffer, size_t count, size_t last, size_t least)
{
    const size_t *ends = (const size_t *)(const void *)buffer->data;
    size_t i = 0;

    while (i < count && ends[i] <= ends[i + 1] && ends[i + 1] - ends[i] >= least)
        i++;
    return i == count && ends[0] == 0 && ends[count] == last;
}

static bool
letters_fit(const lm_layers_data *data, const packed_head *head)
{
    const int32_t *spelled = (const int32_t *)(const void *)data->spelled.data;

    if (!data->spells)
        return head->spelled == 0 && head->letter_ends == 0 && head->letters == 0;
    return head->spelled == head->tokens && head->letter_ends > 0 &&
           are_ends(&data->letters.ends, head->letter_ends - 1, head->letters, 0) &&
           are_below(spelled, head->spelled, head->letter_ends - 1);
}

static bool
targets_fit(const helper *h, const packed_head *head)
{
    const lm_layers_task *task = h->data.task;
    const bool regression = task->scoring == LM_SCORING_RAW;
    const size_t wanted = task->by_text ? head->rows : head->tokens;

    return head->numbers == (regression ? head->rows : 0) &&
           head->targets == (regression || task->language ? 0 : wanted) &&
           are_below(h->data.labels.y, head->targets, h->net.out);
}

/* What is read of rows lies within what there is. */
static bool
rows_fit(const helper *h, const packed_head *head)
{
    const int32_t *ids = (const int32_t *)(const void *)h->data.tokens.data;

    return are_ends(&h->data.offsets, head->rows, head->tokens, 1) &&
           are_below(ids, head->tokens, head->vocabulary) && letters_fit(&h->data, head) &&
           targets_fit(h, head);
}

static lm_status
take_rows(lm_shared_reader *r, helper *h, const packed_head *head)
{
    lm_layers_data *data = &h->data;

    if (head->rows > r->left)
        return lm_shared_damaged(r->ctx);
    LM_TRY(take_buffer(r, &data->offsets, head->rows + 1, sizeof(size_t)));
    LM_TRY(take_buffer(r, &data->tokens, head->tokens, sizeof(int32_t)));
    LM_TRY(take_letters(r, data, head));
    LM_TRY(lm_shared_take_array(r, &data->labels.y, head->targets, sizeof(int32_t)));
    LM_TRY(take_buffer(r, &data->targets, head->numbers, sizeof(float)));
    data->labels.rows = head->targets;
    data->rows = head->rows;
    data->spells = h->net.characters;
    return rows_fit(h, head) ? LM_OK : lm_shared_damaged(r->ctx);
}

static lm_status
take_loss(lm_shared_reader *r, helper *h, const packed_head *head)
{
    float *weights = NULL;

    h->fit.loss = head->loss;
    h->fit.loss.class_weights = NULL;
    if (head->weights > 0) {
        if (head->weights != h->net.out)
            return lm_shared_damaged(r->ctx);
        if (!(weights = lm_arena_array(&h->arena, head->weights, sizeof *weights)))
            return LM_NO_MEMORY;
        h->fit.loss.class_weights = weights;
    }
    LM_TRY(lm_shared_take(r, weights, head->weights, sizeof *weights));
    return r->left == 0 ? LM_OK : lm_shared_damaged(r->ctx);
}

static lm_status
open_data(lm_shared_reader *r, helper *h)
{
    const lm_layers_task *task;
    const char *name;

    LM_TRY(lm_shared_take_string(r, &h->arena, &name));
    task = lm_layers_task_find(name);
    if (!task)
        return lm_shared_damaged(r->ctx);
    return lm_layers_data_open(&h->data, r->ctx, task);
}

static void
close_helper(void *training)
{
    helper *h = training;

    if (!h)
        return;
    if (h->data.ctx)
        lm_layers_data_close(&h->data);
    lm_layers_fit_free(&h->fit);
    if (h->store.ctx)
        lm_net_store_close(&h->store);
    lm_arena_free(&h->arena);
    lm_free(h->ctx, h);
}

static lm_status
open_helper(lm_shared_reader *r, helper *h, const packed_head *head, float *values, float *grads)
{
    LM_TRY(open_data(r, h));
    LM_TRY(take_net(r, h, head));
    LM_TRY(take_rows(r, h, head));
    LM_TRY(take_loss(r, h, head));
    LM_TRY(lm_net_store_share(r->ctx, &h->net, values, grads, &h->store));
    h->store.rounded = head->rounded != 0;
    h->fit.net = &h->net;
    h->fit.store = &h->store;
    h->fit.data = &h->data;
    h->fit.targets = h->data.labels.y;
    return LM_OK;
}

static lm_status
open_shared(lm_context *ctx, const void *bytes, size_t size, float *values, float *grads,
            lm_cut *cut, void **training, lm_network *network)
{
    lm_shared_reader r = {ctx, bytes, size};
    packed_head head;
    helper *h;

    LM_TRY(lm_shared_take(&r, &head, 1, sizeof head));
    if (head.mark != MARK || head.head_size != sizeof head)
        return lm_shared_damaged(ctx);
    if (!(h = lm_alloc_zero(ctx, sizeof *h)))
        return LM_NO_MEMORY;
    *training = h;
    h->ctx = ctx;
    lm_arena_init(&h->arena, ctx);
    lm_layers_fit_init(&h->fit, ctx);
    LM_TRY(open_helper(&r, h, &head, values, grads));
    *cut = head.cut;
    *network = lm_layers_network(&h->fit);
    return LM_OK;
}

const lm_shared_kind lm_shared_layers = {MARK, open_shared, close_helper};
