/*
 * postprocess.h - the post-processor: a template of special tokens around one text or two, and
 * offsets without white space.
 */
#ifndef LM_POSTPROCESS_H
#define LM_POSTPROCESS_H

#include "token/stage.h"

/* The table. */
extern const lm_stage_table lm_postprocess_stage;

/*
 * Append the templates, and what is done to offsets. Without a post-processor texts stand alone.
 * Special ids must name tokens.
 */
lm_status lm_postprocess_compile(lm_stage_compiler *c, const lm_json *processor, lm_span *single,
                                 lm_span *pair, lm_span *trims);

#endif
