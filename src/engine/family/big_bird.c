/*
 * big_bird.c - BigBird (Zaheer et al. 2020), as far as its attention is full: with attention_type
 * original_full, and with block_sparse for texts that are too short for its blocks, which the
 * reference computes in full. There it is BERT under BERT's names; only the pooler (D, D) and (D),
 * which is read by nothing, has another. Attention of blocks is drawn at random, so longer texts
 * have no result to compare with. A classifier is RoBERTa's with the model's own activation; the
 * head of pre-training is BERT's. That for answers has the net of a layer before its outputs:
 *
 *   LayerNorm(x + act(x · Wuᵀ + bu) · Wdᵀ + bd) · Woᵀ + bo                          (T, 2)
 *
 * The reference gives types by the first separator where its tokenizer gives none, and takes what
 * lies before it out of the competition, as lmtext.answer does with every model.
 */
#include "family/kin.h"

static const char *const model_types[] = {"big_bird", NULL};

static const lm_word attention_words[] = {{"original_full", 0}, {"block_sparse", 1}, {NULL, 0}};

/* Defaults are those of the reference's BigBirdConfig. */
static const lm_config_field fields[] = {
    SHAPE_FIELDS(50358, 768, 12, 12, 3072),
    POSITIONS_FIELD(4096),
    TYPES_FIELD,
    ACT_FIELD(LM_ACT_GELU_TANH),
    NORM_FIELD,
    {"attention_type", LM_FIELD_WORD, FIELD(sparse), 1, .words = attention_words,
     .refusal = "the kind of attention is not supported"},
    {"block_size", LM_FIELD_INT, FIELD(block), 64, 1, 1 << 16, .flags = 0},
    {"num_random_blocks", LM_FIELD_INT, FIELD(random), 3, 0, 1 << 10, .flags = 0},
    {"use_bias", LM_FIELD_BOOL, 0, 1, .flags = LM_FIELD_MUST_BE,
     .refusal = "queries, keys and values without a bias are not supported"},
    {"rescale_embeddings", LM_FIELD_BOOL, .flags = LM_FIELD_MUST_BE,
     .refusal = "embeddings that are scaled by their width are not supported"},
    PLAIN_FIELDS,
};

static const lm_key_rule config_keys[] = {
    {"pad_token_id", LM_KEY_HARMLESS, NULL}, /* no padding, ever */
    {0},
};

static const char *const architectures[] = {"BigBirdModel", "BigBirdForMaskedLM",
                                            "BigBirdForPreTraining", NULL};

static const char *const not_needed[] = {"cls.", "pooler.", "embeddings.position_ids", NULL};

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.layer.{i}.", FIELD(layers), LAYER_TARGETS},
};

static const lm_weight_slot slots[] = {
    EMBEDDING("embeddings.word_embeddings", V, WORDS),
    EMBEDDING("embeddings.position_embeddings", P, POSITIONS),
    EMBEDDING("embeddings.token_type_embeddings", TYPE_ROWS, TYPES),
    FIRST_NORM("embeddings.LayerNorm"),
    QKV_PART("attention.self.query", 0),
    QKV_PART("attention.self.key", 1),
    QKV_PART("attention.self.value", 2),
    LINEAR("attention.output.dense", D, D, OUTPUT),
    NORM("attention.output.LayerNorm", ATTENTION_GAIN),
    LINEAR("intermediate.dense", F, D, UP),
    LINEAR("output.dense", D, F, DOWN),
    NORM("output.LayerNorm", FFN_GAIN),
};

static const lm_config_field answer_fields[] = {
    {"sep_token_id", LM_FIELD_INT, FIELD(separator), 66, 0, 1 << 24, .flags = LM_FIELD_TYPES_BY},
};

#define NET "qa_classifier."

static const lm_weight_slot answer_slots[] = {
    {NET "intermediate.dense.weight", HEAD, ROWS, NEEDED, 2, {F, D}, LM_HEAD_DENSE, 0, 1},
    {NET "intermediate.dense.bias", HEAD, ROWS, NEEDED, 1, {F}, LM_HEAD_DENSE_BIAS, 0, 1},
    {NET "output.dense.weight", HEAD, ROWS, NEEDED, 2, {D, F}, LM_HEAD_BACK, 0, 1},
    {NET "output.dense.bias", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_BACK_BIAS, 0, 1},
    {NET "output.LayerNorm.weight", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_NORM_GAIN, 0, 1},
    {NET "output.LayerNorm.bias", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_NORM_BIAS, 0, 1},
    SPAN_SLOTS(NET "qa_outputs"),
};

static const lm_head_kind heads[] = {
    FIRST_HEAD(LM_ACT_OF_LAYERS),
    TOKEN_HEAD,
    MASK_HEAD("ForMaskedLM", lm_kin_bert_mask_slots, LM_ACT_OF_LAYERS),
    MASK_HEAD("ForPreTraining", lm_kin_bert_mask_slots, LM_ACT_OF_LAYERS),
    {"ForQuestionAnswering", "answer", answer_fields, COUNT(answer_fields), answer_slots,
     COUNT(answer_slots), LM_POOL_NONE, LM_ACT_OF_LAYERS},
};

static const lm_rename renames[] = {{LM_RENAME_PREFIX, "bert.", ""}};

/* Two blocks that all see, three about each token, and the random ones twice. */
static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    lm_kin_config *kin = out;
    int32_t full = (5 + 2 * kin->random) * kin->block;

    LM_TRY(lm_kin_check(ctx, config, out));
    if (kin->sparse && kin->dims.window > full)
        kin->dims.window = full;
    return LM_OK;
}

extern const lm_family lm_family_big_bird;

const lm_family lm_family_big_bird = {
    .name = "big_bird",
    .check = check,
    .types = FIELD(types),
    .describe = lm_kin_describe,
    KIN_TABLES,
};
