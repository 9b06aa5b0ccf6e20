/*
 * bundle_keys.h - the keys of sentence-transformers' files, both generations: all that version 6 of
 * the library reads or writes.
 */
#ifndef LM_BUNDLE_KEYS_H
#define LM_BUNDLE_KEYS_H

#include "format/keys.h"

extern const lm_key_rule lm_modules_keys[];     /* an entry of modules.json */
extern const lm_key_rule lm_sentence_keys[];    /* config_sentence_transformers.json */
extern const lm_key_rule lm_transformer_keys[]; /* sentence_bert_config.json */
extern const lm_key_rule lm_pooling_keys[];     /* 1_Pooling/config.json */
extern const lm_key_rule lm_normalize_keys[];   /* 2_Normalize/config.json */

#endif
