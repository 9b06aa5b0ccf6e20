/*
 * origin.h - inside this room: which paths of the server lie below lmtext.model_directory.
 */
#ifndef LMTEXT_ORIGIN_H
#define LMTEXT_ORIGIN_H

#include "pg/version/version.h"

/*
 * The part of a canonical path below lmtext.model_directory, where it may be written relative to
 * it; rest has room for MAXPGPATH. By text only: what is opened, the kernel decides.
 */
bool lmtext_below_model_directory(const char *path, char *rest);
const char *lmtext_model_directory(void);

#endif
