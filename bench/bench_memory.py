"""Memory of many backends, the first call in a new backend, and loading from the catalog."""
import pathlib
import statistics
import time

import common

BACKENDS = 20


def field(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise ValueError(name)


def pid(connection):
    return connection.execute("SELECT pg_backend_pid()").fetchone()[0]


def first_calls(count):
    """Milliseconds of the first statement that embeds, in new backends, beside a warm one."""
    first, warm = [], []
    for _ in range(count):
        with common.connect() as connection:
            connection.execute("SELECT 1")
            for times in (first, warm):
                start = time.perf_counter()
                connection.execute("SELECT lmtext.embed('a short text', 'minilm')")
                times.append((time.perf_counter() - start) * 1000)
    return statistics.median(first), statistics.median(warm)


def loads(connection, count):
    times = []
    for _ in range(count):
        connection.execute("SELECT lmtext.unload_model('minilm')")
        start = time.perf_counter()
        connection.execute("SELECT lmtext.load_model('minilm')")
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def main():
    with common.prepare() as connection:
        load_ms = loads(connection, 5)
        image = connection.execute("SELECT max(bytes) FROM lmtext.model_cache").fetchone()[0] / 2**20
    idle = [common.connect() for _ in range(BACKENDS)]
    for one in idle:
        one.execute("SELECT 1")
    before = sum(field(pid(one), "Pss") for one in idle)
    for one in idle:
        one.execute("SELECT lmtext.embed('a short text that every backend embeds', 'minilm')")
    after = sum(field(pid(one), "Pss") for one in idle)
    for one in idle:
        one.close()
    first, warm = first_calls(10)
    common.table("Memory and start", ("", ""), [
        ("one copy in shared memory", f"{image:.0f} MiB"),
        (f"{BACKENDS} backends that have embedded, PSS beyond idle", f"{after - before:.0f} MiB"),
        ("÷ one copy", f"{(after - before) / image:.2f}"),
        ("first call in a new backend", f"{first:.1f} ms (warm: {warm:.1f} ms)"),
        ("load from the catalog", f"{load_ms:.0f} ms"),
    ])


if __name__ == "__main__":
    main()
