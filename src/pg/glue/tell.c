/*
 * tell.c - NOTICEs of a long command; the contract is in tell.h.
 */
#include "postgres.h"

#include <limits.h>
#include <math.h>

#include "access/xact.h"
#include "portability/instr_time.h"
#include "storage/proc.h"
#include "utils/guc.h"

#include "pg/compat.h"
#include "pg/glue/init_once.h"
#include "pg/glue/tell.h"

#define INTERVAL_MS 5000

static int interval_ms = INTERVAL_MS; /* 0: never */

/* The command under way. */
static struct {
    bool active;
    LocalTransactionId transaction;
    SubTransactionId subtransaction; /* that it began in */
    char model[NAMEDATALEN * 2 + 2];
    lmtext_phase phase;
    double done;
    instr_time phase_began, told; /* told: the last line, at first the command's start */
} command;

static double seconds_since(instr_time start);
static bool is_alive(void);
static void tell(void);

bool
lmtext_tell_begin(const char *model)
{
    if (command.active && is_alive())
        return false;
    memset(&command, 0, sizeof command);
    strlcpy(command.model, model, sizeof command.model);
    command.transaction = LMTEXT_LXID;
    command.subtransaction = GetCurrentSubTransactionId();
    INSTR_TIME_SET_CURRENT(command.told);
    command.active = true;
    return true;
}

/* Transactions inside its own may come and go. */
static bool
is_alive(void)
{
    return IsTransactionState() && command.transaction == LMTEXT_LXID &&
           SubTransactionIsActive(command.subtransaction);
}

void
lmtext_tell_phase(const lmtext_phase *phase)
{
    command.phase = *phase;
    command.done = 0;
    INSTR_TIME_SET_CURRENT(command.phase_began);
}

void
lmtext_tell_progress(double done, double total)
{
    command.done = done;
    if (total > 0)
        command.phase.total = total;
}

void
lmtext_tell_by_engine(double done, double total)
{
    if (command.active && command.phase.by_engine)
        lmtext_tell_progress(done, total);
}

void
lmtext_tell_end(bool begun)
{
    if (begun)
        command.active = false;
}

bool
lmtext_tell_is_due(void)
{
    if (likely(!command.active))
        return false;
    return interval_ms > 0 && command.phase.verb != NULL &&
           seconds_since(command.told) * 1000 >= interval_ms;
}

void
lmtext_tell_now(void)
{
    if (!lmtext_tell_is_due())
        return;
    if (!is_alive()) {
        command.active = false;
        return;
    }
    INSTR_TIME_SET_CURRENT(command.told); /* first: nothing below is to come back here */
    tell();
}

static double
seconds_since(instr_time start)
{
    instr_time now;

    INSTR_TIME_SET_CURRENT(now);
    INSTR_TIME_SUBTRACT(now, start);
    return INSTR_TIME_GET_DOUBLE(now);
}

/* " of about 5000" */
static char *
of_total(const lmtext_phase *phase)
{
    if (phase->total <= 0)
        return "";
    return psprintf(" of %s%.0f", phase->about != NULL ? phase->about : "", phase->total);
}

/* At the pace of the phase so far; nothing where an estimate was too low. */
static char *
rest(const lmtext_phase *phase, double seconds)
{
    double left = phase->total - command.done;

    if (phase->total <= 0 || command.done <= 0 || left <= 0)
        return psprintf("%.0f s so far", seconds);
    return psprintf("%s%.0f s left", phase->about != NULL ? phase->about : "about ",
                    ceil(seconds * left / command.done));
}

static void
tell(void)
{
    const lmtext_phase *phase = &command.phase;
    double seconds = seconds_since(command.phase_began);

    if (phase->unit == NULL)
        ereport(NOTICE,
                (errmsg("model \"%s\": %s, %.0f s so far", command.model, phase->verb, seconds)));
    else
        ereport(NOTICE, (errmsg("model \"%s\": %s %.0f%s %s, %s", command.model, phase->verb,
                                command.done, of_total(phase), phase->unit, rest(phase, seconds))));
}

void
lmtext_tell_init(void)
{
    LMTEXT_SETTING(Int, "lmtext.progress_interval",
                   "Sets the time between two notices of the progress of a training or an import.",
                   "0 turns them off.", &interval_ms, INTERVAL_MS, 0, INT_MAX, PGC_USERSET,
                   GUC_UNIT_MS, NULL, NULL, NULL);
}
