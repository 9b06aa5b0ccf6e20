/*
 * file_keys.c - the keys of the tokenizer's files. scripts/compare-tokenizer-files.py holds the
 * tables against the source of transformers.
 */
#include "token/reference.h"

const lm_key_rule lm_tokenizer_keys[] = {
    {"version", LM_KEY_REFUSED, "\"1.0\""},
    {"truncation", LM_KEY_OBEYED, NULL}, /* its direction */
    {"padding", LM_KEY_HARMLESS, NULL},  /* set anew at each call */
    {"added_tokens", LM_KEY_OBEYED, NULL},
    {"normalizer", LM_KEY_OBEYED, NULL},
    {"pre_tokenizer", LM_KEY_OBEYED, NULL},
    {"post_processor", LM_KEY_OBEYED, NULL},
    {"decoder", LM_KEY_OBEYED, NULL},
    {"model", LM_KEY_OBEYED, NULL},
    {0},
};

const lm_key_rule lm_tokenizer_model_keys[] = {
    {"type", LM_KEY_OBEYED, NULL},
    {"unk_token", LM_KEY_OBEYED, NULL},
    {"continuing_subword_prefix", LM_KEY_OBEYED, NULL},
    {"max_input_chars_per_word", LM_KEY_OBEYED, NULL},
    {"end_of_word_suffix", LM_KEY_OBEYED, NULL},
    {"dropout", LM_KEY_OBEYED, NULL},
    {"fuse_unk", LM_KEY_OBEYED, NULL},
    {"byte_fallback", LM_KEY_OBEYED, NULL},
    {"ignore_merges", LM_KEY_OBEYED, NULL},
    {"unk_id", LM_KEY_OBEYED, NULL},
    {"vocab", LM_KEY_OBEYED, NULL},
    {"merges", LM_KEY_OBEYED, NULL}, /* they make a model without a type a BPE */
    {0},
};

const lm_key_rule lm_truncation_keys[] = {
    {"direction", LM_KEY_OBEYED, NULL},
    {"max_length", LM_KEY_HARMLESS, NULL}, /* the window comes from elsewhere */
    {"strategy", LM_KEY_HARMLESS, NULL},   /* set anew at each call, as the stride */
    {"stride", LM_KEY_HARMLESS, NULL},
    {0},
};

const lm_key_rule lm_tokenizer_config_keys[] = {
    {"tokenizer_class", LM_KEY_OBEYED, NULL},
    {"do_lower_case", LM_KEY_OBEYED, NULL},
    {"tokenize_chinese_chars", LM_KEY_OBEYED, NULL},
    {"strip_accents", LM_KEY_OBEYED, NULL},
    {"model_max_length", LM_KEY_OBEYED, NULL},
    {"max_len", LM_KEY_OBEYED, NULL}, /* older name of model_max_length */
    {"model_input_names", LM_KEY_OBEYED, NULL},
    {"unk_token", LM_KEY_OBEYED, NULL},
    {"sep_token", LM_KEY_OBEYED, NULL},
    {"pad_token", LM_KEY_OBEYED, NULL},
    {"cls_token", LM_KEY_OBEYED, NULL},
    {"mask_token", LM_KEY_OBEYED, NULL},
    {"bos_token", LM_KEY_OBEYED, NULL},
    {"eos_token", LM_KEY_OBEYED, NULL},
    {"additional_special_tokens", LM_KEY_OBEYED, NULL},
    {"extra_special_tokens", LM_KEY_OBEYED, NULL},
    {"model_specific_special_tokens", LM_KEY_OBEYED, NULL},
    {"added_tokens_decoder", LM_KEY_OBEYED, NULL},
    {"truncation_side", LM_KEY_OBEYED, NULL},
    {"split_special_tokens", LM_KEY_REFUSED, "false"},
    {"auto_map", LM_KEY_REFUSED, NULL}, /* code of the model's own */
    {"fast_tokenizer_files", LM_KEY_REFUSED, "[\"tokenizer.json\"]"},
    {"init_inputs", LM_KEY_REFUSED, NULL},
    {"gguf_file", LM_KEY_REFUSED, NULL},
    {"tokenizer_object", LM_KEY_REFUSED, NULL},
    {"tokenizer_truncation", LM_KEY_REFUSED, NULL},
    {"tokenizer_padding", LM_KEY_HARMLESS, NULL},
    /* Read by older versions, and ignored by the classes of today. */
    {"do_basic_tokenize", LM_KEY_HARMLESS, NULL},
    {"never_split", LM_KEY_HARMLESS, NULL},
    {"clean_text", LM_KEY_HARMLESS, NULL},
    {"wordpieces_prefix", LM_KEY_HARMLESS, NULL},
    {"use_fast", LM_KEY_HARMLESS, NULL},
    {"from_slow", LM_KEY_HARMLESS, NULL},
    {"legacy", LM_KEY_HARMLESS, NULL},
    /* tokenizer.json is there, so these are dropped. */
    {"add_bos_token", LM_KEY_HARMLESS, NULL},
    {"add_eos_token", LM_KEY_HARMLESS, NULL},
    {"vocab", LM_KEY_HARMLESS, NULL},
    {"vocab_file", LM_KEY_HARMLESS, NULL},
    {"merges", LM_KEY_HARMLESS, NULL},
    {"merges_file", LM_KEY_HARMLESS, NULL},
    {"tokenizer_file", LM_KEY_HARMLESS, NULL},
    {"post_processor", LM_KEY_HARMLESS, NULL},
    {"unk_id", LM_KEY_HARMLESS, NULL},
    {"add_prefix_space", LM_KEY_HARMLESS, NULL}, /* of byte-level tokenizers */
    {"fix_mistral_regex", LM_KEY_HARMLESS, NULL},
    /* Padding: lmtext has none. */
    {"padding_side", LM_KEY_HARMLESS, NULL},
    {"pad_to_multiple_of", LM_KEY_HARMLESS, NULL},
    {"pad_token_type_id", LM_KEY_HARMLESS, NULL},
    /* Of calls; sentence-transformers gives them at each. */
    {"max_length", LM_KEY_HARMLESS, NULL},
    {"stride", LM_KEY_HARMLESS, NULL},
    {"truncation_strategy", LM_KEY_HARMLESS, NULL},
    /* Of decoding, of chats, and what only informs. */
    {"clean_up_tokenization_spaces", LM_KEY_HARMLESS, NULL},
    {"clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", LM_KEY_HARMLESS,
     NULL},
    {"chat_template", LM_KEY_HARMLESS, NULL},
    {"chat_control_tokens", LM_KEY_HARMLESS, NULL},
    {"response_template", LM_KEY_HARMLESS, NULL},
    {"response_schema", LM_KEY_HARMLESS, NULL},
    {"processor_class", LM_KEY_HARMLESS, NULL},
    {"name_or_path", LM_KEY_HARMLESS, NULL},
    {"special_tokens_map_file", LM_KEY_HARMLESS, NULL},
    {"tokenizer_type", LM_KEY_HARMLESS, NULL},
    {"transformers_version", LM_KEY_HARMLESS, NULL},
    {"verbose", LM_KEY_HARMLESS, NULL},
    {"backend", LM_KEY_HARMLESS, NULL},
    {"files_loaded", LM_KEY_HARMLESS, NULL},
    {"is_local", LM_KEY_HARMLESS, NULL},
    {"local_files_only", LM_KEY_HARMLESS, NULL},
    {"trust_remote_code", LM_KEY_HARMLESS, NULL},
    {"_commit_hash", LM_KEY_HARMLESS, NULL},
    {"device_map", LM_KEY_HARMLESS, NULL},
    {0},
};

/* Any other key there would set an argument of the class, as one of tokenizer_config.json does. */
const lm_key_rule lm_special_map_keys[] = {
    {"unk_token", LM_KEY_OBEYED, NULL},
    {"sep_token", LM_KEY_OBEYED, NULL},
    {"pad_token", LM_KEY_OBEYED, NULL},
    {"cls_token", LM_KEY_OBEYED, NULL},
    {"mask_token", LM_KEY_OBEYED, NULL},
    {"bos_token", LM_KEY_OBEYED, NULL},
    {"eos_token", LM_KEY_OBEYED, NULL},
    {"additional_special_tokens", LM_KEY_OBEYED, NULL},
    {"extra_special_tokens", LM_KEY_OBEYED, NULL},
    {0},
};
