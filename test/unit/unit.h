/*
 * unit.h - the checks of the engine's unit tests. Each test is a program of named cases; every case
 * prints "ok NAME" or "not ok NAME", which scripts/test.sh counts. A check that fails says where
 * and what, and the case goes on. UNIT_MAIN runs a table of cases, or only those whose name
 * contains the program's first argument, or, where that begins with '-', does not contain the rest
 * of it.
 */
#ifndef UNIT_H
#define UNIT_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/notes.h"

#ifdef __SANITIZE_ADDRESS__
#define UNIT_STRIDE 8
#else
#define UNIT_STRIDE 1
#endif

static inline size_t
unit_number(const char *variable, size_t fallback)
{
    const char *value = getenv(variable);

    return value ? strtoul(value, NULL, 10) : fallback;
}

/*
 * Of many inputs that take the same way each n-th is enough under sanitizers and where ways are
 * counted (scripts/parts/coverage.sh): these look at the accesses and at the ways, not at the
 * values, and take ten times as long. In CI LMTEXT_STRIDE is n, and commits take turns
 * (LMTEXT_TURN) at which ones it takes.
 */
static inline size_t
unit_stride(void)
{
    size_t stride = unit_number("LMTEXT_STRIDE", UNIT_STRIDE);

    return stride ? stride : 1;
}

static inline size_t
unit_turn(void)
{
    return unit_number("LMTEXT_TURN", 0);
}

/*
 * The place behind `at` where a loop lets something fail next, counted from 1: each of the first
 * ones; then, under sanitizers alone, as above. (What is counted needs every place.)
 */
static inline int
unit_next_fault(int at)
{
#ifdef __SANITIZE_ADDRESS__
    enum { WHOLE = 24 };

    if (at == WHOLE)
        return at + 1 + (int)(unit_turn() % unit_stride());
    if (at > WHOLE)
        return at + (int)unit_stride();
#endif
    return at + 1;
}

static int unit_failures; /* of the running case */

#define UNIT_FAIL(...)                                                \
    (unit_failures++, fprintf(stderr, "%s:%d: ", __FILE__, __LINE__), \
     fprintf(stderr, __VA_ARGS__), fputc('\n', stderr))

#define CHECK(condition) ((condition) ? (void)0 : (void)UNIT_FAIL("false: %s", #condition))

#define CHECK_EQ_INT(got, wanted)                                                 \
    do {                                                                          \
        long long unit_got = (long long)(got), unit_wanted = (long long)(wanted); \
        if (unit_got != unit_wanted)                                              \
            UNIT_FAIL("%s is %lld, wanted %lld", #got, unit_got, unit_wanted);    \
    } while (0)

#define CHECK_STR(got, wanted)                                                             \
    do {                                                                                   \
        const char *unit_got = (got), *unit_wanted = (wanted);                             \
        if (!unit_got || strcmp(unit_got, unit_wanted) != 0)                               \
            UNIT_FAIL("%s is \"%s\", wanted \"%s\"", #got, unit_got ? unit_got : "(null)", \
                      unit_wanted);                                                        \
    } while (0)

/* Both finite and no further apart than the bound (a NaN fails). */
#define CHECK_NEAR(got, wanted, bound)                                                  \
    do {                                                                                \
        double unit_got = (got), unit_wanted = (wanted);                                \
        if (!(fabs(unit_got - unit_wanted) <= (bound)))                                 \
            UNIT_FAIL("%s is %.9g, wanted %.9g within %g", #got, unit_got, unit_wanted, \
                      (double)(bound));                                                 \
    } while (0)

/* A call that must succeed; else its error record is printed. */
#define CHECK_OK(ctx, call)                                                               \
    do {                                                                                  \
        if ((call) != LM_OK)                                                              \
            UNIT_FAIL("%s: status %d, %s [file %s, key %s, found %s, allowed %s]", #call, \
                      (ctx)->error.status, (ctx)->error.message, (ctx)->error.file,       \
                      (ctx)->error.key, (ctx)->error.found, (ctx)->error.allowed);        \
    } while (0)

/* Whether the message of a note has this part. */
static inline bool
has_note(const lm_notes *notes, const char *part)
{
    for (int i = 0; i < notes->count; i++)
        if (strstr(notes->items[i].message, part))
            return true;
    return false;
}

typedef struct unit_case {
    const char *name;
    void (*run)(void);
} unit_case;

#define UNIT_MAIN(cases)                                                                   \
    int main(int argc, char **argv)                                                        \
    {                                                                                      \
        return unit_run(cases, sizeof(cases) / sizeof(cases)[0], argc > 1 ? argv[1] : ""); \
    }

static inline int
unit_run(const unit_case *cases, size_t count, const char *only)
{
    int failed = 0;

    for (size_t i = 0; i < count; i++) {
        bool without = only[0] == '-';

        if (!strstr(cases[i].name, only + without) != without)
            continue;
        unit_failures = 0;
        cases[i].run();
        printf("%s %s\n", unit_failures ? "not ok" : "ok", cases[i].name);
        fflush(stdout);
        failed += unit_failures != 0;
    }
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
