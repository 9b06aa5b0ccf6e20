/*
 * bm25.h - the ranking function BM25 (Robertson and others, Okapi at TREC-3), from counts alone:
 *
 *     score = sum over the query's different words of idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b *
 * length / mean length)) idf   = ln(1 + (N - n + .5) / (n + .5)),   k1 = 1.2, b = .75
 *
 * N documents, n of which contain the word, which stands tf times in a document of `length` words.
 */
#ifndef LM_BM25_H
#define LM_BM25_H

#include <stddef.h>
#include <stdint.h>

#define LM_BM25_K1 1.2
#define LM_BM25_B .75

/* What is known of all documents. */
typedef struct lm_bm25 {
    uint64_t documents, words;
    size_t terms;
    uint64_t *containing; /* (terms): the caller's memory, zeroed first */
} lm_bm25;

/* Counts a document: its length in words, and how often each term stands in it (terms). */
void lm_bm25_count(lm_bm25 *all, uint64_t length, const int32_t *frequencies);

double lm_bm25_idf(uint64_t documents, uint64_t containing);

/* Of a document that was counted; all must be. */
double lm_bm25_score(const lm_bm25 *all, uint64_t length, const int32_t *frequencies);

#endif
