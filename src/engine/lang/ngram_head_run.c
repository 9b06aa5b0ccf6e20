/*
 * ngram_head_run.c - the numbers of labels for a text: its n-grams looked up, counted, weighed, and
 * the rows of their weights added. Allocates nothing once the room has grown.
 */
#include <string.h>

#include "base/hash.h"
#include "kernels/clones.h"
#include "lang/label_tree.h"
#include "lang/ngram_head.h"

#define POLL_EVERY 8192u /* rows of weights, probes */
#define LANES 16         /* floats of a step: rows are padded to so many */
#define LINE 64          /* bytes that are fetched at a time */
#define FETCHED 1024     /* bytes of a row that are asked for ahead */

void
lm_ngram_head_room_init(lm_ngram_head_room *room, lm_context *ctx)
{
    *room = (lm_ngram_head_room){.sums = NULL};
    lm_ngram_room_init(&room->ngrams, ctx);
    lm_numbers_init(&room->numbers, ctx);
}

void
lm_ngram_head_room_free(lm_ngram_head_room *room)
{
    lm_context *ctx = room->numbers.ctx;

    lm_ngram_room_free(&room->ngrams);
    lm_numbers_free(&room->numbers);
    lm_free(ctx, room->sums);
    lm_ngram_head_room_init(room, ctx);
}

size_t
lm_ngram_head_room_bytes(const lm_ngram_head_room *room)
{
    return lm_ngram_room_bytes(&room->ngrams) + room->numbers.room * 3 * sizeof(uint32_t) +
           room->sum_room * sizeof(float);
}

/* ---- Looking up ---- */

static lm_status
take_bucket(void *opaque, const char *bytes, size_t length)
{
    lm_ngram_head_room *room = opaque;
    const lm_ngram_head *head = room->head;
    uint32_t feature = head->slot[lm_tfidf_bucket(&head->options, bytes, length)];

    room->seen++;
    return feature == 0 ? LM_OK : lm_numbers_add(&room->numbers, feature - 1);
}

static lm_status
take_name(void *opaque, const char *bytes, size_t length)
{
    lm_ngram_head_room *room = opaque;
    const lm_ngram_head *head = room->head;
    uint32_t at = (uint32_t)lm_hash_bytes(bytes, length, head->seed), feature, steps = 1;

    room->seen++;
    for (; (feature = head->slot[at & (head->slots - 1)]) != 0; at++, steps++) {
        uint32_t start = feature > 1 ? head->ends[feature - 2] : 0;

        if (head->ends[feature - 1] - start == length &&
            memcmp(head->names + start, bytes, length) == 0)
            return lm_numbers_add(&room->numbers, feature - 1);
        if (steps % POLL_EVERY == 0)
            LM_TRY(lm_poll(room->numbers.ctx));
    }
    return LM_OK;
}

/* ---- Adding up ---- */

static lm_status
grow_sums(lm_ngram_head_room *room, size_t need)
{
    float *sums;

    if (need <= room->sum_room)
        return LM_OK;
    if (!(sums = lm_realloc(room->numbers.ctx, room->sums, need * sizeof *sums)))
        return LM_NO_MEMORY;
    room->sums = sums;
    room->sum_room = need;
    return LM_OK;
}

static void
add_row(float *sums, const float *row, size_t padded, float value)
{
    for (size_t block = 0; block < padded; block += LANES)
        for (size_t i = 0; i < LANES; i++)
            sums[block + i] += value * row[block + i];
}

LM_CLONE_BODY void
add_codes_body(float *sums, const int8_t *row, size_t padded, float value)
{
    for (size_t block = 0; block < padded; block += LANES)
        for (size_t i = 0; i < LANES; i++)
            sums[block + i] += value * (float)row[block + i];
}

LM_CLONES(add_codes, (float *sums, const int8_t *row, size_t padded, float value),
          (sums, row, padded, value))

/* Rows lie anywhere: the next one is on its way while one is added. */
static void
fetch_row(const char *row, size_t bytes)
{
    for (size_t at = 0; at < bytes && at < FETCHED; at += LINE)
        __builtin_prefetch(row + at);
}

static void
fetch_feature(const lm_ngram_head *head, uint32_t feature)
{
    const size_t padded = (size_t)head->padded;

    if (head->codes)
        fetch_row((const char *)(head->codes + feature * padded), padded);
    else
        fetch_row((const char *)(head->weight + feature * padded), padded * sizeof(float));
}

static void
add_feature(const lm_ngram_head *head, uint32_t feature, float value, float *sums)
{
    const size_t padded = (size_t)head->padded;

    if (head->codes)
        add_codes(sums, head->codes + feature * padded, padded, value * head->step[feature]);
    else
        add_row(sums, head->weight + feature * padded, padded, value);
}

static lm_status
add_features(const lm_ngram_head *head, lm_ngram_head_room *room)
{
    const lm_numbers *numbers = &room->numbers;
    const size_t padded = (size_t)head->padded, poll = (size_t)1 << 22;
    size_t work = 0;

    for (size_t i = 0; i < numbers->count; i++) {
        if (i + 2 < numbers->count)
            fetch_feature(head, numbers->items[i + 2]);
        add_feature(head, numbers->items[i], numbers->counts[i], room->sums);
        if ((work += padded) >= poll) {
            work = 0;
            LM_TRY(lm_poll(numbers->ctx));
        }
    }
    return LM_OK;
}

/* Of a tree the numbers are its nodes', and logarithms of the labels' shares come of them. */
static lm_status
run_rank(const lm_kernels *kernels, const lm_ngram_head *head, lm_ngram_head_room *room, float *out)
{
    const size_t labels = (size_t)head->labels, rank = (size_t)head->rank;
    float *nodes = head->tree ? room->sums + head->padded : out;

    memset(room->sums, 0, (size_t)head->padded * sizeof *room->sums);
    LM_TRY(add_features(head, room));
    for (size_t i = 0; i < labels; i++)
        nodes[i] = head->bias[i] + kernels->dot_f32(rank, head->output + i * rank, room->sums);
    if (head->tree)
        lm_label_tree_spread(head->tree, labels, nodes, nodes + labels, out);
    return LM_OK;
}

lm_status
lm_ngram_head_run(const lm_kernels *kernels, const lm_ngram_head *head, lm_ngram_head_room *room,
                  lm_text text, const float *embedding, float *out)
{
    const size_t width = (size_t)head->width;
    lm_numbers *numbers = &room->numbers;

    room->head = head;
    room->seen = 0;
    lm_numbers_clear(numbers);
    LM_TRY(grow_sums(room, (size_t)head->padded + (head->tree ? 2 * (size_t)head->labels : 0)));
    LM_TRY(lm_tfidf_each(&head->options, &room->ngrams, text,
                         head->options.hash_bits > 0 ? take_bucket : take_name, room));
    LM_TRY(lm_numbers_count(numbers));
    lm_tfidf_weigh(&head->options, head->idf, numbers->items, numbers->counts, numbers->count);
    if (head->rank > 0)
        return run_rank(kernels, head, room, out);
    memcpy(room->sums, head->bias, (size_t)head->padded * sizeof *room->sums);
    LM_TRY(add_features(head, room));
    for (size_t i = 0; i < (size_t)head->labels; i++)
        out[i] = room->sums[i] +
                 (embedding ? kernels->dot_f32(width, head->dense + i * width, embedding) : 0);
    return LM_OK;
}
