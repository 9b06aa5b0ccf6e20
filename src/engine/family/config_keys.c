/*
 * config_keys.c - keys of config.json that every family of transformers may have. Those of one
 * family are in its file. scripts/compare-keys.py compares them with the library.
 */
#include "family/family.h"

const lm_key_rule lm_config_keys[] = {
    {"model_type", LM_KEY_OBEYED, NULL},
    {"architectures", LM_KEY_OBEYED, NULL},
    {"id2label", LM_KEY_OBEYED, NULL},
    {"crf", LM_KEY_OBEYED, NULL}, /* lmtext's own: of heads on tokens */

    /* Weights or code that are not what the other keys describe. */
    {"quantization_config", LM_KEY_REFUSED, NULL},
    {"compression_config", LM_KEY_REFUSED, NULL},
    {"auto_map", LM_KEY_REFUSED, NULL},
    {"pruned_heads", LM_KEY_REFUSED, NULL},
    {"per_layer_config", LM_KEY_REFUSED, NULL},
    {"is_encoder_decoder", LM_KEY_REFUSED, "false"},
    {"tie_encoder_decoder", LM_KEY_REFUSED, "false"},
    {"add_cross_attention", LM_KEY_REFUSED, "false"},
    {"cross_attention_hidden_size", LM_KEY_REFUSED, NULL},

    /* Of heads. */
    {"label2id", LM_KEY_HARMLESS, NULL},
    {"num_labels", LM_KEY_OBEYED, NULL},
    {"problem_type", LM_KEY_OBEYED, NULL},
    {"finetuning_task", LM_KEY_HARMLESS, NULL},
    {"classifier_dropout", LM_KEY_HARMLESS, NULL},
    {"tie_word_embeddings", LM_KEY_HARMLESS, NULL},
    {"sentence_transformers", LM_KEY_OBEYED, NULL}, /* of a cross-encoder: its activation */
    {"sbert_ce_default_activation_function", LM_KEY_OBEYED, NULL},
    {"task_specific_params", LM_KEY_HARMLESS, NULL},

    /* Of training. */
    {"initializer_range", LM_KEY_HARMLESS, NULL},
    {"initializer_factor", LM_KEY_HARMLESS, NULL},
    {"hidden_dropout_prob", LM_KEY_HARMLESS, NULL},
    {"attention_probs_dropout_prob", LM_KEY_HARMLESS, NULL},
    {"gradient_checkpointing", LM_KEY_HARMLESS, NULL},

    /* Of how the library computes and what it returns. */
    {"dtype", LM_KEY_HARMLESS, NULL}, /* lmtext's precision is an option of the import */
    {"torch_dtype", LM_KEY_HARMLESS, NULL},
    {"use_bfloat16", LM_KEY_HARMLESS, NULL},
    {"torchscript", LM_KEY_HARMLESS, NULL},
    {"attn_implementation", LM_KEY_HARMLESS, NULL},
    {"_attn_implementation", LM_KEY_HARMLESS, NULL},
    {"_attn_implementation_autoset", LM_KEY_HARMLESS, NULL},
    {"experts_implementation", LM_KEY_HARMLESS, NULL},
    {"chunk_size_feed_forward", LM_KEY_HARMLESS, NULL},
    {"output_attentions", LM_KEY_HARMLESS, NULL},
    {"output_hidden_states", LM_KEY_HARMLESS, NULL},
    {"output_past", LM_KEY_HARMLESS, NULL},
    {"return_dict", LM_KEY_HARMLESS, NULL},
    {"use_return_dict", LM_KEY_HARMLESS, NULL},
    {"use_cache", LM_KEY_HARMLESS, NULL},

    /* Of generation. */
    {"bos_token_id", LM_KEY_HARMLESS, NULL},
    {"eos_token_id", LM_KEY_HARMLESS, NULL},
    {"sep_token_id", LM_KEY_HARMLESS, NULL},
    {"decoder_start_token_id", LM_KEY_HARMLESS, NULL},
    {"forced_bos_token_id", LM_KEY_HARMLESS, NULL},
    {"forced_eos_token_id", LM_KEY_HARMLESS, NULL},
    {"prefix", LM_KEY_HARMLESS, NULL},
    {"max_length", LM_KEY_HARMLESS, NULL},
    {"min_length", LM_KEY_HARMLESS, NULL},
    {"do_sample", LM_KEY_HARMLESS, NULL},
    {"early_stopping", LM_KEY_HARMLESS, NULL},
    {"num_beams", LM_KEY_HARMLESS, NULL},
    {"num_beam_groups", LM_KEY_HARMLESS, NULL},
    {"diversity_penalty", LM_KEY_HARMLESS, NULL},
    {"temperature", LM_KEY_HARMLESS, NULL},
    {"top_k", LM_KEY_HARMLESS, NULL},
    {"top_p", LM_KEY_HARMLESS, NULL},
    {"typical_p", LM_KEY_HARMLESS, NULL},
    {"repetition_penalty", LM_KEY_HARMLESS, NULL},
    {"length_penalty", LM_KEY_HARMLESS, NULL},
    {"no_repeat_ngram_size", LM_KEY_HARMLESS, NULL},
    {"encoder_no_repeat_ngram_size", LM_KEY_HARMLESS, NULL},
    {"bad_words_ids", LM_KEY_HARMLESS, NULL},
    {"num_return_sequences", LM_KEY_HARMLESS, NULL},
    {"output_scores", LM_KEY_HARMLESS, NULL},
    {"return_dict_in_generate", LM_KEY_HARMLESS, NULL},
    {"remove_invalid_values", LM_KEY_HARMLESS, NULL},
    {"exponential_decay_length_penalty", LM_KEY_HARMLESS, NULL},
    {"suppress_tokens", LM_KEY_HARMLESS, NULL},
    {"begin_suppress_tokens", LM_KEY_HARMLESS, NULL},
    {"tf_legacy_loss", LM_KEY_HARMLESS, NULL},

    /* Of where it comes from. */
    {"_name_or_path", LM_KEY_HARMLESS, NULL},
    {"name_or_path", LM_KEY_HARMLESS, NULL},
    {"_commit_hash", LM_KEY_HARMLESS, NULL},
    {"transformers_version", LM_KEY_HARMLESS, NULL},
    {"transformers.js_config", LM_KEY_HARMLESS, NULL},
    {"tokenizer_class", LM_KEY_HARMLESS, NULL}, /* read where tokenizer_config.json has none */
    {"language", LM_KEY_HARMLESS, NULL},
    {"model_name", LM_KEY_HARMLESS, NULL},
    {0},
};
