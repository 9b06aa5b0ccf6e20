/*
 * head.h - inside this room: the files of a head on the encoder of another version.
 */
#ifndef LMTEXT_HEAD_H
#define LMTEXT_HEAD_H

#include "base/buffer.h"
#include "pg/catalog/catalog.h"

/* The same of the whole model again; the sources are open until `close`. */
typedef struct lmtext_whole_model {
    lmtext_chunks *head, *base;
    lm_source sources[2];
    lm_arena arena;
    lm_buffer header;
    const struct lm_whole_tensor *tensors;
    size_t count;
} lmtext_whole_model;

/* Whether a version is a head whose files are of a Hugging Face folder. */
bool lmtext_head_is_added(const lmtext_manifest *manifest);

void lmtext_whole_open(lmtext_whole_model *whole, lmtext_call *call, Oid relid,
                       const lmtext_manifest *manifest, const char *name);
void lmtext_whole_close(lmtext_whole_model *whole);

#endif
