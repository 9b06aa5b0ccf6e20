/*
 * list_keys.c - prints the tables of keys of settings files: table, key and use, separated by tabs.
 * scripts/compare-keys.py compares them with the reference libraries.
 */
#include <stdio.h>

#include "family/family.h"
#include "format/sentence_keys.h"

static const char *const uses[] = {
    [LM_KEY_OBEYED] = "obeyed",
    [LM_KEY_HARMLESS] = "harmless",
    [LM_KEY_REFUSED] = "refused",
};

static void
print_table(const char *name, const lm_key_rule *rules)
{
    for (; rules->key; rules++)
        printf("%s\t%s\t%s\n", name, rules->key, uses[rules->use]);
}

/* Keys that the family's fields read. */
static void
print_fields(const lm_family *family)
{
    char key[LM_CONFIG_KEY_SIZE];

    for (size_t i = 0; i < family->field_count; i++)
        for (int each = 0; lm_config_key(&family->fields[i], each, key); each++)
            printf("%s\t%s\t%s\n", family->name, key, uses[LM_KEY_OBEYED]);
}

int
main(void)
{
    print_table("modules.json", lm_modules_keys);
    print_table("config_sentence_transformers.json", lm_sentence_keys);
    print_table("sentence_bert_config.json", lm_transformer_keys);
    print_table("1_Pooling/config.json", lm_pooling_keys);
    print_table("5_Normalize/config.json", lm_normalize_keys);
    print_table("2_Dense/config.json", lm_dense_keys);
    print_table("3_LayerNorm/config.json", lm_layer_norm_keys);
    print_table("4_Dropout/config.json", lm_dropout_keys);
    print_table("config_sentence_transformers.json", lm_pylate_keys);
    print_table("sentence_bert_config.json", lm_late_keys);
    print_table("query_expansion", lm_expansion_keys);
    print_table("MultiVectorMask", lm_mask_keys);
    print_table("SpladePooling", lm_splade_keys);
    print_table("WeightedLayerPooling", lm_mix_keys);
    print_table("SparseStaticEmbedding", lm_sparse_static_keys);
    print_table("WordEmbeddings", lm_word_embeddings_keys);
    print_table("WordWeights", lm_word_weights_keys);
    print_table("BoW", lm_bow_keys);
    print_table("WhitespaceTokenizer", lm_whitespace_keys);
    print_table("router_config.json", lm_router_keys);
    print_table("router_config.json parameters", lm_route_keys);
    for (int i = 0; lm_families[i]; i++) {
        print_fields(lm_families[i]);
        print_table(lm_families[i]->name, lm_families[i]->config_keys);
        print_table(lm_families[i]->name, lm_config_keys);
    }
    return 0;
}
