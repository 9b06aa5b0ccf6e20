"""The prediction cache: texts that it has and texts that it has not, and the same without it, with a call a row of one statement."""
import itertools
import time

import common
from common import Work

TEXTS = [f"how do I resize image number {i}" for i in range(1000)]


def set_size(connection, size):
    """Of the whole server: a reload, which each session reads at its own time."""
    connection.execute("LOAD 'lmtext'")
    connection.execute(f"ALTER SYSTEM SET lmtext.prediction_cache_size = '{size}'")
    connection.execute("SELECT pg_reload_conf()")
    for _ in range(600):
        if connection.execute("SHOW lmtext.prediction_cache_size").fetchone()[0] == size:
            return
        time.sleep(.1)
    raise RuntimeError(f"the server does not take {size}")


def main():
    with common.prepare() as connection:
        common.load_texts(connection, "cached", TEXTS)
        connection.execute("SET lmtext.batch = off")
        turn = itertools.count()

        def rows(use, call):
            def work():
                connection.execute(f"SET lmtext.use_prediction_cache = {use}")
                connection.execute(f"SELECT count(v) FROM (SELECT {call()} v FROM cached OFFSET 0) q")
            return Work(work, connection)

        works = {
            "found": rows("on", lambda: "lmtext.embed(body, 'minilm')"),
            "not found, computed and kept": rows("on", lambda: f"lmtext.embed(body || ' {next(turn)}', 'minilm')"),
            "computed without the cache": rows("off", lambda: f"lmtext.embed(body || ' {next(turn)}', 'minilm')"),
            "no call": rows("off", lambda: f"body || ' {next(turn)}'"),
        }
        set_size(connection, "64MB")
        try:
            times = common.interleaved(works)
        finally:
            connection.execute("SELECT lmtext.prediction_cache_reset()")
            set_size(connection, "0")
    spent = {name: taken.cpu / len(TEXTS) * 1e6 for name, taken in times.items()}
    common.goal("a text that the prediction cache has, µs", spent["found"] - spent["no call"], most=20, digits=1)
    common.table("Prediction cache: texts of 10 tokens, a call a row, one core", ("", "processor µs a text"),
                 [(name, f"{taken:.1f}") for name, taken in spent.items()])


if __name__ == "__main__":
    main()
