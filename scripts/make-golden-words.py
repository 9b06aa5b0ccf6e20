#!/usr/bin/env python3
"""Make the golden files of word vectors: models/words/*.

Random vectors in the files that GloVe, fastText and word2vec write, with the vectors that gensim reads of them and the means of
the words of texts in float64, cut as the library tokenizers cuts them. Needs gensim (LGPL: a reference for tests, no part of the
product) and tokenizers.

    python3 scripts/make-golden-words.py
"""
import json
import os
import shutil

import gensim
import numpy
import tokenizers
from tokenizers import normalizers, pre_tokenizers

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models", "words")
LOWER = ["the", ",", ".", "cat", "sat", "on", "mat", "don", "'", "t", "größe", "кот", "日", "#", "a_b", "42", "dog", "cat", "-", "e\u0301"]
CASED = ["</s>", "The", "the", "Cat", "cat", "New_York", "New", "York", "in", "##", "U.S.", "Größe", "don't", "the", "."]
TEXTS = ["cat", "The cat sat on the mat.", "Größe, КОТ 日 – 42 dogs; dog", "don't a_b #", "New_York in New York: the U.S.", "the\tcat \u00a0 sat\n. 日日",
         "unknown words count for nothing but the cat", "e\u0301 é"]


def number(generator, value):
    """A number as these programs, or any other, may write it."""
    return generator.choice([f"{value:.5f}", f"{value:.9g}", f"{value:.17g}", f"{value:e}", f"{value:.3f}".replace("0.", "."), f"{value:+.4f}",
                             f"{value * 1e-41:.6g}", f"{value:.40f}", f"{round(value)}", f"{value:.20E}"])


def lines(generator, words, width):
    return [word + "".join(" " + number(generator, value) for value in generator.normal(0, 0.5, width)) for word in words]


def glove(path):
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        out.write("\n".join(lines(numpy.random.default_rng(1), LOWER, 7)) + "\n")


def fasttext(path):
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        out.write("\n".join([f"{len(CASED)} 12"] + [line + " " for line in lines(numpy.random.default_rng(2), CASED, 12)]) + "\n")


def word2vec(path):
    vectors = numpy.random.default_rng(3).normal(0, 0.5, (len(CASED), 9)).astype("<f4")
    with open(path, "wb") as out:
        out.write(f"{len(CASED)} 9\n".encode())
        for word, vector in zip(CASED, vectors):
            out.write(word.encode() + b" " + vector.tobytes() + b"\n")


FILES = {
    "glove": ("glove.txt", glove, dict(no_header=True), {"lowercase": True}),
    "fasttext": ("words.vec", fasttext, {}, {"lowercase": False}),
    "word2vec": ("words.bin", word2vec, dict(binary=True), {"lowercase": False}),
    "limited.bin": ("words.w2v", fasttext, dict(limit=5), {"lowercase": True, "limit": 5, "tokenizer": "whitespace"}),
}


def cut(text, options):
    if options["lowercase"]:
        text = normalizers.Lowercase().normalize_str(text)
    splitter = pre_tokenizers.WhitespaceSplit() if options.get("tokenizer") == "whitespace" else pre_tokenizers.Whitespace()
    return [word for word, _ in splitter.pre_tokenize_str(text)]


def make(name, file, write, reading, options):
    folder = os.path.join(ROOT, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    write(os.path.join(folder, file))
    vectors = gensim.models.KeyedVectors.load_word2vec_format(os.path.join(folder, file), **reading)
    assert vectors.vectors.dtype == numpy.float32
    words = [word for word in vectors.index_to_key if word is not None]  # gensim leaves gaps at the end for repeated words
    cases = []
    for text in TEXTS:
        known = [vectors[word].astype(numpy.float64) for word in cut(text, options) if word in vectors]
        mean = sum(known) / len(known) if known else []
        cases.append({"text": text, "embedding": [float(f"{value:.9g}") for value in mean]})
    golden = {
        "reference": {"gensim": gensim.__version__, "tokenizers": tokenizers.__version__},
        "file": file, "options": options, "words": words,
        "vectors": [[float(f"{value:.9g}") for value in vector] for vector in vectors.vectors[:len(words)]], "cases": cases,
    }
    with open(os.path.join(folder, "golden.json"), "w", encoding="utf-8", newline="\n") as out:
        json.dump(golden, out, ensure_ascii=False, separators=(",", ":"))
        out.write("\n")
    print(name, len(words), "words")


if __name__ == "__main__":
    for name, row in FILES.items():
        make(name, *row)
