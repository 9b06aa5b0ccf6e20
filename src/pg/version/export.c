/*
 * export.c - the files of a version written into a new directory of the server.
 *
 * The directory is made first, empty, which claims its name; files are written into a second one
 * beside it, synced, and that one is renamed over the first. So the folder is there whole or not at
 * all, nothing that exists is ever written to, and no name is looked up where others can put links.
 *
 * Laws: names come from a table that its owner can write, so they are checked as those of an
 * import. Who may not write files of the server learns nothing about them: one message, before the
 * file system is touched. Below lmtext.model_directory the kernel resolves the path inside it. What
 * was made is removed on any error, FATAL ones included.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef SYS_openat2
#include <linux/openat2.h>
#endif

#include "catalog/pg_authid.h"
#include "common/file_perm.h"
#include "miscadmin.h"
#include "port.h"
#include "storage/ipc.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/rls.h"

#include "model/added_head.h"
#include "pg/version/head.h"
#include "pg/version/origin.h"

#define RENAME_RETRIES 100
#define TEMPORARY_TRIES 100

/* An export under way; `made` counts what is to be removed if it fails. */
typedef struct export
{
    lmtext_call call;
    const lmtext_manifest *manifest;
    bool joined; /* a head is written with the encoder of its base */
    lm_source source;
    char *model;      /* for messages */
    const char *path; /* as the caller wrote it, for messages */
    char last[MAXPGPATH];
    char temporary[64];
    int parent, folder; /* descriptors, or −1 */
    bool claimed;       /* the empty directory is there */
    bool made;          /* the other one is there */
    List *folders;      /* names below it, the last made first */
    List *files;        /* those that were begun */
    int file;           /* descriptor of the one that is being written, or −1 */
}
export;

static void open_parent(export *ex, const char *directory);
static void write_folder(export *ex);
static void write_file(export *ex, const struct lmtext_manifest_file *file);
static void write_whole(export *ex, Oid relid);
static void publish(export *ex);
static void remove_all(int code, Datum argument);

/* The manifest is checked, and files against their hashes as they pass: a changed version is XX001.
 */
void
lmtext_version_export(Oid relid, const char *directory)
{
    export *ex = palloc0(sizeof(*ex));
    lmtext_chunks *chunks;

    ex->model = lmtext_catalog_display_name(relid);
    lmtext_version_check_export(relid);
    ex->parent = ex->folder = ex->file = -1;
    ex->path = directory;
    lmtext_call_init(&ex->call, CurrentMemoryContext);
    ex->manifest = lmtext_manifest_read(relid);
    ex->joined = lmtext_head_is_added(ex->manifest);
    if (ex->joined) {
        Oid base = lmtext_catalog_base(relid);

        lmtext_version_check_export(base);
    }
    PG_ENSURE_ERROR_CLEANUP(remove_all, PointerGetDatum(ex));
    {
        open_parent(ex, directory);
        chunks = lmtext_chunks_open(relid, ex->manifest, &ex->source);
        write_folder(ex);
        if (ex->joined)
            write_whole(ex, relid);
        lmtext_chunks_verify_and_close(chunks);
        publish(ex);
    }
    PG_END_ENSURE_ERROR_CLEANUP(remove_all, PointerGetDatum(ex));
    close(ex->parent);
}

/* ---- Who may ---- */

/* All of the table, as COPY TO asks it; a policy that hides rows is not gone round. */
void
lmtext_version_check_export(Oid relid)
{
    const char *model = lmtext_catalog_display_name(relid);

    if (!lmtext_catalog_is_model(relid))
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("relation \"%s\" is not a model version", model)));
    if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
        pg_attribute_aclcheck_all(relid, GetUserId(), ACL_SELECT, ACLMASK_ALL) != ACLCHECK_OK)
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("permission denied to export model \"%s\"", model),
                        errhint("Its owner can grant SELECT on the version's table.")));
    if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("permission denied to export model \"%s\"", model),
                        errdetail("Row-level security is enabled on its table.")));
}

/* One message whatever there is at the path. */
static void
refuse_directory(bool writes_files)
{
    if (writes_files)
        ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
                        errmsg("a relative path is allowed only below lmtext.model_directory"),
                        errhint("Write an absolute path.")));
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                    errmsg("permission denied to export to that directory"),
                    errdetail("Only roles with privileges of pg_write_server_files may export to "
                              "any directory."),
                    errhint("Other roles can export to places below lmtext.model_directory.")));
}

/* ---- Where ---- */

/* A path or the name of a file for a message. */
static char *
shown(const char *name)
{
    return lmtext_clip(lmtext_cstring_lossy(name, strlen(name)));
}

static void
throw_errno(const export *ex, const char *what, const char *name)
{
    int code = errno;

    if (code == EEXIST || code == ENOTEMPTY)
        ereport(ERROR, (errcode(ERRCODE_DUPLICATE_FILE),
                        errmsg("file or directory \"%s\" already exists", shown(name)),
                        errhint("Name a directory that does not exist: the export creates it.")));
    if (code == EXDEV || code == ELOOP || code == ENOSYS)
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("permission denied to export to that directory"),
                        code == ENOSYS
                            ? errdetail("Links can be confined to a directory only on Linux 5.6 "
                                        "or newer, with the system call openat2.")
                            : errdetail("A link leads out of lmtext.model_directory.")));
    errno = code;
    ereport(ERROR,
            (code == ENAMETOOLONG ? errcode(ERRCODE_UNDEFINED_FILE) : errcode_for_file_access(),
             errmsg("model \"%s\": could not %s \"%s\": %m", ex->model, what, shown(name))));
}

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* Open a path below fd without leaving it. */
static int
open_beneath(int fd, const char *path)
{
#ifdef SYS_openat2
    struct open_how how = {.flags = FOLDER_FLAGS,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long opened;
    int tries = 0;

    do
        opened = syscall(SYS_openat2, fd, path, &how, sizeof(how));
    while (opened < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < RENAME_RETRIES)));
    return (int)opened;
#else
    errno = ENOSYS;
    return -1;
#endif
}

/* The last name of a path goes to ex->last; what is before it stays. */
static void
split_path(export *ex, char *path)
{
    char *slash = last_dir_separator(path);

    strlcpy(ex->last, slash != NULL ? slash + 1 : path, MAXPGPATH);
    if (slash == NULL)
        strcpy(path, ".");
    else
        slash[slash == path ? 1 : 0] = '\0';
    if (ex->last[0] == '\0' || strcmp(ex->last, ".") == 0 || strcmp(ex->last, "..") == 0)
        ereport(ERROR, (errcode(ERRCODE_DUPLICATE_FILE),
                        errmsg("file or directory \"%s\" already exists", shown(ex->path)),
                        errhint("Name a directory that does not exist: the export creates it.")));
}

/* Where the folder is to be made: by whom the path may be named decides how it is resolved. */
static void
open_parent(export *ex, const char *directory)
{
    bool writes_files = has_privs_of_role(GetUserId(), ROLE_PG_WRITE_SERVER_FILES);
    char *path = pstrdup(directory);
    char rest[MAXPGPATH];

    canonicalize_path(path);
    if (is_absolute_path(path) && writes_files) {
        split_path(ex, path);
        ex->parent = open(path, FOLDER_FLAGS);
    } else if (lmtext_below_model_directory(path, rest)) {
        int root = open(lmtext_model_directory(), FOLDER_FLAGS);

        split_path(ex, rest);
        ex->parent = root < 0 ? -1 : open_beneath(root, rest);
        if (root >= 0) {
            int code = errno;

            close(root);
            errno = code;
        }
    } else {
        refuse_directory(writes_files);
    }
    if (ex->parent < 0)
        throw_errno(ex, "open the directory of", directory);
}

/* ---- Writing ---- */

/* A crash may have left the folder of another process of this number; what it holds stays. */
static void
make_temporary(export *ex)
{
    for (int i = 0; !ex->made; i++) {
        snprintf(ex->temporary, sizeof(ex->temporary), ".lmtext-export.%d.%d", MyProcPid, i);
        ex->made = mkdirat(ex->parent, ex->temporary, pg_dir_create_mode) == 0;
        if (!ex->made && (errno != EEXIST || i == TEMPORARY_TRIES))
            throw_errno(ex, "make the directory", ex->temporary);
    }
}

/* Claim the name, and make the folder that will take it. */
static void
write_folder(export *ex)
{
    if (mkdirat(ex->parent, ex->last, pg_dir_create_mode) != 0)
        throw_errno(ex, "make the directory", ex->path);
    ex->claimed = true;
    make_temporary(ex);
    ex->folder = openat(ex->parent, ex->temporary, FOLDER_FLAGS | O_NOFOLLOW);
    if (ex->folder < 0)
        throw_errno(ex, "open the directory", ex->temporary);
    for (int i = 0; i < ex->manifest->file_count; i++)
        if (!ex->joined || strcmp(ex->manifest->files[i].name, LM_HEAD_TENSORS) != 0)
            write_file(ex, &ex->manifest->files[i]);
}

/* The folders of "1_Pooling/config.json", those that are not there yet. */
static void
make_folders(export *ex, const char *name)
{
    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        char *folder = pnstrdup(name, slash - name);

        if (mkdirat(ex->folder, folder, pg_dir_create_mode) == 0)
            ex->folders = lcons(folder, ex->folders);
        else if (errno != EEXIST)
            throw_errno(ex, "make the directory", folder);
    }
}

/* All bytes, or an error that names the file. */
static void
write_bytes(export *ex, const char *name, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(ex->file, bytes, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            errno = written == 0 ? ENOSPC : errno;
            throw_errno(ex, "write file", name);
        }
        bytes += written;
        length -= written;
    }
}

/* New in a folder that is new: O_EXCL catches a name that the manifest has twice. */
static void
begin_file(export *ex, const char *name)
{
    ex->file = openat(ex->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                      pg_file_create_mode);
    if (ex->file < 0)
        throw_errno(ex, "make file", name);
    ex->files = lappend(ex->files, pstrdup(name));
}

static void
end_file(export *ex, const char *name)
{
    int descriptor = ex->file;

    if (enableFsync && fsync(descriptor) != 0)
        throw_errno(ex, "sync file", name);
    ex->file = -1;
    if (close(descriptor) != 0)
        throw_errno(ex, "close file", name);
}

/* A stretch of a file of a source, from `start` on. */
static void
copy_bytes(export *ex, const lm_source *source, const char *file, uint64 start, uint64 size,
           const char *name)
{
    char *piece = palloc(LMTEXT_CHUNK_BYTES);

    for (uint64 at = 0; at < size; at += LMTEXT_CHUNK_BYTES) {
        size_t length = Min(size - at, LMTEXT_CHUNK_BYTES);

        CHECK_FOR_INTERRUPTS();
        lmtext_check(&ex->call,
                     source->read(&ex->call.ctx, source->opaque, file, start + at, piece, length),
                     ex->model);
        write_bytes(ex, name, piece, length);
    }
    pfree(piece);
}

static void
write_file(export *ex, const struct lmtext_manifest_file *file)
{
    lmtext_check(&ex->call, lm_source_check_name(&ex->call.ctx, file->name), ex->model);
    make_folders(ex, file->name);
    begin_file(ex, file->name);
    copy_bytes(ex, &ex->source, file->name, 0, file->size, file->name);
    end_file(ex, file->name);
}

/* The weights of the model that a head was taken from: its base's encoder and its own. */
static void
write_whole(export *ex, Oid relid)
{
    static const char name[] = "model.safetensors";
    lmtext_whole_model whole;

    lmtext_whole_open(&whole, &ex->call, relid, ex->manifest, ex->model);
    begin_file(ex, name);
    write_bytes(ex, name, whole.header.data, whole.header.size);
    for (size_t i = 0; i < whole.count; i++) {
        const lm_tensor *tensor = whole.tensors[i].tensor;

        copy_bytes(ex, whole.tensors[i].source, tensor->file, tensor->offset, tensor->bytes, name);
    }
    end_file(ex, name);
    lmtext_whole_close(&whole);
}

static void
sync_folder(const export *ex, int descriptor, const char *name)
{
    if (enableFsync && fsync(descriptor) != 0)
        throw_errno(ex, "sync the directory", name);
}

/* Folders are synced inside out, then the new one takes the place of the empty one. */
static void
publish(export *ex)
{
    ListCell *cell;

    foreach (cell, ex->folders) {
        const char *name = lfirst(cell);

        ex->file = openat(ex->folder, name, FOLDER_FLAGS | O_NOFOLLOW);
        if (ex->file < 0)
            throw_errno(ex, "open the directory", name);
        sync_folder(ex, ex->file, name);
        close(ex->file);
        ex->file = -1;
    }
    sync_folder(ex, ex->folder, ex->temporary);
    if (renameat(ex->parent, ex->temporary, ex->parent, ex->last) != 0)
        throw_errno(ex, "rename to", ex->path);
    ex->temporary[0] = '\0';
    sync_folder(ex, ex->parent, ex->path);
    close(ex->folder);
    ex->folder = -1;
}

/* Removes only what this export made; what somebody else put there keeps its folder. */
static void
remove_all(int code, Datum argument)
{
    export *ex = (export *)DatumGetPointer(argument);
    const char *name = ex->temporary[0] != '\0' ? ex->temporary : ex->last;
    ListCell *cell;

    if (ex->file >= 0)
        close(ex->file);
    foreach (cell, ex->folder >= 0 ? ex->files : NIL)
        unlinkat(ex->folder, lfirst(cell), 0);
    foreach (cell, ex->folders)
        unlinkat(ex->folder, lfirst(cell), AT_REMOVEDIR);
    if (ex->folder >= 0)
        close(ex->folder);
    if (ex->made)
        unlinkat(ex->parent, name, AT_REMOVEDIR);
    if (ex->claimed)
        unlinkat(ex->parent, ex->last, AT_REMOVEDIR);
    if (ex->parent >= 0)
        close(ex->parent);
}
