/*
 * image.h - the layout of a model's image (private to task/). Everything in it is an offset from
 * the start of the image or of its section, never a pointer: it lies at another address in each
 * process.
 */
#ifndef LM_MODEL_IMAGE_H
#define LM_MODEL_IMAGE_H

#include "base/buffer.h"
#include "task/model.h"

#define LM_IMAGE_MAGIC "LMTXTIMG"

typedef enum lm_image_part {
    LM_IMAGE_SETTINGS,
    LM_IMAGE_TOKENIZER, /* lm_tokenizer_compile's; empty in a head's image */
    LM_IMAGE_WEIGHTS,   /* lm_weights_fill's; empty in a head's image */
    LM_IMAGE_HEAD,      /* weight (C, D), then bias (C), each aligned; empty elsewhere */
    LM_IMAGE_PARTS
} lm_image_part;

typedef struct lm_image_header {
    char magic[8];
    uint32_t layout;    /* LM_IMAGE_LAYOUT */
    uint32_t level;     /* lm_level of the kernels it was packed for */
    uint32_t precision; /* lm_precision of the weights */
    uint32_t unused;
    uint64_t size;
    struct {
        uint64_t offset, size; /* offset is a multiple of LM_ALIGNMENT */
    } parts[LM_IMAGE_PARTS];
} lm_image_header;

/* Append the settings section: what bind must know that is neither tokenizer nor weights. */
lm_status lm_settings_write(lm_buffer *out, const lm_model_info *info,
                            const lm_sentence_spec *sentence);

/*
 * Fill model->info and model->sentence from a settings section. Strings point into the image; the
 * arrays of pointers to them are one allocation, *memory.
 */
lm_status lm_settings_read(lm_context *ctx, const void *section, size_t size, lm_model *model,
                           void **memory);

#endif
