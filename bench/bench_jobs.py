"""A job with two workers beside two processes of the engine alone and beside two Python workers that read rows, embed by ONNX
Runtime int8 and write back; a run over rows that have not changed; and what the statistics of calls cost.

LMTEXT_ROWS says how many descriptions there are. Rates of two workers are of wall time and need a quiet machine; beside them stand
ratios of processor time, of the whole server where workers do the job.
"""
import concurrent.futures
import contextlib
import multiprocessing
import os
import time

import bench_worker
import common
import peers
from common import Work

ROWS = int(os.environ.get("LMTEXT_ROWS", 20000))
WORKERS = 2
MODEL = common.model_name("int8")
TABLE = "bench_job"
CALLS = 20000
UNCHANGED = 200_000


def fresh_table(connection, texts):
    """The table without vectors; a job of the former one goes with it."""
    if connection.execute("SELECT count(*) FROM lmtext.jobs WHERE name = 'bench'").fetchone()[0]:
        connection.execute("SELECT lmtext.drop_job('bench')")
    common.load_texts(connection, TABLE, texts)


def fresh_job(connection, texts, model=MODEL):
    fresh_table(connection, texts)
    connection.execute(f"SELECT lmtext.create_job('bench', '{TABLE}', 'body', 'embed', '{model}', 'e')")


def done(connection):
    """A figure of half a job would be a good one."""
    left = connection.execute(f"SELECT count(*) FROM {TABLE} WHERE e IS NULL").fetchone()[0]
    if left:
        raise RuntimeError(f"{left} rows of {TABLE} have no vector")


def engines(pool, files):
    """The processor seconds of processes that run at once, each with its part of the texts."""
    return sum(pool.map(lambda file: common.engine_seconds("int8", file), files))


def serve(part, pipe):
    """A Python worker: a pass over its part of the table for each message."""
    peer = peers.OnnxRuntime("int8")
    with common.connect() as reader, common.connect() as writer:
        pipe.send("ready")
        while pipe.recv():
            began = time.process_time()
            bench_worker.worker(reader, writer, peer, TABLE, f"id % {WORKERS} = {part}")
            pipe.send(time.process_time() - began)


@contextlib.contextmanager
def python_workers():
    """A function that lets all of them make a pass, and returns their processor seconds."""
    peers.onnx_file(common.MODEL, ".int8.onnx")  # made once, not by each
    context = multiprocessing.get_context("spawn")
    pipes = []
    for part in range(WORKERS):
        ours, theirs = context.Pipe()
        context.Process(target=serve, args=(part, theirs), daemon=True).start()
        theirs.close()
        pipes.append(ours)

    def all_of_them():
        for pipe in pipes:
            pipe.send(True)
        return sum(pipe.recv() for pipe in pipes)

    for pipe in pipes:
        pipe.recv()
    yield all_of_them
    for pipe in pipes:
        pipe.send(False)


def with_workers(connection):
    """The processor seconds of the whole server while two workers do the job."""
    before = common.server_seconds(connection)
    connection.execute(f"CALL lmtext.run_job('bench', {WORKERS})")
    return common.server_seconds(connection) - before


def measure(connection, pool, python, name, texts):
    with contextlib.ExitStack() as stack:
        whole = stack.enter_context(common.texts_file(texts))
        parts = [stack.enter_context(common.texts_file(texts[part::WORKERS])) for part in range(WORKERS)]
        times = common.interleaved({
            "engine": Work(lambda: common.engine_seconds("int8", whole)),
            "engines": Work(lambda: engines(pool, parts)),
            "session": Work(lambda: connection.execute("CALL lmtext.run_job('bench')"), connection, lambda: fresh_job(connection, texts)),
            "job": Work(lambda: with_workers(connection), before=lambda: fresh_job(connection, texts)),
            "python": Work(python, before=lambda: fresh_table(connection, texts)),
        }, rounds=3, warm=0, check=lambda name: name.startswith("engine") or done(connection))
    rates = {"engines": WORKERS * len(texts) / times["engines"].cpu, "job": len(texts) / times["job"].wall,
             "python": len(texts) / times["python"].wall}
    ratios = {"session": times["engine"].cpu / times["session"].cpu, "job": times["engines"].cpu / times["job"].cpu,
              "python": times["python"].cpu / times["job"].cpu}
    return (name, len(texts), *(f"{rate:,.0f}" for rate in rates.values()), f"{rates['job'] / rates['engines']:.2f}",
            f"{rates['job'] / rates['python']:.2f}", *(f"{ratio:.2f}" for ratio in ratios.values())), rates, ratios


def unchanged(connection, rows):
    """Seconds of a run that finds nothing to do."""
    fresh_job(connection, [f"text {i}" for i in range(rows)], "tiny")
    connection.execute("CALL lmtext.run_job('bench')")
    done(connection)
    times = common.interleaved({"again": Work(lambda: connection.execute("CALL lmtext.run_job('bench')"), connection)})["again"]
    common.goal(f"seconds of a run over {rows:,} rows that have not changed", times.wall, most=1)
    common.goal(f"processor seconds of a run over {rows:,} rows that have not changed", times.cpu, most=1)
    common.table("A run over rows that have not changed", ("rows", "seconds", "processor seconds"),
                 [(f"{rows:,}", f"{times.wall:.2f}", f"{times.cpu:.2f}")])


def tracked(connection, setting, model, calls):
    """Calls one by one, of different texts, with statistics or without."""
    connection.execute(f"SET lmtext.track = {setting}")
    connection.execute(f"SELECT count(lmtext.embed('how do I resize image ' || i, '{model}')) FROM generate_series(1, {calls}) i")


def statistics_of_calls(connection):
    """What they cost is the difference of many calls of a model that computes next to nothing; its share is of a short query of MiniLM."""
    connection.execute("SET lmtext.batch = off")
    works = {(model, setting): Work(lambda m=model, s=setting, n=calls: tracked(connection, s, m, n), connection)
             for model, calls in (("tiny", CALLS), (MODEL, CALLS // 100)) for setting in ("on", "off")}
    times = common.interleaved(works, rounds=9)
    cost = max(0, times["tiny", "on"].cpu - times["tiny", "off"].cpu) / CALLS
    query = times[MODEL, "off"].cpu / (CALLS // 100)
    common.goal("statistics of calls, % of a short query", 100 * cost / query, most=1)
    common.table("Statistics of calls (lmtext.track), processor time of a call",
                 ("microseconds that they take", "short query, int8, microseconds", "%"),
                 [(f"{1e6 * cost:.2f}", f"{1e6 * query:.0f}", f"{100 * cost / query:.2f}")])


def main():
    rows = []
    sets = (("descriptions", common.corpus(ROWS)), ("first lines", [t.split("\n")[0] for t in common.corpus(ROWS, step=6)]))
    with common.prepare(("int8",)) as connection, concurrent.futures.ThreadPoolExecutor(WORKERS) as pool, python_workers() as python:
        connection.execute("SET lmtext.progress_interval = 0")
        common.import_tiny(connection)
        for name, texts in sets:
            row, rates, ratios = measure(connection, pool, python, name, texts)
            rows.append(row)
            if name == "descriptions":
                common.goal("a job with two workers ÷ two engines alone, int8", rates["job"] / rates["engines"], least=.95)
                common.goal("processor time, the engine alone ÷ a job in one session, int8", ratios["session"], least=.95)
                common.goal("processor time, two engines alone ÷ a job with two workers, int8", ratios["job"], least=.95)
                common.goal("a job with two workers, int8 ÷ two Python workers", rates["job"] / rates["python"], least=3)
                common.goal("processor time, two Python workers ÷ a job with two workers, int8", ratios["python"], least=3)
        common.table("A job with two workers, texts/s",
                     ("texts", "rows", "two engines alone, int8", "job, int8", "Python workers, ONNX Runtime int8", "job ÷ engines",
                      "job ÷ Python workers", "processor time, engine ÷ job in one session", "two engines ÷ job with two workers",
                      "two Python workers ÷ job with two workers"), rows)
        unchanged(connection, UNCHANGED)
        statistics_of_calls(connection)


if __name__ == "__main__":
    main()
