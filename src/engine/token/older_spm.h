/*
 * older_spm.h - what transformers makes of SentencePiece's models (sentencepiece.h), by the class
 * of the tokenizer: the model of tokenizer.json and the stages around it.
 */
#ifndef LM_OLDER_SPM_H
#define LM_OLDER_SPM_H

#include "base/buffer.h"
#include "format/json.h"
#include "format/spm_files.h"
#include "token/sentencepiece.h"

/* Special tokens by their names, in this order. */
enum {
    LM_NAMED_BOS,
    LM_NAMED_EOS,
    LM_NAMED_UNK,
    LM_NAMED_SEP,
    LM_NAMED_PAD,
    LM_NAMED_CLS,
    LM_NAMED_MASK,
    LM_NAMED_COUNT
};

typedef struct lm_named {
    const char *text; /* NULL: there is none */
    size_t length;
    int64_t id; /* -1: not known yet */
} lm_named;

/* What is different from class to class. */
typedef struct lm_spm_rules {
    lm_spm_name file;
    const char *first;    /* tokens that come before the pieces: letters as in templates */
    const char *unused;   /* one more token behind them, at -100; NULL: none */
    size_t skip;          /* pieces of the file that are left out */
    const char *last;     /* and tokens behind all pieces */
    int unk;              /* id of the unknown token, or one of the values below */
    int extra_ids;        /* how many <extra_id_N> come behind all, the highest first */
    const char *replaced; /* letters: quotes, accents, case, map, white space (older_spm.c) */
    const char *single;   /* templates: letters of special tokens and texts, each with its type */
    const char *pair;
    bool mask_strips;   /* a mask that is given as a text takes the space before it */
    bool always_prefix; /* add_prefix_space counts for nothing */
    bool own_template;  /* add_bos_token and add_eos_token count for nothing */
    bool keeps_space;   /* words are cut at punctuation, if at all, and not at white space */
    bool bpe;           /* of any model it reads the pieces, and merges them (older_merges.c) */
} lm_spm_rules;

/* The piece with its text; that with its text and the score 0, or what the trainer says; none. */
enum { LM_SPM_UNK_BY_TEXT = -1, LM_SPM_UNK_BY_SCORE = -2, LM_SPM_NO_UNK = -3 };

extern const lm_spm_rules lm_spm_xlm_roberta, lm_spm_camembert, lm_spm_t5, lm_spm_albert,
    lm_spm_deberta, lm_spm_llama, lm_spm_gemma;

/* The file's pieces as the class arranges them, in place of spm->pieces. */
lm_status lm_spm_arrange(lm_context *ctx, lm_arena *arena, const lm_spm_rules *rules,
                         const lm_named named[LM_NAMED_COUNT], lm_spm_model *spm);

/* Append "model":{…} without a comma, and the four stages, each behind one. */
lm_status lm_spm_write_model(lm_context *ctx, const lm_spm_rules *rules,
                             const lm_named named[LM_NAMED_COUNT], const lm_spm_model *spm,
                             lm_buffer *text);
lm_status lm_spm_write_stages(lm_context *ctx, lm_arena *arena, const lm_spm_rules *rules,
                              const lm_named named[LM_NAMED_COUNT], const lm_spm_model *spm,
                              const lm_json *config, lm_buffer *text);

#endif
