/*
 * kin.c - what BERT's kin share: derived fields, heads, and the description of embeddings and
 * layers.
 */
#include "family/kin.h"

const lm_word lm_kin_position_words[] = {{"absolute", 0}, {NULL, 0}};

/* ---- Heads ---- */

const lm_config_field lm_kin_label_fields[2] = {
    {"id2label|num_labels", LM_FIELD_COUNT, FIELD(labels), 2, 1, 1 << 16, .flags = 0},
    CRF_FIELD(FIELD(crf)),
};

const lm_weight_slot lm_kin_token_slots[LM_KIN_TOKEN_SLOTS] = {
    {"classifier.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
    CRF_SLOTS,
};

const lm_weight_slot lm_kin_first_slots[LM_KIN_FIRST_SLOTS] = {
    {"classifier.dense.weight", HEAD, ROWS, NEEDED, 2, {D, D}, LM_HEAD_DENSE, 0, 1},
    {"classifier.dense.bias", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_DENSE_BIAS, 0, 1},
    {"classifier.out_proj.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.out_proj.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
};

#define POOLER_LAYER                                                              \
    {"pooler.dense.weight", HEAD, ROWS, NEEDED, 2, {D, D}, LM_HEAD_DENSE, 0, 1},  \
    {                                                                             \
        "pooler.dense.bias", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_DENSE_BIAS, 0, 1 \
    }

const lm_weight_slot lm_kin_pooled_slots[LM_KIN_POOLED_SLOTS] = {
    POOLER_LAYER,
    {"classifier.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
};

const lm_weight_slot lm_kin_next_slots[LM_KIN_POOLED_SLOTS] = {
    POOLER_LAYER,
    SPAN_SLOTS("cls.seq_relationship"),
};

const lm_weight_slot lm_kin_span_slots[LM_KIN_SPAN_SLOTS] = {SPAN_SLOTS("qa_outputs")};

const lm_weight_slot lm_kin_bert_mask_slots[LM_KIN_MASK_SLOTS] = {
    MASK_LAYER("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm"),
    MASK_WORDS("cls.predictions.decoder.weight"),
    MASK_BIAS("cls.predictions.decoder.bias"),
    MASK_BIAS("cls.predictions.bias"),
};

const lm_weight_slot lm_kin_roberta_mask_slots[LM_KIN_MASK_SLOTS] = {
    MASK_LAYER("lm_head.dense", "lm_head.layer_norm"),
    MASK_WORDS("lm_head.decoder.weight"),
    MASK_BIAS("lm_head.decoder.bias"),
    MASK_BIAS("lm_head.bias"),
};

/* ---- Config ---- */

lm_status
lm_kin_check(lm_context *ctx, const lm_json *config, void *fields)
{
    lm_kin_config *kin = fields;

    LM_TRY(lm_family_check_heads(ctx, "num_attention_heads", kin->heads, "hidden_size",
                                 kin->dims.hidden));
    kin->qkv_rows = 3 * kin->dims.hidden;
    kin->two = LM_HEAD_UNNAMED;
    kin->dims.window = kin->positions - kin->first;
    if (kin->embedding == 0)
        kin->embedding = kin->dims.hidden;
    kin->projected = kin->embedding != kin->dims.hidden ? kin->dims.hidden : 0;
    kin->common = kin->tasked ? kin->tasks : 0;
    return LM_OK;
}

lm_status
lm_kin_check_padded(lm_context *ctx, const lm_json *config, void *fields)
{
    lm_kin_config *kin = fields;

    kin->first = kin->padding + 1;
    if (kin->positions > kin->first)
        return lm_kin_check(ctx, config, fields);
    lm_raise(ctx, LM_BAD_MODEL, "the model has no position for a token");
    lm_detail_file(ctx, "config.json");
    lm_detail_key(ctx, "max_position_embeddings");
    lm_detail_found(ctx, "%d", kin->positions);
    return lm_detail_allowed(ctx, "at least %d, since positions begin behind pad_token_id",
                             kin->first + 1);
}

lm_status
lm_kin_check_projected(lm_context *ctx, const lm_json *config, void *fields)
{
    lm_kin_config *kin = fields;

    LM_TRY(lm_kin_check(ctx, config, fields));
    kin->projected = kin->dims.hidden;
    return LM_OK;
}

/* ---- Description ---- */

void
lm_kin_describe(const void *config, lm_encoder *encoder)
{
    const lm_kin_config *kin = config;
    const lm_post_norm shape = {
        .layers = kin->layers,
        .width = kin->dims.hidden,
        .heads = kin->heads,
        .inner = kin->inner,
        .eps = kin->eps,
        .act = (lm_activation)kin->activation,
    };

    encoder->embedding = (lm_embedding){
        .words = WORDS,
        .types = kin->types > 0 ? TYPES : LM_NO_WEIGHT,
        .positions = POSITIONS,
        .first_position = (size_t)kin->first,
        .skip_padding = kin->first > 0,
        .window = (size_t)kin->dims.window,
        .type_count = (size_t)kin->types,
        .norm = {FIRST_GAIN, FIRST_BIAS},
        .norm_kind = LM_NORM_LAYER,
        .eps = kin->eps,
        .more = true,
        .common = COMMON,
        .width = (size_t)kin->embedding,
        .projection = PROJECTION,
        .projection_bias = PROJECTION_BIAS,
    };
    encoder->stack = lm_post_norm_stack(&shape);
}

void
lm_kin_describe_pre_norm(const void *config, lm_encoder *encoder)
{
    lm_block *block = &encoder->stack.blocks[0];

    lm_kin_describe(config, encoder);
    block->attention_norms.before = block->attention_norms.after;
    block->ffn_norms.before = block->ffn_norms.after;
    block->attention_norms.after = block->ffn_norms.after = (lm_norm_targets)LM_NO_NORM;
    encoder->stack.final = (lm_norm_targets){FINAL_GAIN, FINAL_BIAS};
}
