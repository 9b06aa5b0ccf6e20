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

#include "base/size.h"
#include "pg/catalog/golden.h"
#include "pg/catalog/names.h"
#include "pg/catalog/parts.h"

#define GOLDEN_BYTES_MAX (1024 * 1024)

/* ---- Making ---- */

/* No values come of a model whose vectors are not finite: it says so when it is used. */
bytea *
lmtext_golden_make(lmtext_call *call, lm_session *session, const lm_model *model, const char *name)
{
    lm_arena arena;
    lm_buffer out;
    lm_probe probe;
    lm_status status;
    bytea *row = NULL;

    lm_arena_init(&arena, &call->ctx);
    lm_buffer_init(&out, &call->ctx);
    status = lm_probe_run(&call->ctx, &arena, session, model, false, &probe);
    if (status != LM_BAD_MODEL) {
        lmtext_check(call, status, name);
        lmtext_check(call, lm_probe_write(&probe, &out), name);
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
lmtext_golden_read(lmtext_call *call, lm_arena *arena, Oid relid, lm_probe *probe)
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
    status = lm_probe_read(&call->ctx, arena, VARDATA(row.data), VARSIZE(row.data) - VARHDRSZ,
                           LMTEXT_GOLDEN_FILE, probe);
    if (status == LM_NO_MEMORY || status == LM_CANCELLED)
        lmtext_check(call, status, NULL);
    return status == LM_OK ? LMTEXT_GOLDEN_READ : LMTEXT_GOLDEN_DAMAGED;
}

/* ---- A copy for itself ---- */
/*
 * Loaded from the table, or from where a version is made of, into memory of the caller, at a level
 * of choice: neither the shared copy nor lmtext.isa have a part in it.
 */

/* All of it lies in the current memory context. */
lmtext_copy *
lmtext_copy_read(const lm_source *source, const lm_model_options *options,
                 const lm_kernels *kernels, const char *name)
{
    lmtext_copy *copy = palloc0(sizeof(*copy));
    lm_context *ctx = &copy->call.ctx;
    lm_model_plan *plan;
    lm_arena arena;
    size_t size;
    void *image;

    lmtext_call_init(&copy->call, CurrentMemoryContext);
    lm_arena_init(&arena, ctx);
    lmtext_check(&copy->call,
                 lm_model_plan_make(ctx, &arena, source, options, kernels, &plan, NULL, NULL),
                 name);
    size = lm_model_plan_size(plan);
    image = lmtext_image_room(&copy->call, size, name);
    lmtext_check(&copy->call, lm_model_fill(ctx, plan, image), name);
    lm_arena_free(&arena);
    lmtext_check(&copy->call, lm_model_bind(ctx, image, size, &copy->model), name);
    lmtext_check(&copy->call, lm_session_create(ctx, &copy->session), name);
    return copy;
}

lmtext_copy *
lmtext_copy_load(Oid relid, const lmtext_manifest *manifest, const lm_kernels *kernels)
{
    const lm_model_options options = lmtext_manifest_options(manifest);
    lm_source source;
    lmtext_chunks *chunks = lmtext_chunks_open(relid, manifest, &source);
    lmtext_copy *copy =
        lmtext_copy_read(&source, &options, kernels, lmtext_catalog_display_name(relid));

    lmtext_chunks_verify_and_close(chunks);
    return copy;
}

/* Aligned memory for an image; it goes with the call's memory context. */
void *
lmtext_image_room(lmtext_call *call, size_t size, const char *name)
{
    size_t allocated;
    void *memory;

    if (lm_add_overflows(size, LM_ALIGNMENT, &allocated))
        allocated = SIZE_MAX;
    memory = lm_alloc(&call->ctx, allocated);
    if (memory == NULL)
        lmtext_check(call, LM_NO_MEMORY, name);
    return (void *)TYPEALIGN(LM_ALIGNMENT, memory);
}
