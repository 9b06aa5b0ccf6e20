/*
 * late_interaction.h - what a folder says of late interaction (private to format/): pylate's keys
 * in LM_SENTENCE_FILE, and those of sentence-transformers 6 in the transformer's and the mask's
 * files.
 */
#ifndef LM_LATE_INTERACTION_FORMAT_H
#define LM_LATE_INTERACTION_FORMAT_H

#include "format/checkpoint.h"
#include "format/reader.h"

/* Whether LM_SENTENCE_FILE is that of a model for late interaction: its type, or its markers. */
lm_late_writer lm_late_find(const lm_json *file);

/* The keys of pylate; prompts are read by then, and get its markers. */
lm_status lm_late_read_pylate(const lm_members *s, lm_sentence_transformers *spec);

/* The keys of sentence-transformers in the transformer's file. */
lm_status lm_late_read_transformer(const lm_members *s, lm_late_spec *late);

/* The file of a MultiVectorMask. */
lm_status lm_late_read_mask(const lm_members *s, lm_sentence_transformers *spec);

/* What pylate's modules leave to its code, and what the others must have: once all files are read.
 */
lm_status lm_late_finish(const lm_reader *r, lm_sentence_transformers *spec);

#endif
