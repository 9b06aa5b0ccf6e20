/*
 * size.h - checked arithmetic. Every size that comes from a file or from SQL goes through these:
 * true means that the result overflowed and *result is not to be used.
 */
#ifndef LM_SIZE_H
#define LM_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool
lm_add_overflows(size_t a, size_t b, size_t *result)
{
    return __builtin_add_overflow(a, b, result);
}

static inline bool
lm_mul_overflows(size_t a, size_t b, size_t *result)
{
    return __builtin_mul_overflow(a, b, result);
}

/*
 * How much room an array of rows is given when it is too small: twice as much, and from some tens
 * of thousands on an eighth more, since in a file all of it must be written.
 */
static inline size_t
lm_grown_room(size_t room, size_t need)
{
    const size_t wanted = room + (room < 65536 ? room : room / 8);

    return wanted > need ? wanted : need;
}

/* Cache lines and AVX-512 registers: every array that a kernel reads starts on such a boundary. */
#define LM_ALIGNMENT ((size_t)64)

static inline size_t
lm_align_up(size_t n)
{
    return (n + LM_ALIGNMENT - 1) & ~(LM_ALIGNMENT - 1);
}

/* Lay out a workspace: the next piece of it, aligned; where it starts. The caller's sizes fit. */
static inline size_t
lm_lay_bytes(size_t *size, size_t bytes)
{
    size_t start = *size;

    *size = lm_align_up(start + bytes);
    return start;
}

/* The same of numbers, one behind the other; NULL without a base, when only the size is asked for.
 */
static inline float *
lm_lay_floats(float *base, size_t *size, size_t count)
{
    float *at = base ? base + *size : NULL;

    *size += count;
    return at;
}

#endif
