/*
 * bm25.c - the ranking function BM25; the contract is in bm25.h.
 */
#include "search/bm25.h"

#include <math.h>

void
lm_bm25_count(lm_bm25 *all, uint64_t length, const int32_t *frequencies)
{
    all->documents++;
    all->words += length;
    for (size_t i = 0; i < all->terms; i++)
        all->containing[i] += frequencies[i] > 0;
}

double
lm_bm25_idf(uint64_t documents, uint64_t containing)
{
    return log1p(((double)(documents - containing) + .5) / ((double)containing + .5));
}

double
lm_bm25_score(const lm_bm25 *all, uint64_t length, const int32_t *frequencies)
{
    double mean = (double)all->words / (double)all->documents, score = 0;
    double norm = LM_BM25_K1 * (1 - LM_BM25_B + LM_BM25_B * (double)length / mean);

    for (size_t i = 0; i < all->terms; i++)
        if (frequencies[i] > 0)
            score += lm_bm25_idf(all->documents, all->containing[i]) * frequencies[i] *
                     (LM_BM25_K1 + 1) / (frequencies[i] + norm);
    return score;
}
