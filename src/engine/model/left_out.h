/*
 * left_out.h - what an import for embedding leaves out of a checkpoint: the head of a classifier.
 */
#ifndef LM_LEFT_OUT_H
#define LM_LEFT_OUT_H

#include "family/family.h"

/*
 * LM_UNSUPPORTED where the files are those of a classifier, a cross-encoder or another model with a
 * head that computes something else than an embedding; a note that says what is left out where the
 * caller asked for the embedding (`asked`). A plan with the head leaves nothing out. A folder with
 * modules.json is an embedding model whatever its architecture is called. Tensors that nothing
 * reads are a note. Without notes nothing is checked.
 */
lm_status lm_left_out_check(lm_context *ctx, const lm_checkpoint *checkpoint,
                            const lm_weights_plan *plan, bool asked, lm_notes *notes);

#endif
