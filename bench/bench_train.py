"""Banking77: a classifier trained in the database, beside scikit-learn on the same embeddings.

LMTEXT_DATA names a folder with banking77/train.csv and test.csv; without it the part is left out.
"""
import csv
import os
import pathlib
import sys

import numpy
from sklearn import linear_model

import common
from common import Work

TRAIN = """CALL lmtext.train('banking', 'SELECT body, label FROM banking_train',
                             '{"task": "classification", "base": "minilm"}')"""
SCORES = """SELECT lmtext.accuracy(label, guess), lmtext.f1(label, guess, 'macro')
            FROM (SELECT label, lmtext.classify(body, 'banking') AS guess FROM banking_test) t"""


def load(connection, table, path):
    with open(path, encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(f"CREATE TABLE {table} (body text, label text)")
    with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    connection.execute(f"VACUUM ANALYZE {table}")
    return len(rows)


def vectors(connection, table):
    rows = connection.execute(f"SELECT lmtext.embed(body, 'minilm'), label FROM {table}").fetchall()
    return numpy.array([row[0] for row in rows]), [row[1] for row in rows]


def peer(connection, l2):
    """scikit-learn at the same penalty on the same vectors: test accuracy, seconds of the fit."""
    embeddings, labels = vectors(connection, "banking_train")
    model = linear_model.LogisticRegression(C=1 / (l2 * len(labels)), max_iter=1000)
    _, taken = Work(lambda: model.fit(embeddings, labels)).time()
    return model.score(*vectors(connection, "banking_test")), taken


def main():
    if "LMTEXT_DATA" not in os.environ:
        print("\nBanking77: LMTEXT_DATA is not set, left out", file=sys.stderr)
        return
    folder = pathlib.Path(os.environ["LMTEXT_DATA"]) / "banking77"
    with common.prepare() as connection:
        rows = load(connection, "banking_train", folder / "train.csv")
        tests = load(connection, "banking_test", folder / "test.csv")
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


if __name__ == "__main__":
    main()
