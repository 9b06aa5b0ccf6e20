"""How near calibrated int8 is to fp32: package descriptions, other languages, STS-B.

LMTEXT_DATA names a folder with stsb/stsb-en-dev.csv; without it that row is left out.
"""
import collections
import contextlib
import csv
import json
import os
import pathlib
import subprocess
import tempfile

import numpy

import common

OTHER_LANGUAGES = ("de", "fr", "ja", "it", "es", "zh_CN")


def translations(count):
    """`count` descriptions of each other language that the corpus has, spread evenly."""
    lines = collections.defaultdict(list)
    with open(common.BUILD / "corpus" / "corpus.jsonl", encoding="utf-8") as file:
        for line in file:
            lines[line.split('"lang": "', 1)[1].split('"', 1)[0]].append(line)
    return [json.loads(lines[language][i * 17 % len(lines[language])])["body"]
            for language in OTHER_LANGUAGES if lines[language] for i in range(count)]


def sentence_pairs():
    """STS-B dev: texts, two a pair, and the pairs' scores."""
    path = pathlib.Path(os.environ.get("LMTEXT_DATA", "")) / "stsb" / "stsb-en-dev.csv"
    if not path.is_file():
        return [], []
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    return [text for row in rows for text in row[:2]], [float(row[2]) for row in rows]


def ranks(values):
    """Ranks from 0, those of equal values averaged."""
    _, places, counts = numpy.unique(values, return_inverse=True, return_counts=True)
    return (numpy.cumsum(counts) - (counts + 1) / 2)[places]


def spearman(folder, name, precision, scores):
    vectors = numpy.fromfile(folder / f"{name}.{precision}", "<f4").reshape(2 * len(scores), -1)
    cosines = (vectors[0::2] * vectors[1::2]).sum(axis=1)
    return numpy.corrcoef(ranks(cosines), ranks(numpy.array(scores)))[0, 1]


def main():
    pairs, scores = sentence_pairs()
    sets = {"descriptions": common.corpus(400, 157), "other languages": translations(60), "STS-B dev": pairs}
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        paths = {stack.enter_context(common.texts_file(texts)): name for name, texts in sets.items() if texts}
        files = {pathlib.Path(path).name: name for path, name in paths.items()}
        program = [str(common.PROGRAMS / "bench" / "engine_quantize"), str(common.MODEL), str(folder)]
        lines = subprocess.run(program + list(paths), check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        rows = []
        for line in lines[2:]:
            file, count, _, least, _, first, _, mean = line.split(" ")
            rows.append((files[file], count, least, first, mean))
        common.table("Calibrated int8", ("texts", "number", "cosine to fp32: least", "first hundredth", "mean"), rows)
        print(f"\n{lines[0]}; {lines[1]}")
        for file, name in files.items():
            if name == "STS-B dev":
                fp32, int8 = (spearman(folder, file, precision, scores) for precision in ("fp32", "int8"))
                print(f"\nSTS-B dev, Spearman: fp32 {fp32:.5f}, int8 {int8:.5f}")
                common.goal("STS-B dev, Spearman: fp32 − int8", fp32 - int8, most=.002, digits=5)


if __name__ == "__main__":
    main()
