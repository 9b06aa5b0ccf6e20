/*
 * token_crf.c - labels of tokens by a head with a conditional random field.
 */
#include "task/token_crf.h"

#include <string.h>

#include "net/crf.h"
#include "task/score.h"

void
lm_token_crf_text(lm_token_crf *crf, size_t number, lm_text text)
{
    if (crf->number == number)
        return;
    crf->number = number;
    crf->text = text;
    crf->at = (lm_tag_cursor){0, 0};
}

/* One window. */
typedef struct crf_window {
    lm_context *ctx;
    const lm_head *head;
    size_t labels, tokens, words;
    int32_t *word;   /* (tokens): the word that each is of; -1: none */
    float *x, *p;    /* (words, C): numbers, probabilities */
    float *room;     /* of the head */
    double *sums;    /* of the CRF */
    int32_t *best;   /* (words) */
    int32_t *inside; /* (C): I- of the same, or the label itself */
} crf_window;

static bool
goes_on(lm_token_crf *crf, int32_t id, const lm_token_range *range)
{
    if (crf->spaced)
        return lm_tag_touches(crf->text, range->start, &crf->at);
    return lm_tag_is_piece(lm_model_tokenizer(crf->model), id, range->start, range->stop, crf->text,
                           &crf->at);
}

/* A window may begin inside a word: then that piece stands for it. */
static void
find_words(crf_window *w, lm_token_crf *crf, const int32_t *ids, const lm_token_range *ranges)
{
    for (size_t i = 0; i < w->tokens; i++) {
        w->word[i] = -1;
        if (ranges[i].start < 0)
            continue;
        if (w->words == 0 || !goes_on(crf, ids[i], &ranges[i]))
            w->words++;
        w->word[i] = (int32_t)w->words - 1;
    }
}

static int32_t
label_named(const lm_head *head, const char *name, char first, int32_t otherwise)
{
    for (int i = 0; i < head->labels; i++)
        if (head->names[i][0] == first && strcmp(head->names[i] + 1, name) == 0)
            return i;
    return otherwise;
}

static lm_status
find_inside(const crf_window *w)
{
    for (int i = 0; i < w->head->labels; i++) {
        const char *name = w->head->names[i];

        LM_TRY(lm_poll(w->ctx));
        w->inside[i] = strncmp(name, "B-", 2) == 0 ? label_named(w->head, name + 1, 'I', i) : i;
    }
    return LM_OK;
}

static lm_status
make_room(crf_window *w)
{
    const size_t numbers = w->tokens * w->labels;

    w->word = lm_alloc_array(w->ctx, w->tokens + 1, sizeof *w->word);
    w->best = lm_alloc_array(w->ctx, w->tokens + 1, sizeof *w->best);
    w->inside = lm_alloc_array(w->ctx, w->labels, sizeof *w->inside);
    w->x = lm_alloc_array(w->ctx, numbers + 1, sizeof *w->x);
    w->p = lm_alloc_array(w->ctx, numbers + 1, sizeof *w->p);
    w->room = lm_alloc_array(w->ctx, lm_head_room(w->head), sizeof *w->room);
    w->sums = lm_alloc_array(w->ctx, lm_crf_room(w->labels, w->tokens), sizeof *w->sums);
    return w->word && w->best && w->inside && w->x && w->p && w->room && w->sums ? LM_OK
                                                                                 : LM_NO_MEMORY;
}

static void
free_room(const crf_window *w)
{
    lm_free(w->ctx, w->word);
    lm_free(w->ctx, w->best);
    lm_free(w->ctx, w->inside);
    lm_free(w->ctx, w->x);
    lm_free(w->ctx, w->p);
    lm_free(w->ctx, w->room);
    lm_free(w->ctx, w->sums);
}

/* Numbers of labels of each word's first token. */
static lm_status
score_words(const crf_window *w, const lm_kernels *kernels, const float *x)
{
    int32_t last = -1;

    for (size_t i = 0; i < w->tokens; i++) {
        if (w->word[i] <= last)
            continue;
        last = w->word[i];
        LM_TRY(lm_poll(w->ctx));
        lm_head_logits(kernels, w->head, x + i * (size_t)w->head->width, w->room,
                       w->x + (size_t)last * w->labels);
    }
    return LM_OK;
}

static lm_status
decode(const crf_window *w)
{
    const lm_head *head = w->head;
    const lm_crf crf = {.labels = w->labels,
                        .start = head->start,
                        .end = head->end,
                        .transitions = head->transitions};

    if (w->words == 0)
        return LM_OK;
    LM_TRY(lm_crf_marginals(w->ctx, &crf, w->words, w->x, w->sums, w->p));
    return lm_crf_decode(w->ctx, &crf, w->words, w->x, w->sums, w->best);
}

/* What a word has, as one of its other tokens has it. */
static void
give_inside(const crf_window *w, const float *p, float *out)
{
    memset(out, 0, w->labels * sizeof *out);
    for (size_t i = 0; i < w->labels; i++)
        out[w->inside[i]] += p[i];
}

static void
give(const crf_window *w, float *p, int32_t *labels)
{
    int32_t last = -1;

    for (size_t i = 0; i < w->tokens; i++) {
        const int32_t word = w->word[i];

        if (word < 0)
            continue;
        labels[i] = word > last ? w->best[word] : w->inside[w->best[word]];
        if (word > last)
            memcpy(p + i * w->labels, w->p + (size_t)word * w->labels, w->labels * sizeof *p);
        else
            give_inside(w, w->p + (size_t)word * w->labels, p + i * w->labels);
        last = word;
    }
}

lm_status
lm_token_crf_run(lm_context *ctx, lm_token_crf *crf, const int32_t *ids,
                 const lm_token_range *ranges, const float *x, size_t tokens, float *p,
                 int32_t *labels)
{
    crf_window w = {
        .ctx = ctx, .head = crf->head, .labels = (size_t)crf->head->labels, .tokens = tokens};
    lm_status status = make_room(&w);

    if (status == LM_OK) {
        find_words(&w, crf, ids, ranges);
        status = find_inside(&w);
    }
    if (status == LM_OK)
        status = score_words(&w, crf->model->kernels, x);
    if (status == LM_OK)
        status = decode(&w);
    if (status == LM_OK)
        give(&w, p, labels);
    free_room(&w);
    return status;
}
