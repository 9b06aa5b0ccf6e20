/*
 * test_unicode_sets.c - the named sets: each is found and in order, categories and scripts share
 * all characters out among them, and sets that are made of others agree with these.
 */
#include "base/unicode_sets.h"

#include "base/unicode_sets_data.h"
#include "unit.h"

#define SCALARS 0x110000

static bool
has(const lm_unicode_set *set, uint32_t c)
{
    const uint32_t *bounds = lm_unicode_set_bounds + set->first;

    for (uint32_t i = 0; i < set->count; i += 2)
        if (c >= bounds[i] && c <= bounds[i + 1])
            return true;
    return false;
}

/* Count for each scalar value the sets of a list that have it; each is there. */
static void
count_sets(const char *const *names, size_t count, uint8_t *times)
{
    memset(times, 0, SCALARS);
    for (size_t i = 0; i < count; i++) {
        const lm_unicode_set *set = lm_unicode_set_find(names[i]);
        const uint32_t *bounds;

        if (!set) {
            UNIT_FAIL("no set is named %s", names[i]);
            continue;
        }
        bounds = lm_unicode_set_bounds + set->first;
        for (uint32_t k = 0; k < set->count; k += 2)
            for (uint32_t c = bounds[k]; c <= bounds[k + 1]; c++)
                times[c]++;
    }
}

static void
check_shared_out(const char *const *names, size_t count)
{
    static uint8_t times[SCALARS];
    int wrong = 0;

    count_sets(names, count, times);
    for (uint32_t c = 0; c < SCALARS; c++)
        wrong += (c < 0xd800 || c > 0xdfff) && times[c] != 1;
    CHECK_EQ_INT(wrong, 0);
}

static void
names_are_found(void)
{
    CHECK(lm_unicode_set_count > 300);
    for (size_t i = 0; i < lm_unicode_set_count; i++) {
        const lm_unicode_set *set = &lm_unicode_sets[i];
        const uint32_t *bounds = lm_unicode_set_bounds + set->first;

        CHECK(lm_unicode_set_find(set->name) == set);
        CHECK_EQ_INT(set->count % 2, 0);
        for (uint32_t k = 0; k < set->count; k++)
            CHECK(bounds[k] < SCALARS && (k == 0 || bounds[k - 1] + (k % 2 == 0) <= bounds[k]));
    }
    CHECK(!lm_unicode_set_find(""));
    CHECK(!lm_unicode_set_find("Lu"));
    CHECK(!lm_unicode_set_find("zzzzz"));
}

static void
categories_are_all(void)
{
    static const char *const names[] = {"lu", "ll", "lt", "lm", "lo", "mn", "mc", "me", "nd", "nl",
                                        "no", "pc", "pd", "ps", "pe", "pi", "pf", "po", "sm", "sc",
                                        "sk", "so", "zs", "zl", "zp", "cc", "cf", "co", "cn"};
    static const char *const groups[] = {"l", "m", "n", "p", "s", "z", "c"};

    check_shared_out(names, sizeof names / sizeof names[0]);
    check_shared_out(groups, sizeof groups / sizeof groups[0]);
}

/* Scripts have a long name and one of four letters; categories have none such. */
static void
scripts_are_all(void)
{
    static const char *const others[] = {"cased", "mark", "word", "math"};
    static const char *names[400];
    size_t count = 0;

    for (size_t i = 0; i < lm_unicode_set_count; i++) {
        const char *name = lm_unicode_sets[i].name;
        bool other = strlen(name) != 4 || strspn(name, "abcdefghijklmnopqrstuvwxyz") != 4;

        for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
            other |= strcmp(name, others[k]) == 0;
        /* Three scripts have two names of four letters. */
        if (!other && strcmp(name, "qaai") != 0 && strcmp(name, "qaac") != 0 &&
            strcmp(name, "plrd") != 0 && count < 400)
            names[count++] = name;
    }
    CHECK(count > 150);
    check_shared_out(names, count);
}

static void
numbers_and_scripts(void)
{
    static const uint32_t numbers[] = {'0', '9', 0xb2, 0x663, 0x2160, 0x3007, 0x1d7d8};
    static const uint32_t others[] = {'/', ':', 'a', 0x4e00, 0xb1, 0x1d7cd, 0x10ffff};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        CHECK(lm_unicode_is_numeric(numbers[i]));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        CHECK(!lm_unicode_is_numeric(others[i]));
    for (uint32_t c = 0; c < SCALARS; c += 7)
        if (lm_unicode_is_numeric(c) != has(&lm_unicode_numeric, c))
            UNIT_FAIL("U+%04X", c);
    CHECK_EQ_INT(lm_unicode_script(' '), LM_SCRIPT_ANY);
    CHECK_EQ_INT(lm_unicode_script('a'), lm_unicode_script(0xe9));
    CHECK(lm_unicode_script('a') != lm_unicode_script('1'));
    CHECK(lm_unicode_script('a') != lm_unicode_script(0x436));
    CHECK_EQ_INT(lm_unicode_script(0x4e00), lm_unicode_script(0x3042));
    CHECK_EQ_INT(lm_unicode_script(0x4e00), lm_unicode_script(0x30fc));
    CHECK_EQ_INT(lm_unicode_script(0x10ffff), LM_SCRIPT_ANY);
}

static const unit_case cases[] = {
    {"names_are_found", names_are_found},
    {"categories_are_all", categories_are_all},
    {"scripts_are_all", scripts_are_all},
    {"numbers_and_scripts", numbers_and_scripts},
};

UNIT_MAIN(cases)
