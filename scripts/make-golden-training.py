#!/usr/bin/env python3
"""What scikit-learn makes of a few vectors, for test/unit/test_nearest.c, test_targets.c, test_linear_options.c and test_contrastive.c.

Writes test/unit/training_golden.h: vectors with a label, labels, a number and a rank each, and what classifiers of the nearest, ridge
regression, logistic regressions and a cumulative logit (by scipy, on its definition) compute for other vectors.

usage: make-golden-training.py > test/unit/training_golden.h   (scikit-learn 1.9.1, scipy 1.17.1)
"""
import numpy
import scipy.optimize
import scipy.special
import sklearn
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize

ROWS, TESTS, WIDTH, LABELS, L2 = 40, 8, 6, 3, 0.02
TEMPERATURE, PENALTY = 0.5, 0.5  # of the map


def numbers(values):
    return ", ".join(f"{value:.9g}" for value in numpy.asarray(values).ravel())


def table(kind, name, values):
    print(f"static const {kind} {name}[] = {{{numbers(values)}}};")


def draw(random, count):
    """Clouds around a few means, with numbers that a float holds; what they are labelled with is noisy."""
    label = numpy.arange(count) % LABELS
    x = numpy.round(random.normal(0, 0.7, (count, WIDTH)) + numpy.eye(LABELS, WIDTH)[label] + 0.25, 3)
    marks = (x[:, :LABELS] + random.normal(0, 0.4, (count, LABELS)) > 0.6).astype(int)
    number = numpy.round(2 * x[:, 0] - x[:, 1] + 0.5 * x[:, 4] + random.normal(0, 0.3, count) + 3, 3)
    rank = numpy.digitize(number, numpy.quantile(number, [0.3, 0.6, 0.8]))
    return x, label, marks, number, rank


def cumulative(x, rank, l2):
    """Mean −ln of the label's share, share(y ≤ j) = σ(θ_j − w·x), plus ½ l2 ‖w‖²."""
    levels = rank.max() + 1

    def shares(variables, x):
        theta = numpy.concatenate([variables[WIDTH:WIDTH + 1], variables[WIDTH:WIDTH + 1] + numpy.exp(variables[WIDTH + 1:]).cumsum()])
        up_to = scipy.special.expit(theta[None, :] - (x @ variables[:WIDTH])[:, None])
        return numpy.diff(up_to, axis=1, prepend=0, append=1)

    def loss(variables):
        p = shares(variables, x)[numpy.arange(len(rank)), rank]
        return -numpy.log(p).mean() + l2 / 2 * (variables[:WIDTH] ** 2).sum()

    found = scipy.optimize.minimize(loss, numpy.zeros(WIDTH + levels - 1), method="BFGS", options={"gtol": 1e-9, "maxiter": 10000})
    return lambda rows: shares(found.x, rows)


def mapped(x, label):
    """A map of rows, by its definition: cross entropy of cosines with labels' means, of its own without the row. The loss, the means mapped back."""
    rows, one = normalize(x), numpy.eye(LABELS)[label]

    def scores(variables):
        z = normalize(rows @ variables.reshape(WIDTH, WIDTH).T)
        sums = one.T @ z
        own = (z * normalize(sums[label] - z)).sum(axis=1, keepdims=True)
        return numpy.where(one > 0, own, z @ normalize(sums).T) / TEMPERATURE, sums

    def entropy(variables):
        return -scipy.special.log_softmax(scores(variables)[0], axis=1)[one > 0].mean()

    start = numpy.eye(WIDTH).ravel()
    found = scipy.optimize.minimize(lambda v: entropy(v) + PENALTY / 2 * ((v - start) ** 2).sum(), start, method="BFGS", options={"gtol": 1e-7})
    return entropy(found.x), normalize(scores(found.x)[1]) @ found.x.reshape(WIDTH, WIDTH)


def main():
    random = numpy.random.default_rng(5)
    x, label, marks, number, rank = draw(random, ROWS)
    test = draw(random, TESTS)[0]
    print("/* Made by scripts/make-golden-training.py with scikit-learn " + sklearn.__version__ + ". */")
    print(f"enum {{ GOLDEN_ROWS = {ROWS}, GOLDEN_TESTS = {TESTS}, GOLDEN_WIDTH = {WIDTH}, GOLDEN_LABELS = {LABELS}, GOLDEN_LEVELS = {rank.max() + 1} }};")
    print(f"static const double golden_l2 = {L2};")
    table("float", "golden_x", x)
    table("float", "golden_test", test)
    table("int", "golden_label", label)
    table("int", "golden_marks", marks)
    table("double", "golden_number", number)
    table("int", "golden_rank", rank)
    for weights in "uniform", "distance":
        for k in 1, 4:
            model = KNeighborsClassifier(k, weights=weights, metric="cosine").fit(normalize(x), label)
            table("float", f"golden_knn_{weights}_{k}", model.predict_proba(test))
    means = normalize([normalize(x)[label == i].mean(axis=0) for i in range(LABELS)])
    table("float", "golden_cosines", normalize(test) @ means.T)
    table("float", "golden_ridge", Ridge(alpha=L2 * ROWS, tol=1e-12).fit(x, number).predict(test))
    balanced = LogisticRegression(C=1 / (L2 * ROWS), class_weight="balanced", tol=1e-10, max_iter=100000).fit(x, rank)
    table("float", "golden_balanced", balanced.predict_proba(test))
    one_by_one = OneVsRestClassifier(LogisticRegression(C=1 / (L2 * ROWS), tol=1e-10, max_iter=100000)).fit(x, marks)
    table("float", "golden_multi", one_by_one.predict_proba(test))
    table("float", "golden_ordinal", cumulative(x, rank, L2)(test))
    loss, weights = mapped(x, label)
    table("double", "golden_map", [TEMPERATURE, PENALTY, loss])
    table("float", "golden_mapped", test @ weights.T)


main()
