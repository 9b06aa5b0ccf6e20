/*
 * cron.h - times of a schedule: the five fields of cron, a time zone, and a window of the day.
 */
#ifndef LMTEXT_CRON_H
#define LMTEXT_CRON_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "pgtime.h"
#include "utils/date.h"

typedef struct lmtext_cron {
    uint64 minutes;                       /* bit n: minute n */
    uint64 hours, days, months, weekdays; /* days and months from 1, Sunday is 0 */
    bool any_hour, any_day, any_weekday;  /* written with an asterisk */
    pg_tz *zone;
    TimeADT opens,
        closes; /* of the day, in microseconds; the same: all day; closes first: by night */
} lmtext_cron;

/* 22023 names the field, what was found and what is allowed. */
void lmtext_cron_parse(const char *text, lmtext_cron *cron);

/* The first time behind another; false where none comes within nine years. */
bool lmtext_cron_next(const lmtext_cron *cron, TimestampTz after, TimestampTz *next);

#endif
