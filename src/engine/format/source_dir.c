/*
 * source_dir.c - a directory of the file system as a source.
 *
 * Laws. A file is opened relative to the directory's descriptor, checked by fstat on what was
 * opened (never by name first), and read by pread; it is never mapped, so a file that shrinks
 * meanwhile is an error and no SIGBUS. O_NONBLOCK keeps a FIFO from blocking open. One file stays
 * open from call to call: readers take a file in many pieces, and a file replaced meanwhile is
 * still read whole from the old one. Confined sources leave path resolution to
 * openat2(RESOLVE_BENEATH): checking links by hand would be a race. A file that is written over in
 * place while it is read is recognised by its time of modification: see lm_source.
 */
#include "format/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef SYS_openat2
#include <linux/openat2.h>
#endif

#include "base/size.h"
#include "format/other_weights.h"

/* Bytes between two polls of cancel; about a millisecond from the page cache. */
#define PIECE ((size_t)4 << 20)

/* openat2 fails with EAGAIN while a directory on the way is being renamed. */
#define RENAME_RETRIES 100

struct lm_source_dir {
    int fd;
    bool beneath;
    int file_fd;              /* the file open at present, or -1 */
    char name[256];           /* of that file */
    uint64_t size;            /* of that file, when it was opened */
    struct timespec modified; /* likewise */
};

static lm_status dir_stat(lm_context *ctx, void *opaque, const char *name, bool *found,
                          uint64_t *size);
static lm_status dir_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset,
                          void *dest, size_t length);

/* --- opening ---------------------------------------------------------------------------------- */
/*
 * What can be wrong with a path is found out by the kernel in one call, on the object that is then
 * read. A missing file is an answer and not an error, since many files of a model are optional.
 */

/* The status of a failed system call on a name; `what` says what was tried. */
static lm_status
raise_errno(lm_context *ctx, int error, const char *what, const char *name)
{
    lm_status status = LM_IO_ERROR;

    if (error == ECANCELED)
        return lm_raise(ctx, LM_CANCELLED, "cancelled"); /* see goes_on */
    if (error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG)
        status = LM_NO_FILE;
    else if (error == EACCES || error == EPERM || error == ELOOP || error == EXDEV)
        status = LM_DENIED;
    lm_raise(ctx, status, "could not %s: %s", what, strerror(error));
    lm_detail_file(ctx, name);
    if (error == EXDEV)
        lm_detail_allowed(ctx, "links that stay inside the directory");
    return status;
}

/* After EINTR a call is made again, but not against the caller's will. */
static bool
goes_on(lm_context *ctx)
{
    if (errno != EINTR)
        return false;
    if (lm_poll(ctx) == LM_OK)
        return true;
    errno = ECANCELED;
    return false;
}

lm_status
lm_source_dir_open(lm_context *ctx, const char *path, bool beneath, lm_source_dir **dir,
                   lm_source *source)
{
    lm_source_dir *made = lm_alloc_zero(ctx, sizeof *made);

    *dir = NULL;
    if (!made)
        return LM_NO_MEMORY;
    made->beneath = beneath;
    made->file_fd = -1;
    do
        made->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (made->fd < 0 && goes_on(ctx));
    if (made->fd < 0) {
        int error = errno;

        lm_free(ctx, made);
        if (error == ENOTDIR)
            LM_TRY(lm_other_weights_check_path(ctx, path));
        return raise_errno(ctx, error, "open the directory", path);
    }
    *dir = made;
    *source = (lm_source){made, dir_stat, dir_read};
    return LM_OK;
}

/* Forget the open file; errors of close say nothing about a file that was only read. */
static void
close_file(lm_source_dir *dir)
{
    if (dir->file_fd >= 0)
        close(dir->file_fd);
    dir->file_fd = -1;
}

/* Releases descriptors and memory; NULL is a directory that never opened. */
void
lm_source_dir_close(lm_context *ctx, lm_source_dir *dir)
{
    if (!dir)
        return;
    close_file(dir);
    close(dir->fd);
    lm_free(ctx, dir);
}

#define FILE_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* Open path below fd without leaving it; -1 with errno, ENOSYS where the kernel cannot promise it.
 */
static int
open_beneath(lm_context *ctx, int fd, const char *path, int flags)
{
#ifdef SYS_openat2
    struct open_how how = {.flags = (uint64_t)flags,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long opened;
    int tries = 0;

    do
        opened = syscall(SYS_openat2, fd, path, &how, sizeof how);
    while (opened < 0 && (goes_on(ctx) || (errno == EAGAIN && ++tries < RENAME_RETRIES)));
    return (int)opened;
#else
    errno = ENOSYS;
    return -1;
#endif
}

/* Open path below fd; links lead where they lead. */
static int
open_following(lm_context *ctx, int fd, const char *path, int flags)
{
    int opened;

    do
        opened = openat(fd, path, flags);
    while (opened < 0 && goes_on(ctx));
    return opened;
}

/* Open path in the directory, confined where it is. */
static int
open_in(lm_context *ctx, const lm_source_dir *dir, const char *path, int flags)
{
    return dir->beneath ? open_beneath(ctx, dir->fd, path, flags)
                        : open_following(ctx, dir->fd, path, flags);
}

static lm_status
refuse_open(lm_context *ctx, int error, const char *what, const char *name)
{
    if (error != ENOSYS)
        return raise_errno(ctx, error, what, name);
    lm_raise(ctx, LM_DENIED, "this kernel cannot confine links to a directory");
    lm_detail_file(ctx, name);
    return lm_detail_hint(ctx, "Use Linux 5.6 or newer, which has the system call openat2.");
}

/* Open a file of the directory; -1 when it is missing. */
static lm_status
open_name(lm_context *ctx, const lm_source_dir *dir, const char *name, int *fd)
{
    int error;

    *fd = open_in(ctx, dir, name, FILE_FLAGS);
    error = errno;
    if (*fd >= 0 || error == ENOENT || error == ENOTDIR)
        return LM_OK;
    return refuse_open(ctx, error, "open a file of the model", name);
}

/* Whether `name` is the file that is open. */
static bool
is_open(const lm_source_dir *dir, const char *name)
{
    return dir->file_fd >= 0 && strcmp(dir->name, name) == 0;
}

/* fstat of the open file, which is closed when that fails. */
static lm_status
examine(lm_context *ctx, lm_source_dir *dir, const char *name, struct stat *status)
{
    int error;

    if (fstat(dir->file_fd, status) == 0)
        return LM_OK;
    error = errno;
    close_file(dir);
    return raise_errno(ctx, error, "examine a file of the model", name);
}

/* Make `name` the open file; dir->file_fd is -1 when it is missing. */
static lm_status
open_file(lm_context *ctx, lm_source_dir *dir, const char *name)
{
    struct stat status;

    LM_TRY(lm_source_check_name(ctx, name));
    if (is_open(dir, name))
        return LM_OK;
    close_file(dir);
    LM_TRY(open_name(ctx, dir, name, &dir->file_fd));
    if (dir->file_fd < 0)
        return LM_OK;
    LM_TRY(examine(ctx, dir, name, &status));
    if (!S_ISREG(status.st_mode)) {
        close_file(dir);
        lm_raise(ctx, LM_DENIED, "a file of the model is not a regular file");
        return lm_detail_file(ctx, name);
    }
    dir->size = (uint64_t)status.st_size;
    dir->modified = status.st_mtim;
    snprintf(dir->name, sizeof dir->name, "%s", name);
    return LM_OK;
}

/* --- reading ---------------------------------------------------------------------------------- */
/*
 * A source promises exactly the bytes asked for or a failure; a partial read never gets out.
 */

/*
 * The open file must be as it was opened. Its ctime does not help: that changes also when another
 * file takes its name, and then this one is still whole.
 */
static lm_status
check_unchanged(lm_context *ctx, lm_source_dir *dir, const char *name)
{
    struct stat status;

    LM_TRY(examine(ctx, dir, name, &status));
    if ((uint64_t)status.st_size == dir->size && status.st_mtim.tv_sec == dir->modified.tv_sec &&
        status.st_mtim.tv_nsec == dir->modified.tv_nsec)
        return LM_OK;
    close_file(dir);
    lm_raise(ctx, LM_IO_ERROR, "a file of the model changed while it was read");
    return lm_detail_file(ctx, name);
}

/* Opens the file: what is measured is what will be read. */
static lm_status
dir_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    lm_source_dir *dir = opaque;

    if (is_open(dir, name))
        LM_TRY(check_unchanged(ctx, dir, name));
    else
        LM_TRY(open_file(ctx, dir, name));
    *found = dir->file_fd >= 0;
    *size = *found ? dir->size : 0;
    return LM_OK;
}

/* The file ends at `end`, and `wanted` bytes are missing. */
static lm_status
truncated(lm_context *ctx, const char *name, uint64_t end, uint64_t wanted)
{
    lm_raise(ctx, LM_BAD_MODEL, "a file of the model is truncated");
    lm_detail_file(ctx, name);
    lm_detail_offset(ctx, end);
    lm_detail_found(ctx, "the end of the file");
    return lm_detail_allowed(ctx, "%llu more bytes", (unsigned long long)wanted);
}

/* Reads in pieces until all is there; an interrupted or short read goes on where it stopped. */
static lm_status
dir_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
         size_t length)
{
    lm_source_dir *dir = opaque;
    char *to = dest;

    LM_TRY(open_file(ctx, dir, name));
    if (dir->file_fd < 0)
        return raise_errno(ctx, ENOENT, "open a file of the model", name);
    if (offset > INT64_MAX || length > INT64_MAX - offset)
        return truncated(ctx, name, dir->size, length);
    while (length > 0) {
        size_t piece = length < PIECE ? length : PIECE;
        ssize_t got;

        LM_TRY(lm_poll(ctx));
        got = pread(dir->file_fd, to, piece, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return raise_errno(ctx, errno, "read a file of the model", name);
        if (got == 0)
            return truncated(ctx, name, offset, length);
        to += got;
        offset += (size_t)got;
        length -= (size_t)got;
    }
    return LM_OK;
}

/* --- names ------------------------------------------------------------------------------------ */

/* Names between two polls. */
#define NAMES_PER_POLL 1024

/* Folders are left out where the file system tells them, the folder itself among them. */
static lm_status
take_names(lm_context *ctx, DIR *stream, lm_source_take take, void *state)
{
    const struct dirent *entry;

    for (size_t n = 0; errno = 0, (entry = readdir(stream)); n++) {
        if (n % NAMES_PER_POLL == 0)
            LM_TRY(lm_poll(ctx));
        if (entry->d_type != DT_DIR)
            LM_TRY(take(ctx, state, entry->d_name));
    }
    return errno == 0 ? LM_OK : raise_errno(ctx, errno, "list the directory", "");
}

lm_status
lm_source_dir_names(lm_context *ctx, lm_source_dir *dir, const char *path, lm_source_take take,
                    void *state, bool *is_folder)
{
    int fd = open_in(ctx, dir, path[0] == '\0' ? "." : path, FILE_FLAGS | O_DIRECTORY);
    const int error = errno;
    DIR *stream;
    lm_status status;

    *is_folder = fd >= 0;
    if (fd < 0)
        return error == ENOENT || error == ENOTDIR
                   ? LM_OK
                   : refuse_open(ctx, error, "open the directory", path);
    stream = fdopendir(fd);
    if (!stream) {
        close(fd);
        return lm_raise(ctx, LM_NO_MEMORY, "out of memory");
    }
    status = take_names(ctx, stream, take, state);
    closedir(stream);
    return status;
}
