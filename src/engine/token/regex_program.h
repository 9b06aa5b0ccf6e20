/*
 * regex_program.h - a tree as a program of threads: what regex_compile.c makes an automaton of.
 */
#ifndef LM_REGEX_PROGRAM_H
#define LM_REGEX_PROGRAM_H

#include "base/intern.h"
#include "token/regex_tree.h"

#define LM_REGEX_MAX_STEPS 2048
#define LM_REGEX_MAX_BEHIND 63 /* different sets that are looked for behind */

typedef enum lm_regex_act {
    LM_REGEX_MATCH,
    LM_REGEX_TAKE,  /* a character of the set */
    LM_REGEX_SPLIT, /* two threads; the first one is preferred */
    LM_REGEX_AHEAD, /* goes on if the next character is of the set */
    LM_REGEX_BEFORE /* goes on if the character before is */
} lm_regex_act;

typedef struct lm_regex_step {
    lm_regex_act act;
    uint32_t set; /* number of the set; of BEFORE: its number among the sets looked for behind */
    bool edge, negated;
    uint32_t next, other;
} lm_regex_step;

typedef struct lm_regex_program {
    lm_context *ctx;
    const char *pattern;
    lm_regex_step *steps; /* room for LM_REGEX_MAX_STEPS */
    uint32_t count;
    uint32_t made;                        /* nodes, some of them more than once */
    uint32_t first;                       /* where the only thread starts */
    lm_intern sets;                       /* lm_char_range[]: equal sets have one number */
    uint32_t behind[LM_REGEX_MAX_BEHIND]; /* their numbers in `sets` */
    uint32_t behind_count;
} lm_regex_program;

/* Free also after a failure. */
lm_status lm_regex_program_make(lm_arena *arena, const lm_regex_node *root, const char *pattern,
                                lm_regex_program *program);
void lm_regex_program_free(lm_regex_program *program);

#endif
