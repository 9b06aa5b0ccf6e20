/*
 * bundle_keys.c - tables of the keys of sentence-transformers' files. scripts/compare-keys.py
 * compares them with the library.
 */
#include "format/bundle_keys.h"

const lm_key_rule lm_modules_keys[] = {
    {"type", LM_KEY_OBEYED, NULL},
    {"path", LM_KEY_OBEYED, NULL},
    {"name", LM_KEY_OBEYED, NULL},
    {"idx", LM_KEY_HARMLESS, NULL},
    {"kwargs", LM_KEY_HARMLESS, NULL}, /* names of arguments that encode() hands on */
    {0},
};

const lm_key_rule lm_sentence_keys[] = {
    {"prompts", LM_KEY_OBEYED, NULL},
    {"default_prompt_name", LM_KEY_OBEYED, NULL},
    {"truncate_dim", LM_KEY_OBEYED, NULL},
    {"model_type", LM_KEY_OBEYED, NULL},
    {"similarity_fn_name", LM_KEY_HARMLESS, NULL},
    {"requirements", LM_KEY_HARMLESS, NULL}, /* versions of Python's packages */
    {"__version__", LM_KEY_HARMLESS, NULL},
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
     "{\"text\":{\"method\":\"forward\",\"method_output_name\":\"last_hidden_state\"}}"},
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

const lm_key_rule lm_normalize_keys[] = {
    {"module_input_name", LM_KEY_OBEYED, NULL},
    {"module_output_name", LM_KEY_OBEYED, NULL},
    {0},
};
