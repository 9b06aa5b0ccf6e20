/*
 * settings.h - the settings section: what bind must know that is neither tokenizer nor weights
 * (private to model/).
 */
#ifndef LM_MODEL_SETTINGS_H
#define LM_MODEL_SETTINGS_H

#include "base/buffer.h"
#include "model/model.h"

/* Append the section. */
lm_status lm_settings_write(lm_buffer *out, const lm_model_info *info,
                            const lm_sentence_transformers *sentence);

/*
 * Fill model->info and model->sentence from a settings section. Strings point into the image; the
 * arrays of pointers to them are one allocation, *memory.
 */
lm_status lm_settings_read(lm_context *ctx, const void *section, size_t size, lm_model *model,
                           void **memory);

#endif
