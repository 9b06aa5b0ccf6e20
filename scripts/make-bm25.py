#!/usr/bin/env python3
"""BM25 of a small corpus in plain Python, for the table `wanted` of sql/index_words.sql: prints its rows.

Text i of 1..300 has, of w0..w9, word j (i * (j + 3)) % 7 times where (i + j) % (j + 2) = 0, in order, and then 'filler' i % 13 times.
"""
import math

K1, B = 1.2, .75
QUERIES = ["w3", "w1 w4", "w2 w5 w9", "w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 none"]


def words(i):
    return [f"w{j}" for j in range(10) if (i + j) % (j + 2) == 0 for _ in range(i * (j + 3) % 7)] + ["filler"] * (i % 13)


def main():
    texts = {i: words(i) for i in range(1, 301)}
    mean = sum(map(len, texts.values())) / len(texts)
    for query in QUERIES:
        scores = {}
        for term in query.split():
            n = sum(term in text for text in texts.values())
            idf = math.log(1 + (len(texts) - n + .5) / (n + .5))
            for i, text in texts.items():
                tf = text.count(term)
                if tf:
                    scores[i] = scores.get(i, 0) + idf * tf * (K1 + 1) / (tf + K1 * (1 - B + B * len(text) / mean))
        best = sorted(scores, key=lambda i: (-scores[i], i))[:8]
        for i in best:
            print(f"    ('{query}', {i}, {scores[i]:.9f}),")


if __name__ == "__main__":
    main()
