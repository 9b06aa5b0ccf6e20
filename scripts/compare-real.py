#!/usr/bin/env python3
"""Compare lmtext.embed with `sentence-transformers` by a published model, on English texts of the Debian corpus.

Prints "ok NAME" or "not ok NAME" for each precision: of fp32 the largest difference of an element, which must be at most
2e-6; of bf16 and int8 the least cosine, which must be at least .999 and .997 (all-mpnet-base-v2: .9998 and .9978), and the mean.
Needs psql's environment (PGHOST …), the extension and a venv with sentence-transformers.

usage: compare-real.py --model DIR --corpus corpus.jsonl [--count 200]
"""
import argparse
import csv
import json
import subprocess
import sys
import tempfile

import numpy
import sentence_transformers
import torch

DIFFERENCE = 2e-6
COSINES = {"bf16": .999, "int8": .997}


def sample(path, count):
    """English texts, spread evenly."""
    with open(path, encoding="utf-8") as lines:
        texts = [row["body"] for row in map(json.loads, lines) if row["lang"] == "en"]
    return texts[::max(1, len(texts) // count)][:count]


def psql(script):
    return subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", "postgres"],
                          input=script, capture_output=True, text=True, check=True).stdout


def by_lmtext(texts, model):
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(enumerate(texts))
        file.flush()
        out = psql(f"""
            CREATE TEMP TABLE text (id int, body text);
            \\copy text FROM '{file.name}' WITH (FORMAT csv, ENCODING 'utf8')
            SELECT lmtext.embed(body, '{model}') FROM text ORDER BY id;
            """)
    return numpy.array([[float(x) for x in line[1:-1].split(",")] for line in out.splitlines()])


def cosines(ours, theirs):
    norms = numpy.linalg.norm(ours, axis=1) * numpy.linalg.norm(theirs, axis=1)
    return (ours * theirs).sum(1) / norms


def report(good, text):
    print(f"{'ok' if good else 'not ok'} {text}", flush=True)
    return not good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--count", type=int, default=200)
    args = parser.parse_args()
    torch.set_num_threads(1)
    texts = sample(args.corpus, args.count)
    model = sentence_transformers.SentenceTransformer(args.model, device="cpu")
    # One by one: the reference pads batches.
    theirs = numpy.array([model.encode(text) for text in texts])
    psql("CREATE EXTENSION IF NOT EXISTS lmtext")
    imported = "real@" + psql(f"SELECT lmtext.import_model('real', '{args.model}')").strip()
    worst = numpy.abs(by_lmtext(texts, imported) - theirs).max()
    failures = report(worst <= DIFFERENCE, f"fp32: {len(texts)} texts, largest difference {worst:.1e}")
    for precision, bound in COSINES.items():
        version = psql(f"SELECT lmtext.quantize('{imported}', '{precision}')").strip()
        found = cosines(by_lmtext(texts, f"real@{version}"), theirs)
        failures += report(found.min() >= bound,
                           f"{precision}: {len(texts)} texts, least cosine {found.min():.5f}, mean {found.mean():.5f}")
    psql("SELECT lmtext.drop_model('real')")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
