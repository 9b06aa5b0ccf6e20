/*
 * lookup.c - the vector that an index has of a text: where a filter leaves few rows, they are
 * ranked by the index's vectors and no text is embedded.
 *
 * Whether a text has been met tells that it is there. So only who may see all rows of the table is
 * told, and who may use the model; for anybody else, and for a text that is new, there is none.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/index.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"

#include "pg/am/index.h"
#include "pg/catalog/catalog.h"
#include "pg/glue/glue.h"
#include "pg/glue/relation.h"
#include "pg/service/kept.h"

PG_FUNCTION_INFO_V1(lmtext_index_vector);

/* Is it one of texts, whose rows are of this version? */
static bool
is_of(Relation index, Oid version)
{
    Oid made = InvalidOid;

    if (index->rd_rel->relkind == RELKIND_INDEX && index->rd_indam->ambuild == lmtext_am_build &&
        index->rd_index->indisvalid && !RELATION_IS_OTHER_TEMP(index) &&
        lmtext_index_kind(index).text)
        made = lmtext_index_peek_version(RelationGetRelid(index));
    return OidIsValid(made) && (made == version || lmtext_kept_same(made, version));
}

/* NULL: it has none. */
static ArrayType *
vector_in(Relation index, lm_text text)
{
    ArrayType *array = NULL;
    lmtext_store store;
    float *values;
    uint8 *row;

    lmtext_store_open(index, &store);
    if (store.meta.width == 0)
        return NULL;
    row = palloc(store.layout.row_bytes);
    if (lmtext_hashes_find(&store, lmtext_value_hash(&store.meta, text.bytes, text.length), row)) {
        array = lmtext_vector_new(store.meta.width, &values);
        lm_int8_row_decode(store.space, row, values);
    }
    pfree(row);
    return array;
}

Datum
lmtext_index_vector(PG_FUNCTION_ARGS)
{
    Oid table = IndexGetRelation(PG_GETARG_OID(0), true);
    ArrayType *vector = NULL;
    Relation index;

    if (!OidIsValid(table) || !lmtext_relation_sees_all(table) ||
        !lmtext_catalog_may_use(PG_GETARG_OID(1), GetUserId()))
        PG_RETURN_NULL();
    index = lmtext_relation_open(PG_GETARG_OID(0), AccessShareLock);
    if (is_of(index, PG_GETARG_OID(1)))
        vector = vector_in(index, lmtext_utf8_from_text(PG_GETARG_TEXT_PP(2)));
    index_close(index, AccessShareLock);
    if (vector == NULL)
        PG_RETURN_NULL();
    PG_RETURN_ARRAYTYPE_P(vector);
}
