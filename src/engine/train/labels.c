/*
 * labels.c - labels of rows.
 */
#include "train/labels.h"

#include "base/size.h"

#define POLL_EVERY 8192 /* rows */

void
lm_train_labels_init(lm_train_labels *labels, lm_context *ctx)
{
    *labels = (lm_train_labels){.ctx = ctx};
    lm_intern_init(&labels->names, ctx, "labels");
}

void
lm_train_labels_free(lm_train_labels *labels)
{
    lm_intern_free(&labels->names);
    lm_free(labels->ctx, labels->y);
    lm_free(labels->ctx, labels->order);
}

static lm_status
make_room(lm_train_labels *l, size_t more)
{
    size_t room = lm_grown_room(l->room, l->rows + more);
    int32_t *y;

    if (l->rows + more <= l->room)
        return LM_OK;
    if (!(y = lm_keep(l->ctx, l->y, room * sizeof *y)))
        return LM_NO_MEMORY;
    l->y = y;
    l->room = room;
    return LM_OK;
}

lm_status
lm_train_labels_add(lm_train_labels *labels, const lm_text *texts, size_t count)
{
    LM_TRY(make_room(labels, count));
    for (size_t i = 0; i < count; i++) {
        uint32_t number;

        LM_TRY(lm_intern_add(&labels->names, texts[i].bytes, texts[i].length, &number));
        labels->y[labels->rows + i] = (int32_t)number;
    }
    labels->rows += count;
    return LM_OK;
}

lm_status
lm_train_labels_sort(lm_train_labels *labels)
{
    uint32_t count = labels->names.count, *ranks;
    lm_status status = LM_OK;

    LM_TRY(lm_intern_sort(&labels->names, &labels->order));
    if (!(ranks = lm_alloc_array(labels->ctx, (size_t)count + 1, sizeof *ranks)))
        return LM_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        ranks[labels->order[i]] = i;
    for (size_t i = 0; status == LM_OK && i < labels->rows; i++) {
        labels->y[i] = (int32_t)ranks[labels->y[i]];
        if (i % POLL_EVERY == 0)
            status = lm_poll(labels->ctx);
    }
    lm_free(labels->ctx, ranks);
    return status;
}

lm_status
lm_train_labels_names(const lm_train_labels *labels, lm_arena *arena, const char *const **names)
{
    uint32_t count = labels->names.count;
    const char **made = lm_arena_array(arena, (size_t)count + 1, sizeof *made);

    if (!made)
        return LM_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        size_t length;
        const char *bytes = lm_intern_bytes(&labels->names, labels->order[i], &length);

        if (!(made[i] = lm_arena_copy(arena, bytes, length)))
            return LM_NO_MEMORY;
    }
    *names = made;
    return LM_OK;
}
