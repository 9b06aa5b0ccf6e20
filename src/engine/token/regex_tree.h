/*
 * regex_tree.h - a regular expression as a tree, between reading (regex_parse.c) and compiling
 * (regex_compile.c). All lies in one arena.
 */
#ifndef LM_REGEX_TREE_H
#define LM_REGEX_TREE_H

#include "token/charset.h"

#define LM_REGEX_MANY UINT32_MAX /* no upper limit of a repeat */

typedef enum lm_regex_kind {
    LM_REGEX_EMPTY,
    LM_REGEX_SET,    /* one character of `set` */
    LM_REGEX_CAT,    /* the items, one after the other */
    LM_REGEX_ALT,    /* the first of the items with which all matches */
    LM_REGEX_REPEAT, /* the item, low to high times */
    LM_REGEX_LOOK    /* whether a neighbour is of `set`; takes no character */
} lm_regex_kind;

typedef struct lm_regex_node {
    lm_regex_kind kind;
    struct lm_regex_node *items; /* the first one */
    struct lm_regex_node *next;  /* beside this one */
    const lm_charset *set;
    uint32_t low, high;
    bool lazy;    /* REPEAT: as few as will do */
    bool behind;  /* LOOK: at the character before, not at the one that comes */
    bool edge;    /* LOOK: the end of the text on that side is as good as a character of the set */
    bool negated; /* LOOK */
} lm_regex_node;

/* Whether it can match without taking a character. */
bool lm_regex_is_nullable(const lm_regex_node *node);

/* Whether it never takes nothing, or may do so at any place, after all other ways have failed. */
bool lm_regex_is_empty_last(const lm_regex_node *node);

/*
 * Read a pattern (valid UTF-8) in the syntax of Oniguruma. LM_UNSUPPORTED, with the pattern as
 * found, for what Oniguruma refuses, for what would need backtracking, and for what is not known.
 */
lm_status lm_regex_parse(lm_arena *arena, const char *pattern, size_t length,
                         const lm_regex_node **root);
/* The tree of a text that stands for itself. */
lm_status lm_regex_literal(lm_arena *arena, const char *text, size_t length,
                           const lm_regex_node **root);

/* Fail: the pattern asks for what is not there. */
lm_status lm_regex_refuse(lm_context *ctx, const char *pattern, const char *what);

#endif
