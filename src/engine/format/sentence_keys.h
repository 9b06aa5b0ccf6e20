/*
 * sentence_keys.h - the keys of sentence-transformers' files, both generations: all that version 6
 * of the library reads or writes.
 */
#ifndef LM_SENTENCE_KEYS_H
#define LM_SENTENCE_KEYS_H

#include "format/keys.h"

extern const lm_key_rule lm_modules_keys[];         /* an entry of modules.json */
extern const lm_key_rule lm_router_keys[];          /* router_config.json */
extern const lm_key_rule lm_route_keys[];           /* its parameters */
extern const lm_key_rule lm_sentence_keys[];        /* config_sentence_transformers.json */
extern const lm_key_rule lm_pylate_keys[];          /* beside these, pylate's */
extern const lm_key_rule lm_transformer_keys[];     /* sentence_bert_config.json */
extern const lm_key_rule lm_late_keys[];            /* before these, of late interaction */
extern const lm_key_rule lm_expansion_keys[];       /* its query_expansion */
extern const lm_key_rule lm_mask_keys[];            /* 2_MultiVectorMask/config.json */
extern const lm_key_rule lm_pooling_keys[];         /* 1_Pooling/config.json */
extern const lm_key_rule lm_mix_keys[];             /* 1_WeightedLayerPooling/config.json */
extern const lm_key_rule lm_splade_keys[];          /* 1_SpladePooling/config.json */
extern const lm_key_rule lm_sparse_static_keys[];   /* config.json of a SparseStaticEmbedding */
extern const lm_key_rule lm_word_embeddings_keys[]; /* wordembedding_config.json */
extern const lm_key_rule lm_whitespace_keys[];      /* whitespacetokenizer_config.json */
extern const lm_key_rule lm_word_weights_keys[];    /* 1_WordWeights/config.json */
extern const lm_key_rule lm_bow_keys[];             /* config.json of a BoW */
extern const lm_key_rule lm_normalize_keys[];       /* 2_Normalize/config.json */
extern const lm_key_rule lm_dense_keys[];           /* 2_Dense/config.json */
extern const lm_key_rule lm_layer_norm_keys[];      /* 2_LayerNorm/config.json */
extern const lm_key_rule lm_dropout_keys[];         /* 2_Dropout/config.json */

#endif
