"""What others feel of a flood: look-ups by primary key in one session, alone, beside two sessions that embed without a pause, beside
two workers of a job that step back (lmtext.job_nice), and, for comparison, beside two sessions that PostgreSQL itself keeps busy.

The wall clock is what is asked for here, so on a machine that is busy otherwise only the comparison says something.
"""
import contextlib
import threading
import time

import common

LOOKUPS = 4000
SESSIONS = 2
BUSY = {
    "two sessions that embed": "SELECT count(lmtext.embed(body || i, 'minilm')) FROM flood_text, generate_series(1, 1000000) i",
    "two sessions of plain SQL": "SELECT count(md5(body || i)) FROM flood_text, generate_series(1, 1000000000) i",
}


def look_ups(connection):
    """Milliseconds of each."""
    taken = []
    for turn in range(LOOKUPS):
        began = time.perf_counter()
        connection.execute("SELECT body FROM flood_text WHERE id = %s", (turn % 1000,), prepare=True).fetchone()
        taken.append(1e3 * (time.perf_counter() - began))
    return sorted(taken)


def statement(connection, command):
    with contextlib.suppress(common.psycopg.errors.QueryCanceled):
        connection.execute(command)


@contextlib.contextmanager
def kept_busy(*commands):
    """Sessions that run them meanwhile."""
    sessions = [common.connect() for _ in commands]
    threads = [threading.Thread(target=statement, args=pair) for pair in zip(sessions, commands)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    yield
    for session in sessions:
        session.cancel()
    for thread in threads:
        thread.join()
    for session in sessions:
        session.close()


def nice_job(connection, nice):
    """The command of a job with two workers that does not end meanwhile."""
    common.load_texts(connection, "flood_job", [f"a text of some words, number {i}" for i in range(100_000)])
    connection.execute(f"ALTER ROLE postgres SET lmtext.job_nice = {nice}")
    connection.execute("SELECT lmtext.create_job('flood', 'flood_job', 'body', 'embed', 'minilm', 'e')")
    return f"CALL lmtext.run_job('flood', {SESSIONS})"


def main():
    with common.prepare() as connection:
        common.load_texts(connection, "flood_text", [f"text {i}" for i in range(1000)])
        look_ups(connection)
        took = {"alone": look_ups(connection)}
        for name, command in BUSY.items():
            with kept_busy(*[command] * SESSIONS):
                took[name] = look_ups(connection)
        with kept_busy(nice_job(connection, 19)):
            took["two workers of a job, lmtext.job_nice = 19"] = look_ups(connection)
        connection.execute("ALTER ROLE postgres RESET lmtext.job_nice")
        connection.execute("SELECT lmtext.drop_job('flood')")
        took["alone again"] = look_ups(connection)
    figures = {name: (times[LOOKUPS // 2], times[LOOKUPS * 99 // 100], times[-1]) for name, times in took.items()}
    common.goal("p99 of look-ups beside two sessions that embed ÷ alone", figures["two sessions that embed"][1] / figures["alone"][1], most=3)
    common.goal("the longest look-up beside them, ms", figures["two sessions that embed"][2], most=1000, digits=0)
    common.table(f"{LOOKUPS:,} look-ups by primary key, ms", ("beside", "p50", "p99", "longest"),
                 [(name, *(f"{value:.2f}" for value in values)) for name, values in figures.items()])


if __name__ == "__main__":
    main()
