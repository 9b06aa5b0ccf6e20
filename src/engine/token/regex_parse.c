/*
 * regex_parse.c - reads regular expressions in the syntax of Oniguruma, as far as they need no
 * backtracking.
 *
 * What a neighbour is can be asked where one character answers it: by (?=…), (?!…), (?<=…) and
 * (?<!…) around one set, by the anchors, and by possessive repeats of a set: X*+ is X* that no X
 * follows. Without regard to case only ASCII is known.
 */
#include "token/regex_tree.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define MAX_DEPTH 32    /* groups and classes inside one another */
#define MAX_REPEAT 1000 /* in an interval */
#define NO_CHAR UINT32_MAX

typedef struct parser {
    lm_context *ctx;
    lm_arena *arena;
    const char *pattern;
    size_t length, at;
    int depth;
    bool fold; /* case does not count */
} parser;

typedef lm_regex_node node;

static lm_status parse_alternatives(parser *p, node **out);
static lm_status parse_class(parser *p, lm_charset *set);

/* ---- What the functions below are made of. ---- */

static lm_status
refuse(parser *p, const char *what)
{
    return lm_regex_refuse(p->ctx, p->pattern, what);
}

/* The character that comes next; NO_CHAR at the end. */
static uint32_t
peek(const parser *p)
{
    int bytes;

    return p->at < p->length ? lm_utf8_decode(p->pattern + p->at, &bytes) : NO_CHAR;
}

static uint32_t
take(parser *p)
{
    int bytes = 0;
    uint32_t c = NO_CHAR;

    if (p->at < p->length)
        c = lm_utf8_decode(p->pattern + p->at, &bytes);
    p->at += (size_t)bytes;
    return c;
}

/* Take a text of ASCII if it comes next. */
static bool
accept(parser *p, const char *text)
{
    size_t length = strlen(text);

    if (p->length - p->at < length || memcmp(p->pattern + p->at, text, length) != 0)
        return false;
    p->at += length;
    return true;
}

static lm_status
expect(parser *p, const char *text, const char *what)
{
    return accept(p, text) ? LM_OK : refuse(p, what);
}

static lm_status
enter(parser *p)
{
    return ++p->depth > MAX_DEPTH ? refuse(p, "groups nest too deep") : LM_OK;
}

static bool
is_between(uint32_t c, uint32_t first, uint32_t last)
{
    return c >= first && c <= last;
}

static bool
is_letter_or_digit(uint32_t c)
{
    return is_between(c, '0', '9') || is_between(c | 0x20, 'a', 'z');
}

static lm_status
make(parser *p, lm_regex_kind kind, node **out)
{
    *out = lm_arena_zero(p->arena, sizeof **out);
    if (!*out)
        return LM_NO_MEMORY;
    (*out)->kind = kind;
    return LM_OK;
}

/* A node of a set, which is copied; closed here. */
static lm_status
make_set(parser *p, lm_regex_kind kind, const lm_charset *set, node **out)
{
    lm_charset *kept = lm_arena_alloc(p->arena, sizeof *kept);

    if (!kept)
        return LM_NO_MEMORY;
    *kept = *set;
    LM_TRY(lm_charset_close(p->arena, kept));
    LM_TRY(make(p, kind, out));
    (*out)->set = kept;
    return LM_OK;
}

static lm_status
make_list(parser *p, lm_regex_kind kind, node *first, node *second, node **out)
{
    LM_TRY(make(p, kind, out));
    first->next = second;
    (*out)->items = first;
    return LM_OK;
}

static lm_status
make_look(parser *p, const lm_charset *set, bool behind, bool edge, bool negated, node **out)
{
    LM_TRY(make_set(p, LM_REGEX_LOOK, set, out));
    (*out)->behind = behind;
    (*out)->edge = edge;
    (*out)->negated = negated;
    return LM_OK;
}

/* ---- Sets by name. ---- */

/* Where a name stands: a few sets are others in [\p{…}], and in [[:…:]]. */
typedef enum place { ALONE = 0, IN_CLASS = '[', POSIX = ':' } place;

static const lm_unicode_set *
find_named(const char *name, place where)
{
    const lm_unicode_set *special = NULL;
    char own[66];

    if (where != ALONE) {
        snprintf(own, sizeof own, "%c%s", where, name);
        special = lm_unicode_set_find(own);
    }
    return special ? special : lm_unicode_set_find(name);
}

static lm_status
add_named(parser *p, lm_charset *set, const char *name, place where, bool negated)
{
    const lm_unicode_set *named = find_named(name, where);

    if (!named)
        return refuse(p, "a property that is not known");
    return lm_charset_add_named(p->arena, set, named, negated);
}

/* Sets that have a letter; its capital stands for all others. Those in `caseless` have no case. */
static const struct {
    char letter;
    bool caseless;
    const char *name;
} letter_sets[] = {
    {'d', true, "nd"}, {'s', true, "space"}, {'w', false, "word"}, {'h', false, "xdigit"}};

/* *found tells whether the letter is one of these. */
static lm_status
add_letter_set(parser *p, lm_charset *set, uint32_t letter, place where, bool *found)
{
    *found = false;
    for (size_t i = 0; i < sizeof letter_sets / sizeof letter_sets[0]; i++) {
        uint32_t own = (unsigned char)letter_sets[i].letter;

        if ((letter | 0x20) != own)
            continue;
        *found = true;
        if (p->fold && !letter_sets[i].caseless)
            return refuse(p, "a property without regard to case");
        return add_named(p, set, letter_sets[i].name, where, letter != own);
    }
    return LM_OK;
}

/* Up to `close`, in lower case and without what Oniguruma passes over. */
static lm_status
read_name(parser *p, const char *close, char *name, size_t size)
{
    size_t length = 0;

    while (!accept(p, close)) {
        uint32_t c = take(p);

        if (c == ' ' || c == '-' || c == '_')
            continue;
        if (!is_letter_or_digit(c) || length + 1 == size)
            return refuse(p, "a property that is not known");
        name[length++] = (char)(is_between(c, 'A', 'Z') ? c | 0x20 : c);
    }
    name[length] = 0;
    return LM_OK;
}

/* Behind \p or \P. */
static lm_status
add_property(parser *p, lm_charset *set, place where, bool negated)
{
    char name[64];

    if (p->fold)
        return refuse(p, "a property without regard to case");
    LM_TRY(expect(p, "{", "a property without braces"));
    if (accept(p, "^"))
        negated = !negated;
    LM_TRY(read_name(p, "}", name, sizeof name));
    return add_named(p, set, name, where, negated);
}

/* Behind "[:". */
static lm_status
add_posix(parser *p, lm_charset *set)
{
    static const char *const names[] = {"alnum", "alpha", "blank", "cntrl", "digit",
                                        "graph", "lower", "print", "punct", "space",
                                        "upper", "word",  "xdigit"};
    bool negated = accept(p, "^");
    char name[16];

    if (p->fold)
        return refuse(p, "a property without regard to case");
    LM_TRY(read_name(p, ":]", name, sizeof name));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return add_named(p, set, name, POSIX, negated);
    return refuse(p, "a property that is not known");
}

/* ---- Characters. ---- */

static lm_status
add_char(parser *p, lm_charset *set, uint32_t first, uint32_t last)
{
    if (p->fold && last >= 0x80)
        return refuse(p, "characters beyond ASCII without regard to case");
    return lm_charset_add(p->arena, set, first, last);
}

static int
hex_digit(uint32_t c)
{
    if (is_between(c, '0', '9'))
        return (int)(c - '0');
    return is_between(c | 0x20, 'a', 'f') ? (int)((c | 0x20) - 'a' + 10) : -1;
}

/* From `least` to `most` digits. */
static lm_status
read_hex(parser *p, int least, int most, uint32_t *c)
{
    int count = 0;

    for (*c = 0; count < most && hex_digit(peek(p)) >= 0; count++)
        *c = *c << 4 | (uint32_t)hex_digit(take(p));
    if (count < least || *c > LM_LAST_SCALAR || is_between(*c, 0xd800, 0xdfff))
        return refuse(p, "no character has this number");
    return LM_OK;
}

/* Behind \x: two digits name a byte, which is a character below 0x80 only. */
static lm_status
read_numbered(parser *p, uint32_t *c)
{
    if (accept(p, "{")) {
        LM_TRY(read_hex(p, 1, 8, c));
        return expect(p, "}", "no character has this number");
    }
    LM_TRY(read_hex(p, 1, 2, c));
    return *c < 0x80 ? LM_OK : refuse(p, "a byte that is no character");
}

static const struct {
    char letter, c;
} controls[] = {{'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'f', '\f'},
                {'v', '\v'}, {'a', '\a'}, {'e', 27}};

/* Behind a backslash: one character; what has a meaning of its own was taken before. */
static lm_status
read_escaped(parser *p, uint32_t *c)
{
    *c = take(p);
    if (*c == 'x')
        return read_numbered(p, c);
    if (*c == 'u')
        return read_hex(p, 4, 4, c);
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++)
        if (*c == (unsigned char)controls[i].letter) {
            *c = (unsigned char)controls[i].c;
            return LM_OK;
        }
    if (*c == NO_CHAR || is_letter_or_digit(*c))
        return refuse(p, "an escape that is not known");
    return LM_OK;
}

/* Behind a backslash: a set (*c is NO_CHAR then), or one character, which is not added. */
static lm_status
read_escape(parser *p, lm_charset *set, place where, uint32_t *c)
{
    bool found;

    *c = NO_CHAR;
    if (accept(p, "p"))
        return add_property(p, set, where, false);
    if (accept(p, "P"))
        return add_property(p, set, where, true);
    if (peek(p) < 0x80) {
        LM_TRY(add_letter_set(p, set, peek(p), where, &found));
        if (found) {
            take(p);
            return LM_OK;
        }
    }
    return read_escaped(p, c);
}

/* ---- Classes: [...]. ---- */

/* One end of a range in a class. NO_CHAR: a set, which was added. */
static lm_status
read_class_char(parser *p, lm_charset *set, uint32_t *c)
{
    *c = take(p);
    if (*c == NO_CHAR)
        return refuse(p, "a class without an end");
    if (*c != '\\')
        return LM_OK;
    if (accept(p, "b")) {
        *c = '\b';
        return LM_OK;
    }
    return read_escape(p, set, IN_CLASS, c);
}

/* A '-' at the end of a class stands for itself. */
static bool
comes_range(const parser *p)
{
    return peek(p) == '-' && !(p->at + 1 < p->length && p->pattern[p->at + 1] == ']');
}

/* A character, a range or a set by name. */
static lm_status
parse_class_range(parser *p, lm_charset *set)
{
    uint32_t first, last;

    LM_TRY(read_class_char(p, set, &first));
    last = first;
    if (comes_range(p)) {
        take(p);
        if (first == NO_CHAR || first == '-' || peek(p) == '[')
            return refuse(p, "a range of what is no character");
        LM_TRY(read_class_char(p, set, &last));
        if (last == NO_CHAR || last < first || comes_range(p))
            return refuse(p, "a range of what is no character");
    }
    return first == NO_CHAR ? LM_OK : add_char(p, set, first, last);
}

static lm_status
parse_class_item(parser *p, lm_charset *set)
{
    lm_charset inner = {0};

    if (accept(p, "[:"))
        return add_posix(p, set);
    if (!accept(p, "["))
        return parse_class_range(p, set);
    LM_TRY(parse_class(p, &inner));
    return lm_charset_add_set(p->arena, set, &inner);
}

/* The items up to "&&" or "]". A part that has none is refused: what it means is unclear. */
static lm_status
parse_class_part(parser *p, lm_charset *set)
{
    size_t start = p->at;

    while (peek(p) != ']' &&
           !(peek(p) == '&' && p->at + 1 < p->length && p->pattern[p->at + 1] == '&'))
        LM_TRY(parse_class_item(p, set));
    if (p->at == start)
        return refuse(p, "a class that begins with ] or has an empty part");
    LM_TRY(lm_charset_close(p->arena, set));
    return p->fold ? lm_charset_fold(p->arena, set) : LM_OK;
}

/* Behind the '['; the set that comes out is closed. */
static lm_status
parse_class(parser *p, lm_charset *set)
{
    bool negated = accept(p, "^");

    LM_TRY(enter(p));
    LM_TRY(parse_class_part(p, set));
    while (accept(p, "&&")) {
        lm_charset more = {0};

        LM_TRY(parse_class_part(p, &more));
        LM_TRY(lm_charset_intersect(p->arena, set, &more));
    }
    LM_TRY(expect(p, "]", "a class without an end"));
    p->depth--;
    return negated ? lm_charset_negate(p->arena, set) : LM_OK;
}

/* ---- Groups. ---- */

/* The set that a look-ahead or look-behind asks for, if it is one. */
static lm_status
collect_set(parser *p, const node *inside, bool behind, lm_charset *set, bool *edge)
{
    if (inside->kind == LM_REGEX_REPEAT && inside->low == 1 && !behind)
        inside = inside->items; /* one more would tell nothing */
    if (inside->kind == LM_REGEX_ALT) {
        for (const node *item = inside->items; item; item = item->next)
            LM_TRY(collect_set(p, item, behind, set, edge));
        return LM_OK;
    }
    if (inside->kind != LM_REGEX_SET &&
        (inside->kind != LM_REGEX_LOOK || inside->behind != behind || inside->negated))
        return refuse(p, "a look beyond one character");
    *edge |= inside->edge;
    return lm_charset_add_set(p->arena, set, inside->set);
}

static lm_status
make_look_group(parser *p, const node *inside, bool behind, bool negated, node **out)
{
    lm_charset set = {0};
    bool edge = false;

    LM_TRY(collect_set(p, inside, behind, &set, &edge));
    return make_look(p, &set, behind, edge, negated, out);
}

/* X*+ is X*(?!X), X?+ is X|(?!X). */
static lm_status
make_possessive(parser *p, node *repeat, node **out)
{
    node *item = repeat->items, *look;

    if (repeat->lazy || item->kind != LM_REGEX_SET ||
        (repeat->high != LM_REGEX_MANY && repeat->high > 1))
        return refuse(p, "a possessive repeat of more than one character");
    LM_TRY(make_look(p, item->set, false, false, true, &look));
    if (repeat->high == LM_REGEX_MANY)
        return make_list(p, LM_REGEX_CAT, repeat, look, out);
    return make_list(p, LM_REGEX_ALT, item, look, out);
}

/* Inside (?>…) there may be no choice, but for a repeat of one set, which is possessive. */
static lm_status
make_atomic(parser *p, node *inside, node **out)
{
    *out = inside;
    if (inside->kind == LM_REGEX_SET)
        return LM_OK;
    if (inside->kind != LM_REGEX_REPEAT || inside->low == inside->high)
        return refuse(p, "an atomic group of more than one character");
    return make_possessive(p, inside, out);
}

typedef enum group_kind { PLAIN, ATOMIC, AHEAD, NOT_AHEAD, BEHIND, NOT_BEHIND } group_kind;

static const struct {
    const char *opening; /* behind the bracket */
    group_kind kind;
} groups[] = {{"?:", PLAIN},     {"?>", ATOMIC},  {"?=", AHEAD},
              {"?!", NOT_AHEAD}, {"?<=", BEHIND}, {"?<!", NOT_BEHIND}};

/* A group that captures may have a name, which nothing can ask for. */
static lm_status
skip_group_name(parser *p)
{
    char name[64];

    if (accept(p, "?<"))
        return read_name(p, ">", name, sizeof name);
    return peek(p) == '?' ? refuse(p, "a group that is not known") : LM_OK;
}

static lm_status
open_group(parser *p, group_kind *kind)
{
    *kind = PLAIN;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (accept(p, groups[i].opening)) {
            *kind = groups[i].kind;
            return LM_OK;
        }
    return skip_group_name(p);
}

static lm_status
parse_group(parser *p, node **out)
{
    group_kind kind;
    node *inside;

    LM_TRY(open_group(p, &kind));
    LM_TRY(parse_alternatives(p, &inside));
    LM_TRY(expect(p, ")", "a group without an end"));
    *out = inside;
    if (kind == PLAIN)
        return LM_OK;
    if (kind == ATOMIC)
        return make_atomic(p, inside, out);
    return make_look_group(p, inside, kind == BEHIND || kind == NOT_BEHIND,
                           kind == NOT_AHEAD || kind == NOT_BEHIND, out);
}

/* (?i:…) and (?-i:…); (?i) holds up to the end of the group around it, alternatives and all. */
static lm_status
parse_folding(parser *p, bool fold, bool to_the_end, node **out)
{
    bool outer = p->fold;

    p->fold = fold;
    LM_TRY(parse_alternatives(p, out));
    p->fold = outer;
    return to_the_end ? LM_OK : expect(p, ")", "a group without an end");
}

static lm_status
parse_bracket(parser *p, node **out)
{
    LM_TRY(enter(p));
    if (accept(p, "?i:"))
        LM_TRY(parse_folding(p, true, false, out));
    else if (accept(p, "?-i:"))
        LM_TRY(parse_folding(p, false, false, out));
    else if (accept(p, "?i)"))
        LM_TRY(parse_folding(p, true, true, out));
    else
        LM_TRY(parse_group(p, out));
    p->depth--;
    return LM_OK;
}

/* ---- Anchors. ---- */

/* At the start of the text, and behind a line's end unless that ends the text. */
static lm_status
make_line_start(parser *p, node **out)
{
    lm_charset none = {0}, newline = {0}, any = {0};
    node *start, *behind, *ahead, *inner;

    LM_TRY(lm_charset_add(p->arena, &newline, '\n', '\n'));
    LM_TRY(lm_charset_add(p->arena, &any, 0, LM_LAST_SCALAR));
    LM_TRY(make_look(p, &none, true, true, false, &start));
    LM_TRY(make_look(p, &newline, true, false, false, &behind));
    LM_TRY(make_look(p, &any, false, false, false, &ahead));
    LM_TRY(make_list(p, LM_REGEX_CAT, behind, ahead, &inner));
    return make_list(p, LM_REGEX_ALT, start, inner, out);
}

/* Of two neighbours one is of a word, as \b has it; both or none are, as \B has it. */
static lm_status
make_border(parser *p, bool border, node **out)
{
    lm_charset word = {0};
    node *look[4], *pair[2];

    LM_TRY(add_named(p, &word, "word", ALONE, false));
    LM_TRY(make_look(p, &word, true, false, false, &look[0]));
    LM_TRY(make_look(p, &word, false, false, border, &look[1]));
    LM_TRY(make_look(p, &word, true, false, true, &look[2]));
    LM_TRY(make_look(p, &word, false, false, !border, &look[3]));
    LM_TRY(make_list(p, LM_REGEX_CAT, look[0], look[1], &pair[0]));
    LM_TRY(make_list(p, LM_REGEX_CAT, look[2], look[3], &pair[1]));
    return make_list(p, LM_REGEX_ALT, pair[0], pair[1], out);
}

/* *out is NULL where none comes next. */
static lm_status
parse_anchor(parser *p, node **out)
{
    lm_charset set = {0};

    *out = NULL;
    if (accept(p, "^"))
        return make_line_start(p, out);
    if (accept(p, "\\b"))
        return make_border(p, true, out);
    if (accept(p, "\\B"))
        return make_border(p, false, out);
    if (accept(p, "\\A"))
        return make_look(p, &set, true, true, false, out);
    if (accept(p, "\\z"))
        return make_look(p, &set, false, true, false, out);
    if (!accept(p, "$"))
        return LM_OK;
    LM_TRY(lm_charset_add(p->arena, &set, '\n', '\n'));
    return make_look(p, &set, false, true, false, out);
}

/* ---- Repeats. ---- */

typedef struct interval {
    uint32_t low, high;
    bool fixed; /* {n} */
} interval;

/* Digits, of which there may be none. */
static bool
read_number(parser *p, uint32_t *number)
{
    size_t start = p->at;

    for (*number = 0; is_between(peek(p), '0', '9'); take(p))
        if (*number <= MAX_REPEAT)
            *number = *number * 10 + (peek(p) - '0');
    return p->at > start;
}

/* A '{' that begins no interval stands for itself. */
static bool
read_interval(parser *p, interval *found)
{
    size_t start = p->at;
    bool low, high = false;

    if (!accept(p, "{"))
        return false;
    low = read_number(p, &found->low);
    found->high = found->low;
    found->fixed = !accept(p, ",");
    if (!found->fixed) {
        high = read_number(p, &found->high);
        if (!high)
            found->high = LM_REGEX_MANY;
    }
    if ((low || high) && accept(p, "}"))
        return true;
    p->at = start;
    return false;
}

/* Oniguruma repeats no look, and no choice of looks. */
static bool
is_look(const node *item)
{
    if (item->kind != LM_REGEX_CAT && item->kind != LM_REGEX_ALT)
        return item->kind == LM_REGEX_LOOK;
    for (item = item->items; item; item = item->next)
        if (!is_look(item))
            return false;
    return true;
}

static lm_status
make_repeat(parser *p, node *item, interval times, bool lazy, node **out)
{
    if (times.low > MAX_REPEAT || (times.high != LM_REGEX_MANY && times.high > MAX_REPEAT))
        return refuse(p, "a repeat of more than 1000 times");
    if (is_look(item))
        return refuse(p, "a repeat of nothing");
    if (times.low > times.high)
        return refuse(p, "an interval that ends before it begins");
    if (times.high == LM_REGEX_MANY && lm_regex_is_nullable(item))
        return refuse(p, "an unlimited repeat of what may be empty");
    /* Oniguruma leaves a loop, unless that is short, with the first empty round: others follow
     * here. */
    if (times.high > 1 && !lm_regex_is_empty_last(item))
        return refuse(p, "a repeat of what may be empty before it is longer");
    LM_TRY(make_list(p, LM_REGEX_REPEAT, item, NULL, out));
    (*out)->low = times.low;
    (*out)->high = times.high;
    (*out)->lazy = lazy;
    return LM_OK;
}

static const struct {
    const char *sign;
    interval times;
} repeats[] = {
    {"*", {0, LM_REGEX_MANY, false}}, {"+", {1, LM_REGEX_MANY, false}}, {"?", {0, 1, false}}};

/* Behind an interval '+' repeats once more, and '?' does so behind {n}. */
static lm_status
parse_interval(parser *p, node **item, bool *more)
{
    interval times;
    bool lazy;

    *more = read_interval(p, &times);
    if (!*more)
        return LM_OK;
    lazy = !times.fixed && accept(p, "?");
    return make_repeat(p, *item, times, lazy, item);
}

/* One sign of a repeat behind an item, which becomes its repeat. */
static lm_status
parse_repeat(parser *p, node **item, bool *more)
{
    for (size_t i = 0; i < sizeof repeats / sizeof repeats[0]; i++) {
        bool lazy;

        if (!accept(p, repeats[i].sign))
            continue;
        *more = true;
        lazy = accept(p, "?");
        LM_TRY(make_repeat(p, *item, repeats[i].times, lazy, item));
        return !lazy && accept(p, "+") ? make_possessive(p, *item, item) : LM_OK;
    }
    return parse_interval(p, item, more);
}

/* ---- The whole. ---- */

static lm_status
parse_set(parser *p, lm_charset *set)
{
    uint32_t c = take(p);

    if (c == '[')
        return parse_class(p, set);
    if (c == '.') {
        LM_TRY(lm_charset_add(p->arena, set, '\n', '\n'));
        return lm_charset_negate(p->arena, set);
    }
    if (c == '\\')
        LM_TRY(read_escape(p, set, ALONE, &c));
    if (c == NO_CHAR)
        return LM_OK;
    LM_TRY(add_char(p, set, c, c));
    return p->fold ? lm_charset_fold(p->arena, set) : LM_OK;
}

/* What a repeat may stand behind. */
static lm_status
parse_item(parser *p, node **out)
{
    interval times;
    lm_charset set = {0};

    if (accept(p, "("))
        return parse_bracket(p, out);
    LM_TRY(parse_anchor(p, out));
    if (*out)
        return LM_OK;
    if (peek(p) == '*' || peek(p) == '+' || peek(p) == '?' || read_interval(p, &times))
        return refuse(p, "a repeat of nothing");
    LM_TRY(parse_set(p, &set));
    return make_set(p, LM_REGEX_SET, &set, out);
}

static lm_status
parse_repeated(parser *p, node **out)
{
    bool more = true;

    LM_TRY(parse_item(p, out));
    while (more) {
        more = false;
        LM_TRY(parse_repeat(p, out, &more));
    }
    return LM_OK;
}

/* Without regard to case these pairs of letters are one character too: ß, and ligatures. */
static bool
folds_together(const parser *p, size_t start)
{
    static const char pairs[] = "ss st ff fi fl";
    char pair[3] = {0};

    if (!p->fold || p->length - start < 2)
        return false;
    for (size_t i = 0; i < 2; i++)
        pair[i] = (char)(p->pattern[start + i] | 0x20);
    return pair[0] != ' ' && pair[1] != ' ' && strstr(pairs, pair);
}

static lm_status
parse_sequence(parser *p, node **out)
{
    node **last;

    LM_TRY(make(p, LM_REGEX_CAT, out));
    last = &(*out)->items;
    while (peek(p) != '|' && peek(p) != ')' && peek(p) != NO_CHAR) {
        if (accept(p, "(?#")) {
            while (peek(p) != ')' && peek(p) != NO_CHAR)
                take(p);
            LM_TRY(expect(p, ")", "a comment without an end"));
            continue;
        }
        if (folds_together(p, p->at))
            return refuse(p, "letters that are one character without regard to case");
        LM_TRY(parse_repeated(p, last));
        last = &(*last)->next;
    }
    if (!(*out)->items)
        (*out)->kind = LM_REGEX_EMPTY;
    else if (!(*out)->items->next)
        *out = (*out)->items;
    return LM_OK;
}

/* Which one of single characters matches does not matter: they are one set. */
static lm_status
join_sets(parser *p, node **alternatives)
{
    lm_charset set = {0};
    const node *item;

    for (item = (*alternatives)->items; item && item->kind == LM_REGEX_SET; item = item->next)
        LM_TRY(lm_charset_add_set(p->arena, &set, item->set));
    return item ? LM_OK : make_set(p, LM_REGEX_SET, &set, alternatives);
}

static lm_status
parse_alternatives(parser *p, node **out)
{
    node *first, **last;

    LM_TRY(parse_sequence(p, &first));
    *out = first;
    if (peek(p) != '|')
        return LM_OK;
    LM_TRY(make_list(p, LM_REGEX_ALT, first, NULL, out));
    last = &first->next;
    while (accept(p, "|")) {
        LM_TRY(parse_sequence(p, last));
        last = &(*last)->next;
    }
    return join_sets(p, out);
}

lm_status
lm_regex_parse(lm_arena *arena, const char *pattern, size_t length, const lm_regex_node **root)
{
    parser p = {.ctx = arena->ctx, .arena = arena, .pattern = pattern, .length = length};
    node *all;

    LM_TRY(parse_alternatives(&p, &all));
    if (p.at < length)
        return refuse(&p, "a bracket that closes nothing");
    *root = all;
    return LM_OK;
}
