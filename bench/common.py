"""What the benchmarks share: the corpus, the model, servers, interleaved timing, tables."""
import json
import os
import pathlib
import statistics
import subprocess
import time

import psycopg

BUILD = pathlib.Path(os.environ["LMTEXT_BUILD"])
MODEL = pathlib.Path(os.environ["LMTEXT_MINILM"])
PROGRAMS = BUILD / "unit"


def corpus(count, step=61):
    """`count` package descriptions spread evenly over the corpus, in its own (mixed) order."""
    lines = (BUILD / "corpus" / "en.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(lines[i * step % len(lines)])["body"] for i in range(count)]


def connect(version=15, **options):
    host = os.environ[f"LMTEXT_HOST_{version}"]
    return psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True, **options)


def prepare(version=15):
    """A connection to a server that has the extension and the model."""
    connection = connect(version)
    connection.execute("CREATE EXTENSION IF NOT EXISTS lmtext")
    found = connection.execute("SELECT count(*) FROM lmtext.models WHERE name = 'minilm'").fetchone()
    if found[0] == 0:
        connection.execute("SELECT lmtext.import_model('minilm', %s)", (str(MODEL),))
    return connection


def load_texts(connection, table, texts):
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, body text)")
    with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        for row in enumerate(texts):
            copy.write_row(row)
    connection.execute(f"VACUUM ANALYZE {table}")


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(contenders, rounds=5, warm=1):
    """{name: work} → {name: median seconds}; every round runs each once, so noise hits all alike."""
    times = {name: [] for name in contenders}
    for turn in range(rounds + warm):
        for name, work in contenders.items():
            taken = seconds(work)
            if turn >= warm:
                times[name].append(taken)
    return {name: statistics.median(values) for name, values in times.items()}


def table(title, header, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, **options)
