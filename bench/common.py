"""What the benchmarks share: the corpus, the model, servers, interleaved timing, tables."""
import collections
import contextlib
import json
import os
import pathlib
import statistics
import struct
import subprocess
import tempfile
import time

import psycopg

BUILD = pathlib.Path(os.environ["LMTEXT_BUILD"])
GOALS = pathlib.Path(os.environ["LMTEXT_GOALS"])  # what goal() notes and goals.py shows
MODEL = pathlib.Path(os.environ["LMTEXT_MINILM"])
PROGRAMS = BUILD / "unit"


def corpus(count, step=61):
    """`count` package descriptions spread evenly over the corpus, in its own (mixed) order."""
    with open(BUILD / "corpus" / "corpus.jsonl", encoding="utf-8") as file:
        lines = [line for line in file if '"lang": "en"' in line]
    return [json.loads(lines[i * step % len(lines)])["body"] for i in range(count)]


def connect(version=15, **options):
    host = os.environ[f"LMTEXT_HOST_{version}"]
    return psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True, **options)


def model_name(precision="fp32"):
    return "minilm" if precision == "fp32" else f"minilm_{precision}"


def folder(precision, model=MODEL):
    """The files that the engine reads for a precision: those of the calibrated version for int8."""
    return model.parent / f"{model.name}_int8" if precision == "int8" else model


def prepare(precisions=("fp32",), version=15):
    """A connection to a server that has the extension and the model; its int8 version is exported, for the engine."""
    connection = connect(version)
    connection.execute("CREATE EXTENSION IF NOT EXISTS lmtext")
    level = os.environ.get("LMTEXT_LEVEL")
    if level:
        connection.execute("SELECT set_config('lmtext.isa', %s, false)", (level,))
    for precision in precisions:
        name = model_name(precision)
        found = connection.execute("SELECT count(*) FROM lmtext.models WHERE name = %s", (name,)).fetchone()
        if found[0] == 0:
            connection.execute("SELECT lmtext.import_model(%s, %s, jsonb_build_object('precision', %s::text))",
                               (name, str(MODEL), precision))
        if precision == "int8" and not folder(precision).exists():
            connection.execute("SELECT lmtext.export_model(%s, %s)", (name, str(folder(precision))))
    return connection


def import_tiny(connection):
    """A model that computes next to nothing: what is left is what surrounds it."""
    if connection.execute("SELECT count(*) FROM lmtext.models WHERE name = 'tiny'").fetchone()[0] == 0:
        connection.execute("SELECT lmtext.import_model('tiny', %s)", (str(MODEL.parent / "tiny"),))


def load_texts(connection, table, texts):
    """A table of texts, with a column for their vectors."""
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, body text, e real[])")
    with connection.cursor().copy(f"COPY {table} (id, body) FROM STDIN") as copy:
        for row in enumerate(texts):
            copy.write_row(row)
    connection.execute(f"VACUUM ANALYZE {table}")


def create_table(connection, table, model):
    """The whole table embedded in one backend, into another table: nothing comes back."""
    connection.execute(f"CREATE TEMP TABLE made AS SELECT lmtext.embed(body, '{model}') FROM {table}")
    connection.execute("DROP TABLE made")


def update_table(connection, table, model):
    """The table's own column of vectors."""
    connection.execute(f"UPDATE {table} SET e = lmtext.embed(body, '{model}')")


def backend_seconds(pid):
    """Processor seconds of a process with one thread."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def server_seconds(connection):
    """Processor seconds of a whole server: of its processes, and of those that have ended."""
    stat = pathlib.Path(f"/proc/{connection.info.backend_pid}/stat").read_text()
    postmaster = stat.rsplit(") ", 1)[1].split()[1]
    fields = pathlib.Path(f"/proc/{postmaster}/stat").read_text().rsplit(") ", 1)[1].split()
    spent = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    for pid in pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            spent += backend_seconds(pid)
    return spent


class Work:
    """Something to time. `server` is the connection whose backend does the work; without it, this
    process does, unless the work itself returns the processor seconds that it took elsewhere. `before`
    prepares each time, and is not timed."""

    def __init__(self, call, server=None, before=None):
        self.call, self.server, self.before = call, server, before

    def clock(self):
        if self.server is None:
            return time.process_time()
        return backend_seconds(self.server.info.backend_pid)

    def time(self):
        """(seconds, processor seconds)"""
        if self.before:
            self.before()
        started, used = time.perf_counter(), self.clock()
        result = self.call()
        taken, used = time.perf_counter() - started, self.clock() - used
        return taken, result if isinstance(result, float) else used


Time = collections.namedtuple("Time", "wall cpu")


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(contenders, rounds=5, warm=1, check=None):
    """{name: Work} → {name: Time}, median wall clock and least processor time; every round runs each once, and checks it by its name.

    Other processes on the machine stretch the wall clock at random; ratios of work on one thread
    are therefore taken of processor time, which on a quiet machine is the same. They stretch that
    too, through shared caches and the other thread of a core, but never shorten it: hence the least.
    """
    times = {name: [] for name in contenders}
    for turn in range(rounds + warm):
        for name, work in contenders.items():
            taken = work.time()
            if check:
                check(name)
            if turn >= warm:
                times[name].append(taken)
    return {name: Time(statistics.median(wall for wall, _ in values), min(cpu for _, cpu in values))
            for name, values in times.items()}


@contextlib.contextmanager
def texts_file(texts):
    """The texts as the engine's programs read them: each after its length."""
    with tempfile.NamedTemporaryFile(suffix=".texts") as file:
        for text in texts:
            data = text.encode()
            file.write(struct.pack("<I", len(data)) + data)
        file.flush()
        yield file.name


def engine(program, *arguments):
    """The words that a program of the engine alone prints."""
    command = [PROGRAMS / "bench" / program, *arguments]
    done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    return done.stdout.split()


def engine_seconds(precision, file, batch_tokens=512, model=MODEL, vectors=None):
    """Processor seconds of one pass over the texts by the engine alone; the vectors go to a file that is named."""
    level = os.environ.get("LMTEXT_LEVEL") or "best"
    words = engine("engine_embed", folder(precision, model), file, level, batch_tokens, precision,
                   *([f"vectors={vectors}"] if vectors else []))
    return float(words[2])


def table(title, header, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


def goal(claim, measured, least=None, most=None, digits=2):
    """A figure that has to be at least, or at most, so much."""
    with open(GOALS, "a", encoding="utf-8") as file:
        print(json.dumps({"claim": claim, "measured": float(measured), "least": least, "most": most,
                          "digits": digits}), file=file)


def compare(title, tokens, wanted, works, rounds):
    """A table of {name: (precision, Work, embed)}: embed gives the vectors, and warms up; None for no cosines.

    Speeds stand beside that of the best peer of their precision; peers are what is not lmtext. Returns
    {name: tokens/s} and {name: cosines}.
    """
    vectors = {name: embed() for name, (_, _, embed) in works.items() if embed}
    times = interleaved({name: work for name, (_, work, _) in works.items()}, rounds, warm=0)
    speeds = {name: tokens / time.cpu for name, time in times.items()}
    best = {}
    for name, (precision, _, _) in works.items():
        if not name.startswith("lmtext"):
            best[precision] = max(best.get(precision, 0), speeds[name])
    cosines = {name: (made * wanted).sum(1) for name, made in vectors.items()}
    table(title, ("", "tokens/s", "÷ best peer of that precision", "cosine to torch fp32, min / mean"), [
        (name, f"{speeds[name]:,.0f}", f"{speeds[name] / best[precision]:.2f}" if precision in best else "",
         f"{cosines[name].min():.5f} / {cosines[name].mean():.5f}" if name in cosines else "")
        for name, (precision, _, _) in works.items()])
    return speeds, cosines
