/*
 * precompiled.c - the normalizer Precompiled: a map of SentencePiece (precompiled_charsmap), read
 * as the library does.
 *
 * The map is a double array over bytes (Darts) and the texts that its keys become, each ended by a
 * 0. A grapheme cluster of fewer than six bytes becomes the text of the shortest key that it starts
 * with; else each of its characters does, and without such a key it stays. Clusters are found in
 * the text as it is before the map.
 */
#include <string.h>

#include "base/base64.h"
#include "base/grapheme.h"
#include "base/utf8.h"
#include "token/normalize.h"

/* Real maps have some 300 KB. */
#define MAX_MAP ((size_t)4 << 20)
#define CLUSTER_BYTES 6

/* A map must not make much of little. */
#define MAX_TEXT 1024

/*
 * A unit of the double array: its label in the lowest byte, where values have the highest bit; bit
 * 8 says that a key ends here; the rest is how far its children are.
 */
#define UNIT_LABEL UINT32_C(0x800000ff)
#define UNIT_ENDS UINT32_C(0x100)

static uint32_t
unit_offset(uint32_t unit)
{
    return unit >> 10 << ((unit & 0x200) >> 6);
}

/* The operation's argument. */
typedef struct charsmap {
    lm_span units; /* uint32_t */
    lm_span text;  /* what keys become; one 0 more at the end */
} charsmap;

/* ---------------------------------------------------------------- compilation */

/* The map while it is checked. */
typedef struct checker {
    lm_context *ctx;
    lm_field field;
    const uint8_t *units;
    size_t count;
    const char *text;
    size_t text_size;
    uint8_t *seen;   /* by place: its children were looked at, or wait for it */
    uint32_t *stack; /* places whose children are to be looked at */
    size_t waiting;
} checker;

static uint32_t
unit_at(const checker *c, size_t place)
{
    const uint8_t *unit = c->units + 4 * place;

    return unit[0] | (uint32_t)unit[1] << 8 | (uint32_t)unit[2] << 16 | (uint32_t)unit[3] << 24;
}

static lm_status
wrong(const checker *c, const char *found)
{
    lm_field_wrong(c->ctx, c->field, "precompiled_charsmap", NULL,
                   "a map of characters that SentencePiece made, in base64");
    return lm_detail_found(c->ctx, "%s", found);
}

/* Where a key's text starts, which ends at a 0 or with all texts. */
static lm_status
check_value(const checker *c, uint32_t value)
{
    size_t left;

    value &= INT32_MAX;
    if (value > c->text_size || (value < c->text_size && (c->text[value] & 0xc0) == 0x80))
        return wrong(c, "a key whose text is not there");
    left = c->text_size - value;
    if (left > MAX_TEXT && !memchr(c->text + value, '\0', MAX_TEXT))
        return wrong(c, "a key whose text is longer than 1,024 bytes");
    return LM_OK;
}

/* Look at the children of a place later. */
static void
push(checker *c, uint32_t place)
{
    if (c->seen[place])
        return;
    c->seen[place] = 1;
    c->stack[c->waiting++] = place;
}

/* Every child is in the array, and so is what it leads to. */
static lm_status
check_children(checker *c, uint32_t place)
{
    for (uint32_t byte = 1; byte < 256; byte++) {
        uint32_t child = place ^ byte, unit, next;

        if (child >= c->count)
            return wrong(c, "a double array that leads out of itself");
        unit = unit_at(c, child);
        if ((unit & UNIT_LABEL) != byte)
            continue;
        next = child ^ unit_offset(unit);
        if (next >= c->count)
            return wrong(c, "a double array that leads out of itself");
        if (unit & UNIT_ENDS)
            LM_TRY(check_value(c, unit_at(c, next)));
        push(c, next);
    }
    return LM_OK;
}

/* All that any text can reach. */
static lm_status
check_units(checker *c)
{
    uint32_t root = c->count > 0 ? unit_offset(unit_at(c, 0)) : 0;

    if (root >= c->count)
        return wrong(c, "a double array that leads out of itself");
    push(c, root);
    for (size_t steps = 0; c->waiting > 0; steps++) {
        if (steps % 1024 == 0)
            LM_TRY(lm_poll(c->ctx));
        LM_TRY(check_children(c, c->stack[--c->waiting]));
    }
    return LM_OK;
}

/*
 * The size of the double array in bytes, the array, and the texts; what is left of four bytes
 * belongs to these.
 */
static lm_status
split_map(checker *c, const uint8_t *bytes, size_t size)
{
    const checker head = {.units = bytes};
    size_t units;

    if (!bytes || size < 4)
        return wrong(c, bytes ? "fewer than 4 bytes" : "no base64");
    units = unit_at(&head, 0) / 4;
    if (units > (size - 4) / 4)
        return wrong(c, "a double array that is cut");
    c->units = bytes + 4;
    c->count = units;
    c->text = (const char *)bytes + 4 + 4 * units;
    c->text_size = size - 4 - 4 * units;
    if (lm_utf8_valid_prefix(c->text, c->text_size) != c->text_size)
        return wrong(c, "texts that are not UTF-8");
    return LM_OK;
}

static lm_status
read_map(checker *c, lm_arena *arena)
{
    const lm_json *json;
    uint8_t *bytes;
    size_t size;

    LM_TRY(lm_field_string(c->ctx, c->field, "precompiled_charsmap", &json));
    if (json->as.string.length / 4 * 3 > MAX_MAP)
        return wrong(c, "more than 4 MB");
    LM_TRY(lm_base64_decode(arena, json->as.string.bytes, json->as.string.length, &bytes, &size));
    LM_TRY(split_map(c, bytes, size));
    c->seen = lm_arena_zero(arena, c->count + 1);
    c->stack = lm_arena_array(arena, c->count + 1, sizeof *c->stack);
    if (!c->seen || !c->stack)
        return LM_NO_MEMORY;
    return check_units(c);
}

/* Bytes become numbers of this machine; the texts get an end. */
static lm_status
write_map(const checker *c, lm_stage_compiler *stages, lm_arena *arena, unsigned kind)
{
    uint32_t *units = lm_arena_array(arena, c->count, sizeof *units);
    char *text = lm_arena_copy(arena, c->text, c->text_size);
    charsmap map;

    if (!units || !text)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < c->count; i++)
        units[i] = unit_at(c, i);
    LM_TRY(
        lm_image_append(stages->image, stages->start, units, c->count, sizeof *units, &map.units));
    LM_TRY(lm_image_append(stages->image, stages->start, text, c->text_size + 1, 1, &map.text));
    return lm_stage_add_args(stages, kind, 0, &map, 1, sizeof map);
}

lm_status
lm_precompiled_compile(lm_stage_compiler *stages, lm_field field, unsigned kind)
{
    checker c = {.ctx = stages->ctx, .field = field};
    lm_arena arena;
    lm_status status;

    lm_arena_init(&arena, stages->ctx);
    status = read_map(&c, &arena);
    if (status == LM_OK)
        status = write_map(&c, stages, &arena, kind);
    lm_arena_free(&arena);
    return status;
}

/* ---------------------------------------------------------------- running it */

/* A map and what it has made so far; places are changes until all is there. */
typedef struct mapper {
    lm_context *ctx;
    const uint32_t *units;
    const char *text;
    lm_chars *to;
} mapper;

/* What the shortest key becomes that bytes start with, or NULL. */
static const char *
find_text(const mapper *m, const char *bytes, size_t size)
{
    uint32_t place = unit_offset(m->units[0]);

    for (size_t i = 0; i < size && bytes[i] != '\0'; i++) {
        uint32_t unit;

        place ^= (unsigned char)bytes[i];
        unit = m->units[place];
        if ((unit & UNIT_LABEL) != (unsigned char)bytes[i])
            return NULL;
        place ^= unit_offset(unit);
        if (unit & UNIT_ENDS)
            return m->text + (m->units[place] & INT32_MAX);
    }
    return NULL;
}

/*
 * The characters of a text in place of `replaced` ones. As the library counts: those beyond them
 * are inserted, and what is missing goes with the last one that is there, which may be of the
 * cluster before; at the very start it goes nowhere, and all places after it are too early.
 */
static lm_status
put_text(mapper *m, const char *text, size_t replaced)
{
    size_t length = strlen(text), made = 0;
    lm_chars *to = m->to;

    LM_TRY(lm_chars_reserve(m->ctx, to, to->count + length));
    for (size_t at = 0; at < length; made++) {
        int bytes;
        uint32_t c = lm_utf8_decode(text + at, &bytes);

        lm_chars_put(to, c, made >= replaced);
        at += (size_t)bytes;
    }
    if (made < replaced && to->count > 0)
        to->at[to->count - 1] -= (int32_t)(replaced - made);
    return LM_OK;
}

/* One character by itself. */
static lm_status
put_char(mapper *m, uint32_t c)
{
    char bytes[4] = {0};
    const int length = lm_utf8_encode(c, bytes);
    const char *text = find_text(m, bytes, (size_t)length);

    if (text)
        return put_text(m, text, 1);
    LM_TRY(lm_chars_reserve(m->ctx, m->to, m->to->count + 1));
    lm_chars_put(m->to, c, 0);
    return LM_OK;
}

/* A cluster of at most five bytes. */
static lm_status
put_short(mapper *m, const uint32_t *c, size_t count)
{
    char bytes[4 * CLUSTER_BYTES] = {0};
    size_t size = 0;
    const char *text;

    for (size_t i = 0; i < count; i++)
        size += (size_t)lm_utf8_encode(c[i], bytes + size);
    text = size < CLUSTER_BYTES ? find_text(m, bytes, size) : NULL;
    if (text)
        return put_text(m, text, count);
    for (size_t i = 0; i < count; i++)
        LM_TRY(put_char(m, c[i]));
    return LM_OK;
}

/* A cluster; every character has a byte at least. */
static lm_status
put_cluster(mapper *m, const uint32_t *c, size_t count)
{
    if (count < CLUSTER_BYTES)
        return put_short(m, c, count);
    for (size_t i = 0; i < count; i++) {
        LM_TRY(lm_poll_step(m->ctx, i));
        LM_TRY(put_char(m, c[i]));
    }
    return LM_OK;
}

lm_status
lm_precompiled_run(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                   const lm_chars *from, lm_chars *to)
{
    const charsmap *map = lm_image_at(image, op->args);
    mapper m = {ctx, lm_image_at(image, map->units), lm_image_at(image, map->text), to};
    lm_grapheme_state cluster = {0};
    size_t start = 0;

    for (size_t i = 0; i < from->count; i++) {
        LM_TRY(lm_poll_step(ctx, i));
        if (!lm_grapheme_next(&cluster, from->c[i]))
            continue;
        LM_TRY(put_cluster(&m, from->c + start, i - start));
        start = i;
    }
    LM_TRY(put_cluster(&m, from->c + start, from->count - start));
    return lm_normalize_places(ctx, from, to);
}
