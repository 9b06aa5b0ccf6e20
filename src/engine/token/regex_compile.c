/*
 * regex_compile.c - from program to automaton: characters that no set tells apart are one class,
 * and a state is a list of threads in order of preference, all of which wait for a character.
 *
 * What the threads do before they take it depends on the next character, so they are moved when it
 * is known. One that matches then ends those that are preferred less.
 */
#include "token/regex.h"

#include <string.h>

#include "base/sort.h"
#include "token/regex_program.h"

#define MAX_PATTERN 8192
#define MAX_SETS 256
#define MAX_CLASSES 255
#define MAX_ROWS 4096
#define SCALARS (LM_LAST_SCALAR + 1)
#define BLOCK ((size_t)1 << LM_REGEX_SHIFT)
#define AT_EDGE (UINT64_C(1) << 63) /* in what stands before: nothing does */

typedef struct maker {
    lm_context *ctx;
    lm_arena arena;
    lm_regex_program program;
    lm_intern classes; /* uint64_t[words]: the sets that have the class, one bit each */
    size_t words;
    uint8_t *class_of; /* by scalar value */
    lm_intern states;  /* uint32_t[]: two for what stands before, then threads */
    lm_buffer next;    /* uint32_t */
    uint32_t *key;     /* of a state that is being made: 2 + LM_REGEX_MAX_STEPS */
    uint32_t *from;    /* of the state that is left */
    uint32_t *stack;
    uint32_t *seen, *listed; /* by step: the last round that met it */
    uint32_t round;
} maker;

static lm_status make_all(maker *m, const lm_regex_node *root, const char *pattern);
static lm_status make_classes(maker *m);
static lm_status make_states(maker *m);
static lm_status write_all(maker *m, lm_buffer *out, size_t start, lm_regex *regex);

static void
free_maker(maker *m)
{
    lm_regex_program_free(&m->program);
    lm_intern_free(&m->classes);
    lm_intern_free(&m->states);
    lm_buffer_free(&m->next);
    lm_arena_free(&m->arena);
}

lm_status
lm_regex_compile(lm_buffer *out, size_t start, const char *pattern, size_t length, bool literal,
                 lm_regex *regex)
{
    maker m = {.ctx = out->ctx};
    const lm_regex_node *root;
    lm_status status;

    if (length > MAX_PATTERN)
        return lm_regex_refuse(out->ctx, pattern, "it is too long");
    lm_arena_init(&m.arena, out->ctx);
    lm_intern_init(&m.program.sets, out->ctx, "sets");
    lm_intern_init(&m.classes, out->ctx, "classes of characters");
    lm_intern_init(&m.states, out->ctx, "states");
    lm_buffer_init(&m.next, out->ctx);
    status = literal ? lm_regex_literal(&m.arena, pattern, length, &root)
                     : lm_regex_parse(&m.arena, pattern, length, &root);
    if (status == LM_OK)
        status = make_all(&m, root, pattern);
    if (status == LM_OK)
        status = write_all(&m, out, start, regex);
    free_maker(&m);
    return status;
}

static lm_status
make_all(maker *m, const lm_regex_node *root, const char *pattern)
{
    LM_TRY(lm_regex_program_make(&m->arena, root, pattern, &m->program));
    LM_TRY(make_classes(m));
    return make_states(m);
}

static lm_status
too_large(const maker *m)
{
    return lm_regex_refuse(m->ctx, m->program.pattern, "it is too large");
}

/* ---- Classes. ---- */

static const lm_char_range *
ranges_of(const maker *m, uint32_t set, size_t *count)
{
    size_t length;
    const char *bytes = lm_intern_bytes(&m->program.sets, set, &length);

    *count = length / sizeof(lm_char_range);
    return (const lm_char_range *)(const void *)bytes;
}

static int
by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Where a range of some set begins, or the first value behind one: between them all are alike. */
static lm_status
collect_bounds(maker *m, uint32_t **bounds, size_t *count)
{
    lm_charset borders = {0}; /* pairs of bounds, as it happens: a range's first and next value */
    uint32_t *all;
    size_t kept = 0;

    LM_TRY(lm_charset_add(&m->arena, &borders, 0, SCALARS));
    for (uint32_t set = 0; set < m->program.sets.count; set++) {
        size_t ranges;
        const lm_char_range *range = ranges_of(m, set, &ranges);

        for (size_t i = 0; i < ranges; i++)
            LM_TRY(lm_charset_add(&m->arena, &borders, range[i].first, range[i].last + 1));
    }
    all = &borders.items[0].first;
    LM_TRY(lm_sort(m->ctx, all, 2 * (size_t)borders.count, sizeof *all, by_value));
    for (size_t i = 0; i < 2 * (size_t)borders.count; i++)
        if (kept == 0 || all[i] != all[kept - 1])
            all[kept++] = all[i];
    *bounds = all;
    *count = kept;
    return LM_OK;
}

/* Set the bit of a set where it has the values from bounds[i] to bounds[i + 1] - 1. */
static void
mark_set(const maker *m, uint32_t set, const uint32_t *bounds, size_t count, uint64_t *marks)
{
    size_t ranges, i = 0;
    const lm_char_range *range = ranges_of(m, set, &ranges);

    for (size_t k = 0; k < ranges; k++) {
        while (bounds[i] < range[k].first)
            i++;
        for (; i + 1 < count && bounds[i] <= range[k].last; i++)
            marks[i * m->words + set / 64] |= UINT64_C(1) << set % 64;
    }
}

static lm_status
give_classes(maker *m, const uint32_t *bounds, size_t count, const uint64_t *marks)
{
    for (size_t i = 0; i + 1 < count; i++) {
        uint32_t class;

        LM_TRY(lm_intern_add(&m->classes, (const char *)(marks + i * m->words),
                             m->words * sizeof *marks, &class));
        if (class >= MAX_CLASSES)
            return too_large(m);
        memset(m->class_of + bounds[i], (int)class, bounds[i + 1] - bounds[i]);
    }
    return LM_OK;
}

static lm_status
make_classes(maker *m)
{
    uint32_t *bounds;
    uint64_t *marks;
    size_t count, size;

    if (m->program.sets.count > MAX_SETS)
        return too_large(m);
    m->words = m->program.sets.count / 64 + 1;
    LM_TRY(collect_bounds(m, &bounds, &count));
    if (lm_mul_overflows(count, m->words * sizeof *marks, &size))
        return too_large(m);
    marks = lm_arena_zero(&m->arena, size);
    m->class_of = lm_arena_alloc(&m->arena, SCALARS);
    if (!marks || !m->class_of)
        return LM_NO_MEMORY;
    for (uint32_t set = 0; set < m->program.sets.count; set++) {
        LM_TRY(lm_poll(m->ctx));
        mark_set(m, set, bounds, count, marks);
    }
    return give_classes(m, bounds, count, marks);
}

/* The end of the text is of no set. */
static bool
has_class(const maker *m, uint32_t set, uint32_t class)
{
    size_t length;
    const char *bytes;

    if (class >= m->classes.count)
        return false;
    bytes = lm_intern_bytes(&m->classes, class, &length);
    return ((const uint64_t *)(const void *)bytes)[set / 64] >> set % 64 & 1;
}

/* ---- States. ---- */

/* The sets that are looked for behind and have a class: one bit each. */
static uint64_t
before_of(const maker *m, uint32_t class)
{
    uint64_t before = 0;

    if (m->program.behind_count == 0)
        return 0;
    if (class == m->classes.count)
        return AT_EDGE;
    for (uint32_t i = 0; i < m->program.behind_count; i++)
        before |= (uint64_t)has_class(m, m->program.behind[i], class) << i;
    return before;
}

/* Whether what a step asks of a neighbour holds. */
static bool
holds(const maker *m, const lm_regex_step *step, uint64_t before, uint32_t class)
{
    bool found;

    if (step->act == LM_REGEX_BEFORE)
        found = before & AT_EDGE ? step->edge : before >> step->set & 1;
    else
        found = class == m->classes.count ? step->edge : has_class(m, step->set, class);
    return found != step->negated;
}

/* Add a thread behind those of the key, if it is not there. */
static void
list_thread(maker *m, uint32_t step, size_t *count)
{
    if (m->listed[step] == m->round)
        return;
    m->listed[step] = m->round;
    m->key[2 + (*count)++] = step;
}

/*
 * Move one thread until it takes the character or ends, with the threads that split off it; true:
 * it matches before the character.
 */
static bool
move_thread(maker *m, uint32_t thread, uint64_t before, uint32_t class, size_t *count)
{
    size_t depth = 0;

    m->stack[depth++] = thread;
    while (depth > 0) {
        uint32_t at = m->stack[--depth];
        const lm_regex_step *step = &m->program.steps[at];

        if (m->seen[at] == m->round)
            continue;
        m->seen[at] = m->round;
        if (step->act == LM_REGEX_MATCH)
            return true;
        if (step->act == LM_REGEX_SPLIT) {
            m->stack[depth++] = step->other;
            m->stack[depth++] = step->next;
        } else if (step->act == LM_REGEX_TAKE) {
            if (has_class(m, step->set, class))
                list_thread(m, step->next, count);
        } else if (holds(m, step, before, class)) {
            m->stack[depth++] = step->next;
        }
    }
    return false;
}

/* What stands before is of no account where no thread is left. */
static lm_status
number_state(maker *m, uint64_t before, size_t threads, uint32_t *state)
{
    uint64_t kept = threads ? before : 0;

    memcpy(m->key, &kept, sizeof kept);
    LM_TRY(
        lm_intern_add(&m->states, (const char *)m->key, (2 + threads) * sizeof m->key[0], state));
    if (*state >= MAX_ROWS || ((size_t)*state + 1) * (m->classes.count + 1) > LM_REGEX_MAX_CELLS)
        return too_large(m);
    return LM_OK;
}

/* The entry for one class, in the row of the state in m->from. */
static lm_status
add_entry(maker *m, uint64_t before, size_t threads, uint32_t class)
{
    size_t count = 0;
    bool matches = false;
    uint32_t state, entry;

    m->round++;
    for (size_t i = 0; i < threads && !matches; i++)
        matches = move_thread(m, m->from[2 + i], before, class, &count);
    LM_TRY(number_state(m, before_of(m, class), count, &state));
    entry = state * (m->classes.count + 1) << 1 | matches;
    return lm_buffer_append(&m->next, &entry, sizeof entry);
}

static lm_status
make_row(maker *m, uint32_t state)
{
    size_t length;
    const char *bytes = lm_intern_bytes(&m->states, state, &length);
    uint64_t before;

    memcpy(m->from, bytes, length);
    memcpy(&before, m->from, sizeof before);
    LM_TRY(lm_poll(m->ctx));
    for (uint32_t class = 0; class <= m->classes.count; class ++)
        LM_TRY(add_entry(m, before, length / sizeof m->from[0] - 2, class));
    return LM_OK;
}

/* State 0 has no thread; then those to begin with, by what stands before. */
static lm_status
make_first_states(maker *m)
{
    uint32_t state;

    LM_TRY(number_state(m, 0, 0, &state));
    for (uint32_t class = 0; class <= m->classes.count; class ++) {
        m->key[2] = m->program.first;
        LM_TRY(number_state(m, before_of(m, class), 1, &state));
    }
    return LM_OK;
}

static lm_status
make_states(maker *m)
{
    const size_t size = 2 * LM_REGEX_MAX_STEPS + 2;

    m->key = lm_arena_array(&m->arena, size, sizeof *m->key);
    m->from = lm_arena_array(&m->arena, size, sizeof *m->from);
    m->stack = lm_arena_array(&m->arena, size, sizeof *m->stack);
    m->seen = lm_arena_zero(&m->arena, size * sizeof *m->seen);
    m->listed = lm_arena_zero(&m->arena, size * sizeof *m->listed);
    if (!m->key || !m->from || !m->stack || !m->seen || !m->listed)
        return LM_NO_MEMORY;
    LM_TRY(make_first_states(m));
    for (uint32_t state = 0; state < m->states.count; state++)
        LM_TRY(make_row(m, state));
    return LM_OK;
}

/* ---- The image. ---- */

/* Blocks of 2^LM_REGEX_SHIFT values, equal ones once. */
static lm_status
collect_blocks(maker *m, lm_intern *blocks, uint16_t *numbers)
{
    for (size_t i = 0; i < SCALARS / BLOCK; i++) {
        uint32_t number;

        LM_TRY(lm_intern_add(blocks, (const char *)m->class_of + i * BLOCK, BLOCK, &number));
        numbers[i] = (uint16_t)number;
    }
    return LM_OK;
}

static lm_status
copy_blocks(const lm_intern *blocks, lm_buffer *values)
{
    for (uint32_t i = 0; i < blocks->count; i++) {
        size_t length;
        const char *bytes = lm_intern_bytes(blocks, i, &length);

        LM_TRY(lm_buffer_append(values, bytes, length));
    }
    return LM_OK;
}

static lm_status
write_blocks(maker *m, lm_intern *blocks, lm_buffer *values, lm_buffer *out, size_t start,
             lm_regex *regex)
{
    uint16_t *numbers = lm_arena_array(&m->arena, SCALARS / BLOCK, sizeof *numbers);

    if (!numbers)
        return LM_NO_MEMORY;
    LM_TRY(collect_blocks(m, blocks, numbers));
    LM_TRY(copy_blocks(blocks, values));
    LM_TRY(lm_image_append(out, start, numbers, SCALARS / BLOCK, sizeof *numbers, &regex->block));
    return lm_image_append(out, start, values->data, values->size, 1, &regex->value);
}

static lm_status
write_classes(maker *m, lm_buffer *out, size_t start, lm_regex *regex)
{
    lm_intern blocks;
    lm_buffer values;
    lm_status status;

    lm_intern_init(&blocks, m->ctx, "blocks");
    lm_buffer_init(&values, m->ctx);
    status = write_blocks(m, &blocks, &values, out, start, regex);
    lm_buffer_free(&values);
    lm_intern_free(&blocks);
    return status;
}

/* The row to begin with behind a character of each class; the states were numbered at the start. */
static lm_status
write_starts(maker *m, lm_buffer *out, size_t start, lm_regex *regex)
{
    uint32_t rows[MAX_CLASSES + 1];

    for (uint32_t class = 0; class <= m->classes.count; class ++) {
        m->key[2] = m->program.first;
        LM_TRY(number_state(m, before_of(m, class), 1, &rows[class]));
        rows[class] *= m->classes.count + 1;
    }
    return lm_image_append(out, start, rows, m->classes.count + 1, sizeof rows[0], &regex->start);
}

static lm_status
write_all(maker *m, lm_buffer *out, size_t start, lm_regex *regex)
{
    memset(regex, 0, sizeof *regex);
    regex->classes = m->classes.count;
    regex->rows = m->states.count;
    regex->looks_behind = m->program.behind_count > 0;
    memcpy(regex->ascii, m->class_of, sizeof regex->ascii);
    LM_TRY(write_classes(m, out, start, regex));
    LM_TRY(write_starts(m, out, start, regex));
    return lm_image_append(out, start, m->next.data, m->next.size / sizeof(uint32_t),
                           sizeof(uint32_t), &regex->next);
}
