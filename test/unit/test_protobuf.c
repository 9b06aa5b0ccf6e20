/*
 * test_protobuf.c - fields of a message: each kind of value, the largest numbers, and bytes that
 * are no message, of which nothing is read any more.
 */
#include "format/protobuf.h"

#include "unit.h"

static lm_protobuf
message_of(const char *bytes, size_t size)
{
    const uint8_t *at = (const uint8_t *)(const void *)bytes;

    return (lm_protobuf){at, at + size, false};
}

#define MESSAGE(bytes) message_of(bytes, sizeof(bytes) - 1)

static void
values(void)
{
    lm_protobuf m = MESSAGE("\x08\xac\x02"                         /* 1: 300 */
                            "\x11\x01\x02\x03\x04\x05\x06\x07\x08" /* 2, of 8 bytes */
                            "\x1a\x03"
                            "abc"                                      /* 3 */
                            "\x22\x00"                                 /* 4: nothing */
                            "\x2d\x00\x00\x20\xc0"                     /* 5: -2.5 */
                            "\xf8\xff\xff\xff\x0f"                     /* the largest number */
                            "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" /* 2⁶⁴ - 1 */
    );
    lm_protobuf_field field;

    CHECK(lm_protobuf_next(&m, &field));
    CHECK(field.number == 1 && field.wire == LM_WIRE_VARINT && field.value == 300);
    CHECK(lm_protobuf_next(&m, &field));
    CHECK(field.number == 2 && field.wire == LM_WIRE_FIXED64);
    CHECK(field.value == 0x0807060504030201);
    CHECK(lm_protobuf_next(&m, &field));
    CHECK(field.number == 3 && field.wire == LM_WIRE_BYTES && field.size == 3);
    CHECK(memcmp(field.bytes, "abc", 3) == 0);
    CHECK(lm_protobuf_next(&m, &field));
    CHECK(field.number == 4 && field.size == 0);
    CHECK(lm_protobuf_next(&m, &field));
    CHECK(field.number == 5 && field.wire == LM_WIRE_FIXED32);
    CHECK(lm_protobuf_float(&field) == -2.5f);
    CHECK(lm_protobuf_next(&m, &field));
    CHECK(field.number == UINT32_MAX >> 3 && field.value == UINT64_MAX);
    CHECK(!lm_protobuf_next(&m, &field) && !m.bad);
}

/* A message's first field, which is bad; a second call says the same. */
static void
refuse(const char *what, lm_protobuf message)
{
    lm_protobuf_field field;

    for (int call = 0; call < 2; call++)
        if (lm_protobuf_next(&message, &field) || !message.bad || message.at > message.end)
            UNIT_FAIL("%s: call %d", what, call + 1);
}

static void
refusals(void)
{
    refuse("a tag without its end", MESSAGE("\x88"));
    refuse("no value", MESSAGE("\x08"));
    refuse("a value without its end", MESSAGE("\x08\xff\xff"));
    refuse("a value above 2⁶⁴", MESSAGE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));
    refuse("eleven bytes", MESSAGE("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"));
    refuse("the number 0", MESSAGE("\x00\x01"));
    refuse("a tag above 2³²", MESSAGE("\x80\x80\x80\x80\x10\x01"));
    refuse("seven of eight bytes", MESSAGE("\x09"
                                           "1234567"));
    refuse("three of four bytes", MESSAGE("\x0d"
                                          "123"));
    refuse("bytes beyond the end", MESSAGE("\x0a\x04"
                                           "abc"));
    refuse("a size without its end", MESSAGE("\x0a\x80"));
    refuse("a size of 2⁶⁴ - 1", MESSAGE("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                                        "a"));
    refuse("a group", MESSAGE("\x0b\x08\x01\x0c"));
    refuse("an unknown kind", MESSAGE("\x0f\x01"));
}

static const unit_case cases[] = {
    {"values", values},
    {"refusals", refusals},
};

UNIT_MAIN(cases)
