"""Whole tables: CREATE TABLE AS with one process and with two, and short texts."""
import common
from common import Work


def create(connection, table, workers, batch="on"):
    connection.execute(f"SET lmtext.batch = {batch}")
    connection.execute(f"SET max_parallel_workers_per_gather = {workers}")
    connection.execute("DROP TABLE IF EXISTS made")
    connection.execute(f"CREATE TABLE made AS SELECT id, lmtext.embed(body, 'minilm') AS e FROM {table}")


def main():
    rows = []
    with common.prepare() as connection:
        connection.execute("SET parallel_leader_participation = off")
        for name, texts in (("descriptions", common.corpus(600, step=105)),
                            ("first lines", [t.split("\n")[0] for t in common.corpus(4000, step=15)]),
                            ("first four words", [" ".join(t.split()[:4]) for t in common.corpus(4000, step=15)])):
            common.load_texts(connection, "bench_table", texts)
            tokens = connection.execute(
                "SELECT sum(least(lmtext.count_tokens(body, 'minilm'), 256)) FROM bench_table").fetchone()[0]
            works = {workers: Work(lambda w=workers: create(connection, "bench_table", w), connection)
                     for workers in (0, 2)}
            works["alone"] = Work(lambda: create(connection, "bench_table", 0, "off"), connection)
            times = common.interleaved(works, rounds=3, warm=0)
            common.goal(f"two workers ÷ one, {name}", times[0].wall / times[2].wall, least=1.9)
            if name == "first four words":
                common.goal(f"processor time without ÷ with lmtext.batch, {tokens / len(texts):.1f} tokens a text",
                            times["alone"].cpu / times[0].cpu, least=1.3)
            rows.append((name, len(texts), f"{tokens / len(texts):.0f}", f"{tokens / times[0].wall:,.0f}",
                         f"{tokens / times[2].wall:,.0f}", f"{times[0].wall / times[2].wall:.2f}",
                         f"{times['alone'].cpu / times[0].cpu:.2f}"))
    common.table("CREATE TABLE AS over a table of texts",
                 ("texts", "rows", "tokens a text", "tokens/s, one process", "tokens/s, two workers", "gain",
                  "processor time without ÷ with lmtext.batch"),
                 rows)


if __name__ == "__main__":
    main()
