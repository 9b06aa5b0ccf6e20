/*
 * test_clusters.c - k-means, groups by density and principal components, against what scikit-learn
 * 1.x answered for the same rows (KMeans and DBSCAN with the cosine metric, PCA by full SVD).
 */
#include "search/clusters.h"
#include "fake.h"
#include "search/principal.h"
#include "unit.h"

#define ROWS 60
#define WIDTH 10

/* Whole numbers divided by 4 and by 250: the same in any language. */
static void
make_rows(float *x)
{
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < WIDTH; j++)
            x[i * WIDTH + j] = (float)((i * i * 31 % 7 + 1) * (j + 3) * 17 % 41 / 4.0 +
                                       (i * 7919 + j * 104729 + i * j * 31) % 1000 / 250.0);
}

/* Clusters as letters, the largest is a; a point: in none. */
static const char *
letters(const int32_t *labels)
{
    static char text[ROWS + 1];

    for (int i = 0; i < ROWS; i++)
        text[i] = labels[i] < 0 ? '.' : (char)('a' + labels[i]);
    return text;
}

static const char *
by_kmeans(lm_kmeans_options options)
{
    static int32_t labels[ROWS];
    float x[ROWS * WIDTH];
    const lm_vector_rows rows = {ROWS, WIDTH, x};
    lm_context ctx;

    lm_context_init(&ctx);
    make_rows(x);
    if (!options.iterations)
        options.iterations = 300;
    CHECK_OK(&ctx, lm_kmeans(&ctx, &rows, &options, labels));
    return letters(labels);
}

static void
take_starts(size_t count, const int *which, float *starts)
{
    float x[ROWS * WIDTH];

    make_rows(x);
    for (size_t k = 0; k < count; k++)
        memcpy(starts + k * WIDTH, x + which[k] * WIDTH, WIDTH * sizeof(float));
}

static void
test_kmeans(void)
{
    static const int some[] = {0, 10, 20, 30, 40, 50, 55}, first[] = {0, 1, 2, 3};
    float starts[7 * WIDTH];

    take_starts(7, some, starts);
    CHECK_STR(by_kmeans((lm_kmeans_options){.clusters = 7, .starts = starts, .tolerance = 1e-4}),
              "cdbaabdcdbaagecfbaabdcdbaabecegaabecdbaabfcfbaabdcegaagfcfba");
    take_starts(4, first, starts);
    CHECK_STR(by_kmeans((lm_kmeans_options){.clusters = 4, .starts = starts, .tolerance = 1e-4}),
              "dabccbadabccbadabccbadabccbadabccbadabccbadabccbadabccbadabc");
    CHECK_STR(by_kmeans((lm_kmeans_options){.clusters = 4, .starts = starts, .tolerance = 1}),
              "dabccbadabccbadabccbadabccbadabccbadabccbadabccbadabccbadabc");
    CHECK_STR(by_kmeans((lm_kmeans_options){.clusters = 4, .starts = starts, .iterations = 1}),
              "dabccbadabccbadabccbadabccbadabccbadabccbadabccbadabccbadabc");
}

/* Starts that no row is near: their clusters get the rows that are farthest from theirs. */
static void
test_empty_clusters(void)
{
    static const int first[] = {0, 1, 2}, same[] = {0, 0, 0, 0};
    static const float shifts[] = {0, 1000, -1000, 2000};
    float starts[4 * WIDTH];

    take_starts(3, first, starts);
    for (int j = 0; j < WIDTH; j++)
        starts[2 * WIDTH + j] = 1000;
    CHECK_STR(by_kmeans((lm_kmeans_options){.clusters = 3, .starts = starts, .tolerance = 1e-4}),
              "abcaacbabcaacbabcaacbabcaacbabcaacbabcaacbabcaacbabcaacbabca");
    take_starts(4, same, starts);
    for (int j = 0; j < 4 * WIDTH; j++)
        starts[j] += shifts[j / WIDTH];
    CHECK_STR(by_kmeans((lm_kmeans_options){.clusters = 4, .starts = starts, .tolerance = 1e-4}),
              "abcaacbabcaacbabcaadbabdaacbabcaacbabcaadbabdaacbabcaacbabda");
}

/* Starts of its own: the same for a seed, and found where groups are plain. */
static void
test_seeds(void)
{
    char before[ROWS + 1];

    strcpy(before, by_kmeans((lm_kmeans_options){.clusters = 6, .seed = 5}));
    CHECK_STR(by_kmeans((lm_kmeans_options){.clusters = 6, .seed = 5}), before);
    for (uint64_t seed = 0; seed < 20; seed++)
        CHECK_STR(by_kmeans((lm_kmeans_options){.clusters = 4, .seed = seed}),
                  "dabccbadabccbadabccbadabccbadabccbadabccbadabccbadabccbadabc");
    CHECK(strspn(by_kmeans((lm_kmeans_options){.clusters = 1}), "a") == ROWS);
    strcpy(before, by_kmeans((lm_kmeans_options){.clusters = ROWS}));
    for (int i = 1; i < ROWS; i++)
        CHECK(!strchr(before + i, before[i - 1]));
}

/* Fewer kinds of rows than clusters: some stay empty, and nothing is lost. */
static void
test_same_rows(void)
{
    float x[20] = {0};
    const lm_vector_rows rows = {10, 2, x};
    int32_t labels[10];
    lm_context ctx;

    lm_context_init(&ctx);
    x[6] = x[12] = 1;
    CHECK_OK(&ctx,
             lm_kmeans(&ctx, &rows, &(lm_kmeans_options){.clusters = 4, .iterations = 20}, labels));
    CHECK(labels[3] == labels[6] && labels[3] != labels[0]);
    CHECK_OK(&ctx, lm_kmeans(&ctx, &rows, &(lm_kmeans_options){.clusters = 10, .iterations = 20},
                             labels));
    CHECK(labels[3] != labels[0]);
}

static const char *
by_density(double similarity, size_t least)
{
    static int32_t labels[ROWS];
    float x[ROWS * WIDTH];
    const lm_vector_rows rows = {ROWS, WIDTH, x};
    lm_context ctx;

    lm_context_init(&ctx);
    make_rows(x);
    CHECK_OK(&ctx, lm_dense_clusters(&ctx, &rows, similarity, least, labels));
    return letters(labels);
}

static void
test_density(void)
{
    CHECK_STR(by_density(0.98, 3), "dabccbadabccbadabccbadabccbadabccbadabccbadabccbadabccbadabc");
    CHECK_STR(by_density(0.97, 4), "dabccbadabccbadabccbadabccbadabccbadabccbadabccbadabccbadabc");
    CHECK_STR(by_density(0.99, 2), ".abddba.abccba.abccba.ab..baeab..ba.abddbaeab.cbaeabffbaeab.");
    CHECK(strspn(by_density(0.99, 61), ".") == ROWS);
    CHECK(strspn(by_density(-1, 1), "a") == ROWS);
}

/* On a circle, at so many degrees; two rows of one place are core rows, and what is near them. */
static void
test_borders(void)
{
    static const double degrees[] = {0, 0, 40, 100, 100, 61, 200};
    float x[14];
    const lm_vector_rows rows = {7, 2, x};
    int32_t labels[7];
    lm_context ctx;

    lm_context_init(&ctx);
    for (int i = 0; i < 7; i++) {
        x[2 * i] = (float)cos(degrees[i] * 3.14159265358979 / 180);
        x[2 * i + 1] = (float)sin(degrees[i] * 3.14159265358979 / 180);
    }
    /* 40 is 60 degrees from 100 and 40 from 0; 61 is 39 from 100, 21 from 40, 61 from 0. */
    CHECK_OK(&ctx, lm_dense_clusters(&ctx, &rows, cos(45 * 3.14159265358979 / 180), 4, labels));
    CHECK(labels[2] == 0 && labels[0] == 0 && labels[3] == 0 && labels[6] == LM_NO_CLUSTER);
    CHECK_OK(&ctx, lm_dense_clusters(&ctx, &rows, cos(20.5 * 3.14159265358979 / 180), 2, labels));
    CHECK(labels[0] == 0 && labels[1] == 0 && labels[3] == 1 && labels[4] == 1);
    CHECK(labels[2] == LM_NO_CLUSTER && labels[5] == LM_NO_CLUSTER && labels[6] == LM_NO_CLUSTER);
}

/* A row between two cores, at 0 and at 55 degrees with what is around them: it is the nearer's. */
static void
test_between(void)
{
    static const double degrees[] = {0, -30, -31, -32, 25, 55, 85, 86, 87, 31};
    float x[20];
    int32_t labels[10];
    lm_context ctx;

    lm_context_init(&ctx);
    for (int i = 0; i < 10; i++) {
        x[2 * i] = (float)cos(degrees[i] * 3.14159265358979 / 180);
        x[2 * i + 1] = (float)sin(degrees[i] * 3.14159265358979 / 180);
    }
    for (size_t rows = 9; rows <= 10; rows++) {
        CHECK_OK(&ctx, lm_dense_clusters(&ctx, &(lm_vector_rows){rows, 2, x},
                                         cos(35 * 3.14159265358979 / 180), 5, labels));
        for (int i = 0; i < 9; i++)
            CHECK_EQ_INT(labels[i], i < 5 ? 0 : 1);
    }
    CHECK_EQ_INT(labels[9], 1);
}

/* ---- Principal components ---- */

static void
test_principal(void)
{
    static const double wanted[] = {-4.505099, 2.599506,  2.615468, 5.667742,  5.52747,  -5.937024,
                                    -8.037325, -1.907979, -7.781,   -1.979275, 5.040837, -4.241169};
    float x[ROWS * WIDTH];
    double y[ROWS * 2];
    const lm_vector_rows rows = {ROWS, WIDTH, x};
    lm_context ctx;

    lm_context_init(&ctx);
    make_rows(x);
    CHECK_OK(&ctx, lm_principal(&ctx, &rows, 2, y));
    for (int i = 0; i < 12; i++)
        CHECK_NEAR(y[i], wanted[i], 2e-5);
    CHECK_OK(&ctx, lm_principal(&ctx, &(lm_vector_rows){3, 1, x}, 2, y));
    CHECK_NEAR(y[0] - y[2], x[0] - x[1], 1e-5); /* one component: itself, and 0 */
    CHECK(y[1] == 0 && y[3] == 0);
    CHECK_OK(&ctx, lm_principal(&ctx, &(lm_vector_rows){1, 20, x}, 2, y));
    CHECK(y[0] == 0 && y[1] == 0);
}

/* More directions than are iterated, in a plane that is known. */
static void
test_wide(void)
{
    float x[50 * 90];
    double y[100];
    const lm_vector_rows rows = {50, 90, x};
    lm_context ctx;

    lm_context_init(&ctx);
    for (int i = 0; i < 50; i++)
        for (int j = 0; j < 90; j++)
            x[i * 90 + j] = (float)(5 * sin(i) * (j % 2) + 2 * cos(i * 1.7) * (j % 2 == 0) +
                                    0.2 * sin(i * j * 13.7 + j * j));
    CHECK_OK(&ctx, lm_principal(&ctx, &rows, 2, y));
    for (int i = 1; i < 50; i++) {
        CHECK_NEAR(y[2 * i] - y[0], 5 * sqrt(45) * sin(i), 2.5);
        CHECK_NEAR(fabs(y[2 * i + 1] - y[1]), fabs(2 * sqrt(45) * (cos(i * 1.7) - 1)), 2.5);
    }
}

/* ---- Rows far from one another ---- */

/* On a line: from the middle to the ends, then between; rows of one place each once. */
static void
test_spread(void)
{
    static const float x[] = {0, 4, 4, 10, 7};
    const lm_vector_rows rows = {5, 1, x};
    size_t chosen[5];
    double distances[5];
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_spread(&ctx, &rows, 5, chosen, distances));
    CHECK(chosen[0] == 1 && chosen[1] == 3 && chosen[2] == 0 && chosen[3] == 4 && chosen[4] == 2);
    CHECK_NEAR(distances[0], 1, 1e-6);
    CHECK(distances[1] == 6 && distances[2] == 4 && distances[3] == 3 && distances[4] == 0);
}

/* ---- Failures ---- */

static lm_status
run_spread(lm_context *ctx, const lm_vector_rows *rows)
{
    size_t chosen[4];
    double distances[4];

    return lm_spread(ctx, rows, 4, chosen, distances);
}

static lm_status
run_kmeans(lm_context *ctx, const lm_vector_rows *rows)
{
    int32_t labels[ROWS];

    return lm_kmeans(ctx, rows, &(lm_kmeans_options){.clusters = 3, .iterations = 5}, labels);
}

static lm_status
run_density(lm_context *ctx, const lm_vector_rows *rows)
{
    int32_t labels[ROWS];

    return lm_dense_clusters(ctx, rows, 0.9, 3, labels);
}

static lm_status
run_principal(lm_context *ctx, const lm_vector_rows *rows)
{
    double y[2 * ROWS];

    return lm_principal(ctx, rows, 2, y);
}

static void
test_failures(void)
{
    lm_status (*const calls[])(lm_context *, const lm_vector_rows *) = {run_kmeans, run_density,
                                                                        run_principal, run_spread};
    float x[ROWS * WIDTH];
    const lm_vector_rows rows = {ROWS, WIDTH, x};
    lm_context ctx;

    make_rows(x);
    for (int c = 0; c < 4; c++) {
        fake_memory whole = {0};

        fake_context(&ctx, &whole);
        CHECK_OK(&ctx, calls[c](&ctx, &rows));
        CHECK(whole.calls > 2 && whole.polls > 4);
        for (int n = 1; n <= whole.calls + whole.polls; n++) {
            fake_memory memory = {.fail_at = n, .stop_at = n > whole.calls ? n - whole.calls : 0};

            fake_context(&ctx, &memory);
            CHECK(calls[c](&ctx, &rows) == (n > whole.calls ? LM_CANCELLED : LM_NO_MEMORY));
            CHECK_EQ_INT(memory.live, 0);
        }
    }
}

static const unit_case cases[] = {
    {"kmeans", test_kmeans},     {"empty clusters", test_empty_clusters},
    {"seeds", test_seeds},       {"same rows", test_same_rows},
    {"density", test_density},   {"borders", test_borders},
    {"between", test_between},   {"principal", test_principal},
    {"wide", test_wide},         {"spread", test_spread},
    {"failures", test_failures},
};

UNIT_MAIN(cases)
