"""Active learning on Banking77: accuracy on the test rows by the number of labels asked for.

LMTEXT_DATA names a folder with banking77/train.csv and test.csv; without it the part is left out. The first rows are those of
lmtext.label_queue's strategy `diversity`, then in rounds those of `margin` by the classifier so far. Beside it as many rows at random.
"""
import json
import os
import pathlib
import sys

import bench_train
import common

FIRST, ROUNDS, SHARE = 800, 5, 0.3
OPTIONS = json.dumps({"base": "minilm", "hold_out": 0.1})
ASKED = "SELECT r.vector, r.label FROM active_row r JOIN active_asked USING (id) ORDER BY id"
LEFT = "SELECT id, vector FROM active_row r WHERE NOT EXISTS (SELECT FROM active_asked a WHERE a.id = r.id) ORDER BY id"


def set_up(connection, train, test):
    for name, rows in (("row", train), ("test", test)):
        bench_train.load(connection, "active_text", rows)
        connection.execute(f"DROP TABLE IF EXISTS active_{name}")
        connection.execute(f"""CREATE TABLE active_{name} AS SELECT row_number() OVER () AS id, label, lmtext.embed(body, 'minilm') AS vector
                               FROM active_text""")


def learn(connection, query):
    """Accuracy on the test rows of what the rows of a query teach."""
    connection.execute("CALL lmtext.train('active', %s, %s)", (query, OPTIONS))
    version, = connection.execute("SELECT max(version) FROM lmtext.models WHERE name = 'active'").fetchone()
    connection.execute("SELECT lmtext.deploy('active', %s)", (version,))
    return connection.execute("SELECT lmtext.accuracy(label, lmtext.classify(vector, 'active')) FROM active_test").fetchone()[0]


def ask(connection, model, count, strategy):
    connection.execute("INSERT INTO active_asked SELECT key::bigint FROM lmtext.label_queue(%s, %s, %s, %s)", (model, LEFT, count, strategy))


def measure(connection):
    """Rows of the table, of stored vectors."""
    connection.execute("DROP TABLE IF EXISTS active_asked")
    connection.execute("CREATE TABLE active_asked (id bigint PRIMARY KEY)")
    total, = connection.execute("SELECT count(*) FROM active_row").fetchone()
    most, rows = int(SHARE * total), []
    ask(connection, "minilm", FIRST, "diversity")
    for number in range(ROUNDS + 1):
        asked, = connection.execute("SELECT count(*) FROM active_asked").fetchone()
        random = learn(connection, f"SELECT vector, label FROM active_row ORDER BY md5(id::text) LIMIT {asked}")
        accuracy = learn(connection, ASKED)
        rows.append((f"{asked} ({asked / total:.0%})", f"{accuracy:.4f}", f"{random:.4f}"))
        print(*rows[-1], file=sys.stderr, flush=True)
        if number < ROUNDS:
            ask(connection, "active", (most - asked) // (ROUNDS - number), "margin")
    common.goal("Banking77 with 30 % of the labels", accuracy, least=0.92, digits=4)
    return rows


def main():
    if "LMTEXT_DATA" not in os.environ:
        print("\nactive learning: LMTEXT_DATA is not set, left out", file=sys.stderr)
        return
    data = pathlib.Path(os.environ["LMTEXT_DATA"]) / "banking77"
    with common.prepare() as connection:
        set_up(connection, bench_train.banking(data / "train.csv"), bench_train.banking(data / "test.csv"))
        common.table("Active learning on Banking77", ("labels", "by label_queue", "at random"), measure(connection))


if __name__ == "__main__":
    main()
