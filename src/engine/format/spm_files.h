/*
 * spm_files.h - models of SentencePiece beside a model without tokenizer.json; which of them counts
 * is up to the class of the tokenizer.
 */
#ifndef LM_SPM_FILES_H
#define LM_SPM_FILES_H

#include <stddef.h>

typedef enum lm_spm_name {
    LM_SPM_SENTENCEPIECE_BPE, /* sentencepiece.bpe.model, whatever it holds */
    LM_SPM_SPIECE,            /* spiece.model */
    LM_SPM_SPM,               /* spm.model */
    LM_SPM_TOKENIZER,         /* tokenizer.model */
    LM_SPM_NAMES
} lm_spm_name;

typedef struct lm_spm_file {
    const char *name;  /* in the source */
    const char *bytes; /* NULL: it is not there */
    size_t size;
} lm_spm_file;

#endif
