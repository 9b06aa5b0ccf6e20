/*
 * origin.c - where an import reads from: a directory of the server, or large objects.
 *
 * Laws: who may not read files of the server gets one and the same error before anything of the
 * file system is looked at. Below lmtext.model_directory every name is resolved inside that
 * directory, links included, by the kernel. A directory's descriptor is closed by a callback of the
 * memory context that the origin was made in, so that an error cannot leak it.
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/pg_authid.h"
#include "libpq/be-fsstubs.h"
#include "libpq/libpq-fs.h"
#include "miscadmin.h"
#include "port.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "format/word_files.h"
#include "pg/catalog/names.h"
#include "pg/glue/init_once.h"
#include "pg/version/origin.h"

static char *model_directory = NULL;

/* A directory, read by names below `prefix`. */
typedef struct directory_origin {
    lmtext_origin origin; /* first */
    lm_source_dir *dir;
    lm_source inner;
    char prefix[MAXPGPATH]; /* "" or "sub/" */
    const char *file;       /* the path named it: word vectors; else NULL */
    MemoryContextCallback closer;
} directory_origin;

typedef struct object_file {
    char *name; /* UTF-8 */
    int descriptor;
    uint64_t size, position;
} object_file;

typedef struct object_origin {
    lmtext_origin origin; /* first */
    int count;
    object_file *files;
} object_origin;

static void refuse_directory(bool reads_files);
static void open_place(directory_origin *origin, char *place);
static void settle(directory_origin *origin, char *rest);
static const char *directory_words(lmtext_origin *origin);
static const char *objects_words(lmtext_origin *origin);
static void open_directory(directory_origin *origin, const char *path, bool beneath);
static void close_directory(lmtext_origin *origin);
static lm_status directory_stat(lm_context *ctx, void *opaque, const char *name, bool *found,
                                uint64_t *size);
static lm_status directory_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset,
                                void *dest, size_t length);
static void open_objects(object_origin *origin, Jsonb *files);
static void close_objects(lmtext_origin *origin);
static lm_status objects_stat(lm_context *ctx, void *opaque, const char *name, bool *found,
                              uint64_t *size);
static lm_status objects_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset,
                              void *dest, size_t length);

/* ---- Directories ---- */
/*
 * Three cases: a role that may read any file of the server names an absolute path, and links are
 * followed (a hub cache is made of them); a path below lmtext.model_directory is opened from there,
 * confined, for everybody who may call import_model; all else is refused with one message. The
 * comparison of paths is by text only and decides no more than which case it is: what is really
 * opened below the directory, the kernel decides.
 */

/* Who is asking is settled first; which way a name is resolved follows from it. */
lmtext_origin *
lmtext_origin_directory(const char *path)
{
    directory_origin *origin = palloc0(sizeof(*origin));
    bool reads_files = has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES);
    char *place = pstrdup(path);
    char rest[MAXPGPATH];

    canonicalize_path(place);
    lmtext_call_init(&origin->origin.call, CurrentMemoryContext);
    origin->origin.source.opaque = origin;
    origin->origin.source.stat = directory_stat;
    origin->origin.source.read = directory_read;
    origin->origin.close = close_directory;
    origin->origin.find_words = directory_words;
    if (is_absolute_path(place) && reads_files) {
        open_place(origin, place);
    } else if (lmtext_below_model_directory(place, rest)) {
        open_directory(origin, model_directory, true);
        settle(origin, rest);
    } else {
        refuse_directory(reads_files);
    }
    return &origin->origin;
}

/* One message whatever there is at the path. */
static void
refuse_directory(bool reads_files)
{
    if (reads_files)
        ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
                        errmsg("a relative path is allowed only below lmtext.model_directory"),
                        errhint("Write an absolute path. Large objects are given as jsonb: "
                                "'{\"config.json\": 16400, …}'::jsonb.")));
    ereport(
        ERROR,
        (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
         errmsg("permission denied to import from that directory"),
         errdetail("Only roles with privileges of pg_read_server_files may import from any "
                   "directory."),
         errhint(
             "Other roles can import from below lmtext.model_directory, or from large objects.")));
}

bool
lmtext_below_model_directory(const char *path, char *rest)
{
    const char *below = path;

    if (model_directory == NULL || model_directory[0] == '\0' || strlen(path) >= MAXPGPATH - 2 ||
        path_contains_parent_reference(path))
        return false;
    if (is_absolute_path(path)) {
        if (!path_is_prefix_of_path(model_directory, path))
            return false;
        below = path + strlen(model_directory);
        while (*below == '/')
            below++;
    }
    strlcpy(rest, strcmp(below, ".") == 0 ? "" : below, MAXPGPATH);
    return true;
}

const char *
lmtext_model_directory(void)
{
    return model_directory;
}

/* Twice does no harm: the callback comes after a close, too. */
static void
close_directory(lmtext_origin *base)
{
    directory_origin *origin = (directory_origin *)base;

    if (origin->dir != NULL)
        lm_source_dir_close(&base->call.ctx, origin->dir);
    origin->dir = NULL;
}

/* The memory context goes, on whatever way. */
static void
directory_callback(void *opaque)
{
    close_directory(opaque);
}

/* The callback is there before the descriptor is. */
static void
open_directory(directory_origin *origin, const char *path, bool beneath)
{
    lmtext_call *call = &origin->origin.call;
    lm_status status;

    origin->closer.func = directory_callback;
    origin->closer.arg = origin;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, &origin->closer);
    status = LMTEXT_FAULT_READ(&call->ctx, path);
    if (status == LM_OK)
        status = lm_source_dir_open(&call->ctx, path, beneath, &origin->dir, &origin->inner);
    if (status != LM_OK)
        origin->dir = NULL;
    lmtext_check(call, status, NULL);
    LMTEXT_FAULT_POINT("directory_open");
}

/* A file of word vectors is read from the directory that it is in. */
static void
open_place(directory_origin *origin, char *place)
{
    char *slash = last_dir_separator(place);

    if (!lm_word_file_name(slash + 1)) {
        open_directory(origin, place, false);
        return;
    }
    *slash = '\0';
    open_directory(origin, slash == place ? "/" : place, false);
    settle(origin, slash + 1);
}

static lm_status
take_no_name(lm_context *ctx, void *state, const char *name)
{
    return LM_OK;
}

/* The path below the directory that was opened: of a folder, or of a file of word vectors. */
static void
settle(directory_origin *origin, char *rest)
{
    lmtext_call *call = &origin->origin.call;
    char *slash = last_dir_separator(rest);
    const char *base = slash != NULL ? slash + 1 : rest;
    bool is_folder = true;

    if (lm_word_file_name(base))
        lmtext_check(
            call,
            lm_source_dir_names(&call->ctx, origin->dir, rest, take_no_name, NULL, &is_folder),
            NULL);
    if (!is_folder) {
        origin->file = pstrdup(base);
        rest[base - rest] = '\0';
        strlcpy(origin->prefix, rest, MAXPGPATH);
    } else {
        snprintf(origin->prefix, MAXPGPATH, "%s%s", rest, rest[0] != '\0' ? "/" : "");
    }
}

/* Ordinary folders have config.json, and are not listed. */
static const char *
directory_words(lmtext_origin *base)
{
    directory_origin *origin = (directory_origin *)base;
    lm_context *ctx = &base->call.ctx;
    lm_word_find find = {.count = 0};
    const char *name = origin->file;
    bool found;
    uint64_t size;

    if (name != NULL)
        return name;
    lmtext_check(&base->call, base->source.stat(ctx, origin, "config.json", &found, &size), NULL);
    if (found)
        return NULL;
    lmtext_check(
        &base->call,
        lm_source_dir_names(ctx, origin->dir, origin->prefix, lm_word_find_take, &find, &found),
        NULL);
    lmtext_check(&base->call, lm_word_find_end(ctx, &find, &name), NULL);
    return name != NULL ? pstrdup(name) : NULL;
}

/* Name below the directory that was opened; LM_TOO_LARGE when there is no room for it. */
static lm_status
directory_name(lm_context *ctx, const directory_origin *origin, const char *name, char *full)
{
    if (snprintf(full, MAXPGPATH, "%s%s", origin->prefix, name) < MAXPGPATH)
        return LM_OK;
    lm_raise(ctx, LM_TOO_LARGE, "the path of a file is too long");
    return lm_detail_file(ctx, name);
}

/* The source of the engine, with the prefix put before each name. */
static lm_status
directory_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    directory_origin *origin = opaque;
    char full[MAXPGPATH];

    LM_TRY(LMTEXT_FAULT_READ(ctx, name));
    LM_TRY(directory_name(ctx, origin, name, full));
    return origin->inner.stat(ctx, origin->inner.opaque, full, found, size);
}

static lm_status
directory_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
               size_t length)
{
    directory_origin *origin = opaque;
    char full[MAXPGPATH];

    LM_TRY(LMTEXT_FAULT_READ(ctx, name));
    LM_TRY(directory_name(ctx, origin, name, full));
    return origin->inner.read(ctx, origin->inner.opaque, full, offset, dest, length);
}

const char *
lmtext_origin_words(lmtext_origin *origin)
{
    return origin->find_words(origin);
}

/* After success; after an error the transaction's end does it. */
void
lmtext_origin_close(lmtext_origin *origin)
{
    LMTEXT_FAULT_POINT("origin_closing");
    origin->close(origin);
}

/* ---- Large objects ---- */
/*
 * Read by the functions behind lo_open and lo_lseek64 rather than by inv_open: they check
 * privileges, and they clean up the relation that large objects are read through at the end of the
 * transaction, which direct users of inv_api.c would leak.
 */

/* The way for clients without access to the server's files: \lo_import, then a map of names. */
lmtext_origin *
lmtext_origin_objects(Jsonb *files)
{
    object_origin *origin = palloc0(sizeof(*origin));

    lmtext_call_init(&origin->origin.call, CurrentMemoryContext);
    origin->origin.source.opaque = origin;
    origin->origin.source.stat = objects_stat;
    origin->origin.source.read = objects_read;
    origin->origin.close = close_objects;
    origin->origin.find_words = objects_words;
    if (!JB_ROOT_IS_OBJECT(files))
        ereport(
            ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("files must be a JSON object"),
             errhint(
                 "Write file names and OIDs of large objects: {\"config.json\": 16384, ...}.")));
    open_objects(origin, files);
    return &origin->origin;
}

/* A large object's OID is a number that fits; anything else is 0, which names none. */
static Oid
object_oid(const JsonbValue *value)
{
    int64 number;

    if (value->type != jbvNumeric || numeric_is_nan(value->val.numeric) ||
        numeric_is_inf(value->val.numeric))
        return InvalidOid;
    number = DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric)));
    return number > 0 && number <= OID_MAX ? (Oid)number : InvalidOid;
}

/* Opening as lo_open does checks the privilege and ends with the transaction at the latest. */
static void
open_object(object_file *file, Oid object)
{
    Datum descriptor =
        DirectFunctionCall2(be_lo_open, ObjectIdGetDatum(object), Int32GetDatum(INV_READ));
    Datum size =
        DirectFunctionCall3(be_lo_lseek64, descriptor, Int64GetDatum(0), Int32GetDatum(SEEK_END));

    file->descriptor = DatumGetInt32(descriptor);
    file->size = file->position = DatumGetInt64(size);
}

/* All are opened before any is read: a privilege that is missing shows at once. */
static void
open_objects(object_origin *origin, Jsonb *files)
{
    lmtext_call *call = &origin->origin.call;
    JsonbIterator *iterator = JsonbIteratorInit(&files->root);
    JsonbIteratorToken token;
    JsonbValue value;

    origin->files = palloc0(Max(JB_ROOT_COUNT(files), 1) * sizeof(object_file));
    while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
        object_file *file = &origin->files[origin->count];
        Oid object;

        if (token == WJB_KEY) {
            lm_text name = lmtext_utf8_from_bytes(value.val.string.val, value.val.string.len);

            file->name = pnstrdup(name.bytes, name.length);
            lmtext_check(call, lm_source_check_name(&call->ctx, file->name), NULL);
        } else if (token == WJB_VALUE) {
            object = object_oid(&value);
            if (!OidIsValid(object))
                ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                                errmsg("file \"%s\" must be the OID of a large object",
                                       lmtext_cstring_lossy(file->name, strlen(file->name)))));
            LMTEXT_FAULT_FETCH();
            open_object(file, object);
            LMTEXT_FAULT_POINT("object_open");
            origin->count++;
        }
    }
}

/* A descriptor that stays open would last until the transaction ends. */
static void
close_objects(lmtext_origin *base)
{
    const object_origin *origin = (const object_origin *)base;

    for (int i = 0; i < origin->count; i++)
        DirectFunctionCall1(be_lo_close, Int32GetDatum(origin->files[i].descriptor));
}

static const char *
objects_words(lmtext_origin *base)
{
    object_origin *origin = (object_origin *)base;
    lm_word_find find = {.count = 0};
    const char *name;

    for (int i = 0; i < origin->count; i++)
        lmtext_check(&base->call, lm_word_find_take(&base->call.ctx, &find, origin->files[i].name),
                     NULL);
    lmtext_check(&base->call, lm_word_find_end(&base->call.ctx, &find, &name), NULL);
    return name != NULL ? pstrdup(name) : NULL;
}

/* NULL where the map does not have the name: many files of a model are optional. */
static object_file *
find_object(const object_origin *origin, const char *name)
{
    for (int i = 0; i < origin->count; i++)
        if (strcmp(origin->files[i].name, name) == 0)
            return &origin->files[i];
    return NULL;
}

/* Sizes are those at the opening; the snapshot of the statement holds them still. */
static lm_status
objects_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    const object_file *file = find_object(opaque, name);

    LM_TRY(LMTEXT_FAULT_READ(ctx, name));
    *found = file != NULL;
    *size = file != NULL ? file->size : 0;
    return LM_OK;
}

/* May throw. Returns false where the object ends early. */
static bool
read_object(object_file *file, uint64_t offset, char *dest, size_t length)
{
    LMTEXT_FAULT_FETCH();
    if (file->position != offset)
        DirectFunctionCall3(be_lo_lseek64, Int32GetDatum(file->descriptor),
                            Int64GetDatum((int64)offset), Int32GetDatum(SEEK_SET));
    file->position = offset;
    while (length > 0) {
        int got = lo_read(file->descriptor, dest, (int)Min(length, LMTEXT_CHUNK_BYTES));

        if (got <= 0)
            return false;
        file->position += got;
        dest += got;
        length -= got;
    }
    return true;
}

/* Not inlined: locals of the caller must not live in registers across the jump. */
static pg_noinline lm_status
read_caught(lmtext_call *call, object_file *file, uint64_t offset, char *dest, size_t length,
            bool *whole)
{
    MemoryContext caller = CurrentMemoryContext;
    volatile lm_status status = LM_OK;

    PG_TRY();
    {
        *whole = read_object(file, offset, dest, length);
    }
    PG_CATCH();
    {
        status = lmtext_call_keep_error(call);
    }
    PG_END_TRY();
    MemoryContextSwitchTo(caller);
    return status;
}

static lm_status
objects_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
             size_t length)
{
    object_file *file = find_object(opaque, name);
    bool whole = false;

    if (file != NULL)
        LM_TRY(read_caught((lmtext_call *)ctx, file, offset, dest, length, &whole));
    if (whole)
        return LM_OK;
    lm_raise(ctx, LM_IO_ERROR, "a large object ended early");
    return lm_detail_file(ctx, name);
}

/* ---- Setting ---- */

/* Compared by text with what callers write, so it is kept in one form. */
static bool
check_model_directory(char **value, void **extra, GucSource source)
{
    if ((*value)[0] == '\0')
        return true;
    if (!is_absolute_path(*value)) {
        GUC_check_errdetail("The directory must be an absolute path.");
        return false;
    }
    canonicalize_path(*value);
    return true;
}

void
lmtext_version_init(void)
{
    LMTEXT_SETTING(
        String, "lmtext.model_directory", "Sets the directory below which models may be imported.",
        "Roles without pg_read_server_files that may call lmtext.import_model can import from it. "
        "An empty string means none.",
        &model_directory, "", PGC_SUSET, 0, check_model_directory, NULL, NULL);
}
