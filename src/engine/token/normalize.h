/*
 * normalize.h - the normalizer: a list of operations on the characters of a text, each of which
 * keeps for every character the place in the text that the reference reports for it.
 */
#ifndef LM_NORMALIZE_H
#define LM_NORMALIZE_H

#include "token/fields.h"
#include "token/run.h"

/* What tokenizer_config.json says of BertNormalizer; it rules over tokenizer.json. */
typedef struct lm_bert_override {
    bool present;
    bool lowercase;
    bool strip_accents;
    bool chinese;
    bool clean; /* always true where present */
} lm_bert_override;

/* `normalizer` may be JSON null or NULL. What the override changes is noted. */
lm_status lm_normalizer_compile(lm_context *ctx, const lm_json *normalizer,
                                const lm_bert_override *override, lm_stage_list *list,
                                lm_notes *notes);

/* The list of a BertNormalizer with these settings. */
lm_status lm_normalizer_bert(lm_context *ctx, const lm_bert_override *settings,
                             lm_stage_list *list);

/* Normalize chars in place (scratch->spare is used). */
lm_status lm_normalizer_run(lm_context *ctx, const lm_stage_list *list, lm_chars *chars,
                            lm_chars *spare);

/* Whether each character is mapped by itself, whatever stands beside it … */
bool lm_normalizer_is_local(const lm_stage_list *list);
/* … but for marks that are kept, which are put into canonical order. */
bool lm_normalizer_reorders(const lm_stage_list *list);

#endif
