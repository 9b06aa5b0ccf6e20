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


def load(connection, table, path):
    with open(path, encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(f"CREATE TABLE {table} (body text, label text)")
    with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    return len(rows)


def peer(connection, l2):
    """scikit-learn at the same penalty on the same vectors: test accuracy, seconds of the fit."""
    parts = {}
    for table in ("banking_train", "banking_test"):
        rows = connection.execute(f"SELECT lmtext.embed(body, 'minilm'), label FROM {table}").fetchall()
        parts[table] = numpy.array([row[0] for row in rows]), [row[1] for row in rows]
    vectors, labels = parts["banking_train"]
    model = linear_model.LogisticRegression(C=1 / (l2 * len(labels)), max_iter=1000)
    taken = common.seconds(lambda: model.fit(vectors, labels))
    return model.score(*parts["banking_test"]), taken


def main():
    if "LMTEXT_DATA" not in os.environ:
        print("\nbench_train: LMTEXT_DATA is not set, left out", file=sys.stderr)
        return
    folder = pathlib.Path(os.environ["LMTEXT_DATA"]) / "banking77"
    with common.prepare() as connection:
        rows = load(connection, "banking_train", folder / "train.csv")
        tests = load(connection, "banking_test", folder / "test.csv")
        connection.execute(
            "CALL lmtext.train('banking', 'SELECT body, label FROM banking_train', '{\"base\": \"minilm\"}')")
        version, metrics = connection.execute(
            "SELECT version, metrics FROM lmtext.models WHERE name = 'banking' ORDER BY version DESC LIMIT 1"
            ).fetchone()
        accuracy, f1 = connection.execute(f"""
            SELECT lmtext.accuracy(label, guess), lmtext.f1(label, guess, 'macro')
            FROM (SELECT label, lmtext.classify(body, 'banking@{version}') AS guess FROM banking_test) t
            """).fetchone()
        peer_accuracy, peer_seconds = peer(connection, metrics["l2"])
    common.table(f"Banking77: {rows} rows trained on, {tests} tested, 77 intents", ("", ""), [
        ("test accuracy", f"{accuracy:.4f}"), ("test F1, macro", f"{f1:.4f}"),
        ("scikit-learn on the same vectors at the same l2", f"{peer_accuracy:.4f}"),
        ("held-out accuracy that the training saw", f"{metrics['held_out_accuracy']:.4f}"),
        ("embedding the training rows", f"{metrics['embed_seconds']:.1f} s"),
        ("beyond embedding: choice of l2, seven fits at most, refit", f"{metrics['train_seconds']:.1f} s"),
        ("one fit of scikit-learn at that l2", f"{peer_seconds:.1f} s")])


if __name__ == "__main__":
    main()
