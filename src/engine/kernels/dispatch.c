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

#define PRODUCT(precision, suffix, format, flops)               \
    {                                                           \
        .pack_format = format, .poll_flops = flops,             \
        .packed_size = lm_packed_size_##precision##_##suffix,   \
        .pack = lm_pack_##precision##_##suffix,                 \
        .scratch_size = lm_scratch_size_##precision##_##suffix, \
        .gemm = lm_gemm_##precision##_##suffix,                 \
    }

#define ATTENTION(precision, kind, suffix)                           \
    {                                                                \
        .scratch_size = lm_attention_##precision##_scratch_##suffix, \
        .run = lm_attention_##kind##_##suffix,                       \
    }

/* Each precision's products may be those of a lower level, and so may all the rest. */
#define TABLE(enumerator, says, suffix, flops, f32_format, bf16_level, bf16_format, bf16_flops, \
              int8_level, int8_format, int8_flops, reduced_attention)                           \
    [enumerator] = {                                                                            \
        .level = enumerator,                                                                    \
        .name = says,                                                                           \
        .poll_flops = flops,                                                                    \
        .products = {PRODUCT(f32, suffix, f32_format, flops),                                   \
                     PRODUCT(bf16, bf16_level, bf16_format, bf16_flops),                        \
                     PRODUCT(int8, int8_level, int8_format, int8_flops)},                       \
        .layer_norm_f32 = lm_layer_norm_f32_##suffix,                                           \
        .attention = {ATTENTION(f32, f32, suffix), reduced_attention, reduced_attention},       \
        .activate_f32 = lm_activate_f32_##suffix,                                               \
        .softmax_f32 = lm_softmax_f32_##suffix,                                                 \
        .add_f32 = lm_add_f32_##suffix,                                                         \
        .add_bf16 = lm_add_bf16_##suffix,                                                       \
        .mean_rows_f32 = lm_mean_rows_f32_##suffix,                                             \
        .l2_normalize_f32 = lm_l2_normalize_f32_##suffix,                                       \
        .dot_f32 = lm_dot_f32_##suffix,                                                         \
        .l2_squared_f32 = lm_l2_squared_f32_##suffix,                                           \
        .cosine_parts_f32 = lm_cosine_parts_f32_##suffix,                                       \
    }

/*
 * A pack format names the panel's width, and for 16 and 8 bits these and the k's of a group before
 * it, so that formats of two precisions differ too.
 */
static const lm_kernels tables[LM_LEVEL_COUNT] = {
    TABLE(LM_LEVEL_SCALAR, "scalar", scalar, 2e8, 8, scalar, 161008, 1.5e8, scalar, 81008, 1e8,
          ATTENTION(f32, rough, scalar)),
#if defined(__x86_64__)
    TABLE(LM_LEVEL_AVX2, "avx2", avx2, 1e9, 24, avx2, 162016, 1e9, avx2, 88016, 1.5e9,
          ATTENTION(f32, rough, avx2)),
    TABLE(LM_LEVEL_AVX512, "avx512", avx512, 1e9, 32, avx512, 162064, 1e9, avx512, 82064, 1.5e9,
          ATTENTION(f32, rough, avx512)),
    TABLE(LM_LEVEL_AVX512_VNNI, "avx512_vnni", avx512, 1e9, 32, avx512, 162064, 1e9, avx512_vnni,
          84064, 4e9, ATTENTION(f32, rough, avx512)),
    TABLE(LM_LEVEL_AVX512_BF16, "avx512_bf16", avx512, 1e9, 32, avx512_bf16, 162064, 2e9,
          avx512_vnni, 84064, 4e9, ATTENTION(bf16, bf16, avx512_bf16)),
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
        [LM_LEVEL_SCALAR] = "scalar",           [LM_LEVEL_AVX2] = "avx2",
        [LM_LEVEL_AVX512] = "avx512",           [LM_LEVEL_AVX512_VNNI] = "avx512_vnni",
        [LM_LEVEL_AVX512_BF16] = "avx512_bf16",
    };

    return level < LM_LEVEL_COUNT ? names[level] : "unknown";
}

static const char *const precision_names[LM_PRECISION_COUNT] = {
    [LM_PRECISION_F32] = "fp32",
    [LM_PRECISION_BF16] = "bf16",
    [LM_PRECISION_INT8] = "int8",
};

const char *
lm_precision_name(lm_precision precision)
{
    return precision < LM_PRECISION_COUNT ? precision_names[precision] : "unknown";
}

bool
lm_precision_find(const char *name, lm_precision *precision)
{
    for (lm_precision p = 0; p < LM_PRECISION_COUNT; p++)
        if (strcmp(precision_names[p], name) == 0) {
            *precision = p;
            return true;
        }
    return false;
}

#if defined(__x86_64__)

/* Beside those of the level below. Intel SDM volume 1, 14.3 and 15.2: the instruction's own bit is
 * not enough, the operating system has to save the registers. */
static const lm_cpu_flags needed[LM_LEVEL_COUNT] = {
    [LM_LEVEL_AVX2] = {.features = bit_OSXSAVE | bit_AVX | bit_FMA,
                       .saved = 0x6,
                       .extended_b = bit_AVX2},
    [LM_LEVEL_AVX512] = {.saved = 0xe6,
                         .extended_b = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL},
    [LM_LEVEL_AVX512_VNNI] = {.extended_c = 1u << 11},
    [LM_LEVEL_AVX512_BF16] = {.more = 1u << 5},
};

static bool
has(uint32_t flags, uint32_t wanted)
{
    return (flags & wanted) == wanted;
}

static bool
has_all(const lm_cpu_flags *cpu, const lm_cpu_flags *wanted)
{
    return has(cpu->features, wanted->features) && has(cpu->saved, wanted->saved) &&
           has(cpu->extended_b, wanted->extended_b) && has(cpu->extended_c, wanted->extended_c) &&
           has(cpu->more, wanted->more);
}

lm_level
lm_level_of(const lm_cpu_flags *cpu)
{
    lm_level level = LM_LEVEL_SCALAR;

    while (level + 1 < LM_LEVEL_COUNT && has_all(cpu, &needed[level + 1]))
        level++;
    return level;
}

/* XCR0: which register files the operating system saves. Only where CPUID reports OSXSAVE. */
static uint32_t
saved_state(void)
{
    uint32_t low, high;

    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

/* A leaf that the CPU has not leaves its flags 0. */
static lm_level
detect(void)
{
    lm_cpu_flags cpu = {0};
    uint32_t eax, ebx, ecx, edx, subleaves = 0;

    if (__get_cpuid(1, &eax, &ebx, &cpu.features, &edx) && has(cpu.features, bit_OSXSAVE))
        cpu.saved = saved_state();
    __get_cpuid_count(7, 0, &subleaves, &cpu.extended_b, &cpu.extended_c, &edx);
    if (subleaves >= 1)
        __get_cpuid_count(7, 1, &cpu.more, &ebx, &ecx, &edx);
    return lm_level_of(&cpu);
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
