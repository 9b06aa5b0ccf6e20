/*
 * dtype.c - the element types of safetensors files and how each becomes float.
 *
 * Source bytes need no alignment. Conversions are exact where float can hold the value and round to
 * nearest otherwise (F64, wide integers); NaN and infinity stay what they are, and are the
 * reader's to refuse. Nothing here depends on how the processor treats subnormal numbers.
 */
#include <string.h>

#include "format/tensors.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors data is little-endian, and is converted in place of this machine's order"
#endif

/* As it is; the copy takes care of alignment. */
static void
f32_to_f32(const void *from, float *to, size_t n)
{
    memcpy(to, from, n * sizeof *to);
}

/*
 * IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. Subnormals are fraction ·
 * 2^-24, computed from the integer; the rest moves its bits and takes float's bias of 127.
 * Selection without branches, so that the loop is vectorised.
 */
static void
f16_to_f32(const void *from, float *to, size_t n)
{
    const unsigned char *bytes = from;

    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        uint32_t magnitude, bits, small_bits;
        float small;

        memcpy(&half, bytes + 2 * i, sizeof half);
        magnitude = half & 0x7fff;
        small = (float)(int32_t)magnitude * 0x1p-24f;
        memcpy(&small_bits, &small, sizeof small_bits);
        bits = (magnitude << 13) + (magnitude >= 0x7c00 ? 224u << 23 : 112u << 23);
        bits = magnitude < 0x0400 ? small_bits : bits;
        bits |= (uint32_t)(half & 0x8000) << 16;
        memcpy(to + i, &bits, sizeof bits);
    }
}

/* bfloat16 is the upper half of a float. */
static void
bf16_to_f32(const void *from, float *to, size_t n)
{
    const unsigned char *bytes = from;

    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        uint32_t bits;

        memcpy(&half, bytes + 2 * i, sizeof half);
        bits = (uint32_t)half << 16;
        memcpy(to + i, &bits, sizeof bits);
    }
}

/* The types that C converts by a cast. */
#define DEFINE_CAST(name, type)                                     \
    static void name(const void *from, float *to, size_t n)         \
    {                                                               \
        const unsigned char *bytes = from;                          \
                                                                    \
        for (size_t i = 0; i < n; i++) {                            \
            type value;                                             \
                                                                    \
            memcpy(&value, bytes + i * sizeof value, sizeof value); \
            to[i] = (float)value;                                   \
        }                                                           \
    }

DEFINE_CAST(f64_to_f32, double)
DEFINE_CAST(i8_to_f32, int8_t)
DEFINE_CAST(i16_to_f32, int16_t)
DEFINE_CAST(i32_to_f32, int32_t)
DEFINE_CAST(i64_to_f32, int64_t)
DEFINE_CAST(u8_to_f32, uint8_t)
DEFINE_CAST(u16_to_f32, uint16_t)
DEFINE_CAST(u32_to_f32, uint32_t)
DEFINE_CAST(u64_to_f32, uint64_t)

const lm_dtype_info lm_dtypes[LM_DTYPE_COUNT] = {
    [LM_F32] = {"F32", 4, f32_to_f32},    [LM_F16] = {"F16", 2, f16_to_f32},
    [LM_BF16] = {"BF16", 2, bf16_to_f32}, [LM_F64] = {"F64", 8, f64_to_f32},
    [LM_I8] = {"I8", 1, i8_to_f32},       [LM_I16] = {"I16", 2, i16_to_f32},
    [LM_I32] = {"I32", 4, i32_to_f32},    [LM_I64] = {"I64", 8, i64_to_f32},
    [LM_U8] = {"U8", 1, u8_to_f32},       [LM_U16] = {"U16", 2, u16_to_f32},
    [LM_U32] = {"U32", 4, u32_to_f32},    [LM_U64] = {"U64", 8, u64_to_f32},
    [LM_BOOL] = {"BOOL", 1, NULL},
};
