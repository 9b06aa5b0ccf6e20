/*
 * test_unicode.c - the tables of base/unicode.h: known values of each property, and laws that hold
 * for all scalar values. That every value is the reference's, test_tokenizer.c shows (its blocks).
 */
#include "unit.h"
#include "base/unicode.h"

#define EACH_SCALAR(c) for (uint32_t c = 0; c < 0x110000; c = c == 0xd7ff ? 0xe000 : c + 1)

static const struct {
    uint32_t c;
    unsigned flags;
} known_flags[] = {
    {'a', LM_UNICODE_WORD | LM_UNICODE_LETTER},
    {'_', LM_UNICODE_WORD | LM_UNICODE_PUNCTUATION},
    {'$', LM_UNICODE_PUNCTUATION},
    {' ', LM_UNICODE_SPACE},
    {'\n', LM_UNICODE_SPACE},
    {0, LM_UNICODE_DROPPED},
    {0xfffd, LM_UNICODE_DROPPED},
    {0xe000, LM_UNICODE_DROPPED},
    {0x378, 0}, /* not assigned: kept */
    {0xa7, LM_UNICODE_PUNCTUATION},
    {0xd7, 0}, /* a symbol beyond ASCII is no punctuation */
    {0x301, LM_UNICODE_NONSPACING | LM_UNICODE_MARK | LM_UNICODE_WORD},
    {0x903, LM_UNICODE_MARK | LM_UNICODE_WORD}, /* Mc */
    {0x3000, LM_UNICODE_SPACE},
    {0x4e00, LM_UNICODE_CJK | LM_UNICODE_WORD | LM_UNICODE_LETTER},
    {0x2b81f, LM_UNICODE_CJK},
    {0x2b820, 0}, /* the slip in the reference's ranges */
    {0x2b920, LM_UNICODE_CJK},
};

static void
test_flags(void)
{
    for (size_t i = 0; i < sizeof known_flags / sizeof known_flags[0]; i++) {
        unsigned ignored = known_flags[i].c >= 0x20000 ? LM_UNICODE_WORD | LM_UNICODE_LETTER : 0;

        if ((lm_unicode_flags(known_flags[i].c) & ~ignored) != known_flags[i].flags)
            UNIT_FAIL("U+%04X has flags %u", known_flags[i].c, lm_unicode_flags(known_flags[i].c));
    }
}

static void
check_mapping(size_t (*map)(uint32_t c, uint32_t *out), uint32_t c, uint32_t a, uint32_t b)
{
    uint32_t out[LM_UNICODE_MAX_MAPPING] = {0};
    size_t count = map(c, out);

    if (count != (b ? 2 : 1) || out[0] != a || (b && out[1] != b))
        UNIT_FAIL("U+%04X maps to %zu: U+%04X U+%04X", c, count, out[0], out[1]);
}

static void
test_mappings(void)
{
    check_mapping(lm_unicode_lower, 'A', 'a', 0);
    check_mapping(lm_unicode_lower, 'a', 'a', 0);
    check_mapping(lm_unicode_lower, 0x130, 'i', 0x307);
    check_mapping(lm_unicode_lower, 0x3a3, 0x3c3, 0);
    check_mapping(lm_unicode_lower, 0x1e9e, 0xdf, 0);
    check_mapping(lm_unicode_nfd, 0xe9, 'e', 0x301);
    check_mapping(lm_unicode_nfd, 0x212b, 'A', 0x30a);
    check_mapping(lm_unicode_nfd, 0xfb01, 0xfb01, 0);
    check_mapping(lm_unicode_nfkd, 0xfb01, 'f', 'i');
    check_mapping(lm_unicode_nfd, 0xac00, 0x1100, 0x1161);
    check_mapping(lm_unicode_nfkd, 0x10ffff, 0x10ffff, 0);
}

static void
test_longest_mapping(void)
{
    uint32_t out[LM_UNICODE_MAX_MAPPING];

    EACH_SCALAR(c)
    {
        CHECK(lm_unicode_nfd(c, out) - 1 < LM_UNICODE_MAX_MAPPING);
        CHECK(lm_unicode_lower(c, out) - 1 < LM_UNICODE_MAX_MAPPING);
        CHECK(lm_unicode_nfkd(c, out) - 1 < LM_UNICODE_MAX_MAPPING);
    }
    CHECK_EQ_INT(lm_unicode_nfkd(0xfdfa, out), LM_UNICODE_MAX_MAPPING);
}

/* A decomposition decomposes no further, and its marks are in canonical order. */
static void
test_decompositions_are_full(void)
{
    EACH_SCALAR(c)
    {
        uint32_t out[LM_UNICODE_MAX_MAPPING], again[LM_UNICODE_MAX_MAPPING];
        size_t count = lm_unicode_nfd(c, out);

        for (size_t i = 0; i < count; i++) {
            if (lm_unicode_nfd(out[i], again) != 1 || again[0] != out[i])
                UNIT_FAIL("U+%04X decomposes to U+%04X, which decomposes", c, out[i]);
            if (i > 0 && lm_unicode_class(out[i]) != 0 &&
                lm_unicode_class(out[i - 1]) > lm_unicode_class(out[i]))
                UNIT_FAIL("the marks of U+%04X are not in order", c);
        }
    }
}

static bool
same_decomposition(uint32_t a, uint32_t b)
{
    uint32_t x[LM_UNICODE_MAX_MAPPING], y[LM_UNICODE_MAX_MAPPING];
    size_t count = lm_unicode_nfd(a, x);

    return lm_unicode_nfd(b, y) == count && memcmp(x, y, count * sizeof *x) == 0;
}

/* What the parts of a value compose to has the same parts: itself, but for 18 duplicates. */
static void
test_composition(void)
{
    size_t composed = 0, others = 0;

    CHECK_EQ_INT(lm_unicode_compose('e', 0x301), 0xe9);
    CHECK_EQ_INT(lm_unicode_compose(0x1112, 0x1175), 0xd788);
    CHECK_EQ_INT(lm_unicode_compose(0xd788, 0x11c2), 0xd7a3);
    CHECK_EQ_INT(lm_unicode_compose(0xd7a3, 0x11c2), 0);
    CHECK_EQ_INT(lm_unicode_compose(0x915, 0x93c), 0); /* excluded from composition */
    CHECK_EQ_INT(lm_unicode_compose('x', 'y'), 0);
    EACH_SCALAR(c)
    {
        uint32_t out[LM_UNICODE_MAX_MAPPING], first;
        size_t count = lm_unicode_nfd(c, out);

        if (count < 2)
            continue;
        first = out[0];
        for (size_t i = 1; i < count && first; i++)
            first = lm_unicode_compose(first, out[i]);
        if (first && !same_decomposition(first, c))
            UNIT_FAIL("the parts of U+%04X compose to U+%04X", c, first);
        composed += first == c;
        others += first != c && first != 0;
    }
    CHECK_EQ_INT(composed, 940 + 11172);
    CHECK_EQ_INT(others, 18);
}

static void
test_classes(void)
{
    size_t marks = 0;

    CHECK_EQ_INT(lm_unicode_class('a'), 0);
    CHECK_EQ_INT(lm_unicode_class(0x301), 230);
    CHECK_EQ_INT(lm_unicode_class(0x323), 220);
    CHECK_EQ_INT(lm_unicode_class(0x345), 240);
    CHECK_EQ_INT(lm_unicode_class(0x302a), 218);
    CHECK_EQ_INT(lm_unicode_class(0x1dfa), 0); /* came after Unicode 9 */
    EACH_SCALAR(c)
    marks += lm_unicode_class(c) != 0;
    CHECK(marks > 700);
}

/* Of blocks that are alike each value goes the same way as the first; that of "a" is not. */
static void
test_alike(void)
{
    uint32_t out[LM_UNICODE_MAX_MAPPING];
    size_t blocks = 0;

    CHECK(!lm_unicode_are_alike(0x40, 64));
    CHECK(!lm_unicode_are_alike(0xac00, 64));
    CHECK(lm_unicode_are_alike(0x4e00, 64));
    for (uint32_t first = 0; first < 0x110000; first += 64) {
        if (!lm_unicode_are_alike(first, 64))
            continue;
        blocks++;
        for (uint32_t c = first; c < first + 64; c++) {
            CHECK_EQ_INT(lm_unicode_flags(c), lm_unicode_flags(first));
            CHECK_EQ_INT(lm_unicode_class(c), 0);
            CHECK(lm_unicode_nfd(c, out) == 1 && out[0] == c);
            CHECK(lm_unicode_nfkd(c, out) == 1 && out[0] == c);
            CHECK(lm_unicode_lower(c, out) == 1 && out[0] == c);
        }
    }
    CHECK(blocks > 15000);
}

static const unit_case cases[] = {
    {"flags", test_flags},
    {"mappings", test_mappings},
    {"longest_mapping", test_longest_mapping},
    {"decompositions_are_full", test_decompositions_are_full},
    {"composition", test_composition},
    {"classes", test_classes},
    {"alike", test_alike},
};

UNIT_MAIN(cases)
