/*
 * explain.c - words of texts and their shares of a score. Each text is classified first, for its
 * score and its label.
 */
#include "task/explain.h"

#include <string.h>

#include "base/unicode.h"
#include "base/utf8.h"
#include "task/classify.h"
#include "task/integrated.h"
#include "task/tag.h"

const char *const lm_explain_methods[LM_EXPLAIN_METHODS] = {
    [LM_EXPLAIN_GRADIENTS] = "integrated_gradients",
    [LM_EXPLAIN_LEAVE_OUT] = "leave_one_out",
};

/* Texts without a word that are classified together: so many, or the bytes of as many. */
#define BLOCK_TEXTS ((size_t)64)
#define BLOCK_BYTES ((size_t)1 << 20)

/* One call. */
typedef struct explain_run {
    lm_context *ctx;
    lm_session *session;
    const lm_model *model;
    const lm_embed_options *options;
    lm_explain_options explain; /* of the text under way: with its label */
    lm_text text;
    lm_arena arena; /* of the text under way */
    size_t labels;
    float *scores;         /* of a block of texts */
    lm_attribution *words; /* of the text */
    size_t word_count;
    lm_embed_counts counts; /* of the text */
} explain_run;

/* ---- Words ---- */

/* Tokens to words, which have the sum of what their tokens have. */
static lm_status
join_words(explain_run *run, const lm_shared_token *tokens, size_t count)
{
    const lm_tokenizer *tokenizer = lm_model_tokenizer(run->model);
    lm_tag_cursor at = {0, 0};
    double sum = 0;

    run->word_count = 0;
    run->words = lm_arena_array(&run->arena, count + 1, sizeof *run->words);
    if (!run->words)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const lm_shared_token *token = &tokens[i];
        bool joins =
            tokenizer && run->word_count > 0 &&
            lm_tag_is_piece(tokenizer, token->token, token->start, token->stop, run->text, &at);

        sum = joins ? sum + token->value : token->value;
        if (!joins)
            run->words[run->word_count++].start = token->start;
        run->words[run->word_count - 1].stop = token->stop;
        run->words[run->word_count - 1].value = (float)sum;
    }
    return LM_OK;
}

/* ---- Leaving words out ---- */

static bool
is_space(char c)
{
    return memchr(" \t\n\r", c, 4) != NULL;
}

/*
 * Bytes of a word, and of one space before it: what is left reads as if the word had never been
 * there. The first word takes the space behind it.
 */
static lm_text
cut_of(const explain_run *run, const lm_attribution *word, lm_tag_cursor *at)
{
    lm_text cut = lm_tag_cut(run->text, word->start, word->stop, at);
    const char *end = run->text.bytes + run->text.length;

    if (cut.bytes > run->text.bytes && is_space(cut.bytes[-1]))
        return (lm_text){cut.bytes - 1, cut.length + 1};
    if (cut.bytes == run->text.bytes && cut.bytes + cut.length < end &&
        is_space(cut.bytes[cut.length]))
        cut.length++;
    return cut;
}

/* The text without a word, in a copy. */
static lm_text
leave_out(const explain_run *run, lm_text cut, char *copy)
{
    size_t before = (size_t)(cut.bytes - run->text.bytes), length = run->text.length - cut.length;

    memcpy(copy, run->text.bytes, before);
    memcpy(copy + before, cut.bytes + cut.length, length - before);
    return (lm_text){copy, length};
}

static lm_status
classify(explain_run *run, const lm_text *texts, size_t count)
{
    return lm_classify(run->ctx, run->session, run->model, texts, count, run->options, run->scores,
                       &run->counts);
}

/* Words first … first + count − 1. */
static lm_status
leave_out_block(explain_run *run, size_t first, size_t count, char *copies, float whole,
                lm_tag_cursor *at)
{
    lm_text texts[BLOCK_TEXTS];

    for (size_t i = 0; i < count; i++)
        texts[i] =
            leave_out(run, cut_of(run, &run->words[first + i], at), copies + i * run->text.length);
    LM_TRY(classify(run, texts, count));
    for (size_t i = 0; i < count; i++)
        run->words[first + i].value =
            whole - run->scores[i * run->labels + (size_t)run->explain.label];
    return LM_OK;
}

/* Of a model without tokens: stretches without white space. The text was classified, so it is
 * valid. */
static lm_status
read_words(explain_run *run, lm_shared_token **tokens, size_t *count)
{
    const lm_text text = run->text;
    bool inside = false;
    int32_t at = 0; /* characters */
    int bytes;

    *count = 0;
    *tokens = lm_arena_array(&run->arena, text.length / 2 + 1, sizeof **tokens);
    if (!*tokens)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < text.length; i += (size_t)bytes, at++) {
        unsigned flags = lm_unicode_flags(lm_utf8_decode(text.bytes + i, &bytes));
        bool word = (flags & LM_UNICODE_SPACE) == 0;

        if (word && !inside)
            (*tokens)[(*count)++] = (lm_shared_token){0, at, at + 1, 0};
        else if (word)
            (*tokens)[*count - 1].stop = at + 1;
        inside = word;
    }
    return LM_OK;
}

/* The text's tokens, without special ones; of a window, unless windows are averaged. */
static lm_status
read_tokens(explain_run *run, lm_shared_token **tokens, size_t *count)
{
    lm_encoding *encoding = &run->session->encoding;
    const lm_token_options options = {
        .add_special = true,
        .parse_special = true,
        .offsets = true,
        .max_tokens = run->options->on_long == LM_LONG_MEAN
                          ? 0
                          : lm_model_main(lm_model_encoder(run->model))->info.max_tokens,
    };

    LM_TRY(lm_tokenize(run->ctx, lm_model_tokenizer(run->model), run->session->scratch,
                       run->text.bytes, run->text.length, &options, encoding));
    *count = 0;
    *tokens = lm_arena_array(&run->arena, encoding->count + 1, sizeof **tokens);
    if (!*tokens)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < encoding->count; i++)
        if (!encoding->special[i])
            (*tokens)[(*count)++] =
                (lm_shared_token){encoding->ids[i], encoding->start[i], encoding->stop[i], 0};
    return LM_OK;
}

static lm_status
leave_words_out(explain_run *run)
{
    const size_t length = run->text.length > 0 ? run->text.length : 1;
    const bool has_tokens = lm_model_tokenizer(run->model) != NULL;
    const float whole = run->scores[run->explain.label];
    size_t block = BLOCK_BYTES / length, count;
    lm_shared_token *tokens;
    lm_tag_cursor at = {0, 0};
    char *copies;

    block = block < 1 ? 1 : block < BLOCK_TEXTS ? block : BLOCK_TEXTS;
    LM_TRY(has_tokens ? read_tokens(run, &tokens, &count) : read_words(run, &tokens, &count));
    LM_TRY(join_words(run, tokens, count));
    copies = lm_arena_array(&run->arena, block, length);
    if (!copies)
        return LM_NO_MEMORY;
    for (size_t first = 0; first < run->word_count; first += block) {
        size_t left = run->word_count - first;

        LM_TRY(leave_out_block(run, first, left < block ? left : block, copies, whole, &at));
    }
    return LM_OK;
}

/* ---- A text ---- */

static lm_status
share_gradients(explain_run *run)
{
    lm_shared_token *tokens;
    size_t count;
    const lm_head *head = lm_model_head(run->model);

    if (lm_model_ngram_head(run->model) || lm_model_layers(run->model) ||
        (head && head->neighbours.count > 0)) {
        lm_raise(run->ctx, LM_UNSUPPORTED, "there are no gradients of %s",
                 lm_model_layers(run->model) ? "nets of layers"
                 : head                      ? "neighbours"
                                             : "n-grams");
        return lm_detail_hint(run->ctx, "Use the method leave_one_out.");
    }
    LM_TRY(lm_integrated_gradients(run->ctx, &run->arena, run->session, run->model, &run->text,
                                   run->options, &run->explain, &tokens, &count, &run->counts));
    return join_words(run, tokens, count);
}

static lm_status (*const methods[LM_EXPLAIN_METHODS])(explain_run *run) = {
    [LM_EXPLAIN_GRADIENTS] = share_gradients,
    [LM_EXPLAIN_LEAVE_OUT] = leave_words_out,
};

static lm_status
explain_text(explain_run *run)
{
    run->scores = lm_arena_array(&run->arena, BLOCK_TEXTS, run->labels * sizeof *run->scores);
    if (!run->scores)
        return LM_NO_MEMORY;
    LM_TRY(classify(run, &run->text, 1));
    if (run->explain.label < 0)
        run->explain.label = lm_classify_best(run->scores, (int)run->labels);
    return methods[run->explain.method](run);
}

/* What a text cost counts as one text, also where it failed. */
static void
add_counts(const explain_run *run, bool done, lm_embed_counts *sum)
{
    lm_embed_counts counts = run->counts;

    counts.texts = done;
    counts.truncated = run->counts.truncated > 0;
    lm_embed_counts_add(sum, &counts);
}

static lm_status
check_options(lm_context *ctx, const lm_model *model, const lm_explain_options *explain)
{
    const int labels = model->info.label_count;

    if (explain->label >= labels && (lm_model_head(model) || lm_model_ngram_head(model))) {
        lm_raise(ctx, LM_BAD_ARGUMENT, "the model has no such label");
        lm_detail_found(ctx, "%d", explain->label);
        return lm_detail_allowed(ctx, "0 to %d", labels - 1);
    }
    if (explain->steps < 0 || explain->steps > LM_EXPLAIN_MOST_STEPS) {
        lm_raise(ctx, LM_BAD_ARGUMENT, "the number of steps is out of range");
        lm_detail_found(ctx, "%d", explain->steps);
        return lm_detail_allowed(ctx, "1 to %d", LM_EXPLAIN_MOST_STEPS);
    }
    return LM_OK;
}

lm_status
lm_explain(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
           size_t count, const lm_embed_options *options, const lm_explain_options *explain,
           lm_explain_sink sink, void *opaque, lm_embed_counts *counts)
{
    lm_status status = LM_OK;

    LM_TRY(check_options(ctx, model, explain));
    for (size_t i = 0; i < count && status == LM_OK; i++) {
        explain_run run = {.ctx = ctx,
                           .session = session,
                           .model = model,
                           .options = options,
                           .explain = *explain,
                           .text = texts[i],
                           .labels = (size_t)model->info.label_count};

        lm_arena_init(&run.arena, ctx);
        status = explain_text(&run);
        if (status == LM_OK)
            status = sink(opaque, i, run.words, run.word_count);
        add_counts(&run, status == LM_OK, counts);
        lm_arena_free(&run.arena);
    }
    lm_session_trim(session);
    return status;
}
