/*
 * dispatch.c - which table of kernels runs: what the CPU has by CPUID, what the operating system
 * saves by XGETBV, and no more than the cap that was asked for. Never by build flags: valgrind and
 * old CPUs get what they can run. The tables are constants; a backend has one thread, so that the
 * pointer to the one in use needs no lock.
 */
#include "kernels/kernels.h"

#include <string.h>

#include "kernels/levels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define TABLE(enumerator, suffix, format, flops)            \
    [enumerator] = {                                        \
        .level = enumerator,                                \
        .name = #suffix,                                    \
        .pack_format = format,                              \
        .poll_flops = flops,                                \
        .packed_size_f32 = lm_packed_size_f32_##suffix,     \
        .pack_f32 = lm_pack_f32_##suffix,                   \
        .gemm_f32 = lm_gemm_f32_##suffix,                   \
        .layer_norm_f32 = lm_layer_norm_f32_##suffix,       \
        .attention_scratch = lm_attention_scratch_##suffix, \
        .attention_f32 = lm_attention_f32_##suffix,         \
        .activate_f32 = lm_activate_f32_##suffix,           \
        .softmax_f32 = lm_softmax_f32_##suffix,             \
        .add_f32 = lm_add_f32_##suffix,                     \
        .mean_rows_f32 = lm_mean_rows_f32_##suffix,         \
        .l2_normalize_f32 = lm_l2_normalize_f32_##suffix,   \
        .dot_f32 = lm_dot_f32_##suffix,                     \
        .l2_squared_f32 = lm_l2_squared_f32_##suffix,       \
        .cosine_parts_f32 = lm_cosine_parts_f32_##suffix,   \
    }

/* The pack format names the panel's width. */
static const lm_kernels tables[LM_LEVEL_COUNT] = {
    TABLE(LM_LEVEL_SCALAR, scalar, 8, 2e8),
#if defined(__x86_64__)
    TABLE(LM_LEVEL_AVX2, avx2, 24, 1e9),
    TABLE(LM_LEVEL_AVX512, avx512, 32, 1e9),
#endif
};

static const lm_kernels *active;

static lm_level detect(void);

const lm_kernels *
lm_kernels_active(void)
{
    if (active == NULL)
        lm_kernels_select(LM_LEVEL_COUNT);
    return active;
}

void
lm_kernels_select(lm_level cap)
{
    lm_level best = lm_kernels_best();

    active = &tables[cap < best ? cap : best];
}

const lm_kernels *
lm_kernels_at(lm_level level)
{
    return level <= lm_kernels_best() ? &tables[level] : NULL;
}

lm_level
lm_kernels_best(void)
{
    static lm_level best = LM_LEVEL_COUNT;

    if (best == LM_LEVEL_COUNT)
        best = detect();
    return best;
}

const char *
lm_level_name(lm_level level)
{
    static const char *const names[LM_LEVEL_COUNT] = {
        [LM_LEVEL_SCALAR] = "scalar",
        [LM_LEVEL_AVX2] = "avx2",
        [LM_LEVEL_AVX512] = "avx512",
    };

    return level < LM_LEVEL_COUNT ? names[level] : "unknown";
}

#if defined(__x86_64__)

/* XCR0: which register files the operating system saves. Only where CPUID reports OSXSAVE. */
static uint32_t
saved_state(void)
{
    uint32_t low, high;

    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static bool
has(uint32_t flags, uint32_t wanted)
{
    return (flags & wanted) == wanted;
}

/* Intel SDM volume 1, 14.3 and 15.2: the instruction's own bit is not enough. */
static lm_level
detect(void)
{
    const uint32_t ymm_state = 0x6, zmm_state = 0xe6;
    const uint32_t avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    uint32_t eax, ebx, ecx, edx, features, state;

    if (!__get_cpuid(1, &eax, &ebx, &features, &edx) || !has(features, bit_OSXSAVE))
        return LM_LEVEL_SCALAR;
    state = saved_state();
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !has(state, ymm_state) ||
        !has(features, bit_AVX | bit_FMA) || !has(ebx, bit_AVX2))
        return LM_LEVEL_SCALAR;
    return has(state, zmm_state) && has(ebx, avx512) ? LM_LEVEL_AVX512 : LM_LEVEL_AVX2;
}

const char *
lm_cpu_name(void)
{
    static char name[49];
    uint32_t words[12] = {0};
    const char *start;

    for (uint32_t i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                         &words[4 * i + 3]))
            return "unknown x86-64";
    memcpy(name, words, sizeof(words));
    for (start = name; *start == ' '; start++)
        ;
    return start;
}

#else

static lm_level
detect(void)
{
    return LM_LEVEL_SCALAR;
}

const char *
lm_cpu_name(void)
{
    return "not x86-64";
}

#endif
