/*
 * protobuf.c - tags and values of a message.
 */
#include "format/protobuf.h"

#include <string.h>

/* A number of at most ten bytes of seven bits, the lowest first. */
static bool
read_varint(lm_protobuf *m, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; m->at < m->end; shift += 7) {
        uint8_t byte = *m->at++;

        if (shift == 63 && byte > 1)
            return false;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* `size` bytes, the lowest first. */
static bool
read_fixed(lm_protobuf *m, size_t size, uint64_t *value)
{
    if ((size_t)(m->end - m->at) < size)
        return false;
    *value = 0;
    for (size_t i = 0; i < size; i++)
        *value |= (uint64_t)*m->at++ << (8 * i);
    return true;
}

static bool
read_bytes(lm_protobuf *m, lm_protobuf_field *field)
{
    uint64_t size;

    if (!read_varint(m, &size) || size > (uint64_t)(m->end - m->at))
        return false;
    field->bytes = m->at;
    field->size = (size_t)size;
    m->at += size;
    return true;
}

/* Groups, which nobody has written for long, are bad. */
static bool
read_value(lm_protobuf *m, lm_protobuf_field *field)
{
    switch (field->wire) {
    case LM_WIRE_VARINT:
        return read_varint(m, &field->value);
    case LM_WIRE_FIXED64:
        return read_fixed(m, 8, &field->value);
    case LM_WIRE_FIXED32:
        return read_fixed(m, 4, &field->value);
    case LM_WIRE_BYTES:
        return read_bytes(m, field);
    default:
        return false;
    }
}

bool
lm_protobuf_next(lm_protobuf *message, lm_protobuf_field *field)
{
    uint64_t tag;

    if (message->bad || message->at == message->end)
        return false;
    *field = (lm_protobuf_field){0};
    message->bad = !read_varint(message, &tag) || tag > UINT32_MAX || tag >> 3 == 0;
    if (message->bad)
        return false;
    field->number = (uint32_t)tag >> 3;
    field->wire = (uint32_t)tag & 7;
    message->bad = !read_value(message, field);
    return !message->bad;
}

float
lm_protobuf_float(const lm_protobuf_field *field)
{
    uint32_t bits = (uint32_t)field->value;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}
