/*
 * porter.c - suffixes are rows of tables, one for each step of the paper (Porter, "An algorithm for
 * suffix stripping", Program 14.3, 1980).
 *
 * Conditions look at what stands before a suffix: with each character it is kept what is true of
 * the word as far as it, so that a rule takes no time for a long word.
 */
#include "metrics/porter.h"

#include <string.h>

#include "base/utf8.h"

#define POLL_EVERY 65536

/* What is known of the beginning of a word that ends with a character. */
typedef struct prefix {
    uint32_t c;
    bool consonant;
    bool vowel;      /* there is one in it */
    uint8_t measure; /* how often consonants follow vowels: 0, 1, 2 or more */
} prefix;

typedef struct stem_word {
    prefix *of;
    size_t count;
} stem_word;

typedef bool (*stem_condition)(const stem_word *word, size_t stem);

typedef struct suffix_rule {
    const char *suffix, *replacement;
    stem_condition condition; /* of the stem's length; NULL: none */
} suffix_rule;

static bool
is_vowel(uint32_t c)
{
    return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
}

/* The room is that of the word, and no replacement is longer than its suffix and one letter. */
static void
push(stem_word *word, uint32_t c)
{
    const prefix *before = word->count > 0 ? &word->of[word->count - 1] : NULL;
    prefix *here = &word->of[word->count++];

    here->c = c;
    here->consonant = c == 'y' ? !before || !before->consonant : !is_vowel(c);
    here->vowel = (before && before->vowel) || !here->consonant;
    here->measure = before ? before->measure : 0;
    if (before && !before->consonant && here->consonant && here->measure < 2)
        here->measure++;
}

static void
push_all(stem_word *word, const char *letters)
{
    for (; *letters; letters++)
        push(word, (unsigned char)*letters);
}

static bool
ends_with(const stem_word *word, const char *suffix)
{
    size_t length = strlen(suffix);

    if (word->count < length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (word->of[word->count - length + i].c != (unsigned char)suffix[i])
            return false;
    return true;
}

/* ---- Conditions: of the first `stem` characters ---- */

static unsigned
measure(const stem_word *word, size_t stem)
{
    return stem > 0 ? word->of[stem - 1].measure : 0;
}

static bool
measure_above_0(const stem_word *word, size_t stem)
{
    return measure(word, stem) > 0;
}

static bool
measure_above_1(const stem_word *word, size_t stem)
{
    return measure(word, stem) > 1;
}

static bool
has_vowel(const stem_word *word, size_t stem)
{
    return stem > 0 && word->of[stem - 1].vowel;
}

static bool
ends_in(const stem_word *word, size_t stem, const char *letters)
{
    uint32_t c = stem > 0 ? word->of[stem - 1].c : 0;

    return c > 0 && c < 0x80 && strchr(letters, (int)c) != NULL;
}

static bool
ends_double(const stem_word *word, size_t stem)
{
    return stem >= 2 && word->of[stem - 1].c == word->of[stem - 2].c &&
           word->of[stem - 1].consonant;
}

/* Consonant, vowel, consonant other than w, x and y; in a word of two, vowel and consonant. */
static bool
ends_short(const stem_word *word, size_t stem)
{
    const prefix *end = word->of + stem;

    if (stem < 2 || end[-2].consonant || !end[-1].consonant)
        return false;
    return stem == 2 || (end[-3].consonant && !ends_in(word, stem, "wxy"));
}

static bool
is_short(const stem_word *word, size_t stem)
{
    return measure(word, stem) == 1 && ends_short(word, stem);
}

static bool
drops_ion(const stem_word *word, size_t stem)
{
    return measure(word, stem) > 1 && ends_in(word, stem, "st");
}

/* Of "logi": the l belongs to the stem. */
static bool
drops_logi(const stem_word *word, size_t stem)
{
    return measure(word, stem + 1) > 0;
}

static bool
turns_y(const stem_word *word, size_t stem)
{
    return stem > 1 && word->of[stem - 1].consonant;
}

/* Of "ll": one of the two belongs to the stem. */
static bool
drops_l(const stem_word *word, size_t stem)
{
    return measure(word, stem + 1) > 1;
}

/* ---- Rules ---- */

static const suffix_rule plurals[] = {{"sses", "ss", NULL},
                                      {"ies", "i", NULL},
                                      {"ss", "ss", NULL},
                                      {"s", "", NULL},
                                      {NULL, NULL, NULL}};

static const suffix_rule mended[] = {
    {"at", "ate", NULL}, {"bl", "ble", NULL}, {"iz", "ize", NULL}, {NULL, NULL, NULL}};

static const suffix_rule ys[] = {{"y", "i", turns_y}, {NULL, NULL, NULL}};

static const suffix_rule doubles[] = {{"ational", "ate", measure_above_0},
                                      {"tional", "tion", measure_above_0},
                                      {"enci", "ence", measure_above_0},
                                      {"anci", "ance", measure_above_0},
                                      {"izer", "ize", measure_above_0},
                                      {"bli", "ble", measure_above_0},
                                      {"alli", "al", measure_above_0},
                                      {"entli", "ent", measure_above_0},
                                      {"eli", "e", measure_above_0},
                                      {"ousli", "ous", measure_above_0},
                                      {"ization", "ize", measure_above_0},
                                      {"ation", "ate", measure_above_0},
                                      {"ator", "ate", measure_above_0},
                                      {"alism", "al", measure_above_0},
                                      {"iveness", "ive", measure_above_0},
                                      {"fulness", "ful", measure_above_0},
                                      {"ousness", "ous", measure_above_0},
                                      {"aliti", "al", measure_above_0},
                                      {"iviti", "ive", measure_above_0},
                                      {"biliti", "ble", measure_above_0},
                                      {"fulli", "ful", measure_above_0},
                                      {"logi", "log", drops_logi},
                                      {NULL, NULL, NULL}};

static const suffix_rule endings[] = {
    {"icate", "ic", measure_above_0}, {"ative", "", measure_above_0},
    {"alize", "al", measure_above_0}, {"iciti", "ic", measure_above_0},
    {"ical", "ic", measure_above_0},  {"ful", "", measure_above_0},
    {"ness", "", measure_above_0},    {NULL, NULL, NULL}};

static const suffix_rule last_endings[] = {
    {"al", "", measure_above_1},    {"ance", "", measure_above_1},
    {"ence", "", measure_above_1},  {"er", "", measure_above_1},
    {"ic", "", measure_above_1},    {"able", "", measure_above_1},
    {"ible", "", measure_above_1},  {"ant", "", measure_above_1},
    {"ement", "", measure_above_1}, {"ment", "", measure_above_1},
    {"ent", "", measure_above_1},   {"ion", "", drops_ion},
    {"ou", "", measure_above_1},    {"ism", "", measure_above_1},
    {"ate", "", measure_above_1},   {"iti", "", measure_above_1},
    {"ous", "", measure_above_1},   {"ive", "", measure_above_1},
    {"ize", "", measure_above_1},   {NULL, NULL, NULL}};

static const suffix_rule double_ls[] = {{"ll", "l", drops_l}, {NULL, NULL, NULL}};

/* Words that no rule stems well: nltk's list. */
static const struct {
    const char *word, *stem;
} irregular[] = {
    {"sky", "sky"},        {"skies", "sky"},       {"dying", "die"},        {"lying", "lie"},
    {"tying", "tie"},      {"news", "news"},       {"innings", "inning"},   {"inning", "inning"},
    {"outings", "outing"}, {"outing", "outing"},   {"cannings", "canning"}, {"canning", "canning"},
    {"howe", "howe"},      {"proceed", "proceed"}, {"exceed", "exceed"},    {"succeed", "succeed"}};

/* The first rule whose suffix the word has decides: is it, and does its condition hold? */
static bool
apply(stem_word *word, const suffix_rule *rules)
{
    for (; rules->suffix; rules++)
        if (ends_with(word, rules->suffix)) {
            size_t stem = word->count - strlen(rules->suffix);

            if (rules->condition && !rules->condition(word, stem))
                return true;
            word->count = stem;
            push_all(word, rules->replacement);
            return true;
        }
    return false;
}

/* ---- Steps ---- */

static void
step_1a(stem_word *word)
{
    if (word->count == 4 && ends_with(word, "ies"))
        word->count--;
    else
        apply(word, plurals);
}

/* What is left of a word without "ed" or "ing". */
static void
mend(stem_word *word)
{
    if (apply(word, mended))
        return;
    if (ends_double(word, word->count)) {
        if (!ends_in(word, word->count, "lsz"))
            word->count--;
    } else if (is_short(word, word->count))
        push(word, 'e');
}

static void
step_1b(stem_word *word)
{
    static const char *const suffixes[] = {"ed", "ing"};

    if (ends_with(word, "ied")) {
        word->count -= word->count == 4 ? 1 : 2;
        return;
    }
    if (ends_with(word, "eed")) {
        if (measure_above_0(word, word->count - 3))
            word->count--;
        return;
    }
    for (int i = 0; i < 2; i++)
        if (ends_with(word, suffixes[i]) && has_vowel(word, word->count - strlen(suffixes[i]))) {
            word->count -= strlen(suffixes[i]);
            mend(word);
            return;
        }
}

static void
step_2(stem_word *word)
{
    while (ends_with(word, "alli") && measure_above_0(word, word->count - 4))
        word->count -= 2;
    apply(word, doubles);
}

static void
step_5a(stem_word *word)
{
    size_t stem = word->count - 1;

    if (ends_with(word, "e") &&
        (measure(word, stem) > 1 || (measure(word, stem) == 1 && !ends_short(word, stem))))
        word->count = stem;
}

static void
run_steps(stem_word *word)
{
    if (word->count <= 2)
        return;
    step_1a(word);
    step_1b(word);
    apply(word, ys);
    step_2(word);
    apply(word, endings);
    apply(word, last_endings);
    step_5a(word);
    apply(word, double_ls);
}

static const char *
irregular_stem(lm_text word)
{
    for (size_t i = 0; i < sizeof irregular / sizeof irregular[0]; i++)
        if (strlen(irregular[i].word) == word.length &&
            memcmp(irregular[i].word, word.bytes, word.length) == 0)
            return irregular[i].stem;
    return NULL;
}

static lm_status
read_word(lm_context *ctx, lm_text text, stem_word *word)
{
    int bytes;

    for (size_t at = 0; at < text.length; at += (size_t)bytes) {
        push(word, lm_utf8_decode(text.bytes + at, &bytes));
        if (word->count % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
    }
    return LM_OK;
}

static lm_status
append_word(lm_buffer *to, const stem_word *word)
{
    for (size_t i = 0; i < word->count; i++) {
        char bytes[4];

        LM_TRY(lm_buffer_append(to, bytes, (size_t)lm_utf8_encode(word->of[i].c, bytes)));
        if ((i + 1) % POLL_EVERY == 0)
            LM_TRY(lm_poll(to->ctx));
    }
    return LM_OK;
}

lm_status
lm_porter_stem(lm_text text, lm_buffer *stem)
{
    const char *known = irregular_stem(text);
    stem_word word = {NULL, 0};
    lm_status status;

    if (known)
        return lm_buffer_append_string(stem, known);
    word.of = lm_alloc_array(stem->ctx, text.length + 1, sizeof *word.of);
    if (!word.of)
        return LM_NO_MEMORY;
    status = read_word(stem->ctx, text, &word);
    if (status == LM_OK) {
        run_steps(&word);
        status = append_word(stem, &word);
    }
    lm_free(stem->ctx, word.of);
    return status;
}
