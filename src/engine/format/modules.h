/*
 * modules.h - modules.json, the pipeline of a sentence-transformers folder, and the kinds of
 * modules (private to format/). A new kind is a row in module_kinds.c.
 */
#ifndef LM_MODULES_H
#define LM_MODULES_H

#include "format/checkpoint.h"
#include "format/reader.h"
#include "format/router.h"

#define LM_MODULES_FILE "modules.json"

/* Where a module may stand, and what there is behind it. */
typedef enum lm_module_stage {
    LM_STAGE_START,
    LM_STAGE_LATE, /* where a model for late interaction starts */
    LM_STAGE_TOKENS,
    LM_STAGE_WORDS, /* vectors of words, without a transformer */
    LM_STAGE_POOLED,
    LM_STAGE_SPARSE,       /* a weight for each word: the last */
    LM_STAGE_TOKEN_VECTORS /* of which late interaction is made */
} lm_module_stage;

/* A kind of module, by the last component of its class path, whatever package it moved to. */
typedef struct lm_module_kind {
    const char *class_name;
    lm_module_stage before, after;
    const lm_key_rule *keys; /* of config.json in its folder, NULL: it reads none */
    bool file_required;      /* that must be there */
    /* Reads it; NULL: nothing in it counts. A step is added to the specification's. */
    lm_status (*read)(const lm_members *s, lm_sentence_transformers *spec);
    bool has_tensors; /* in its folder */
    const char *file; /* in place of config.json; NULL: that */
    size_t limit;     /* of that file; 0: that of most */
} lm_module_kind;

extern const lm_module_kind lm_module_kinds[]; /* ends with a class_name of NULL */

/* modules.json, and the settings of the Router in it. */
typedef struct lm_pipeline {
    const lm_json *modules; /* NULL: there is no such file */
    bool routed;            /* one of them is a Router */
    lm_router router;
} lm_pipeline;

/* It must be there for late interaction, which has no Router. */
lm_status lm_pipeline_read(const lm_reader *r, lm_late_writer late, lm_pipeline *pipeline);

/* The modules that texts pass, by one of the Router's routes; none without modules.json. */
lm_status lm_modules_read(const lm_reader *r, lm_late_writer late, const lm_pipeline *pipeline,
                          int route, lm_module modules[LM_MODULE_LIMIT], int *count);

/* Whether the first module's class has a head on the vocabulary, whatever its settings say. */
bool lm_modules_are_masked(const lm_module *first);

/* The modules' own config.json. `routes` are ways of a Router up to the checkpoint, which may be
 * one of them, or NULL: what was read for those is not read again. */
lm_status lm_modules_configure(const lm_reader *r, const lm_checkpoint *routes,
                               lm_checkpoint *checkpoint);

/* The directories of the tensors that steps have. */
lm_status lm_modules_open_tensors(const lm_reader *r, const lm_checkpoint *routes,
                                  lm_checkpoint *checkpoint);

#endif
