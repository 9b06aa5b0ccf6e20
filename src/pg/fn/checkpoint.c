/*
 * checkpoint.c - the table of a training's checkpoint: its parts, of a chunk each.
 *
 * Laws: the table is made anew for each checkpoint, by SPI as the caller, so that nothing that
 * others left on it runs, privileges are PostgreSQL's own, and no dead rows stay. One of that name
 * is touched only if it belongs to the caller alone and looks as it was made here.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "pg/catalog/catalog.h"
#include "pg/fn/checkpoint.h"
#include "pg/glue/fault.h"
#include "pg/version/version.h"

#define SUFFIX "@checkpoint"

static const struct {
    const char *name;
    Oid type;
} columns[] = {{"step", INT8OID}, {"rows_hash", INT8OID}, {"part", INT4OID}, {"data", BYTEAOID}};

void
lmtext_checkpoints_open(lmtext_checkpoints *c, const char *model)
{
    char *base;

    lmtext_version_place(model, &c->schema, &base);
    if (strlen(base) + strlen(SUFFIX) >= NAMEDATALEN)
        ereport(ERROR, (errcode(ERRCODE_NAME_TOO_LONG),
                        errmsg("the name of model \"%s\" is too long for checkpoints", base),
                        errdetail("They are kept in a table whose name has %d bytes more.",
                                  (int)strlen(SUFFIX))));
    c->name = psprintf("%s%s", base, SUFFIX);
    c->table = quote_qualified_identifier(c->schema, c->name);
}

/* ---- Whose table ---- */

/* Its values are read without a look at their types. */
static bool
is_column(Form_pg_attribute attribute, int place)
{
    return !attribute->attisdropped && attribute->attnotnull &&
           attribute->atttypid == columns[place].type &&
           strcmp(NameStr(attribute->attname), columns[place].name) == 0;
}

/* As it was made: by its columns, without code of anybody. */
static bool
looks_made(Relation table)
{
    if (table->rd_rel->relkind != RELKIND_RELATION || table->rd_rel->relhastriggers ||
        table->rd_rel->relhasrules || table->rd_rel->relrowsecurity ||
        table->rd_rel->relhassubclass || table->rd_att->natts != lengthof(columns))
        return false;
    for (int i = 0; i < lengthof(columns); i++)
        if (!is_column(TupleDescAttr(table->rd_att, i), i))
            return false;
    return true;
}

/*
 * Is there one? 42501 where it is not the caller's, or not one of ours. The lock stays, so that the
 * owner of the schema cannot put another in its place before it is read.
 */
static bool
exists(const lmtext_checkpoints *c)
{
    RangeVar *name = makeRangeVar(c->schema, c->name, -1);
    Relation table = table_openrv_extended(name, AccessShareLock, true);
    bool mine;

    if (table == NULL)
        return false;
    mine = table->rd_rel->relowner == GetUserId() && looks_made(table);
    table_close(table, NoLock);
    if (!mine)
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("table %s is in the way of checkpoints", c->table),
                        errdetail("It is not the caller's, or was not made for checkpoints."),
                        errhint("Rename it, or choose another name for the model.")));
    return true;
}

/* ---- Writing ---- */

static void
run(const char *format, const char *table)
{
    char *command = psprintf(format, table);
    int result = SPI_execute(command, false, 0);

    if (result < 0)
        elog(ERROR, "SPI_execute returned %s", SPI_result_code_string(result));
    pfree(command);
}

static void
make_table(const lmtext_checkpoints *c)
{
    if (exists(c))
        run("DROP TABLE %s", c->table);
    run("CREATE TABLE %s (step pg_catalog.int8 NOT NULL, rows_hash pg_catalog.int8 NOT NULL, "
        "part pg_catalog.int4 PRIMARY KEY, data pg_catalog.bytea NOT NULL)",
        c->table);
    run("ALTER TABLE %s ALTER COLUMN data SET STORAGE EXTERNAL", c->table);
    run("COMMENT ON TABLE %s IS 'the last checkpoint of a training that is not over; written by "
        "lmtext.train'",
        c->table);
}

static void
insert_parts(const lmtext_checkpoints *c, int64 step, uint64 rows, const lm_buffer *bytes)
{
    Oid types[] = {INT8OID, INT8OID, INT4OID, BYTEAOID};
    char *command = psprintf("INSERT INTO %s VALUES ($1, $2, $3, $4)", c->table);
    SPIPlanPtr plan = SPI_prepare(command, lengthof(types), types);
    bytea *data = palloc(VARHDRSZ + LMTEXT_CHUNK_BYTES);

    if (plan == NULL)
        elog(ERROR, "SPI_prepare returned %s", SPI_result_code_string(SPI_result));
    for (Size at = 0; at < bytes->size; at += LMTEXT_CHUNK_BYTES) {
        const Size size = Min(bytes->size - at, LMTEXT_CHUNK_BYTES);
        Datum values[] = {Int64GetDatum(step), Int64GetDatum((int64)rows),
                          Int32GetDatum((int32)(at / LMTEXT_CHUNK_BYTES)), PointerGetDatum(data)};

        CHECK_FOR_INTERRUPTS();
        SET_VARSIZE(data, VARHDRSZ + size);
        memcpy(VARDATA(data), bytes->data + at, size);
        SPI_execute_plan(plan, values, NULL, false, 0);
    }
    SPI_freeplan(plan);
    pfree(data);
    pfree(command);
}

/* What follows a commit runs in a snapshot of its own. */
void
lmtext_checkpoints_write(const lmtext_checkpoints *c, int64 step, uint64 rows,
                         const lm_buffer *bytes)
{
    make_table(c);
    insert_parts(c, step, rows, bytes);
    LMTEXT_FAULT_POINT("checkpoint_written");
    SPI_commit();
    EnsurePortalSnapshotExists();
    LMTEXT_FAULT_POINT("checkpoint_committed");
}

/* ---- Reading ---- */

static int64
number_of(int column)
{
    bool isnull;

    return DatumGetInt64(
        SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &isnull));
}

/* False: there is no such part. */
static bool
read_part(const lmtext_checkpoints *c, lmtext_call *call, int part, uint64 *rows, int64 *step,
          lm_buffer *bytes)
{
    char *command =
        psprintf("SELECT step, rows_hash, data FROM %s WHERE part OPERATOR(pg_catalog.=) %d",
                 c->table, part);
    bytea *stored, *data;
    bool isnull;

    SPI_execute(command, false, 1);
    pfree(command);
    if (SPI_processed == 0)
        return false;
    *step = number_of(1);
    *rows = (uint64)number_of(2);
    stored = (bytea *)DatumGetPointer(
        SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull));
    data = DatumGetByteaPP(PointerGetDatum(stored));
    lmtext_check(call, lm_buffer_append(bytes, VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data)),
                 c->name);
    if (data != stored) /* a checkpoint has hundreds of parts */
        pfree(data);
    SPI_freetuptable(SPI_tuptable);
    return true;
}

bool
lmtext_checkpoints_read(const lmtext_checkpoints *c, lmtext_call *call, uint64 rows, int64 *step,
                        lm_buffer *bytes)
{
    uint64 kept = rows;

    if (!exists(c))
        return false;
    for (int part = 0; read_part(c, call, part, &kept, step, bytes); part++)
        CHECK_FOR_INTERRUPTS();
    if (bytes->size > 0 && kept != rows)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("the checkpoint in table %s is of other rows or options", c->table),
                 errdetail("The query did not return the rows that it returned then, in the same "
                           "order, or the options or the base are others."),
                 errhint("Give the query an ORDER BY, or train without the option resume.")));
    return bytes->size > 0;
}

void
lmtext_checkpoints_drop(const lmtext_checkpoints *c)
{
    if (exists(c))
        run("DROP TABLE %s", c->table);
}
