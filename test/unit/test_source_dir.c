/*
 * test_source_dir.c - names, and a directory of the file system as a source: what may be opened,
 * links with and without confinement, and every system call failing in turn.
 *
 * The program defines openat, fstat and pread itself, so that the engine's calls come here first.
 */
#define _GNU_SOURCE
#include "format/source.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"
#include "unit.h"

/* --- faults ----------------------------------------------------------------------------------- */

static int fault_calls; /* system calls so far */
static int fault_at;    /* the call that fails, counted from 1; 0: none */
static bool fault_on;   /* and all that follow */
static int fault_errno;
static size_t longest_read = SIZE_MAX; /* a pread returns at most this much */

static bool
fault_due(void)
{
    fault_calls++;
    if (fault_at == 0 || fault_calls < fault_at || (fault_calls > fault_at && !fault_on))
        return false;
    errno = fault_errno;
    return true;
}

static int open_interrupts; /* so many calls of open are interrupted */

int
open(const char *path, int flags, ...)
{
    if (open_interrupts > 0) {
        open_interrupts--;
        errno = EINTR;
        return -1;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

int
openat(int fd, const char *path, int flags, ...)
{
    return fault_due() ? -1 : (int)syscall(SYS_openat, fd, path, flags, 0);
}

int
fstat(int fd, struct stat *status)
{
    return fault_due() ? -1 : fstatat(fd, "", status, AT_EMPTY_PATH);
}

ssize_t
pread(int fd, void *to, size_t length, off_t offset)
{
    if (fault_due())
        return -1;
    return syscall(SYS_pread64, fd, to, length < longest_read ? length : longest_read, offset);
}

/* The first call fails where faults are due. */
DIR *
fdopendir(int fd)
{
    DIR *(*real)(int) = (DIR * (*)(int)) dlsym(RTLD_NEXT, "fdopendir");

    return fault_due() ? NULL : real(fd);
}

static void
set_fault(int at, bool on, int error)
{
    fault_calls = 0;
    fault_at = at;
    fault_on = on;
    fault_errno = error;
}

/* --- a folder --------------------------------------------------------------------------------- */

static char root[] = "/tmp/lm_test_dir.XXXXXX";
static char path_buffer[PATH_MAX];

/* A path below the test's folder; valid until the next call. */
static const char *
below(const char *name)
{
    snprintf(path_buffer, sizeof path_buffer, "%s/%s", root, name);
    return path_buffer;
}

static void
write_file(const char *name, const char *text)
{
    FILE *file = fopen(below(name), "w");

    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
        perror(name);
        exit(EXIT_FAILURE);
    }
}

static void
link_to(const char *target, const char *name)
{
    if (symlink(target, below(name)) != 0)
        perror(name);
}

static void
make_folder(void)
{
    if (!mkdtemp(root)) {
        perror(root);
        exit(EXIT_FAILURE);
    }
    mkdir(below("model"), 0755);
    mkdir(below("model/sub"), 0755);
    mkdir(below("blobs"), 0755);
    mkdir(below("secret"), 0755);
    write_file("model/plain", "0123456789");
    write_file("model/plain.gguf", "GGUF");
    write_file("model/empty", "");
    write_file("model/sub/file", "inside");
    write_file("blobs/b1", "blob");
    write_file("secret/key", "secret");
    mkfifo(below("model/fifo"), 0644);
    link_to("plain", "model/link");
    link_to("sub", "model/link_sub");
    link_to("../blobs/b1", "model/link_blob");
    link_to("../../../../../../../etc/passwd", "model/link_out");
    link_to("/etc/passwd", "model/link_absolute");
    link_to("../secret", "model/link_parent");
    link_to("loop", "model/loop");
    link_to("/proc/self/mem", "model/link_mem");
    link_to("/dev/zero", "model/link_zero");
    link_to("nowhere", "model/dangling");
}

static void
remove_folder(void)
{
    char command[PATH_MAX];

    snprintf(command, sizeof command, "rm -rf '%s'", root);
    if (system(command) != 0)
        perror(command);
}

/* --- names ------------------------------------------------------------------------------------ */

static void
test_names(void)
{
    static const char *const good[] = {
        "a", "config.json", "1_Pooling/config.json", "...", "a..b", ".hidden", "..a/b.", "日本/é"};
    static const char *const bad[] = {"",     ".",     "..",   "/",     "/a",   "a/",
                                      "a//b", "./a",   "a/.",  "../a",  "a/..", "a/../b",
                                      "a\n",  "a\x7f", "\xff", "a/\xc3"};
    char name[100001];
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CHECK_OK(&ctx, lm_source_check_name(&ctx, good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (lm_source_check_name(&ctx, bad[i]) != LM_DENIED)
            UNIT_FAIL("\"%s\" passed", bad[i]);
        CHECK(ctx.error.allowed[0] != '\0');
    }
    memset(name, 'a', sizeof name);
    name[255] = '\0';
    CHECK_OK(&ctx, lm_source_check_name(&ctx, name));
    name[255] = 'a';
    name[256] = '\0';
    CHECK_EQ_INT(lm_source_check_name(&ctx, name), LM_DENIED);
    name[256] = 'a';
    name[100000] = '\0';
    CHECK_EQ_INT(lm_source_check_name(&ctx, name), LM_DENIED);
}

/* --- opening ---------------------------------------------------------------------------------- */

typedef struct open_case {
    const char *name;
    lm_status followed; /* without confinement */
    lm_status confined;
    const char *text; /* its content when LM_OK; NULL: missing */
} open_case;

static const open_case open_cases[] = {
    {"plain", LM_OK, LM_OK, "0123456789"},
    {"empty", LM_OK, LM_OK, ""},
    {"sub/file", LM_OK, LM_OK, "inside"},
    {"link", LM_OK, LM_OK, "0123456789"},
    {"link_sub/file", LM_OK, LM_OK, "inside"},
    {"link_blob", LM_OK, LM_DENIED, "blob"},
    {"link_parent/key", LM_OK, LM_DENIED, "secret"},
    {"link_out", LM_OK, LM_DENIED, NULL},
    {"link_absolute", LM_OK, LM_DENIED, NULL},
    {"link_zero", LM_DENIED, LM_DENIED, NULL},
    {"fifo", LM_DENIED, LM_DENIED, NULL},
    {"sub", LM_DENIED, LM_DENIED, NULL},
    {"loop", LM_DENIED, LM_DENIED, NULL},
    {"missing", LM_NO_FILE, LM_NO_FILE, NULL},
    {"dangling", LM_NO_FILE, LM_NO_FILE, NULL},
    {"plain/x", LM_NO_FILE, LM_NO_FILE, NULL},
    {"missing/x", LM_NO_FILE, LM_NO_FILE, NULL},
    {"../secret/key", LM_DENIED, LM_DENIED, NULL},
    {"/etc/passwd", LM_DENIED, LM_DENIED, NULL},
};

static lm_status
slurp(lm_context *ctx, const lm_source *source, lm_arena *arena, const char *name, char **text)
{
    size_t size;

    lm_arena_init(arena, ctx);
    return lm_source_slurp(ctx, source, arena, name, 1 << 20, true, text, &size);
}

static void
test_open(void)
{
    for (int beneath = 0; beneath <= 1; beneath++) {
        lm_context ctx;
        lm_source_dir *dir = NULL;
        lm_source source;

        lm_context_init(&ctx);
        CHECK_OK(&ctx, lm_source_dir_open(&ctx, below("model"), beneath, &dir, &source));
        for (size_t i = 0; i < sizeof open_cases / sizeof open_cases[0]; i++) {
            const open_case *c = &open_cases[i];
            lm_status wanted = beneath ? c->confined : c->followed;
            lm_arena arena;
            char *text;
            lm_status status = slurp(&ctx, &source, &arena, c->name, &text);

            if (status != wanted)
                UNIT_FAIL("%s (beneath %d): %d, %s", c->name, beneath, status, ctx.error.message);
            else if (status == LM_OK && c->text)
                CHECK_STR(text, c->text);
            lm_arena_free(&arena);
        }
        lm_source_dir_close(&ctx, dir);
    }
}

/* /proc/self/mem calls itself a regular file of no bytes: it reads as empty, or not at all. */
static void
test_proc(void)
{
    lm_context ctx;
    lm_arena arena;
    lm_source_dir *dir;
    lm_source source;
    char *text, byte;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_source_dir_open(&ctx, below("model"), false, &dir, &source));
    CHECK_OK(&ctx, slurp(&ctx, &source, &arena, "link_mem", &text));
    CHECK_EQ_INT(source.read(&ctx, source.opaque, "link_mem", 0, &byte, 1), LM_IO_ERROR);
    lm_arena_free(&arena);
    lm_source_dir_close(&ctx, dir);
    CHECK_OK(&ctx, lm_source_dir_open(&ctx, below("model"), true, &dir, &source));
    CHECK_EQ_INT(slurp(&ctx, &source, &arena, "link_mem", &text), LM_DENIED);
    lm_arena_free(&arena);
    lm_source_dir_close(&ctx, dir);
}

/* Below a root, links may lead to other folders of it, as in a hub's cache, and no further. */
static void
test_within(void)
{
    static const open_case within[] = {
        {"plain", LM_OK, LM_OK, "0123456789"},       {"link_blob", LM_OK, LM_OK, "blob"},
        {"link_parent/key", LM_OK, LM_OK, "secret"}, {"link_out", LM_OK, LM_DENIED, NULL},
        {"link_absolute", LM_OK, LM_DENIED, NULL},   {"fifo", LM_OK, LM_DENIED, NULL},
        {"missing", LM_OK, LM_NO_FILE, NULL},        {"../secret/key", LM_OK, LM_DENIED, NULL},
    };
    lm_context ctx;
    lm_source_dir *dir = NULL;
    lm_source source;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_source_dir_open(&ctx, root, true, &dir, &source));
    for (size_t i = 0; i < sizeof within / sizeof within[0]; i++) {
        lm_arena arena;
        char *text, name[64];

        snprintf(name, sizeof name, "model/%s", within[i].name);
        CHECK_EQ_INT(slurp(&ctx, &source, &arena, name, &text), within[i].confined);
        if (within[i].text)
            CHECK_STR(text, within[i].text);
        lm_arena_free(&arena);
    }
    lm_source_dir_close(&ctx, dir);
    CHECK_EQ_INT(lm_source_dir_open(&ctx, below("missing"), false, &dir, &source), LM_NO_FILE);
    CHECK_EQ_INT(lm_source_dir_open(&ctx, below("model/plain"), false, &dir, &source), LM_NO_FILE);
    CHECK_EQ_INT(lm_source_dir_open(&ctx, below("model/plain.gguf"), false, &dir, &source),
                 LM_UNSUPPORTED);
    CHECK(strstr(ctx.error.message, "GGUF") != NULL);
    CHECK(dir == NULL);
    lm_source_dir_close(&ctx, NULL);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void
test_read(void)
{
    lm_context ctx;
    lm_source_dir *dir;
    lm_source source;
    char bytes[16] = "";
    uint64_t size = 7;
    bool found = true;
    lm_arena arena;
    char *text;
    size_t length;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_source_dir_open(&ctx, below("model"), false, &dir, &source));
    CHECK_OK(&ctx, source.stat(&ctx, dir, "missing", &found, &size));
    CHECK(!found && size == 0);
    CHECK_OK(&ctx, source.stat(&ctx, dir, "plain", &found, &size));
    CHECK(found && size == 10);
    CHECK_OK(&ctx, source.read(&ctx, dir, "plain", 3, bytes, 4));
    CHECK_STR(bytes, "3456");
    CHECK_OK(&ctx, source.read(&ctx, dir, "sub/file", 0, bytes, 6));
    CHECK_STR(bytes, "inside");
    CHECK_OK(&ctx, source.read(&ctx, dir, "plain", 10, bytes, 0));
    CHECK_EQ_INT(source.read(&ctx, dir, "plain", 8, bytes, 3), LM_BAD_MODEL);
    CHECK_STR(ctx.error.message, "a file of the model is truncated");
    CHECK_STR(ctx.error.file, "plain");
    CHECK_EQ_INT(ctx.error.offset, 10);
    CHECK_STR(ctx.error.allowed, "1 more bytes");
    CHECK_EQ_INT(source.read(&ctx, dir, "plain", UINT64_MAX, bytes, 3), LM_BAD_MODEL);
    CHECK_EQ_INT(source.read(&ctx, dir, "plain", INT64_MAX - 1, bytes, 3), LM_BAD_MODEL);
    CHECK_EQ_INT(source.read(&ctx, dir, "missing", 0, bytes, 1), LM_NO_FILE);
    CHECK_STR(ctx.error.file, "missing");
    /* Whole files. */
    CHECK_EQ_INT(lm_source_slurp(&ctx, &source, &arena, "plain", 9, true, &text, &length),
                 LM_TOO_LARGE);
    CHECK_STR(ctx.error.found, "10 bytes");
    CHECK_OK(&ctx, lm_source_slurp(&ctx, &source, &arena, "plain", 10, true, &text, &length));
    CHECK_EQ_INT(length, 10);
    CHECK_OK(&ctx, lm_source_slurp(&ctx, &source, &arena, "missing", 10, false, &text, &length));
    CHECK(text == NULL && length == 0);
    lm_arena_free(&arena);
    lm_source_dir_close(&ctx, dir);
}

/* Give a file another time of modification, in the year 2001. */
static void
set_modified(const char *name, long nanoseconds)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                      {.tv_sec = 1000000000, .tv_nsec = nanoseconds}};

    CHECK(utimensat(AT_FDCWD, below(name), times, 0) == 0);
}

/* Who asks again for a file that was read is told whether it was written meanwhile. */
static void
test_rewritten(void)
{
    lm_context ctx;
    lm_source_dir *dir;
    lm_source source;
    char bytes[16] = "";
    uint64_t size;
    bool found;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_source_dir_open(&ctx, below("model"), false, &dir, &source));
    write_file("model/rewritten", "first");
    set_modified("model/rewritten", 0);
    CHECK_OK(&ctx, source.stat(&ctx, dir, "rewritten", &found, &size));
    CHECK_OK(&ctx, source.stat(&ctx, dir, "rewritten", &found, &size));
    CHECK_OK(&ctx, source.read(&ctx, dir, "rewritten", 0, bytes, 2));
    write_file("model/rewritten", "other");
    CHECK_OK(&ctx, source.read(&ctx, dir, "rewritten", 2, bytes + 2, 3));
    CHECK_STR(bytes, "fiher");
    CHECK_EQ_INT(source.stat(&ctx, dir, "rewritten", &found, &size), LM_IO_ERROR);
    CHECK_STR(ctx.error.message, "a file of the model changed while it was read");
    CHECK_STR(ctx.error.file, "rewritten");
    /* Asked once more, it is another file; told by its time or by its size. */
    CHECK_OK(&ctx, source.stat(&ctx, dir, "rewritten", &found, &size));
    set_modified("model/rewritten", 0);
    CHECK_EQ_INT(source.stat(&ctx, dir, "rewritten", &found, &size), LM_IO_ERROR);
    CHECK_OK(&ctx, source.stat(&ctx, dir, "rewritten", &found, &size));
    set_modified("model/rewritten", 1000);
    CHECK_EQ_INT(source.stat(&ctx, dir, "rewritten", &found, &size), LM_IO_ERROR);
    CHECK_OK(&ctx, source.stat(&ctx, dir, "rewritten", &found, &size));
    write_file("model/rewritten", "longer");
    set_modified("model/rewritten", 1000);
    CHECK_EQ_INT(source.stat(&ctx, dir, "rewritten", &found, &size), LM_IO_ERROR);
    CHECK_OK(&ctx, source.stat(&ctx, dir, "rewritten", &found, &size));
    CHECK_EQ_INT(size, 6);
    set_fault(1, false, EIO);
    CHECK_EQ_INT(source.stat(&ctx, dir, "rewritten", &found, &size), LM_IO_ERROR);
    set_fault(0, false, 0);
    CHECK_OK(&ctx, source.stat(&ctx, dir, "rewritten", &found, &size));
    lm_source_dir_close(&ctx, dir);
}

/* A file that shrinks after it was measured is an error; one that is replaced is read on. */
static void
test_changed(void)
{
    lm_context ctx;
    lm_source_dir *dir;
    lm_source source;
    char bytes[16] = "", other[PATH_MAX];
    uint64_t size;
    bool found;

    lm_context_init(&ctx);
    write_file("model/changing", "first version");
    CHECK_OK(&ctx, lm_source_dir_open(&ctx, below("model"), false, &dir, &source));
    CHECK_OK(&ctx, source.stat(&ctx, dir, "changing", &found, &size));
    write_file("model/new", "second");
    strcpy(other, below("model/new"));
    CHECK(rename(other, below("model/changing")) == 0);
    CHECK_OK(&ctx, source.read(&ctx, dir, "changing", 0, bytes, 13));
    CHECK_STR(bytes, "first version");
    CHECK_OK(&ctx, source.stat(&ctx, dir, "plain", &found, &size));
    CHECK_OK(&ctx, source.stat(&ctx, dir, "changing", &found, &size));
    CHECK_EQ_INT(size, 6);
    CHECK(truncate(below("model/changing"), 3) == 0);
    CHECK_EQ_INT(source.read(&ctx, dir, "changing", 0, bytes, 6), LM_BAD_MODEL);
    CHECK_EQ_INT(ctx.error.offset, 3);
    lm_source_dir_close(&ctx, dir);
}

/* Short reads and interrupted calls are gone on with. */
static void
test_short_reads(void)
{
    lm_context ctx;
    lm_source_dir *dir;
    lm_source source;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_source_dir_open(&ctx, below("model"), false, &dir, &source));
    longest_read = 1;
    for (int n = 0; n < 13; n++) {
        char *text;
        lm_arena arena;
        uint64_t size;
        bool found;

        CHECK_OK(&ctx, source.stat(&ctx, dir, "sub/file", &found, &size));
        set_fault(n, false, EINTR);
        if (n != 2) /* fstat knows no EINTR */
            CHECK_OK(&ctx, slurp(&ctx, &source, &arena, "plain", &text));
        else
            CHECK_EQ_INT(slurp(&ctx, &source, &arena, "plain", &text), LM_IO_ERROR);
        if (n != 2)
            CHECK_STR(text, "0123456789");
        set_fault(0, false, 0);
        lm_arena_free(&arena);
    }
    longest_read = SIZE_MAX;
    lm_source_dir_close(&ctx, dir);
}

static int
count_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* The n-th system call fails, once or from then on, until a run passes without fault. */
static void
run_faults(int error, bool forever, lm_status wanted)
{
    int before = count_descriptors();

    for (int n = 1;; n++) {
        fake_memory memory = {0};
        lm_context ctx;
        lm_arena arena;
        lm_source_dir *dir;
        lm_source source;
        char *text;
        lm_status status;
        bool reached;

        fake_context(&ctx, &memory);
        set_fault(0, false, 0);
        CHECK_OK(&ctx, lm_source_dir_open(&ctx, below("model"), false, &dir, &source));
        set_fault(n, forever, error);
        status = slurp(&ctx, &source, &arena, "plain", &text);
        reached = fault_calls >= n;
        set_fault(0, false, 0);
        CHECK_EQ_INT(status, reached ? wanted : LM_OK);
        if (status != LM_OK)
            CHECK_STR(ctx.error.file, "plain");
        lm_arena_free(&arena);
        /* The source is as good as new after a fault. */
        CHECK_OK(&ctx, slurp(&ctx, &source, &arena, "plain", &text));
        lm_arena_free(&arena);
        lm_source_dir_close(&ctx, dir);
        CHECK_EQ_INT(memory.live, 0);
        CHECK_EQ_INT(count_descriptors(), before);
        if (!reached) {
            CHECK_EQ_INT(n, 4); /* openat, fstat, pread */
            break;
        }
    }
}

static void
test_faults(void)
{
    run_faults(EIO, false, LM_IO_ERROR);
    run_faults(EIO, true, LM_IO_ERROR);
    run_faults(EMFILE, false, LM_IO_ERROR);
    run_faults(EACCES, true, LM_DENIED);
}

/* Every allocation fails in turn. */
static void
test_no_memory(void)
{
    int before = count_descriptors();

    for (int n = 1;; n++) {
        fake_memory memory = {.fail_at = n};
        lm_context ctx;
        lm_arena arena;
        lm_source_dir *dir;
        lm_source source;
        char *text;
        lm_status status;

        fake_context(&ctx, &memory);
        status = lm_source_dir_open(&ctx, below("model"), false, &dir, &source);
        if (status == LM_OK) {
            status = slurp(&ctx, &source, &arena, "plain", &text);
            lm_arena_free(&arena);
            lm_source_dir_close(&ctx, dir);
        }
        CHECK_EQ_INT(memory.live, 0);
        CHECK_EQ_INT(count_descriptors(), before);
        CHECK_EQ_INT(status, memory.calls < n ? LM_OK : LM_NO_MEMORY);
        if (memory.calls < n)
            break;
    }
}

static void
test_cancel(void)
{
    fake_memory memory = {.stop_at = 1};
    lm_context ctx;
    lm_arena arena;
    lm_source_dir *dir;
    lm_source source;
    char *text, byte;

    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, lm_source_dir_open(&ctx, below("model"), false, &dir, &source));
    CHECK_EQ_INT(slurp(&ctx, &source, &arena, "plain", &text), LM_CANCELLED);
    lm_arena_free(&arena);
    CHECK_EQ_INT(source.read(&ctx, source.opaque, "plain", 0, &byte, 1), LM_CANCELLED);
    lm_source_dir_close(&ctx, dir);
    /* An open that is interrupted for ever ends with the caller's patience. */
    memory.stop_at = 0;
    CHECK_OK(&ctx, lm_source_dir_open(&ctx, below("model"), false, &dir, &source));
    memory.polls = 0;
    memory.stop_at = 3;
    set_fault(1, true, EINTR);
    CHECK_EQ_INT(slurp(&ctx, &source, &arena, "plain", &text), LM_CANCELLED);
    set_fault(0, false, 0);
    lm_arena_free(&arena);
    lm_source_dir_close(&ctx, dir);
}

/* --- a kernel without openat2 ----------------------------------------------------------------- */

/* From here on the system call openat2 answers with this error in this process. */
static int
forbid_openat2(unsigned error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* In a child: a confined source must refuse rather than follow links. 0: it does. */
static int
refuses_without_openat2(unsigned error)
{
    lm_context ctx;
    lm_arena arena;
    lm_source_dir *dir;
    lm_source source;
    char *text;
    lm_status status;
    fake_memory memory = {.stop_at = error == EINTR ? 3 : 0}; /* else it would be tried for ever */

    fake_context(&ctx, &memory);
    if (forbid_openat2(error) != 0)
        return 77;
    if (lm_source_dir_open(&ctx, below("model"), true, &dir, &source) != LM_OK)
        return 1;
    status = slurp(&ctx, &source, &arena, "plain", &text);
    lm_source_dir_close(&ctx, dir);
    if (status != (error == ENOSYS ? LM_DENIED : error == EINTR ? LM_CANCELLED : LM_IO_ERROR))
        return 2;
    return error == ENOSYS &&
           strcmp(ctx.error.message, "this kernel cannot confine links to a directory") != 0;
}

/* A kernel without the call, one whose call is always interrupted, and one in which somebody
 * renames the directories of the path without an end. */
static void
test_old_kernel(void)
{
    static const unsigned errors[] = {ENOSYS, EAGAIN, EINTR};

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        int status = -1;
        pid_t child = fork();

        if (child == 0)
            exit(refuses_without_openat2(errors[i]));
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
        if (WEXITSTATUS(status) == 77)
            fprintf(stderr, "no seccomp here: a kernel without openat2 was not tried\n");
        else
            CHECK_EQ_INT(WEXITSTATUS(status), 0);
    }
}

/* What the kernel says of a name, and what becomes of it. */
static void
test_errors_of_names(void)
{
    static const struct {
        int error;
        lm_status status;
    } kinds[] = {
        {ENAMETOOLONG, LM_NO_FILE}, {EACCES, LM_DENIED}, {EPERM, LM_DENIED},
        {ELOOP, LM_DENIED},         {EXDEV, LM_DENIED},  {EMFILE, LM_IO_ERROR},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        lm_context ctx;
        lm_source_dir *dir;
        lm_source source;
        uint64_t size;
        bool found;

        lm_context_init(&ctx);
        CHECK_OK(&ctx, lm_source_dir_open(&ctx, below("model"), false, &dir, &source));
        fault_calls = 0;
        fault_at = 1;
        fault_errno = kinds[i].error;
        CHECK_EQ_INT(source.stat(&ctx, source.opaque, "plain", &found, &size), kinds[i].status);
        fault_at = 0;
        lm_source_dir_close(&ctx, dir);
    }
}

/* ---- Names ---- */

typedef struct names {
    char all[4096]; /* each with a '/' on both sides */
    lm_status status;
} names;

static lm_status
take_name(lm_context *ctx, void *state, const char *name)
{
    names *taken = state;
    size_t length = strlen(taken->all);

    snprintf(taken->all + length, sizeof taken->all - length, "/%s/", name);
    return taken->status == LM_OK ? LM_OK : lm_raise(ctx, taken->status, "enough");
}

/* Files of a folder, not folders in it; a path that is no folder has none. */
static void
test_folder_names(void)
{
    for (int beneath = 0; beneath < 2; beneath++) {
        fake_memory memory = {.fail_at = 0};
        names taken = {.status = LM_OK};
        bool is_folder;
        lm_context ctx;
        lm_source_dir *dir;
        lm_source source;

        fake_context(&ctx, &memory);
        CHECK_OK(&ctx, lm_source_dir_open(&ctx, below("."), beneath, &dir, &source));
        CHECK_OK(&ctx, lm_source_dir_names(&ctx, dir, "model", take_name, &taken, &is_folder));
        CHECK(is_folder && strstr(taken.all, "/plain/") && !strstr(taken.all, "/./"));
        taken.all[0] = '\0';
        CHECK_OK(&ctx, lm_source_dir_names(&ctx, dir, "", take_name, &taken, &is_folder));
        CHECK(is_folder && !strstr(taken.all, "/model/"));
        CHECK_OK(&ctx,
                 lm_source_dir_names(&ctx, dir, "model/plain", take_name, &taken, &is_folder));
        CHECK(!is_folder);
        CHECK_OK(&ctx, lm_source_dir_names(&ctx, dir, "nowhere", take_name, &taken, &is_folder));
        CHECK(!is_folder);
        CHECK_EQ_INT(
            lm_source_dir_names(&ctx, dir, "model/link_out", take_name, &taken, &is_folder),
            beneath ? LM_DENIED : LM_OK);
        taken.status = LM_UNSUPPORTED;
        CHECK_EQ_INT(lm_source_dir_names(&ctx, dir, "model", take_name, &taken, &is_folder),
                     LM_UNSUPPORTED);
        memory.stop_at = 1;
        CHECK_EQ_INT(lm_source_dir_names(&ctx, dir, "model", take_name, &taken, &is_folder),
                     LM_CANCELLED);
        set_fault(beneath ? 1 : 2, false, ENOMEM); /* openat2 is no call of the wrappers */
        CHECK_EQ_INT(lm_source_dir_names(&ctx, dir, "model", take_name, &taken, &is_folder),
                     LM_NO_MEMORY);
        set_fault(0, false, 0);
        lm_source_dir_close(&ctx, dir);
        CHECK_EQ_INT(memory.live, 0);
    }
}

/* A root that is not there, and a name that leads out of it in a read without a stat before it. */
static void
test_bad_roots(void)
{
    lm_context ctx;
    lm_source_dir *dir;
    lm_source source;
    char byte;

    lm_context_init(&ctx);
    open_interrupts = 2;
    CHECK_EQ_INT(lm_source_dir_open(&ctx, below("nowhere"), true, &dir, &source), LM_NO_FILE);
    CHECK_OK(&ctx, lm_source_dir_open(&ctx, below("model"), false, &dir, &source));
    CHECK_EQ_INT(source.read(&ctx, source.opaque, "../x", 0, &byte, 1), LM_DENIED);
    lm_source_dir_close(&ctx, dir);
}

static lm_status
below_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    *found = true;
    *size = 5;
    return LM_OK;
}

static lm_status
below_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
           size_t length)
{
    memcpy(dest, &"below"[offset], length);
    return LM_OK;
}

/* One file is another, or is not there; the rest is what it was. */
static void
test_with_file(void)
{
    const lm_source below = {NULL, below_stat, below_read};
    lm_source_with_file joined = {.below = &below, .name = "b", .data = "over it", .size = 7};
    const lm_source source = lm_source_with(&joined);
    uint64_t size;
    lm_context ctx;
    char bytes[2];
    bool found;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, source.stat(&ctx, source.opaque, "a", &found, &size));
    CHECK(found && size == 5);
    CHECK_OK(&ctx, source.read(&ctx, source.opaque, "a", 3, bytes, 2));
    CHECK(memcmp(bytes, "ow", 2) == 0);
    CHECK_OK(&ctx, source.stat(&ctx, source.opaque, "b", &found, &size));
    CHECK(found && size == 7);
    CHECK_OK(&ctx, source.read(&ctx, source.opaque, "b", 5, bytes, 2));
    CHECK(memcmp(bytes, "it", 2) == 0);
    joined.data = NULL;
    CHECK_OK(&ctx, source.stat(&ctx, source.opaque, "b", &found, &size));
    CHECK(!found);
}

/* The folder is as the other cases take it to be. */
static void
test_folder(void)
{
    struct stat status;

    CHECK(lstat(below("model/fifo"), &status) == 0 && S_ISFIFO(status.st_mode));
}

static const unit_case cases[] = {
    {"source_names", test_names},
    {"source_with_file", test_with_file},
    {"source_dir_folder", test_folder},
    {"source_dir_open", test_open},
    {"source_dir_proc", test_proc},
    {"source_dir_within", test_within},
    {"source_dir_read", test_read},
    {"source_dir_rewritten", test_rewritten},
    {"source_dir_changed", test_changed},
    {"source_dir_short_reads", test_short_reads},
    {"source_dir_faults", test_faults},
    {"source_dir_no_memory", test_no_memory},
    {"source_dir_cancel", test_cancel},
    {"source_dir_old_kernel", test_old_kernel},
    {"source_dir_errors", test_errors_of_names},
    {"source_dir_names", test_folder_names},
    {"source_dir_bad_roots", test_bad_roots},
};

int
main(int argc, char **argv)
{
    int result;

    make_folder();
    result = unit_run(cases, sizeof cases / sizeof cases[0], argc > 1 ? argv[1] : "");
    remove_folder();
    return result;
}
