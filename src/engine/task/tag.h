/*
 * tag.h - a label for each token of a text, by the head that the model's checkpoint has.
 */
#ifndef LM_TAG_H
#define LM_TAG_H

#include "task/embed.h"
#include "task/word_pieces.h"

/* Of lm_embed_options.choice: how a head with a CRF knows words. */
enum {
    LM_TAG_PIECES, /* by lm_tag_is_piece */
    LM_TAG_SPACED  /* by spaces alone, as words that were joined are */
};

/* A token and the label with the highest probability; the first of equals. */
typedef struct lm_tag {
    int32_t token;       /* its id */
    int32_t start, stop; /* characters of the text */
    int32_t label;
    float score; /* the label's probability: softmax */
} lm_tag;

/*
 * Receives all tags of one text, in order, without its special tokens; they are valid until it
 * returns. Texts come in order; what is returned ends the call unless it is LM_OK.
 */
typedef lm_status (*lm_tag_sink)(void *opaque, size_t text, const lm_tag *tags, size_t count);

/*
 * Tag texts. A token has the same bits for a text alone and in any batch. Of the options on_long
 * and batch_tokens count; LM_LONG_MEAN tags all of a long text, window by window. A text without a
 * token has no tags. counts is as lm_embed has it: counts->texts texts went to the sink.
 * LM_UNSUPPORTED where the model has no head on tokens; LM_BAD_MODEL where a score is not finite.
 */
lm_status lm_tag_texts(lm_context *ctx, lm_session *session, const lm_model *model,
                       const lm_text *texts, size_t count, const lm_embed_options *options,
                       lm_tag_sink sink, void *opaque, lm_embed_counts *counts);

/* The mean of each label's probability over a text's tokens, out (count, labels); 0 without any. */
lm_status lm_tag_means(lm_context *ctx, lm_session *session, const lm_model *model,
                       const lm_text *texts, size_t count, const lm_embed_options *options,
                       float *out);

/*
 * What a tag's token is called: as the vocabulary writes it, but an unknown word as the text does.
 * Tags come in order. Not terminated.
 */
lm_text lm_tag_word(const lm_tokenizer *tokenizer, const lm_tag *tag, lm_text text,
                    lm_tag_cursor *at);

#endif
