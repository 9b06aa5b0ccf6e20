/*
 * infer.h - inference: texts in, results and counts out.
 *
 * An inference says how texts are computed with a model: of which kind (engine call, size of a
 * result), and with which options. Whatever is said so is computed one by one, as an array, and
 * ahead for the rows to come (lookahead.h), and is remembered (memo.h). All that was computed
 * counts, also where the call failed.
 */
#ifndef LMTEXT_INFER_H
#define LMTEXT_INFER_H

#include "task/embed.h"

#include "pg/cache/cache.h"

struct lmtext_inference;

/* How texts are computed. */
typedef struct lmtext_infer_kind {
    /* One engine call for any number of texts; counts->texts results are valid where it fails. */
    lm_status (*run)(lmtext_model *model, const lm_text *texts, size_t count,
                     const lm_embed_options *options, void *results, lm_embed_counts *counts);
    /* Bytes of one text's result; options out of range, or a model of another task, are errors. */
    size_t (*size)(const struct lmtext_inference *inference);
    bool may_be_null; /* of a text without a token, if lmtext.on_empty says so */
    /*
     * Of results that differ in length: a result is a pointer to what `run` has allocated in
     * CurrentMemoryContext, and this says its bytes. NULL: results are all of one size.
     */
    size_t (*length)(const void *allocated);
    bool pairs; /* a result is of two texts, which stand one behind the other */
    /*
     * The function whose results these are in the prediction cache: bytes that mean the same in
     * each process. NULL: they are computed always, since that is quick, or they are long.
     */
    const char *kept_as;
} lmtext_infer_kind;

extern const lmtext_infer_kind lmtext_vectors; /* embeddings */
extern const lmtext_infer_kind lmtext_scores;  /* of all labels */

/* What a result depends on beside the text and the words of a prompt; compared byte by byte. */
typedef struct lmtext_infer_key {
    uint64 build; /* of the model */
    int32 dimensions;
    int32 on_long;
    int32 choice, side;
    bool named, prompted; /* NULL is not the empty string */
} lmtext_infer_key;

/* Texts without a token that became NULL. */
typedef struct lmtext_empty_texts {
    int64 count, next; /* of the next warning */
} lmtext_empty_texts;

/* Fill in options, then lmtext_infer_init the rest. */
typedef struct lmtext_inference {
    const lmtext_infer_kind *kind;
    lmtext_model *model;
    lm_embed_options options;
    lmtext_infer_key key;
} lmtext_inference;

/* The key is made of model and options: cheap, since most rows find their result remembered. */
void lmtext_infer_init(lmtext_inference *inference, const lmtext_infer_kind *kind,
                       lmtext_model *model);

/* Options of a plain call: no prompt but the model's own, all dimensions. */
void lmtext_embed_defaults(lm_embed_options *options, lm_on_long on_long);
/* Width of a vector by these options; what is out of range is an error, and so is a
 * model that does not embed. */
int lmtext_embed_width(lmtext_model *model, const lm_embed_options *options);

/* All that a text's result is made from, as the parts of a memo's key. */
#define LMTEXT_INFER_PARTS 5
void lmtext_infer_parts(const lmtext_inference *inference, lm_text text,
                        lm_text parts[LMTEXT_INFER_PARTS]);

void lmtext_infer(const lmtext_inference *inference, const lm_text *texts, size_t count,
                  void *results);
/*
 * One text; false where it has no token, and so no result, and lmtext.on_empty says NULL. Such are
 * counted in `empty`; NULL: they are errors in any case.
 */
bool lmtext_infer_text(const lmtext_inference *inference, lm_text text, void *result,
                       lmtext_empty_texts *empty);
/* The same for whoever only asks whether there is one, with whichever lmtext.on_empty. */
bool lmtext_infer_has_token(const lmtext_inference *inference, lm_text text, void *result);
/*
 * The same as lmtext_infer as far as it goes: how many texts were computed before one failed. found
 * receives which of the results the prediction cache had.
 */
size_t lmtext_infer_some(const lmtext_inference *inference, const lm_text *texts, size_t count,
                         void *results, bool *found);

/* Embed into out (count, width). */
void lmtext_embed_texts(lmtext_model *model, const lm_text *texts, size_t count,
                        const lm_embed_options *options, float *out);

/* What lmtext.on_long says; the meaning of a word, or 22023. */
lm_on_long lmtext_on_long(void);
lm_on_long lmtext_on_long_named(const char *word);

void lmtext_infer_settings(void); /* lmtext.on_long, .on_empty, .batch_tokens */

#endif
