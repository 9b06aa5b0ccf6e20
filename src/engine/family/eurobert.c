/*
 * eurobert.c - EuroBERT (Boizard et al. 2025): Llama's layers (llama.c), where every token sees all
 * others.
 */
#include "family/llama.h"
#include "family/rows.h"

static const char *const model_types[] = {"eurobert", NULL};

static const lm_config_field fields[] = {
    LM_LLAMA_FIELDS(128256, 768, 3072, 12, 8192),
    LM_LLAMA_HEADS(12, 0, 0),
    {"rms_norm_eps", LM_FIELD_FLOAT, LM_LLAMA(eps), 1e-5, 1e-20, 1, .flags = 0},
    LM_ROPE_FIELDS(LM_LLAMA(theta), 10000),
    {"attention_bias", LM_FIELD_BOOL, LM_LLAMA(qkv_bias), .flags = 0},
    {"attention_bias", LM_FIELD_BOOL, LM_LLAMA(output_bias), .flags = 0},
    {"mlp_bias", LM_FIELD_BOOL, LM_LLAMA(net_bias), .flags = 0},
};

static const lm_key_rule config_keys[] = {
    LM_LLAMA_KEYS,
    {"layer_types", LM_KEY_OBEYED, NULL},
    {"pretraining_tp", LM_KEY_HARMLESS, NULL},
    {"mask_token_id", LM_KEY_HARMLESS, NULL},
    {"classifier_pooling", LM_KEY_OBEYED, NULL},
    {0},
};

static const char *const architectures[] = {"EuroBertModel", "EuroBertForMaskedLM", NULL};

static const lm_config_field label_fields[] = {
    {"id2label|num_labels", LM_FIELD_COUNT, LM_LLAMA(labels), 2, 1, 1 << 16, .flags = 0},
    CRF_FIELD(LM_LLAMA(crf)),
};

#define FIELD(name) LM_LLAMA(name)
#define D DIM(dims.hidden)
#define C DIM(labels)
#define V DIM(dims.vocab)

static const lm_weight_slot token_slots[] = {
    {"classifier.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
    CRF_SLOTS,
};

/* Of pre-training: the word table, with a bias where the nets have one. */
static const lm_weight_slot mask_slots[] = {
    {"lm_head.weight", HEAD, TABLE, 0, 2, {V, D}, LM_HEAD_OUT, 0, 1},
    {"lm_head.bias",
     HEAD,
     ROWS,
     NEEDED | LM_SLOT_WHEN(FIELD(net_bias)),
     1,
     {V},
     LM_HEAD_OUT_BIAS,
     0,
     1},
};

/* By default the mean of all tokens' scores, which is the last layer on the mean of the first's. */
static const lm_weight_slot sequence_slots[] = {
    {"dense.weight", HEAD, ROWS, NEEDED, 2, {D, D}, LM_HEAD_DENSE, 0, 1},
    {"dense.bias", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_DENSE_BIAS, 0, 1},
    {"classifier.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
};

static const lm_word pooling_words[] = {
    {"late", LM_POOL_LATE}, {"bos", LM_POOL_CLS}, {"mean", LM_POOL_MEAN}, {NULL, 0}};

static const lm_head_kind heads[] = {
    {"ForSequenceClassification", "classification", label_fields, COUNT(label_fields),
     sequence_slots, COUNT(sequence_slots), LM_POOL_LATE, LM_ACT_GELU},
    {"ForTokenClassification", "token_classification", label_fields, COUNT(label_fields),
     token_slots, COUNT(token_slots), LM_POOL_NONE, LM_ACT_NONE},
    {"ForMaskedLM", "fill_mask", NULL, 0, mask_slots, COUNT(mask_slots), LM_POOL_NONE, LM_ACT_NONE},
};

extern const lm_family lm_family_eurobert;

const lm_family lm_family_eurobert = {
    LM_LLAMA_FAMILY,
    .name = "eurobert",
    .model_types = model_types,
    .fields = fields,
    .field_count = COUNT(fields),
    .config_keys = config_keys,
    .architectures = architectures,
    .check = lm_llama_check,
    .heads = heads,
    .head_count = COUNT(heads),
    .head_pooling_key = "classifier_pooling",
    .head_pooling_words = pooling_words,
};
