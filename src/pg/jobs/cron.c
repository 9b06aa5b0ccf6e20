/*
 * cron.c - when a schedule is due; the contract is in cron.h.
 *
 * Times of the day are those of a clock on the wall in the schedule's zone. Where hours are named,
 * a time that the clock skips is due as much later, and one that it shows twice is due the second
 * time: as PostgreSQL reads such a time. Where every hour is due (an asterisk), minutes are due as
 * they pass, so that nothing waits for a change of the clock.
 */
#include "postgres.h"
#include "fmgr.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "pg/jobs/cron.h"

#define FIELDS 5
#define DAYS_AHEAD (9 * 366) /* the 29th of February may be eight years away */
#define ONE_MINUTE (60 * USECS_PER_SEC)
#define COUNTED 1000 /* times are counted up to here */

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct {
    const char *name;
    int low, high;
    const char *const *names; /* of low, low + 1, ... */
    size_t mask, any;         /* members of lmtext_cron; any: 0 where nobody asks */
} fields[FIELDS] = {
    {"minute", 0, 59, NULL, offsetof(lmtext_cron, minutes), 0},
    {"hour", 0, 23, NULL, offsetof(lmtext_cron, hours), offsetof(lmtext_cron, any_hour)},
    {"day of month", 1, 31, NULL, offsetof(lmtext_cron, days), offsetof(lmtext_cron, any_day)},
    {"month", 1, 12, month_names, offsetof(lmtext_cron, months), 0},
    {"day of week", 0, 7, weekday_names, offsetof(lmtext_cron, weekdays),
     offsetof(lmtext_cron, any_weekday)},
};
#define DAY_OF_WEEK 4

static const struct {
    const char *name, *means;
} shorthands[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

/* ---- Reading ---- */

static void
refuse_text(const char *text)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("invalid cron expression \"%s\"", text),
                    errdetail("It has five fields: minute, hour, day of month, month, day of week; "
                              "or it is @yearly, @monthly, @weekly, @daily or @hourly.")));
}

static void
refuse(int field, const char *found)
{
    const char *names = "";

    if (fields[field].names != NULL)
        names = psprintf(", names such as %s", fields[field].names[1]);
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("invalid field \"%s\" of a cron expression: \"%s\"", fields[field].name, found),
             errdetail("Allowed are numbers from %d to %d%s, ranges (1-5), steps (*/10, 1-30/2), "
                       "lists of these (1,3,5), and *.",
                       fields[field].low, fields[field].high, names)));
}

/* -1 where it is none; *end is behind it. */
static int
read_name(int field, const char *at, const char **end)
{
    const char *const *names = fields[field].names;

    for (int i = 0; names != NULL && names[i] != NULL; i++)
        if (pg_strncasecmp(at, names[i], 3) == 0) {
            *end = at + 3;
            return fields[field].low + i;
        }
    return -1;
}

/* At most three digits, so that nothing overflows; -1 where it is none. */
static int
read_number(const char *at, const char **end)
{
    int value = 0;

    for (*end = at; isdigit((unsigned char)**end) && *end - at < 3; (*end)++)
        value = value * 10 + (**end - '0');
    return *end == at ? -1 : value;
}

static int
read_value(int field, const char *at, const char **end)
{
    int value = read_name(field, at, end);

    return value >= 0 ? value : read_number(at, end);
}

/* One of a list: a value, a range, an asterisk; the last two with a step. */
static uint64
read_item(int field, const char *item)
{
    int low = fields[field].low, high = fields[field].high, step = 1;
    const char *at = item;
    uint64 mask = 0;
    bool many = *at == '*';

    if (many)
        at++;
    else
        low = high = read_value(field, at, &at);
    if (!many && *at == '-') {
        many = true;
        high = read_value(field, at + 1, &at);
        if (field == DAY_OF_WEEK && high == 0)
            high = 7;
    }
    if (many && *at == '/')
        step = read_number(at + 1, &at);
    if (*at != '\0' || low < fields[field].low || high > fields[field].high || low > high ||
        step < 1)
        refuse(field, item);
    for (int i = low; i <= high; i += step)
        mask |= UINT64CONST(1) << i;
    return mask;
}

static void
read_field(int field, const char *text, lmtext_cron *cron)
{
    char *items = pstrdup(text), *item;
    uint64 mask = 0;

    while ((item = strsep(&items, ",")) != NULL)
        mask |= read_item(field, item);
    if (field == DAY_OF_WEEK && (mask & (UINT64CONST(1) << 7)))
        mask |= 1;
    *(uint64 *)((char *)cron + fields[field].mask) = mask;
    if (fields[field].any != 0)
        *(bool *)((char *)cron + fields[field].any) = text[0] == '*';
}

static const char *
spelled_out(const char *text)
{
    for (int i = 0; i < lengthof(shorthands); i++)
        if (pg_strcasecmp(text, shorthands[i].name) == 0)
            return shorthands[i].means;
    if (*text == '@')
        refuse_text(text);
    return text;
}

void
lmtext_cron_parse(const char *text, lmtext_cron *cron)
{
    char *copy = pstrdup(spelled_out(text)), *word;
    int count = 0;

    while ((word = strsep(&copy, " \t\n")) != NULL) {
        if (*word == '\0')
            continue;
        if (count == FIELDS)
            refuse_text(text);
        read_field(count++, word, cron);
    }
    if (count < FIELDS)
        refuse_text(text);
}

/* ---- Matching ---- */

static bool
has(uint64 mask, int bit)
{
    return (mask >> bit) & 1;
}

/* Where both days are named either is due, as cron has it. */
static bool
day_matches(const lmtext_cron *cron, const struct pg_tm *tm, int weekday)
{
    bool day = has(cron->days, tm->tm_mday), week = has(cron->weekdays, weekday);

    if (!has(cron->months, tm->tm_mon))
        return false;
    return cron->any_day || cron->any_weekday ? day && week : day || week;
}

/* Local time with its offset; an error where it is out of range. */
static void
local_time(const lmtext_cron *cron, TimestampTz at, struct pg_tm *tm, fsec_t *fraction)
{
    int offset;

    if (TIMESTAMP_NOT_FINITE(at) || timestamp2tm(at, &offset, tm, fraction, NULL, cron->zone) != 0)
        ereport(ERROR,
                (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
}

static bool
is_open(const lmtext_cron *cron, const struct pg_tm *tm, fsec_t fraction)
{
    TimeADT now = ((tm->tm_hour * 60 + tm->tm_min) * 60 + tm->tm_sec) * USECS_PER_SEC + fraction;

    if (cron->opens == cron->closes)
        return true;
    if (cron->opens < cron->closes)
        return now >= cron->opens && now < cron->closes;
    return now >= cron->opens || now < cron->closes;
}

static int
julian_day(const struct pg_tm *tm)
{
    return date2j(tm->tm_year, tm->tm_mon, tm->tm_mday);
}

/* ---- The next time ---- */

/* Minutes as they pass: a whole hour is left out where its day or hour is not due. */
static bool
next_by_clock(const lmtext_cron *cron, TimestampTz after, TimestampTz *next)
{
    TimestampTz end = after + DAYS_AHEAD * USECS_PER_DAY;
    struct pg_tm tm;
    fsec_t fraction;

    local_time(cron, after, &tm, &fraction);
    for (TimestampTz at = after - fraction - tm.tm_sec * USECS_PER_SEC + ONE_MINUTE; at < end;) {
        CHECK_FOR_INTERRUPTS();
        local_time(cron, at, &tm, &fraction);
        if (!day_matches(cron, &tm, j2day(julian_day(&tm))) || !has(cron->hours, tm.tm_hour)) {
            at += (60 - tm.tm_min) * ONE_MINUTE;
            continue;
        }
        if (has(cron->minutes, tm.tm_min) && is_open(cron, &tm, fraction)) {
            *next = at;
            return true;
        }
        at += ONE_MINUTE;
    }
    return false;
}

/* When the wall's clock shows it, as PostgreSQL reads a time that it shows never or twice. */
static bool
instant_of(const lmtext_cron *cron, struct pg_tm *tm, TimestampTz *at)
{
    int offset = DetermineTimeZoneOffset(tm, cron->zone);

    return tm2timestamp(tm, 0, &offset, at) == 0;
}

/* The earliest of a day behind a time, if it is earlier than *next. */
static bool
first_of_day(const lmtext_cron *cron, struct pg_tm day, TimestampTz after, TimestampTz *next)
{
    struct pg_tm tm, shown;
    TimestampTz at;
    fsec_t fraction;
    bool found = false;

    for (int minute = 0; minute < 24 * 60; minute++) {
        if (!has(cron->hours, minute / 60) || !has(cron->minutes, minute % 60))
            continue;
        tm = day;
        tm.tm_hour = minute / 60;
        tm.tm_min = minute % 60;
        if (!instant_of(cron, &tm, &at) || at <= after || at >= *next)
            continue;
        local_time(cron, at, &shown, &fraction);
        if (is_open(cron, &shown, fraction)) {
            *next = at;
            found = true;
        }
    }
    return found;
}

/* From the day before on, since a clock may skip a day; a day later may hold an earlier time. */
static bool
next_by_day(const lmtext_cron *cron, TimestampTz after, TimestampTz *next)
{
    struct pg_tm tm;
    fsec_t fraction;
    int first, last;

    local_time(cron, after, &tm, &fraction);
    first = julian_day(&tm) - 1;
    last = first + DAYS_AHEAD;
    *next = DT_NOEND;
    for (int day = first; day <= last; day++) {
        struct pg_tm date = {0};

        CHECK_FOR_INTERRUPTS();
        j2date(day, &date.tm_year, &date.tm_mon, &date.tm_mday);
        if (day_matches(cron, &date, j2day(day)) && first_of_day(cron, date, after, next))
            last = Min(last, day + 1);
    }
    return *next != DT_NOEND;
}

bool
lmtext_cron_next(const lmtext_cron *cron, TimestampTz after, TimestampTz *next)
{
    return cron->any_hour ? next_by_clock(cron, after, next) : next_by_day(cron, after, next);
}

/* ---- The clock on the wall ---- */

/* The first behind a time at which the clock shows another. */
static bool
next_clock(const lmtext_cron *cron, TimeADT clock, TimestampTz after, TimestampTz *next)
{
    struct pg_tm tm;
    fsec_t fraction;
    int today;

    local_time(cron, after, &tm, &fraction);
    today = julian_day(&tm);
    *next = DT_NOEND;
    for (int day = today - 1; day <= today + 2; day++) {
        struct pg_tm date = {0};
        TimestampTz at;

        j2date(clock == USECS_PER_DAY ? day + 1 : day, &date.tm_year, &date.tm_mon, &date.tm_mday);
        if (clock != USECS_PER_DAY)
            dt2time(clock, &date.tm_hour, &date.tm_min, &date.tm_sec, &fraction);
        else
            fraction = 0;
        if (instant_of(cron, &date, &at) && (at += fraction) > after)
            *next = Min(*next, at);
    }
    return *next != DT_NOEND;
}

/* ---- SQL ---- */

static pg_tz *
zone_of(const char *name)
{
    pg_tz *zone = pg_tzset(name);

    if (zone == NULL || !pg_tz_acceptable(zone))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("time zone \"%s\" not recognized", name)));
    return zone;
}

/* Two arguments, the first of which has the number given; without them all day. */
static void
read_window(FunctionCallInfo fcinfo, int window, lmtext_cron *cron)
{
    if (PG_ARGISNULL(window) && PG_ARGISNULL(window + 1))
        return;
    cron->opens = PG_ARGISNULL(window) ? 0 : PG_GETARG_TIMEADT(window);
    cron->closes = PG_ARGISNULL(window + 1) ? USECS_PER_DAY : PG_GETARG_TIMEADT(window + 1);
}

/* Of the arguments cron and zone, and of the window. */
static lmtext_cron
read_arguments(FunctionCallInfo fcinfo, int window)
{
    lmtext_cron cron = {0};

    lmtext_cron_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), &cron);
    cron.zone = zone_of(text_to_cstring(PG_GETARG_TEXT_PP(1)));
    read_window(fcinfo, window, &cron);
    return cron;
}

/* (cron, zone, after, not_before, not_after) */
PG_FUNCTION_INFO_V1(lmtext_next_time);
Datum
lmtext_next_time(PG_FUNCTION_ARGS)
{
    lmtext_cron cron;
    TimestampTz next;

    if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
        PG_RETURN_NULL();
    cron = read_arguments(fcinfo, 3);
    if (!lmtext_cron_next(&cron, PG_GETARG_TIMESTAMPTZ(2), &next))
        PG_RETURN_NULL();
    PG_RETURN_TIMESTAMPTZ(next);
}

/* (cron, zone, from, to, not_before, not_after): how many are behind from, up to and with to. */
PG_FUNCTION_INFO_V1(lmtext_count_times);
Datum
lmtext_count_times(PG_FUNCTION_ARGS)
{
    lmtext_cron cron;
    TimestampTz at;
    int64 count = 0;

    if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
        PG_RETURN_NULL();
    cron = read_arguments(fcinfo, 4);
    at = PG_GETARG_TIMESTAMPTZ(2);
    while (count < COUNTED && lmtext_cron_next(&cron, at, &at) && at <= PG_GETARG_TIMESTAMPTZ(3))
        count++;
    PG_RETURN_INT64(count);
}

/* (zone, clock, after) */
PG_FUNCTION_INFO_V1(lmtext_next_clock);
Datum
lmtext_next_clock(PG_FUNCTION_ARGS)
{
    lmtext_cron cron = {.zone = zone_of(text_to_cstring(PG_GETARG_TEXT_PP(0)))};
    TimestampTz next;

    if (!next_clock(&cron, PG_GETARG_TIMEADT(1), PG_GETARG_TIMESTAMPTZ(2), &next))
        PG_RETURN_NULL();
    PG_RETURN_TIMESTAMPTZ(next);
}

/* (zone, not_before, not_after, at): without a zone always. */
PG_FUNCTION_INFO_V1(lmtext_in_window);
Datum
lmtext_in_window(PG_FUNCTION_ARGS)
{
    lmtext_cron cron = {0};
    struct pg_tm tm;
    fsec_t fraction;

    if (PG_ARGISNULL(0))
        PG_RETURN_BOOL(true);
    if (PG_ARGISNULL(3))
        PG_RETURN_NULL();
    cron.zone = zone_of(text_to_cstring(PG_GETARG_TEXT_PP(0)));
    read_window(fcinfo, 1, &cron);
    local_time(&cron, PG_GETARG_TIMESTAMPTZ(3), &tm, &fraction);
    PG_RETURN_BOOL(is_open(&cron, &tm, fraction));
}
