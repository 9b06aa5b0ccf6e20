#!/usr/bin/env python3
"""Compare the measures of labels, scores and rankings with scikit-learn and scipy, and the reports on tags with seqeval, on data
drawn by a seed.

Each trial is a table of its own: few rows or many, few labels or many, scores with many ties or none. All are measured in one query,
grouped by trial, by one process and by parallel workers, whose results must be the same bits. Prints "ok NAME" or "not ok NAME" for
each measure: within 1e-6 of the reference, and NULL where the manual says so. Needs psql's environment (PGHOST …), the extension
and a venv with scikit-learn, scipy and seqeval.

usage: compare-scores.py [--count 200] [--seed 1]
"""
import argparse
import csv
import json
import math
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import scipy.stats as stats
import seqeval.metrics
import seqeval.scheme
import sklearn.metrics as sk

BOUND = 1e-6
CLASSES = ["α", "b", "c", "d with a blank", "e"]


def draw(rng):
    """One trial: columns by name."""
    rows = int(rng.choice([1, 2, 3, 10, 40, 200]))
    labels = CLASSES[:int(rng.integers(1, len(CLASSES) + 1))]
    actual = rng.integers(0, len(labels), rows)
    predicted = np.where(rng.random(rows) < 0.6, actual, rng.integers(0, len(labels), rows))
    steps = int(rng.choice([2, 5, 1000]))
    probability = rng.integers(0, steps + 1, rows) / steps
    flag = rng.random(rows) < np.clip(probability + rng.normal(0, 0.3, rows), 0, 1)
    x = np.round(rng.normal(0, 3, rows), int(rng.integers(0, 4))) + float(rng.choice([0, 1e6]))
    y = np.round(x * rng.choice([-1, 0, 1]) + rng.normal(0, 3, rows), int(rng.integers(0, 4)))
    scores = np.round(rng.dirichlet(np.ones(len(labels)), rows), int(rng.choice([1, 2, 12])))
    return {"actual": [labels[i] for i in actual], "predicted": [labels[i] for i in predicted], "grade": actual.tolist(),
            "guess": predicted.tolist(), "flag": flag.tolist(), "score": probability.tolist(), "x": x.tolist(), "y": y.tolist(),
            "relevance": rng.choice([0, 0, 0, 1, 2, 3], rows).tolist(), "labels": [labels] * rows, "scores": scores.tolist()}


# ---- References: None where the measure is undefined ----

def ece(correct, confidence):
    """Bins with their upper edges, as Guo et al. (2017) have them; 0 is in the first."""
    edges = np.arange(1, 15) / 15
    bins = np.searchsorted(edges, confidence, side="left")
    return sum(abs(correct[bins == b].sum() - confidence[bins == b].sum()) for b in range(15)) / len(correct)


def coverage(correct, confidence, target):
    kept = [confidence >= threshold for threshold in np.unique(confidence)]
    return max([k.mean() for k in kept if correct[k].mean() >= target], default=0)


def mean_reciprocal(flag, score, k=None):
    """By the distribution of the first hit of each tie, from binomial coefficients."""
    flag, score = np.array(flag), np.array(score)
    for value in sorted(set(score), reverse=True):
        above, tie = int((score > value).sum()), flag[score == value]
        n, hits = len(tie), int(tie.sum())
        if hits:
            return sum(math.comb(n - j, hits - 1) / math.comb(n, hits) / (above + j)
                       for j in range(1, n - hits + 2) if k is None or above + j <= k)
    return 0


def recall_at(flag, score, k):
    flag, score, found = np.array(flag), np.array(score), 0
    for value in set(score):
        above, tie = int((score > value).sum()), flag[score == value]
        found += tie.sum() * min(max(k - above, 0), len(tie)) / len(tie)
    return found / flag.sum() if flag.any() else None


def ndcg(relevance, score, k=None):
    if not any(relevance):
        return None
    return 1 if len(relevance) == 1 else sk.ndcg_score([relevance], [score], k=k)


def class_auc(t):
    """One against the rest; undefined where a label is in no row, or in all."""
    labels, scores = t["labels"][0], np.array(t["scores"])
    areas = []
    for i, label in enumerate(labels):
        own = np.array([a == label for a in t["actual"]])
        if own.all() or not own.any():
            return None
        areas.append(sk.roc_auc_score(own, scores[:, i]))
    return float(np.mean(areas))


def class_loss(t):
    at = [labels.index(a) for labels, a in zip(t["labels"], t["actual"])]
    if len(t["labels"][0]) > 1:
        order = np.argsort(t["labels"][0])
        return sk.log_loss(t["actual"], np.array(t["scores"])[:, order], labels=sorted(t["labels"][0]))
    return float(-np.log(np.clip([s[i] for s, i in zip(t["scores"], at)], np.finfo(float).eps, 1 - np.finfo(float).eps)).mean())


def kappa(a, b, weights):
    return sk.cohen_kappa_score(a, b, weights=weights) if len(set(a) | set(b)) > 1 else None


def correlate(function, t):
    return function(t["x"], t["y"])[0] if len(set(t["x"])) > 1 and len(set(t["y"])) > 1 else None


def both(t):
    return len(set(t["flag"])) == 2


def score(function, average, **more):
    return lambda t: function(t["actual"], t["predicted"], average=average, zero_division=0, **more)


def one_label(function):
    return lambda t: function(t["actual"], t["predicted"], labels=["b"], average="macro", zero_division=0)


MEASURES = {
    "accuracy(actual, predicted)": lambda t: sk.accuracy_score(t["actual"], t["predicted"]),
    "balanced_accuracy(actual, predicted)": lambda t: sk.balanced_accuracy_score(t["actual"], t["predicted"]),
    "cohen_kappa(actual, predicted)": lambda t: kappa(t["actual"], t["predicted"], None),
    "cohen_kappa(actual, predicted, 'linear')": lambda t: kappa(t["actual"], t["predicted"], "linear"),
    "cohen_kappa(grade, guess, 'linear')": lambda t: kappa(t["grade"], t["guess"], "linear"),
    "cohen_kappa(9 + grade, 9 + guess, 'quadratic')": lambda t: kappa(t["grade"], t["guess"], "quadratic"),
    "log_loss(actual, labels, scores)": class_loss,
    "log_loss(flag, score)": lambda t: sk.log_loss(t["flag"], t["score"], labels=[False, True]),
    "brier(flag, score)": lambda t: sk.brier_score_loss(t["flag"], t["score"], labels=[False, True], pos_label=True),
    "ece(flag, score)": lambda t: ece(np.array(t["flag"]), np.array(t["score"])),
    "coverage_at(flag, score, 0.8)": lambda t: coverage(np.array(t["flag"]), np.array(t["score"]), 0.8),
    "auc(actual, labels, scores)": class_auc,
    "auc(flag, score)": lambda t: sk.roc_auc_score(t["flag"], t["score"]) if both(t) else None,
    "average_precision(flag, score)":
        lambda t: sk.average_precision_score(t["flag"], t["score"]) if any(t["flag"]) else None,
    "mrr(flag, score)": lambda t: mean_reciprocal(t["flag"], t["score"]),
    "mrr(flag, score, 3)": lambda t: mean_reciprocal(t["flag"], t["score"], 3),
    "recall_at(flag, score)": lambda t: recall_at(t["flag"], t["score"], 10),
    "recall_at(flag, score, 3)": lambda t: recall_at(t["flag"], t["score"], 3),
    "ndcg(relevance, score)": lambda t: ndcg(t["relevance"], t["score"]),
    "ndcg(relevance, score, 5)": lambda t: ndcg(t["relevance"], t["score"], 5),
    "pearson(x, y)": lambda t: correlate(stats.pearsonr, t) if len(t["x"]) > 1 else None,
    "spearman(x, y)": lambda t: correlate(stats.spearmanr, t),
    "kendall(x, y)": lambda t: correlate(stats.kendalltau, t),
}
for name, function in (("f1", sk.f1_score), ("precision_score", sk.precision_score), ("recall_score", sk.recall_score)):
    MEASURES[f"{name}(actual, predicted)"] = score(function, "macro")
    for average in ("micro", "weighted"):
        MEASURES[f"{name}(actual, predicted, '{average}')"] = score(function, average)
    MEASURES[f"{name}(actual, predicted, 'binary', 'b')"] = one_label(function)


# ---- SQL ----

def psql(script):
    run = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", "postgres"],
                         input=script, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(run.stderr)
    return run.stdout


def array(values):
    return "{" + ",".join(json.dumps(v, ensure_ascii=False) if isinstance(v, str) else repr(float(v)) for v in values) + "}"


def cell(value):
    return array(value) if isinstance(value, list) else repr(value) if isinstance(value, float) else value


def measure(trials):
    """Two lists: each trial's values by one process, and by workers."""
    rows = [(i, *(cell(column[j]) for column in t.values())) for i, t in enumerate(trials) for j in range(len(t["flag"]))]
    calls = ", ".join(f"lmtext.{call}" for call in MEASURES)
    query = f"SELECT json_build_array(trial, {calls}) FROM drawn GROUP BY trial ORDER BY trial;"
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
        file.flush()
        out = psql(f"""
            CREATE TABLE drawn (trial int, actual text, predicted text, grade int, guess int, flag bool, score float8, x float8, y float8,
                                relevance float8, labels text[], scores float8[]);
            \\copy drawn FROM '{file.name}' WITH (FORMAT csv, ENCODING 'utf8')
            ALTER TABLE drawn SET (parallel_workers = 2);
            ANALYZE drawn;
            SET max_parallel_workers_per_gather = 0;
            {query}
            SET max_parallel_workers_per_gather = 2;
            SET parallel_setup_cost = 0;
            SET parallel_tuple_cost = 0;
            SET min_parallel_table_scan_size = 0;
            SET enable_sort = off;
            {query}
            EXPLAIN {query}
            DROP TABLE drawn;
            """)
    lines = [json.loads(line)[1:] for line in out.splitlines() if line.startswith("[")]
    if "Partial" not in out:
        sys.exit("the query was not run in parallel")
    return lines[:len(trials)], lines[len(trials):]


def near(found, wanted):
    if wanted is None or math.isnan(wanted):
        return found is None
    return found is not None and abs(found - wanted) <= BOUND * max(1, abs(wanted))


def check(name, problems):
    print("ok" if not problems else "not ok", name, *problems[:1])
    return not problems


def check_measures(trials):
    alone, together = measure(trials)
    good = True
    for i, (call, reference) in enumerate(MEASURES.items()):
        problems = []
        for j, trial in enumerate(trials):
            wanted = reference(trial)
            if not near(alone[j][i], wanted):
                problems.append(f"trial {j}: {alone[j][i]} instead of {wanted}")
            if alone[j][i] != together[j][i]:
                problems.append(f"trial {j}: {alone[j][i]} alone, {together[j][i]} by workers")
        good &= check(call, problems)
    return good


# ---- Tags ----

PREFIXES = {None: "BIESO", "IOB1": "BIO", "IOB2": "BIO", "IOE1": "IEO", "IOE2": "IEO", "IOBES": "BIESO", "BILOU": "BILUO"}


def draw_tags(rng, prefixes):
    types = ["PER", "LOC", "ORG-X"][:int(rng.integers(1, 4))]

    def tag():
        prefix = rng.choice(list(prefixes))
        return "O" if prefix == "O" else f"{prefix}-{rng.choice(types)}"
    actual = [[tag() for _ in range(int(rng.integers(1, 9)))] for _ in range(int(rng.integers(1, 20)))]
    predicted = [[a if rng.random() < 0.7 else tag() for a in sentence] for sentence in actual]
    return actual, predicted


def report_of(actual, predicted, scheme):
    options = {} if scheme is None else {"mode": "strict", "scheme": getattr(seqeval.scheme, scheme)}
    report = seqeval.metrics.classification_report(actual, predicted, output_dict=True, zero_division=0, **options)
    return {label: [row["precision"], row["recall"], row["f1-score"], row["support"]] for label, row in report.items()}


def tokens_of(actual, predicted):
    flat = sum(actual, []), sum(predicted, [])
    report = sk.classification_report(*flat, output_dict=True, zero_division=0, labels=sorted(set(flat[0]) | set(flat[1])))
    accuracy = sk.accuracy_score(*flat)
    report["micro avg"] = report.pop("accuracy", None) and {"precision": accuracy, "recall": accuracy, "f1-score": accuracy,
                                                            "support": len(flat[0])} or report["micro avg"]
    return {label: [row["precision"], row["recall"], row["f1-score"], row["support"]] for label, row in report.items()}


def query_of(actual, predicted):
    pairs = ", ".join(f"('{array(a)}'::text[], '{array(p)}'::text[])" for a, p in zip(actual, predicted))
    return f"VALUES {pairs}"


def check_tags(rng, count):
    good = True
    for scheme, prefixes in [*PREFIXES.items(), ("tokens", "BIO")]:
        drawn = [draw_tags(rng, prefixes) for _ in range(count)]
        call = "token_report($q${}$q$)" if scheme == "tokens" else "entity_report($q${}$q$" + (f", '{scheme}')" if scheme else ")")
        out = psql("".join("SELECT json_agg(json_build_array(label, \"precision\", recall, f1, support)) FROM lmtext."
                           + call.format(query_of(*d)) + ";\n" for d in drawn))
        problems = []
        for d, line in zip(drawn, out.split("\n")):
            wanted = tokens_of(*d) if scheme == "tokens" else report_of(*d, scheme)
            found = {row[0]: row[1:] for row in json.loads(line)} if line else {}
            if not found and all(row[3] == 0 for row in wanted.values()):
                continue
            if found.keys() != wanted.keys() or any(not near(f, w) for label, row in wanted.items()
                                                    for f, w in zip(found[label], row)):
                problems.append(f"{d}: {found} instead of {wanted}")
        good &= check(f"tags {scheme or 'conlleval'}", problems)
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(options.seed)
    psql("CREATE EXTENSION IF NOT EXISTS lmtext;")
    good = check_measures([draw(rng) for _ in range(options.count)])
    good &= check_tags(rng, max(1, options.count // 5))
    sys.exit(not good)


if __name__ == "__main__":
    main()
