"""The best ten rows by BM25 for three words of a description, by an index of 63,436 descriptions: lexemes of `english`, and MiniLM's tokens.

Tokens need a model beside them; a static one of MiniLM's words embeds the rows, so that the build is that of words.
"""
import random
import re
import statistics
import time

import bench_static
import common

ROWS, QUERIES = 63436, 400
KINDS = (("tokens", "model = 'random_static@1', words = 'tokens'"), ("lexemes", "words = true, words_config = 'english'"))


def three_words(body, draw):
    """Different ones, in lower case; None: it has not as many."""
    words = sorted({word.lower() for word in re.findall(r"[A-Za-z]{3,}", body)})
    return " ".join(draw.sample(words, 3)) if len(words) >= 3 else None


def draw_queries(texts):
    draw = random.Random(17)
    found = (three_words(body, draw) for body in draw.sample(texts, 2 * QUERIES))
    return [words for words in found if words][:QUERIES]


def spent(connection, call):
    """(milliseconds, those of the backend's processor)"""
    pid = connection.info.backend_pid
    used, start = common.backend_seconds(pid), time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000, (common.backend_seconds(pid) - used) * 1000


def prepare(connection, texts):
    folder = common.MODEL.parent / "random_static"
    bench_static.make(folder)
    for file in folder.iterdir():
        file.chmod(0o644)
    connection.execute("SET max_parallel_maintenance_workers = 0")
    if connection.execute("SELECT count(*) FROM lmtext.models WHERE name = 'random_static'").fetchone()[0] == 0:
        connection.execute("SELECT lmtext.import_model('random_static', %s)", (str(folder),))
    common.load_texts(connection, "described", texts)


def measure(connection, options, queries):
    """The row of a table for an index with these options."""
    built = spent(connection, lambda: connection.execute(f"CREATE INDEX described_words ON described USING lmtext (body) WITH ({options})"))
    size = connection.execute("SELECT pg_relation_size('described_words')").fetchone()[0]
    best = "SELECT id FROM described ORDER BY body <@> %s LIMIT 10"
    for query in queries:
        connection.execute(best, (query,), prepare=True).fetchall()
    times = [spent(connection, lambda q=query: connection.execute(best, (q,), prepare=True).fetchall()) for query in queries]
    recall = connection.execute("SELECT words_recall FROM lmtext.index_recall('described_words', %s::text[], 10)", (queries,)).fetchone()[0]
    connection.execute("DROP INDEX described_words")
    cpu = sorted(taken for _, taken in times)
    return statistics.median(cpu), (f"{built[1] / 1000:.1f}", f"{size / 1e6:.1f}", f"{statistics.median(cpu):.2f}", f"{cpu[len(cpu) * 95 // 100]:.2f}",
                                    f"{statistics.median(wait for wait, _ in times):.2f}", f"{recall:.3f}")


def main():
    texts = common.corpus(ROWS)
    queries = draw_queries(texts)
    with common.prepare() as connection:
        prepare(connection, texts)
        rows = []
        for kind, options in KINDS:
            median, row = measure(connection, options, queries)
            rows.append((kind, *row))
            common.goal(f"BM25, top 10 of three words, ms: {kind}", median, most=1)
    common.table(f"The best ten of {ROWS:,} descriptions by BM25, {len(queries)} queries of three words, one core",
                 ("", "build, processor s", "MB", "p50, processor ms", "p95", "median wait, ms", "recall"), rows)


if __name__ == "__main__":
    main()
