#!/usr/bin/env python3
"""The lines of the Dockerfile, run in empty Debian systems, and what they install, used: check.py CHECKOUT WORK.

As root, in mount and PID namespaces of its own (scripts/parts/package.sh): no mount and no process outlives it. It ends
when its standard input does, whose other end the caller holds. Sources are those of this machine's apt. Prints "ok NAME"
and "not ok NAME" lines."""
import glob
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time

CHECKOUT, WORK = (pathlib.Path(name).resolve() for name in sys.argv[1:])
FAILED = []


def check(name, fine, note=""):
    print(f"{'ok' if fine else 'not ok'} {name}", flush=True)
    if not fine:
        FAILED.append(name)
        print(f"# {note}", flush=True)
    return fine


def end_with_caller():
    while os.read(0, 4096):
        pass
    os._exit(1)  # the first process of its namespace: the others end with it


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


# ---- An empty Debian ----

def sources():
    """(address, suite, keyring) of this machine's Debian archives, the release's own first."""
    lines = output("apt-get", "indextargets", "--format", "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)",
                   "Created-By: Packages").split("\n")
    found = [tuple(line.split("|")[1:]) for line in lines if line.startswith("Debian|")]
    main = sorted({(uri, release, keys) for uri, release, component, keys in found if component == "main"},
                  key=lambda source: len(source[1]))
    if not main:
        sys.exit("apt has no Debian archive; run apt-get update")
    return main


def settings_of_apt():
    """How archives are reached: proxies and the like."""
    return "\n".join(line for line in output("apt-config", "dump").split("\n") if re.match(r"Acquire::https?::", line)) + "\n"


def copy_in(root, path):
    target = root / str(path).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)


def debootstrap(root):
    archives = sources()
    address, suite, keys = archives[0]
    keyring = ["--keyring", keys] if keys.startswith("/") else []
    subprocess.run(["debootstrap", "--variant=minbase", *keyring, suite, root, address], check=True, stdout=subprocess.DEVNULL)
    for uri, _, keys in archives:
        if keys.startswith("/"):
            copy_in(root, keys)
    (root / "etc/apt/sources.list").write_text("".join(
        f"deb {'[signed-by=' + keys + '] ' if keys.startswith('/') else ''}{uri} {release} main\n" for uri, release, keys in archives))
    (root / "etc/apt/apt.conf.d/50this-machine").write_text(settings_of_apt())
    for path in ["/etc/resolv.conf", "/etc/hosts", os.environ.get("SSL_CERT_FILE", "")]:
        if path and os.path.exists(path):
            copy_in(root, path)
    # As images have it: no service is started, and disks are not waited for.
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    (root / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")


def mount(root):
    for place in ("proc", "dev", "dev/shm"):
        (root / place).mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    subprocess.run(["mount", "--rbind", "/dev", root / "dev"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", root / "dev/shm"], check=True)


def inside(root, script):
    """Its status, and the end of its output."""
    kept = {key: value for key, value in os.environ.items() if "proxy" in key.lower() or key == "SSL_CERT_FILE"}
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    done = subprocess.run(["chroot", root, "/bin/sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                          env={**kept, "PATH": path, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"})
    return done.returncode, done.stdout[-6000:]


# ---- The Dockerfile ----

def instructions(text):
    """(INSTRUCTION, arguments) in order; comments and continued lines as Docker reads them."""
    lines = "\n".join(line for line in text.split("\n") if not line.lstrip().startswith("#"))
    return [tuple(line.split(None, 1)) for line in lines.replace("\\\n", " ").split("\n") if line.strip()]


def ignored():
    """tar's options for what .dockerignore leaves out."""
    patterns = (CHECKOUT / ".dockerignore").read_text().split()
    return [f"--exclude={'*' + pattern[3:] if pattern.startswith('**/') else './' + pattern}" for pattern in patterns]


def copy(roots, root, arguments):
    *names, target = shlex.split(arguments)
    into = root / target.lstrip("/")
    into.mkdir(parents=True, exist_ok=True)
    if names[0].startswith("--from="):
        source = roots[names.pop(0)[7:]]
        found = [path for name in names for path in glob.glob(str(source / name.lstrip("/")))]
        for path in found:
            shutil.copy(path, into)
        return check(f"COPY {arguments}", found, names)
    tar = subprocess.Popen(["tar", "-C", CHECKOUT, *ignored(), "-cf", "-", *names], stdout=subprocess.PIPE)
    subprocess.run(["tar", "-C", into, "--no-same-owner", "-xf", "-"], stdin=tar.stdout, check=True)
    return check(f"COPY {arguments}", tar.wait() == 0)


def run_dockerfile(base):
    """The systems of its stages by name, the last one's as "", or nothing when a line failed."""
    roots, root = {}, None
    for number, (word, arguments) in enumerate(instructions((CHECKOUT / "Dockerfile").read_text())):
        began = time.monotonic()
        if word == "FROM":
            name = (re.search(r" AS (\S+)$", arguments) or ["", ""])[1]
            root = roots[name] = WORK / f"stage-{number}"
            # Every image stands on Debian; what else an image has, the packages bring.
            subprocess.run(["cp", "-a", "--reflink=auto", base, root], check=True)
            mount(root)
        elif word == "COPY":
            if not copy(roots, root, arguments):
                return None
        elif word == "RUN":
            status, out = inside(root, arguments)
            if not check(f"RUN {' '.join(arguments.split())[:60]}", status == 0, out):
                return None
        else:
            check(f"an instruction that this test knows: {word}", False)
        print(f"# {word} {arguments.split()[0]}: {time.monotonic() - began:.0f} s", flush=True)
    return roots


# ---- What it installs ----

USE = """
CREATE EXTENSION lmtext;
SELECT extversion FROM pg_extension WHERE extname = 'lmtext';
SELECT lmtext.import_model('tiny', '/srv/models/tiny');
SELECT cardinality(v), abs(sqrt((SELECT sum(x * x) FROM unnest(v) x)) - 1) < 1e-3, v <=> v < 1e-6
    FROM lmtext.l2_normalize(lmtext.embed('recover deleted files', 'tiny')) v;
SELECT shares_models FROM lmtext.device;
"""


def check_server(root):
    shutil.copytree(CHECKOUT / "models/tiny/bert", root / "srv/models/tiny")
    (root / "tmp/use.sql").write_text(USE)
    status, out = inside(root, """set -e
        chmod -R a+rX /srv/models
        pg_ctlcluster 15 main start
        su postgres -c 'createdb -E UTF8 -T template0 --locale=C.UTF-8 shop'
        su postgres -c 'psql -XAtq -v ON_ERROR_STOP=1 -d shop -f /tmp/use.sql'
        pg_ctlcluster 15 main stop""")
    version = re.search(r"default_version = '(.*)'", (CHECKOUT / "lmtext.control").read_text())[1]
    size = json_dimension(CHECKOUT / "models/tiny/bert/config.json")
    check("the installed extension embeds", status == 0 and out.split() == [version, "1", f"{size}|t|t", "t"], out)
    library = root / "usr/lib/postgresql/15/lib/lmtext.so"
    check("its library is stripped", library.stat().st_size < 14_000_000, library.stat().st_size)
    status, out = inside(root, "dpkg -L postgresql-15-lmtext; apt-get purge -y postgresql-15-lmtext")
    check("its licence and OpenBLAS's come along", "/copyright\n" in out and "/copyright.OpenBLAS" in out, out)
    check("it goes without a rest", status == 0 and not library.exists() and not list(root.glob("usr/share/postgresql/15/extension/lmtext*")), out)


def json_dimension(path):
    return re.search(r'"hidden_size": *(\d+)', path.read_text())[1]


def check_package(root):
    sizes = {path.name.split("_")[0]: path.stat().st_size for path in (root / "src").glob("*.deb")}
    check("packages of library and of symbols", sorted(sizes) == ["postgresql-15-lmtext", "postgresql-15-lmtext-dbgsym"], sizes)
    print(f"# bytes: {sizes}")
    changes = list((root / "src").glob("*.changes"))
    # The project has neither an address nor a bug in Debian's tracker.
    known = "bogus-mail-host,bogus-mail-host-in-debian-changelog,initial-upload-closes-no-bugs"
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", "--suppress-tags", known, *changes], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    check("lintian has nothing to say", done.returncode == 0, done.stdout)


def main():
    threading.Thread(target=end_with_caller, daemon=True).start()
    base = WORK / "base"
    debootstrap(base)
    check("an empty Debian", (base / "usr/bin/apt-get").exists())
    roots = run_dockerfile(base)
    if roots:
        check_package(roots["build"])
        check_server(roots[""])
    sys.stdout.flush()
    os._exit(1 if FAILED or not roots else 0)


main()
