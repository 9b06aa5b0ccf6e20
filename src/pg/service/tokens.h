/*
 * tokens.h - the tokens of a text by a model's tokenizer, for calls and for words of an index.
 *
 * A text's tokens come in parts. The scratch of the stages belongs to the backend and is kept from
 * call to call; after a call that made it large it is given back. One text at a time: who has begun
 * another one has ended the one before.
 */
#ifndef LMTEXT_TOKENS_H
#define LMTEXT_TOKENS_H

#include "task/chunk.h"
#include "pg/cache/cache.h"

/* The backend's work with tokenizers. */
typedef struct lmtext_token_work {
    lmtext_call call;
    lm_token_scratch *scratch; /* NULL: not made, or given back */
    lm_chunker chunker;
    lm_token_stream stream; /* of the text that is being tokenized */
    lm_encoding part;       /* its current part */
    size_t seen;            /* tokens of the text up to the end of this part */
} lmtext_token_work;

/* What a call is about; options are the caller's. */
typedef struct lmtext_token_call {
    const lmtext_model *model;
    const lm_tokenizer *tokenizer;
    lm_token_options options;
    lmtext_token_work *work;
} lmtext_token_call;

/* 0A000: the model has no tokenizer. */
void lmtext_tokens_begin(lmtext_token_call *call, const lmtext_model *model);
/* The text is the current one from here on. */
void lmtext_tokens_open(const lmtext_token_call *call, lm_text text);
/* The next part of the text's tokens, valid until the one after; false: there is none. */
bool lmtext_tokens_next(const lmtext_token_call *call);
/* 54000: more than an int counts. */
void lmtext_tokens_check_count(size_t count);

#endif
