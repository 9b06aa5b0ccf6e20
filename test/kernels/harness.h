/*
 * harness.h - what checks of kernels share: arrays with guards, errors and their bounds, the run of
 * cases.
 */
#ifndef HARNESS_H
#define HARNESS_H

#define _GNU_SOURCE
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/size.h"
#include "kernels/kernels.h"
#include "kernels/reference.h"

/* ---- arrays with guards ---- */

enum { GUARD_FLOATS = 64, ARRAYS = 64 };

static struct {
    void *base;
    size_t bytes;
} arrays[ARRAYS];
static int array_count;

/* Uninitialised floats that end where a page without access begins. */
static float *
array(size_t count)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = (count * sizeof(float) + page - 1) / page * page + page;
    char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (base == MAP_FAILED || array_count == ARRAYS ||
        mprotect(base + bytes - page, page, PROT_NONE) != 0) {
        perror("check: no memory for an array");
        exit(EXIT_FAILURE);
    }
    arrays[array_count].base = base;
    arrays[array_count++].bytes = bytes;
    return (float *)(base + bytes - page) - count;
}

static void
free_arrays(void)
{
    while (array_count > 0) {
        array_count--;
        munmap(arrays[array_count].base, arrays[array_count].bytes);
    }
}

static lm_rng rng;

/* Sum of twelve uniforms less six: near enough to a standard normal. */
static float
normal(void)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += lm_rng_uniform(&rng);
    return (float)sum;
}

static float *
normals(size_t count)
{
    float *x = array(count);

    for (size_t i = 0; i < count; i++)
        x[i] = normal();
    return x;
}

static inline float *
copy_of(const float *x, size_t count)
{
    float *copy = array(count);

    memcpy(copy, x, count * sizeof(float));
    return copy;
}

static const uint32_t guard_bits = 0x7fabcdefu;

static void
fill_guard(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memcpy(x + i, &guard_bits, sizeof(guard_bits));
}

static bool
is_guard(float x)
{
    return memcmp(&x, &guard_bits, sizeof(x)) == 0;
}

/* An output of (rows, width) at row stride ld, with guards before it and between its rows. */
typedef struct output {
    float *start;
    size_t rows, width, ld;
    float *x;
} output;

static output
make_output(size_t rows, size_t width, size_t gap)
{
    output o = {.rows = rows, .width = width, .ld = width + gap};
    size_t count = GUARD_FLOATS + (rows - 1) * o.ld + width;

    o.start = array(count);
    o.x = o.start + GUARD_FLOATS;
    fill_guard(o.start, count);
    return o;
}

/* Floats outside the output that were written. Behind its last row is no memory at all. */
static size_t
guards_broken(const output *o)
{
    size_t broken = 0;

    for (size_t i = 0; i < GUARD_FLOATS; i++)
        broken += !is_guard(o->start[i]);
    for (size_t r = 0; r + 1 < o->rows; r++)
        for (size_t j = o->width; j < o->ld; j++)
            broken += !is_guard(o->x[r * o->ld + j]);
    return broken;
}

/* ---- errors and their bounds ---- */

/*
 * Each measure is scaled so that its unit is explained in one phrase. Above `warn` the run says so
 * (a change of a kernel made it worse); above `fail` it is wrong.
 */
typedef struct measure {
    const char *name;
    double warn, fail;
    double worst;
} measure;

static void
record(measure *m, double error)
{
    if (!(error <= m->worst)) /* a NaN stays */
        m->worst = error;
}

static void
judge(const measure *m)
{
    printf("#   %-44s %.2e (warn %.1e, fail %.1e)%s\n", m->name, m->worst, m->warn, m->fail,
           m->worst <= m->warn ? "" : " WARNING");
    if (!(m->worst <= m->fail))
        UNIT_FAIL("%s: error %g above %g", m->name, m->worst, m->fail);
}

static size_t
bits_differ(const float *a, const float *b, size_t count)
{
    return memcmp(a, b, count * sizeof(float)) != 0;
}
/* Control bits of floating point: rounding, flush to zero, denormals are zero, masks. */
static unsigned
control_bits(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_stmxcsr() & 0xffc0u;
#else
    return 0;
#endif
}

static int
run_cases(const char *prefix, const unit_case *cases, size_t count, const char *word)
{
    int failed = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned before = control_bits();
        char name[64];

        snprintf(name, sizeof(name), "%s %s", prefix, cases[i].name);
        if (!strstr(name, word))
            continue;
        unit_failures = 0;
        lm_rng_seed(&rng, 7 + i);
        cases[i].run();
        CHECK_EQ_INT(control_bits(), before);
        printf("%s kernels %s\n", unit_failures ? "not ok" : "ok", name);
        fflush(stdout);
        failed += unit_failures != 0;
    }
    return failed;
}

#endif
