/*
 * golden.c - what a version computed when it was made: the row ('golden.json', 0) of its table.
 *
 * The row is no file of the model: it takes no part in the digest, is not exported, and a version
 * without it (made by an older library, or by a table that was filled otherwise) is whole. It is
 * hostile input, as all rows are.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/table.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/catalog/names.h"
#include "pg/catalog/parts.h"
#include "pg/version/golden.h"

#define GOLDEN_BYTES_MAX (1024 * 1024)

/* ---- Making ---- */

/* No values come of a model whose vectors are not finite: it says so when it is used. */
bytea *
lmtext_golden_make(lmtext_call *call, lm_session *session, const lm_model *model, const char *name)
{
    lm_arena arena;
    lm_buffer out;
    lm_golden golden;
    lm_status status;
    bytea *row = NULL;

    lm_arena_init(&arena, &call->ctx);
    lm_buffer_init(&out, &call->ctx);
    status = lm_golden_run(&call->ctx, &arena, session, model, false, &golden);
    if (status != LM_BAD_MODEL) {
        lmtext_check(call, status, name);
        lmtext_check(call, lm_golden_write(&golden, &out), name);
        row = palloc(VARHDRSZ + out.size);
        SET_VARSIZE(row, VARHDRSZ + out.size);
        memcpy(VARDATA(row), out.data, out.size);
    }
    lm_buffer_free(&out);
    lm_arena_free(&arena);
    return row;
}

/* ---- Reading ---- */

typedef struct golden_row {
    bool found;
    bytea *data; /* NULL: larger than it was written */
} golden_row;

/* A visitor. */
static bool
keep_golden(void *opaque, const lmtext_part *part)
{
    golden_row *row = opaque;

    if (part->part != 0 || part->file_length != strlen(LMTEXT_GOLDEN_FILE) ||
        memcmp(part->file, LMTEXT_GOLDEN_FILE, part->file_length) != 0)
        return true;
    row->found = true;
    if (toast_raw_datum_size(part->data) <= GOLDEN_BYTES_MAX + VARHDRSZ)
        row->data = DatumGetByteaPCopy(part->data);
    return false;
}

lmtext_golden
lmtext_golden_read(lmtext_call *call, lm_arena *arena, Oid relid, lm_golden *golden)
{
    Relation table = table_open(relid, AccessShareLock);
    Snapshot snapshot = lmtext_read_snapshot();
    golden_row row = {false, NULL};
    lm_status status;

    lmtext_parts_visit(table, snapshot, keep_golden, &row);
    UnregisterSnapshot(snapshot);
    table_close(table, NoLock);
    if (!row.found)
        return LMTEXT_GOLDEN_NONE;
    if (row.data == NULL)
        return LMTEXT_GOLDEN_DAMAGED;
    status = lm_golden_read(&call->ctx, arena, VARDATA(row.data), VARSIZE(row.data) - VARHDRSZ,
                            LMTEXT_GOLDEN_FILE, golden);
    if (status == LM_NO_MEMORY || status == LM_CANCELLED)
        lmtext_check(call, status, NULL);
    return status == LM_OK ? LMTEXT_GOLDEN_READ : LMTEXT_GOLDEN_DAMAGED;
}
