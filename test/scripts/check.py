#!/usr/bin/env python3
"""Tests of the scripts themselves: check.py CHECKOUT, a copy of the checkout that may be spoilt, built, with build/models
and build/pg in its build folder. Prints "ok NAME" and "not ok NAME" lines."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

COPY = pathlib.Path(sys.argv[1]).resolve()
BUILD = COPY / "build"
FAILED = []
STUCK = 600  # seconds: other jobs of a run may have the processors, so this tells only that something hangs


def check(name, fine, note=""):
    print(f"{'ok' if fine else 'not ok'} {name}", flush=True)
    if not fine:
        FAILED.append(name)
        print(f"# {note}", flush=True)


def environment(**more):
    """What a person's shell has: no setting of the run that this test is a part of."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LMTEXT_", "PG"))}
    return {**kept, **more}


def ordinary_signals():
    """A child of a background job ignores Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(*command, **more):
    done = subprocess.run(["sh", *command], cwd=COPY, env=environment(**more), stdin=subprocess.DEVNULL, timeout=STUCK,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def start(*command, **more):
    """In a session of its own, as on a terminal of its own."""
    return subprocess.Popen(["sh", *command], cwd=COPY, env=environment(**more), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
                            preexec_fn=ordinary_signals)


def until(condition, seconds=STUCK):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    return None


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def processes_of(folder):
    """Processes that work in a folder or were started with its name, but this one's own."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            works_in = os.readlink(entry / "cwd")
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        # The demo's server starts such as it likes; a server that is left is seen by its postmaster.
        if command.startswith("postgres: autovacuum worker"):
            continue
        if int(entry.name) != os.getpid() and alive(entry.name) and "check.py" not in command and (
                str(folder) in command or f"{works_in}/".startswith(f"{folder}/")):
            found.append(f"{entry.name} {command[:100]}")
    return found


def postmasters(folder):
    """Those that a pid file names; initdb's servers write and remove theirs while this looks."""
    found = []
    for root, _, names in os.walk(folder):
        try:
            lines = (pathlib.Path(root) / "postmaster.pid").read_text().split("\n") if "postmaster.pid" in names else [""]
        except OSError:
            continue
        found += [int(pid) for pid in lines[:1] if pid.strip().isdigit()]
    return found


def shared_memory(pid):
    try:
        return set(re.findall(r"/dev/shm/PostgreSQL\.\d+", pathlib.Path(f"/proc/{pid}/maps").read_text()))
    except OSError:
        return set()


# ---- Words ----

def check_words():
    status, out = run("scripts/test.sh", "--help")
    parts = set(re.findall(r"^part_(\w+)\(\)", "\n".join(
        path.read_text() for path in (COPY / "scripts/parts").glob("*.sh")), re.M))
    missing = [part for part in parts if not re.search(rf"\b{part}\b", out.partition("Parts:")[2])]
    check("test.sh --help names every part", status == 0 and len(parts) > 20 and not missing, f"{missing} {out}")
    text = (COPY / "scripts/test.sh").read_text()
    listed = set(re.search(r'QUICK_PARTS="(.*)"', text)[1].split() + re.search(r'ALL_PARTS="(.*)"', text)[1].split())
    listed.discard("$QUICK_PARTS")
    # The part coverage runs the loops of faults.
    check("test.sh --all has every part", listed == parts - {"faults"}, f"{listed ^ parts}")
    status, out = run("scripts/quickstart.sh", "--help")
    check("quickstart.sh --help says what it takes", status == 0 and "--rows N" in out and "--port N" in out, out)
    status, out = run("scripts/cluster.sh", "help")
    check("cluster.sh help names its commands", status == 0 and "destroy" in out and "url" in out, out)
    for command, words in ((("scripts/test.sh", "nonsense"), "there is no part nonsense"),
                           (("scripts/quickstart.sh", "--rows", "many"), "--rows needs a number, found many"),
                           (("scripts/quickstart.sh", "--rows", "0"), "at least 1, found 0"),
                           (("scripts/quickstart.sh", "--rows"), "--rows needs a number"),
                           (("scripts/cluster.sh", "start", "--port", "70000"), "up to 65535, found 70000"),
                           (("scripts/cluster.sh", "psql", "-c", "SELECT 1"), "start it by: sh scripts/cluster.sh start")):
        status, out = run(*command)
        check(f"{' '.join(command[:2])}: refused in words", status != 0 and words in out, out)


# ---- apt, by a stand-in ----

STAND_IN = """#!/bin/sh
case "$*" in
*--assume-no*) echo "Need to get 1 MB of archives." ;;
*install*)
    cat "$LMTEXT_POSTGRESQL_COMMON"/createcluster.d/lmtext-*.conf >"$SEEN"
    [ -z "$SLOW" ] || { sleep 31.4159 & echo $! >"$SEEN.child"; wait; }
    exit "${FAILS:-0}"
    ;;
esac
"""


class Apt:
    """A system whose apt-get and dpkg do nothing, and its settings of postgresql-common."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.settings, self.seen = self.folder / "postgresql-common", self.folder / "seen"
        (self.folder / "bin").mkdir()
        for name, text in (("apt-get", STAND_IN), ("dpkg", "#!/bin/sh\n")):
            (self.folder / "bin" / name).write_text(text)
            (self.folder / "bin" / name).chmod(0o755)

    def start(self, parent, **more):
        return start("scripts/apt-install", str(parent), "install", "postgresql-15", PATH=f"{self.folder}/bin:{os.environ['PATH']}",
                     LMTEXT_POSTGRESQL_COMMON=str(self.settings), SEEN=str(self.seen), **{"SLOW": "", **more})

    def forbade(self):
        return self.seen.exists() and self.seen.read_text() == "create_main_cluster = false\n"

    def child(self):
        path = pathlib.Path(f"{self.seen}.child")
        return until(lambda: path.exists() and path.read_text().strip())


def check_apt():
    with tempfile.TemporaryDirectory() as folder:
        apt = Apt(folder)
        status = apt.start(os.getpid()).wait(STUCK)
        check("apt: Debian's own server is not made while its package is installed", status == 0 and apt.forbade())
        check("apt: nothing of that is left", not apt.settings.exists())
    with tempfile.TemporaryDirectory() as folder:
        apt = Apt(folder)
        (apt.settings / "createcluster.d").mkdir(parents=True)
        mine = {"createcluster.conf": "create_main_cluster = true\n", "createcluster.d/site.conf": "ssl = off\n"}
        for name, text in mine.items():
            (apt.settings / name).write_text(text)
        status = apt.start(os.getpid(), FAILS="100").wait(STUCK)
        left = {str(path.relative_to(apt.settings)): path.read_text() for path in apt.settings.rglob("*.conf")}
        check("apt: a failure is one", status == 100 and apt.forbade(), status)
        check("apt: after a failure the settings are as they were", left == mine, left)
    for name in ("a signal", "the end of who called"):
        with tempfile.TemporaryDirectory() as folder:
            apt = Apt(folder)
            with subprocess.Popen(["sleep", str(STUCK)]) as parent:
                job = apt.start(parent.pid, SLOW="yes")
                child = apt.child()
                if name == "a signal":
                    job.terminate()
                    status = job.wait(STUCK)
                    parent.terminate()
                else:
                    parent.terminate()
                    parent.wait()
                    status = job.wait(STUCK)
            check(f"apt: {name} ends it and what it started", status == 130 and child and not alive(child), status)
            check(f"apt: after {name} nothing is left", apt.forbade() and not apt.settings.exists())


# ---- What moves on a terminal ----

def on_terminal(script, keys=None, after=b""):
    """Output of a script on a terminal of its own, its status; KEYS are pressed once AFTER was printed."""
    pid, terminal = pty.fork()
    if pid == 0:
        ordinary_signals()
        os.chdir(COPY)
        os.execvpe("sh", ["sh", "-c", script], environment(LMTEXT_BUILD=str(COPY / "build-pty")))
    out = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            piece = b""
        if not piece:
            break
        out += piece
        if keys and re.search(after, out):
            os.write(terminal, keys)
            keys = None
    os.close(terminal)
    return out.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def check_line():
    script = '. scripts/lib.sh; run_shown "$BUILD/a.log" sh -c "echo working; exec sleep 3.7182"; say done'
    out, status = on_terminal(script)
    check("a line moves on a terminal", status == 0 and len(set(re.findall(r"   \d s  working", out))) >= 2
          and out.count("\r\033[K") >= 2, repr(out))
    status, out = run("-c", script, LMTEXT_BUILD=str(COPY / "build-pty"))
    check("no line moves elsewhere", status == 0 and out == "== done\n", repr(out))
    script = '. scripts/lib.sh; run_shown "$BUILD/b.log" sh -c "echo working; sleep 271.82; true"'
    out, status = on_terminal(script, b"\x03", rb" \d s  working")
    left = [line for line in processes_of("/nowhere 271.82") if line] + [
        entry for entry in subprocess.run(["pgrep", "-f", "^sleep 271.82"], stdout=subprocess.PIPE, text=True,
                                          check=False).stdout.split()]
    check("Ctrl-C ends the step before its time", status != 0 and "interrupted" in out and "100 s" not in out, repr(out))
    check("Ctrl-C leaves nothing of it", not left, left)


# ---- The demo ----

CORPUS = [("imagetool", "graphics", "Resize, crop and convert pictures from the command line"),
          ("undelete", "admin", "Recover deleted files from a broken disk"),
          ("chess", "games", "A chess game with a strong computer opponent"),
          ("cards", "games", "Solitaire and other card games")]


def check_quickstart():
    (BUILD / "corpus").mkdir()
    with open(BUILD / "corpus/corpus.jsonl", "w", encoding="utf-8") as corpus:
        for number in range(400):
            name, section, body = CORPUS[number % len(CORPUS)]
            print(json.dumps({"name": f"{name}{number}", "section": section, "lang": "en", "md5": hashlib.md5(str(number).encode()).hexdigest(),
                              "body": f"{body}, number {number}"}), file=corpus)
    status, out = run("scripts/quickstart.sh", "--rows", "3")
    check("quickstart --rows 3 passes", status == 0 and "3 rows" in out and "a classifier needs two" in out, out[-3000:])
    check("and says what it takes, what it is and how to reach it",
          all(words in out for words in ("What it takes", "postgresql:///lmtext_demo?host=", "after a reboot", "fsync is off")), out)
    queries = re.findall(r"^    (sh scripts/cluster\.sh psql .*)$", out, re.M)
    answers = [run("-c", query) for query in queries]
    check("its three queries run", len(queries) == 3 and all(status == 0 and "row" in out for status, out in answers), answers)
    status, out = run("scripts/quickstart.sh", "--rows", "120")
    again = run("scripts/quickstart.sh", "--rows", "120")
    count = run("scripts/cluster.sh", "psql", "-d", "lmtext_demo", "-Atc",
                "SELECT count(*) FROM lmtext.models WHERE name = 'section'")
    check("a rerun does not pile up versions", status == 0 and again[0] == 0 and count == (0, "1\n"),
          f"{count} {out[-1500:]} {again[1][-1500:]}")


def check_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    status, out = run("scripts/cluster.sh", "start", "--port", str(port))
    url = run("scripts/cluster.sh", "url", "lmtext_demo")[1].strip()
    psql = str(BUILD / "pg/usr/lib/postgresql/15/bin/psql")
    ask = [psql, "-XAtwc", "SELECT inet_server_addr(), count(*) > 0 FROM doc"]
    right = subprocess.run([*ask, url], env=environment(), capture_output=True, text=True, check=False)
    wrong = subprocess.run([*ask, re.sub(r":\w+@", ":wrong@", url)], env=environment(), capture_output=True, text=True, check=False)
    check("--port: reached by TCP on loopback", status == 0 and right.stdout == "127.0.0.1|t\n", f"{out} {right}")
    check("--port: not without the password", wrong.returncode != 0 and "password authentication failed" in wrong.stderr, wrong)
    run("scripts/cluster.sh", "stop")
    run("scripts/cluster.sh", "start")
    right = subprocess.run([*ask, url], env=environment(), capture_output=True, text=True, check=False)
    check("--port: after a restart too", right.stdout == "127.0.0.1|t\n", right)


# ---- Ctrl-C ----

def check_interrupt(name, send, folder, *command, **more):
    """A run that has just started a server below FOLDER ends, and with it all that it made."""
    before = set(processes_of(COPY))
    job = start(*command, **more)
    servers = until(lambda: [pid for pid in (postmasters(folder) if folder.exists() else []) if shared_memory(pid)])
    memory = set().union(*(shared_memory(pid) for pid in servers or []))
    send(job)
    out = job.communicate(timeout=STUCK)[0]
    check(f"{name}: ends before its tests do", servers and job.returncode == 130 and not re.search(r"^\d+ passed, ", out, re.M),
          f"{job.returncode}: {out}")
    left = [line for line in processes_of(COPY) if line not in before]
    check(f"{name}: no process is left", not left, left)
    check(f"{name}: no server's data and shared memory is left", not folder.exists() and memory
          and not any(map(os.path.exists, memory)), f"{list(folder.rglob('*'))[:5] if folder.exists() else ''} {memory}")


def check_interrupts():
    demo = postmasters(BUILD)
    keyboard = lambda job: os.killpg(job.pid, signal.SIGINT)
    check_interrupt("Ctrl-C in tap", keyboard, BUILD / "tap-15", "scripts/test.sh", "tap", LMTEXT_TAP="010*")
    check_interrupt("SIGTERM in sql", lambda job: job.terminate(), BUILD / "cluster-test-sql-15-15", "scripts/test.sh", "sql")
    job = start("scripts/quickstart.sh", "--rows", "400")
    until(lambda: "embedding the table" in job.stdout.readline())
    keyboard(job)
    out = job.communicate(timeout=STUCK)[0]
    left = run("scripts/cluster.sh", "psql", "-d", "lmtext_demo", "-Atc", "SELECT count(*) FROM pg_stat_activity"
               " WHERE backend_type IN ('client backend', 'parallel worker') AND pid <> pg_backend_pid()")
    check("Ctrl-C in quickstart: no statement goes on", job.returncode == 130 and left == (0, "0\n"), f"{left} {out}")
    check("the demo's server runs on", len(demo) == 1 and postmasters(BUILD) == demo, demo)


# ---- The release ----

def check_dist():
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=COPY, check=True)
    version = re.search(r"default_version = '(.*)'", (COPY / "lmtext.control").read_text())[1]
    done = subprocess.run(["make", "-s", "dist"], cwd=COPY, env=environment(), capture_output=True, text=True, check=False)
    archive = COPY / f"lmtext-{version}.zip"
    listed = subprocess.run(["unzip", "-Z1", archive], capture_output=True, text=True, check=False).stdout.split("\n")
    wanted = [f"lmtext-{version}/{name}" for name in ("META.json", "Makefile", "lmtext.control", "README.md", "LICENSE.md")]
    check("make dist: an archive of what is committed", done.returncode == 0 and set(wanted) <= set(listed)
          and all(name.startswith(f"lmtext-{version}/") for name in listed if name), f"{done} {listed[:20]}")
    check("make dist: without what was built", not [name for name in listed if name.endswith((".o", ".so")) or "/build/" in name])
    archive.unlink(missing_ok=True)
    shutil.rmtree(COPY / ".git")


# ---- What is left in the end ----

def check_clean():
    servers = postmasters(BUILD)
    status, out = run("scripts/test.sh", "clean")
    built = [path for path in COPY.rglob("*") if path.suffix in (".o", ".so") or path == BUILD]
    check("clean: the servers end", status == 0 and servers and not any(map(alive, servers)), out)
    check("clean: nothing that was built is left", not built, built[:5])
    check("clean: the sources stay", (COPY / "test/upgrade").is_dir() and list((COPY / "sql/upgrade").glob("lmtext--*.sql")))
    status, out = run("-c", '. scripts/lib.sh && only_one && sh scripts/test.sh clean', LMTEXT_BUILD=str(COPY / "build-busy"))
    check("clean: not during a run", status != 0 and "another run is under way" in out, out)


def main():
    check_words()
    with concurrent.futures.ThreadPoolExecutor() as beside:
        others = [beside.submit(function) for function in (check_apt, check_line, check_dist)]
        check_quickstart()
        check_port()
        check_interrupts()
        for other in others:
            other.result()
    check_clean()
    sys.exit(1 if FAILED else 0)


main()
