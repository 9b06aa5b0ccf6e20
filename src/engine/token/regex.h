/*
 * regex.h - regular expressions as tables: a match is what a backtracking engine finds (leftmost,
 * the first alternative with which all matches), at the cost of one look-up for a character.
 *
 * A pattern is compiled into a deterministic automaton whose states are lists of threads in order
 * of preference. An entry of its table is chosen by the state and the class of the *next*
 * character: so it knows what comes, which is all that look-ahead asks, and it says whether a match
 * ends before that character. Reading goes on as long as a thread lives that is preferred to the
 * match that was found.
 *
 * All matches of a text take time that is linear in it, whatever pattern and text are: where
 * reading goes on in vain too often, what was read in vain is remembered (regex.c).
 */
#ifndef LM_REGEX_H
#define LM_REGEX_H

#include "base/buffer.h"
#include "token/image.h"

#define LM_REGEX_SHIFT 7 /* scalar values of a block of the table of classes, as a power of 2 */

/* An automaton; its arrays lie in the image. Class `classes` stands for both ends of the text. */
typedef struct lm_regex {
    lm_span block; /* uint16_t, by c >> LM_REGEX_SHIFT */
    lm_span value; /* uint8_t: the class of a scalar value; equal blocks once */
    lm_span start; /* uint32_t, by the class of the character before: the row to begin with */
    lm_span next;  /* uint32_t, row + class: the next row << 1 | whether a match ends here */
    uint32_t classes;
    uint32_t rows;
    uint32_t looks_behind; /* start differs by the character before */
    uint32_t unused;       /* 0 */
    uint8_t ascii[128];    /* the classes of ASCII */
} lm_regex;

/* Entries of `next`. A pattern that needs more is refused. */
#define LM_REGEX_MAX_CELLS ((size_t)1 << 16)

/*
 * Append the automaton of a pattern, which is a regular expression or a text that stands for
 * itself. Terminated, valid UTF-8. LM_UNSUPPORTED quotes the pattern.
 */
lm_status lm_regex_compile(lm_buffer *out, size_t start, const char *pattern, size_t length,
                           bool literal, lm_regex *regex);

/* Whether a match may be empty: one may end where it begins. */
bool lm_regex_may_be_empty(const lm_regex *regex, const lm_token_image *image);

/*
 * Whether a match always ends between a letter or digit of ASCII and a space, and would end there
 * if the text did, and the next one is found alike from there on. Such a text may be cut there.
 */
bool lm_regex_ends_before_space(const lm_regex *regex, const lm_token_image *image);

/* A text in search of matches: UTF-8 or decoded characters. All numbers count its units. */
typedef struct lm_regex_search {
    lm_context *ctx;
    const lm_regex *regex;
    const uint16_t *block;
    const uint8_t *value;
    const uint32_t *start, *next;
    const void *text;
    size_t length;
    bool bytes;     /* UTF-8 */
    size_t at;      /* where the search goes on */
    size_t matched; /* where the last match ended; SIZE_MAX: there is none */
    uint64_t steps; /* units read, and one for each attempt */
    size_t unpolled;
    lm_buffer vain; /* a bit for each row and place that was read in vain; empty: not needed yet */
} lm_regex_search;

/* The text must be valid and stay as it is. */
void lm_regex_open_bytes(lm_regex_search *search, lm_context *ctx, const lm_token_image *image,
                         const lm_regex *regex, const char *text, size_t length);
void lm_regex_open_chars(lm_regex_search *search, lm_context *ctx, const lm_token_image *image,
                         const lm_regex *regex, const uint32_t *text, size_t length);
/* Frees what only hostile texts made it allocate. */
void lm_regex_close(lm_regex_search *search);

/*
 * The next match. As in the reference, a match may be empty, but not where the one before ended.
 * *found is false behind the last one. Polls cancel.
 */
lm_status lm_regex_next(lm_regex_search *search, size_t *start, size_t *stop, bool *found);

#endif
