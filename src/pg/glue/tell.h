/*
 * tell.h - NOTICEs of a long command: a line every few seconds that says what it does, how far it
 * is, and how long the rest may take, so that whoever waits sees it move. Shorter commands say
 * nothing.
 *
 * One command at a time; one inside another (a function in the query of a training) is part of it.
 * An error ends it without a call: what was begun in a transaction that is gone tells nothing.
 */
#ifndef LMTEXT_TELL_H
#define LMTEXT_TELL_H

#include "postgres.h"

/*
 * What a command does from here on. "model \"m\": embedded 1200 of about 5000 rows, …" has the verb
 * "embedded" and the unit "rows". A phase without a unit cannot be counted.
 */
typedef struct lmtext_phase {
    const char *verb; /* both static */
    const char *unit;
    double total;      /* 0: not known */
    const char *about; /* "about ", "at most ", NULL: how the total is meant */
    bool by_engine;    /* lm_progress counts it */
} lmtext_phase;

/* False inside another command, whose it stays; then the calls below do nothing to it. */
bool lmtext_tell_begin(const char *model);
void lmtext_tell_phase(const lmtext_phase *phase);
/* `done` of `total` are done; total 0 stands for that of the phase. Says nothing yet, and never
 * throws. */
void lmtext_tell_progress(double done, double total);
/* The same from lm_progress, which a phase may not be about. */
void lmtext_tell_by_engine(double done, double total);
void lmtext_tell_end(bool begun);

/* The line if it is time for one: from loops, and from the engine's polls (context.c). May throw.
 */
void lmtext_tell_now(void);
/* Whether lmtext_tell_now has anything to do; a look at the clock at most. */
bool lmtext_tell_is_due(void);

void lmtext_tell_init(void); /* from _PG_init: lmtext.progress_interval */

#endif
