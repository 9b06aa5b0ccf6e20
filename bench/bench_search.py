"""Exact search: a sequential scan ordered by distance, lmtext's real[] beside pgvector's vector.

Both tables hold (id, vector) only, storage PLAIN, the same rows, in one server (PostgreSQL 16).
"""
import common
from common import Work

ROWS = 60000
OPERATORS = (("cosine", "<=>"), ("L2", "<->"), ("inner product", "<#>"))


def load(connection):
    connection.execute("SET max_parallel_workers_per_gather = 2")
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    connection.execute("DROP TABLE IF EXISTS by_lmtext, by_pgvector, seed")
    common.load_texts(connection, "search_text", common.corpus(4000, step=15))
    connection.execute("CREATE TABLE seed AS SELECT id, lmtext.embed(body, 'minilm') AS e FROM search_text")
    # More rows than embeddings: sums of two different ones, normalised again.
    connection.execute(f"""
        CREATE TABLE by_lmtext AS
        SELECT i AS id, lmtext.l2_normalize((SELECT array_agg(x + y ORDER BY n)::real[]
            FROM unnest(a.e, b.e) WITH ORDINALITY t(x, y, n))) AS v
        FROM generate_series(1, {ROWS}) i
        JOIN seed a ON a.id = i % 4000 JOIN seed b ON b.id = (i * 7 + i / 4000) % 4000""")
    connection.execute("CREATE TABLE by_pgvector AS SELECT id, v::vector(384) AS v FROM by_lmtext")
    for table in ("by_lmtext", "by_pgvector"):
        connection.execute(f"ALTER TABLE {table} ALTER v SET STORAGE PLAIN")
        connection.execute(f"CREATE TABLE t (LIKE {table} INCLUDING STORAGE)")
        connection.execute(f"INSERT INTO t SELECT * FROM {table}")
        connection.execute(f"DROP TABLE {table}")
        connection.execute(f"ALTER TABLE t RENAME TO {table}")
        connection.execute(f"VACUUM ANALYZE {table}")


def main():
    with common.prepare(version=16) as connection:
        load(connection)
        connection.execute("SET max_parallel_workers_per_gather = 0")
        query = connection.execute("SELECT v FROM by_lmtext WHERE id = 17").fetchone()[0]
        literal = "{" + ",".join(repr(x) for x in query) + "}"
        vector = "[" + literal[1:-1] + "]"
        rows = []
        for name, operator in OPERATORS:
            ours = f"SELECT id FROM by_lmtext ORDER BY v {operator} '{literal}'::real[] LIMIT 10"
            theirs = f"SELECT id FROM by_pgvector ORDER BY v {operator} '{vector}'::vector LIMIT 10"
            same = connection.execute(ours).fetchall() == connection.execute(theirs).fetchall()
            times = common.interleaved({
                "ours": Work(lambda: connection.execute(ours).fetchall(), connection),
                "theirs": Work(lambda: connection.execute(theirs).fetchall(), connection)},
                rounds=15, warm=2)
            common.goal(f"exact search, pgvector ÷ lmtext: {name}", times["theirs"].cpu / times["ours"].cpu, least=1.3)
            rows.append((name, f"{times['ours'].cpu * 1000:.1f}", f"{times['theirs'].cpu * 1000:.1f}",
                         f"{times['theirs'].cpu / times['ours'].cpu:.2f}", "yes" if same else "NO"))
    common.table(f"Exact search over {ROWS} × 384 by sequential scan, LIMIT 10",
                 ("distance", "lmtext ms", "pgvector ms", "pgvector ÷ lmtext", "same ids"), rows)


if __name__ == "__main__":
    main()
