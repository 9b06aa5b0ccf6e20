/*
 * text_tokens.h - a row's texts as runs of numbers: equal tokens have equal numbers in all texts of
 * the row. Everything that compares texts works on these.
 *
 * White space is what Python's str.split() takes for it. Texts may have 100 MB: all that goes over
 * one polls.
 */
#ifndef LM_TEXT_TOKENS_H
#define LM_TEXT_TOKENS_H

#include "base/intern.h"
#include "metrics/metrics.h"

#define LM_TEXT_POLL_EVERY 65536u /* characters, tokens or cells of a table */

/* Now and then in a loop over them. */
static inline lm_status
lm_text_poll_at(lm_context *ctx, size_t i)
{
    return (i + 1) % LM_TEXT_POLL_EVERY == 0 ? lm_poll(ctx) : LM_OK;
}

typedef struct lm_tokens {
    uint32_t *ids;
    size_t count, room;
} lm_tokens;

/* Without white space at its end, and at both. */
lm_status lm_text_strip_end(lm_context *ctx, lm_text *text);
lm_status lm_text_strip(lm_context *ctx, lm_text *text);
/* Is c (a code point) in a set of base/unicode_sets.h, by its name? */
bool lm_text_in_set(const char *set, uint32_t c);

/* The next word from *at on, of length 0 behind the last one. */
lm_status lm_text_next_word(lm_context *ctx, lm_text text, size_t *at, lm_text *word);

/* Tokens: ids are freed by lm_free with the context that they grew in. */
lm_status lm_tokens_push(lm_context *ctx, lm_tokens *tokens, uint32_t id);
lm_status lm_tokens_add(lm_tokens *tokens, lm_intern *words, const char *bytes, size_t length);
/* Ways to cut a text; `how` is theirs. Words between white space: */
typedef lm_status (*lm_cut)(const void *how, lm_text text, lm_intern *words, lm_tokens *to);
lm_status lm_cut_words(const void *how, lm_text text, lm_intern *words, lm_tokens *to);

/* texts[0] is the hypothesis' tokens, the references' follow. */
typedef struct lm_row_tokens {
    lm_intern words;
    lm_tokens *texts;
    size_t count;
} lm_row_tokens;

/* Must be freed in any case. */
lm_status lm_row_cut(lm_row_tokens *row, lm_context *ctx, const lm_metric_value *values, lm_cut cut,
                     const void *how);
/* With another way for references. */
lm_status lm_row_cut_apart(lm_row_tokens *row, lm_context *ctx, const lm_metric_value *values,
                           lm_cut cut, lm_cut cut_reference, const void *how);
void lm_row_free(lm_row_tokens *row);

#endif
