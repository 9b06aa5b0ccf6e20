/*
 * tuned_shared.c - a fine-tuning as bytes, and back.
 */
#include "train/tuned_shared.h"

#include <string.h>

#include "train/shared_bytes.h"

#define MAGIC UINT64_C(0x3144524853544d4c) /* "LMTSHRD1" */

typedef struct packed_head {
    uint64_t magic;
    size_t head_size;
    lm_cut cut;
    lm_tuned_settings settings;
    lm_pooling pooling;
    size_t task, special, special_before, per_row, window;
    size_t files, names, texts, tokens, labels, numbers, taught, weights;
    size_t value_numbers, grad_numbers;
    int32_t mask_id;
    bool embeds, normalize;
} packed_head;

static const lm_tuned_task *const tasks[] = {
    &lm_tuned_classification, &lm_tuned_regression, &lm_tuned_tagging, &lm_tuned_similarity,
    &lm_tuned_rerank,         &lm_tuned_masked,     &lm_tuned_next,    &lm_tuned_distillation,
};

#define TASKS (sizeof tasks / sizeof tasks[0])

/* ---- What can be shared ---- */

static bool
is_pruned(const lm_pruning *pruning)
{
    return pruning->share > 0 || pruning->heads > 0 || pruning->neurons > 0;
}

lm_status
lm_tuned_share_check(const lm_tuned *tuned)
{
    if (tuned->settings.lora_rank > 0)
        return lm_shared_refuse(tuned->ctx, "lora");
    if (tuned->settings.augment.count > 0)
        return lm_shared_refuse(tuned->ctx, "augment");
    if (is_pruned(&tuned->settings.pruning))
        return lm_shared_refuse(tuned->ctx, "share");
    if (!lm_tuned_is_whole(tuned))
        return LM_OK;
    lm_raise(tuned->ctx, LM_UNSUPPORTED,
             "batches in which each text is compared with all others cannot be divided among "
             "workers");
    lm_detail_key(tuned->ctx, "workers");
    return lm_detail_hint(tuned->ctx, "Leave the option out, or train by scores or triplets.");
}

size_t
lm_tuned_value_numbers(const lm_tuned *tuned)
{
    return tuned->plain.numbers + 1;
}

size_t
lm_tuned_grad_numbers(const lm_tuned *tuned)
{
    return tuned->encoder.grad_numbers;
}

void
lm_tuned_move(lm_tuned *tuned, float *values)
{
    lm_tuned_encoder_move(&tuned->encoder, values ? values : tuned->values);
}

/* ---- To bytes ---- */

static packed_head
head_of(const lm_tuned *tuned, const lm_cut *cut)
{
    packed_head head;

    memset(&head, 0, sizeof head);
    head.magic = MAGIC;
    head.head_size = sizeof head;
    head.cut = *cut;
    head.settings = tuned->settings;
    head.settings.class_weights = NULL;
    head.pooling = tuned->pooling;
    while (tasks[head.task] != tuned->task)
        head.task++;
    head.special = tuned->special;
    head.special_before = tuned->special_before;
    head.per_row = tuned->texts.per_row;
    head.window = tuned->texts.window;
    head.files = tuned->kept.count;
    head.names = tuned->name_count;
    head.texts = tuned->texts.texts;
    head.tokens = tuned->texts.tokens;
    head.labels = tuned->label_count;
    head.numbers = tuned->number_count;
    head.taught = tuned->taught ? tuned->label_count * tuned->name_count : 0;
    head.weights = tuned->settings.class_weights ? tuned->name_count : 0;
    head.value_numbers = lm_tuned_value_numbers(tuned);
    head.grad_numbers = lm_tuned_grad_numbers(tuned);
    head.mask_id = tuned->mask_id;
    head.embeds = tuned->embeds;
    head.normalize = tuned->normalize;
    return head;
}

static lm_status
append_file(const lm_kept_file *file, lm_buffer *bytes)
{
    LM_TRY(lm_shared_put_string(bytes, file->name));
    LM_TRY(lm_buffer_append(bytes, &file->size, sizeof file->size));
    LM_TRY(lm_buffer_append(bytes, &file->bytes.size, sizeof file->bytes.size));
    return lm_buffer_append(bytes, file->bytes.data, file->bytes.size);
}

lm_status
lm_tuned_pack(lm_tuned *tuned, const lm_cut *cut, lm_buffer *bytes)
{
    const packed_head head = head_of(tuned, cut);

    LM_TRY(lm_buffer_append(bytes, &head, sizeof head));
    for (size_t i = 0; i < head.files; i++)
        LM_TRY(append_file(&tuned->kept.files[i], bytes));
    for (size_t i = 0; i < head.names; i++)
        LM_TRY(lm_shared_put_string(bytes, tuned->names[i]));
    LM_TRY(lm_shared_put_array(bytes, tuned->texts.ids, head.tokens, sizeof *tuned->texts.ids));
    LM_TRY(lm_shared_put_array(bytes, tuned->texts.types, head.tokens, sizeof *tuned->texts.types));
    LM_TRY(lm_shared_put_array(bytes, tuned->texts.ends, head.texts, sizeof *tuned->texts.ends));
    LM_TRY(lm_shared_put_array(bytes, tuned->labels, head.labels, sizeof *tuned->labels));
    LM_TRY(lm_shared_put_array(bytes, tuned->numbers, head.numbers, sizeof *tuned->numbers));
    LM_TRY(lm_shared_put_array(bytes, tuned->taught, head.taught, sizeof *tuned->taught));
    return lm_shared_put_array(bytes, tuned->settings.class_weights, head.weights, sizeof(float));
}

/* ---- From bytes ---- */

static lm_status
take_file(lm_shared_reader *r, lm_arena *arena, lm_kept_file *file)
{
    size_t size = 0;

    LM_TRY(lm_shared_take_string(r, arena, &file->name));
    LM_TRY(lm_shared_take(r, &file->size, 1, sizeof file->size));
    LM_TRY(lm_shared_take(r, &size, 1, sizeof size));
    if (size > r->left)
        return lm_shared_damaged(r->ctx);
    LM_TRY(lm_buffer_append(&file->bytes, r->at, size));
    r->at += size;
    r->left -= size;
    return LM_OK;
}

static lm_status
take_files(lm_shared_reader *r, lm_tuned *tuned, size_t count)
{
    if (count > r->left)
        return lm_shared_damaged(r->ctx);
    LM_TRY(lm_kept_start(r->ctx, &tuned->arena, count, &tuned->kept));
    for (size_t i = 0; i < count; i++) {
        lm_kept_file *file = &tuned->kept.files[tuned->kept.count++];

        lm_buffer_init(&file->bytes, r->ctx);
        LM_TRY(take_file(r, &tuned->arena, file));
    }
    return LM_OK;
}

static lm_status
take_names(lm_shared_reader *r, lm_tuned *tuned, size_t count)
{
    const char **names;

    if (count > r->left)
        return lm_shared_damaged(r->ctx);
    if (!(names = lm_arena_array(&tuned->arena, count + 1, sizeof *names)))
        return LM_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        LM_TRY(lm_shared_take_string(r, &tuned->arena, &names[i]));
    tuned->names = names;
    tuned->name_count = count;
    return LM_OK;
}

static lm_status
take_rows(lm_shared_reader *r, lm_tuned *tuned, const packed_head *head)
{
    lm_tuned_texts *texts = &tuned->texts;

    *texts = (lm_tuned_texts){.ctx = r->ctx,
                              .window = head->window,
                              .per_row = head->per_row,
                              .tokens = head->tokens,
                              .texts = head->texts};
    LM_TRY(lm_shared_take_array(r, &texts->ids, head->tokens, sizeof *texts->ids));
    LM_TRY(lm_shared_take_array(r, &texts->types, head->tokens, sizeof *texts->types));
    LM_TRY(lm_shared_take_array(r, &texts->ends, head->texts, sizeof *texts->ends));
    LM_TRY(lm_shared_take_array(r, &tuned->labels, head->labels, sizeof *tuned->labels));
    LM_TRY(lm_shared_take_array(r, &tuned->numbers, head->numbers, sizeof *tuned->numbers));
    LM_TRY(lm_shared_take_array(r, &tuned->taught, head->taught, sizeof *tuned->taught));
    tuned->label_count = head->labels;
    tuned->number_count = head->numbers;
    return LM_OK;
}

static lm_status
take_weights(lm_shared_reader *r, lm_tuned *tuned, size_t count)
{
    float *weights;

    if (count == 0)
        return LM_OK;
    if (count != tuned->name_count)
        return lm_shared_damaged(r->ctx);
    if (!(weights = lm_arena_array(&tuned->arena, count, sizeof *weights)))
        return LM_NO_MEMORY;
    tuned->settings.class_weights = weights;
    return lm_shared_take(r, weights, count, sizeof *weights);
}

static void
take_head(lm_tuned *tuned, const packed_head *head)
{
    tuned->settings = head->settings;
    tuned->settings.class_weights = NULL;
    tuned->task = tasks[head->task];
    tuned->pooling = head->pooling;
    tuned->special = head->special;
    tuned->special_before = head->special_before;
    tuned->mask_id = head->mask_id;
    tuned->embeds = head->embeds;
    tuned->normalize = head->normalize;
}

static lm_status
read_all(lm_shared_reader *r, lm_tuned *tuned, const packed_head *head)
{
    LM_TRY(take_files(r, tuned, head->files));
    LM_TRY(take_names(r, tuned, head->names));
    LM_TRY(take_rows(r, tuned, head));
    LM_TRY(take_weights(r, tuned, head->weights));
    LM_TRY(lm_tuned_start(tuned, tuned->names, tuned->name_count));
    return lm_tuned_value_numbers(tuned) == head->value_numbers &&
                   lm_tuned_grad_numbers(tuned) == head->grad_numbers
               ? LM_OK
               : lm_shared_damaged(r->ctx);
}

lm_status
lm_tuned_unpack(lm_context *ctx, const void *bytes, size_t size, float *values, float *grads,
                lm_cut *cut, lm_tuned **tuned)
{
    lm_shared_reader r = {ctx, bytes, size};
    packed_head head;
    lm_tuned *new;

    LM_TRY(lm_shared_take(&r, &head, 1, sizeof head));
    if (head.magic != MAGIC || head.head_size != sizeof head || head.task >= TASKS)
        return lm_shared_damaged(ctx);
    if (!(new = lm_alloc_zero(ctx, sizeof *new)))
        return LM_NO_MEMORY;
    *tuned = new;
    new->ctx = ctx;
    lm_arena_init(&new->arena, ctx);
    lm_augmented_open(&new->augmented, ctx, &head.settings.augment);
    for (int i = 0; i < 2; i++)
        lm_buffer_init(&new->variants[i], ctx);
    take_head(new, &head);
    new->helps = true;
    new->values = values;
    new->settings.encoder.grads = grads;
    *cut = head.cut;
    return read_all(&r, new, &head);
}

static lm_status
open_shared(lm_context *ctx, const void *bytes, size_t size, float *values, float *grads,
            lm_cut *cut, void **training, lm_network *network)
{
    lm_tuned *tuned = NULL;
    const lm_status status = lm_tuned_unpack(ctx, bytes, size, values, grads, cut, &tuned);

    *training = tuned;
    if (status == LM_OK)
        lm_tuned_network(tuned, network);
    return status;
}

static void
close_shared(void *training)
{
    lm_tuned_close(training);
}

const lm_shared_kind lm_shared_tuned = {MAGIC, open_shared, close_shared};
