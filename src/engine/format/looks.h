/*
 * looks.h - what a file is that is not what its name says: a pointer that git-lfs left in place of
 * the file, a web page that was saved as one, weights in another format.
 */
#ifndef LM_LOOKS_H
#define LM_LOOKS_H

#include "base/context.h"

/* As many bytes from the start of a file tell. */
#define LM_LOOKS_BYTES 32

/*
 * `status`, naming the file, what it looks like and what to do, where the first bytes of a file
 * are those of another kind of file; else LM_OK. No JSON begins like any of these.
 */
lm_status lm_looks_check(lm_context *ctx, lm_status status, const char *file, const void *bytes,
                         size_t length);

#endif
