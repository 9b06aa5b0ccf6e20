/*
 * older_files.h - which of the older files (older_files.c) a failure is about.
 */
#ifndef LM_OLDER_FILES_H
#define LM_OLDER_FILES_H

#include "token/tokenizer.h"

/* Name the file to blame for what was wrong in a tokenizer.json that was made of them. */
lm_status lm_older_blame(lm_context *ctx, const lm_tokenizer_files *files);

#endif
