/*
 * create.c - making versions.
 *
 * Phases of lmtext_version_create, all in the caller's transaction: take the row of the name (which
 * puts imports of one name in line), make the table, look whether the source is a model at all,
 * calibrate it where int8 is wanted, copy the files in chunks, read them back whole and check them,
 * write the manifest, update the row.
 *
 * Laws: tables are made, filled and dropped by SPI as the caller, so privileges, event triggers,
 * quotas and default grants are PostgreSQL's own; every name is qualified and quoted. A table of a
 * name that has versions is given to their owner by ALTER TABLE. Only rows of lmtext.model_name are
 * written as that table's owner (record.c); the identity is set back there, and by the end of the
 * (sub)transaction after an error, which is PostgreSQL's own way.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_namespace.h" /* of 16: whose privilege is asked */
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/cache/loader.h"
#include "pg/catalog/digest.h"
#include "pg/catalog/manifest.h"
#include "pg/catalog/parts.h"
#include "pg/glue/tell.h"
#include "pg/version/golden.h"
#include "pg/version/precision.h"
#include "pg/version/record.h"
#include "pg/version/version.h"

/* A version that is being made. */
typedef struct creation {
    lmtext_call call;
    lm_arena arena;
    lmtext_name name;
    Oid schema;
    char *schema_name;
    Oid owner; /* of the versions of the name */
    int version;
    int deployed; /* what the name means afterwards */
    Oid relid;
    char *table;   /* qualified and quoted */
    char *display; /* for messages */
    Oid base;
    lmtext_manifest *base_manifest;
    lmtext_manifest manifest; /* files, bytes, window and digest as they become known */
    lm_model_info info;
    lm_notes notes;  /* of the second check */
    bool needs_base; /* what was stored is a head */
    bytea *golden;   /* NULL: none */
    lmtext_precision_files precision;
    char *metrics; /* JSON object; NULL: none */
} creation;

typedef struct lmtext_manifest_file manifest_file;

#define MEGABYTE 1e6 /* as the messages count */

static void parse_name(creation *new, const char *name);
static int take_number(creation *new);
static void check_owner_can(Oid schema, Oid owner);
static void check_base_open(const creation *new);
static void make_table(creation *new);
static void check_source(creation *new, const lm_source *source,
                         const lmtext_version_options *options);
static void compress(creation *new, const lmtext_version_options *options, lm_source *files);
static void copy_files(creation *new, const lm_source *source);
static void check_stored(creation *new, const lmtext_version_options *options);
static void check_base(creation *new);
static void store_manifest(creation *new, const lmtext_version_options *options);
static void describe_table(const creation *new);
static void notice_waiting(const creation *new);

Oid
lmtext_version_create(const char *name, const lm_source *source, Oid base,
                      const lmtext_version_options *options, int *version)
{
    MemoryContext caller = CurrentMemoryContext;
    MemoryContext memory = AllocSetContextCreate(caller, "lmtext version", ALLOCSET_DEFAULT_SIZES);
    lm_source files;
    creation *new;
    bool told;
    Oid relid;

    MemoryContextSwitchTo(memory);
    new = palloc0(sizeof(*new));
    lmtext_call_init(&new->call, memory);
    lm_arena_init(&new->arena, &new->call.ctx);
    parse_name(new, name);
    LMTEXT_FAULT_POINT("place_found");
    if (OidIsValid(base)) {
        lmtext_catalog_check_use(base);
        new->base = base;
        new->base_manifest = lmtext_manifest_read(base);
    }
    told = lmtext_tell_begin(new->name.model);
    SPI_connect();
    new->version = take_number(new);
    LMTEXT_FAULT_POINT("number_taken");
    check_base_open(new);
    make_table(new);
    LMTEXT_FAULT_POINT("table_made");
    check_source(new, source, options);
    files = *source;
    if (!OidIsValid(base)) /* a head has its base's precision */
        lmtext_precision_open(&new->precision, &new->call, source, options, new->display, &files);
    compress(new, options, &files);
    LMTEXT_FAULT_POINT("precision_made");
    copy_files(new, &files);
    LMTEXT_FAULT_POINT("files_copied");
    check_stored(new, options);
    check_base(new);
    LMTEXT_FAULT_POINT("files_checked");
    store_manifest(new, options);
    LMTEXT_FAULT_POINT("manifest_stored");
    describe_table(new);
    new->deployed = lmtext_record_add(new->schema, new->name.model, new->version);
    LMTEXT_FAULT_POINT("version_recorded");
    SPI_finish();
    lmtext_tell_end(told);
    notice_waiting(new);
    relid = new->relid;
    *version = new->version;
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(memory);
    return relid;
}

/*
 * The table alone, for rows that come from another database as they are (adopt.c has the end). The
 * number is `wanted`, which a version has elsewhere, unless it or a later one was ever used here.
 */
Oid
lmtext_version_create_table(const char *name, int wanted, Oid base)
{
    creation new = {.base = base};

    parse_name(&new, name);
    if (OidIsValid(base))
        lmtext_catalog_check_use(base);
    SPI_connect();
    new.version = Max(take_number(&new), Min(wanted, LMTEXT_VERSION_MAX));
    check_base_open(&new);
    make_table(&new);
    SPI_finish();
    return new.relid;
}

/* Where a version of this name would be made; schema and model are palloc'd. */
void
lmtext_version_place(const char *name, char **schema, char **model)
{
    creation new = {0};

    parse_name(&new, name);
    *schema = new.schema_name;
    *model = pstrdup(new.name.model);
}

/* What lmtext_version_create finds out first, for callers with hours of work before it. */
void
lmtext_version_check_name(const char *name)
{
    creation new = {0};

    parse_name(&new, name);
    (void)lmtext_record_check_versions(new.schema, new.name.model, &new.owner);
    check_owner_can(new.schema, new.owner);
}

/* ---- Place and number ---- */

/* The schema that CREATE TABLE would use, with its privilege checked. */
static void
parse_name(creation *new, const char *name)
{
    RangeVar *table;

    lmtext_name_parse(name, &new->name);
    if (new->name.version > 0)
        lmtext_name_refuse(
            name, "The number of a new version cannot be chosen: write the name without \"@\".");
    if (strlen(new->name.model) > LMTEXT_MODEL_NAME_MAX)
        lmtext_name_refuse(name, psprintf("It is longer than %d bytes.", LMTEXT_MODEL_NAME_MAX));
    table = makeRangeVar(new->name.schema, pstrdup(new->name.model), -1);
    new->schema = RangeVarGetAndCheckCreationNamespace(table, NoLock, NULL);
    if (isAnyTempNamespace(new->schema))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("a model version cannot be a temporary table")));
    new->schema_name = get_namespace_name(new->schema);
}

/*
 * The next version is given to the owner of those that are there: a name whose versions belonged to
 * several could be added to, or dropped, by nobody but a superuser. As ALTER TABLE ... OWNER has
 * it, the caller must be able to take that role, and the role to create tables in the schema.
 */
static void
check_owner_can(Oid schema, Oid owner)
{
    if (owner == GetUserId())
        return;
    if (!LMTEXT_MAY_BECOME(GetUserId(), owner))
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                 errmsg("must be able to SET ROLE \"%s\"", GetUserNameFromId(owner, false)),
                 errdetail("It owns the other versions of the model, so the new one is given "
                           "to it.")));
    if (!superuser() && !LMTEXT_MAY_CREATE_IN(schema, owner))
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                 errmsg("role \"%s\" may not create tables in schema \"%s\"",
                        GetUserNameFromId(owner, false), get_namespace_name(schema)),
                 errdetail("It owns the other versions of the model, so the new one is given "
                           "to it.")));
}

/* Above every number that was ever used, also by tables that came by other ways (a restore). */
static int
take_number(creation *new)
{
    lmtext_name_row row;
    int last;

    /* Before waiting for others, and after it. */
    (void)lmtext_record_check_versions(new->schema, new->name.model, &new->owner);
    lmtext_record_lock(new->schema_name, new->name.model);
    lmtext_record_read(new->schema_name, new->name.model, &row);
    last = Max(row.last_version,
               lmtext_record_check_versions(new->schema, new->name.model, &new->owner));
    check_owner_can(new->schema, new->owner);
    if (last >= LMTEXT_VERSION_MAX)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("model \"%s\" has no version numbers left", new->name.model),
                        errdetail("A model can have at most %d versions.", LMTEXT_VERSION_MAX)));
    return last + 1;
}

/* ---- Table and files ---- */
/*
 * Files are copied by chunks of 1 MB: large enough that a model has few rows, small enough that a
 * chunk is read and hashed in a millisecond and that TOAST need not build a gigabyte in memory.
 * Only one chunk is in memory at a time.
 */

/* A default of type regclass is a dependency that PostgreSQL records, dumps and restores. */
static char *
base_clause(Oid base)
{
    if (!OidIsValid(base))
        return "";
    return psprintf("base WITH OPTIONS DEFAULT %s::pg_catalog.regclass, ",
                    quote_literal_cstr(lmtext_table_name(base)));
}

/* EXTERNAL: weights do not compress, and a chunk is fetched whole. */
static void
make_table(creation *new)
{
    char *relation = psprintf("%s@%d", new->name.model, new->version);

    new->table = quote_qualified_identifier(new->schema_name, relation);
    lmtext_run_command(psprintf("CREATE TABLE %s OF lmtext.model_part (%sPRIMARY KEY (file, part))",
                                new->table, base_clause(new->base)));
    lmtext_run_command(
        psprintf("ALTER TABLE %s ALTER COLUMN data SET STORAGE EXTERNAL", new->table));
    if (new->owner != GetUserId())
        lmtext_run_command(psprintf("ALTER TABLE %s OWNER TO %s", new->table,
                                    quote_identifier(GetUserNameFromId(new->owner, false))));
    new->relid = lmtext_name_version(new->schema, new->name.model, new->version);
    if (!OidIsValid(new->relid))
        elog(ERROR, "table %s was not created", new->table);
    new->display = lmtext_catalog_display_name(new->relid);
}

/* As the caller, who has the privileges of the table's owner. */
static void
insert_part(SPIPlanPtr plan, text *file, int part, bytea *data)
{
    Datum values[3] = {PointerGetDatum(file), Int32GetDatum(part), PointerGetDatum(data)};
    int result = SPI_execute_plan(plan, values, NULL, false, 0);

    if (result != SPI_OK_INSERT)
        elog(ERROR, "SPI returned %s for an insert", SPI_result_code_string(result));
}

/* One plan for all rows of a version. */
static SPIPlanPtr
insert_plan(const creation *new)
{
    Oid types[3] = {TEXTOID, INT4OID, BYTEAOID};
    SPIPlanPtr plan = SPI_prepare(
        psprintf("INSERT INTO %s (file, part, data) VALUES ($1, $2, $3)", new->table), 3, types);

    if (plan == NULL)
        elog(ERROR, "SPI_prepare returned %s", SPI_result_code_string(SPI_result));
    return plan;
}

/* A file's name for a message. */
static char *
shown(const char *name)
{
    return lmtext_cstring_lossy(name, strlen(name));
}

/* Size of a file that must be there and must not have more chunks than int can count. */
static uint64_t
source_size(creation *new, const lm_source *source, const char *name)
{
    uint64_t size = 0;
    bool found = false;

    lmtext_check(&new->call, source->stat(&new->call.ctx, source->opaque, name, &found, &size),
                 new->display);
    if (!found)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FILE),
                        errmsg("model \"%s\": file \"%s\" is missing", new->display, shown(name))));
    if (size > (uint64_t)PG_INT32_MAX * LMTEXT_CHUNK_BYTES)
        ereport(ERROR,
                (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                 errmsg("model \"%s\": file \"%s\" is too large", new->display, shown(name))));
    return size;
}

/* One file, front to back, a chunk at a time; nothing of it is kept but its hash. */
static void
copy_file(creation *new, const lm_source *source, SPIPlanPtr plan, manifest_file *file)
{
    uint64_t size = source_size(new, source, file->name);
    bytea *chunk = palloc(VARHDRSZ + LMTEXT_CHUNK_BYTES);
    text *name = lmtext_text_from_utf8(file->name, strlen(file->name));
    pg_cryptohash_ctx *hash = lmtext_sha256_begin();
    int part = 0;

    for (uint64_t at = 0; at < size; at += LMTEXT_CHUNK_BYTES) {
        size_t length = Min(size - at, LMTEXT_CHUNK_BYTES);

        CHECK_FOR_INTERRUPTS();
        lmtext_check(
            &new->call,
            source->read(&new->call.ctx, source->opaque, file->name, at, VARDATA(chunk), length),
            new->display);
        SET_VARSIZE(chunk, VARHDRSZ + length);
        lmtext_sha256_add(hash, VARDATA(chunk), length);
        insert_part(plan, name, part++, chunk);
        lmtext_tell_progress((double)(new->manifest.bytes + at + length) / MEGABYTE, 0);
        lmtext_tell_now();
        LMTEXT_FAULT_POINT("chunk_stored");
    }
    lmtext_sha256_end(hash, file->sha256);
    file->size = size;
    (void)source_size(new, source, file->name); /* an error if the file changed meanwhile */
    pfree(chunk);
}

/* The engine says which files make the model; others in the folder are left alone. */
static void
copy_files(creation *new, const lm_source *source)
{
    SPIPlanPtr plan = insert_plan(new);
    lmtext_manifest *manifest = &new->manifest;
    lmtext_phase phase = {"copied", "MB"};
    lm_file_list list;

    lmtext_check(&new->call, lm_checkpoint_list(&new->call.ctx, &new->arena, source, &list),
                 new->display);
    for (size_t i = 0; i < list.count; i++)
        phase.total += (double)source_size(new, source, list.names[i]) / MEGABYTE;
    lmtext_tell_phase(&phase);
    manifest->files = palloc0(Max(list.count, 1) * sizeof(manifest_file));
    for (size_t i = 0; i < list.count; i++) {
        manifest_file *file = &manifest->files[manifest->file_count++];

        file->name = pstrdup(list.names[i]);
        copy_file(new, source, plan, file);
        manifest->bytes += file->size;
    }
    SPI_freeplan(plan);
}

/* ---- Checks ---- */
/*
 * Settings and headers are looked at in the source first: what is no model, or none for lmtext, is
 * refused before its gigabytes are copied. What decides is the second check, since a file can
 * change between the two. It is the loader's own way, over the rows as they were stored: plan,
 * fill, hashes. An import that returns has been loaded once. It costs the import a third of its
 * time and saves every later user an error that only the owner could mend.
 */

static lm_model_options
engine_options(const lmtext_version_options *options)
{
    return (lm_model_options){.max_tokens = options->max_tokens,
                              .dimensions = options->dimensions,
                              .as_embedding = options->as_embedding,
                              .task = options->task,
                              .plain_class = options->plain_class,
                              .precision = options->precision};
}

/* Where it is asked for. */
static void
compress(creation *new, const lmtext_version_options *options, lm_source *files)
{
    const lm_model_options model_options = engine_options(options);

    if (options->compressed)
        lmtext_precision_compress(&new->precision, &new->call, options, &model_options,
                                  new->display, files);
}

/* All but the weights; nothing of it is kept. */
static void
check_source(creation *new, const lm_source *source, const lmtext_version_options *options)
{
    lm_model_options model_options = engine_options(options);
    lm_notes notes; /* they come from the second check */
    lmtext_loader loader;

    lm_notes_init(&notes, options->stored);
    lmtext_loader_open_source(&loader, source, new->display);
    lmtext_loader_plan(&loader, &model_options, lm_kernels_active(), NULL, &notes);
    lm_arena_free(&loader.arena);
}

/* The copy in float32 is read beside the model, and goes with its memory. */
static char *
measure(creation *new, lmtext_copy *trial)
{
    MemoryContext old = MemoryContextSwitchTo(trial->call.memory);
    char *json = lmtext_precision_measure(new->relid, &new->manifest, &trial->call, trial->session,
                                          &trial->model, new->display);

    MemoryContextSwitchTo(old);
    return json != NULL ? pstrdup(json) : NULL;
}

/*
 * Load into memory that is thrown away: what loads here loads everywhere, weights included. What it
 * computes is kept for lmtext.selftest, and how near that is to float32 for the lists.
 */
static void
try_load(creation *new, lmtext_loader *loader, const lmtext_version_options *options)
{
    const lm_model *base = options->base_model;
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext image", ALLOCSET_DEFAULT_SIZES);
    MemoryContext old = MemoryContextSwitchTo(memory);
    lmtext_copy *trial = lmtext_loader_copy(loader);

    MemoryContextSwitchTo(old);
    lmtext_tell_phase(&(lmtext_phase){"trying the model"});
    new->needs_base = lm_model_needs_base(&trial->model);
    if (new->needs_base && base != NULL)
        lmtext_check(&trial->call, lm_model_set_base(&trial->call.ctx, &trial->model, base),
                     new->display);
    if (!new->needs_base || base != NULL)
        new->golden = lmtext_golden_make(&trial->call, trial->session, &trial->model, new->display);
    if (new->precision.metrics != NULL)
        new->metrics = new->precision.metrics;
    else if (options->precision != LM_PRECISION_F32 && !new->needs_base)
        new->metrics = measure(new, trial);
    MemoryContextDelete(memory);
}

/* File and key of a note, or NULL where it has none. */
static char *
note_location(const lm_note *note)
{
    if (note->file[0] == '\0')
        return NULL;
    if (note->key[0] == '\0')
        return psprintf("File \"%s\".", shown(note->file));
    return psprintf("File \"%s\", key \"%s\".", shown(note->file), shown(note->key));
}

/* One WARNING for each note. */
static void
report_notes(const creation *new)
{
    const lm_notes *notes = &new->notes;

    for (int i = 0; i < notes->count; i++) {
        char *location = note_location(&notes->items[i]);

        ereport(WARNING, (errmsg("model \"%s\": %s", new->display, shown(notes->items[i].message)),
                          location != NULL ? errdetail_internal("%s", location) : 0));
    }
    if (notes->dropped > 0)
        ereport(WARNING,
                (errmsg("model \"%s\": %d further warnings", new->display, notes->dropped)));
}

/* Read back what was stored, as every loader does, and every byte against its hash. */
static void
check_stored(creation *new, const lmtext_version_options *options)
{
    lm_model_options model_options = engine_options(options);
    lmtext_loader loader;

    lm_notes_init(&new->notes, options->stored);
    lmtext_tell_phase(&(lmtext_phase){"checked", "tensors", .by_engine = true});
    PushActiveSnapshot(GetTransactionSnapshot());
    lmtext_loader_open(&loader, new->relid, &new->manifest, new->display);
    lmtext_loader_plan(&loader, &model_options, lm_kernels_active(), &new->info, &new->notes);
    new->manifest.task = pstrdup(new->info.task);
    new->manifest.implied_class = new->info.implied_class;
    try_load(new, &loader, options);
    LMTEXT_FAULT_POINT("load_tried");
    PopActiveSnapshot();
    report_notes(new);
}

/*
 * A head fits the model that it is built on, and one on its embedding (its settings name no family)
 * has that model's family and window; anything else stands by itself.
 */
static void
check_base(creation *new)
{
    const lmtext_manifest *base = new->base_manifest;

    if (new->needs_base != (base != NULL))
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 new->needs_base
                     ? errmsg("model \"%s\" is a head and needs the model that it was trained on",
                              new->display)
                     : errmsg("model \"%s\" is not a head and cannot have a base", new->display),
                 new->needs_base &&new->info.family != NULL
                     ? errhint("Add it to that model with lmtext.add_head.")
                     : 0));
    if (new->info.family == NULL && base != NULL) {
        if (new->info.dimensions != base->dimensions)
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("model \"%s\" does not fit its base", new->display),
                            errdetail("It takes vectors of %d dimensions; the base computes %d.",
                                      new->info.dimensions, base->dimensions)));
        new->info.family = base->family;
        new->info.max_tokens = base->max_tokens;
    }
    new->manifest.max_tokens = new->info.max_tokens;
    new->manifest.truncate_dim = new->info.cut ? new->info.dimensions : 0;
}

/* A head is used by the right of its owner to the base: one that nobody could use is not made. */
static void
check_base_open(const creation *new)
{
    if (OidIsValid(new->base) && !lmtext_catalog_may_use(new->base, new->owner))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("permission denied for model \"%s\"",
                               lmtext_catalog_display_name(new->base)),
                        errdetail("Role \"%s\", which owns model \"%s\", may not use it.",
                                  GetUserNameFromId(new->owner, false), new->name.model),
                        lmtext_catalog_grant_hint(new->base, new->owner)));
}

/* Last of all: a table without a manifest is no version. */
static void
store_manifest(creation *new, const lmtext_version_options *options)
{
    lmtext_version_options stored = *options;
    SPIPlanPtr plan = insert_plan(new);

    if (new->metrics != NULL)
        stored.metrics = new->metrics;
    new->manifest.precision = options->precision;
    if (new->base_manifest != NULL) {
        new->manifest.has_base = true;
        new->manifest.base = new->base_manifest->digest;
    }
    new->manifest.digest = lmtext_manifest_digest(&new->manifest);
    if (new->golden != NULL)
        insert_part(plan, cstring_to_text(LMTEXT_GOLDEN_FILE), 0, new->golden);
    insert_part(
        plan, cstring_to_text(LMTEXT_MANIFEST_FILE), 0,
        lmtext_manifest_write(&new->call, &new->manifest, &new->info, &stored, new->golden));
    SPI_freeplan(plan);
    PushActiveSnapshot(GetTransactionSnapshot());
    (void)lmtext_manifest_read(new->relid); /* what was written is what loaders accept */
    PopActiveSnapshot();
}

/* Labels shown in a comment; lmtext.models has them all. */
#define COMMENT_LABELS 5

/* ", 3 labels: a, b, c" */
static void
append_labels(StringInfo out, const lm_model_info *info)
{
    appendStringInfo(out, ", %d label%s: ", (int)info->label_count,
                     info->label_count == 1 ? "" : "s");
    for (int i = 0; i < (int)info->label_count && i < COMMENT_LABELS; i++)
        appendStringInfo(out, "%s%s", i > 0 ? ", " : "", lmtext_clip(shown(info->labels[i])));
    if (info->label_count > COMMENT_LABELS)
        appendStringInfoString(out, ", ...");
}

/* What psql's \dt+ shows. Written once: the owner may write something else, and it stays. */
static void
describe_table(const creation *new)
{
    const lm_model_info *info = &new->info;
    StringInfoData text;

    initStringInfo(&text);
    appendStringInfo(&text, "lmtext model %s, version %d, ", new->name.model, new->version);
    if (OidIsValid(new->base))
        appendStringInfo(&text, "%s on %s", shown(info->task),
                         lmtext_catalog_display_name(new->base));
    else if (info->dimensions > 0)
        appendStringInfo(&text, "%s, %d dimensions, %s", shown(info->family), info->dimensions,
                         lm_precision_name(new->manifest.precision));
    else
        appendStringInfo(&text, "%s, %s", shown(info->family), shown(info->task));
    if (info->label_count > 0)
        append_labels(&text, info);
    lmtext_run_command(
        psprintf("COMMENT ON TABLE %s IS %s", new->table, quote_literal_cstr(text.data)));
}

/* Who has just made a version expects it to answer; with an old one there is nothing to see. */
static void
notice_waiting(const creation *new)
{
    if (new->deployed == new->version)
        return;
    ereport(NOTICE, (errmsg("model \"%s\" has a new version %d, but version %d is still deployed",
                            new->name.model, new->version, new->deployed),
                     errhint("To use the new version: SELECT lmtext.deploy(%s, %d);",
                             quote_literal_cstr(lmtext_catalog_call_name(new->relid, false)),
                             new->version)));
}
