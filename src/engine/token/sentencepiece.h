/*
 * sentencepiece.h - the .model file of SentencePiece: a message with pieces, what the trainer was
 * told, and the normalizer.
 */
#ifndef LM_SENTENCEPIECE_H
#define LM_SENTENCEPIECE_H

#include "base/arena.h"

enum { LM_SPM_UNIGRAM = 1, LM_SPM_BPE = 2 };

/* Types of pieces. */
enum { LM_SPM_NORMAL = 1, LM_SPM_CONTROL = 3, LM_SPM_USER_DEFINED = 4 };

typedef struct lm_spm_piece {
    const char *text; /* in the file */
    size_t length;
    float score;
    int type;
} lm_spm_piece;

/* Bytes lie in the file, which must stay. */
typedef struct lm_spm_model {
    lm_spm_piece *pieces;
    size_t count;
    int model_type;
    int64_t unk_id;
    bool byte_fallback;
    const uint8_t *charsmap;
    size_t charsmap_size; /* 0: none */
} lm_spm_model;

/* `file` is used in messages. Texts are UTF-8 and scores finite numbers where it succeeds. */
lm_status lm_spm_read(lm_context *ctx, lm_arena *arena, const char *file, const char *bytes,
                      size_t size, lm_spm_model *model);

#endif
