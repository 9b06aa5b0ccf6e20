/*
 * cluster.c - SQL entries for versions that come from another database: the ends of a copy, whose
 * middle (rows over a connection) is SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "pg/version/version.h"

PG_FUNCTION_INFO_V1(lmtext_begin_copy);
PG_FUNCTION_INFO_V1(lmtext_end_copy);
PG_FUNCTION_INFO_V1(lmtext_copy_place);

/* begin_copy(name, version, base) */
Datum
lmtext_begin_copy(PG_FUNCTION_ARGS)
{
    PreventCommandIfReadOnly("lmtext.pull_model");
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("name and version of a model must not be null")));
    PG_RETURN_OID(lmtext_version_create_table(text_to_cstring(PG_GETARG_TEXT_PP(0)),
                                              PG_GETARG_INT32(1),
                                              PG_ARGISNULL(2) ? InvalidOid : PG_GETARG_OID(2)));
}

/* end_copy(model, digest) */
Datum
lmtext_end_copy(PG_FUNCTION_ARGS)
{
    PreventCommandIfReadOnly("lmtext.pull_model");
    PG_RETURN_INT32(lmtext_version_adopt(PG_GETARG_OID(0), text_to_cstring(PG_GETARG_TEXT_PP(1))));
}

/* copy_place(name) */
Datum
lmtext_copy_place(PG_FUNCTION_ARGS)
{
    char *schema, *model;
    Datum parts[2];

    lmtext_version_place(text_to_cstring(PG_GETARG_TEXT_PP(0)), &schema, &model);
    parts[0] = CStringGetTextDatum(schema);
    parts[1] = CStringGetTextDatum(model);
    PG_RETURN_ARRAYTYPE_P(construct_array(parts, 2, TEXTOID, -1, false, TYPALIGN_INT));
}
