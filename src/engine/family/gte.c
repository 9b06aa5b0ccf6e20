/*
 * gte.c - GTE (Zhang et al. 2024): NomicBERT's layers (nomic_bert.c) with biases in attention (D)
 * and in the net's last matrix (D); models without token types are among them. As the reference has
 * it, and as its authors do, whose model_type is "new": they may stretch positions by a factor s
 * (NTK; Su 2023, https://kexue.fm/archives/9706), so that pair j of a head of d numbers turns by
 * (s · theta)^(−2 j / d) / s^(2 / d).
 */
#include "family/rope_bert.h"
#include "family/rows.h"

static const char *const model_types[] = {"gte", NULL};

static const char *const new_types[] = {"new", NULL};

/* One value each: others are other models. */
static const lm_word stretches[] = {{"ntk", 0}, {NULL, 0}};
static const lm_word no_mixture[] = {{"null", 0}, {NULL, 0}};
static const lm_word turned[] = {{"rope", 0}, {NULL, 0}};
static const lm_word norms[] = {{"layer_norm", 0}, {NULL, 0}};

#define ONLY_WORD(key, table, message)                                                    \
    {                                                                                     \
        key, LM_FIELD_WORD, .flags = LM_FIELD_MUST_BE | LM_FIELD_OR_NULL, .words = table, \
                            .refusal = message                                            \
    }

/* What its authors' files say beside. */
#define AUTHORS_FIELDS                                                                          \
    ONLY_WORD("position_embedding_type", turned,                                                \
              "the kind of position embedding is not supported"),                               \
        ONLY_WORD("layer_norm_type", norms, "the kind of norm is not supported"),               \
    {                                                                                           \
        "logn_attention_scale", LM_FIELD_BOOL, .flags = LM_FIELD_MUST_BE,                       \
                                               .refusal = "scores that grow with the text are " \
                                                          "not supported"                       \
    }

static const lm_config_field fields[] = {
    LM_ROPE_BERT_FIELDS(250048, 768, 12, 12, 3072, 1e-12, LM_ACT_GELU, 8192, 1, 0, 160000),
    AUTHORS_FIELDS,
};

static const lm_config_field new_fields[] = {
    LM_ROPE_BERT_SHAPE_FIELDS(30528, 768, 12, 12, 3072, 1e-12, LM_ACT_GELU, 2048, 1, 0),
    {"rope_theta", LM_FIELD_FLOAT, LM_ROPE_BERT(theta), 10000, 1, 1e9, .flags = 0},
    {"rope_scaling.factor", LM_FIELD_FLOAT, LM_ROPE_BERT(stretch), 1, 1, 1000, .flags = 0},
    ONLY_WORD("rope_scaling.type", stretches, LM_ROPE_REFUSAL),
    ONLY_WORD("rope_scaling.mixed_b", no_mixture, LM_ROPE_REFUSAL),
    AUTHORS_FIELDS,
};

static const lm_key_rule keys[] = {
    {"auto_map", LM_KEY_HARMLESS, NULL}, /* of its authors' files: this is what their code does */
    {"pad_token_id", LM_KEY_HARMLESS, NULL},
    {"logn_attention_clip1", LM_KEY_HARMLESS, NULL}, /* of logn_attention_scale */
    {"pack_qkv", LM_KEY_HARMLESS, NULL},             /* the names of the weights say it */
    {"unpad_inputs", LM_KEY_HARMLESS, NULL},
    {"use_memory_efficient_attention", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const new_architectures[] = {"NewModel", "NewForMaskedLM", NULL};

static const char *const architectures[] = {"GteModel", "GteForMaskedLM", NULL};

/* The head of pre-training. */
static const char *const not_needed[] = {"lm_head.", NULL};

#define FIELD(name) LM_ROPE_BERT(name)
#define D DIM(dims.hidden)
#define E D
#define V DIM(dims.vocab)

static const lm_weight_slot mask_slots[] = {
    MASK_LAYER("lm_head.dense", "lm_head.layer_norm"),
    MASK_WORDS("lm_head.decoder.weight"),
    MASK_BIAS("lm_head.decoder.bias"),
};

static const lm_head_kind heads[] = {
    LM_ROPE_BERT_SEQUENCE_HEAD,
    LM_ROPE_BERT_TOKEN_HEAD,
    {"ForMaskedLM", "fill_mask", NULL, 0, mask_slots, COUNT(mask_slots), LM_POOL_NONE, LM_ACT_GELU},
};

/* Prefixes of models with a head; then the names that its authors' own files have. */
static const lm_rename renames[] = {
    {LM_RENAME_PREFIX, "gte.", ""},
    {LM_RENAME_PREFIX, "new.", ""},
    {LM_RENAME_PREFIX, "encoder.layer.", "layers."},
    {LM_RENAME_PREFIX, "lm_head.norm.", "lm_head.layer_norm."},
    {LM_RENAME_INSIDE, ".attention.o_proj.", ".self_attn.o_proj."},
    {LM_RENAME_INSIDE, ".attention.qkv_proj.", ".self_attn.qkv_proj."},
    {LM_RENAME_INSIDE, ".attn_ln.", ".post_attention_layernorm."},
    {LM_RENAME_INSIDE, ".mlp_ln.", ".post_mlp_layernorm."},
};

static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    ((lm_rope_bert *)out)->biased = 1;
    return lm_rope_bert_check(ctx, config, out);
}

#define GTE_FAMILY                                                                             \
    LM_ROPE_BERT_FAMILY(heads), .config_keys = keys, .not_needed = not_needed, .check = check, \
                                .renames = renames, .rename_count = COUNT(renames)

extern const lm_family lm_family_gte, lm_family_gte_new;

const lm_family lm_family_gte = {
    GTE_FAMILY,
    .name = "gte",
    .model_types = model_types,
    .fields = fields,
    .field_count = COUNT(fields),
    .architectures = architectures,
};

const lm_family lm_family_gte_new = {
    GTE_FAMILY,
    .name = "gte_new",
    .model_types = new_types,
    .code = "Alibaba-NLP/new-impl--",
    .fields = new_fields,
    .field_count = COUNT(new_fields),
    .architectures = new_architectures,
};
