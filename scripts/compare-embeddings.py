#!/usr/bin/env python3
"""Compare lmtext.embed with `transformers` on texts of the Debian corpus, language by language.

Prints "ok NAME" or "not ok NAME" for each language with the largest difference of an element of the
normalised embeddings, which must be at most 2e-6: torch in fp32 is within 2e-7 of fp64, and lmtext
adds its own rounding. Needs psql's environment (PGHOST …), the extension and a venv with torch and
transformers.

usage: compare-embeddings.py --model DIR --corpus corpus.jsonl [--each 100] [--share K/N]
"""
import argparse
import concurrent.futures
import csv
import subprocess
import sys
import tempfile

import numpy
import torch
import transformers

from corpus_texts import sample

BOUND = 2e-6
WINDOW = 256


def psql(script):
    return subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", "postgres"],
                          input=script, capture_output=True, text=True, check=True).stdout


def by_lmtext(texts):
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(enumerate(texts))
        file.flush()
        out = psql(f"""
            CREATE TEMP TABLE text (id int, body text);
            \\copy text FROM '{file.name}' WITH (FORMAT csv, ENCODING 'utf8')
            SELECT lmtext.embed(body, 'live') FROM text ORDER BY id;
            """)
    return numpy.array([[float(x) for x in line[1:-1].split(",")] for line in out.splitlines()])


def by_transformers(model, tokenizer, texts):
    rows = []
    for text in texts:
        tokens = tokenizer(text, truncation=True, max_length=WINDOW, return_tensors="pt")
        with torch.inference_mode():
            mean = model(**tokens).last_hidden_state[0].mean(0)
        rows.append(torch.nn.functional.normalize(mean, dim=0).numpy())
    return numpy.array(rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--share", default="0/1")
    args = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    model = transformers.AutoModel.from_pretrained(args.model, dtype=torch.float32).eval()
    failures = 0
    psql(f"""
        CREATE EXTENSION IF NOT EXISTS lmtext;
        SELECT lmtext.import_model('live', '{args.model}');
        """)
    for language, texts in sample(args.corpus, args.each, args.share).items():
        # Both at once: each computes on one thread.
        with concurrent.futures.ThreadPoolExecutor(1) as other:
            ours = other.submit(by_lmtext, texts)
            theirs = by_transformers(model, tokenizer, texts)
        ours = ours.result()
        worst = numpy.abs(ours - theirs).max() if ours.shape == theirs.shape else numpy.inf
        good = bool(worst <= BOUND)
        failures += not good
        print(f"{'ok' if good else 'not ok'} embeddings {language}: {len(texts)} texts, "
              f"largest difference {worst:.1e}", flush=True)
    psql("SELECT lmtext.drop_model('live')")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
