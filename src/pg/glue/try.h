/*
 * try.h - running something that can fail, where a shortage is a decision and not an error. Without
 * a subtransaction: parallel workers have none.
 */
#ifndef LMTEXT_TRY_H
#define LMTEXT_TRY_H

#include "postgres.h"

/*
 * NULL, or what was raised, palloc'd. What `run` took under the resource owner is released, and so
 * are the lightweight locks that an error left, of which the caller holds none. A cancel goes
 * through.
 */
ErrorData *lmtext_try(void (*run)(void *argument), void *argument);

#endif
