/*
 * regex_program.c - from tree to program. Each node is made with the step that comes after it, so
 * from the end to the front.
 */
#include "token/regex_program.h"

#define MAX_MADE (16 * LM_REGEX_MAX_STEPS)

static lm_status make_node(lm_regex_program *p, const lm_regex_node *node, uint32_t after,
                           uint32_t *at);

static lm_status
add(lm_regex_program *p, lm_regex_step step, uint32_t *at)
{
    if (p->count == LM_REGEX_MAX_STEPS)
        return lm_regex_refuse(p->ctx, p->pattern, "it is too large");
    *at = p->count;
    p->steps[p->count++] = step;
    return LM_OK;
}

static lm_status
number_set(lm_regex_program *p, const lm_charset *set, uint32_t *number)
{
    return lm_intern_add(&p->sets, set->count ? (const char *)set->items : "",
                         set->count * sizeof set->items[0], number);
}

/* Preferred: once more, or where that is lazy: to go on. */
static lm_status
add_split(lm_regex_program *p, bool lazy, uint32_t more, uint32_t after, uint32_t *at)
{
    return add(p,
               (lm_regex_step){.act = LM_REGEX_SPLIT,
                               .next = lazy ? after : more,
                               .other = lazy ? more : after},
               at);
}

/* The item takes a character, so the loop gets on. */
static lm_status
make_loop(lm_regex_program *p, const lm_regex_node *node, uint32_t after, uint32_t *at)
{
    uint32_t item;

    LM_TRY(add_split(p, false, 0, 0, at));
    LM_TRY(make_node(p, node->items, *at, &item));
    p->steps[*at].next = node->lazy ? after : item;
    p->steps[*at].other = node->lazy ? item : after;
    return LM_OK;
}

/* The limited part of a repeat is written out. */
static lm_status
make_repeat(lm_regex_program *p, const lm_regex_node *node, uint32_t after, uint32_t *at)
{
    uint32_t rest = after;

    if (node->high == LM_REGEX_MANY)
        LM_TRY(make_loop(p, node, after, &rest));
    else
        for (uint32_t i = node->low; i < node->high; i++) {
            LM_TRY(make_node(p, node->items, rest, &rest));
            LM_TRY(add_split(p, node->lazy, rest, after, &rest));
        }
    for (uint32_t i = 0; i < node->low; i++)
        LM_TRY(make_node(p, node->items, rest, &rest));
    *at = rest;
    return LM_OK;
}

/* The last item first; patterns are short enough for this way to find it. */
static lm_status
make_sequence(lm_regex_program *p, const lm_regex_node *items, uint32_t after, uint32_t *at)
{
    *at = after;
    for (const lm_regex_node *done = NULL; done != items;) {
        const lm_regex_node *item = items;

        while (item->next != done)
            item = item->next;
        LM_TRY(make_node(p, item, *at, at));
        done = item;
    }
    return LM_OK;
}

/* Splits in a chain, from the last alternative to the first. */
static lm_status
make_alternatives(lm_regex_program *p, const lm_regex_node *items, uint32_t after, uint32_t *at)
{
    const lm_regex_node *done = NULL;

    while (done != items) {
        const lm_regex_node *item = items;
        uint32_t one;

        while (item->next != done)
            item = item->next;
        LM_TRY(make_node(p, item, after, &one));
        if (done)
            LM_TRY(add_split(p, false, one, *at, &one));
        *at = one;
        done = item;
    }
    return LM_OK;
}

/* Sets that are looked for behind have a number among themselves. */
static lm_status
number_behind(lm_regex_program *p, uint32_t set, uint32_t *number)
{
    for (*number = 0; *number < p->behind_count; (*number)++)
        if (p->behind[*number] == set)
            return LM_OK;
    if (p->behind_count == LM_REGEX_MAX_BEHIND)
        return lm_regex_refuse(p->ctx, p->pattern, "it looks behind for too many sets");
    p->behind[p->behind_count++] = set;
    return LM_OK;
}

static lm_status
make_one(lm_regex_program *p, const lm_regex_node *node, uint32_t after, uint32_t *at)
{
    lm_regex_step step = {
        .act = LM_REGEX_TAKE, .edge = node->edge, .negated = node->negated, .next = after};

    LM_TRY(number_set(p, node->set, &step.set));
    if (node->kind == LM_REGEX_LOOK) {
        step.act = node->behind ? LM_REGEX_BEFORE : LM_REGEX_AHEAD;
        if (node->behind)
            LM_TRY(number_behind(p, step.set, &step.set));
    }
    return add(p, step, at);
}

/* Groups nest as deep as the parser lets them. Repeats of nothing make no step, but take time. */
static lm_status
make_node(lm_regex_program *p, const lm_regex_node *node, uint32_t after, uint32_t *at)
{
    if (++p->made > MAX_MADE)
        return lm_regex_refuse(p->ctx, p->pattern, "it is too large");
    switch (node->kind) {
    case LM_REGEX_CAT:
        return make_sequence(p, node->items, after, at);
    case LM_REGEX_ALT:
        return make_alternatives(p, node->items, after, at);
    case LM_REGEX_REPEAT:
        return make_repeat(p, node, after, at);
    case LM_REGEX_EMPTY:
        *at = after;
        return LM_OK;
    default:
        return make_one(p, node, after, at);
    }
}

lm_status
lm_regex_program_make(lm_arena *arena, const lm_regex_node *root, const char *pattern,
                      lm_regex_program *program)
{
    uint32_t match = 0;

    *program = (lm_regex_program){.ctx = arena->ctx, .pattern = pattern};
    lm_intern_init(&program->sets, arena->ctx, "sets");
    program->steps = lm_arena_array(arena, LM_REGEX_MAX_STEPS, sizeof program->steps[0]);
    if (!program->steps)
        return LM_NO_MEMORY;
    LM_TRY(add(program, (lm_regex_step){.act = LM_REGEX_MATCH}, &match));
    return make_node(program, root, match, &program->first);
}

void
lm_regex_program_free(lm_regex_program *program)
{
    lm_intern_free(&program->sets);
}
