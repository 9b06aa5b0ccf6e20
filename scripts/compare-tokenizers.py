#!/usr/bin/env python3
"""Compare the engine's tokenizer with `tokenizers` on every kind of text: ids, offsets, type ids.

Prints "ok NAME" or "not ok NAME" for each set of texts, the first differences, and the speed of both
on one thread, by processor time. --share 3/10 takes each tenth text from the fourth on.

usage: compare-tokenizers.py --program build/unit/tools/tokenize_lines --model DIR
                             [--cache DIR] [--corpus FILE.jsonl] [--fixtures DIR] [--only SET,…] [--share K/N] [--long]
"""
import argparse
import array
import contextlib
import functools
import glob
import io
import json
import multiprocessing
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
import unicodedata

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from tokenizer_texts import SCALARS, fuzz, long_texts, torture  # noqa: E402

BATCH = 20000

# Where the texts of each set begin, and how far apart they are.
FIRST, STEP = 0, 1

# (name, function) of each set of texts; a forked worker knows them by their number.
jobs = []


class Program:
    """The engine's tokenizer as a program over one tokenizer.json."""

    def __init__(self, path, tokenizer, *config):
        self.path, self.files = path, (tokenizer, *config)

    def run(self, texts, *options):
        with tempfile.TemporaryFile() as file:
            for text in texts:
                data = text.encode("utf-8")
                file.write(struct.pack("<I", len(data)) + data)
            file.seek(0)
            return subprocess.run([self.path, *options, *self.files], stdin=file, check=True,
                                  stdout=subprocess.PIPE).stdout

    def encode(self, texts, *options):
        """(ids, starts, stops, types) of each call."""
        values = array.array("i", self.run(texts, *options))
        at, columns = 0, 2 if "--ids-only" in options else 4
        while at < len(values):
            count = values[at]
            parts = [values[at + 1 + i * count:at + 1 + (i + 1) * count] for i in range(columns)]
            at += 1 + columns * count
            yield tuple(list(part) for part in parts)


def reference(encoding, columns):
    """What the library says, in the program's form."""
    starts, stops = [o[0] for o in encoding.offsets], [o[1] for o in encoding.offsets]
    if columns == 2:
        return encoding.ids, encoding.type_ids
    return encoding.ids, starts, stops, encoding.type_ids


class Comparison:
    def __init__(self, name):
        self.name, self.texts, self.different = name, 0, 0

    def check(self, what, got, wanted):
        self.texts += 1
        if got != wanted:
            self.different += 1
            if self.different <= 3:
                print(f"  {self.name}: {what!r:.300}\n    got    {got!s:.400}\n"
                      f"    wanted {wanted!s:.400}")

    def report(self):
        verdict = "not ok" if self.different or not self.texts else "ok"
        print(f"{verdict} {self.name}: {self.texts} texts, {self.different} differences", flush=True)
        return verdict == "ok"


def compare(name, program, library, texts, *options, special=True):
    """One set of texts: with offsets, and ids alone."""
    result = Comparison(name)
    texts = texts[FIRST % max(len(texts), 1)::STEP]
    for start in range(0, len(texts), BATCH):
        batch = texts[start:start + BATCH]
        wanted = library.encode_batch(batch, add_special_tokens=special)
        alone = program.encode(batch, "--ids-only", *options)
        for text, got, ids, encoding in zip(batch, program.encode(batch, *options), alone, wanted):
            result.check(text, got + ids, reference(encoding, 4) + reference(encoding, 2))
    return result.report()


def compare_pairs(name, program, library, texts, *options, special=True):
    result = Comparison(name)
    pairs = list(zip(texts[::2], texts[1::2]))[FIRST::STEP]
    flat = [text for pair in pairs for text in pair]
    wanted = library.encode_batch(pairs, add_special_tokens=special)
    for pair, got, encoding in zip(pairs, program.encode(flat, "--pair", *options), wanted):
        result.check(pair, got, reference(encoding, 4))
    return result.report()


def load_library(path):
    library = Tokenizer.from_file(path)
    library.no_truncation()
    library.no_padding()
    return library


def compare_cuts(name, program, library, texts, side):
    """Texts and pairs that are too long, with the side that loses tokens."""
    good = True
    for limit in (3, 4, 7, 16, 100):
        library.enable_truncation(limit, direction=side)
        good &= compare(f"{name}-cut-{limit}", program, library, texts, "--max-tokens", str(limit))
        # RobertaProcessing has four special tokens in a pair.
        if limit >= library.num_special_tokens_to_add(True):
            good &= compare_pairs(f"{name}-pair-cut-{limit}", program, library, texts, "--max-tokens",
                                  str(limit))
    return good


def compare_options(name, program, path, texts):
    """Truncation on both sides, text without special tokens, special tokens as plain text, pairs."""
    library, good = load_library(path), True
    good &= compare(name + "-bare", program, library, texts, "--no-special", special=False)
    good &= compare_pairs(name + "-pair", program, library, texts)
    good &= compare_pairs(name + "-pair-bare", program, library, texts, "--no-special",
                          special=False)
    good &= compare_cuts(name, program, library, texts, "right")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as config:
        config.write('{"truncation_side": "left"}')
        config.flush()
        good &= compare_cuts(name + "-left", Program(program.path, path, config.name), library, texts, "left")
    library.no_truncation()
    library.encode_special_tokens = True
    return good & compare(name + "-plain", program, library, texts, "--plain")


def compare_speed(program, library, texts, rounds=5):
    """MB per second of processor time of both; at least five times the library's speed is asked for."""
    size = sum(len(text.encode("utf-8")) for text in texts) / 1e6
    slow, good = 1e9, True
    for _ in range(2):
        start = time.process_time()
        for at in range(0, len(texts), 1000):
            library.encode_batch(texts[at:at + 1000])
        slow = min(slow, time.process_time() - start)
    for name, options in (("offsets", ()), ("ids", ("--ids-only",))):
        fast = float(program.run(texts, "--cpu", str(rounds), *options))
        good &= slow / fast >= 5
        print(f"{'ok' if slow / fast >= 5 else 'not ok'} speed-{name}: {len(texts)} texts, "
              f"{size:.1f} MB: {size / fast:.1f} MB/s, library {size / slow:.2f} MB/s, "
              f"ratio {slow / fast:.1f}", flush=True)
    return good


def debian_texts(args, english, translations):
    """Bodies of the Debian corpus, which is fetched unless a file is given: each so-many-th of the English ones and of
    the others (0: none)."""
    path = args.corpus or os.path.join(args.cache, "corpus.jsonl")
    if not os.path.exists(path):
        subprocess.run([sys.executable, os.path.join(HERE, "debian-corpus.py"), "--out-dir",
                        args.cache], check=True)
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    others = [row["body"] for row in rows if row["lang"] != "en"]
    return [row["body"] for row in rows if row["lang"] == "en"][::english] + (others[::translations] if translations else [])


@functools.cache
def hard_texts(seed, count):
    """The torture set, and what is drawn: the same for all tokenizers of a process."""
    return torture() + fuzz(random.Random(seed), count)


def compare_model(args, path):
    """All sets over the real model."""
    program = Program(args.program, path)

    def check(name, texts):
        return name, lambda: compare(name, program, load_library(path), texts())

    yield check("scalars", lambda: [chr(c) for c in SCALARS])
    yield check("words", lambda: words(args.long))
    yield check("torture", torture)
    yield check("fuzz", lambda: fuzz(random.Random(1), 200000 if args.long else 60000))
    yield check("long", long_texts)
    yield "options", lambda: compare_options("options", program, path, hard_texts(7, 4000))
    if args.corpus or args.cache:
        english, translations = (1, 1) if args.long else (2, 4)
        yield check("debian", lambda: debian_texts(args, english, translations))


@functools.cache
def words(everything):
    """Characters inside a word: all, or those that are assigned, of the many alike (ideographs, syllables) one in
    eleven."""
    return [f"a{chr(c)}b" for c in SCALARS
            if everything or c % 11 == 0 or unicodedata.category(chr(c)) not in ("Cn", "Co", "Lo")]


def compare_fixture(args, path):
    """Small tokenizers of other kinds."""
    name = os.path.basename(path)[:-len(".tokenizer.json")]
    program = Program(args.program, path)
    yield name, lambda: compare(name, program, load_library(path), hard_texts(3, 20000))
    yield name, lambda: compare_options(name, program, path, hard_texts(3, 20000)[:3000])
    yield name, lambda: compare(f"{name}-words", program, load_library(path), words(args.long))


def run_job(number):
    """Whether a job found no difference, and what it said."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        good = jobs[number][1]()
    return good, said.getvalue()


def run_all(processes):
    """The jobs, as many at a time as there are processors; each says what it found when it is done."""
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for good, said in pool.imap_unordered(run_job, range(len(jobs))):
            print(said, end="", flush=True)
            yield good


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="test/tools/tokenize_lines, built")
    parser.add_argument("--model", required=True, help="folder with tokenizer.json")
    parser.add_argument("--cache", help="folder of the Debian corpus; fetched when empty")
    parser.add_argument("--corpus", help="JSON lines with a body and a lang")
    parser.add_argument("--fixtures", default=os.path.join(HERE, "../test/golden/tokenizer"))
    parser.add_argument("--long", action="store_true", help="every character with every fixture, every translation")
    parser.add_argument("--only", default="", help="these sets alone, between commas")
    parser.add_argument("--share", default="0/1", help="K/N: each N-th text of a set, from number K on")
    args = parser.parse_args()
    global FIRST, STEP
    FIRST, STEP = map(int, args.share.split("/"))
    assert tokenizers.__version__ == "0.23.3", "compare with tokenizers 0.23.3"
    path = os.path.join(args.model, "tokenizer.json")
    found = list(compare_model(args, path))
    for fixture in sorted(glob.glob(os.path.join(args.fixtures, "*.tokenizer.json"))):
        found += compare_fixture(args, fixture)
    only = set(args.only.split(",")) if args.only else None
    jobs.extend(job for job in found if only is None or job[0] in only)
    results = list(run_all(1 if only else os.cpu_count()))
    if (only is None or "speed" in only) and (args.corpus or args.cache):
        texts = debian_texts(args, 10, 0)
        results.append(compare_speed(Program(args.program, path), load_library(path), texts))
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
