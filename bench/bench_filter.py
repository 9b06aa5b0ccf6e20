"""Filters trained from an oracle's answers on Banking77: do they keep what they promise, and how much do they decide?

LMTEXT_DATA names a folder with banking77/train.csv and test.csv; without it the part is left out. The oracle of a predicate is "the label is one of
…". For each predicate and seed: the agreement on the rows whose answer nobody asked for, and the share that is left undecided.
"""
import json
import os
import pathlib
import statistics
import sys

import psycopg

import bench_train
import common

SEEDS = 20
BUDGET = 1000
AGREEMENT = 0.95
# Parts of the names of intents.
PREDICATES = {"refund": ("refund", "reverted"), "card": ("card_",), "transfer": ("transfer",), "top-up": ("top_up", "topping"),
              "cash": ("cash", "atm"), "identity": ("ident", "pin", "passcode")}
SETUP = ("DROP TABLE IF EXISTS filter_row, filter_answer, filter_asked",
         "CREATE TABLE filter_row AS SELECT body, label, lmtext.embed(body, 'minilm') AS vector FROM filter_text",
         "CREATE TABLE filter_answer AS SELECT DISTINCT ON (body) body, label FROM filter_row ORDER BY body, label",
         "CREATE UNIQUE INDEX ON filter_answer (body)",
         "CREATE TABLE filter_asked (body text, label text)",
         "VACUUM ANALYZE filter_row, filter_answer")
# It writes down what it is asked: the other rows are the undisclosed ones.
ORACLE = """
    CREATE OR REPLACE FUNCTION filter_oracle(body text, labels text[]) RETURNS boolean LANGUAGE sql VOLATILE AS $$
        INSERT INTO filter_asked SELECT a.body, a.label FROM filter_answer a WHERE a.body = $1;
        SELECT label = ANY (labels) FROM filter_answer a WHERE a.body = $1 $$"""
JUDGE = """
    SELECT avg((holds = truth)::int), avg((holds IS NULL)::int),
           avg((NOT truth)::int) FILTER (WHERE holds), avg((holds IS TRUE)::int) FILTER (WHERE truth)
    FROM (SELECT lmtext.holds(r.vector, 'bench_filter') AS holds, a.label = ANY (%s) AS truth
          FROM filter_row r JOIN filter_answer a USING (body)
          WHERE NOT EXISTS (SELECT FROM filter_asked q WHERE q.body = r.body)) t"""


def train(connection, labels, seed):
    literal = "{" + ",".join(f'"{label}"' for label in labels) + "}"
    options = {"task": "filter", "base": "minilm", "oracle": f"filter_oracle(text, '{literal}')", "agreement": AGREEMENT,
               "confidence": 0.95, "budget": BUDGET, "seed": seed}
    connection.execute("TRUNCATE filter_asked")
    try:
        connection.execute("CALL lmtext.train('bench_filter', 'SELECT body, vector FROM filter_row', %s::jsonb)", (json.dumps(options),))
    except psycopg.errors.InvalidParameterValue:
        return False
    return True


def measure(connection, name, labels):
    """A row of the table; whether each run kept its promise; the median of the share undecided."""
    runs = []
    for seed in range(SEEDS):
        if train(connection, labels, seed):
            asked, = connection.execute("SELECT count(*) FROM filter_asked").fetchone()
            assert asked <= BUDGET, asked
            runs.append([float(value or 0) for value in connection.execute(JUDGE, (labels,)).fetchone()])
            connection.execute("SELECT lmtext.drop_model('bench_filter')")
    undecided = statistics.median([run[1] for run in runs] + [1.0] * (SEEDS - len(runs)))
    kept = [run[0] >= AGREEMENT for run in runs]
    share, = connection.execute("SELECT avg((label = ANY (%s))::int) FROM filter_row", (labels,)).fetchone()
    row = (name, f"{float(share):.1%}", f"{len(runs)}", f"{sum(kept)}", f"{min((run[0] for run in runs), default=float('nan')):.4f}",
           f"{undecided:.1%}", f"{statistics.mean(run[2] for run in runs):.1%}" if runs else "", f"{statistics.mean(run[3] for run in runs):.1%}" if runs else "")
    return row, kept, undecided


def speed(connection, labels):
    """Seconds of a filter over all stored vectors, in one process."""
    train(connection, labels, 42)
    ask = "SELECT count(*) FROM filter_row WHERE lmtext.holds(vector, 'bench_filter')"
    times = []
    for _ in range(15):
        times.append(common.seconds(lambda: connection.execute(ask).fetchone()))
    connection.execute("SELECT lmtext.drop_model('bench_filter')")
    return min(times)


def main():
    if "LMTEXT_DATA" not in os.environ:
        print("\nFilters: LMTEXT_DATA is not set, left out", file=sys.stderr)
        return
    data = pathlib.Path(os.environ["LMTEXT_DATA"]) / "banking77"
    rows = bench_train.banking(data / "train.csv") + bench_train.banking(data / "test.csv")
    intents = sorted({label for _, label in rows})
    with common.prepare() as connection:
        connection.execute("SET max_parallel_workers_per_gather = 0")
        connection.execute("SET client_min_messages = warning")
        bench_train.load(connection, "filter_text", rows)
        for statement in SETUP:
            connection.execute(statement)
        connection.execute(ORACLE)
        table, kept, undecided, taken = [], [], [], None
        for name, parts in PREDICATES.items():
            labels = [intent for intent in intents if any(part in intent.lower() for part in parts)]
            row, these, share = measure(connection, name, labels)
            table.append(row)
            kept += these
            undecided.append(share)
            taken = taken or speed(connection, labels)
        common.table(f"Filters on Banking77: {len(rows)} rows, {BUDGET} answers, {SEEDS} seeds each",
                     ("predicate", "true", "filters made", f"agreement ≥ {AGREEMENT}", "least agreement", "undecided, median",
                      "wrong among true", "found of true"), table)
        common.table("Filters on Banking77", ("", ""), [
            ("runs that keep the promise", f"{sum(kept)} of {len(kept)}"),
            ("undecided, median predicate", f"{statistics.median(undecided):.1%}"),
            (f"{len(rows)} stored vectors", f"{taken * 1000:.1f} ms")])
        common.goal("filters: share of the runs that agree on 95 % of the undisclosed rows", sum(kept) / len(kept), least=0.95)
        common.goal("filters: share undecided after 1,000 answers, median predicate", statistics.median(undecided), most=0.15)
        common.goal("filters: milliseconds for 13,083 stored vectors", taken * 1000, most=10, digits=1)


if __name__ == "__main__":
    main()
