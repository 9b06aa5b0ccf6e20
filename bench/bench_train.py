"""Classifiers trained in the database, beside scikit-learn on the same embeddings and on the same n-grams.

LMTEXT_DATA names a folder with banking77/train.csv and test.csv, and clinc150/data_full.json; without it the part is left out.
With LMTEXT_CORPUS, the folder of debian-corpus.py, the sections of Debian's packages are measured as well: that embeds 62,000 long texts.
"""
import collections
import csv
import json
import os
import pathlib
import sys

import numpy
from sklearn import feature_extraction, linear_model, svm

import common
from common import Work

TRAIN = """CALL lmtext.train('banking', 'SELECT body, label FROM banking_train',
                             '{"task": "classification", "base": "minilm"}')"""
SCORES = """SELECT lmtext.accuracy(label, guess), lmtext.f1(label, guess, 'macro')
            FROM (SELECT label, lmtext.classify(body, 'banking') AS guess FROM banking_test) t"""
METHODS = {"ngram": {"method": "ngram"}, "combined": {"method": "combined", "base": "minilm"}, "auto": {"method": "auto", "base": "minilm"}}
TEST_BELOW = 6554  # of the first 16 bits of a description's MD5


def load(connection, table, rows):
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(f"CREATE TABLE {table} (body text, label text)")
    with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    connection.execute(f"VACUUM ANALYZE {table}")
    return len(rows)


def banking(path):
    with open(path, encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def clinc(folder):
    """In-scope questions to train on and to test."""
    data = json.loads((folder / "data_full.json").read_text(encoding="utf-8"))
    return [tuple(row) for row in data["train"]], [tuple(row) for row in data["test"]]


def sections(folder):
    """The 41 sections with at least 200 packages; the test's rows by their MD5."""
    with open(folder / "corpus.jsonl", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["lang"] == "en"]
    counts = collections.Counter(row["section"] for row in rows)
    parts = [], []
    for row in rows:
        if counts[row["section"]] >= 200:
            parts[int(row["md5"][:4], 16) < TEST_BELOW].append((row["body"], row["section"]))
    return parts


def vectors(connection, table):
    rows = connection.execute(f"SELECT lmtext.embed(body, 'minilm'), label FROM {table}").fetchall()
    return numpy.array([row[0] for row in rows]), [row[1] for row in rows]


def peer(connection, l2):
    """scikit-learn at the same penalty on the same vectors: test accuracy, seconds of the fit."""
    embeddings, labels = vectors(connection, "banking_train")
    model = linear_model.LogisticRegression(C=1 / (l2 * len(labels)), max_iter=1000)
    _, taken = Work(lambda: model.fit(embeddings, labels)).time()
    return model.score(*vectors(connection, "banking_test")), taken


def ngram_peer(train, test):
    """TF-IDF of 1-2-grams and LinearSVC: test accuracy, seconds of vectorizing and of the fit."""
    vectorizer = feature_extraction.text.TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = svm.LinearSVC()
    x, cutting = Work(lambda: vectorizer.fit_transform([text for text, _ in train])).time()
    _, fitting = Work(lambda: model.fit(x, [label for _, label in train])).time()
    return model.score(vectorizer.transform([text for text, _ in test]), [label for _, label in test]), cutting, fitting


def method_rows(connection, name, options, test_rows):
    """Two rows of the table: accuracy and seconds of a method, and of answering alone where that needs no base."""
    call = f"CALL lmtext.train('{name}', 'SELECT body, label FROM set_train', '{json.dumps(options)}')"
    _, taken = Work(lambda: connection.execute(call), connection).time()
    ask = f"SELECT lmtext.accuracy(label, lmtext.classify(body, '{name}')) FROM set_test"
    found = []
    _, answering = Work(lambda: found.append(connection.execute(ask).fetchone()[0]), connection).time()
    accuracy = found[0]
    metrics, = connection.execute(f"SELECT metrics FROM lmtext.models WHERE name = '{name}' ORDER BY version DESC LIMIT 1").fetchone()
    tried = metrics.get("tried", [])
    chosen = next((f": {t['method']} {json.dumps(t['options'])}, of {len(tried)}" for t in tried if t["chosen"]), "")
    return [(f"{options['method']}{chosen}, test accuracy", f"{accuracy:.4f}"),
            (f"{options['method']}, accuracy that the training saw", f"{metrics['held_out_accuracy']:.4f}"),
            (f"{options['method']}, the whole CALL; of it training", f"{taken:.1f} s; {metrics['train_seconds']:.1f} s"),
            (f"{options['method']}, texts a second", f"{test_rows / answering:.0f}")]


def measure_methods(connection, title, train, test):
    load(connection, "set_train", train)
    load(connection, "set_test", test)
    accuracy, cutting, fitting = ngram_peer(train, test)
    rows = [("TF-IDF and LinearSVC of scikit-learn, test accuracy", f"{accuracy:.4f}"),
            ("of it vectorizing; fit", f"{cutting:.1f} s; {fitting:.1f} s")]
    for number, options in enumerate(METHODS.values()):
        rows += method_rows(connection, f"set_{number}", options, len(test))
        connection.execute(f"SELECT lmtext.drop_model('set_{number}')")
    common.table(f"{title}: {len(train)} rows to train on, {len(test)} to test", ("", ""), rows)


def main():
    if "LMTEXT_DATA" not in os.environ:
        print("\nBanking77: LMTEXT_DATA is not set, left out", file=sys.stderr)
        return
    data = pathlib.Path(os.environ["LMTEXT_DATA"])
    train, test = banking(data / "banking77" / "train.csv"), banking(data / "banking77" / "test.csv")
    with common.prepare() as connection:
        rows, tests = load(connection, "banking_train", train), load(connection, "banking_test", test)
        connection.execute("SET max_parallel_workers_per_gather = 0")
        connection.execute("SELECT lmtext.load_model('minilm')")
        _, taken = Work(lambda: connection.execute(TRAIN), connection).time()
        accuracy, f1 = connection.execute(SCORES).fetchone()
        metrics, = connection.execute(
            "SELECT metrics FROM lmtext.models WHERE name = 'banking' ORDER BY version DESC LIMIT 1").fetchone()
        peer_accuracy, peer_seconds = peer(connection, metrics["l2"])
        common.table(f"Banking77: {rows} rows to train on, {tests} to test, 77 intents", ("", ""), [
            ("test accuracy", f"{accuracy:.4f}"), ("test F1, macro", f"{f1:.4f}"),
            ("test accuracy of scikit-learn on the same vectors at the same l2", f"{peer_accuracy:.4f}"),
            ("held-out accuracy that the training saw", f"{metrics['held_out_accuracy']:.4f}"),
            ("the whole CALL, processor time", f"{taken:.1f} s"),
            ("of the CALL: embedding", f"{metrics['embed_seconds']:.1f} s"),
            ("of the CALL: choice of l2, seven fits at most, refit", f"{metrics['train_seconds']:.1f} s"),
            ("one fit of scikit-learn at that l2", f"{peer_seconds:.1f} s")])
        measure_methods(connection, "Banking77 by methods", train, test)
        measure_methods(connection, "CLINC150 by methods, in scope", *clinc(data / "clinc150"))
        if "LMTEXT_CORPUS" in os.environ:
            measure_methods(connection, "Debian's sections by methods", *sections(pathlib.Path(os.environ["LMTEXT_CORPUS"])))


if __name__ == "__main__":
    main()
