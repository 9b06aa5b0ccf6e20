/*
 * selftest.c - lmtext.selftest: does a version still compute what it computed when it was made?
 *
 * One row a check: true, false, or NULL where there is nothing to compare with. What is wrong with
 * the version is a row; only what keeps the test itself from running is an error. Texts are the
 * engine's own (task/golden.h), so they are not counted as work.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "format/json.h"
#include "kernels/kernels.h"
#include "task/tasks.h"
#include "pg/cache/cache.h"
#include "pg/cache/loader.h"
#include "pg/glue/try.h"
#include "pg/version/golden.h"

PG_FUNCTION_INFO_V1(lmtext_selftest);

/*
 * Of a normalised embedding or a score, and relative to the greatest number of others. Levels sum
 * in another order and have their own exponentials: 3e-7 at most with the models of the tests; the
 * rest is room for more layers. Another weight, id or pooling shows above it. In bfloat16 the level
 * with instructions for it rounds inputs as well; in int8 a difference of 1e-7 may tip an input
 * over to the next of its 256 codes.
 */
static const double bounds[LM_PRECISION_COUNT] = {
    [LM_PRECISION_F32] = 1e-5,
    [LM_PRECISION_BF16] = 2e-2,
    [LM_PRECISION_INT8] = 2e-2,
};

/* The least cosine to float32 that reduced precision may have had when the version was made. */
#define FIDELITY_BOUND 0.99

typedef struct selftest {
    ReturnSetInfo *result;
    Oid relid, base; /* base InvalidOid: not a head */
    lmtext_manifest *manifest, *base_manifest;
    lmtext_model *model;
    lmtext_call call;
    lm_arena arena;
    lm_golden now; /* as every statement computes: the loaded copy, its level, one batch */
} selftest;

static bool check_files(selftest *test);
static void check_rows(selftest *test);
static void check_fidelity(selftest *test);
static void hash_files(void *argument);
static bool check_now(selftest *test);
static void check_golden(selftest *test);
static void check_alone(selftest *test);
static void check_level(selftest *test, lm_level level);

/* A row; ok −1: unknown, error negative: nothing that is measured. */
static void
report(const selftest *test, const char *check, double error, int ok)
{
    Datum values[3] = {CStringGetTextDatum(check), Float8GetDatum(error), BoolGetDatum(ok > 0)};
    bool nulls[3] = {false, error < 0, ok < 0};

    tuplestore_putvalues(test->result->setResult, test->result->setDesc, values, nulls);
}

/* What does not hold makes further checks pointless where it says so. */
Datum
lmtext_selftest(PG_FUNCTION_ARGS)
{
    selftest test = {.result = (ReturnSetInfo *)fcinfo->resultinfo};

    if (PG_ARGISNULL(0))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("argument %d must not be null", 1)));
    InitMaterializedSRF(fcinfo, 0);
    test.relid = lmtext_catalog_resolve(text_to_cstring(PG_GETARG_TEXT_PP(0)));
    lmtext_catalog_check_use(test.relid);
    test.base = lmtext_catalog_base(test.relid);
    lmtext_call_init(&test.call, CurrentMemoryContext);
    lm_arena_init(&test.arena, &test.call.ctx);
    if (!check_files(&test))
        PG_RETURN_VOID();
    check_rows(&test);
    check_fidelity(&test);
    if (!check_now(&test))
        PG_RETURN_VOID();
    check_golden(&test);
    check_alone(&test);
    for (int level = LM_LEVEL_SCALAR; level < LM_LEVEL_COUNT; level++)
        if (lm_kernels_at(level) != NULL)
            check_level(&test, level);
    PG_RETURN_VOID();
}

/* ---- Files ---- */

/*
 * Every byte is read and hashed, as a loader does it for whoever may use the version: the answer
 * tells nothing about the bytes. What is wrong is said in a warning.
 */
static bool
check_files(selftest *test)
{
    ErrorData *error = lmtext_try(hash_files, test);

    if (error != NULL && error->sqlerrcode != ERRCODE_DATA_CORRUPTED)
        ReThrowError(error);
    if (error != NULL)
        ereport(WARNING, (errmsg_internal("%s", error->message),
                          error->detail ? errdetail_internal("%s", error->detail) : 0));
    report(test, "files", -1, error == NULL);
    return error == NULL;
}

static void
hash_version(Oid relid, const lmtext_manifest *manifest)
{
    lm_source source;

    lmtext_chunks_verify_and_close(lmtext_chunks_open(relid, manifest, &source));
}

/* The manifest's reader compares its digest, and that of the base. */
static void
hash_files(void *argument)
{
    selftest *test = argument;

    test->manifest = lmtext_manifest_read(test->relid);
    hash_version(test->relid, test->manifest);
    if (OidIsValid(test->base)) {
        test->base_manifest = lmtext_manifest_read(test->base);
        hash_version(test->base, test->base_manifest);
    }
}

/* Rows that no file has: golden values, what the manifest says for lists, rows that were added. */
static void
check_rows(selftest *test)
{
    lmtext_rows rows = lmtext_rows_compare(test->relid, test->manifest);

    if (rows == LMTEXT_ROWS_UNKNOWN)
        report(test, "digest of the table's rows: none is stored", -1, -1);
    else
        report(test, "digest of the table's rows", -1, rows == LMTEXT_ROWS_SAME);
}

/* As it was measured; a version that says nothing of it leaves it open. */
static void
check_fidelity(selftest *test)
{
    const lm_json *metrics = lm_json_get(test->manifest->root, "metrics");
    const lm_json *fidelity = lm_json_get(metrics, "fidelity");
    const lm_json *least = lm_json_get(fidelity, "cosine_min");

    if (lm_precisions[test->manifest->precision].exact)
        return;
    if (least == NULL || least->type != LM_JSON_NUMBER)
        report(test, "fidelity to fp32", -1, -1);
    else
        report(test, "fidelity to fp32", Max(1 - least->as.number, 0),
               least->as.number >= FIDELITY_BOUND);
}

/* ---- Values ---- */

/* Of what the encoder is kept in, which is a head's base. */
static double
bound(const selftest *test)
{
    return bounds[(test->base_manifest ? test->base_manifest : test->manifest)->precision];
}

/* A vector that is not finite is an answer; whatever else goes wrong is an error. */
static bool
compute(selftest *test, lmtext_call *call, lm_session *session, const lm_model *model, bool alone,
        lm_golden *result)
{
    lm_status status = lm_golden_run(&call->ctx, &test->arena, session, model, alone, result);

    if (status == LM_BAD_MODEL && call->interrupt == NULL)
        return false;
    lmtext_check(call, status, test->model->name);
    return true;
}

static bool
check_now(selftest *test)
{
    bool finite;

    test->model = lmtext_model_use(test->relid);
    finite = compute(test, &test->model->call, test->model->session, &test->model->model, false,
                     &test->now);
    report(test, "loaded copy", -1,
           memcmp(&test->model->identity.digest, &test->manifest->digest, sizeof(lmtext_digest)) ==
               0);
    report(test, "finite", -1, finite);
    return finite;
}

/* Of an older version nothing is known but what it computes now. */
static void
check_golden(selftest *test)
{
    const lm_task *task = lm_task_of(&test->model->model);
    lm_golden golden;
    lmtext_golden stored;
    double error;

    stored = lmtext_golden_read(&test->call, &test->arena, test->relid, &golden);
    if (stored == LMTEXT_GOLDEN_NONE)
        report(test, "golden values: none are stored", -1, -1);
    else
        report(test, "golden values", -1, stored == LMTEXT_GOLDEN_READ);
    if (stored != LMTEXT_GOLDEN_READ)
        return;
    error = lm_golden_error(&test->now, &golden);
    if (lm_model_tokenizer(&test->model->model) != NULL)
        report(test, "token ids", -1, lm_golden_same_ids(&test->now, &golden));
    report(test, task->yields, error, error <= bound(test));
    if (task->labelled)
        report(test, "labels", -1, lm_golden_same_labels(&test->now, &golden));
}

static void
check_alone(selftest *test)
{
    lm_golden alone = {0};
    bool finite =
        compute(test, &test->model->call, test->model->session, &test->model->model, true, &alone);

    report(test, "alone as in a batch", finite ? lm_golden_error(&alone, &test->now) : -1,
           finite && lm_golden_same_bits(&alone, &test->now));
}

/* ---- Instruction levels ---- */

/* As the shared copies have it. */
static void
set_base(selftest *test, lmtext_copy *copy, const lmtext_copy *base)
{
    lmtext_check(&copy->call, lm_model_set_base(&copy->call.ctx, &copy->model, &base->model),
                 test->model->name);
}

/* By copies of its own, which are gone afterwards: shared memory keeps what is in use. */
static void
check_level(selftest *test, lm_level level)
{
    const lm_kernels *kernels = lm_kernels_at(level);
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext selftest", ALLOCSET_DEFAULT_SIZES);
    MemoryContext old = MemoryContextSwitchTo(memory);
    lmtext_copy *copy = lmtext_copy_load(test->relid, test->manifest, kernels);
    lm_golden there = {0};
    double error;
    bool finite;

    if (OidIsValid(test->base))
        set_base(test, copy, lmtext_copy_load(test->base, test->base_manifest, kernels));
    finite = compute(test, &copy->call, copy->session, &copy->model, false, &there);
    error = finite ? lm_golden_error(&there, &test->now) : -1;
    MemoryContextSwitchTo(old);
    report(test, psprintf("instruction level %s", lm_level_name(level)), error,
           finite && error <= bound(test) && lm_golden_same_labels(&there, &test->now));
    MemoryContextDelete(memory);
}
