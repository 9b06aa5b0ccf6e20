/*
 * am.h - the index access method lmtext: CREATE INDEX … USING lmtext (body). README.md has its
 * laws.
 */
#ifndef LMTEXT_AM_H
#define LMTEXT_AM_H

void lmtext_am_init(void); /* from _PG_init: reloptions, settings */

#endif
