/*
 * test_text_measures.c - measures of text against recorded values of the reference libraries; that
 * parts merge and travel, allocations may fail, damaged bytes are refused, and long texts can be
 * cancelled.
 */
#include "metrics/text_measures.h"

#include "metrics/edit_distance.h"
#include "metrics/lcs.h"
#include "metrics/porter.h"
#include "metrics/text_tokens.h"

#include "fake.h"
#include "golden_texts.h"
#include "unit.h"

#define ROWS (sizeof golden_texts / sizeof golden_texts[0])
#define MEASURES (sizeof golden_measures / sizeof golden_measures[0])
#define SENTENCES (sizeof golden_sentences / sizeof golden_sentences[0])
#define STEMS (sizeof golden_stems / sizeof golden_stems[0])

/* A measure with its settings, as SQL hands them over. */
typedef struct measure {
    const lm_metric *metric;
    lm_metric_value settings[LM_METRIC_SETTINGS_MAX];
    int64_t wholes[LM_METRIC_SETTINGS_MAX];
    bool all; /* references */
} measure;

static const lm_metric *
find_metric(const char *name)
{
    for (int i = 0; i < LM_METRIC_COUNT; i++)
        if (strcmp(lm_metrics[i].name, name) == 0)
            return &lm_metrics[i];
    for (int i = 0; i < LM_ROW_METRIC_COUNT; i++)
        if (strcmp(lm_row_metrics[i].name, name) == 0)
            return &lm_row_metrics[i];
    return NULL;
}

static void
open_measure(measure *m, const golden_measure *golden)
{
    memset(m, 0, sizeof *m);
    m->metric = find_metric(golden->metric);
    m->all = golden->all;
    for (int i = 0; i < golden->given; i++) {
        const char *text = golden->settings[i].text;

        m->wholes[i] = golden->settings[i].whole;
        m->settings[i] = (lm_metric_value){.bytes = text ? text : (const char *)&m->wholes[i],
                                           .length = text ? strlen(text) : sizeof m->wholes[i],
                                           .whole = m->wholes[i]};
    }
}

static lm_metric_value
text_value(const char *text)
{
    return (lm_metric_value){.bytes = text, .length = strlen(text)};
}

/* A row as the metric's columns want it. */
static lm_status
add_texts(const measure *m, void *counts, const char *hypothesis, const char *const *references)
{
    const lm_metric_column *columns = m->metric->counts->columns;
    lm_metric_value row[LM_METRIC_ROW_MAX] = {text_value(hypothesis)};
    lm_text texts[3];
    int count = 0, settings_at = 1;

    for (; count < (m->all ? 3 : 1) && references[count]; count++)
        texts[count] = (lm_text){references[count], strlen(references[count])};
    if (columns[1].name) {
        settings_at = 2;
        row[1] = (lm_metric_value){.texts = texts, .count = (size_t)count};
        if (columns[1].type == LM_METRIC_TEXT) { /* reference and hypothesis */
            row[1] = row[0];
            row[0] = text_value(references[0]);
        }
    }
    memcpy(row + settings_at, m->settings, sizeof m->settings);
    return m->metric->counts->add(counts, row);
}

static lm_status
add_rows(const measure *m, void *counts, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        LM_TRY(add_texts(m, counts, golden_texts[i].hypothesis, golden_texts[i].references));
    return LM_OK;
}

static double
result(const measure *m, void *counts)
{
    double value = 0;

    CHECK_EQ_INT(m->metric->result(counts, m->settings, &value), LM_OK);
    return value;
}

static void
check_value(const golden_measure *golden, double value)
{

    if (!(fabs(value - golden->value) <= 1e-9))
        printf("# %s %s: %.12g, not %.12g\n", golden->metric,
               golden->settings[0].text ? golden->settings[0].text : "", value, golden->value);
    CHECK_NEAR(value, golden->value, 1e-9);
}

static void
check_golden(lm_context *ctx, const golden_measure *golden, size_t from, size_t to)
{
    measure m;
    void *counts;

    open_measure(&m, golden);
    CHECK_OK(ctx, m.metric->counts->create(ctx, &counts));
    CHECK(isnan(result(&m, counts)));
    if (m.metric->check)
        CHECK_OK(ctx, m.metric->check(ctx, m.settings));
    CHECK_OK(ctx, add_rows(&m, counts, from, to));
    check_value(golden, result(&m, counts));
    m.metric->counts->free(counts);
}

static void
equal_references(void)
{
    fake_memory memory = {0};
    lm_context ctx;

    fake_context(&ctx, &memory);
    for (size_t i = 0; i < MEASURES; i++)
        check_golden(&ctx, &golden_measures[i], 0, ROWS);
    for (size_t i = 0; i < SENTENCES; i++)
        check_golden(&ctx, &golden_sentences[i], GOLDEN_ROW, GOLDEN_ROW + 1);
    CHECK_EQ_INT(memory.live, 0);
}

static void
stems_are_those_of_nltk(void)
{
    lm_context ctx;
    lm_buffer stem;

    lm_context_init(&ctx);
    lm_buffer_init(&stem, &ctx);
    for (size_t i = 0; i < STEMS; i++) {
        const char *word = golden_stems[i][0], *expected = golden_stems[i][1];

        stem.size = 0;
        CHECK_OK(&ctx, lm_porter_stem((lm_text){word, strlen(word)}, &stem));
        CHECK_EQ_INT(stem.size, strlen(expected));
        CHECK(stem.size == 0 || memcmp(stem.data, expected, stem.size) == 0);
    }
    lm_buffer_free(&stem);
}

/* Three workers, whose counts travel and come together. */
static void
merge_three(lm_context *ctx, const golden_measure *golden)
{
    static const size_t bounds[] = {0, 5, 6, ROWS};
    void *whole, *part, *received;
    measure m;

    open_measure(&m, golden);
    CHECK_OK(ctx, m.metric->counts->create(ctx, &whole));
    for (int i = 0; i < 3; i++) {
        lm_buffer sent;

        lm_buffer_init(&sent, ctx);
        CHECK_OK(ctx, m.metric->counts->create(ctx, &part));
        CHECK_OK(ctx, m.metric->counts->create(ctx, &received));
        CHECK_OK(ctx, add_rows(&m, part, bounds[i], bounds[i + 1]));
        CHECK_OK(ctx, m.metric->counts->write(part, &sent));
        CHECK_OK(ctx, m.metric->counts->read(received, sent.data, sent.size));
        CHECK_OK(ctx, m.metric->counts->merge(whole, received, NULL));
        m.metric->counts->free(part);
        m.metric->counts->free(received);
        lm_buffer_free(&sent);
    }
    check_value(golden, result(&m, whole));
    m.metric->counts->free(whole);
}

static void
merges(void)
{
    fake_memory memory = {0};
    lm_context ctx;

    fake_context(&ctx, &memory);
    for (size_t i = 0; i < MEASURES; i++)
        merge_three(&ctx, &golden_measures[i]);
    CHECK_EQ_INT(memory.live, 0);
}

/* Everything from first to last with the n-th allocation failing; false where all went well. */
static bool
fails_at(const golden_measure *golden, int n)
{
    fake_memory memory = {.fail_at = n};
    const char *const references[] = {"the happily hopping cat, 10-2\nsat.", "the cats hopped.",
                                      NULL};
    void *counts, *other = NULL;
    lm_context ctx;
    lm_buffer sent;
    lm_status status;
    measure m;

    fake_context(&ctx, &memory);
    lm_buffer_init(&sent, &ctx);
    open_measure(&m, golden);
    status = m.metric->counts->create(&ctx, &counts);
    if (status == LM_OK)
        status = add_texts(&m, counts, "the cats &quot;hop\ntoday with 1,000 feline", references);
    if (status == LM_OK)
        status = m.metric->counts->write(counts, &sent);
    if (status == LM_OK)
        status = m.metric->counts->create(&ctx, &other);
    if (status == LM_OK)
        status = m.metric->counts->read(other, sent.data, sent.size);
    if (status == LM_OK)
        status = m.metric->counts->merge(other, counts, NULL);
    CHECK(status == LM_OK || status == LM_NO_MEMORY);
    lm_buffer_free(&sent);
    m.metric->counts->free(counts);
    m.metric->counts->free(other);
    CHECK_EQ_INT(memory.live, 0);
    return status != LM_OK;
}

static void
every_allocation_may_fail(void)
{
    for (size_t i = 0; i < MEASURES; i++) {
        int n = 1;

        while (n < 5000 && fails_at(&golden_measures[i], n))
            n++;
        CHECK(n > 3 && n < 5000);
    }
}

static void
damaged_bytes_are_refused(void)
{
    lm_context ctx;
    lm_buffer sent;

    lm_context_init(&ctx);
    for (size_t i = 0; i < MEASURES; i++) {
        void *counts, *other;
        measure m;

        open_measure(&m, &golden_measures[i]);
        lm_buffer_init(&sent, &ctx);
        CHECK_OK(&ctx, m.metric->counts->create(&ctx, &counts));
        CHECK_OK(&ctx, m.metric->counts->create(&ctx, &other));
        CHECK_OK(&ctx, add_rows(&m, counts, 0, 8));
        CHECK_OK(&ctx, m.metric->counts->write(counts, &sent));
        CHECK_EQ_INT(m.metric->counts->read(other, sent.data, sent.size - 1), LM_CORRUPT);
        CHECK_EQ_INT(m.metric->counts->read(other, sent.data, 3), LM_CORRUPT);
        CHECK_EQ_INT(m.metric->counts->read(other, sent.data, sizeof(uint64_t) + 2), LM_CORRUPT);
        m.metric->counts->free(counts);
        m.metric->counts->free(other);
        lm_buffer_free(&sent);
    }
}

/* `words` words of which few are alike, in lines of 50; or without any white space. */
static char *
long_text(size_t words, bool spaces, uint32_t seed)
{
    char *text = malloc(words * 12 + 1);
    size_t at = 0;

    for (size_t i = 0; i < words; i++) {
        seed = seed * 1664525u + 1013904223u;
        at += (size_t)sprintf(text + at, "w%x%s", seed >> 16,
                              !spaces        ? "y"
                              : i % 50 == 49 ? "\n"
                                             : " ");
    }
    return text;
}

/* Words of four kinds: TER has as many moves to try as it ever has. */
static char *
few_words(size_t words, uint32_t seed)
{
    char *text = malloc(words * 2 + 1);

    for (size_t i = 0; i < words; i++) {
        seed = seed * 1664525u + 1013904223u;
        text[2 * i] = (char)('a' + (seed >> 16) % 4);
        text[2 * i + 1] = ' ';
    }
    text[2 * words] = '\0';
    return text;
}

/* Polls of a row until it is done, or until the stop_at-th says stop. */
static int
polls_of(const golden_measure *golden, const char *hypothesis, const char *reference, int stop_at,
         lm_status expected)
{
    const char *const references[] = {reference, NULL};
    fake_memory memory = {.stop_at = stop_at};
    lm_context ctx;
    void *counts;
    measure m;

    fake_context(&ctx, &memory);
    open_measure(&m, golden);
    CHECK_OK(&ctx, m.metric->counts->create(&ctx, &counts));
    CHECK_EQ_INT(add_texts(&m, counts, hypothesis, references), expected);
    m.metric->counts->free(counts);
    CHECK_EQ_INT(memory.live, 0);
    return memory.polls;
}

/* Stop at several of the polls: each one must be seen, and nothing left behind. */
static void
stop_everywhere(const golden_measure *golden, const char *hypothesis, const char *reference)
{
    int polls = polls_of(golden, hypothesis, reference, 0, LM_OK);

    CHECK(polls >= 2);
    for (int k = 1; k <= polls; k += 1 + polls / 3)
        CHECK_EQ_INT(polls_of(golden, hypothesis, reference, k, LM_CANCELLED), k);
}

#define MANY 300

/* As polls_of, with many references. */
static int
polls_of_many(const golden_measure *golden, int stop_at, lm_status expected)
{
    fake_memory memory = {.stop_at = stop_at};
    lm_text texts[MANY];
    lm_metric_value row[LM_METRIC_ROW_MAX] = {text_value("a b c."),
                                              {.texts = texts, .count = MANY}};
    lm_context ctx;
    void *counts;
    measure m;

    for (size_t i = 0; i < MANY; i++)
        texts[i] = i % 2 ? (lm_text){"a c\nd b", 7} : (lm_text){"", 0};
    fake_context(&ctx, &memory);
    open_measure(&m, golden);
    memcpy(row + 2, m.settings, sizeof m.settings);
    CHECK_OK(&ctx, m.metric->counts->create(&ctx, &counts));
    CHECK_EQ_INT(m.metric->counts->add(counts, row), expected);
    m.metric->counts->free(counts);
    CHECK_EQ_INT(memory.live, 0);
    return memory.polls;
}

/* Each reference polls in each of its phases, however short it is. */
static void
many_references_can_be_cancelled(void)
{
    for (size_t i = 0; i < MEASURES; i++) {
        int polls;

        if (!golden_measures[i].all)
            continue;
        polls = polls_of_many(&golden_measures[i], 0, LM_OK);
        CHECK(polls >= 2 * (MANY - 1));
        for (int k = 1; k <= polls; k += 1 + polls / 40)
            CHECK_EQ_INT(polls_of_many(&golden_measures[i], k, LM_CANCELLED), k);
    }
}

static bool
is_first_of_metric(size_t i)
{
    return i == 0 || strcmp(golden_measures[i].metric, golden_measures[i - 1].metric) != 0;
}

/* One of the two is long, the other short: every poll is seen. */
static void
long_sides_can_be_cancelled(void)
{
    char *text = few_words(66000, 1);

    for (size_t i = 0; i < MEASURES; i++) {
        const golden_measure *golden = &golden_measures[i];
        bool unions = strcmp(golden->metric, "rouge") == 0 && golden->settings[1].whole == 0 &&
                      strcmp(golden->settings[0].text, "rougeLsum") == 0;

        if (!golden->all || strcmp(golden->metric, "ter") == 0 ||
            (!unions && !is_first_of_metric(i)))
            continue;
        for (int k = polls_of(golden, "a b", text, 0, LM_OK); k > 0; k--)
            CHECK_EQ_INT(polls_of(golden, "a b", text, k, LM_CANCELLED), k);
        if (strcmp(golden->metric, "meteor") != 0)
            continue;
        for (int k = polls_of(golden, text, "a b", 0, LM_OK); k > 0; k--)
            CHECK_EQ_INT(polls_of(golden, text, "a b", k, LM_CANCELLED), k);
    }
    free(text);
}

/* What takes n · m steps; cer's are fewer than its texts' characters seem to say. */
static bool
is_quadratic(const golden_measure *golden)
{
    return strcmp(golden->metric, "cer") == 0 ||
           (strcmp(golden->metric, "rouge") == 0 && golden->settings[0].text[5] == 'L');
}

static void
long_texts_can_be_cancelled(void)
{
    char *a = long_text(15000, true, 1), *b = long_text(15000, true, 2);
    char *c = long_text(1500, true, 1), *d = long_text(1500, true, 2);
    char *e = few_words(300, 1), *f = few_words(300, 2);
    char *solid = long_text(15000, false, 3), *blank = malloc(140001);

    memset(blank, ' ', 140000);
    blank[140000] = '\0';
    for (size_t i = 0; i < MEASURES; i++) {
        bool moves = strcmp(golden_measures[i].metric, "ter") == 0;
        bool quadratic = is_quadratic(&golden_measures[i]);

        if (!is_first_of_metric(i) && (moves || !quadratic))
            continue;
        stop_everywhere(&golden_measures[i],
                        moves       ? e
                        : quadratic ? c
                                    : a,
                        moves       ? f
                        : quadratic ? d
                                    : b);
        polls_of(&golden_measures[i], blank, solid, 2, LM_CANCELLED);
        polls_of(&golden_measures[i], solid, solid, 0, LM_OK);
    }
    free(c);
    free(d);
    free(e);
    free(f);
    free(a);
    free(b);
    free(solid);
    free(blank);
}

/* Rows in their order, and from the last to the first in two parts: the same bits. */
static void
means_have_no_order(void)
{
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t i = 0; i < MEASURES; i++) {
        void *forth, *back, *more;
        double there, here;
        measure m;

        open_measure(&m, &golden_measures[i]);
        CHECK_OK(&ctx, m.metric->counts->create(&ctx, &forth));
        CHECK_OK(&ctx, m.metric->counts->create(&ctx, &back));
        CHECK_OK(&ctx, m.metric->counts->create(&ctx, &more));
        CHECK_OK(&ctx, add_rows(&m, forth, 0, ROWS));
        for (size_t row = ROWS; row-- > 0;)
            CHECK_OK(&ctx, add_rows(&m, row % 3 ? back : more, row, row + 1));
        CHECK_OK(&ctx, m.metric->counts->merge(back, more, NULL));
        there = result(&m, forth);
        here = result(&m, back);
        CHECK(memcmp(&there, &here, sizeof here) == 0);
        m.metric->counts->free(forth);
        m.metric->counts->free(back);
        m.metric->counts->free(more);
    }
}

static void
settings_are_checked(void)
{
    static const golden_measure wrong[] = {
        {"bleu", {{"13b", 0}}, 1, 1, 0},
        {"bleu", {{"zh", 0}, {"", 0}}, 2, 1, 0},
        {"chrf", {{NULL, 3}}, 1, 1, 0},
        {"chrf", {{NULL, -1}}, 1, 1, 0},
        {"rouge", {{"rouge0", 0}}, 1, 1, 0},
        {"rouge", {{"rougeL", 0}, {NULL, 1}, {"latin", 0}}, 3, 1, 0},
        {"distinct_n", {{NULL, 0}}, 1, 1, 0},
        {"distinct_n", {{NULL, 10}}, 1, 1, 0},
    };
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        measure m;

        open_measure(&m, &wrong[i]);
        CHECK_EQ_INT(m.metric->check(&ctx, m.settings), LM_BAD_ARGUMENT);
    }
}

static lm_status
measure_once(const golden_measure *golden, const char *hypothesis, const char *reference,
             double *value)
{
    const char *const references[] = {reference, NULL};
    lm_context ctx;
    lm_status status;
    void *counts;
    measure m;

    lm_context_init(&ctx);
    open_measure(&m, golden);
    CHECK_OK(&ctx, m.metric->counts->create(&ctx, &counts));
    status = add_texts(&m, counts, hypothesis, references);
    *value = result(&m, counts);
    m.metric->counts->free(counts);
    return status;
}

/* What the recorded rows do not have. */
static void
has_its_edges(void)
{
    static const struct {
        golden_measure measure;
        const char *hypothesis, *reference;
    } edges[] = {
        {{"bleu", {{NULL, 0}}, 0, 1, 0}, "", ""},
        {{"sentence_bleu", {{NULL, 0}}, 0, 1, 100}, "a b", "a b"},
        {{"bleu", {{NULL, 0}}, 0, 1, 0}, "a b", "a b"},
        {{"chrf", {{NULL, 0}}, 0, 1, 0}, "", ""},
        {{"ter", {{NULL, 0}}, 0, 1, 0}, "", ""},
        {{"ter", {{NULL, 0}}, 0, 1, 100}, "a b", ""},
        {{"ter", {{NULL, 0}}, 0, 1, 100}, "", "a b"},
        {{"wer", {{NULL, 0}}, 0, 1, 0}, "", ""},
        {{"wer", {{NULL, 0}}, 0, 1, 3}, "a b c", ""},
        {{"wer", {{NULL, 0}}, 0, 1, 1}, "a\tb", "a b"},
        {{"cer", {{NULL, 0}}, 0, 1, 0.5}, " a\xc3\xa4 ", "ab"},
        {{"rouge", {{"rougeL", 0}}, 1, 1, 0}, "\xe4\xbd\xa0", "\xe4\xbd\xa0"},
        {{"rouge", {{"rougeL", 0}, {NULL, 0}, {"unicode", 0}}, 3, 1, 1},
         "\xe4\xbd\xa0 B",
         "\xe4\xbd\xa0 b"},
        {{"rouge", {{"rouge4", 0}}, 1, 1, 1}, "a b c d", "a b c d"},
        {{"rouge", {{"rougeLsum", 0}}, 1, 1, 0}, "", "a\n\nb"},
        {{"meteor", {{NULL, 0}}, 0, 1, 0}, "", ""},
        {{"exact_match", {{NULL, 0}}, 0, 1, 100}, "The a!", ""},
        {{"squad_f1", {{NULL, 0}}, 0, 1, 0}, "", ""},
        {{"distinct_n", {{NULL, 2}}, 1, 0, 0.5}, "a b a b a", ""},
    };

    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        double value;

        CHECK_EQ_INT(
            measure_once(&edges[i].measure, edges[i].hypothesis, edges[i].reference, &value),
            LM_OK);
        CHECK_NEAR(value, edges[i].measure.value, 1e-12);
    }
}

/* Levenshtein's distance by the plain table, for lengths on both sides of a stripe's. */
static uint64_t
plain_distance(const uint32_t *a, size_t n, const uint32_t *b, size_t m)
{
    uint32_t row[300];

    for (size_t j = 0; j <= m; j++)
        row[j] = (uint32_t)j;
    for (size_t i = 1; i <= n; i++) {
        uint32_t corner = row[0]++;

        for (size_t j = 1; j <= m; j++) {
            uint32_t best = corner + (a[i - 1] != b[j - 1]);

            corner = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[m];
}

static void
distances_are_those_of_the_table(void)
{
    static const size_t lengths[] = {0, 1, 2, 63, 64, 65, 127, 128, 129, 200};
    uint32_t a[200], b[200], seed = 5;
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t i = 0; i < 100; i++) {
        size_t n = lengths[i / 10], m = lengths[i % 10];
        uint64_t distance;

        for (size_t k = 0; k < 200; k++) {
            seed = seed * 1664525u + 1013904223u;
            a[k] = (seed >> 16) % (2 + i % 7);
            b[k] = (seed >> 24) % (2 + i % 5);
        }
        CHECK_OK(&ctx,
                 lm_edit_distance(&ctx, &(lm_tokens){a, n, 0}, &(lm_tokens){b, m, 0}, &distance));
        CHECK_EQ_INT(distance, plain_distance(a, n, b, m));
    }
}

static void
limits_are_told(void)
{
    size_t count = 5200000;
    lm_tokens many = {calloc(count, sizeof *many.ids), count, 0}, one = {many.ids, 1, 0};
    lm_context ctx;
    uint64_t edits;
    bool mark = false;

    lm_context_init(&ctx);
    CHECK_EQ_INT(lm_ter_edits(&ctx, &many, &one, &edits), LM_TOO_LARGE);
    CHECK(strstr(ctx.error.found, "5200000 and 1 words") != NULL);
    CHECK_EQ_INT(lm_lcs_mark(&ctx, &many, &many, &mark), LM_TOO_LARGE);
    free(many.ids);
}

/* Words with numbers; of them there are more than are counted to a poll where `count` is. */
static char *
numbered_words(size_t count)
{
    char *text = malloc(count * 12 + 1);
    size_t used = 0;

    for (size_t i = 0; i < count; i++)
        used += (size_t)sprintf(text + used, "%zu ", i * 7919);
    text[used] = '\0';
    return text;
}

/* Pairs of words counted, sent, received, and added to what other words gave. */
static lm_status
count_pairs(const char *text, fake_memory *memory)
{
    const golden_measure pairs = {"distinct_n", {{NULL, 2}}, 1, 0, 0};
    const char *const none[] = {"", NULL};
    void *counts = NULL, *received = NULL;
    lm_context ctx;
    lm_buffer sent;
    lm_status status;
    measure m;

    fake_context(&ctx, memory);
    lm_buffer_init(&sent, &ctx);
    open_measure(&m, &pairs);
    status = m.metric->counts->create(&ctx, &counts);
    if (status == LM_OK)
        status = add_texts(&m, counts, text, none);
    if (status == LM_OK)
        status = m.metric->counts->write(counts, &sent);
    m.metric->counts->free(counts);
    counts = NULL;
    if (status == LM_OK)
        status = m.metric->counts->create(&ctx, &received);
    if (status == LM_OK)
        status = m.metric->counts->read(received, sent.data, sent.size);
    if (status == LM_OK)
        status = m.metric->counts->create(&ctx, &counts);
    if (status == LM_OK)
        status = m.metric->counts->merge(counts, received, NULL);
    lm_buffer_free(&sent);
    m.metric->counts->free(counts);
    m.metric->counts->free(received);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

static void
pairs_may_fail(void)
{
    char *many = numbered_words(LM_TEXT_POLL_EVERY + 2);
    lm_status status = LM_CANCELLED;

    for (int at = 1; status == LM_CANCELLED; at++)
        status = count_pairs(many, &(fake_memory){.stop_at = at});
    CHECK_EQ_INT(status, LM_OK);
    free(many);
    for (size_t words = 1; words < 120; words += 7) {
        char *few = numbered_words(words);

        status = LM_NO_MEMORY;
        for (int at = 1; status == LM_NO_MEMORY; at++)
            status = count_pairs(few, &(fake_memory){.fail_at = at});
        CHECK_EQ_INT(status, LM_OK);
        free(few);
    }
}

static const unit_case cases[] = {
    {"measures of text equal their references", equal_references},
    {"stems are those of nltk", stems_are_those_of_nltk},
    {"measures of text merge", merges},
    {"measures of text fail without memory", every_allocation_may_fail},
    {"measures of text refuse damaged bytes", damaged_bytes_are_refused},
    {"measures of long texts can be cancelled", long_texts_can_be_cancelled},
    {"measures of many references can be cancelled", many_references_can_be_cancelled},
    {"measures of one long text can be cancelled", long_sides_can_be_cancelled},
    {"means are the same in any order", means_have_no_order},
    {"measures of text check their settings", settings_are_checked},
    {"measures of text have their edges", has_its_edges},
    {"edit distances are those of the table", distances_are_those_of_the_table},
    {"pairs of words may fail", pairs_may_fail},
    {"limits of measures of text are told", limits_are_told},
};

UNIT_MAIN(cases)
