/*
 * jina_embeddings_v3.c - Jina embeddings v3 (Sturua et al. 2024): NomicBERT's layers (nomic_bert.c)
 * with a bias of each matrix and a net that is not gated: fc1 (F, D) and (F), fc2 (D, F) and (D).
 * Heads are RoBERTa's. Adapters for tasks are files of their own, as for the reference: the vectors
 * are those of the model without one, and a config.json that says how its authors' code blends them
 * into every matrix is refused.
 *
 * jina_embeddings_v3_authors is the same as its authors publish it: code of
 * jinaai/xlm-roberta-flash-implementation, and matrices beside their adapters, of which the import
 * says that they are not used. By vLLM's reader of these files (JinaRobertaModel).
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
    {LM_RENAME_INSIDE, ".parametrizations.weight.original", ".weight"},
};

/* ---- As its authors publish it ---- */

static const char *const authors_types[] = {"xlm-roberta", NULL};
static const lm_word turned[] = {{"rotary", 0}, {NULL, 0}};

static const lm_config_field authors_fields[] = {
    LM_ROPE_BERT_SHAPE_FIELDS(30522, 768, 12, 12, 3072, 1e-12, LM_ACT_GELU, 512, 2, 1),
    {"rope_theta|rotary_emb_base", LM_FIELD_FLOAT, LM_ROPE_BERT(theta), 10000, 1, 1e12, .flags = 0},
    {"position_embedding_type", LM_FIELD_WORD, .flags = LM_FIELD_REQUIRED | LM_FIELD_MUST_BE,
     .words = turned, .refusal = "the kind of position embedding is not supported"},
};

static const lm_key_rule authors_keys[] = {
    {"auto_map", LM_KEY_OBEYED, NULL}, /* the family is known by it */
    {"pad_token_id", LM_KEY_HARMLESS, NULL},
    {"use_flash_attn", LM_KEY_HARMLESS, NULL},
    {"emb_pooler", LM_KEY_HARMLESS, NULL}, /* of a method of the class, as the next two */
    {"matryoshka_dimensions", LM_KEY_HARMLESS, NULL},
    {"task_instructions", LM_KEY_HARMLESS, NULL},
    {"truncate_dim", LM_KEY_REFUSED, NULL},
    /* Of adapters, whose tensors the import names. */
    {"load_trained_adapters", LM_KEY_HARMLESS, NULL},
    {"lora_adaptations", LM_KEY_HARMLESS, NULL},
    {"lora_alpha", LM_KEY_HARMLESS, NULL},
    {"lora_dropout_p", LM_KEY_HARMLESS, NULL},
    {"lora_main_params_trainable", LM_KEY_HARMLESS, NULL},
    {"lora_rank", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const authors_architectures[] = {"XLMRobertaModel", "XLMRobertaForMaskedLM",
                                                    "XLMRobertaLoRA", NULL};

static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    lm_rope_bert *c = out;

    c->biased = 1;
    c->plain = 1;
    return lm_rope_bert_check(ctx, config, out);
}

extern const lm_family lm_family_jina_embeddings_v3, lm_family_jina_embeddings_v3_authors;

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

const lm_family lm_family_jina_embeddings_v3_authors = {
    LM_ROPE_BERT_FAMILY(heads),
    .name = "jina_embeddings_v3_authors",
    .model_types = authors_types,
    .code = "jinaai/xlm-roberta-flash-implementation--",
    .key = "rotary_emb_base",
    .fields = authors_fields,
    .field_count = COUNT(authors_fields),
    .config_keys = authors_keys,
    .architectures = authors_architectures,
    .not_needed = not_needed,
    .check = check,
    .renames = renames,
    .rename_count = COUNT(renames),
};
