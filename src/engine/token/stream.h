/*
 * stream.h - the tokens of one text, a part at a time, so that a text of any length takes memory
 * for a part only: what lm_tokenize gives at once, in the same order.
 *
 * A stream owns nothing: a caller that has enough stops asking. The text must stay; the scratch may
 * serve other texts between two parts. Where the tokenizer leaves no place to pause (a word,
 * normalized added tokens, no white space) a part is as long as it must be.
 */
#ifndef LM_TOKEN_STREAM_H
#define LM_TOKEN_STREAM_H

#include "token/encode_state.h"
#include "token/split.h"

/* A part ends with the word in which it gets this many tokens. */
#define LM_PART_TOKENS ((size_t)8192)

typedef struct lm_token_stream {
    lm_context *ctx;
    const lm_tokenizer *tokenizer;
    const struct lm_token_model *model;
    lm_token_scratch *scratch;
    lm_token_options options;
    const char *text;
    size_t part_tokens;   /* LM_PART_TOKENS unless set after opening; SIZE_MAX: all in one part */
    size_t segment_bytes; /* bytes that the staged way takes at a time, where it may pause */
    size_t left;          /* tokens of the text itself that are still wanted */
    uint64_t piece;       /* of the template: comes next, or is under way */
    bool from_end;        /* `left` tokens of its end: they come in one part */
    bool ended;           /* the text itself */
    bool begun;           /* it gave a token */
    lm_split split;       /* added tokens, and plain stretches between them */
    lm_place place;       /* where the current plain stretch goes on */
    size_t stop;          /* its end; place.byte where there is none */
} lm_token_stream;

/* *limit receives the number of tokens of the text (of both texts) that options.max_tokens allows.
 */
lm_status lm_token_limit(lm_context *ctx, const lm_tokenizer *tokenizer,
                         const lm_token_options *options, bool pair, size_t *limit);

/*
 * Checks the text as lm_tokenize does; options.max_tokens counts over all parts. Where a text loses
 * its beginning, one part has all that is kept.
 */
lm_status lm_token_stream_open(lm_token_stream *stream, lm_context *ctx,
                               const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
                               const char *text, size_t length, const lm_token_options *options);

/* Replaces `out` by the next part; an empty part means the end. */
lm_status lm_token_stream_next(lm_token_stream *stream, lm_encoding *out);

#endif
