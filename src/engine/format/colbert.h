/*
 * colbert.h - a folder of ColBERT's authors (HF_ColBERT: one file of weights with the projection in
 * it, and artifact.metadata) as if pylate had written it. What is stored and loaded later is such a
 * folder: the authors' form is read at import alone.
 */
#ifndef LM_COLBERT_H
#define LM_COLBERT_H

#include "format/shown.h"

/* The source's state; see lm_colbert_source. */
typedef struct lm_colbert_files {
    const lm_source *below;
    lm_arena *arena;
    bool looked;          /* whether the folder is one is known */
    lm_shown_file *first; /* NULL: it is not */
} lm_colbert_files;

/*
 * `below`, where config.json names the architecture HF_ColBERT and there is no modules.json with
 * these beside it: modules.json, config_sentence_transformers.json, 1_Dense, and weights without
 * the projection. Settings mean what sentence-transformers 6 makes of them. The source below is
 * read in any order. `files` and arena live as long as the source.
 */
lm_source lm_colbert_source(lm_colbert_files *files, lm_arena *arena, const lm_source *below);

#endif
