/*
 * t5.c - the encoder of T5 (Raffel et al. 2020), of which sentence-t5 and gtr are made.
 *
 *   x = word                                                                         (T, D)
 *   each layer:
 *     q, k, v = rms(x) · Wᵀ                                                          (T, 3 H d)
 *     x = x + softmax(q · kᵀ + bias of the distance) · v · Woᵀ                        (T, D)
 *     x = x + act(rms(x) · Wiᵀ) · Woᵀ, or (act(rms(x) · W0ᵀ) · (rms(x) · W1ᵀ)) · Woᵀ   (T, D)
 *   x = rms(x)
 *
 * Tensors: word (V, D); biases (buckets, H), in layer 0 and for all; in each layer q, k and v
 * (H d, D), o (D, H d), wi or wi_0 and wi_1 (F, D), wo (D, F), two gains (D); a gain (D) behind
 * all. d is not D / H. The decoder is left out.
 */
#include "family/rows.h"
#include "family/t5.h"

static const char *const model_types[] = {"t5", NULL};

static const lm_config_field fields[] = {
    LM_T5_FIELDS(32128, 2048, 6, 8, LM_ACT_RELU),
};

static const char *const architectures[] = {"T5EncoderModel", NULL};

extern const lm_family lm_family_t5;

const lm_family lm_family_t5 = {
    LM_T5_FAMILY,
    .name = "t5",
    .model_types = model_types,
    .fields = fields,
    .field_count = COUNT(fields),
    .architectures = architectures,
    .check = lm_t5_check,
};
