/*
 * fuzz_regex.c - any pattern is refused, with the pattern quoted, or compiled to an automaton that
 * finds in any text what a backtracking matcher finds that goes over the tree, the same in bytes as
 * in characters, in steps that are linear in the text.
 *
 * Of an input the first byte chooses between a regular expression and a literal, the pattern goes
 * up to the first U+0000, and the rest is the text.
 */
#include "base/utf8.h"
#include "fuzz.h"
#include "token/regex.h"
#include "token/regex_tree.h"

#define MAX_TEXT 2000
#define PATIENCE 20000 /* steps of the backtracking matcher for one text */
#define MAX_DEPTH 200

/* Rows of at most 64 kB of table, keys of states, and a table of all scalar values. */
size_t
fuzz_limit(size_t size)
{
    return ((size_t)96 << 20) + 4096 * size;
}

void
fuzz_prepare(void)
{
}

/* ---- The matcher that backtracks. ---- */

typedef struct text {
    uint32_t c[MAX_TEXT];
    size_t count;
    size_t steps;
} text;

/* What has to match behind a node. */
typedef struct goal {
    const lm_regex_node *node;
    uint32_t times; /* of a repeat: how often it has matched */
    const struct goal *next;
} goal;

static bool match_goals(text *t, const goal *goals, size_t at, size_t *stop, int depth);

static bool
has(const lm_charset *set, uint32_t c)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (c >= set->items[i].first && c <= set->items[i].last)
            return true;
    return false;
}

static bool
looks(const text *t, const lm_regex_node *node, size_t at)
{
    bool edge = node->behind ? at == 0 : at == t->count;
    bool found = edge ? node->edge : has(node->set, t->c[node->behind ? at - 1 : at]);

    return found != node->negated;
}

static bool
match_items(text *t, const lm_regex_node *items, const goal *next, size_t at, size_t *stop,
            int depth)
{
    goal rest = {items, 0, next};

    if (!items)
        return match_goals(t, next, at, stop, depth);
    /* The items behind the first are a sequence of their own. */
    if (items->next) {
        lm_regex_node others = {.kind = LM_REGEX_CAT, .items = items->next};
        goal behind = {&others, 0, next};

        rest.next = &behind;
        return match_goals(t, &rest, at, stop, depth);
    }
    return match_goals(t, &rest, at, stop, depth);
}

static bool
match_repeat(text *t, const goal *own, size_t at, size_t *stop, int depth)
{
    const lm_regex_node *node = own->node;
    goal again = {node, own->times + 1, own->next}, item = {node->items, 0, &again};
    bool may_stop = own->times >= node->low, may_go = own->times < node->high;

    if (may_stop && node->lazy && match_goals(t, own->next, at, stop, depth))
        return true;
    if (may_go && match_goals(t, &item, at, stop, depth))
        return true;
    return may_stop && !node->lazy && match_goals(t, own->next, at, stop, depth);
}

static bool
match_goals(text *t, const goal *goals, size_t at, size_t *stop, int depth)
{
    const lm_regex_node *node = goals ? goals->node : NULL;

    if (depth > MAX_DEPTH)
        t->steps = PATIENCE;
    if (++t->steps > PATIENCE)
        return false;
    if (!node) {
        *stop = at;
        return true;
    }
    depth++;
    switch (node->kind) {
    case LM_REGEX_SET:
        return at < t->count && has(node->set, t->c[at]) &&
               match_goals(t, goals->next, at + 1, stop, depth);
    case LM_REGEX_LOOK:
        return looks(t, node, at) && match_goals(t, goals->next, at, stop, depth);
    case LM_REGEX_CAT:
        return match_items(t, node->items, goals->next, at, stop, depth);
    case LM_REGEX_REPEAT:
        return match_repeat(t, goals, at, stop, depth);
    case LM_REGEX_ALT:
        for (const lm_regex_node *item = node->items; item; item = item->next) {
            goal one = {item, 0, goals->next};

            if (match_goals(t, &one, at, stop, depth))
                return true;
        }
        return false;
    default:
        return match_goals(t, goals->next, at, stop, depth);
    }
}

/* The first match from a place on; false also where patience ends. */
static bool
find_slowly(text *t, const lm_regex_node *root, size_t at, size_t not_empty_at, size_t *start,
            size_t *stop)
{
    const goal all = {root, 0, NULL};

    for (; at <= t->count; at++)
        if (match_goals(t, &all, at, stop, 0) && !(*stop == at && at == not_empty_at)) {
            *start = at;
            return true;
        }
    return false;
}

/* ---- The property. ---- */

/* Places of the characters of a text; returns how many there are. */
static size_t
decode(const char *bytes, size_t length, uint32_t *c, size_t *places)
{
    size_t count = 0;
    int size;

    for (size_t at = 0; at < length; at += (size_t)size) {
        places[count] = at;
        c[count++] = lm_utf8_decode(bytes + at, &size);
    }
    places[count] = length;
    return count;
}

static lm_status
check_text(lm_context *ctx, const lm_buffer *image, const lm_regex *regex,
           const lm_regex_node *root, const char *bytes, size_t length)
{
    const lm_token_image *base = (const lm_token_image *)image->data;
    static text t;
    static size_t places[MAX_TEXT + 1];
    lm_regex_search chars, utf8;
    bool found = true;
    size_t before = SIZE_MAX, at = 0;
    lm_status status = LM_OK;

    t.count = decode(bytes, length, t.c, places);
    t.steps = 0;
    lm_regex_open_chars(&chars, ctx, base, regex, t.c, t.count);
    lm_regex_open_bytes(&utf8, ctx, base, regex, bytes, length);
    while (found && status == LM_OK) {
        size_t start, stop, byte_start, byte_stop, slow_start, slow_stop;
        bool byte_found;

        status = lm_regex_next(&chars, &start, &stop, &found);
        if (status == LM_OK)
            status = lm_regex_next(&utf8, &byte_start, &byte_stop, &byte_found);
        if (status != LM_OK)
            break;
        REQUIRE(found == byte_found);
        if (t.steps <= PATIENCE) {
            bool slowly = find_slowly(&t, root, at, before, &slow_start, &slow_stop);

            REQUIRE(t.steps > PATIENCE || slowly == found);
            REQUIRE(t.steps > PATIENCE || !found || (slow_start == start && slow_stop == stop));
        }
        if (!found)
            break;
        REQUIRE(start <= stop && stop <= t.count && start >= at);
        REQUIRE(byte_start == places[start] && byte_stop == places[stop]);
        before = at = stop;
    }
    REQUIRE(utf8.steps <= (length + 64) * (2 * (uint64_t)regex->rows + 140) + 40000);
    lm_regex_close(&chars);
    lm_regex_close(&utf8);
    return status;
}

static lm_status
check_pattern(lm_context *ctx, lm_arena *arena, lm_buffer *image, const char *pattern,
              size_t length, bool literal, const char *bytes, size_t text_length)
{
    const lm_regex_node *root;
    lm_regex regex;
    lm_status status, compiled;

    status = literal ? lm_regex_literal(arena, pattern, length, &root)
                     : lm_regex_parse(arena, pattern, length, &root);
    if (status == LM_NO_MEMORY)
        return status;
    compiled = lm_regex_compile(image, 0, pattern, length, literal, &regex);
    if (compiled == LM_NO_MEMORY)
        return compiled;
    REQUIRE(status == LM_OK || status == LM_UNSUPPORTED);
    REQUIRE(compiled == LM_OK || (compiled == LM_UNSUPPORTED && ctx->error.found[0]));
    REQUIRE(status == LM_OK || compiled != LM_OK);
    if (compiled != LM_OK)
        return compiled;
    return check_text(ctx, image, &regex, root, bytes, text_length);
}

lm_status
fuzz_target(lm_context *ctx, const char *data, size_t size)
{
    const char *end = size > 1 ? memchr(data + 1, 0, size - 1) : NULL;
    size_t length, text_length;
    lm_buffer image;
    lm_arena arena;
    lm_status status;

    if (!end)
        return LM_OK;
    length = (size_t)(end - data) - 1;
    text_length = size - length - 2;
    if (text_length > MAX_TEXT)
        text_length = MAX_TEXT;
    if (length == 0 || length > 600 || lm_utf8_valid_prefix(data + 1, length) != length)
        return LM_OK;
    text_length = lm_utf8_valid_prefix(end + 1, text_length);
    lm_arena_init(&arena, ctx);
    lm_buffer_init(&image, ctx);
    status =
        check_pattern(ctx, &arena, &image, data + 1, length, data[0] & 1, end + 1, text_length);
    lm_buffer_free(&image);
    lm_arena_free(&arena);
    return status;
}
