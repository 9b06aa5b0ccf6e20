/*
 * read_folder.c - loads a model folder again and again while the n-th open, read or fstat fails, n
 * = 1, 2, … until it loads; run under fail_calls.so. Each failure must be an error of reading (or
 * no error, where a call that was interrupted or came short is made again), leave no memory and no
 * descriptor, and the last load must be byte for byte the first.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "format/source.h"
#include "kernels/kernels.h"
#include "model/model.h"

/* As fail_calls.c has them. */
enum { CALL_NONE, CALL_OPEN, CALL_READ, CALL_STAT };
enum { HOW_EIO, HOW_EINTR, HOW_SHORT, HOW_END };
struct order {
    int32_t pid, call, how, forever;
    int64_t number, passed, failed;
};

static struct order *order;
static long blocks;
static char last_message[256];

static void *
count_alloc(void *opaque, size_t size)
{
    blocks++;
    return aligned_alloc(64, (size + 63) / 64 * 64);
}

static void *
count_realloc(void *opaque, void *pointer, size_t size)
{
    return realloc(pointer, size);
}

static void
count_free(void *opaque, void *pointer)
{
    blocks--;
    free(pointer);
}

/* The user cancels what is interrupted again and again. */
static bool
give_up(void *opaque)
{
    return order->how == HOW_EINTR && order->failed > 100;
}

static int
descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* The image of the folder's model; *memory is to be freed. */
static lm_status
fill(lm_context *ctx, lm_arena *arena, const lm_source *source, void **memory, size_t *size)
{
    lm_model_options options = {0};
    lm_model_plan *plan;

    LM_TRY(
        lm_model_plan_make(ctx, arena, source, &options, lm_kernels_active(), &plan, NULL, NULL));
    *size = lm_model_plan_size(plan);
    *memory = lm_alloc(ctx, *size);
    if (!*memory)
        return LM_NO_MEMORY;
    memset(*memory, 0, *size);
    return lm_model_fill(ctx, plan, *memory);
}

static lm_status
load(const char *folder, bool beneath, void **memory, size_t *size)
{
    lm_context ctx = {
        .alloc = count_alloc, .realloc = count_realloc, .free = count_free, .cancelled = give_up};
    lm_source_dir *dir = NULL;
    lm_source source;
    lm_arena arena;
    lm_status status;

    *memory = NULL;
    lm_arena_init(&arena, &ctx);
    status = lm_source_dir_open(&ctx, folder, beneath, &dir, &source);
    if (status == LM_OK)
        status = fill(&ctx, &arena, &source, memory, size);
    lm_arena_free(&arena);
    lm_source_dir_close(&ctx, dir);
    if (status != LM_OK) {
        snprintf(last_message, sizeof last_message, "%s", ctx.error.message);
        lm_free(&ctx, *memory);
        *memory = NULL;
    }
    return status;
}

static const char *const call_names[] = {"", "open", "read", "fstat"};
static const char *const how_names[] = {"EIO", "EINTR", "a short read", "the end of the file"};

/* What a failure may come to. */
static bool
fits(int how, bool forever, lm_status status)
{
    if (how == HOW_EIO)
        return status == LM_IO_ERROR;
    if (how == HOW_EINTR)
        return status == (forever ? LM_CANCELLED : LM_OK);
    if (how == HOW_SHORT)
        return status == LM_OK;
    return status == LM_BAD_MODEL;
}

static bool
loop(const char *folder, bool beneath, int call, int how, bool forever)
{
    size_t size, expected_size;
    void *expected, *memory;
    bool fine = load(folder, beneath, &expected, &expected_size) == LM_OK;
    const char *effort = getenv("LMTEXT_EFFORT");
    int step = effort && strcmp(effort, "quick") != 0 ? 1 : 3;
    int open_before = descriptors(), n;
    long blocks_before = blocks;

    for (n = 1; fine; n += step) {
        lm_status status;
        bool hit;

        *order = (struct order){
            .pid = getpid(), .call = call, .how = how, .forever = forever, .number = n};
        status = load(folder, beneath, &memory, &size);
        hit = order->failed > 0;
        order->call = CALL_NONE;
        fine = hit ? fits(how, forever, status) : status == LM_OK;
        if (status == LM_OK) {
            fine = fine && size == expected_size && memcmp(memory, expected, size) == 0;
            count_free(NULL, memory);
        }
        fine = fine && blocks == blocks_before && descriptors() == open_before;
        if (!fine)
            printf("# n = %d: status %d (%s), %ld blocks, %d descriptors more\n", n, status,
                   last_message, blocks - blocks_before, descriptors() - open_before);
        if (!hit)
            break;
    }
    printf("%s %s%s fails with %s%s: %d times\n", fine && n > 1 ? "ok" : "not ok",
           beneath ? "confined " : "", call_names[call], how_names[how],
           forever ? " for ever" : " once", n - 1);
    count_free(NULL, expected);
    return fine;
}

int
main(int count, char **arguments)
{
    const char *path = getenv("LMTEXT_FAIL_CALLS");
    int fd = path && count == 2 ? open(path, O_RDWR | O_CLOEXEC) : -1;
    bool fine = true;

    if (fd < 0) {
        fprintf(stderr,
                "usage: LD_PRELOAD=fail_calls.so LMTEXT_FAIL_CALLS=FILE read_folder FOLDER\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    order = mmap(NULL, sizeof *order, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    *order = (struct order){0};
    for (int beneath = 0; beneath < 2; beneath++)
        for (int call = CALL_OPEN; call <= CALL_STAT; call++)
            for (int how = HOW_EIO; how <= HOW_END; how++)
                for (int forever = 0; forever < 2; forever++) {
                    /* fstat is never interrupted, only a read comes short, and confinement is a
                     * matter of opening. */
                    if ((how >= HOW_SHORT && call != CALL_READ) ||
                        (how == HOW_EINTR && call == CALL_STAT))
                        continue;
                    fine = loop(arguments[1], beneath, call, how, forever) && fine;
                }
    return fine ? 0 : 1;
}
