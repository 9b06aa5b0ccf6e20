/*
 * regex_tree.c - what reading and compiling ask of a tree.
 */
#include "token/regex_tree.h"

#include "base/utf8.h"

static bool
all_nullable(const lm_regex_node *items)
{
    for (; items; items = items->next)
        if (!lm_regex_is_nullable(items))
            return false;
    return true;
}

static bool
any_nullable(const lm_regex_node *items)
{
    for (; items; items = items->next)
        if (lm_regex_is_nullable(items))
            return true;
    return false;
}

/* Groups nest as deep as the parser lets them. */
bool
lm_regex_is_nullable(const lm_regex_node *node)
{
    switch (node->kind) {
    case LM_REGEX_SET:
        return false;
    case LM_REGEX_CAT:
        return all_nullable(node->items);
    case LM_REGEX_ALT:
        return any_nullable(node->items);
    case LM_REGEX_REPEAT:
        return node->low == 0 || lm_regex_is_nullable(node->items);
    default:
        return true;
    }
}

static bool
all_empty_last(const lm_regex_node *items)
{
    for (; items; items = items->next)
        if (!lm_regex_is_empty_last(items))
            return false;
    return true;
}

/* Of alternatives the last one alone may take nothing. */
static bool
last_is_empty_last(const lm_regex_node *items)
{
    for (; items->next; items = items->next)
        if (lm_regex_is_nullable(items))
            return false;
    return lm_regex_is_empty_last(items);
}

bool
lm_regex_is_empty_last(const lm_regex_node *node)
{
    if (!lm_regex_is_nullable(node))
        return true;
    switch (node->kind) {
    case LM_REGEX_CAT:
        return all_empty_last(node->items);
    case LM_REGEX_ALT:
        return last_is_empty_last(node->items);
    case LM_REGEX_REPEAT:
        return !(node->lazy && node->low == 0) && lm_regex_is_empty_last(node->items);
    default:
        return node->kind != LM_REGEX_LOOK;
    }
}

static lm_regex_node *
one_character(lm_arena *arena, uint32_t c)
{
    lm_regex_node *node = lm_arena_zero(arena, sizeof *node);
    lm_charset *set = lm_arena_zero(arena, sizeof *set);

    if (!node || !set || lm_charset_add(arena, set, c, c) != LM_OK)
        return NULL;
    node->kind = LM_REGEX_SET;
    node->set = set;
    return node;
}

lm_status
lm_regex_literal(lm_arena *arena, const char *text, size_t length, const lm_regex_node **root)
{
    lm_regex_node *all = lm_arena_zero(arena, sizeof *all), **last;
    int bytes;

    if (!all)
        return LM_NO_MEMORY;
    all->kind = LM_REGEX_CAT;
    last = &all->items;
    for (size_t at = 0; at < length; at += (size_t)bytes) {
        *last = one_character(arena, lm_utf8_decode(text + at, &bytes));
        if (!*last)
            return LM_NO_MEMORY;
        last = &(*last)->next;
    }
    *root = all;
    return LM_OK;
}

lm_status
lm_regex_refuse(lm_context *ctx, const char *pattern, const char *what)
{
    lm_raise(ctx, LM_UNSUPPORTED, "this regular expression is not supported: %s", what);
    lm_detail_found(ctx, "%s", pattern);
    return lm_detail_allowed(ctx, "an expression that needs no backtracking");
}
