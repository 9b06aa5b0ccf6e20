/*
 * protobuf.h - the fields of a message of Protocol Buffers, one after the other, for hostile bytes:
 * nothing outside the message is read.
 */
#ifndef LM_PROTOBUF_H
#define LM_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum lm_protobuf_wire {
    LM_WIRE_VARINT = 0,
    LM_WIRE_FIXED64 = 1,
    LM_WIRE_BYTES = 2,
    LM_WIRE_FIXED32 = 5
} lm_protobuf_wire;

typedef struct lm_protobuf {
    const uint8_t *at, *end;
    bool bad; /* the bytes are no message */
} lm_protobuf;

typedef struct lm_protobuf_field {
    uint32_t number;
    uint32_t wire;  /* lm_protobuf_wire */
    uint64_t value; /* of numbers */
    const uint8_t *bytes;
    size_t size;
} lm_protobuf_field;

/* The next field; false at the end, and where the bytes are bad. */
bool lm_protobuf_next(lm_protobuf *message, lm_protobuf_field *field);

/* The value of a LM_WIRE_FIXED32 as a float. */
float lm_protobuf_float(const lm_protobuf_field *field);

#endif
