"""Memory of many backends, the first call in a new backend, and loading from the catalog."""
import pathlib
import statistics

import common
from common import Work

BACKENDS = 95  # of the 100 connections that a server allows
EMBED = "SELECT lmtext.embed('a short text that every backend embeds', 'minilm')"


# As long as the window: what a session keeps for its work has then grown as far as one text makes it.
EMBED_LONG = "SELECT lmtext.embed(repeat('a text that fills the window ', 100), 'minilm')"


def private(connections):
    """MiB of memory that the backends share with nobody."""
    total = 0
    for one in connections:
        status = pathlib.Path(f"/proc/{one.info.backend_pid}/status").read_text()
        total += int(status.split("RssAnon:")[1].split()[0])
    return total / 1024


def backends():
    """(MiB of one copy, MiB that so many backends take beyond it once all have embedded)"""
    connections = [common.connect() for _ in range(BACKENDS)]
    for one in connections:
        one.execute("SELECT 1")
    before = private(connections)
    for one in connections:
        one.execute(EMBED_LONG)
    after = private(connections)
    image = connections[0].execute("SELECT max(bytes) FROM lmtext.model_cache").fetchone()
    for one in connections:
        one.close()
    return image[0] / 2**20, after - before


def first_calls(count):
    """Times of the first statement that embeds, in new backends, beside the second."""
    first, second = [], []
    for _ in range(count):
        with common.connect() as connection:
            connection.execute("SELECT 1")
            for times in (first, second):
                times.append(Work(lambda: connection.execute(EMBED), connection).time())
    return [tuple(statistics.median(column) * 1000 for column in zip(*times)) for times in (first, second)]


def loads(connection, count):
    """Times of a load into shared memory."""
    times = []
    for _ in range(count):
        connection.execute("SELECT lmtext.unload_model('minilm')")
        work = Work(lambda: connection.execute("SELECT lmtext.load_model('minilm')"), connection)
        times.append(work.time())
    return tuple(statistics.median(column) * 1000 for column in zip(*times))


def main():
    with common.prepare() as connection:
        load = loads(connection, 5)
    image, beyond = backends()
    first, second = first_calls(20)
    common.goal("memory of 100 backends beyond one copy, GB", beyond * 2**20 / 1e9 / BACKENDS * 100, most=.3, digits=3)
    common.goal("first call in a new backend, ms", first[1], most=20, digits=1)
    common.goal("load from the catalog, s", load[1] / 1000, most=.5)
    common.table(f"Memory of {BACKENDS} backends that have embedded", ("", ""), [
        ("one copy in shared memory", f"{image:.0f} MiB"),
        (f"private memory of all {BACKENDS}, beyond what they had when idle", f"{beyond:.1f} MiB"),
        ("both ÷ one copy", f"{1 + beyond / image:.2f}")])
    common.table("Start", ("", "processor ms", "median wait, ms"), [
        (name, *(f"{time:.1f}" for time in reversed(times)))
        for name, times in (("first call in a new backend", first), ("second call", second),
                            ("load from the catalog into shared memory", load))])


if __name__ == "__main__":
    main()
