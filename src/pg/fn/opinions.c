/*
 * opinions.c - lmtext.surge: whether the share of a window is beyond chance.
 */
#include "postgres.h"

#include <math.h>

#include "common/int.h"
#include "fmgr.h"

#include "metrics/surge.h"
#include "pg/compat.h"

PG_FUNCTION_INFO_V1(lmtext_surge);

static lm_share
arg_share(FunctionCallInfo fcinfo, int at, const char *what)
{
    lm_share share = {PG_GETARG_INT64(at), PG_GETARG_INT64(at + 1)};

    if (share.hits < 0 || share.hits > share.total)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("invalid counts of the %s: " INT64_FORMAT " of " INT64_FORMAT, what,
                               share.hits, share.total),
                        errdetail("The first must be from 0 to the second.")));
    return share;
}

/* surge(negative, total, base_negative, base_total): NULL where a total is 0 */
Datum
lmtext_surge(PG_FUNCTION_ARGS)
{
    lm_share window = arg_share(fcinfo, 0, "window"), base = arg_share(fcinfo, 2, "base");
    int64 all;
    double surge;

    if (pg_add_s64_overflow(window.total, base.total, &all))
        ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("bigint out of range"),
                        errdetail("The sum of " INT64_FORMAT " and " INT64_FORMAT " is too large.",
                                  window.total, base.total)));
    surge = lm_surge(window, base);
    if (isnan(surge))
        PG_RETURN_NULL();
    PG_RETURN_FLOAT8(surge);
}
