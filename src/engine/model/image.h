/*
 * image.h - the layout of a model's image (private to model/). Everything in it is an offset from
 * the start of the image or of its section, never a pointer: it lies at another address in each
 * process.
 */
#ifndef LM_MODEL_IMAGE_H
#define LM_MODEL_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#define LM_IMAGE_MAGIC "LMTXTIMG"

/* More sections than any kind of model has. */
#define LM_IMAGE_SECTIONS 8

/* A section that is the image of another model: a way of a Router. */
#define LM_IMAGE_ROUTE 1000u

typedef struct lm_image_section {
    uint32_t id;           /* lm_section_id, or LM_IMAGE_ROUTE */
    uint32_t layout;       /* of lm_section_kind */
    uint64_t offset, size; /* offset is a multiple of LM_ALIGNMENT */
    uint64_t shared;       /* a way before this one, from 1, that has it; 0: it is here */
} lm_image_section;

typedef struct lm_image_header {
    char magic[8];
    uint32_t layout;    /* LM_IMAGE_LAYOUT */
    uint32_t level;     /* lm_level of the kernels it was packed for */
    uint32_t precision; /* lm_precision of the weights */
    uint32_t count;     /* of sections */
    uint64_t size;
    lm_image_section sections[LM_IMAGE_SECTIONS]; /* settings first */
} lm_image_header;

#endif
