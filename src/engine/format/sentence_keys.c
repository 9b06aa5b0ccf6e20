/*
 * sentence_keys.c - tables of the keys of sentence-transformers' files. scripts/compare-keys.py
 * compares them with the library.
 */
#include "format/sentence_keys.h"

const lm_key_rule lm_modules_keys[] = {
    {"type", LM_KEY_OBEYED, NULL},
    {"path", LM_KEY_OBEYED, NULL},
    {"name", LM_KEY_OBEYED, NULL},
    {"idx", LM_KEY_HARMLESS, NULL},
    {"kwargs", LM_KEY_HARMLESS, NULL}, /* names of arguments that encode() hands on */
    {0},
};

const lm_key_rule lm_router_keys[] = {
    {"types", LM_KEY_OBEYED, NULL},
    {"structure", LM_KEY_OBEYED, NULL},
    {"parameters", LM_KEY_OBEYED, NULL},
    {0},
};

const lm_key_rule lm_route_keys[] = {
    {"default_route", LM_KEY_OBEYED, NULL},
    {"allow_empty_key", LM_KEY_OBEYED, NULL},
    {"route_mappings", LM_KEY_OBEYED, NULL},
    {0},
};

const lm_key_rule lm_sentence_keys[] = {
    {"prompts", LM_KEY_OBEYED, NULL},
    {"default_prompt_name", LM_KEY_OBEYED, NULL},
    {"truncate_dim", LM_KEY_OBEYED, NULL},
    {"model_type", LM_KEY_OBEYED, NULL},
    {"activation_fn", LM_KEY_OBEYED, NULL}, /* of a cross-encoder */
    {"keep_in_fp32_modules", LM_KEY_HARMLESS, NULL},
    {"similarity_fn_name", LM_KEY_OBEYED, NULL}, /* of a sparse encoder; others have one here */
    {"max_active_dims", LM_KEY_REFUSED, NULL},   /* of a sparse encoder: its greatest weights */
    {"requirements", LM_KEY_HARMLESS, NULL},     /* versions of Python's packages */
    {"__version__", LM_KEY_HARMLESS, NULL},
    {0},
};

const lm_key_rule lm_pylate_keys[] = {
    {"query_prefix", LM_KEY_OBEYED, NULL},
    {"document_prefix", LM_KEY_OBEYED, NULL},
    {"query_length", LM_KEY_OBEYED, NULL},
    {"document_length", LM_KEY_OBEYED, NULL},
    {"attend_to_expansion_tokens", LM_KEY_OBEYED, NULL},
    {"attend_to_mask_tokens", LM_KEY_OBEYED, NULL}, /* the same, as ColBERT's authors call it */
    {"do_query_expansion", LM_KEY_OBEYED, NULL},
    {"skiplist_words", LM_KEY_OBEYED, NULL},
    {"query_expansion", LM_KEY_REFUSED, NULL},
    {0},
};

const lm_key_rule lm_late_keys[] = {
    {"query_length", LM_KEY_OBEYED, NULL},
    {"document_length", LM_KEY_OBEYED, NULL},
    {"query_expansion", LM_KEY_OBEYED, NULL},
    {0},
};

const lm_key_rule lm_expansion_keys[] = {
    {"strategy", LM_KEY_OBEYED, NULL},
    {"attend", LM_KEY_OBEYED, NULL},
    {"token", LM_KEY_OBEYED, NULL},
    {"length", LM_KEY_OBEYED, NULL},
    {0},
};

const lm_key_rule lm_mask_keys[] = {
    {"skiplist_words", LM_KEY_OBEYED, NULL},
    {"skiplist_tasks", LM_KEY_OBEYED, NULL},
    {"keep_only_token_ids", LM_KEY_REFUSED, NULL}, /* of pictures */
    {0},
};

/*
 * Arguments for the constructors of transformers can change everything. query_length,
 * document_length and query_expansion change what encode_query() and encode_document() compute.
 */
const lm_key_rule lm_transformer_keys[] = {
    {"max_seq_length", LM_KEY_OBEYED, NULL},
    {"do_lower_case", LM_KEY_OBEYED, NULL},
    {"transformer_task", LM_KEY_OBEYED, NULL},
    {"module_output_name", LM_KEY_OBEYED, NULL},
    {"unpad_inputs", LM_KEY_HARMLESS, NULL}, /* speed of one kind of attention */
    {"modality_config", LM_KEY_REFUSED,
     "{\"text\":{\"method\":\"forward\",\"method_output_name\":\"last_hidden_state\"}} or "
     "{\"text\":{\"method\":\"forward\",\"method_output_name\":\"logits\"}}"},
    {"model_args", LM_KEY_REFUSED, NULL},
    {"model_kwargs", LM_KEY_REFUSED, NULL},
    {"tokenizer_args", LM_KEY_REFUSED, NULL},
    {"processor_kwargs", LM_KEY_REFUSED, NULL},
    {"config_args", LM_KEY_REFUSED, NULL},
    {"config_kwargs", LM_KEY_REFUSED, NULL},
    {"processing_kwargs", LM_KEY_REFUSED, NULL},
    {"tokenizer_name_or_path", LM_KEY_REFUSED, NULL},
    {"query_length", LM_KEY_REFUSED, NULL},
    {"document_length", LM_KEY_REFUSED, NULL},
    {"query_expansion", LM_KEY_REFUSED, NULL},
    {0},
};

const lm_key_rule lm_pooling_keys[] = {
    {"pooling_mode", LM_KEY_OBEYED, NULL},
    {"include_prompt", LM_KEY_OBEYED, NULL},
    {"embedding_dimension", LM_KEY_OBEYED, NULL},
    {"word_embedding_dimension", LM_KEY_OBEYED, NULL},
    {"pooling_mode_cls_token", LM_KEY_OBEYED, NULL},
    {"pooling_mode_max_tokens", LM_KEY_OBEYED, NULL},
    {"pooling_mode_mean_tokens", LM_KEY_OBEYED, NULL},
    {"pooling_mode_mean_sqrt_len_tokens", LM_KEY_OBEYED, NULL},
    {"pooling_mode_weightedmean_tokens", LM_KEY_OBEYED, NULL},
    {"pooling_mode_lasttoken", LM_KEY_OBEYED, NULL},
    {0},
};

const lm_key_rule lm_mix_keys[] = {
    {"embedding_dimension", LM_KEY_OBEYED, NULL},
    {"word_embedding_dimension", LM_KEY_OBEYED, NULL},
    {"layer_start", LM_KEY_OBEYED, NULL},
    {"num_hidden_layers", LM_KEY_OBEYED, NULL},
    {0},
};

/* The library finds the width in what is pooled, and chunks save memory only. */
const lm_key_rule lm_splade_keys[] = {
    {"pooling_strategy", LM_KEY_OBEYED, NULL},
    {"activation_function", LM_KEY_OBEYED, NULL},
    {"embedding_dimension", LM_KEY_HARMLESS, NULL},
    {"word_embedding_dimension", LM_KEY_HARMLESS, NULL},
    {"chunk_size", LM_KEY_HARMLESS, NULL},
    {0},
};

const lm_key_rule lm_sparse_static_keys[] = {
    {"frozen", LM_KEY_HARMLESS, NULL}, /* of training */
    {"path", LM_KEY_REFUSED, NULL},    /* of a file of weights anywhere */
    {0},
};

const lm_key_rule lm_word_embeddings_keys[] = {
    {"tokenizer_class", LM_KEY_OBEYED, NULL},
    {"max_seq_length", LM_KEY_OBEYED, NULL},
    {"update_embeddings", LM_KEY_HARMLESS, NULL}, /* of training */
    {0},
};

const lm_key_rule lm_whitespace_keys[] = {
    {"vocab", LM_KEY_OBEYED, NULL},
    {"stop_words", LM_KEY_OBEYED, NULL},
    {"do_lower_case", LM_KEY_OBEYED, NULL},
    {0},
};

const lm_key_rule lm_word_weights_keys[] = {
    {"vocab", LM_KEY_OBEYED, NULL},
    {"word_weights", LM_KEY_OBEYED, NULL},
    {"unknown_word_weight", LM_KEY_OBEYED, NULL},
    {0},
};

const lm_key_rule lm_bow_keys[] = {
    {"vocab", LM_KEY_OBEYED, NULL},
    {"word_weights", LM_KEY_OBEYED, NULL},
    {"unknown_word_weight", LM_KEY_OBEYED, NULL},
    {"cumulative_term_frequency", LM_KEY_OBEYED, NULL},
    {0},
};

const lm_key_rule lm_normalize_keys[] = {
    {"module_input_name", LM_KEY_OBEYED, NULL},
    {"module_output_name", LM_KEY_OBEYED, NULL},
    {0},
};

const lm_key_rule lm_dense_keys[] = {
    {"in_features", LM_KEY_OBEYED, NULL},
    {"out_features", LM_KEY_OBEYED, NULL},
    {"bias", LM_KEY_OBEYED, NULL},
    {"activation_function", LM_KEY_OBEYED, NULL},
    {"use_residual", LM_KEY_OBEYED, NULL},
    {"module_input_name", LM_KEY_OBEYED, NULL},
    {"module_output_name", LM_KEY_OBEYED, NULL},
    {0},
};

const lm_key_rule lm_layer_norm_keys[] = {{"dimension", LM_KEY_OBEYED, NULL}, {0}};

const lm_key_rule lm_dropout_keys[] = {{"dropout", LM_KEY_HARMLESS, NULL}, {0}};
