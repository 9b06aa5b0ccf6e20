/*
 * dispatch.c - which table of kernels runs: what the CPU has by CPUID, what the operating system
 * saves by XGETBV, and no more than the cap that was asked for. Never by build flags: valgrind and
 * old CPUs get what they can run. Tables are filled at the first call; a backend has one thread, so
 * that neither they nor the pointer to the one in use need a lock.
 */
#include "kernels/kernels.h"

#include <string.h>

#include "kernels/levels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static lm_kernels tables[LM_LEVEL_COUNT]; /* filled by lm_kernels_best, up to what it returns */
static const lm_kernels *active;

static lm_level detect(void);
static void fill_tables(lm_level best);

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

    if (best == LM_LEVEL_COUNT) {
        best = detect();
        fill_tables(best);
    }
    return best;
}

/* A level: what the CPU has to have beside the needs of the level below, and what fills its table.
 */
typedef struct level_row {
    const char *name;
    void (*fill)(lm_kernels *table);
    lm_cpu_flags needs;
} level_row;

#if defined(__x86_64__)
#define X86(name, ...)         \
    {                          \
#name, lm_fill_##name, \
        {                      \
            __VA_ARGS__        \
        }                      \
    }
#else
#define X86(name, ...) \
    {                  \
#name, NULL,   \
        {              \
            0          \
        }              \
    } /* known to caps, never reached */
#endif

/*
 * Intel SDM volume 1, 14.3 and 15.2: an instruction's own bit is not enough, the operating system
 * has to save the registers.
 */
static const level_row levels[LM_LEVEL_COUNT] = {
    [LM_LEVEL_SCALAR] = {"scalar", lm_fill_scalar, {0}},
    [LM_LEVEL_AVX2] = X86(avx2, .features = bit_OSXSAVE | bit_AVX | bit_FMA, .saved = 0x6,
                          .extended_b = bit_AVX2),
    [LM_LEVEL_AVX512] = X86(avx512, .saved = 0xe6,
                            .extended_b = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL),
    [LM_LEVEL_AVX512_VNNI] = X86(avx512_vnni, .extended_c = 1u << 11),
    [LM_LEVEL_AVX512_BF16] = X86(avx512_bf16, .more = 1u << 5),
};

const char *
lm_level_name(lm_level level)
{
    return level < LM_LEVEL_COUNT ? levels[level].name : "unknown";
}

/* Each level over a copy of the table below. */
static void
fill_tables(lm_level best)
{
    for (lm_level level = 0; level <= best; level++) {
        lm_kernels *table = &tables[level];

        if (level > 0)
            *table = tables[level - 1];
        table->level = level;
        table->name = levels[level].name;
        levels[level].fill(table);
    }
}

const lm_precision_info lm_precisions[LM_PRECISION_COUNT] = {
    [LM_PRECISION_F32] = {.name = "fp32", .exact = true},
    [LM_PRECISION_BF16] = {.name = "bf16", .bf16_tables = true},
    [LM_PRECISION_INT8] = {.name = "int8", .bf16_tables = true, .coded = true},
};

const char *
lm_precision_name(lm_precision precision)
{
    return precision < LM_PRECISION_COUNT ? lm_precisions[precision].name : "unknown";
}

bool
lm_precision_find(const char *name, lm_precision *precision)
{
    for (lm_precision p = 0; p < LM_PRECISION_COUNT; p++)
        if (strcmp(lm_precisions[p].name, name) == 0) {
            *precision = p;
            return true;
        }
    return false;
}

#if defined(__x86_64__)

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

    while (level + 1 < LM_LEVEL_COUNT && has_all(cpu, &levels[level + 1].needs))
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

/* A leaf that the CPU lacks leaves its flags 0. */
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
