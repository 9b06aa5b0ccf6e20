/*
 * driver.c - runs a target on an input, twice: with all the memory that it wants, and with a
 * failing allocation that the input chooses. With FUZZ_REPLAY defined this is a program that does
 * so for every file that its arguments name or hold, and needs no libFuzzer.
 */
#include <dirent.h>
#include <malloc.h>
#include <sys/stat.h>

#include "base/utf8.h"
#include "fuzz.h"

/* A context's memory: what is live, and the allocation that fails. */
typedef struct counted {
    long blocks;
    size_t bytes, limit;
    unsigned calls;
    unsigned fail_at; /* counted from 1; 0: none */
    bool fail_on;     /* and all that follow */
    bool failed;
} counted;

static bool
starved(counted *memory)
{
    bool fails;

    memory->calls++;
    fails = memory->fail_at > 0 && (memory->calls == memory->fail_at ||
                                    (memory->fail_on && memory->calls > memory->fail_at));
    memory->failed |= fails;
    return fails;
}

/* A size that the input claims and does not have is not asked for, let alone taken. */
static void
count(counted *memory, size_t size)
{
    memory->bytes += size;
    if (memory->bytes > memory->limit)
        fuzz_broken(__FILE__, __LINE__, "memory stays within fuzz_limit", NULL);
}

static void *
counted_alloc(void *opaque, size_t size)
{
    counted *memory = opaque;
    void *pointer;

    if (starved(memory))
        return NULL;
    count(memory, size);
    pointer = malloc(size);
    memory->blocks += pointer != NULL;
    memory->bytes = memory->bytes + malloc_usable_size(pointer) - size;
    return pointer;
}

static void *
counted_realloc(void *opaque, void *pointer, size_t size)
{
    counted *memory = opaque;
    size_t before = malloc_usable_size(pointer);

    if (starved(memory))
        return NULL;
    count(memory, size);
    pointer = realloc(pointer, size);
    memory->bytes = memory->bytes + malloc_usable_size(pointer) - size - before;
    return pointer;
}

static void
counted_free(void *opaque, void *pointer)
{
    counted *memory = opaque;

    memory->bytes -= malloc_usable_size(pointer);
    memory->blocks--;
    free(pointer);
}

static bool
never_cancelled(void *opaque)
{
    return false;
}

void
fuzz_broken(const char *file, int line, const char *what, const char *detail)
{
    fprintf(stderr, "%s:%d: the property does not hold: %s%s%s\n", file, line, what,
            detail ? ": " : "", detail ? detail : "");
    abort();
}

/* Whether a string of the record ends in its room and is UTF-8. */
static bool
is_shown(const char *text, size_t room)
{
    size_t length = strnlen(text, room);

    return length < room && lm_utf8_valid_prefix(text, length) == length;
}

void
fuzz_check_error(const lm_context *ctx, lm_status status)
{
    const lm_error *error = &ctx->error;

    REQUIRE(status > LM_OK && status < LM_STATUS_COUNT);
    REQUIRE(status != LM_INTERNAL && status != LM_CANCELLED);
    REQUIRE(error->status == status);
    REQUIRE(error->message[0] != '\0');
    REQUIRE(is_shown(error->message, sizeof error->message));
    REQUIRE(is_shown(error->file, sizeof error->file));
    REQUIRE(is_shown(error->key, sizeof error->key));
    REQUIRE(is_shown(error->found, sizeof error->found));
    REQUIRE(is_shown(error->allowed, sizeof error->allowed));
    REQUIRE(is_shown(error->hint, sizeof error->hint));
}

/* One run; returns its status and how often memory was asked for. */
static lm_status
run(const char *data, size_t size, unsigned fail_at, bool fail_on, unsigned *calls)
{
    counted memory = {.limit = fuzz_limit(size), .fail_at = fail_at, .fail_on = fail_on};
    lm_context ctx = {.alloc = counted_alloc,
                      .realloc = counted_realloc,
                      .free = counted_free,
                      .cancelled = never_cancelled,
                      .opaque = &memory};
    lm_status status = fuzz_target(&ctx, data, size);

    REQUIRE(memory.blocks == 0);
    REQUIRE(!memory.failed || status == LM_NO_MEMORY);
    if (status != LM_OK)
        fuzz_check_error(&ctx, status);
    REQUIRE(memory.failed || status != LM_NO_MEMORY);
    *calls = memory.calls;
    return status;
}

/* FNV-1a, whose products are meant to wrap: what an input chooses must not hang on the engine. */
static uint64_t
fingerprint(const char *data, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/*
 * The input lies in a block of exactly its size, so that a read past its end is seen. `times`
 * allocations fail, once or for good. Returns the status without a failure.
 */
static lm_status
check(const uint8_t *data, size_t size, int times)
{
    uint64_t hash = fingerprint((const char *)data, size);
    char *input = malloc(size > 0 ? size : 1);
    unsigned calls, ignored;
    lm_status status;
    lm_rng rng;

    if (size > 0)
        memcpy(input, data, size);
    status = run(input, size, 0, false, &calls);
    lm_rng_seed(&rng, hash);
    for (int i = 0; i < times && calls > 0; i++) {
        unsigned fail_at = 1 + lm_rng_below(&rng, calls);

        run(input, size, fail_at, lm_rng_below(&rng, 2), &ignored);
    }
    free(input);
    return status;
}

char *
fuzz_read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *data = NULL;
    long length = -1;

    if (file && fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) >= 0 &&
        (data = malloc((size_t)length + 1)) != NULL) {
        rewind(file);
        *size = fread(data, 1, (size_t)length, file);
        data[*size] = '\0';
    }
    if (!data || *size != (size_t)length) {
        fprintf(stderr, "cannot read %s; run from the checkout's root\n", path);
        exit(2);
    }
    fclose(file);
    return data;
}

#ifdef FUZZ_REPLAY

/*
 * What a crash belongs to is printed first, since a sanitizer ends the process. A file whose name
 * begins with "known-" is an attack: it must be refused.
 */
static void
replay(const char *path, long *files)
{
    struct stat st;
    size_t size;
    char *data;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        struct dirent **entries;
        int found = scandir(path, &entries, NULL, alphasort);

        for (int i = 0; i < found; i++) {
            char below[4096];

            snprintf(below, sizeof below, "%s/%s", path, entries[i]->d_name);
            if (entries[i]->d_name[0] != '.')
                replay(below, files);
            free(entries[i]);
        }
        if (found >= 0)
            free(entries);
        return;
    }
    fprintf(stderr, "%s\n", path);
    data = fuzz_read_file(path, &size);
    if (check((const uint8_t *)data, size, 3) == LM_OK && strstr(path, "/known-"))
        fuzz_broken(__FILE__, __LINE__, "a known attack is refused", NULL);
    free(data);
    ++*files;
}

int
main(int argc, char **argv)
{
    long files = 0;

    fuzz_prepare();
    check((const uint8_t *)"", 0, 1);
    for (int i = 2; i < argc; i++)
        replay(argv[i], &files);
    printf("%s replay %s: %ld files\n", files > 0 ? "ok" : "not ok", argv[1], files);
    return files > 0 ? 0 : 1;
}

#else

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    fuzz_prepare();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(data, size, fingerprint((const char *)data, size) % 4 == 0);
    return 0;
}

#endif
