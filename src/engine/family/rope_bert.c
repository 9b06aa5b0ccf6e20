/*
 * rope_bert.c - tensors and forward pass of rope_bert.h's layers.
 */
#include "family/rope_bert.h"

#include <math.h>

#include "family/rows.h"

#define FIELD(name) LM_ROPE_BERT(name)

const lm_key_rule lm_rope_bert_keys[] = {
    {"pad_token_id", LM_KEY_HARMLESS, NULL},
    {"auto_map", LM_KEY_HARMLESS, NULL}, /* of their authors' files; the reference has the code */
    {0},
};

enum model_target { WORDS, TYPES, FIRST_GAIN, FIRST_BIAS, POOLER, POOLER_BIAS, MODEL_TARGETS };

#define D DIM(dims.hidden)
#define F DIM(inner)
#define C DIM(labels)
#define WHEN(name) (NEEDED | LM_SLOT_WHEN(FIELD(name)))
#define SWAPPED_WHEN_GATED (LM_SLOT_HALVES_SWAPPED | LM_SLOT_WHEN(FIELD(gated)))
#define Q                             \
    {                                 \
        FIELD(heads), FIELD(head_dim) \
    }
#define Q3 DIM(qkv_rows)

const lm_weight_group lm_rope_bert_groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"layers.{i}.", FIELD(layers), LAYER_TARGETS},
};

#define TYPE_WORDS "embeddings.token_type_embeddings.weight"

const lm_weight_slot lm_rope_bert_slots[] = {
    {"embeddings.word_embeddings.weight",
     MODEL,
     TABLE,
     NEEDED,
     2,
     {DIM(dims.vocab), D},
     WORDS,
     0,
     1},
    {TYPE_WORDS, MODEL, TABLE, WHEN(types), 2, {DIM(types), D}, TYPES, 0, 1},
    {"embeddings.LayerNorm.weight", MODEL, ROWS, NEEDED, 1, {D}, FIRST_GAIN, 0, 1},
    {"embeddings.LayerNorm.bias", MODEL, ROWS, NEEDED, 1, {D}, FIRST_BIAS, 0, 1},
    {"pooler.dense.weight", MODEL, PACKED, SPARE, 2, {D, D}, POOLER, 0, 1},
    {"pooler.dense.bias", MODEL, ROWS, SPARE, 1, {D}, POOLER_BIAS, 0, 1},

    {"self_attn.q_proj.weight", LAYERS, PACKED, NEEDED, 2, {Q, D}, QKV, 0, 1},
    {"self_attn.k_proj.weight", LAYERS, PACKED, NEEDED, 2, {Q, D}, QKV, 1, 1},
    {"self_attn.v_proj.weight", LAYERS, PACKED, NEEDED, 2, {Q, D}, QKV, 2, 1},
    {"self_attn.qkv_proj.weight", LAYERS, PACKED, 0, 2, {Q3, D}, QKV, 0, 3},
    {"self_attn.q_proj.bias", LAYERS, ROWS, WHEN(biased), 1, {Q}, QKV_BIAS, 0, 1},
    {"self_attn.k_proj.bias", LAYERS, ROWS, WHEN(biased), 1, {Q}, QKV_BIAS, 1, 1},
    {"self_attn.v_proj.bias", LAYERS, ROWS, WHEN(biased), 1, {Q}, QKV_BIAS, 2, 1},
    {"self_attn.qkv_proj.bias", LAYERS, ROWS, LM_SLOT_WHEN(FIELD(biased)), 1, {Q3}, QKV_BIAS, 0, 3},
    {"self_attn.o_proj.weight", LAYERS, PACKED, NEEDED, 2, {D, Q}, OUTPUT, 0, 1},
    {"self_attn.o_proj.bias", LAYERS, ROWS, WHEN(biased), 1, {D}, OUTPUT_BIAS, 0, 1},
    {"post_attention_layernorm.weight", LAYERS, ROWS, NEEDED, 1, {D}, ATTENTION_GAIN, 0, 1},
    {"post_attention_layernorm.bias", LAYERS, ROWS, NEEDED, 1, {D}, ATTENTION_NORM_BIAS, 0, 1},

    {"mlp.gate_proj.weight", LAYERS, PACKED, WHEN(gated), 2, {F, D}, UP, 0, 1},
    {"mlp.up_proj.weight", LAYERS, PACKED, WHEN(gated), 2, {F, D}, UP, 1, 1},
    {"mlp.up_gate_proj.weight", LAYERS, PACKED, SWAPPED_WHEN_GATED, 2, {DIM(up_rows), D}, UP, 0, 2},
    {"mlp.fc1.weight", LAYERS, PACKED, WHEN(plain), 2, {F, D}, UP, 0, 1},
    {"mlp.fc1.bias", LAYERS, ROWS, WHEN(plain), 1, {F}, UP_BIAS, 0, 1},
    {"mlp.down_proj.weight", LAYERS, PACKED, NEEDED, 2, {D, F}, DOWN, 0, 1},
    {"mlp.down_proj.bias", LAYERS, ROWS, WHEN(biased), 1, {D}, DOWN_BIAS, 0, 1},
    {"post_mlp_layernorm.weight", LAYERS, ROWS, NEEDED, 1, {D}, FFN_GAIN, 0, 1},
    {"post_mlp_layernorm.bias", LAYERS, ROWS, NEEDED, 1, {D}, FFN_NORM_BIAS, 0, 1},
};

const lm_config_field lm_rope_bert_label_fields[] = {
    {"id2label|num_labels", LM_FIELD_COUNT, FIELD(labels), 2, 1, 1 << 16, .flags = 0},
    CRF_FIELD(FIELD(crf)),
};

const lm_weight_slot lm_rope_bert_sequence_slots[] = {
    {"pooler.dense.weight", HEAD, ROWS, NEEDED, 2, {D, D}, LM_HEAD_DENSE, 0, 1},
    {"pooler.dense.bias", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_DENSE_BIAS, 0, 1},
    {"classifier.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
};

const lm_weight_slot lm_rope_bert_token_slots[] = {
    {"classifier.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
    CRF_SLOTS,
};

lm_status
lm_rope_bert_check(lm_context *ctx, const lm_json *config, void *out)
{
    lm_rope_bert *c = out;

    if (c->head_dim == 0) {
        LM_TRY(lm_family_check_heads(ctx, "num_attention_heads", c->heads, "hidden_size",
                                     c->dims.hidden));
        c->head_dim = c->dims.hidden / c->heads;
    }
    LM_TRY(lm_rope_check(ctx, "head_dim", c->head_dim));
    c->qkv_rows = 3 * c->heads * c->head_dim;
    c->up_rows = 2 * c->inner;
    c->gated = !c->plain;
    c->two = LM_HEAD_UNNAMED;
    return LM_OK;
}

/* BERT's layers, but for positions and net. Biases that a layer lacks are not added. */
static lm_stack
stack_of(const lm_rope_bert *c)
{
    const lm_post_norm shape = {
        .layers = c->layers,
        .width = c->dims.hidden,
        .heads = c->heads,
        .inner = c->inner,
        .eps = c->eps,
        .act = (lm_activation)c->activation,
    };
    lm_stack stack = lm_post_norm_stack(&shape);
    lm_block *block = &stack.blocks[0];

    block->head_dim = (size_t)c->head_dim;
    block->scale = (float)(1 / sqrt((double)c->head_dim));
    block->position = LM_POSITION_ROPE;
    block->theta = (double)c->theta * (c->stretch > 0 ? (double)c->stretch : 1);
    block->slower = powf(c->stretch > 0 ? c->stretch : 1, 2 / (float)c->head_dim);
    block->turned = (size_t)c->head_dim;
    block->gated = c->gated;
    return stack;
}

void
lm_rope_bert_describe(const void *config, lm_encoder *encoder)
{
    const lm_rope_bert *c = config;

    encoder->embedding = (lm_embedding){
        .words = WORDS,
        .types = c->types > 0 ? TYPES : LM_NO_WEIGHT,
        .positions = LM_NO_WEIGHT,
        .window = (size_t)c->dims.window,
        .type_count = (size_t)c->types,
        .norm = {FIRST_GAIN, FIRST_BIAS},
        .norm_kind = LM_NORM_LAYER,
        .eps = c->eps,
    };
    encoder->stack = stack_of(c);
}
