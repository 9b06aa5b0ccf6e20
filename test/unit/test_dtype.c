/*
 * test_dtype.c - conversions of stored elements to float: all 65,536 values of both 16-bit formats
 * against the formula of IEEE 754, and the borders of the others.
 */
#include "format/tensors.h"

#include "unit.h"

static uint32_t
bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The value of a small binary format, from its fields by ldexp. */
static double
decode(uint16_t bits, int exponent_bits, int fraction_bits)
{
    int bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
    int fraction = bits & ((1 << fraction_bits) - 1);
    double value;

    if (exponent == (1 << exponent_bits) - 1)
        value = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        value = ldexp(fraction, 1 - bias - fraction_bits);
    else
        value = ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
    return bits & 0x8000 ? -value : value;
}

static void
check_all(lm_dtype dtype, int exponent_bits, int fraction_bits)
{
    static uint16_t from[65536];
    static float to[65536];
    int wrong = 0;

    for (int i = 0; i < 65536; i++)
        from[i] = (uint16_t)i;
    lm_dtypes[dtype].to_f32(from, to, 65536);
    for (int i = 0; i < 65536; i++) {
        double wanted = decode((uint16_t)i, exponent_bits, fraction_bits);

        if (isnan(wanted))
            wrong += !isnan(to[i]) || !signbit(to[i]) != (i < 0x8000);
        else
            wrong += bits_of(to[i]) != bits_of((float)wanted);
    }
    CHECK_EQ_INT(wrong, 0);
}

static void
test_f16(void)
{
    check_all(LM_F16, 5, 10);
}

static void
test_bf16(void)
{
    check_all(LM_BF16, 8, 7);
}

/* One value of each other type, from an odd address. */
#define CHECK_ONE(dtype, type, value, wanted)             \
    do {                                                  \
        unsigned char bytes[2 * sizeof(type) + 1];        \
        type stored[2] = {(type)(value), (type)1};        \
        float got[2];                                     \
        memcpy(bytes + 1, stored, sizeof stored);         \
        lm_dtypes[dtype].to_f32(bytes + 1, got, 2);       \
        CHECK(bits_of(got[0]) == bits_of((float)wanted)); \
        CHECK(got[1] == 1.0f);                            \
    } while (0)

static void
test_others(void)
{
    CHECK_ONE(LM_F32, float, -0.0f, -0.0f);
    CHECK_ONE(LM_F32, float, 0x1p-149f, 0x1p-149f);
    CHECK_ONE(LM_F64, double, 0.1, 0.1f);
    CHECK_ONE(LM_F64, double, 1 + 0x1p-24, 1.0f);
    CHECK_ONE(LM_F64, double, 1 + 0x1.8p-24, 1 + 0x1p-23f);
    CHECK_ONE(LM_F64, double, -INFINITY, -INFINITY);
    CHECK_ONE(LM_F64, double, 1e300, INFINITY);
    CHECK_ONE(LM_I8, int8_t, -128, -128.0f);
    CHECK_ONE(LM_I16, int16_t, -32768, -32768.0f);
    CHECK_ONE(LM_I32, int32_t, INT32_MIN, -0x1p31f);
    CHECK_ONE(LM_I64, int64_t, INT64_MIN, -0x1p63f);
    CHECK_ONE(LM_U8, uint8_t, 255, 255.0f);
    CHECK_ONE(LM_U16, uint16_t, 65535, 65535.0f);
    CHECK_ONE(LM_U32, uint32_t, UINT32_MAX, 0x1p32f);
    CHECK_ONE(LM_U64, uint64_t, UINT64_MAX, 0x1p64f);
    CHECK_ONE(LM_I32, int32_t, 16777217, 16777216.0f);
}

static void
test_table(void)
{
    static const struct {
        const char *name;
        size_t bytes;
    } wanted[LM_DTYPE_COUNT] = {
        {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F64", 8}, {"I8", 1},  {"I16", 2},  {"I32", 4},
        {"I64", 8}, {"U8", 1},  {"U16", 2},  {"U32", 4}, {"U64", 8}, {"BOOL", 1},
    };

    for (int i = 0; i < LM_DTYPE_COUNT; i++) {
        CHECK_STR(lm_dtypes[i].name, wanted[i].name);
        CHECK_EQ_INT(lm_dtypes[i].bytes, wanted[i].bytes);
        CHECK((lm_dtypes[i].to_f32 == NULL) == (i == LM_BOOL));
    }
}

static const unit_case cases[] = {
    {"dtype_f16", test_f16},
    {"dtype_bf16", test_bf16},
    {"dtype_others", test_others},
    {"dtype_table", test_table},
};

UNIT_MAIN(cases)
