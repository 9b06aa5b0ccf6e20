/*
 * sentence_transformers.h - that library's files at the root of a folder (private to format/).
 */
#ifndef LM_SENTENCE_TRANSFORMERS_H
#define LM_SENTENCE_TRANSFORMERS_H

#include "format/checkpoint.h"
#include "format/reader.h"

#define LM_SENTENCE_FILE "config_sentence_transformers.json"

/*
 * LM_SENTENCE_FILE. A model of another type than SentenceTransformer (CrossEncoder, …) is converted
 * where the library loads it as one: its settings and its modules do not count then. Those of a
 * SparseEncoder do.
 */
lm_status lm_sentence_read(const lm_reader *r, lm_sentence_transformers *spec);

/* Whether modules.json counts. */
bool lm_sentence_has_modules(const lm_sentence_transformers *spec);

/* The transformer module's settings file; its name is NULL where there is none. */
lm_status lm_sentence_find_transformer(const lm_reader *r, lm_known_file *file);

/* Settings of the transformer module, which older versions name after its architecture: the file,
 * and what it says. */
lm_status lm_sentence_open_transformer(const lm_reader *r, lm_checkpoint *checkpoint);
lm_status lm_sentence_read_transformer(const lm_reader *r, lm_checkpoint *checkpoint);

#endif
