/*
 * test_postings.c - blocks of postings: what is encoded is read back, and damaged bytes are refused
 * or give some block; the best documents by block-max WAND against all documents, scored.
 */
#include "unit.h"
#include "base/rng.h"
#include "search/bm25.h"
#include "search/postings.h"

#define BUFFER (LM_POSTINGS_MOST + LM_POSTINGS_PADDING)

/* ---- Blocks ---- */

/* Ascending documents with gaps below `gap`, lengths below `length`, frequencies up to `most`. */
static void
make_rows(lm_rng *rng, lm_postings *rows, int count, uint32_t gap, uint32_t length, uint32_t most)
{
    uint32_t document = 0;

    for (int i = 0; i < count; i++) {
        document += (i > 0) + (uint32_t)lm_rng_below(rng, gap);
        rows->documents[i] = document;
        rows->lengths[i] = (uint32_t)lm_rng_below(rng, length);
        rows->frequencies[i] = 1 + (uint32_t)lm_rng_below(rng, most);
    }
}

static void
check_block(const lm_postings *rows, int count)
{
    uint8_t bytes[BUFFER];
    size_t length = lm_postings_encode(rows, count, bytes);
    lm_postings_head head;
    lm_postings back;

    CHECK(length <= LM_POSTINGS_MOST);
    CHECK(!lm_postings_read_head(bytes, length - 1, &head));
    CHECK(lm_postings_read_head(bytes, length, &head));
    CHECK_EQ_INT(head.bytes, length);
    CHECK_EQ_INT(head.count, count);
    CHECK(lm_postings_decode(bytes, &head, &back));
    for (int i = 0; i < count; i++) {
        CHECK_EQ_INT(back.documents[i], rows->documents[i]);
        CHECK_EQ_INT(back.lengths[i], rows->lengths[i]);
        CHECK_EQ_INT(back.frequencies[i], rows->frequencies[i]);
        CHECK(rows->lengths[i] >= head.shortest && rows->frequencies[i] <= head.most);
    }
}

static void
test_blocks(void)
{
    static const uint32_t gaps[] = {1, 2, 1000, 1u << 24};
    static const uint32_t lengths[] = {1, 300, UINT32_MAX};
    lm_postings rows;
    lm_rng rng;

    lm_rng_seed(&rng, 1);
    for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++)
        for (size_t j = 0; j < sizeof lengths / sizeof *lengths; j++)
            for (int count = 1; count <= LM_POSTINGS_BLOCK; count += 1 + count / 3) {
                make_rows(&rng, &rows, count, gaps[i], lengths[j],
                          j == 2 ? LM_POSTINGS_FREQUENCY : 3);
                check_block(&rows, count);
            }
    rows = (lm_postings){.documents = {0, UINT32_MAX - 1},
                         .lengths = {0, UINT32_MAX},
                         .frequencies = {1, LM_POSTINGS_FREQUENCY}};
    check_block(&rows, 2);
}

/* Whatever bytes there are, a block is refused, or its documents ascend to the last. */
static void
check_damaged(const uint8_t *bytes, size_t length)
{
    lm_postings_head head;
    lm_postings rows;

    if (!lm_postings_read_head(bytes, length, &head) || !lm_postings_decode(bytes, &head, &rows))
        return;
    CHECK(head.bytes <= length && head.count >= 1 && head.count <= LM_POSTINGS_BLOCK);
    for (int i = 1; i < head.count; i++)
        CHECK(rows.documents[i] > rows.documents[i - 1]);
    CHECK_EQ_INT(rows.documents[head.count - 1], head.last);
}

static void
test_damaged_blocks(void)
{
    uint8_t bytes[BUFFER];
    lm_postings rows;
    lm_rng rng;

    lm_rng_seed(&rng, 2);
    for (int i = 0; i < 20000; i++) {
        size_t length;

        make_rows(&rng, &rows, 1 + (int)lm_rng_below(&rng, 60), 50, 500, 5);
        length = lm_postings_encode(&rows, 1 + (int)lm_rng_below(&rng, 60) % 2, bytes);
        for (int flips = 1 + (int)lm_rng_below(&rng, 4); flips > 0; flips--)
            bytes[lm_rng_below(&rng, (uint64_t)length)] ^= (uint8_t)(1u << lm_rng_below(&rng, 8));
        check_damaged(bytes, length);
        for (size_t at = 0; at < sizeof bytes; at++)
            bytes[at] = (uint8_t)lm_rng_below(&rng, 256);
        bytes[12] &= 127;
        bytes[14] &= 31;
        check_damaged(bytes, LM_POSTINGS_MOST);
    }
}

/* ---- The best ---- */

#define WORDS 6
#define DOCUMENTS 5000

/* A corpus: how often each word stands where, and lists of blocks as an index has them. */
typedef struct corpus {
    uint32_t documents;
    uint32_t lengths[DOCUMENTS];
    uint32_t frequencies[WORDS][DOCUMENTS];
    uint64_t containing[WORDS];
    uint32_t most[WORDS], shortest[WORDS];
    lm_ranking_corpus all;
    uint8_t *blocks[WORDS];
    size_t bytes[WORDS], at[WORDS];
} corpus;

static void
add_block(corpus *c, int word, const lm_postings *rows, int count)
{
    c->blocks[word] = realloc(c->blocks[word], c->bytes[word] + BUFFER);
    c->bytes[word] += lm_postings_encode(rows, count, c->blocks[word] + c->bytes[word]);
}

static void
make_list(corpus *c, int word)
{
    lm_postings rows;
    int count = 0;

    c->shortest[word] = UINT32_MAX;
    for (uint32_t i = 0; i < c->documents; i++) {
        if (c->frequencies[word][i] == 0)
            continue;
        rows.documents[count] = i;
        rows.lengths[count] = c->lengths[i];
        rows.frequencies[count++] = c->frequencies[word][i];
        c->containing[word]++;
        if (c->frequencies[word][i] > c->most[word])
            c->most[word] = c->frequencies[word][i];
        if (c->lengths[i] < c->shortest[word])
            c->shortest[word] = c->lengths[i];
        if (count == LM_POSTINGS_BLOCK) {
            add_block(c, word, &rows, count);
            count = 0;
        }
    }
    if (count > 0)
        add_block(c, word, &rows, count);
}

/* Word i is in about one document of `rarity` to the power of i. */
static corpus *
make_corpus(uint64_t seed, uint32_t documents, uint32_t rarity)
{
    corpus *c = calloc(1, sizeof *c);
    lm_rng rng;

    lm_rng_seed(&rng, seed);
    c->documents = documents;
    for (uint32_t i = 0; i < documents; i++) {
        uint32_t one_of = 1;

        c->lengths[i] =
            20 + (uint32_t)lm_rng_below(&rng, 200) + (lm_rng_below(&rng, 50) == 0 ? 3000 : 0);
        c->all.words += c->lengths[i];
        for (int word = 0; word < WORDS; word++, one_of *= rarity)
            if (lm_rng_below(&rng, one_of + 1) == 0)
                c->frequencies[word][i] =
                    1 + (uint32_t)(lm_rng_below(&rng, 6) * lm_rng_below(&rng, 3));
    }
    c->all.documents = documents;
    for (int word = 0; word < WORDS; word++)
        make_list(c, word);
    return c;
}

static void
free_corpus(corpus *c)
{
    for (int word = 0; word < WORDS; word++)
        free(c->blocks[word]);
    free(c);
}

/* All documents, by the plain formula (bm25.h). */
static void
rank_all(corpus *c, unsigned words, lm_top *top)
{
    uint64_t containing[WORDS];
    int32_t frequencies[WORDS];
    lm_bm25 all = {.documents = c->all.documents, .words = c->all.words, .containing = containing};

    for (int word = 0; word < WORDS; word++)
        if (words >> word & 1)
            containing[all.terms++] = c->containing[word];
    for (uint32_t i = 0; i < c->documents; i++) {
        int terms = 0;
        double score;

        for (int word = 0; word < WORDS; word++)
            if (words >> word & 1)
                frequencies[terms++] = (int32_t)c->frequencies[word][i];
        score = lm_bm25_score(&all, c->lengths[i], frequencies);
        if (score > 0)
            lm_top_offer(top, (float)-score, i);
    }
}

/* Returns the search, for its counts. */
static lm_ranking_search
rank_lists(lm_context *ctx, corpus *c, unsigned words, lm_top *top, lm_status *status)
{
    lm_ranking_cursor cursors[WORDS], *order[WORDS];
    int word_of[WORDS];
    lm_ranking_search search = {.ctx = ctx,
                                .corpus = c->all,
                                .documents = c->documents,
                                .cursors = cursors,
                                .order = order,
                                .top = top};
    size_t wanted;

    for (int word = 0; word < WORDS; word++) {
        c->at[word] = 0;
        if ((words >> word & 1) == 0 || c->containing[word] == 0)
            continue;
        word_of[search.count] = word;
        lm_ranking_cursor_set(&cursors[search.count++], &c->all,
                              lm_bm25_idf(c->all.documents, c->containing[word]), c->most[word],
                              c->shortest[word]);
    }
    while ((*status = lm_ranking_run(&search, &wanted)) == LM_OK && wanted < search.count) {
        int word = word_of[wanted];

        if (c->at[word] == c->bytes[word]) {
            lm_ranking_end(&search, wanted);
            continue;
        }
        *status = lm_ranking_give(&search, wanted, c->blocks[word] + c->at[word],
                                  c->bytes[word] - c->at[word]);
        if (*status != LM_OK)
            break;
        c->at[word] += cursors[wanted].head.bytes;
    }
    return search;
}

static void
check_best(corpus *c, unsigned words, size_t k)
{
    lm_context ctx;
    lm_top wanted, got;
    lm_status status;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_top_init(&ctx, &wanted, k));
    CHECK_OK(&ctx, lm_top_init(&ctx, &got, k));
    rank_all(c, words, &wanted);
    rank_lists(&ctx, c, words, &got, &status);
    CHECK_EQ_INT(status, LM_OK);
    CHECK_EQ_INT(got.count, wanted.count);
    lm_top_sort(&wanted);
    lm_top_sort(&got);
    for (size_t i = 0; i < got.count && i < wanted.count; i++) {
        CHECK_NEAR(got.entries[i].distance, wanted.entries[i].distance, 1e-5);
        CHECK(got.entries[i].item == wanted.entries[i].item ||
              fabs(got.entries[i].distance - wanted.entries[i].distance) < 1e-5);
    }
    lm_top_free(&ctx, &wanted);
    lm_top_free(&ctx, &got);
}

static void
test_best(void)
{
    static const uint32_t sizes[] = {1, 5, 127, 128, 129, 1000, DOCUMENTS};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (uint32_t rarity = 1; rarity <= 7; rarity += 3) {
            corpus *c = make_corpus(i * 10 + rarity, sizes[i], rarity);

            for (unsigned words = 1; words < 1u << WORDS; words += 1 + words / 5)
                for (size_t k = 1; k <= 1000; k *= 10)
                    check_best(c, words, k);
            free_corpus(c);
        }
}

/* Of a word that all documents have, few are looked at where another is rare. */
static void
test_documents_are_passed_over(void)
{
    corpus *c = make_corpus(9, DOCUMENTS, 7);
    lm_context ctx;
    lm_top top;
    lm_status status;
    lm_ranking_search search;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_top_init(&ctx, &top, 3));
    search = rank_lists(&ctx, c, 1u << 0 | 1u << 3, &top, &status);
    CHECK(c->containing[0] > DOCUMENTS / 3 && search.steps < c->containing[0] / 4);
    CHECK(search.decoded > 0 && search.postings > search.decoded);
    CHECK(search.postings <= c->containing[0] + c->containing[3]);
    lm_top_free(&ctx, &top);
    free_corpus(c);
}

static bool
stop(void *opaque)
{
    return (*(int *)opaque)-- <= 0;
}

/* Every byte of the lists damaged in turn: an error, or some ranking. Polls end it. */
static void
test_failures(void)
{
    corpus *c = make_corpus(3, 600, 2);
    lm_context ctx;
    lm_top top;
    lm_status status;
    int polls = 0, corrupt = 0;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_top_init(&ctx, &top, 10));
    for (size_t at = 0; at < c->bytes[1]; at++) {
        c->blocks[1][at] ^= 0x90;
        lm_top_clear(&top);
        rank_lists(&ctx, c, 3, &top, &status);
        CHECK(status == LM_OK || status == LM_CORRUPT);
        corrupt += status == LM_CORRUPT;
        c->blocks[1][at] ^= 0x90;
    }
    CHECK(corrupt > 10);
    free_corpus(c);
    lm_top_free(&ctx, &top);
    c = make_corpus(4, DOCUMENTS, 1);
    ctx.cancelled = stop;
    ctx.opaque = &polls;
    CHECK_EQ_INT(lm_top_init(&ctx, &top, 6000), LM_OK);
    rank_lists(&ctx, c, 63, &top, &status);
    CHECK_EQ_INT(status, LM_CANCELLED);
    lm_top_free(&ctx, &top);
    free_corpus(c);
}

static const unit_case cases[] = {
    {"blocks", test_blocks},
    {"damaged blocks", test_damaged_blocks},
    {"the best documents", test_best},
    {"documents are passed over", test_documents_are_passed_over},
    {"failures", test_failures},
};

UNIT_MAIN(cases)
