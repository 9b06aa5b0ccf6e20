"""Banking77: a classifier trained in the database, beside scikit-learn on the same embeddings.

LMTEXT_DATA names a folder with banking77/train.csv and test.csv; without it the part is left out.
"""
import csv
import os
import pathlib
import sys

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


def main():
    if "LMTEXT_DATA" not in os.environ:
        print("\nbench_train: LMTEXT_DATA is not set, left out", file=sys.stderr)
        return
    folder = pathlib.Path(os.environ["LMTEXT_DATA"]) / "banking77"
    with common.prepare() as connection:
        rows = load(connection, "banking_train", folder / "train.csv")
        tests = load(connection, "banking_test", folder / "test.csv")
        embed = common.seconds(lambda: connection.execute(
            "SELECT count(lmtext.embed(body, 'minilm')) FROM banking_train"))
        train = common.seconds(lambda: connection.execute(
            "CALL lmtext.train('banking', 'SELECT body, label FROM banking_train', '{\"base\": \"minilm\"}')"))
        version = connection.execute(
            "SELECT max(version) FROM lmtext.models WHERE name = 'banking'").fetchone()[0]
        accuracy, f1 = connection.execute(f"""
            SELECT lmtext.accuracy(label, guess), lmtext.f1(label, guess, 'macro')
            FROM (SELECT label, lmtext.classify(body, 'banking@{version}') AS guess FROM banking_test) t
            """).fetchone()
    common.table(f"Banking77: {rows} rows trained on, {tests} tested, 77 intents", ("", ""), [
        ("test accuracy", f"{accuracy:.4f}"), ("test F1, macro", f"{f1:.4f}"),
        ("embedding the training rows", f"{embed:.1f} s"),
        ("lmtext.train beyond embedding", f"{train - embed:.1f} s")])


if __name__ == "__main__":
    main()
