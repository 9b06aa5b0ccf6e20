"""One short query (10 tokens): through SQL in a warm backend, by the engine alone, by the peers.

What SQL adds to the engine's time is to be seen where both find the caches as warm: in one statement over all queries, with
a call a row. A query in a statement of its own finds them as the client and the network left them.
"""
import statistics

import common
import peers
from common import Work

PRECISIONS = ("fp32", "bf16", "int8")
QUERIES = [f"how do I resize image number {i}" for i in range(10)] * 10


def each(work):
    """Work on one query after the other; its result is not used."""
    def call():
        for query in QUERIES:
            work(query)
    return call


def latency(work):
    """The median milliseconds of one query by the wall clock: what a user waits."""
    return statistics.median(common.seconds(lambda q=query: work(q)) for query in QUERIES) * 1000


def main():
    others = [peers.Torch()] + peers.all_but_torch()
    tokens = {len(ids) for ids in others[0].tokenizer(QUERIES)["input_ids"]}
    with common.prepare(PRECISIONS) as connection, common.texts_file(QUERIES) as file:
        cursor = connection.cursor()

        def fetch(statement):
            return lambda query: cursor.execute(statement, (query,), prepare=True).fetchone()

        empty = fetch("SELECT array_fill(0.5::real, ARRAY[384]), %s::text")
        common.load_texts(connection, "query", QUERIES)

        def rows(precision):
            statement = f"SELECT count(v) FROM (SELECT lmtext.embed(body, '{common.model_name(precision)}') v FROM query OFFSET 0) q"
            return lambda: cursor.execute(statement, prepare=True).fetchone()

        contenders = {
            f"lmtext {precision}, SELECT lmtext.embed(…)":
                (fetch(f"SELECT lmtext.embed(%s, '{common.model_name(precision)}')"), connection)
            for precision in PRECISIONS}
        contenders["SELECT of 384 numbers (the round trip alone)"] = (empty, connection)
        for peer in others:
            contenders[peer.name] = (lambda query, peer=peer: peer.embed([query]), None)
        works = {name: Work(each(work), server) for name, (work, server) in contenders.items()}
        connection.execute("SET lmtext.batch = off")
        for precision in PRECISIONS:
            works[f"lmtext {precision}, a call a row of one statement"] = Work(rows(precision), connection)
            works[f"lmtext {precision}, the engine alone"] = Work(
                lambda p=precision: common.engine_seconds(p, file, batch_tokens=0))
        times = common.interleaved(works)
        waits = {name: f"{latency(work):.2f}" for name, (work, _) in contenders.items()}
    spent = {name: taken.cpu / len(QUERIES) * 1000 for name, taken in times.items()}
    for precision, most in (("int8", .62), ("bf16", 1.2), ("fp32", 2.4)):
        engine = spent[f"lmtext {precision}, the engine alone"]
        common.goal(f"query of 10 tokens, the engine, ms: {precision}", engine, most=most)
        common.goal(f"the same by SQL, ms more: {precision}",
                    spent[f"lmtext {precision}, a call a row of one statement"] - engine, most=.05)
    common.table(f"One query of {'/'.join(map(str, tokens))} tokens, warm, one core",
                 ("", "processor ms", "median wait, ms"),
                 [(name, f"{taken:.2f}", waits.get(name, "")) for name, taken in spent.items()])


if __name__ == "__main__":
    main()
