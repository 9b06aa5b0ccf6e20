/*
 * entities.c - tags to entities to counts. A tag becomes a bit for its prefix and a number for its
 * type; schemes are tables of patterns over two tags that follow each other, as in seqeval.
 */
#include "metrics/entities.h"

#include <string.h>

#include "base/intern.h"
#include "metrics/samples.h"

/* Prefixes. */
enum { I = 1, O = 2, B = 4, E = 8, S = 16, U = 32, L = 64, OTHER = 128, ANY = 127 };

static const char letters[] = "IOBESUL"; /* in the order of bits */

/* Of two types that follow each other. */
enum { SAME = 1, DIFFERENT = 2, EITHER = 3 };

typedef struct tag {
    uint8_t prefix;
    uint32_t type;
} tag;

typedef struct entity {
    uint32_t type;
    size_t from, to; /* tokens [from, to) */
} entity;

/* Does a tag that follows another begin, go on with, or end what came before? 0 ends a list. */
typedef struct pattern {
    uint8_t before, now, types;
} pattern;

typedef struct scheme {
    const char *name;
    uint8_t allowed;
    pattern start[8], inside[8], end[8];
} scheme;

/* Entities of a type. */
typedef struct totals {
    uint64_t actual, predicted, hits;
} totals;

struct lm_entities {
    lm_context *ctx;
    const scheme *scheme; /* NULL: conlleval's reading */
    lm_intern types;
    totals *totals; /* by type */
    uint32_t room;
    tag *tags; /* of a sequence and the O after it */
    entity *found[2];
    size_t tokens; /* of which there is room for tags and entities */
};

/* ---- Schemes ---- */

static const scheme schemes[] = {
    {"IOB1",
     I | O | B,
     {{O, I, EITHER}, {I, I, DIFFERENT}, {B, I, EITHER}, {I | B, B, SAME}},
     {{B | I, I, SAME}},
     {{I, I, DIFFERENT}, {I, O | B, EITHER}, {B, O, EITHER}, {B, I, DIFFERENT}, {B, B, SAME}}},
    {"IOB2",
     I | O | B,
     {{ANY, B, EITHER}},
     {{B | I, I, SAME}},
     {{I | B, O | B, EITHER}, {I | B, I, DIFFERENT}}},
    {"IOE1",
     I | O | E,
     {{O, I, EITHER}, {I, I, DIFFERENT}, {E, I, EITHER}, {E, E, SAME}},
     {{I, I | E, SAME}},
     {{I, I | E, DIFFERENT}, {I, O, EITHER}, {E, I | E, SAME}}},
    {"IOE2",
     I | O | E,
     {{O | E, I | E, EITHER}, {I, I | E, DIFFERENT}},
     {{I, I | E, SAME}},
     {{E, ANY, EITHER}}},
    {"IOBES",
     I | O | B | E | S,
     {{ANY, B | S, EITHER}},
     {{B | I, I | E, SAME}},
     {{S | E, ANY, EITHER}}},
    {"BILOU",
     B | I | L | O | U,
     {{ANY, B | U, EITHER}},
     {{B | I, I | L, SAME}},
     {{U | L, ANY, EITHER}}},
};

static bool
matches(const pattern *patterns, tag before, tag now)
{
    uint8_t types = before.type == now.type ? SAME : DIFFERENT;

    for (; patterns->types; patterns++)
        if ((patterns->before & before.prefix) && (patterns->now & now.prefix) &&
            (patterns->types & types))
            return true;
    return false;
}

static lm_status
refuse_scheme(lm_context *ctx, const char *name)
{
    lm_raise(ctx, LM_BAD_ARGUMENT, "unknown scheme of tags: \"%s\"", name);
    return lm_detail_hint(ctx, "Allowed values: IOB1, IOB2, IOE1, IOE2, IOBES, BILOU.");
}

lm_status
lm_entities_create(lm_context *ctx, const char *name, lm_entities **entities)
{
    const scheme *found = NULL;
    lm_entities *e;

    *entities = NULL;
    for (size_t i = 0; name && i < sizeof schemes / sizeof schemes[0]; i++)
        if (strcmp(schemes[i].name, name) == 0)
            found = &schemes[i];
    if (name && !found)
        return refuse_scheme(ctx, name);
    if (!(e = lm_alloc_zero(ctx, sizeof *e)))
        return LM_NO_MEMORY;
    e->ctx = ctx;
    e->scheme = found;
    lm_intern_init(&e->types, ctx, "types of entities");
    *entities = e;
    return LM_OK;
}

void
lm_entities_free(lm_entities *entities)
{
    if (!entities)
        return;
    lm_intern_free(&entities->types);
    lm_free(entities->ctx, entities->totals);
    lm_free(entities->ctx, entities->tags);
    lm_free(entities->ctx, entities->found[0]);
    lm_free(entities->ctx, entities->found[1]);
    lm_free(entities->ctx, entities);
}

/* ---- Tags ---- */

static uint8_t
prefix_of(char letter)
{
    const char *at = letter ? strchr(letters, letter) : NULL;

    return at ? (uint8_t)(1 << (at - letters)) : OTHER;
}

/* What follows the prefix: in conlleval's reading up to the first hyphen, else hyphens around it.
 */
static lm_text
type_of(const scheme *scheme, lm_text text)
{
    const char *hyphen;

    text.bytes++;
    text.length--;
    if (!scheme) {
        hyphen = text.length ? memchr(text.bytes, '-', text.length) : NULL;
        if (hyphen) {
            text.length -= (size_t)(hyphen + 1 - text.bytes);
            text.bytes = hyphen + 1;
        }
    }
    for (; scheme && text.length && *text.bytes == '-'; text.length--)
        text.bytes++;
    while (scheme && text.length && text.bytes[text.length - 1] == '-')
        text.length--;
    return text.length ? text : (lm_text){"_", 1};
}

static lm_status
refuse_tag(const lm_entities *e)
{
    char allowed[32];
    size_t length = 0;

    if (!e->scheme)
        return lm_raise(e->ctx, LM_BAD_ARGUMENT, "a tag must not be empty");
    for (size_t i = 0; letters[i]; i++)
        if (e->scheme->allowed & 1 << i) {
            allowed[length++] = ' ';
            allowed[length++] = letters[i];
        }
    lm_raise(e->ctx, LM_BAD_ARGUMENT, "a tag is none of the scheme %s", e->scheme->name);
    return lm_detail_hint(e->ctx, "Allowed prefixes:%.*s.", (int)length, allowed);
}

/* As many zeros as there is room for types. */
static lm_status
make_room(lm_entities *e)
{
    totals *grown;

    if (e->types.count <= e->room)
        return LM_OK;
    if (!(grown = lm_realloc(e->ctx, e->totals, (size_t)e->types.room * sizeof *grown)))
        return LM_NO_MEMORY;
    memset(grown + e->room, 0, (e->types.room - e->room) * sizeof *grown);
    e->totals = grown;
    e->room = e->types.room;
    return LM_OK;
}

static lm_status
read_tag(lm_entities *e, lm_text text, tag *to)
{
    lm_text type;

    to->prefix = text.length ? prefix_of(text.bytes[0]) : 0;
    if (!to->prefix || (e->scheme && !(e->scheme->allowed & to->prefix)))
        return refuse_tag(e);
    type = type_of(e->scheme, text);
    LM_TRY(lm_intern_add(&e->types, type.bytes, type.length, &to->type));
    return make_room(e);
}

static lm_status
read_tags(lm_entities *e, const lm_text *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        LM_TRY(read_tag(e, texts[i], &e->tags[i]));
        if (i % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(e->ctx));
    }
    return read_tag(e, (lm_text){"O", 1}, &e->tags[count]);
}

/* ---- Entities ---- */

/* What conlleval says of two tags; a prefix that it does not know says nothing. */
static const pattern loose_end[] = {{E | S, ANY | OTHER, EITHER},
                                    {B | I, B | S | O, EITHER},
                                    {(ANY | OTHER) & ~O, ANY | OTHER, DIFFERENT},
                                    {0, 0, 0}};
static const pattern loose_start[] = {{ANY | OTHER, B | S, EITHER},
                                      {E | S | O, E | I, EITHER},
                                      {ANY | OTHER, (ANY | OTHER) & ~O, DIFFERENT},
                                      {0, 0, 0}};

/* The entities of `count` tags and the O after them; their number. */
static size_t
find_loosely(const tag *tags, size_t count, uint32_t none, entity *to)
{
    tag before = {O, none};
    size_t found = 0, from = 0;

    for (size_t i = 0; i <= count; i++) {
        if (matches(loose_end, before, tags[i]))
            to[found++] = (entity){before.type, from, i};
        if (matches(loose_start, before, tags[i]))
            from = i;
        before = tags[i];
    }
    return found;
}

/* The tokens that an entity goes on over. */
static size_t
go_on(const scheme *s, const tag *tags, size_t count, size_t from)
{
    size_t i = from + 1;

    while (i < count && matches(s->inside, tags[i - 1], tags[i]))
        i++;
    return i;
}

static size_t
find_strictly(const scheme *s, const tag *tags, size_t count, entity *to)
{
    size_t found = 0, i = 0;

    while (i < count) {
        size_t end = i + 1;

        if (matches(s->start, i > 0 ? tags[i - 1] : tags[count], tags[i])) {
            end = go_on(s, tags, count, i);
            if (matches(s->end, tags[end - 1], tags[end]))
                to[found++] = (entity){tags[i].type, i, end};
        }
        i = end;
    }
    return found;
}

/* Entities do not overlap, and come in the order of their ends: both sides are walked at once. */
static void
count_entities(lm_entities *e, size_t actual, size_t predicted)
{
    const entity *a = e->found[0], *p = e->found[1];

    for (size_t i = 0; i < actual; i++)
        e->totals[a[i].type].actual++;
    for (size_t i = 0; i < predicted; i++)
        e->totals[p[i].type].predicted++;
    for (size_t i = 0, j = 0; i < actual && j < predicted;) {
        if (a[i].to == p[j].to) {
            e->totals[a[i].type].hits += a[i].from == p[j].from && a[i].type == p[j].type;
            i++;
            j++;
        } else if (a[i].to < p[j].to)
            i++;
        else
            j++;
    }
}

static lm_status
reserve(lm_entities *e, size_t count)
{
    if (count < e->tokens)
        return LM_OK;
    lm_free(e->ctx, e->tags);
    lm_free(e->ctx, e->found[0]);
    lm_free(e->ctx, e->found[1]);
    e->tokens = 0;
    e->tags = lm_alloc_array(e->ctx, count + 1, sizeof *e->tags);
    e->found[0] = e->tags ? lm_alloc_array(e->ctx, count + 1, sizeof **e->found) : NULL;
    e->found[1] = e->found[0] ? lm_alloc_array(e->ctx, count + 1, sizeof **e->found) : NULL;
    if (!e->found[1])
        return LM_NO_MEMORY;
    e->tokens = count + 1;
    return LM_OK;
}

lm_status
lm_entities_add(lm_entities *entities, const lm_text *actual, const lm_text *predicted,
                size_t count)
{
    lm_entities *e = entities;
    const lm_text *sides[2] = {actual, predicted};
    uint32_t none;
    size_t found[2];

    LM_TRY(reserve(e, count));
    LM_TRY(lm_intern_add(&e->types, "", 0, &none)); /* before the first tag: no tag has it */
    for (int i = 0; i < 2; i++) {
        LM_TRY(read_tags(e, sides[i], count));
        found[i] = e->scheme ? find_strictly(e->scheme, e->tags, count, e->found[i])
                             : find_loosely(e->tags, count, none, e->found[i]);
    }
    count_entities(e, found[0], found[1]);
    return LM_OK;
}

/* ---- Scores ---- */

static double
quotient(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

static lm_average
average_of(const totals *t)
{
    return (lm_average){quotient(t->hits, t->predicted), quotient(t->hits, t->actual),
                        quotient(2 * t->hits, t->predicted + t->actual), t->actual};
}

static void
add_share(lm_average *to, const lm_average *score, double share)
{
    to->precision += score->precision * share;
    to->recall += score->recall * share;
    to->f1 += score->f1 * share;
}

/* Types of which there is an entity, in order. */
static size_t
score_types(const lm_entities *e, const uint32_t *order, lm_label_score *scores, totals *all)
{
    size_t count = 0;

    for (uint32_t i = 0; i < e->types.count; i++) {
        const totals *t = &e->totals[order[i]];
        lm_average score = average_of(t);

        if (t->actual + t->predicted == 0)
            continue;
        scores[count] = (lm_label_score){.precision = score.precision,
                                         .recall = score.recall,
                                         .f1 = score.f1,
                                         .support = score.support};
        scores[count].label = lm_intern_bytes(&e->types, order[i], &scores[count].length);
        count++;
        all->actual += t->actual;
        all->predicted += t->predicted;
        all->hits += t->hits;
    }
    return count;
}

lm_status
lm_entities_scores(lm_entities *entities, lm_label_score **scores, size_t *count,
                   lm_averages *averages)
{
    lm_context *ctx = entities->ctx;
    totals all = {0};
    uint32_t *order;

    LM_TRY(lm_intern_sort(&entities->types, &order));
    *scores = lm_alloc_array(ctx, (size_t)entities->types.count + 1, sizeof **scores);
    if (!*scores) {
        lm_free(ctx, order);
        return LM_NO_MEMORY;
    }
    *count = score_types(entities, order, *scores, &all);
    lm_free(ctx, order);
    averages->micro = average_of(&all);
    averages->macro = averages->weighted = (lm_average){.support = all.actual};
    for (size_t i = 0; i < *count; i++) {
        const lm_label_score *s = &(*scores)[i];
        const lm_average score = {s->precision, s->recall, s->f1, s->support};

        add_share(&averages->macro, &score, 1 / (double)*count);
        add_share(&averages->weighted, &score, quotient(s->support, all.actual));
    }
    return LM_OK;
}
