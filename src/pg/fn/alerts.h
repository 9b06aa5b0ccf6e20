/*
 * alerts.h - which alerts hold, as lmtext.health tells it.
 */
#ifndef LMTEXT_ALERTS_H
#define LMTEXT_ALERTS_H

#include "postgres.h"

#include "nodes/pg_list.h"

/*
 * Names of the alerts that the caller sees and whose condition held for a row at their last check,
 * in order. Nothing is waited for, nothing is checked anew, and no code of an owner's runs: a list
 * that somebody keeps readers out of, or that is not as lmtext.create_alert made it, is passed
 * over.
 */
List *lmtext_alerts_that_hold(void);

#endif
