/*
 * nomic_bert.c - NomicBERT (Nussbaum et al. 2024), of nomic-embed-text.
 *
 *   x = LayerNorm(word + type)                                                       (T, D)
 *   each layer:
 *     q, k, v = x · Wᵀ, q and k turned                                               (T, 3 D)
 *     x = LayerNorm(x + attention(q, k, v) · Woᵀ)                                    (T, D)
 *     x = LayerNorm(x + (act(x · Wgᵀ) · (x · Wuᵀ)) · Wdᵀ)       inner width F         (T, D)
 *
 * Tensors: word (V, D), type (types, D), their norm (D), (D); in each layer query, key, value and
 * output (D, D), gate and up (F, D), down (D, F), two norms (D), (D). No matrix has a bias. A
 * classifier has a pooler (D, D) and (D); the head of pre-training is BERT's.
 *
 * nomic_bert_authors is the same as its authors publish it (nomic-embed-text-v1 and v1.5,
 * snowflake-arctic-embed-m-long): config.json in the words of GPT-2, by which it is known, a net
 * whose width is rounded up, a head of pre-training without biases. By NomicBertConfig and
 * NomicBertModel of their contrastors (github.com/nomic-ai/contrastors, models/huggingface).
 */
#include "family/rope_bert.h"
#include "family/rows.h"

static const char *const model_types[] = {"nomic_bert", NULL};

static const lm_config_field fields[] = {
    LM_ROPE_BERT_FIELDS(30528, 768, 12, 12, 3072, 1e-12, LM_ACT_SILU, 2048, 2, 1, 1000),
};

static const char *const architectures[] = {"NomicBertModel", "NomicBertForMaskedLM", NULL};

/* The head of pre-training. */
static const char *const not_needed[] = {"cls.", NULL};

#define FIELD(name) LM_ROPE_BERT(name)
#define D DIM(dims.hidden)
#define E D
#define V DIM(dims.vocab)

static const lm_weight_slot mask_slots[] = {
    MASK_LAYER("cls.predictions.transform.dense", "cls.predictions.transform.layer_norm"),
    MASK_WORDS("cls.predictions.decoder.weight"),
    MASK_BIAS("cls.predictions.decoder.bias"),
    MASK_BIAS("cls.predictions.bias"),
};

static const lm_head_kind heads[] = {
    LM_ROPE_BERT_SEQUENCE_HEAD,
    LM_ROPE_BERT_TOKEN_HEAD,
    {"ForMaskedLM", "fill_mask", NULL, 0, mask_slots, COUNT(mask_slots), LM_POOL_NONE,
     LM_ACT_OF_LAYERS},
};

/* A prefix of models with a head; then the names that its authors' own files have. */
static const lm_rename renames[] = {
    {LM_RENAME_PREFIX, "nomic_bert.", ""},
    {LM_RENAME_PREFIX, "bert.", ""},
    {LM_RENAME_PREFIX, "encoder.layers.", "layers."},
    {LM_RENAME_PREFIX, "emb_ln.", "embeddings.LayerNorm."},
    {LM_RENAME_INSIDE, ".attn.out_proj.", ".self_attn.o_proj."},
    {LM_RENAME_INSIDE, ".attn.Wqkv.", ".self_attn.qkv_proj."},
    {LM_RENAME_INSIDE, ".fc11.", ".up_proj."},
    {LM_RENAME_INSIDE, ".fc12.", ".gate_proj."},
    {LM_RENAME_INSIDE, ".fc2.", ".down_proj."},
    {LM_RENAME_INSIDE, ".norm1.", ".post_attention_layernorm."},
    {LM_RENAME_INSIDE, ".norm2.", ".post_mlp_layernorm."},
};

/* ---- As its authors publish it ---- */

#define INT(key, member, otherwise, least, most)                                    \
    {                                                                               \
        key, LM_FIELD_INT, LM_ROPE_BERT(member), otherwise, least, most, .flags = 0 \
    }

/* With one value the weights are what the layers above say. */
#define ONLY(key, kind, value, more, message)                                                     \
    {                                                                                             \
        key, kind, .fallback = value, .low = 0, .high = 1024, .flags = LM_FIELD_MUST_BE | (more), \
                   .refusal = message                                                             \
    }
#define BIASES "biases of these matrices are not supported"
#define TURNS "the kind of rotary positions is not supported"

/* Their class has a net with a sigmoid too, and one without a gate; no published encoder does. */
static const lm_word nets[] = {{"swiglu", LM_ACT_SILU}, {"geglu", LM_ACT_GELU}, {NULL, 0}};

/* The defaults are of their class and of GPT-2's, which it is made of. What it would do otherwise
 * without a key must be there. */
static const lm_config_field authors_fields[] = {
    INT("vocab_size", dims.vocab, 50257, 1, 1 << 24),
    INT("pad_vocab_size_multiple", multiple, 1, 1, 1 << 16),
    INT("n_embd", dims.hidden, 768, 1, 1 << 16),
    INT("n_layer", layers, 12, 1, 1024),
    INT("n_head", heads, 12, 1, 1 << 12),
    {"n_inner", LM_FIELD_INT, LM_ROPE_BERT(inner), 0, 1, 1 << 20, .flags = LM_FIELD_OR_NULL},
    INT("n_positions", dims.window, 1024, 1, 1 << 20),
    INT("max_trained_positions", trained, 2048, 1, 1 << 20),
    INT("type_vocab_size", types, 2, 0, 1 << 16),
    {"layer_norm_epsilon", LM_FIELD_FLOAT, LM_ROPE_BERT(eps), 1e-5, 1e-20, 1, .flags = 0},
    {"activation_function", LM_FIELD_WORD, LM_ROPE_BERT(activation), .flags = LM_FIELD_REQUIRED,
     .words = nets, .refusal = "the feed-forward net is not supported"},
    {"rotary_emb_base", LM_FIELD_FLOAT, LM_ROPE_BERT(theta), 10000, 1, 1e12, .flags = 0},
    {"rotary_scaling_factor", LM_FIELD_FLOAT, LM_ROPE_BERT(scaling), 0, 0, 1000,
     .flags = LM_FIELD_OR_NULL},
    ONLY("rotary_emb_fraction", LM_FIELD_FLOAT, 1, LM_FIELD_REQUIRED, TURNS),
    ONLY("rotary_emb_interleaved", LM_FIELD_BOOL, 0, 0, TURNS),
    ONLY("rotary_emb_scale_base", LM_FIELD_FLOAT, 0, LM_FIELD_OR_NULL, TURNS),
    ONLY("rotary_head_dim", LM_FIELD_BOOL, 0, 0, TURNS),
    ONLY("qkv_proj_bias", LM_FIELD_BOOL, 0, LM_FIELD_REQUIRED, BIASES),
    ONLY("mlp_fc1_bias", LM_FIELD_BOOL, 0, LM_FIELD_REQUIRED, BIASES),
    ONLY("mlp_fc2_bias", LM_FIELD_BOOL, 0, LM_FIELD_REQUIRED, BIASES),
    ONLY("prenorm", LM_FIELD_BOOL, 0, 0, "norms before are not supported"),
    ONLY("use_rms_norm", LM_FIELD_BOOL, 0, 0, "the kind of norm is not supported"),
    ONLY("parallel_block", LM_FIELD_BOOL, 0, 0, "attention beside the net is not supported"),
    ONLY("causal", LM_FIELD_BOOL, 0, 0, "causal models of this family are not supported"),
    ONLY("num_heads_kv", LM_FIELD_INT, 0, LM_FIELD_OR_NULL,
         "heads that share keys are not supported"),
    ONLY("moe_every_n_layers", LM_FIELD_INT, 0, LM_FIELD_OR_NULL,
         "a mixture of experts in the place of a net is not supported"),
};

static const lm_key_rule authors_keys[] = {
    {"auto_map", LM_KEY_HARMLESS, NULL}, /* this is what their code does */
    {"pad_token_id", LM_KEY_HARMLESS, NULL},
    {"add_pooling_layer", LM_KEY_HARMLESS, NULL},
    {"parallel_block_tied_norm", LM_KEY_HARMLESS, NULL}, /* of parallel_block */
    {"dense_seq_output", LM_KEY_HARMLESS, NULL},
    {"use_xentropy", LM_KEY_HARMLESS, NULL},
    {"use_flash_attn", LM_KEY_HARMLESS, NULL},
    {"fused_bias_fc", LM_KEY_HARMLESS, NULL},
    {"fused_dropout_add_ln", LM_KEY_HARMLESS, NULL},
    {"n_ctx", LM_KEY_HARMLESS, NULL},
    {"attn_pdrop", LM_KEY_HARMLESS, NULL},
    {"embd_pdrop", LM_KEY_HARMLESS, NULL},
    {"resid_pdrop", LM_KEY_HARMLESS, NULL},
    /* GPT-2's, which their code does not read. */
    {"scale_attn_weights", LM_KEY_HARMLESS, NULL},
    {"scale_attn_by_inverse_layer_idx", LM_KEY_HARMLESS, NULL},
    {"reorder_and_upcast_attn", LM_KEY_HARMLESS, NULL},
    {"summary_activation", LM_KEY_HARMLESS, NULL},
    {"summary_first_dropout", LM_KEY_HARMLESS, NULL},
    {"summary_proj_to_labels", LM_KEY_HARMLESS, NULL},
    {"summary_type", LM_KEY_HARMLESS, NULL},
    {"summary_use_proj", LM_KEY_HARMLESS, NULL},
    /* Of moe_every_n_layers. */
    {"expert_choice_router", LM_KEY_HARMLESS, NULL},
    {"ffn_div", LM_KEY_HARMLESS, NULL},
    {"moe_impl", LM_KEY_HARMLESS, NULL},
    {"moe_normalize_expert_weights", LM_KEY_HARMLESS, NULL},
    {"moe_resid_pdrop", LM_KEY_HARMLESS, NULL},
    {"moe_top_k", LM_KEY_HARMLESS, NULL},
    {"num_experts", LM_KEY_HARMLESS, NULL},
    {"num_shared_experts", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const authors_architectures[] = {"NomicBertModel", "NomicBertForPreTraining",
                                                    NULL};

static const lm_weight_slot authors_mask_slots[] = {
    {"cls.predictions.transform.dense.weight", HEAD, ROWS, NEEDED, 2, {D, D}, LM_HEAD_DENSE, 0, 1},
    {"cls.predictions.transform.layer_norm.weight",
     HEAD,
     ROWS,
     NEEDED,
     1,
     {D},
     LM_HEAD_NORM_GAIN,
     0,
     1},
    {"cls.predictions.transform.layer_norm.bias",
     HEAD,
     ROWS,
     NEEDED,
     1,
     {D},
     LM_HEAD_NORM_BIAS,
     0,
     1},
    MASK_WORDS("cls.predictions.decoder.weight"),
};

static const lm_head_kind authors_heads[] = {
    LM_ROPE_BERT_SEQUENCE_HEAD,
    {"ForPreTraining", "fill_mask", NULL, 0, authors_mask_slots, COUNT(authors_mask_slots),
     LM_POOL_NONE, LM_ACT_OF_LAYERS},
};

static int32_t
round_up(int32_t number, int32_t multiple)
{
    return (number + multiple - 1) / multiple * multiple;
}

/*
 * Their class rounds the net's width up to a multiple of 256, and the vocabulary to one of its own.
 * With a scaling factor it stretches positions by the length of a text that is longer than it was
 * trained on; the window ends before.
 */
static lm_status
check_authors(lm_context *ctx, const lm_json *config, void *out)
{
    lm_rope_bert *c = out;

    LM_TRY(lm_family_check_heads(ctx, "n_head", c->heads, "n_embd", c->dims.hidden));
    LM_TRY(lm_rope_check(ctx, "n_head", c->dims.hidden / c->heads));
    c->inner = round_up(c->inner ? c->inner : 8 * c->dims.hidden / 3, 256);
    c->dims.vocab = round_up(c->dims.vocab, c->multiple);
    if (c->scaling > 0 && c->dims.window > c->trained)
        c->dims.window = c->trained;
    return lm_rope_bert_check(ctx, config, out);
}

extern const lm_family lm_family_nomic_bert, lm_family_nomic_bert_authors;

const lm_family lm_family_nomic_bert = {
    LM_ROPE_BERT_FAMILY(heads),     .name = "nomic_bert",
    .model_types = model_types,     .fields = fields,
    .field_count = COUNT(fields),   .config_keys = lm_rope_bert_keys,
    .architectures = architectures, .not_needed = not_needed,
    .check = lm_rope_bert_check,    .renames = renames,
    .rename_count = COUNT(renames),
};

const lm_family lm_family_nomic_bert_authors = {
    LM_ROPE_BERT_FAMILY(authors_heads),
    .name = "nomic_bert_authors",
    .model_types = model_types,
    .key = "n_embd",
    .fields = authors_fields,
    .field_count = COUNT(authors_fields),
    .config_keys = authors_keys,
    .architectures = authors_architectures,
    .not_needed = not_needed,
    .check = check_authors,
    .renames = renames,
    .rename_count = COUNT(renames),
};
