/*
 * health.c - lmtext.health: what an administrator would look up, one row a check. Nothing is
 * computed and no model is loaded; no lock of another session is waited for.
 *
 * A check is a row of the table below and a function that reports once. It tells what its caller
 * may see: models that the role may use and calls of roles that it is a member of, or all for
 * members of pg_monitor.
 */
#include "postgres.h"

#include <sys/statvfs.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_index.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "storage/dsm_impl.h"
#include "storage/fd.h"
#include "storage/lmgr.h"
#include "storage/pg_shmem.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "kernels/kernels.h"
#include "pg/cache/registry.h"
#include "pg/catalog/names.h"
#include "pg/fn/alerts.h"
#include "pg/fn/sees.h"
#include "pg/glue/try.h"
#include "pg/service/entry.h"
#include "pg/service/tasks.h"
#include "pg/watch/stats.h"

/* A list in a message ends after that many names. */
#define NAMES_SHOWN 5

/* A share of calls that is worth a word: one of this many, of at least that many calls. */
#define SHARE_DIVISOR 10
#define SHARE_LEAST 20

typedef enum health_status { PASS, WARN, FAIL } health_status;
static const char *const status_names[] = {[PASS] = "pass", [WARN] = "warn", [FAIL] = "fail"};

/* A version that the caller sees. */
typedef struct seen_version {
    Oid relid;
    lmtext_manifest *manifest; /* NULL: outcome says why */
    lmtext_peek outcome;
    char model[NAMEDATALEN]; /* "": its table's name has no number */
    int number;
    bool deployed;
} seen_version;

/* A job that the caller sees, and how it stands. */
typedef struct seen_job {
    const char *name, *model; /* as it was given */
    const char *status;       /* of its last run; "" before the first */
    const char *sqlstate;     /* of its last run, or NULL */
    Oid work;                 /* its table */
    Oid done_with;            /* version of its last run that did all, or InvalidOid */
} seen_job;

typedef struct health {
    ReturnSetInfo *result;
    const struct health_check *check; /* that is running */
    bool everything;
    List *versions; /* of seen_version */
    List *jobs;     /* of seen_job */
    lmtext_slot_view *slots;
    int slot_count;
    lmtext_stats_entry *calls; /* NULL: no_stats says why */
    lmtext_stats_info stats;
    const char *no_stats;
} health;

typedef struct health_check {
    const char *name;
    void (*run)(const health *);
    const char *hint;
} health_check;

typedef bool (*version_test)(const health *health, const seen_version *version);
typedef const char *(*job_fault)(const seen_job *job); /* NULL: none */
typedef bool (*counts_test)(const lmtext_stats_counts *counts);

/* Names for a message. */
typedef struct name_list {
    StringInfoData text;
    int count;
} name_list;

static void check_library(const health *health);
static void check_instructions(const health *health);
static void check_shared_memory(const health *health);
static void check_cache_size(const health *health);
static void check_dev_shm(const health *health);
static void check_huge_pages(const health *health);
static void check_private_copies(const health *health);
static void check_orphans(const health *health);
static void check_damaged(const health *health);
static void check_contents(const health *health);
static void check_not_deployed(const health *health);
static void check_names(const health *health);
static void check_settings(const health *health);
static void check_statistics(const health *health);
static void check_errors(const health *health);
static void check_truncated(const health *health);
static void check_jobs(const health *health);
static void check_job_errors(const health *health);
static void check_stale(const health *health);
static void check_alerts(const health *health);

static const health_check checks[] = {
    {"library", check_library,
     "Run ALTER EXTENSION lmtext UPDATE; if the library is the older one, install the new one and "
     "start new sessions (restart the server if the library is preloaded)."},
    {"instructions", check_instructions, "RESET lmtext.isa, or raise it."},
    {"shared_memory", check_shared_memory,
     "Add lmtext to shared_preload_libraries and restart the server."},
    {"cache_size", check_cache_size,
     "Raise lmtext.cache_size, deploy models in a lower precision, or drop some."},
    {"dev_shm", check_dev_shm,
     "Enlarge /dev/shm (in Docker: --shm-size), reserve memory with min_dynamic_shared_memory, or "
     "lower lmtext.cache_size."},
    {"huge_pages", check_huge_pages,
     "Have the system reserve huge pages (vm.nr_hugepages) and restart the server."},
    {"private_copies", check_private_copies,
     "See the checks of memory above, then start a new session."},
    {"orphans", check_orphans, "The next load of a model gives the memory back."},
    {"damaged", check_damaged, "Drop the version and import it again."},
    {"contents", check_contents,
     "Its rows were changed by hand: drop the version and import it again. lmtext.selftest shows "
     "what it computes."},
    {"not_deployed", check_not_deployed, "Deploy the version with lmtext.deploy, or drop it."},
    {"names", check_names, "Choose another version with lmtext.deploy, or drop the model."},
    {"settings", check_settings,
     "Set the default to a model that is there, or reset it; look at ALTER ROLE and ALTER DATABASE "
     "too."},
    {"statistics", check_statistics,
     "Set lmtext.track = on; call lmtext.stats_reset() if there are rows of roles and versions "
     "that nobody needs; make room in /dev/shm."},
    {"errors", check_errors, "Look for the errors in the log of the server."},
    {"truncated", check_truncated,
     "Embed pieces of lmtext.chunk, or set lmtext.on_long to average or error."},
    {"jobs", check_jobs,
     "See lmtext.job_runs, whose messages the owner of the job may read. When the cause is gone, "
     "lmtext.run_job goes on from there."},
    {"job_errors", check_job_errors,
     "See lmtext.job_errors as the owner of the job. lmtext.retry_errors makes the rows due "
     "again."},
    {"stale", check_stale, "Let lmtext.run_job do them; lmtext.stale lists the rows."},
    {"alerts", check_alerts,
     "See lmtext.alerts as the owner of the alert. lmtext.check_alerts checks anew."},
};

static void list_versions(health *health);
static void add_version(health *health, Oid relid);
static void list_jobs(health *health);

PG_FUNCTION_INFO_V1(lmtext_health);
Datum
lmtext_health(PG_FUNCTION_ARGS)
{
    health health = {.result = (ReturnSetInfo *)fcinfo->resultinfo};

    InitMaterializedSRF(fcinfo, 0);
    health.everything = sees_everything();
    list_versions(&health);
    list_jobs(&health);
    health.slots = lmtext_cache_snapshot(&health.slot_count);
    health.calls = lmtext_stats_snapshot(&health.stats, &health.no_stats);
    for (int i = 0; i < lengthof(checks); i++) {
        health.check = &checks[i];
        checks[i].run(&health);
    }
    return (Datum)0;
}

/* ---- What is looked at ---- */

/* There is no index on a table's type, so all of pg_class is read, as for lmtext.model_cache. */
static void
list_versions(health *health)
{
    Relation classes = table_open(RelationRelationId, AccessShareLock);
    SysScanDesc scan = systable_beginscan(classes, InvalidOid, false, NULL, 0, NULL);
    HeapTuple tuple;

    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        Form_pg_class class = (Form_pg_class)GETSTRUCT(tuple);

        if (OidIsValid(class->reloftype) && lmtext_catalog_is_model(class->oid) &&
            (health->everything || lmtext_catalog_may_use(class->oid, GetUserId())))
            add_version(health, class->oid);
    }
    systable_endscan(scan);
    table_close(classes, AccessShareLock);
}

static void
add_version(health *health, Oid relid)
{
    seen_version *version = palloc0(sizeof *version);

    version->relid = relid;
    version->manifest = lmtext_manifest_peek(relid, NULL, &version->outcome);
    if (lmtext_catalog_version_of(relid, version->model, &version->number))
        (void)lmtext_catalog_peek_deployed(relid, version->model, version->number,
                                           &version->deployed);
    else
        version->model[0] = '\0';
    health->versions = lappend(health->versions, version);
}

/* In the caller's memory, not SPI's. */
static char *
job_text(MemoryContext memory, HeapTuple tuple, TupleDesc columns, int column)
{
    char *value = SPI_getvalue(tuple, columns, column);

    return value == NULL ? NULL : MemoryContextStrdup(memory, value);
}

static Oid
job_oid(HeapTuple tuple, TupleDesc columns, int column)
{
    bool null;
    Datum value = SPI_getbinval(tuple, columns, column, &null);

    return null ? InvalidOid : DatumGetObjectId(value);
}

static seen_job *
make_job(MemoryContext memory, HeapTuple tuple, TupleDesc columns)
{
    seen_job *job = MemoryContextAllocZero(memory, sizeof *job);
    char *status = job_text(memory, tuple, columns, 3);

    job->name = job_text(memory, tuple, columns, 1);
    job->model = job_text(memory, tuple, columns, 2);
    job->status = status == NULL ? "" : status;
    job->sqlstate = job_text(memory, tuple, columns, 4);
    job->work = job_oid(tuple, columns, 5);
    job->done_with = job_oid(tuple, columns, 6);
    return job;
}

/* False where somebody keeps readers out of the tables; else they are locked. */
static bool
lock_job_tables(void)
{
    static const char *const tables[] = {"job", "job_run"};

    for (int i = 0; i < lengthof(tables); i++)
        if (!ConditionalLockRelationOid(lmtext_relation_oid(tables[i]), AccessShareLock))
            return false;
    return true;
}

static void
list_jobs(health *health)
{
    MemoryContext memory = CurrentMemoryContext;

    if (!lock_job_tables())
        return;
    SPI_connect();
    SPI_execute("SELECT j.name, j.model, j.status, j.sqlstate, j.work::pg_catalog.oid, "
                "j.done_with::pg_catalog.oid, j.owner "
                "FROM lmtext_internal.job_states j ORDER BY j.name COLLATE \"C\"",
                true, 0);
    for (uint64 i = 0; i < SPI_processed; i++) {
        HeapTuple tuple = SPI_tuptable->vals[i];
        MemoryContext spi;

        if (!sees_role(MyDatabaseId, job_oid(tuple, SPI_tuptable->tupdesc, 7)))
            continue;
        spi = MemoryContextSwitchTo(memory);
        health->jobs = lappend(health->jobs, make_job(memory, tuple, SPI_tuptable->tupdesc));
        MemoryContextSwitchTo(spi);
    }
    SPI_finish();
}

/* ---- What is said ---- */

static void
report(const health *health, health_status status, const char *detail)
{
    const char *hint = status == PASS ? NULL : health->check->hint;
    Datum values[] = {CStringGetTextDatum(health->check->name),
                      CStringGetTextDatum(status_names[status]), CStringGetTextDatum(detail),
                      hint == NULL ? (Datum)0 : CStringGetTextDatum(hint)};
    bool nulls[] = {false, false, false, hint == NULL};

    tuplestore_putvalues(health->result->setResult, health->result->setDesc, values, nulls);
}

static void
add_name(name_list *list, const char *name)
{
    if (list->count == 0)
        initStringInfo(&list->text);
    if (list->count < NAMES_SHOWN)
        appendStringInfo(&list->text, "%s%s", list->count > 0 ? ", " : "", name);
    else if (list->count == NAMES_SHOWN)
        appendStringInfoString(&list->text, ", ...");
    list->count++;
}

/* What is in the list is amiss; of an empty one `none` is said. */
static void
report_names(const health *health, health_status status, const name_list *list, const char *what,
             const char *none)
{
    if (list->count == 0)
        report(health, PASS, none);
    else
        report(health, status, psprintf("%s (%d): %s", what, list->count, list->text.data));
}

static uint64
megabytes(uint64 bytes)
{
    return (bytes + 1024 * 1024 - 1) / (1024 * 1024);
}

static uint64
cache_limit(void)
{
    return (uint64)lmtext_cache_size * 1024;
}

/* ---- Library and machine ---- */

/* The version of the SQL objects; the caller's database has them, since it calls one. */
static const char *
extension_version(void)
{
    Relation extensions = table_open(ExtensionRelationId, AccessShareLock);
    ScanKeyData key;
    SysScanDesc scan;
    HeapTuple tuple;
    const char *version = "none";
    bool null;

    ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
                CStringGetDatum("lmtext"));
    scan = systable_beginscan(extensions, ExtensionNameIndexId, true, NULL, 1, &key);
    while (HeapTupleIsValid(tuple = systable_getnext(scan)))
        version = TextDatumGetCString(
            heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(extensions), &null));
    systable_endscan(scan);
    table_close(extensions, AccessShareLock);
    return version;
}

static void
check_library(const health *health)
{
    const char *version = extension_version();

    report(health, strcmp(version, LMTEXT_VERSION) == 0 ? PASS : FAIL,
           psprintf("The library of this session is of version %s, the extension of version %s.",
                    LMTEXT_VERSION, version));
}

static void
check_instructions(const health *health)
{
    lm_level used = lm_kernels_active()->level, best = lm_kernels_best();

    report(health, used == best ? PASS : WARN,
           psprintf("This session uses the instruction level %s; the processor has %s.",
                    lm_level_name(used), lm_level_name(best)));
}

/* ---- Memory ---- */

static void
check_shared_memory(const health *health)
{
    const char *why = NULL;
    bool shared = lmtext_registry_get(&why) != NULL;

    report(health, shared ? PASS : FAIL,
           shared ? "Sessions share loaded models." : psprintf("Models cannot be shared: %s", why));
}

static bool
same_image(const lmtext_digest *a, const lmtext_digest *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* As it is loaded, else the least that its weights can take. */
static uint64
image_bytes(const health *health, const lmtext_manifest *manifest)
{
    static const uint64 widths[LM_PRECISION_COUNT] = {
        [LM_PRECISION_F32] = 4, [LM_PRECISION_BF16] = 2, [LM_PRECISION_INT8] = 1};
    lmtext_digest image = lmtext_manifest_image(manifest);

    for (int i = 0; i < health->slot_count; i++)
        if (health->slots[i].bytes > 0 && same_image(&health->slots[i].key.image, &image))
            return (uint64)health->slots[i].bytes;
    return (uint64)Max(manifest->parameters, 0) * widths[manifest->precision];
}

/* Versions with the same contents lie in memory once: the first of them counts. */
static bool
is_counted(const health *health, const seen_version *wanted)
{
    lmtext_digest image = lmtext_manifest_image(wanted->manifest);
    ListCell *cell;

    foreach (cell, health->versions) {
        const seen_version *version = lfirst(cell);
        lmtext_digest other;

        if (version->manifest == NULL || !version->deployed)
            continue;
        other = lmtext_manifest_image(version->manifest);
        if (same_image(&other, &image))
            return version == wanted;
    }
    return false; /* not deployed */
}

static void
check_cache_size(const health *health)
{
    uint64 needed = 0;
    ListCell *cell;

    foreach (cell, health->versions) {
        const seen_version *version = lfirst(cell);

        if (version->manifest != NULL && is_counted(health, version))
            needed += image_bytes(health, version->manifest);
    }
    report(health, needed <= cache_limit() ? PASS : WARN,
           psprintf("The deployed models need at least %zu MB; lmtext.cache_size is %zu MB.",
                    (size_t)megabytes(needed), (size_t)megabytes(cache_limit())));
}

/* What models that are loaded take of shared memory. */
static uint64
cache_used(const health *health)
{
    uint64 used = 0;

    for (int i = 0; i < health->slot_count; i++)
        if (strcmp(health->slots[i].state, "private") != 0)
            used += (uint64)health->slots[i].bytes;
    return used;
}

/* What cannot be asked about has no room. */
static void
check_dev_shm(const health *health)
{
    struct statvfs disk = {0};
    uint64 limit = cache_limit(), used = Min(cache_used(health), limit), size, room;

    if (dynamic_shared_memory_type != DSM_IMPL_POSIX ||
        (uint64)min_dynamic_shared_memory * 1024 * 1024 >= limit) {
        report(health, PASS, "Loaded models do not need /dev/shm.");
        return;
    }
    (void)statvfs("/dev/shm", &disk);
    size = (uint64)disk.f_blocks * disk.f_frsize;
    room = (uint64)disk.f_bavail * disk.f_frsize;
    report(health, room >= limit - used ? PASS : WARN,
           psprintf("%zu MB of %zu MB are free; models may still take %zu MB of the %zu MB of "
                    "lmtext.cache_size.",
                    (size_t)(room / 1024 / 1024), (size_t)(size / 1024 / 1024),
                    (size_t)megabytes(limit - used), (size_t)megabytes(limit)));
}

/* The kernel names the mapping of the server's main shared memory so, if it has huge pages. */
static bool
has_huge_pages(void)
{
    FILE *maps = AllocateFile("/proc/self/maps", "r");
    char line[MAXPGPATH];
    bool found = false;

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        found |= strstr(line, "anon_hugepage") != NULL;
    if (maps != NULL)
        FreeFile(maps);
    return found;
}

/* They matter to models that lie in main shared memory. */
static void
check_huge_pages(const health *health)
{
    bool wanted = huge_pages != HUGE_PAGES_OFF && min_dynamic_shared_memory > 0;

    if (!wanted)
        report(health, PASS, "No huge pages are asked for models.");
    else if (has_huge_pages())
        report(health, PASS, "Models of min_dynamic_shared_memory lie in huge pages.");
    else
        report(health, WARN,
               "huge_pages is set, but the system gave none: models lie in small pages.");
}

static void
check_private_copies(const health *health)
{
    uint64 bytes = 0;
    int count = 0;

    for (int i = 0; i < health->slot_count; i++)
        if (strcmp(health->slots[i].state, "private") == 0) {
            bytes += (uint64)health->slots[i].bytes;
            count++;
        }
    report(health, count == 0 ? PASS : WARN,
           count == 0 ? "This session has no model of its own."
                      : psprintf("This session has %d models of its own, of %zu MB.", count,
                                 (size_t)megabytes(bytes)));
}

/*
 * Which models others have in memory is for members of pg_monitor. What is being loaded does not
 * say yet of which table it is.
 */
static void
check_orphans(const health *health)
{
    uint64 bytes = 0;
    int count = 0;

    for (int i = 0; health->everything && i < health->slot_count; i++)
        if (strcmp(health->slots[i].state, "ready") == 0 &&
            lmtext_cache_is_orphan(&health->slots[i])) {
            bytes += (uint64)health->slots[i].bytes;
            count++;
        }
    report(health, count == 0 ? PASS : WARN,
           count == 0 ? "Every loaded model that you may see is a version's."
                      : psprintf("%d loaded models, of %zu MB, are of dropped versions.", count,
                                 (size_t)megabytes(bytes)));
}

/* ---- Versions ---- */

static bool
is_damaged(const health *health, const seen_version *version)
{
    return version->outcome == LMTEXT_PEEK_DAMAGED || version->outcome == LMTEXT_PEEK_NONE;
}

/*
 * The hashes of files are left to loads and to lmtext.selftest: they take reading all of it. A
 * table that somebody keeps readers out of, or that was dropped meanwhile, is not looked at.
 */
static bool
is_changed(const health *health, const seen_version *version)
{
    bool changed;

    if (version->manifest == NULL || !ConditionalLockRelationOid(version->relid, AccessShareLock))
        return false;
    changed = SearchSysCacheExists1(RELOID, ObjectIdGetDatum(version->relid)) &&
              lmtext_rows_compare(version->relid, version->manifest) == LMTEXT_ROWS_CHANGED;
    UnlockRelationOid(version->relid, AccessShareLock);
    return changed;
}

/* Older versions than the deployed one are kept for going back to. */
static bool
is_waiting(const health *health, const seen_version *version)
{
    ListCell *cell;

    if (version->model[0] == '\0' || version->deployed)
        return false;
    foreach (cell, health->versions) {
        const seen_version *other = lfirst(cell);

        if (other->deployed && other->number > version->number &&
            strcmp(other->model, version->model) == 0 &&
            get_rel_namespace(other->relid) == get_rel_namespace(version->relid))
            return false;
    }
    return true;
}

static void
report_versions(const health *health, health_status status, version_test amiss, const char *what,
                const char *none)
{
    name_list names = {.count = 0};
    ListCell *cell;

    foreach (cell, health->versions) {
        const seen_version *version = lfirst(cell);

        if (amiss(health, version))
            add_name(&names, lmtext_catalog_display_name(version->relid));
    }
    report_names(health, status, &names, what, none);
}

static void
check_damaged(const health *health)
{
    report_versions(health, FAIL, is_damaged, "Manifests that cannot be read",
                    "Every manifest can be read.");
}

static void
check_contents(const health *health)
{
    report_versions(health, FAIL, is_changed,
                    "Versions whose rows are not those they were made with",
                    "Versions have the rows that they were made with.");
}

static void
check_not_deployed(const health *health)
{
    report_versions(health, WARN, is_waiting, "Versions newer than what is deployed",
                    "The newest version of each model is deployed.");
}

static void
check_names(const health *health)
{
    name_list names = {.count = 0};
    ListCell *cell;

    foreach (cell, lmtext_names_dangling())
        add_name(&names, lfirst(cell));
    report_names(health, FAIL, &names, "Deployed versions that were dropped",
                 "Every deployed version is there.");
}

/* ---- Settings ---- */

typedef struct lookup {
    const char *name;
    Oid found;
} lookup;

static void
look_up(void *argument)
{
    lookup *lookup = argument;

    lookup->found = lmtext_catalog_peek(lookup->name);
}

/* A name may also be malformed, or of a schema that is not the caller's to look into. */
static void
check_settings(const health *health)
{
    name_list names = {.count = 0};

    for (int i = 0; i < LM_TASK_COUNT; i++) {
        lookup lookup = {.name = lmtext_task_setting(&lm_tasks[i])};

        if (lookup.name[0] == '\0')
            continue;
        if (lmtext_try(look_up, &lookup) != NULL || !OidIsValid(lookup.found))
            add_name(&names, psprintf("%s = '%s'", lmtext_task_setting_name(&lm_tasks[i]),
                                      lmtext_clip(lookup.name)));
    }
    report_names(health, FAIL, &names, "Defaults of this session that name no model",
                 "The defaults of this session name models that are there.");
}

/* ---- Calls ---- */

static void
check_statistics(const health *health)
{
    bool tracked = strcmp(GetConfigOption("lmtext.track", false, false), "on") == 0;

    if (health->calls == NULL)
        report(health, WARN, psprintf("Calls are not counted: %s", health->no_stats));
    else if (!tracked)
        report(health, WARN, "Calls of this session are not counted: lmtext.track is off.");
    else
        report(health, health->stats.evicted > 0 ? WARN : PASS,
               psprintf("%d of %d rows are taken; " INT64_FORMAT
                        " were dropped because all were taken.",
                        health->stats.entries, health->stats.capacity, health->stats.evicted));
}

static bool
is_large(uint64 part, uint64 whole)
{
    return whole >= SHARE_LEAST && part > whole / SHARE_DIVISOR;
}

static bool
often_fails(const lmtext_stats_counts *counts)
{
    return is_large(counts->errors, counts->calls);
}

static bool
often_cuts(const lmtext_stats_counts *counts)
{
    return is_large(counts->truncated, counts->rows);
}

static void
report_calls(const health *health, counts_test amiss, const char *what, const char *none)
{
    name_list names = {.count = 0};

    for (int i = 0; i < health->stats.entries; i++) {
        const lmtext_stats_entry *entry = &health->calls[i];
        const char *function = lmtext_entry_name(entry->key.function);

        if (amiss(&entry->counts) && sees_role(entry->key.database, entry->key.role))
            add_name(&names, psprintf("%s with %s", function != NULL ? function : "?",
                                      entry->version[0] != '\0' ? entry->version : "no model"));
    }
    report_names(health, WARN, &names, what, none);
}

static void
check_errors(const health *health)
{
    report_calls(health, often_fails, "More than a tenth of the calls failed",
                 "Less than a tenth of the calls of any function failed.");
}

static void
check_truncated(const health *health)
{
    report_calls(health, often_cuts, "More than a tenth of the texts were longer than the window",
                 "Less than a tenth of the texts of any function were longer than the window.");
}

/* ---- Jobs ---- */

static void
report_jobs(const health *health, health_status status, job_fault fault, const char *what,
            const char *none)
{
    name_list names = {.count = 0};
    ListCell *cell;

    foreach (cell, health->jobs) {
        const seen_job *job = lfirst(cell);
        const char *found = fault(job);

        if (found != NULL)
            add_name(&names, psprintf("%s%s", job->name, found));
    }
    report_names(health, status, &names, what, none);
}

/* Sessions of the primary are not those of a standby, so that a run that goes on looks interrupted
 * there. */
static const char *
how_it_failed(const seen_job *job)
{
    if (strcmp(job->status, "failed") == 0)
        return psprintf(" (%s)", job->sqlstate == NULL ? "no SQLSTATE" : job->sqlstate);
    if (strcmp(job->status, "interrupted") == 0 && !RecoveryInProgress())
        return " (interrupted)";
    return NULL;
}

static void
check_jobs(const health *health)
{
    report_jobs(health, FAIL, how_it_failed, "Jobs whose last run failed",
                "No last run of a job has failed.");
}

/*
 * Whether an index is a B-tree over the rows whose sqlstate is not null. The predicate is read as
 * it stands: RelationGetIndexPredicate would evaluate what an owner has written there.
 */
static bool
holds_failed_rows(Relation index, AttrNumber sqlstate)
{
    bool is_null;
    Datum predicate;
    NullTest *test;

    if (index->rd_rel->relam != BTREE_AM_OID || !index->rd_index->indisvalid)
        return false;
    predicate = SysCacheGetAttr(INDEXRELID, index->rd_indextuple, Anum_pg_index_indpred, &is_null);
    if (is_null)
        return false;
    test = stringToNode(TextDatumGetCString(predicate));
    return IsA(test, NullTest) && test->nulltesttype == IS_NOT_NULL && IsA(test->arg, Var) &&
           ((Var *)test->arg)->varattno == sqlstate;
}

/* The index on rows that failed, which create_job made; InvalidOid if it is gone. */
static Oid
failed_rows_index(Relation work)
{
    AttrNumber sqlstate = get_attnum(RelationGetRelid(work), "sqlstate");
    Oid found = InvalidOid;
    ListCell *cell;

    foreach (cell, RelationGetIndexList(work)) {
        Relation index;

        if (!ConditionalLockRelationOid(lfirst_oid(cell), AccessShareLock))
            continue;
        index = index_open(lfirst_oid(cell), NoLock);
        if (holds_failed_rows(index, sqlstate))
            found = lfirst_oid(cell);
        index_close(index, AccessShareLock);
    }
    return found;
}

/* No key is compared and nothing is evaluated, so that no code of the owner's runs. */
static bool
has_failed_rows(Relation work)
{
    Oid index = failed_rows_index(work);
    bool found = false;

    if (OidIsValid(index)) {
        Snapshot snapshot = lmtext_read_snapshot();
        SysScanDesc scan = systable_beginscan(work, index, true, snapshot, 0, NULL);

        found = HeapTupleIsValid(systable_getnext(scan));
        systable_endscan(scan);
        UnregisterSnapshot(snapshot);
    }
    return found;
}

static const char *
has_errors(const seen_job *job)
{
    Relation work;
    bool found;

    if (!ConditionalLockRelationOid(job->work, AccessShareLock))
        return NULL;
    work = try_relation_open(job->work, NoLock);
    if (work == NULL) {
        UnlockRelationOid(job->work, AccessShareLock);
        return NULL;
    }
    found = has_failed_rows(work);
    relation_close(work, AccessShareLock);
    return found ? "" : NULL;
}

static void
check_job_errors(const health *health)
{
    report_jobs(health, WARN, has_errors, "Jobs with rows that failed",
                "No row that a job did has failed.");
}

/* Of a model that is not there, or that the caller may not look for, nothing is said. */
static const char *
what_is_stale(const seen_job *job)
{
    static const char *const early[] = {"cancelled", "paused", "stopped", "skipped"};
    lookup lookup = {.name = job->model};

    for (int i = 0; i < lengthof(early); i++)
        if (strcmp(job->status, early[i]) == 0)
            return psprintf(" (%s)", job->status);
    if (!OidIsValid(job->done_with) || lmtext_try(look_up, &lookup) != NULL ||
        !OidIsValid(lookup.found) || lookup.found == job->done_with)
        return NULL;
    return psprintf(" (not with %s)", lmtext_catalog_display_name(lookup.found));
}

static void
check_stale(const health *health)
{
    report_jobs(health, WARN, what_is_stale, "Jobs that have left rows to be done",
                "The last run of each job did all, with the version that is deployed.");
}

/* ---- Alerts ---- */

static void
check_alerts(const health *health)
{
    name_list names = {.count = 0};
    ListCell *cell;

    foreach (cell, lmtext_alerts_that_hold())
        add_name(&names, lfirst(cell));
    report_names(health, WARN, &names, "Alerts whose condition held at the last check",
                 "No condition of an alert held at its last check.");
}
