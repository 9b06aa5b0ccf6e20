/*
 * jina_embeddings_v3.c - Jina embeddings v3 (Sturua et al. 2024): NomicBERT's layers (nomic_bert.c)
 * with a bias of each matrix and a net that is not gated: fc1 (F, D) and (F), fc2 (D, F) and (D).
 * Heads are RoBERTa's. Adapters for tasks are files of their own, as for the reference: the vectors
 * are those of the model without one, and a config.json that says how its authors' code blends them
 * into every matrix is refused.
 */
#include "family/rope_bert.h"
#include "family/rows.h"

#define FIELD(name) LM_ROPE_BERT(name)

static const char *const model_types[] = {"jina_embeddings_v3", NULL};

static const lm_config_field fields[] = {
    LM_ROPE_BERT_FIELDS(250002, 1024, 24, 16, 4096, 1e-5, LM_ACT_GELU, 8194, 1, 1, 20000),
};

static const lm_key_rule config_keys[] = {
    {"pad_token_id", LM_KEY_HARMLESS, NULL}, {"lora_adaptations", LM_KEY_REFUSED, NULL},
    {"lora_prompts", LM_KEY_REFUSED, NULL},  {"lora_rank", LM_KEY_REFUSED, NULL},
    {"lora_alpha", LM_KEY_REFUSED, NULL},    {0},
};

static const char *const architectures[] = {"JinaEmbeddingsV3Model", "JinaEmbeddingsV3ForMaskedLM",
                                            NULL};

/* The head of pre-training. */
static const char *const not_needed[] = {"lm_head.", NULL};

#define D DIM(dims.hidden)
#define E D
#define V DIM(dims.vocab)
#define C DIM(labels)
#define TWO DIM(two)

static const lm_weight_slot sequence_slots[] = {
    {"classifier.dense.weight", HEAD, ROWS, NEEDED, 2, {D, D}, LM_HEAD_DENSE, 0, 1},
    {"classifier.dense.bias", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_DENSE_BIAS, 0, 1},
    {"classifier.out_proj.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.out_proj.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
};

static const lm_weight_slot span_slots[] = {SPAN_SLOTS("qa_outputs")};

static const lm_weight_slot mask_slots[] = {
    MASK_LAYER("lm_head.dense", "lm_head.layer_norm"),
    MASK_WORDS("lm_head.decoder.weight"),
    MASK_BIAS("lm_head.decoder.bias"),
    MASK_BIAS("lm_head.bias"),
};

static const lm_head_kind heads[] = {
    {"ForSequenceClassification", "classification", lm_rope_bert_label_fields, 1, sequence_slots,
     COUNT(sequence_slots), LM_POOL_CLS, LM_ACT_TANH},
    LM_ROPE_BERT_TOKEN_HEAD,
    {"ForQuestionAnswering", "answer", NULL, 0, span_slots, COUNT(span_slots), LM_POOL_NONE,
     LM_ACT_NONE},
    {"ForMaskedLM", "fill_mask", NULL, 0, mask_slots, COUNT(mask_slots), LM_POOL_NONE, LM_ACT_GELU},
};

/* A prefix of models with a head; then the names that its authors' own files have. */
static const lm_rename renames[] = {
    {LM_RENAME_PREFIX, "roberta.", ""},
    {LM_RENAME_PREFIX, "encoder.layers.", "layers."},
    {LM_RENAME_PREFIX, "emb_ln.", "embeddings.LayerNorm."},
    {LM_RENAME_INSIDE, ".mixer.out_proj.", ".self_attn.o_proj."},
    {LM_RENAME_INSIDE, ".mixer.Wqkv.", ".self_attn.qkv_proj."},
    {LM_RENAME_INSIDE, ".fc2.", ".down_proj."},
    {LM_RENAME_INSIDE, ".norm1.", ".post_attention_layernorm."},
    {LM_RENAME_INSIDE, ".norm2.", ".post_mlp_layernorm."},
};

static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    lm_rope_bert *c = out;

    c->biased = 1;
    c->plain = 1;
    return lm_rope_bert_check(ctx, config, out);
}

extern const lm_family lm_family_jina_embeddings_v3;

const lm_family lm_family_jina_embeddings_v3 = {
    LM_ROPE_BERT_FAMILY(heads),
    .name = "jina_embeddings_v3",
    .model_types = model_types,
    .fields = fields,
    .field_count = COUNT(fields),
    .config_keys = config_keys,
    .architectures = architectures,
    .not_needed = not_needed,
    .check = check,
    .renames = renames,
    .rename_count = COUNT(renames),
};
