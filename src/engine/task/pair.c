/*
 * pair.c - pairs of texts through lm_classify, whose head reads the pooled states of a pair. What
 * lies between is the session's, of a bounded size.
 */
#include "task/pair.h"

#include <ctype.h>
#include <string.h>

#include "base/size.h"
#include "task/classify.h"
#include "task/score.h"

/* Numbers of a block of pairs that become fewer results. */
#define BLOCK_SCORES 4096

static lm_embed_options
of_pairs(const lm_embed_options *options, lm_pair_cut cut)
{
    lm_embed_options pairs = *options;

    pairs.pairs = true;
    pairs.cut = cut;
    return pairs;
}

/* How many pairs of a model go through the session's scores at a time. */
static size_t
block_of(const lm_model *model, size_t pairs)
{
    const size_t labels = (size_t)lm_model_head(model)->labels;
    const size_t block = labels < BLOCK_SCORES ? BLOCK_SCORES / labels : 1;

    return pairs < block ? pairs : block;
}

static lm_status
grow_scores(lm_context *ctx, lm_session *session, const lm_model *model, size_t pairs)
{
    return lm_session_grow(ctx, session, &session->scores, &session->score_capacity,
                           pairs * (size_t)lm_model_head(model)->labels, sizeof(float));
}

static lm_status
check_head(lm_context *ctx, const lm_model *model)
{
    if (!lm_model_head(model) || !lm_model_weights(model) || lm_model_reads_embedding(model))
        return lm_raise(ctx, LM_UNSUPPORTED, "the model has no head for pairs of texts");
    return LM_OK;
}

/* ---- One number, or all labels ---- */

lm_status
lm_rerank(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
          size_t pairs, const lm_embed_options *options, float *scores, lm_embed_counts *counts)
{
    const lm_embed_options all = of_pairs(options, LM_CUT_LONGEST);

    LM_TRY(check_head(ctx, model));
    if (lm_model_head(model)->labels != 1) {
        lm_raise(ctx, LM_UNSUPPORTED, "the model's head has more than one number for a pair");
        return lm_detail_found(ctx, "%d labels", lm_model_head(model)->labels);
    }
    return lm_classify_as(ctx, session, model, texts, pairs, &all, model->info.pair_scoring, scores,
                          counts);
}

lm_status
lm_entailment(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
              size_t pairs, const lm_embed_options *options, float *scores, lm_embed_counts *counts)
{
    const lm_embed_options all = of_pairs(options, LM_CUT_LONGEST);

    LM_TRY(check_head(ctx, model));
    return lm_classify(ctx, session, model, texts, pairs, &all, scores, counts);
}

/* The first of two outputs says that the second text follows. */
lm_status
lm_next_sentence(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
                 size_t pairs, const lm_embed_options *options, float *probabilities,
                 lm_embed_counts *counts)
{
    const lm_embed_options all = of_pairs(options, LM_CUT_LONGEST);
    lm_status status = LM_OK;
    size_t labels, block;

    LM_TRY(check_head(ctx, model));
    labels = (size_t)lm_model_head(model)->labels;
    block = block_of(model, pairs);
    LM_TRY(grow_scores(ctx, session, model, block));
    for (size_t first = 0; first < pairs && status == LM_OK; first += block) {
        size_t here = pairs - first < block ? pairs - first : block;
        lm_embed_counts done = {0};

        status = lm_classify_as(ctx, session, model, texts + 2 * first, here, &all,
                                LM_SCORING_SOFTMAX, session->scores, &done);
        lm_embed_counts_add(counts, &done);
        for (size_t i = 0; i < (size_t)done.texts && status != LM_CANCELLED; i++)
            probabilities[first + i] = session->scores[i * labels];
    }
    return status;
}

/* ---- Labels that nobody trained ---- */

/* The form of a zero-shot call's own options: this, the ends of the hypotheses, their bytes. */
typedef struct hypotheses {
    uint32_t count;
    uint32_t each;
} hypotheses;

static bool
begins_with_entail(const char *label)
{
    static const char word[] = "entail";

    for (size_t i = 0; word[i]; i++)
        if (tolower((unsigned char)label[i]) != word[i])
            return false;
    return true;
}

int
lm_entailment_label(const lm_model *model)
{
    for (int i = 0; i < model->info.label_count; i++)
        if (begins_with_entail(model->info.labels[i]))
            return i;
    return -1;
}

static lm_status
bad_template(lm_context *ctx, const char *found)
{
    lm_raise(ctx, LM_BAD_ARGUMENT, "the template is not valid");
    lm_detail_key(ctx, "template");
    lm_detail_found(ctx, "%s", found);
    return lm_detail_allowed(ctx, "one {} for the label; {{ and }} for braces");
}

/* The template with the label in its place. */
static lm_status
write_hypothesis(lm_context *ctx, lm_text template, lm_text label, lm_buffer *out)
{
    bool placed = false;

    for (size_t i = 0; i < template.length; i++) {
        char c = template.bytes[i], next = i + 1 < template.length ? template.bytes[i + 1] : '\0';

        if (c != '{' && c != '}') {
            LM_TRY(lm_buffer_append_byte(out, c));
            continue;
        }
        if (next != c && (c != '{' || next != '}'))
            return bad_template(ctx, "a single brace");
        if (next != c && placed)
            return bad_template(ctx, "more than one {}");
        LM_TRY(next == c ? lm_buffer_append_byte(out, c)
                         : lm_buffer_append(out, label.bytes, label.length));
        placed = placed || next != c;
        i++;
    }
    return placed ? LM_OK : bad_template(ctx, "no {}");
}

lm_status
lm_hypotheses_make(lm_context *ctx, lm_text template, const lm_text *labels, size_t count,
                   bool each, lm_buffer *out)
{
    const hypotheses head = {(uint32_t)count, each};
    const size_t ends = out->size + sizeof head;
    size_t start;

    if (count == 0 || count > UINT32_MAX)
        return lm_raise(ctx, LM_BAD_ARGUMENT, "there is no label");
    LM_TRY(lm_buffer_append(out, &head, sizeof head));
    for (size_t i = 0; i < count; i++)
        LM_TRY(lm_buffer_append(out, &head.count, sizeof head.count));
    start = out->size;
    for (size_t i = 0; i < count; i++) {
        uint32_t end;

        LM_TRY(lm_poll(ctx));
        LM_TRY(write_hypothesis(ctx, template, labels[i], out));
        if (out->size - start > UINT32_MAX)
            return lm_raise(ctx, LM_TOO_LARGE, "the labels are too long");
        end = (uint32_t)(out->size - start);
        memcpy(out->data + ends + i * sizeof end, &end, sizeof end);
    }
    return LM_OK;
}

size_t
lm_hypotheses_count(lm_text own)
{
    hypotheses head;

    memcpy(&head, own.bytes, sizeof head);
    return head.count;
}

static bool
labels_apart(lm_text own)
{
    hypotheses head;

    memcpy(&head, own.bytes, sizeof head);
    return head.each || head.count == 1;
}

static uint32_t
end_of(lm_text own, size_t i)
{
    uint32_t end;

    memcpy(&end, own.bytes + sizeof(hypotheses) + i * sizeof end, sizeof end);
    return end;
}

static lm_text
hypothesis(lm_text own, size_t i)
{
    const char *bytes =
        own.bytes + sizeof(hypotheses) + lm_hypotheses_count(own) * sizeof(uint32_t);
    const uint32_t start = i > 0 ? end_of(own, i - 1) : 0;

    return (lm_text){bytes + start, end_of(own, i) - start};
}

/* One call: pairs of every text with every hypothesis, text by text. */
typedef struct zero_shot {
    lm_context *ctx;
    lm_session *session;
    const lm_model *model;
    const lm_text *texts;
    lm_text own;
    size_t labels;         /* of the call */
    int entailment, other; /* labels of the head */
    bool apart;            /* each label has a score of its own */
    float *scores;
} zero_shot;

/* The label beside entailment is the reference's choice: the first, or the last where that is it.
 */
static lm_status
start_zero_shot(zero_shot *run)
{
    const int outputs = run->model->info.label_count;

    run->labels = lm_hypotheses_count(run->own);
    run->entailment = lm_entailment_label(run->model);
    run->other = run->entailment == 0 ? outputs - 1 : 0;
    run->apart = labels_apart(run->own);
    if (run->entailment < 0 || outputs < 2) {
        lm_raise(run->ctx, LM_UNSUPPORTED, "the model does not tell what follows from a text");
        return lm_detail_allowed(run->ctx, "a label that begins with \"entail\", and another one");
    }
    return LM_OK;
}

static void
fill_pairs(const zero_shot *run, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        run->session->pairs[2 * i] = run->texts[(first + i) / run->labels];
        run->session->pairs[2 * i + 1] = hypothesis(run->own, (first + i) % run->labels);
    }
}

/* The logit of entailment, or its probability beside the other label. */
static void
keep_scores(const zero_shot *run, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float *logits = run->session->scores + i * (size_t)run->model->info.label_count;
        float pair[] = {logits[run->entailment], logits[run->other]};

        if (run->apart)
            lm_score(run->model->kernels, LM_SCORING_SOFTMAX, 2, pair);
        run->scores[first + i] = pair[0];
    }
}

/* *done is how many pairs were computed. */
static lm_status
run_pairs(zero_shot *run, size_t pairs, const lm_embed_options *options, lm_embed_counts *counts)
{
    const size_t block = block_of(run->model, pairs);
    lm_status status = LM_OK;

    LM_TRY(grow_scores(run->ctx, run->session, run->model, block));
    LM_TRY(lm_session_grow(run->ctx, run->session, &run->session->pairs,
                           &run->session->pair_capacity, 2 * block, sizeof(lm_text)));
    for (size_t first = 0; first < pairs && status == LM_OK; first += block) {
        size_t here = pairs - first < block ? pairs - first : block;
        lm_embed_counts done = {0};

        fill_pairs(run, first, here);
        status = lm_classify_as(run->ctx, run->session, run->model, run->session->pairs, here,
                                options, LM_SCORING_RAW, run->session->scores, &done);
        lm_embed_counts_add(counts, &done);
        if (status != LM_CANCELLED)
            keep_scores(run, first, (size_t)done.texts);
    }
    return status;
}

lm_status
lm_zero_shot(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
             size_t count, const lm_embed_options *options, float *scores, lm_embed_counts *counts)
{
    const lm_embed_options cut = of_pairs(options, LM_CUT_FIRST);
    zero_shot run = {ctx, session, model, texts, options->own, .scores = scores};
    lm_embed_counts done = {0};
    lm_status status;
    size_t pairs;

    LM_TRY(check_head(ctx, model));
    LM_TRY(start_zero_shot(&run));
    if (lm_mul_overflows(count, run.labels, &pairs))
        return lm_raise(ctx, LM_TOO_LARGE, "there are too many pairs of a text and a label");
    status = run_pairs(&run, pairs, &cut, &done);
    done.texts /= run.labels;
    for (size_t i = 0; !run.apart && status != LM_CANCELLED && i < (size_t)done.texts; i++)
        lm_score(model->kernels, LM_SCORING_SOFTMAX, run.labels, scores + i * run.labels);
    lm_embed_counts_add(counts, &done);
    return status;
}
