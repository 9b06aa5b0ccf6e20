#!/usr/bin/env python3
"""Writes the corpus of hostile model folders.

usage: make.py MODELS OUT [EFFORT]      EFFORT: quick (default), all or long

MODELS holds the sound folders (models/tiny). OUT gets a folder for each case, named by a number, and
index.tsv: number, room, name, SQLSTATE of an import, words that its message must have (separated by U+001F).
What is as in the sound folder is a hard link, so the corpus takes little room.
"""
import os
import sys

import coded
import config
import headers
import odd
import pickles
import quantized
import sentence
import shards
import structure
import tokenizer
import truncation
import values
import words
from folder import MISSING, Model, Sparse

ROOMS = (odd, headers, structure, config, values, shards, tokenizer, sentence, truncation, quantized,
         pickles, words, coded)


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        if isinstance(content, Sparse):
            file.write(content.head)
            file.truncate(content.size)
        else:
            file.write(content)


def write_base(out, model):
    for name, content in model.files.items():
        write(os.path.join(out, "base", model.name, name), content)


def write_case(out, number, case, model):
    folder = os.path.join(out, str(number))
    os.mkdir(folder)
    for name in model.files:
        if name not in case.files:
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.link(os.path.join(out, "base", model.name, name), path)
    for name, content in case.files.items():
        if content is not MISSING:
            write(os.path.join(folder, name), content)


def main():
    source, out = sys.argv[1:3]
    effort = sys.argv[3] if len(sys.argv) > 3 else "quick"
    models = {name: Model(source, name) for name in sorted(os.listdir(source))}
    seen = set()
    os.umask(0o022)
    os.makedirs(out)
    for model in models.values():
        write_base(out, model)
    with open(os.path.join(out, "index.tsv"), "w", encoding="utf-8") as index:
        for room in ROOMS:
            for case in room.cases(models, effort):
                assert case.name not in seen, f"two cases are called {case.name}"
                assert not any(c in word for word in case.said for c in "\t\n\\"), case.name
                seen.add(case.name)
                write_case(out, len(seen), case, models[case.base])
                index.write("\t".join((str(len(seen)), room.__name__, case.name, case.state,
                                       "\x1f".join(word for word in case.said if word))) + "\n")
    print(len(seen), "folders")


if __name__ == "__main__":
    main()
