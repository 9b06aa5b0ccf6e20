#!/usr/bin/env python3
"""What scikit-learn makes of a few texts, for test/unit/test_features.c and test_ngram.c.

Writes test/unit/features_golden.h: features and weights of several vectorizers, and what classifiers on them compute.

usage: make-golden-features.py > test/unit/features_golden.h   (scikit-learn 1.9.1)
"""
import numpy
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.svm import LinearSVC

TEXTS = ["The cat sat on the mat, the cat!", "A dog\u00a0sat  on\n\nthe log.", "Größe 3.14 ÉTÉ naïve_x", "ΟΔΟΣ ὁδός İstanbul",
         "机器学习 模型 cat", "", "हिन्दी a b x² ½", "log log log log dog"]

VECTORIZERS = [
    ({}, "word", "words"),
    ({"ngram_range": (1, 2), "sublinear_tf": True}, "word", "words"),
    ({"ngram_range": (2, 3), "norm": "l1", "smooth_idf": False}, "word", "words"),
    ({"min_df": 2, "use_idf": False, "norm": None}, "word", "words"),
    ({"max_df": 2, "binary": True, "norm": None}, "word", "words"),
    ({"max_features": 3, "norm": None, "use_idf": False}, "word", "words"),
    ({"token_pattern": r"\S+", "lowercase": False}, "word", "whitespace"),
    ({"analyzer": "char", "ngram_range": (1, 3)}, "char", "words"),
    ({"analyzer": "char_wb", "ngram_range": (1, 6), "max_df": 0.5}, "char_wb", "words"),
    ({"analyzer": "char_wb", "ngram_range": (4, 5), "min_df": 0.2}, "char_wb", "words"),
]

WORDS = {"billing": "invoice refund payment receipt charge money", "network": "router wireless connection cable signal modem",
         "account": "password login profile user name locked"}
FILLERS = ["there is a problem with my", "I have a question on the", "please help me with", "what about a"]


def quoted(text):
    """A C string; digits after an escape would belong to it, so it ends there."""
    out = ""
    for byte in text.encode():
        out += chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f'\\{byte:03o}'
    return f'"{out}"'


def numbers(values):
    return ", ".join(f"{value:.9g}" for value in numpy.asarray(values).ravel())


def rows():
    """Texts and labels to train on; each fifth is left for the test."""
    found = []
    for label, words in WORDS.items():
        for i, word in enumerate(words.split()):
            for j, filler in enumerate(FILLERS):
                other = words.split()[(i + j) % 6] if (i + j) % 3 else WORDS["network"].split()[i]
                found.append((f"{filler} {word} {other}", label))
    return found


def write_vectorizers():
    print("static const char *const golden_texts[] = {" + ", ".join(map(quoted, TEXTS)) + "};")
    print("static const golden_features golden_sets[] = {")
    for options, ngrams, words in VECTORIZERS:
        vectorizer = TfidfVectorizer(**options)
        matrix = vectorizer.fit_transform(TEXTS).toarray()
        low, high = options.get("ngram_range", (1, 1))
        names = vectorizer.get_feature_names_out()
        print(f'{{"{ngrams}", "{words}", {low}, {high}, {int(options.get("lowercase", True))}, '
              f'{int(options.get("binary", False))}, {int(options.get("sublinear_tf", False))}, '
              f'{int(options.get("use_idf", True))}, {int(options.get("smooth_idf", True))}, '
              f'"{options.get("norm", "l2") or "none"}", {options.get("min_df", 1)}, {options.get("max_df", 1)}, '
              f'{options.get("max_features", 1000)}, {len(names)},')
        print("(const char *const[]){" + ", ".join(map(quoted, names)) + "},")
        print("(const float[]){" + numbers(matrix) + "}},")
    print("};")


def write_classifiers():
    data = rows()
    train = [row for i, row in enumerate(data) if i % 5]
    test = [row for i, row in enumerate(data) if i % 5 == 0]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    x, y = vectorizer.fit_transform([text for text, _ in train]), numpy.array([label for _, label in train])
    tested = vectorizer.transform([text for text, _ in test])
    print("static const char *const golden_rows[][2] = {" + ", ".join(f"{{{quoted(a)}, {quoted(b)}}}" for a, b in train) + "};")
    print("static const char *const golden_tests[] = {" + ", ".join(quoted(text) for text, _ in test) + "};")
    for name, model in (("svm", LinearSVC(tol=1e-9, max_iter=1000000)),
                        ("logistic", LogisticRegression(solver="liblinear", tol=1e-10, max_iter=100000))):
        parts, objective = [], 0
        for label in sorted(WORDS):
            one = numpy.where(y == label, 1, -1)
            fitted = model.fit(x, one)
            margin = one * fitted.decision_function(x)
            loss = numpy.maximum(0, 1 - margin) ** 2 if name == "svm" else numpy.log1p(numpy.exp(-margin))
            objective += .5 * (fitted.coef_ ** 2).sum() + .5 * (fitted.intercept_ ** 2).sum() + loss.sum()
            parts.append(fitted.decision_function(tested))
        print(f"#define GOLDEN_{name.upper()}_OBJECTIVE {objective:.10g}")
        print(f"static const float golden_{name}[] = {{{numbers(numpy.array(parts).T)}}};")
    print(f"static const float golden_multinomial[] = {{{numbers(MultinomialNB(alpha=.5).fit(x, y).predict_proba(tested))}}};")
    print(f"static const float golden_complement[] = {{{numbers(ComplementNB().fit(x, y).predict_proba(tested))}}};")


def main():
    print(f"""/*
 * features_golden.h - what scikit-learn {sklearn.__version__} computes: made by scripts/make-golden-features.py.
 */
#ifndef FEATURES_GOLDEN_H
#define FEATURES_GOLDEN_H

/* clang-format off */
typedef struct golden_features {{
    const char *ngrams, *words;
    int low, high, lowercase, binary, sublinear, idf, smooth;
    const char *norm;
    double min_df, max_df;
    int max_features, count;
    const char *const *names;
    const float *values; /* (texts, count) */
}} golden_features;
""")
    write_vectorizers()
    write_classifiers()
    print("#endif")


if __name__ == "__main__":
    main()
