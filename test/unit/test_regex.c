/*
 * test_regex.c - regular expressions: every construct against what the reference library finds, in
 * characters and in bytes; refusals; hostile patterns; linear time, counted in steps; lack of
 * memory.
 */
#include "token/regex.h"

#include "base/rng.h"
#include "base/utf8.h"
#include "fake.h"
#include "unit.h"

/* An automaton with the image that it lies in. */
typedef struct automaton {
    lm_context ctx;
    lm_buffer image;
    lm_regex regex;
} automaton;

static void
compile(automaton *a, const char *pattern, bool literal)
{
    lm_context_init(&a->ctx);
    lm_buffer_init(&a->image, &a->ctx);
    CHECK_OK(&a->ctx, lm_regex_compile(&a->image, 0, pattern, strlen(pattern), literal, &a->regex));
}

static const lm_token_image *
image_of(const automaton *a)
{
    return (const lm_token_image *)a->image.data;
}

/* Decoded characters of a text; from malloc. */
static uint32_t *
decode(const char *text, size_t *count)
{
    size_t length = strlen(text);
    uint32_t *c = malloc((length + 1) * sizeof *c);
    int bytes;

    *count = 0;
    for (size_t at = 0; at < length; at += (size_t)bytes)
        c[(*count)++] = lm_utf8_decode(text + at, &bytes);
    return c;
}

/* All matches that are not empty, as "0-1 2-4", in characters. */
static void
list_matches(lm_regex_search *search, const char *text, char *out)
{
    size_t start, stop;
    bool found;

    for (*out = 0;;) {
        if (lm_regex_next(search, &start, &stop, &found) != LM_OK || !found)
            return;
        if (start == stop)
            continue;
        if (text) {
            start = lm_utf8_count(text, start);
            stop = lm_utf8_count(text, stop);
        }
        out += sprintf(out, "%zu-%zu ", start, stop);
    }
}

/* Without the last space. */
static void
check_list(const char *pattern, const char *text, const char *got, const char *wanted)
{
    size_t length = strlen(got);

    if (length > 0)
        length--;
    if (length != strlen(wanted) || strncmp(got, wanted, length) != 0)
        UNIT_FAIL("/%s/ finds \"%s\" in \"%s\", wanted \"%s\"", pattern, got, text, wanted);
}

static void
check_matches(const automaton *a, const char *pattern, const char *text, const char *wanted)
{
    lm_context ctx;
    lm_regex_search search;
    size_t count;
    uint32_t *c = decode(text, &count);
    char got[1024];

    lm_context_init(&ctx);
    lm_regex_open_chars(&search, &ctx, image_of(a), &a->regex, c, count);
    list_matches(&search, NULL, got);
    lm_regex_close(&search);
    check_list(pattern, text, got, wanted);
    lm_regex_open_bytes(&search, &ctx, image_of(a), &a->regex, text, strlen(text));
    list_matches(&search, text, got);
    lm_regex_close(&search);
    check_list(pattern, text, got, wanted);
    free(c);
}

/* What the reference library finds. */
static const struct {
    const char *pattern, *text, *matches;
} rows[] = {
    {"a", "bab", "1-2"},
    {"ab|a", "aab", "0-1 1-3"},
    {"a|ab", "aab", "0-1 1-2"},
    {"(?:a|ab)(?:c|bcd)", "abcd", "0-4"},
    {"a*", "baac", "1-3"},
    {"a+?b", "aaab", "0-4"},
    {"a??b", "abb", "0-2 2-3"},
    {"a{2}", "aaaaa", "0-2 2-4"},
    {"a{2,}", "aaa a", "0-3"},
    {"a{,2}b", "aaab b", "1-4 5-6"},
    {"a{1,2}?", "aaa", "0-1 1-2 2-3"},
    {"a{2}?b", "aab b", "0-3 4-5"},
    {"a{1,2}+", "aaaa", "0-4"},
    {"(?:a*b?){2}c", "aabac abbc", "0-5 6-10"},
    {"(?:a{1,2}?|b??c|d?){2,3}e", "aadae bcce e", "0-5 6-10 11-12"},
    {"(?:(?:x??a){1,2}|b?){2}c", "xaabc bc", "0-5 6-8"},
    {"a{x", "a{xaa{x", "0-3 4-7"},
    {"{", "a{b", "1-2"},
    {"a]}", "a]}", "0-3"},
    {".", "a\nb", "0-1 2-3"},
    {"[a-c]+", "abcd-", "0-3"},
    {"[^a-c]+", "abcd-\n", "3-6"},
    {"[a-]+", "a-b", "0-2"},
    {"[-a]+", "a-b", "0-2"},
    {"[a\\]b]+", "a]bc", "0-3"},
    {"[\\d\\s]+", "a1 2b", "1-4"},
    {"[a-c&&b-d]+", "abcd", "1-3"},
    {"[a-z&&[^b]]+", "abc", "0-1 2-3"},
    {"[^a&&b]+", "abc", "0-3"},
    {"[a[bc]]+", "abcd", "0-3"},
    {"[[:alpha:]_]+", "a_1\u00e9", "0-2 3-4"},
    {"[[:^alpha:]]+", "a_1\u00e9", "1-3"},
    {"\\d+", "1\u0968a", "0-2"},
    {"\\D+", "1\u0968a", "2-3"},
    {"\\w+", "a_1\u00e9-", "0-4"},
    {"\\W+", "a_1\u00e9-", "4-5"},
    {"\\s+", "a \u00a0\u3000\u200bb", "1-4"},
    {"\\S+", "a \u00a0\u3000\u200bb", "0-1 4-6"},
    {"\\h+", "09afgAF", "0-4 5-7"},
    {"\\p{Lu}+", "a\u00c4B\u00e9\u01c5", "1-3"},
    {"\\P{Lu}+", "a\u00c4B\u00e9\u01c5", "0-1 3-5"},
    {"\\p{^Lu}+", "a\u00c4B\u00e9\u01c5", "0-1 3-5"},
    {"\\P{^Lu}+", "a\u00c4B\u00e9\u01c5", "1-3"},
    {"\\p{Uppercase_Letter}+", "a\u00c4B", "1-3"},
    {"\\p{ han }+", "a\u6f22\u5b57\u3005b", "1-4"},
    {"\\p{Hiragana}+", "\u3072\u3089\u30ab", "0-2"},
    {"\\p{M}+", "e\u0301\u0308x", "1-3"},
    {"\\p{N}{1,3}", "12345\u00bd", "0-3 3-6"},
    {"\\x41\\x{e9}\\u00e9", "A\u00e9\u00e9", "0-3"},
    {"\\t\\n\\r\\f\\v\\a\\e", "\t\n\r\014\013\007\033", "0-7"},
    {"[\\b]", "\010b", "0-1"},
    {"\\.\\*\\%", "a.*%", "1-4"},
    {"(?<=\u00e9)b", "\u00e9b ab \u6f22b", "1-2"},
    {"(?i:k)", "kKK", "0-1 1-2 2-3"},
    {"(?i:s)+", "sS\u017f\u00df", "0-3"},
    {"(?i:[^s])+", "sS\u017fa", "3-4"},
    {"(?i:'s|'RE)", "'S 're 'Re", "0-2 3-6 7-10"},
    {"a(?i)b|c", "aBCac", "0-2 3-5"},
    {"(?i:a(?-i:b))", "AbAB", "0-2"},
    {"(?i:a1)", "A1", "0-2"},
    {"(?#note)a(?#more)b", "ab", "0-2"},
    {"(?<n>a)b", "ab", "0-2"},
    {"(a)(b)", "ab", "0-2"},
    {"(?>a)b", "ab", "0-2"},
    {"(?>a+)b", "aab", "0-3"},
    {"a?+b", "aabb", "1-3 3-4"},
    {"a*+b", "aab", "0-3"},
    {"a*+a", "aaa", ""},
    {"a++(?:a|b)", "aab", "0-3"},
    {"a(?=b)", "abac", "0-1"},
    {"a(?!b)", "abaca", "2-3 4-5"},
    {"(?<=a)b", "abbb", "1-2"},
    {"(?<!a)b", "abbb", "2-3 3-4"},
    {"\\s+(?!\\S)", "a   b  ", "1-3 5-7"},
    {"a(?=b|$)", "abaca", "0-1 4-5"},
    {"a(?!b|$)", "abaca", "2-3"},
    {"a(?=b+)", "abbac", "0-1"},
    {"^a", "aaa\na\n", "0-1 4-5"},
    {"a$", "aa\naa", "1-2 4-5"},
    {"^", "a\nb", ""},
    {"\\n^", "\n\na\n", "0-1 1-2"},
    {"$\\n", "a\n\n", "1-2 2-3"},
    {"\\Aa", "aa\na", "0-1"},
    {"a\\z", "a\naa", "3-4"},
    {"\\b\\w", "ab cd", "0-1 3-4"},
    {"\\B\\w", "ab cd", "1-2 4-5"},
    {"\\b", "ab", ""},
    {"", "ab", ""},
    {"a|", "ba", "1-2"},
    {"|a", "a", ""},
    {"(?:|a)b", "abb", "0-2 2-3"},
    {"x*y|x", "xxxy xx", "0-4 5-6 6-7"},
    {"(?:a+)+b|a", "aaab aaa", "0-4 5-6 6-7 7-8"},
    {"(?:ab?)*", "abaab", "0-5"},
    {"(?:a|b|ab)*c", "ababc", "0-5"},
    {"(?:a{2}|b){2}", "aabaab", "0-3 3-6"},
    {"(?:a?){3}", "aaaaa", "0-3 3-5"},
    {"a{0}b", "ab", "1-2"},
};

static void
constructs(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        automaton a;

        compile(&a, rows[i].pattern, false);
        if (a.image.size)
            check_matches(&a, rows[i].pattern, rows[i].text, rows[i].matches);
        lm_buffer_free(&a.image);
    }
}

static void
literals(void)
{
    automaton a;

    compile(&a, "a.*(", true);
    check_matches(&a, "a.*(", "xa.*(a.*a.*(", "1-5 8-12");
    lm_buffer_free(&a.image);
    compile(&a, "\u00e9\u00e9", true);
    check_matches(&a, "\u00e9\u00e9", "\u00e9\u00e9\u00e9\u00e9\u00e9", "0-2 2-4");
    lm_buffer_free(&a.image);
}

/* An empty match stands at every place but where the match before ended. */
static void
empty_matches(void)
{
    static const size_t wanted[][2] = {{0, 2}, {3, 3}, {5, 6}};
    automaton a;
    lm_regex_search search;
    size_t start, stop, count = 0;
    bool found = true;

    compile(&a, "a*", false);
    lm_regex_open_bytes(&search, &a.ctx, image_of(&a), &a.regex, "aab\u00e9a", 6);
    for (; found; count += found) {
        CHECK_OK(&a.ctx, lm_regex_next(&search, &start, &stop, &found));
        CHECK(!found || count < 3);
        if (found && count < 3) {
            CHECK_EQ_INT(start, wanted[count][0]);
            CHECK_EQ_INT(stop, wanted[count][1]);
        }
    }
    CHECK_EQ_INT(count, 3);
    lm_regex_close(&search);
    lm_buffer_free(&a.image);
}

static const struct {
    const char *pattern, *reason;
} refused[] = {
    {"(a)\\1", "an escape that is not known"},
    {"\\ka", "an escape that is not known"},
    {"\\R", "an escape that is not known"},
    {"a\\", "an escape that is not known"},
    {"\\07", "an escape that is not known"},
    {"\\pL", "a property without braces"},
    {"\\p{Foo}", "a property that is not known"},
    {"\\p{L", "a property that is not known"},
    {"[[:foo:]]", "a property that is not known"},
    {"\\x{110000}", "no character has this number"},
    {"\\x{d800}", "no character has this number"},
    {"\\u12", "no character has this number"},
    {"\\xe9", "a byte that is no character"},
    {"(?i:\u00e9)", "characters beyond ASCII without regard to case"},
    {"(?i:\\p{L})", "a property without regard to case"},
    {"(?i:\\w)", "a property without regard to case"},
    {"(?i:[[:alpha:]])", "a property without regard to case"},
    {"(?i:aSS)", "letters that are one character without regard to case"},
    {"[a", "a class without an end"},
    {"[", "a class without an end"},
    {"[]a]", "a class that begins with ] or has an empty part"},
    {"[a&&]", "a class that begins with ] or has an empty part"},
    {"[c-a]", "a range of what is no character"},
    {"[a-\\d]", "a range of what is no character"},
    {"[\\d-a]", "a range of what is no character"},
    {"[a-c-e]", "a range of what is no character"},
    {"[--a]", "a range of what is no character"},
    {"a(?=bc)", "a look beyond one character"},
    {"a(?=\\Ba)", "a look beyond one character"},
    {"(?<=a+)b", "a look beyond one character"},
    {"(?<=^|b)a", "a look beyond one character"},
    {"(?>ab|a)b", "an atomic group of more than one character"},
    {"(?:ab)++c", "a possessive repeat of more than one character"},
    {"(?m:.)", "a group that is not known"},
    {"(?~a)", "a group that is not known"},
    {"(a", "a group without an end"},
    {"(?i:a", "a group without an end"},
    {"a(?#b", "a comment without an end"},
    {"a)", "a bracket that closes nothing"},
    {"+a", "a repeat of nothing"},
    {"(*a)", "a repeat of nothing"},
    {"{2}", "a repeat of nothing"},
    {"a(?=b)?", "a repeat of nothing"},
    {"(?:\\b){2}", "a repeat of nothing"},
    {"(?:a*)*", "an unlimited repeat of what may be empty"},
    {"(?:a*b?)*", "an unlimited repeat of what may be empty"},
    {"(?:\\ba?)*", "an unlimited repeat of what may be empty"},
    {"(?:(?:a*){2})+", "an unlimited repeat of what may be empty"},
    {"(?:a|b?){2,}", "an unlimited repeat of what may be empty"},
    {"(?:(?:\\S*)??| ){2}\\w+", "a repeat of what may be empty before it is longer"},
    {"(?:(?!a|b)\\w?){2}", "a repeat of what may be empty before it is longer"},
    {"(?:b?|ab){1,2}?c", "a repeat of what may be empty before it is longer"},
    {"(?:a(?:b?\?)?|(?:c?\?)?){3}c", "a repeat of what may be empty before it is longer"},
    {"(?:a*(?:b?\?)){2}c", "a repeat of what may be empty before it is longer"},
    {"a{3,1}", "an interval that ends before it begins"},
    {"a{1001}", "a repeat of more than 1000 times"},
    {"a{99999999999999999999}", "a repeat of more than 1000 times"},
    {"(?:a{100}){100}", "it is too large"},
    {"(?:(?:(?:a{0}){1000}){1000}){1000}", "it is too large"},
    {"[ab]*a[ab]{20}", "it is too large"},
};

static void
refusals(void)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        lm_context ctx;
        lm_buffer image;
        lm_regex regex;
        char wanted[256];

        lm_context_init(&ctx);
        lm_buffer_init(&image, &ctx);
        CHECK_EQ_INT(lm_regex_compile(&image, 0, refused[i].pattern, strlen(refused[i].pattern),
                                      false, &regex),
                     LM_UNSUPPORTED);
        snprintf(wanted, sizeof wanted, "this regular expression is not supported: %s",
                 refused[i].reason);
        CHECK_STR(ctx.error.message, wanted);
        CHECK_STR(ctx.error.found, refused[i].pattern);
        CHECK_STR(ctx.error.allowed, "an expression that needs no backtracking");
        lm_buffer_free(&image);
    }
}

/* Patterns as deep and as long as no file should have them. */
static void
limits(void)
{
    static const char *const parts[] = {"(", "[", "(?=", "a|", "a?", "[^a-c&&"};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        for (size_t times = 40; times <= 4000; times *= 10) {
            lm_context ctx;
            lm_buffer image;
            lm_regex regex;
            size_t size = strlen(parts[i]), length = times * size;
            char *pattern = calloc(length + 1, 1);

            for (size_t k = 0; k < times; k++)
                memcpy(pattern + k * size, parts[i], size);
            lm_context_init(&ctx);
            lm_buffer_init(&image, &ctx);
            /* Some hundred alternatives, or as many times "a?", are no harm. */
            CHECK_EQ_INT(lm_regex_compile(&image, 0, pattern, length, false, &regex),
                         times < 4000 && parts[i][0] == 'a' ? LM_OK : LM_UNSUPPORTED);
            lm_buffer_free(&image);
            free(pattern);
        }
}

/* Steps for a text that is a part many times over. */
static double
steps_for(const automaton *a, const char *part, size_t times)
{
    size_t size = strlen(part), start, stop;
    char *text = malloc(size * times);
    fake_memory memory = {0};
    lm_context ctx;
    lm_regex_search search;
    bool found = true;

    for (size_t i = 0; i < times; i++)
        memcpy(text + i * size, part, size);
    fake_context(&ctx, &memory);
    lm_regex_open_bytes(&search, &ctx, image_of(a), &a->regex, text, size * times);
    while (found)
        CHECK_OK(&ctx, lm_regex_next(&search, &start, &stop, &found));
    CHECK_EQ_INT(search.at, size * times + 1);
    lm_regex_close(&search);
    CHECK_EQ_INT(memory.live, 0);
    free(text);
    return (double)search.steps / (double)(size * times);
}

/*
 * Each of these, tried place by place, would read the text to its end each time. An attempt in
 * vain reads a run of 64 units at most, and what is new to it; all of these stay below 136.
 */
static void
linear_time(void)
{
    static const struct {
        const char *pattern, *part;
    } hostile[] = {
        {"a*b", "a"},
        {"a*b|a", "a"},
        {"(?:a*b)?", "a"},
        {"(?:aa)*b|a", "a"},
        {"(?:a|b)*c|a", "ab"},
        {"(?:a+)+b|a", "a"},
        {"\u00e9*b|\u00e9", "\u00e9"},
        {"\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", " "},
        {"\\s*[\\r\\n]|\\s", " "},
        {"(?:aaa|b)*c|a|b", "aab"},
        {"[ab]*a[ab]{3}c|[ab]", "abb"},
        {"(?:\\n *)*x|.", "\n  "},
        {"(?<=a)a*c|a", "a"},
    };

    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        automaton a;
        double few, many;

        compile(&a, hostile[i].pattern, false);
        few = steps_for(&a, hostile[i].part, 20000 / unit_stride());
        many = steps_for(&a, hostile[i].part, 200000 / unit_stride());
        if (few > 136 || many > 136 || many > few * 1.1 + 1)
            UNIT_FAIL("/%s/ takes %.1f steps a unit, and %.1f of ten times as many",
                      hostile[i].pattern, few, many);
        lm_buffer_free(&a.image);
    }
}

/* What is remembered changes nothing: the matches of a long text are those of its parts. */
static void
remembered(void)
{
    static const char *const patterns[] = {"a*b|a|c", "(?:aa)*b|a|b|c", "[ab]*a[ab]{3}c|[abc]"};
    enum { LENGTH = 20000 };
    static char text[LENGTH];
    lm_rng rng;

    lm_rng_seed(&rng, 7);
    memset(text, 'a', LENGTH);
    for (int i = 0; i < 30; i++)
        text[lm_rng_below(&rng, LENGTH)] = "bbbc"[lm_rng_below(&rng, 4)];
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        automaton a;
        lm_regex_search whole, rest;
        size_t start, stop, from = 0;
        bool found = true;

        compile(&a, patterns[i], false);
        lm_regex_open_bytes(&whole, &a.ctx, image_of(&a), &a.regex, text, LENGTH);
        for (;;) {
            size_t own_start, own_stop;

            CHECK_OK(&a.ctx, lm_regex_next(&whole, &start, &stop, &found));
            if (!found)
                break;
            lm_regex_open_bytes(&rest, &a.ctx, image_of(&a), &a.regex, text + from, LENGTH - from);
            CHECK_OK(&a.ctx, lm_regex_next(&rest, &own_start, &own_stop, &found));
            lm_regex_close(&rest);
            CHECK_EQ_INT(start, from + own_start);
            CHECK_EQ_INT(stop, from + own_stop);
            from = stop;
        }
        CHECK_EQ_INT(from, LENGTH);
        CHECK(whole.vain.size > 0);
        lm_regex_close(&whole);
        lm_buffer_free(&a.image);
    }
}

/* All matches of a text, with a cancel at one poll, or without where that is 0. */
static lm_status
search_all(const automaton *a, const char *text, size_t length, fake_memory *memory)
{
    lm_context ctx;
    lm_regex_search search;
    size_t start, stop;
    bool found = true;
    lm_status status = LM_OK;

    fake_context(&ctx, memory);
    lm_regex_open_bytes(&search, &ctx, image_of(a), &a->regex, text, length);
    while (found && status == LM_OK)
        status = lm_regex_next(&search, &start, &stop, &found);
    lm_regex_close(&search);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

/* One match of four megabytes, as many of one byte, and attempts in vain. */
static void
polling(void)
{
    enum { LENGTH = 4 << 20 };
    static const char *const patterns[] = {"a+", "a", "b", "a*b|a+"};
    char *text = malloc(LENGTH);

    memset(text, 'a', LENGTH);
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        fake_memory free_to_go = {0}, stopped = {.stop_at = 2};
        automaton a;

        compile(&a, patterns[i], false);
        CHECK_EQ_INT(search_all(&a, text, LENGTH, &free_to_go), LM_OK);
        CHECK(free_to_go.polls >= 4);
        CHECK_EQ_INT(search_all(&a, text, LENGTH, &stopped), LM_CANCELLED);
        lm_buffer_free(&a.image);
    }
    free(text);
}

/* What is remembered of attempts in vain takes memory, and time in which someone may cancel. */
static void
remembering_fails(void)
{
    enum { LENGTH = 1 << 18 };
    fake_memory memory = {0}, starved = {.fail_at = 1};
    char *text = malloc(LENGTH);
    int polls;
    automaton a;

    memset(text, 'a', LENGTH);
    compile(&a, "a*b|a", false);
    CHECK_EQ_INT(search_all(&a, text, LENGTH, &memory), LM_OK);
    CHECK_EQ_INT(memory.calls, 1);
    CHECK_EQ_INT(search_all(&a, text, LENGTH, &starved), LM_NO_MEMORY);
    polls = memory.polls;
    CHECK(polls > 1);
    for (int n = 1; n <= polls; n++) {
        memory = (fake_memory){.stop_at = n};
        CHECK_EQ_INT(search_all(&a, text, LENGTH, &memory), LM_CANCELLED);
    }
    lm_buffer_free(&a.image);
    free(text);
}

/* On a text of the usual kind nothing is allocated. */
static void
no_allocation(void)
{
    static const char text[] = "It's  a text \u2014 of 1,234 words,\n\n  caf\u00e9 and all.   ";
    fake_memory memory = {0};
    automaton a;

    compile(&a, "'s| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", false);
    CHECK_EQ_INT(search_all(&a, text, sizeof text - 1, &memory), LM_OK);
    CHECK_EQ_INT(memory.calls, 0);
    lm_buffer_free(&a.image);
}

/* Where a text may be cut, for patterns of published tokenizers and for others. */
static void
ends_before_space(void)
{
    static const struct {
        const char *pattern;
        bool ends;
    } known[] = {
        {"'s|'t| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", true},
        {"[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+|\\s+", true},
        {"\\w+|[^\\w\\s]+", true},
        {"\\S+", true},
        {" ", false},
        {"\\p{L}+", false},
        {"\\w+ ?", false},
        {"\\w+(?= )|\\w", false},
        {"\\w+(?! )|\\w", false},
        {"\\w+(?!$)|\\w", false},
        {"(?:\\w+ )*\\w", false},
        {"\\b\\w+", false},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        automaton a;

        compile(&a, known[i].pattern, false);
        if (lm_regex_ends_before_space(&a.regex, image_of(&a)) != known[i].ends)
            UNIT_FAIL("/%s/", known[i].pattern);
        lm_buffer_free(&a.image);
    }
}

/* Every allocation fails once, of the compiler and of a search that needs memory. */
static lm_status
compile_and_search(lm_context *ctx)
{
    static char text[20000];
    lm_buffer image;
    lm_regex regex;
    lm_regex_search search;
    size_t start, stop;
    bool found = true;
    lm_status status;

    memset(text, 'a', sizeof text);
    lm_buffer_init(&image, ctx);
    status = lm_regex_compile(&image, 0, "(?:\\p{L}*[b&&\\w]+(?!c))|a++|\\bx", 32, false, &regex);
    if (status == LM_OK) {
        lm_regex_open_bytes(&search, ctx, (const lm_token_image *)image.data, &regex, text,
                            sizeof text);
        while (status == LM_OK && found)
            status = lm_regex_next(&search, &start, &stop, &found);
        lm_regex_close(&search);
    }
    lm_buffer_free(&image);
    return status;
}

static void
no_memory(void)
{
    fake_memory memory = {0};
    lm_context ctx;
    lm_status status = LM_NO_MEMORY;
    int at;

    for (at = 1; status == LM_NO_MEMORY && at < 1000; at++) {
        memset(&memory, 0, sizeof memory);
        memory.fail_at = at;
        fake_context(&ctx, &memory);
        status = compile_and_search(&ctx);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK(at > 20);
}

/* A literal of many characters, whose list takes more than one block. */
static void
no_memory_for_literals(void)
{
    static char pattern[401];
    lm_status status = LM_NO_MEMORY;
    int at;

    memset(pattern, 'a', sizeof pattern - 1);
    for (at = 1; status == LM_NO_MEMORY && at < 1000; at++) {
        fake_memory memory = {.fail_at = at};
        lm_context ctx;
        lm_buffer image;
        lm_regex regex;

        fake_context(&ctx, &memory);
        lm_buffer_init(&image, &ctx);
        status = lm_regex_compile(&image, 0, pattern, sizeof pattern - 1, true, &regex);
        lm_buffer_free(&image);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
    CHECK(at > 5);
}

/* What may match nothing, wherever it stands. */
static void
may_be_empty(void)
{
    static const struct {
        const char *pattern;
        bool may;
    } known[] = {{"a", false}, {"a*", true},    {"a+", false},   {"a?b?", true},
                 {"^", true},  {"a|\\b", true}, {"a|^b", false}, {"(?!a)", true}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        automaton a;

        compile(&a, known[i].pattern, false);
        if (lm_regex_may_be_empty(&a.regex, image_of(&a)) != known[i].may)
            UNIT_FAIL("/%s/", known[i].pattern);
        lm_buffer_free(&a.image);
    }
}

static const unit_case cases[] = {
    {"constructs", constructs},
    {"literals", literals},
    {"empty_matches", empty_matches},
    {"refusals", refusals},
    {"limits", limits},
    {"linear_time", linear_time},
    {"remembered", remembered},
    {"polling", polling},
    {"remembering_fails", remembering_fails},
    {"no_allocation", no_allocation},
    {"ends_before_space", ends_before_space},
    {"no_memory", no_memory},
    {"no_memory_for_literals", no_memory_for_literals},
    {"may_be_empty", may_be_empty},
};

UNIT_MAIN(cases)
