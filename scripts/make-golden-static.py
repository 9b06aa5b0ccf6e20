#!/usr/bin/env python3
"""Make the golden models without layers: models/tiny/static-*.

Random vectors for the vocabulary of the other golden models, in the folders that sentence-transformers and model2vec write,
with the embeddings that these compute. Needs both (versions below), and make-golden.py beside it.

    python3 scripts/make-golden-static.py [--only NAME]
"""
import argparse
import importlib
import json
import os
import shutil
import sys

import model2vec
import numpy
import sentence_transformers
import tokenizers
import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
golden = importlib.import_module("make-golden")

WIDTH = 21
ROWS = len(golden.VOCABULARY)
PINNED = {sentence_transformers: "6.2.0", tokenizers: "0.23.3", model2vec: "0.10.0"}
LONG = "the cat sat on the mat " * 20

# seed, and what is odd about it. `st`: sentence-transformers' layout; else model2vec's.
FOLDERS = {
    "static-st": dict(seed=430, st=True, normalize=True, prompts={"query": "query: "}),
    "static-st-folder": dict(seed=431, st=True, normalize=False, folder="0_StaticEmbedding"),
    "static-model2vec": dict(seed=432, normalize=True),
    "static-model2vec-mapped": dict(seed=433, normalize=False, mapped=True, dtype=numpy.float16, modules=False, max_length=40),
}


def make_tokenizer(folder):
    golden.make_tokenizer(folder, {})
    os.remove(os.path.join(folder, "tokenizer_config.json"))
    return tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))


def make_st(folder, spec, vectors):
    from sentence_transformers.base.modules.normalize import Normalize
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    modules = [StaticEmbedding(make_tokenizer(folder), embedding_weights=torch.from_numpy(vectors))]
    if spec["normalize"]:
        modules.append(Normalize())
    model = sentence_transformers.SentenceTransformer(modules=modules, device="cpu", prompts=spec.get("prompts"))
    model.save(folder, create_model_card=False)
    if "folder" in spec:  # as before 5
        os.makedirs(os.path.join(folder, spec["folder"]))
        for name in ("model.safetensors", "tokenizer.json"):
            os.rename(os.path.join(folder, name), os.path.join(folder, spec["folder"], name))
        path = os.path.join(folder, "modules.json")
        with open(path, encoding="utf-8") as file:
            modules = json.load(file)
        modules[0]["path"] = spec["folder"]
        golden.write_json(path, modules)
    model = sentence_transformers.SentenceTransformer(folder, device="cpu").double()
    return lambda text, prompt: model.encode([text], prompt_name=prompt, show_progress_bar=False)[0]


def make_model2vec(folder, spec, vectors):
    more = {}
    if spec.get("mapped"):
        generator = numpy.random.default_rng(spec["seed"] + 1000)
        more = {"token_mapping": generator.integers(0, 30, ROWS), "weights": generator.uniform(0.2, 2, ROWS)}
        vectors = vectors[:30].astype(spec["dtype"])
    model = model2vec.StaticModel(vectors, make_tokenizer(folder), config={"tokenizer_name": "tiny"},
                                  normalize=spec["normalize"], max_length=spec.get("max_length"), **more)
    model.save_pretrained(folder)
    if not spec.get("modules", True):
        os.remove(os.path.join(folder, "modules.json"))
    path = os.path.join(folder, "config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    golden.write_json(path, {"model_type": "model2vec", **config})
    model = model2vec.StaticModel.from_pretrained(folder)
    model.embedding = model.embedding.astype(numpy.float64)
    return lambda text, prompt: model.encode(text)


def make(name, spec):
    folder = os.path.join(golden.TINY, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    vectors = numpy.random.default_rng(spec["seed"]).normal(0, 0.5, (ROWS, WIDTH)).astype(numpy.float32)
    encode = (make_st if spec.get("st") else make_model2vec)(folder, spec, vectors)
    cases = [{"text": text, **({"prompt_name": prompt} if prompt else {}),
              "embedding": [float(f"{value:.9g}") for value in encode(text, prompt)]}
             for text in golden.TAG_TEXTS + [LONG] for prompt in [None, *spec.get("prompts", {})] if text]
    kept = {"config.json", "tokenizer.json", "modules.json", "model.safetensors", "config_sentence_transformers.json",
            "0_StaticEmbedding", "1_Normalize"}
    for each in set(os.listdir(folder)) - kept:
        os.remove(os.path.join(folder, each))
    for base, _, files in os.walk(folder):
        for file in files:
            os.chmod(os.path.join(base, file), 0o644)
    with open(os.path.join(folder, "golden.json"), "w", encoding="utf-8", newline="\n") as out:
        json.dump({"reference": {m.__name__: v for m, v in PINNED.items()}, "texts": {"noise": 0, "cases": cases}}, out,
                  separators=(",", ":"))
        out.write("\n")
    print(name, sorted(os.listdir(folder)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="NAME", help="begin of the names to make")
    arguments = parser.parse_args()
    for module, wanted in PINNED.items():
        if module.__version__.split("+")[0] != wanted:
            sys.exit(f"make-golden-static: {module.__name__} is {module.__version__}, wanted {wanted}")
    for name, spec in FOLDERS.items():
        if name.startswith(arguments.only or ""):
            make(name, spec)


if __name__ == "__main__":
    main()
