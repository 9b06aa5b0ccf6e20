/*
 * fail_calls.c - a library for LD_PRELOAD that makes the n-th system call or malloc of a process
 * fail.
 *
 * Orders are read from a file of struct order that LMTEXT_FAIL_CALLS names, mapped by every
 * process: whoever writes the file arms it. Calls are counted in the file while `pid` is the
 * caller's, so that one backend of a server fails and the others do not. A call that fails does
 * nothing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CALL_NONE, CALL_OPEN, CALL_READ, CALL_STAT, CALL_MALLOC };
enum { HOW_EIO, HOW_EINTR, HOW_SHORT, HOW_END, HOW_NO_MEMORY };

/* Little words in one order: a script writes them too. */
struct order {
    int32_t pid, call, how, forever;
    int64_t number; /* of the first that fails */
    int64_t passed, failed;
};

static volatile struct order *order;

__attribute__((constructor)) static void
map_orders(void)
{
    const char *path = getenv("LMTEXT_FAIL_CALLS");
    int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    void *mapped;

    if (fd < 0)
        return;
    mapped = mmap(NULL, sizeof *order, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        order = mapped;
}

/* Counts; is it this one's turn? */
static int
fails(int call)
{
    int64_t passed;

    if (!order || order->call != call || order->pid != getpid())
        return 0;
    passed = ++order->passed;
    if (passed != order->number && !(order->forever && passed > order->number))
        return 0;
    order->failed++;
    return 1;
}

/* The C library's own function. */
#define NEXT(name)                 \
    static __typeof__(&name) next; \
    if (!next)                     \
    next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int
refuse(void)
{
    errno = order->how == HOW_EINTR ? EINTR : EIO;
    return -1;
}

int
open(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    NEXT(open);
    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    return fails(CALL_OPEN) ? refuse() : next(path, flags, mode);
}

int
openat(int fd, const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    NEXT(openat);
    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    return fails(CALL_OPEN) ? refuse() : next(fd, path, flags, mode);
}

/* openat2 has no function of its own. */
long
syscall(long number, ...)
{
    long a[6];
    va_list args;

    NEXT(syscall);
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (number == SYS_openat2 && fails(CALL_OPEN))
        return refuse();
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

ssize_t
pread(int fd, void *to, size_t length, off_t offset)
{
    NEXT(pread);
    if (!fails(CALL_READ))
        return next(fd, to, length, offset);
    if (order->how == HOW_END)
        return 0;
    if (order->how == HOW_SHORT)
        return next(fd, to, length > 1 ? length / 2 : length, offset);
    return refuse();
}

int
fstat(int fd, struct stat *status)
{
    NEXT(fstat);
    return fails(CALL_STAT) ? refuse() : next(fd, status);
}

/* dlsym may allocate, so malloc goes to the C library's other name. */
extern void *__libc_malloc(size_t size);

void *
malloc(size_t size)
{
    if (!fails(CALL_MALLOC))
        return __libc_malloc(size);
    errno = ENOMEM;
    return NULL;
}
