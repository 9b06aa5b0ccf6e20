"""The semantic index beside pgvector's HNSW: the same vectors, one server (PostgreSQL 16), one table each.

LMTEXT_ROWS says how many rows (default: as many as there are English descriptions). Up to that number vectors are those of texts; rows beyond
are made of two different ones, mixed and perturbed, and normalised again. Queries are of two kinds: perturbed rows, and short texts that are
not rows (the first line of a description). A row counts as found where its distance is within 1e-6 of the true tenth's. Times are processor
time of the backend, so that other work on the machine does not count.
"""
import os
import statistics
import threading
import time

import numpy

import common
from common import Work

DESCRIPTIONS = 63_436  # in English
QUERIES = 200
K = 10
EFFORTS = (0.25, 0.5, 1, 2, 4, 8)
EF_SEARCH = (40, 80, 100, 150, 200, 300, 400)
INSERTS = 1000


def embed(connection, texts):
    common.load_texts(connection, "index_text", texts)
    cursor = connection.cursor(binary=True)
    rows = cursor.execute("SELECT lmtext.embed(body, 'minilm_bf16') FROM index_text ORDER BY id").fetchall()
    return numpy.array([row[0] for row in rows], dtype=numpy.float32)


def normalized(vectors):
    return vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)


def grown(vectors, rows, random):
    """Rows beyond those that there are: two of them mixed, and a little noise."""
    made = [vectors[:rows]]
    left = rows - len(made[0])
    while left > 0:
        count = min(left, 100_000)
        first, second = (random.integers(0, len(vectors), count) for _ in range(2))
        share = random.uniform(0.2, 0.8, (count, 1)).astype(numpy.float32)
        noise = random.standard_normal((count, vectors.shape[1])).astype(numpy.float32) * 0.01
        made.append(normalized(share * vectors[first] + (1 - share) * vectors[second] + noise))
        left -= count
    return numpy.concatenate(made)


def load(connection, vectors):
    """(id, vector) in a table for each, and the text of a vector as either type reads it."""
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    connection.execute("DROP TABLE IF EXISTS by_lmtext, by_pgvector")
    connection.execute("CREATE TABLE by_lmtext (id int PRIMARY KEY, part int, v real[])")
    with connection.cursor().copy("COPY by_lmtext (id, part, v) FROM STDIN") as copy:
        for number, vector in enumerate(vectors):
            copy.write_row((number, number % 100, "{" + ",".join(f"{x:.7g}" for x in vector) + "}"))
    connection.execute("CREATE TABLE by_pgvector AS SELECT id, part, v::vector(384) AS v FROM by_lmtext ORDER BY id")
    connection.execute("ALTER TABLE by_pgvector ADD PRIMARY KEY (id)")
    for name in ("by_lmtext", "by_pgvector"):
        connection.execute(f"VACUUM ANALYZE {name}")


def literals(vectors):
    return [",".join(f"{x:.7g}" for x in vector) for vector in vectors]


def exact(vectors, queries, allowed=None):
    """For each query the distance of its true tenth row, and the distances of all."""
    tenths = []
    for query in queries:
        distances = 1 - vectors @ query
        if allowed is not None:
            distances = distances[allowed]
        tenths.append(numpy.partition(distances, K - 1)[K - 1])
    return tenths


def recall(vectors, queries, tenths, found):
    hits = 0
    for query, tenth, ids in zip(queries, tenths, found):
        hits += sum(1 - float(vectors[i] @ query) <= tenth + 1e-6 for i in ids)
    return hits / (K * len(queries))


class Ours:
    name, table, knob, settings = "lmtext", "by_lmtext", "lmtext.search_effort", EFFORTS
    index = "CREATE INDEX by_lmtext_v ON by_lmtext USING lmtext (v)"

    @staticmethod
    def query(literal, where=""):
        return f"SELECT id FROM by_lmtext {where} ORDER BY v <=> '{{{literal}}}'::real[] LIMIT {K}"


class Theirs:
    name, table, knob, settings = "pgvector HNSW", "by_pgvector", "hnsw.ef_search", EF_SEARCH
    index = "CREATE INDEX by_pgvector_v ON by_pgvector USING hnsw (v vector_cosine_ops)"

    @staticmethod
    def query(literal, where=""):
        return f"SELECT id FROM by_pgvector {where} ORDER BY v <=> '[{literal}]'::vector LIMIT {K}"


def build(connection, side):
    connection.execute("SET maintenance_work_mem = '2GB'; SET max_parallel_maintenance_workers = 0")
    taken, used = Work(lambda: connection.execute(side.index), connection).time()
    size = connection.execute(f"SELECT pg_relation_size('{side.table}_v')").fetchone()[0]
    return taken, used, size


def searches(connection, side, texts, where=""):
    """(ids of each query, milliseconds of processor time of each)"""
    found, spent = [], []
    for text in texts:
        statement = side.query(text, where)
        work = Work(lambda: found.append([row[0] for row in connection.execute(statement).fetchall()]), connection)
        spent.append(work.time()[1] * 1000)
    return found, spent


def curve(connection, side, vectors, kinds, where="", allowed=None):
    """Rows of a table: setting, recall and milliseconds for each kind of query."""
    rows = []
    for setting in side.settings:
        connection.execute(f"SELECT set_config('{side.knob}', '{setting}', false)")
        row = [side.name, f"{side.knob.split('.')[1]} {setting}"]
        for queries, texts, tenths in kinds:
            searches(connection, side, texts[:20], where)
            found, spent = searches(connection, side, texts, where)
            row += [f"{recall(vectors, queries, tenths, found):.4f}", f"{statistics.median(spent):.3f}"]
            if where:
                row.append(f"{min(len(ids) for ids in found)}")
        rows.append(row)
    return rows


def least_time(rows, floor, at=2):
    """The least milliseconds of those settings whose recall is at least that."""
    times = [float(row[at + 1]) for row in rows if float(row[at]) >= floor]
    return min(times) if times else None


def clients(side, setting, texts, count):
    """Queries a second of so many clients at once, by the clock."""
    def work(connection):
        connection.execute(f"SELECT set_config('{side.knob}', '{setting}', false)")
        for text in texts:
            connection.execute(side.query(text)).fetchall()

    connections = [common.connect(16) for _ in range(count)]
    threads = [threading.Thread(target=work, args=(connection,)) for connection in connections]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count * len(texts) / (time.perf_counter() - start)


def inserts(connection, side, texts):
    """Milliseconds of processor time a row."""
    bracket = "'{%s}'" if side is Ours else "'[%s]'"
    first = connection.execute(f"SELECT max(id) + 1 FROM {side.table}").fetchone()[0]

    def work():
        for number, text in enumerate(texts):
            connection.execute(f"INSERT INTO {side.table} VALUES ({first + number}, 101, {bracket % text})")

    used = Work(work, connection).time()[1]
    connection.execute(f"DELETE FROM {side.table} WHERE id >= {first}")
    return used * 1000 / len(texts)


def churn(connection, side, rows):
    """Every second row is deleted and comes again with the same vector, and the table is vacuumed."""
    connection.execute(f"CREATE TEMP TABLE again AS SELECT * FROM {side.table} WHERE id % 2 = 1")
    connection.execute(f"DELETE FROM {side.table} WHERE id % 2 = 1")
    connection.execute(f"VACUUM {side.table}")
    connection.execute(f"INSERT INTO {side.table} SELECT * FROM again")
    connection.execute("DROP TABLE again")
    connection.execute(f"VACUUM {side.table}")


def ratio(ours, theirs):
    return f"{theirs / ours:.1f}" if ours and theirs else "–"


def main():
    random = numpy.random.default_rng(1)
    with common.prepare(("bf16",), version=16) as connection:
        connection.execute("SET jit = off; SET max_parallel_workers_per_gather = 0; SET enable_seqscan = off")
        rows = int(os.environ.get("LMTEXT_ROWS", DESCRIPTIONS))
        texts = common.corpus(min(rows, DESCRIPTIONS), step=max(1, DESCRIPTIONS // rows))
        real = embed(connection, texts)
        vectors = grown(real, rows, random)
        load(connection, vectors)
        chosen = vectors[random.integers(0, len(vectors), QUERIES)]
        noise = random.standard_normal(chosen.shape).astype(numpy.float32) * 0.02
        perturbed = normalized(chosen + noise)
        short = embed(connection, [texts[i].split("\n")[0][:80] for i in random.integers(0, len(texts), QUERIES)])
        kinds = [(queries, literals(queries), exact(vectors, queries)) for queries in (perturbed, short)]

        sides, built, curves = (Ours, Theirs), {}, {}
        for side in sides:
            built[side] = build(connection, side)
            curves[side] = curve(connection, side, vectors, kinds)
        title = f"{len(vectors):,} × 384"
        common.table(f"Search by index, {title}, LIMIT 10: recall and milliseconds of processor time at the median",
                     ("", "setting", "recall, perturbed", "ms", "recall, short texts", "ms"),
                     [row for side in sides for row in curves[side]])
        common.table(f"Building, {title}, without embedding", ("", "seconds", "processor seconds", "MB"),
                     [(side.name, f"{taken:.1f}", f"{used:.1f}", f"{size / 1e6:.0f}")
                      for side, (taken, used, size) in built.items()])
        for floor in (0.965, 0.99, 0.995):
            ours, theirs = (least_time(curves[side], floor) for side in sides)
            if ours and theirs:
                common.goal(f"index, {title}: HNSW's time ÷ lmtext's at recall {floor}", theirs / ours, least=2)
        common.goal(f"index, {title}: HNSW's build ÷ lmtext's", built[Theirs][1] / built[Ours][1], least=5)
        common.goal(f"index, {title}: lmtext's size ÷ HNSW's", built[Ours][2] / built[Theirs][2], most=1 / 3)

        connection.execute("SET hnsw.iterative_scan = strict_order")
        allowed = numpy.arange(len(vectors)) % 100 == 7
        filtered = [(queries, texts, exact(vectors, queries, allowed)) for queries, texts, _ in kinds]
        found = {side: curve(connection, side, vectors, filtered, "WHERE part = 7") for side in sides}
        common.table(f"A filter that lets 1 % through, {title}",
                     ("", "setting", "recall, perturbed", "ms", "least rows", "recall, short texts", "ms", "least rows"),
                     [row for side in sides for row in found[side]])

        fresh = literals(normalized(vectors[:INSERTS] + 0.01))
        spent = {side: inserts(connection, side, fresh) for side in sides}
        common.table("Inserting a row", ("", "ms of processor time"), [(side.name, f"{spent[side]:.3f}") for side in sides])
        common.goal(f"index, {title}: HNSW's insert ÷ lmtext's", spent[Theirs] / spent[Ours], least=5)
        served = [(side.name, f"{clients(side, setting, kinds[1][1], 1):.0f}", f"{clients(side, setting, kinds[1][1], 2):.0f}")
                  for side, setting in ((Ours, 1), (Theirs, 150))]
        common.table("Queries a second by the clock", ("", "1 client", "2 clients"), served)
        for side in sides:
            churn(connection, side, rows)
        common.table(f"After half of the rows were replaced, {title}",
                     ("", "setting", "recall, perturbed", "ms", "recall, short texts", "ms"),
                     [row for side in sides for row in curve(connection, side, vectors, kinds)])


if __name__ == "__main__":
    main()
