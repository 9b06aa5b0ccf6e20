/*
 * test_levels.c - which level a CPU gets, by flags of machines that are not at hand; and what
 * holds at each level.
 */
#include "base/size.h"
#include "fake.h"
#include "kernels/levels.h"
#include "unit.h"

#if defined(__x86_64__)

/* Flags as Intel's and AMD's manuals number them. */
#define FMA (1u << 12)
#define OSXSAVE (1u << 27)
#define AVX (1u << 28)
#define AVX2 (1u << 5)
#define AVX512F (1u << 16)
#define AVX512DQ (1u << 17)
#define AVX512BW (1u << 30)
#define AVX512VL (1u << 31)
#define AVX512_VNNI (1u << 11)
#define AVX512_BF16 (1u << 5)
#define YMM 0x7u
#define ZMM 0xe7u

static const lm_cpu_flags zen4 = {FMA | OSXSAVE | AVX, ZMM,
                                  AVX2 | AVX512F | AVX512DQ | AVX512BW | AVX512VL, AVX512_VNNI,
                                  AVX512_BF16};

/* All that such a CPU has, less some of it. */
static lm_level
without(lm_cpu_flags less)
{
    lm_cpu_flags cpu = zen4;

    cpu.features &= ~less.features;
    cpu.saved &= ~less.saved;
    cpu.extended_b &= ~less.extended_b;
    cpu.extended_c &= ~less.extended_c;
    cpu.more &= ~less.more;
    return lm_level_of(&cpu);
}

static void
test_levels(void)
{
    static const struct {
        lm_cpu_flags less;
        lm_level level;
    } machines[] = {
        {{0}, LM_LEVEL_AVX512_BF16},
        {{.more = AVX512_BF16}, LM_LEVEL_AVX512_VNNI},
        {{.extended_c = AVX512_VNNI}, LM_LEVEL_AVX512},
        {{.extended_b = AVX512F}, LM_LEVEL_AVX2},
        {{.extended_b = AVX512DQ}, LM_LEVEL_AVX2},
        {{.extended_b = AVX512BW}, LM_LEVEL_AVX2},
        {{.extended_b = AVX512VL}, LM_LEVEL_AVX2},
        {{.saved = ZMM & ~YMM}, LM_LEVEL_AVX2},
        {{.saved = YMM}, LM_LEVEL_SCALAR},
        {{.extended_b = AVX2}, LM_LEVEL_SCALAR},
        {{.features = FMA}, LM_LEVEL_SCALAR},
        {{.features = AVX}, LM_LEVEL_SCALAR},
        {{.features = OSXSAVE}, LM_LEVEL_SCALAR},
    };

    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++)
        CHECK_EQ_INT(without(machines[i].less), machines[i].level);
}

#else

static void
test_levels(void)
{
    CHECK_EQ_INT(lm_kernels_best(), LM_LEVEL_SCALAR);
}

#endif

/* No better one than the CPU has can be taken, and each that it has says its name. */
static void
test_tables(void)
{
    for (lm_level level = 0; level < LM_LEVEL_COUNT; level++) {
        const lm_kernels *kernels = lm_kernels_at(level);

        CHECK_EQ_INT(kernels != NULL, level <= lm_kernels_best());
        lm_kernels_select(level);
        CHECK_EQ_INT(lm_kernels_active()->level,
                     level < lm_kernels_best() ? level : lm_kernels_best());
        if (kernels)
            CHECK_STR(kernels->name, lm_level_name(level));
    }
    lm_kernels_select(LM_LEVEL_COUNT);
    CHECK_EQ_INT(lm_kernels_active()->level, lm_kernels_best());
    CHECK_STR(lm_level_name(LM_LEVEL_COUNT), "unknown");
    CHECK_STR(lm_precision_name(LM_PRECISION_COUNT), "unknown");
    for (lm_precision precision = 0; precision < LM_PRECISION_COUNT; precision++) {
        lm_precision found = LM_PRECISION_COUNT;

        CHECK(lm_precision_find(lm_precision_name(precision), &found));
        CHECK_EQ_INT(found, precision);
    }
    CHECK(!lm_precision_find("int4", &(lm_precision){0}));
}

/* ---- Weights back from panels ---- */

static void
test_unpack(void)
{
    enum { N = 67, K = 33 };
    static float w[N * K], back[N * K];
    fake_memory memory = {.stop_at = 0};
    lm_context ctx;

    fake_context(&ctx, &memory);
    for (size_t i = 0; i < N * K; i++)
        w[i] = (float)((int)(i * 37 % 201) - 100) / 64; /* as bfloat16 has them */
    for (int level = 0; level < LM_LEVEL_COUNT; level++) {
        const lm_kernels *kernels = lm_kernels_at((lm_level)level);

        for (int p = 0; kernels && p < LM_PRECISION_INT8; p++) {
            const lm_matrix matrix = {.n = N, .k = K, .values = w};
            void *packed = aligned_alloc(LM_ALIGNMENT, kernels->products[p].packed_size(N, K));

            kernels->products[p].pack(&matrix, 0, N, packed);
            memset(back, 0, sizeof back);
            CHECK_OK(&ctx, lm_unpack(&ctx, kernels, (lm_precision)p, packed, N, K, back));
            CHECK(memcmp(back, w, sizeof w) == 0);
            free(packed);
        }
    }
    CHECK_EQ_INT(lm_unpack(&ctx, lm_kernels_active(), LM_PRECISION_INT8, w, N, K, back),
                 LM_UNSUPPORTED);
    memory = (fake_memory){.stop_at = 1};
    CHECK_EQ_INT(lm_unpack(&ctx, lm_kernels_active(), LM_PRECISION_F32, w, N, K, back),
                 LM_CANCELLED);
}

static const unit_case cases[] = {
    {"levels", test_levels},
    {"tables", test_tables},
    {"weights come back from panels", test_unpack},
};

UNIT_MAIN(cases)
