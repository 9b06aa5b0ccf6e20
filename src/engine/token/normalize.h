/*
 * normalize.h - the normalizer: a list of operations on the characters of a text, each of which
 * keeps for every character the place in the text that the reference reports for it.
 */
#ifndef LM_NORMALIZE_H
#define LM_NORMALIZE_H

#include "token/stage.h"

/* The table. */
extern const lm_stage_table lm_normalizer_stage;

/* What tokenizer_config.json says of BertNormalizer; it rules over tokenizer.json. */
typedef struct lm_bert_override {
    bool present;
    bool lowercase;
    bool strip_accents;
    bool chinese;
    bool clean; /* always true where present */
} lm_bert_override;

/* Append the list. What the override changes is noted. */
lm_status lm_normalizer_compile(lm_stage_compiler *c, const lm_json *normalizer, lm_span *list);

/* Whether it is that of a BertNormalizer with these settings. */
lm_status lm_normalizer_is_bert(lm_context *ctx, const lm_token_image *image,
                                const lm_bert_override *settings, bool *same);

/* Normalize chars in place (spare is used). */
lm_status lm_normalizer_run(lm_context *ctx, const lm_token_image *image, lm_chars *chars,
                            lm_chars *spare);

/* Whether all operations have, and whether any has, what is asked for (LM_OP_…). */
bool lm_normalizer_all(const lm_token_image *image, unsigned known);
bool lm_normalizer_any(const lm_token_image *image, unsigned known);

/* Whether words between white space of ASCII may be normalized one by one (words.c). */
bool lm_normalizer_keeps_words(const lm_token_image *image);

/* Operations (normal_forms.c, edits.c). */
lm_normalize_op lm_normalize_nfd, lm_normalize_nfkd, lm_normalize_nfc, lm_normalize_nfkc;
lm_normalize_op lm_normalize_replace, lm_normalize_prepend, lm_normalize_strip, lm_normalize_nmt,
    lm_normalize_byte_level;

/* Flags of a Strip. */
enum { LM_STRIP_LEFT = 1, LM_STRIP_RIGHT = 2 };

/*
 * Changes of characters, in to->at, become places: 1 for one that was inserted, else minus the
 * number of characters that it takes beyond its own. Places are given out in the order of the text,
 * whatever moved.
 */
lm_status lm_normalize_places(lm_context *ctx, const lm_chars *from, lm_chars *to);

/* A map of characters (precompiled.c). */
lm_status lm_precompiled_compile(lm_stage_compiler *c, lm_field field, unsigned kind);
lm_normalize_op lm_precompiled_run;

#endif
