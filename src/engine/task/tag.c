/*
 * tag.c - the best label of each token. One list serves for the text under way.
 */
#include "task/tag.h"

#include <string.h>

#include "task/classify.h"
#include "task/token_scores.h"

/* One call. */
typedef struct tag_run {
    int labels;
    lm_buffer tags; /* of the text under way */
    float *means;   /* (texts, labels); NULL: not wanted */
    lm_tag_sink sink;
    void *opaque;
} tag_run;

/* Behind those of the text's tokens before it. */
static lm_status
tag_token(void *opaque, const lm_scored_token *scored)
{
    tag_run *run = opaque;
    const int label = scored->label;
    const lm_tag tag = {scored->token, scored->start, scored->stop, label, scored->scores[label]};

    for (int i = 0; run->means && i < run->labels; i++)
        run->means[scored->text * (size_t)run->labels + (size_t)i] += scored->scores[i];
    return lm_buffer_append(&run->tags, &tag, sizeof tag);
}

/* From sum to mean. */
static void
finish_mean(const tag_run *run, size_t text, size_t count)
{
    float *means = run->means + text * (size_t)run->labels;

    for (int i = 0; count > 0 && i < run->labels; i++)
        means[i] /= (float)count;
}

static lm_status
finish_text(void *opaque, size_t text)
{
    tag_run *run = opaque;
    const size_t count = run->tags.size / sizeof(lm_tag);

    run->tags.size = 0;
    if (run->means)
        finish_mean(run, text, count);
    return run->sink(run->opaque, text, (const lm_tag *)run->tags.data, count);
}

static lm_status
run_texts(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
          size_t count, const lm_embed_options *options, tag_run *run, lm_embed_counts *counts)
{
    const lm_token_receiver receiver = {tag_token, finish_text, run,
                                        options->choice == LM_TAG_SPACED};
    lm_status status;

    run->labels = model->info.label_count;
    lm_buffer_init(&run->tags, ctx);
    status = lm_token_scores(ctx, session, model, texts, count, options, &receiver, counts);
    lm_buffer_free(&run->tags);
    return status;
}

lm_status
lm_tag_texts(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
             size_t count, const lm_embed_options *options, lm_tag_sink sink, void *opaque,
             lm_embed_counts *counts)
{
    tag_run run = {.sink = sink, .opaque = opaque};

    return run_texts(ctx, session, model, texts, count, options, &run, counts);
}

static lm_status
ignore(void *opaque, size_t text, const lm_tag *tags, size_t count)
{
    return LM_OK;
}

lm_status
lm_tag_means(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
             size_t count, const lm_embed_options *options, float *out)
{
    tag_run run = {.means = out, .sink = ignore};

    memset(out, 0, count * (size_t)model->info.label_count * sizeof *out);
    return run_texts(ctx, session, model, texts, count, options, &run, NULL);
}

/* ---- Words ---- */

lm_text
lm_tag_word(const lm_tokenizer *tokenizer, const lm_tag *tag, lm_text text, lm_tag_cursor *at)
{
    lm_text word;

    if (tag->token != lm_token_unknown(tokenizer)) {
        word.bytes = lm_token_text(tokenizer, tag->token, &word.length);
        return word;
    }
    return lm_tag_cut(text, tag->start, tag->stop, at);
}
