/*
 * fault.c - failures on purpose; the contract is in fault.h. Empty but in a debug build.
 */
#include "postgres.h"

#ifdef LMTEXT_DEBUG

#include "fmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"

#include "pg/glue/fault.h"
#include "pg/glue/init_once.h"

typedef enum fault_kind {
    FAULT_NONE,
    FAULT_ALLOC,
    FAULT_PALLOC,
    FAULT_READ,
    FAULT_ERROR,
    FAULT_WAIT,
    FAULT_KINDS
} fault_kind;

static const char *const kind_names[FAULT_KINDS] = {"count", "alloc", "palloc",
                                                    "read",  "error", "wait"};

/* What the setting says. */
typedef struct fault_order {
    fault_kind kind;
    int64 number;  /* of the first that fails, where there is no name */
    char name[64]; /* of a point, or empty */
    bool forever;
} fault_order;

static char *setting; /* as it was written */
static char *passed_setting;
static fault_order order;
static int64 passed[FAULT_KINDS]; /* since the order was given */
static int64 named;               /* times that the order's point was passed */
static int64 fired;

/* "error:after_pin:once"; false where that is no order. Allocates nothing. */
static bool
parse_order(const char *text, fault_order *parsed)
{
    char kind[16] = "", what[64] = "", times[16] = "once";
    char *end;

    memset(parsed, 0, sizeof(*parsed));
    if (text == NULL || text[0] == '\0')
        return true;
    if (sscanf(text, "%15[^:]:%63[^:]:%15s", kind, what, times) < 1)
        return false;
    while (parsed->kind < FAULT_KINDS && strcmp(kind_names[parsed->kind], kind) != 0)
        parsed->kind++;
    parsed->forever = strcmp(times, "forever") == 0;
    parsed->number = strtol(what, &end, 10);
    if (*end != '\0')
        strlcpy(parsed->name, what, sizeof(parsed->name));
    return parsed->kind < FAULT_KINDS && (parsed->forever || strcmp(times, "once") == 0);
}

static bool
check_order(char **value, void **extra, GucSource source)
{
    fault_order parsed;

    return parse_order(*value, &parsed);
}

/* No order leaves the counts as they are, to be looked at. */
static void
assign_order(const char *value, void *extra)
{
    (void)parse_order(value, &order);
    if (value != NULL && value[0] != '\0') {
        memset(passed, 0, sizeof(passed));
        named = fired = 0;
    }
}

static const char *
show_passed(void)
{
    static char shown[160];

    snprintf(shown, sizeof(shown),
             "alloc " INT64_FORMAT " palloc " INT64_FORMAT " read " INT64_FORMAT
             " error " INT64_FORMAT " fired " INT64_FORMAT,
             passed[FAULT_ALLOC], passed[FAULT_PALLOC], passed[FAULT_READ], passed[FAULT_ERROR],
             fired);
    return shown;
}

void
lmtext_fault_init(void)
{
    LMTEXT_SETTING(String, "lmtext.debug_fail", "Makes the n-th of something fail.",
                   "KIND:N[:once|:forever]", &setting, "", PGC_SUSET, GUC_NOT_IN_SAMPLE,
                   check_order, assign_order, NULL);
    LMTEXT_SETTING(String, "lmtext.debug_passed", "What could have failed so far.", NULL,
                   &passed_setting, "", PGC_INTERNAL, GUC_NOT_IN_SAMPLE, NULL, NULL, show_passed);
}

/* Is it this one's turn, the `count`-th? */
static bool
due(int64 count, int64 number)
{
    if (count != number && !(order.forever && count > number))
        return false;
    fired++;
    return true;
}

static bool
next_fails(fault_kind kind)
{
    passed[kind]++;
    return order.kind == kind && order.name[0] == '\0' && due(passed[kind], order.number);
}

bool
lmtext_fault_alloc(void)
{
    return next_fails(FAULT_ALLOC);
}

/* True where it fails without throwing. */
bool
lmtext_fault_palloc(bool throws)
{
    if (!next_fails(FAULT_PALLOC))
        return false;
    if (throws)
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory, on purpose")));
    return true;
}

lm_status
lmtext_fault_read(lm_context *ctx, const char *file)
{
    if (!next_fails(FAULT_READ))
        return LM_OK;
    lm_raise(ctx, LM_IO_ERROR, "a read failed on purpose");
    return lm_detail_file(ctx, file);
}

void
lmtext_fault_fetch(void)
{
    if (next_fails(FAULT_READ))
        ereport(ERROR, (errcode(ERRCODE_IO_ERROR), errmsg("a read failed on purpose")));
}

/* The lock is somebody else's to give: shared, so that several may be let go at once. */
static void
wait_here(void)
{
    DirectFunctionCall1(pg_advisory_lock_shared_int8, Int64GetDatum(LMTEXT_FAULT_LOCK));
    DirectFunctionCall1(pg_advisory_unlock_shared_int8, Int64GetDatum(LMTEXT_FAULT_LOCK));
}

void
lmtext_fault_point(const char *name)
{
    bool fails = next_fails(FAULT_ERROR);

    if (order.name[0] != '\0' && strcmp(order.name, name) == 0 && due(++named, 1)) {
        if (order.kind == FAULT_WAIT)
            wait_here();
        else
            fails = true;
    }
    if (fails)
        ereport(ERROR, (errcode(MAKE_SQLSTATE('L', 'M', '0', '0', '0')),
                        errmsg("fault point \"%s\"", name)));
}

#endif
