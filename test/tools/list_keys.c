/*
 * list_keys.c - prints the tables of keys of settings files: table, key and use, separated by tabs.
 * scripts/compare-keys.py compares them with the reference libraries.
 */
#include <stdio.h>

#include "family/family.h"
#include "format/bundle_keys.h"

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

int
main(void)
{
    print_table("modules.json", lm_modules_keys);
    print_table("config_sentence_transformers.json", lm_sentence_keys);
    print_table("sentence_bert_config.json", lm_transformer_keys);
    print_table("1_Pooling/config.json", lm_pooling_keys);
    print_table("2_Normalize/config.json", lm_normalize_keys);
    for (int i = 0; lm_families[i]; i++) {
        print_table(lm_families[i]->name, lm_families[i]->config_keys);
        print_table(lm_families[i]->name, lm_config_keys);
    }
    return 0;
}
