#!/usr/bin/env python3
"""Compare lmtext.embed with sentence-transformers on variants of a model folder: settings that change the vector, old
layouts, models of other types.

Prints "ok NAME" or "not ok NAME" for each variant. Elements may differ by 2e-6 of the vector's length, as in
compare-embeddings.py. Needs psql's environment (PGHOST …), the extension and a venv with sentence-transformers.

usage: compare-folders.py --model DIR [--share K/N]   (a folder of sentence-transformers with modules.json, in the present layout)
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy
import torch
from sentence_transformers import SentenceTransformer

BOUND = 2e-6
TEXTS = ["", "one", "How do planes fly?", "Ünïcödé ÉCOLE 東京", "a longer text " * 40]
PACKAGE = "sentence_transformers."


def edit(folder, name, **members):
    """Set members of a JSON file, which need not be there."""
    path = folder / name
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(content | members), encoding="utf-8")


def modules(folder, change):
    path = folder / "modules.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def truncate(width):
    return lambda folder: edit(folder, "config_sentence_transformers.json", truncate_dim=width)


def without_normalize(folder):
    modules(folder, lambda content: content.pop())
    truncate(100)(folder)


def slashes(folder):
    modules(folder, lambda content: [content[1].update(path="./1_Pooling/"), content[0].update(path=".")])


def old_layout(name):
    def change(folder):
        (folder / name).mkdir()
        for file in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors",
                     "sentence_bert_config.json", "vocab.txt", "special_tokens_map.json"):
            if (folder / file).exists():
                shutil.move(folder / file, folder / name / file)
        modules(folder, lambda content: content[0].update(path=name + "/"))
    return change


def no_modules(folder):
    """Without modules.json the library reads no settings of sentence-transformers."""
    (folder / "modules.json").unlink()
    (folder / "sentence_bert_config.json").unlink()
    truncate(8)(folder)


def masked_lm(folder):
    no_modules(folder)
    edit(folder, "config.json", architectures=["BertForMaskedLM"])


def classifier(folder):
    no_modules(folder)
    edit(folder, "config.json", architectures=["BertForSequenceClassification"], id2label={"0": "a", "1": "b"})


def cross_encoder(folder):
    edit(folder, "config_sentence_transformers.json", model_type="CrossEncoder", prompts={"query": "q: "},
         default_prompt_name="query")
    (folder / "sentence_bert_config.json").unlink()


def new_classes(folder):
    paths = ("base.modules.transformer.Transformer", "sentence_transformer.modules.pooling.Pooling",
             "base.modules.normalize.Normalize")
    modules(folder, lambda content: [entry.update(type=PACKAGE + path) for entry, path in zip(content, paths)])


def custom_class(folder):
    modules(folder, lambda content: content[0].update(type="custom_st.Transformer"))


def harmless(folder):
    edit(folder, "config.json", output_hidden_states=True, return_dict=False, torchscript=True, chunk_size_feed_forward=2,
         directionality="bidi", classifier_dropout=0.5, num_labels=3, use_cache=False, tie_word_embeddings=False)
    edit(folder, "sentence_bert_config.json", unpad_inputs=False)


# Name, change, options of the import; None: both refuse the folder.
VARIANTS = [
    ("as-it-is", lambda folder: None, {}),
    ("truncate-128", truncate(128), {}),
    ("truncate-1", truncate(1), {}),
    ("truncate-beyond", truncate(1000), {}),
    ("truncate-without-normalize", without_normalize, {}),
    ("slashes", slashes, {}),
    ("0_Transformer", old_layout("0_Transformer"), {}),
    ("0_BERT", old_layout("0_BERT"), {}),
    ("no-modules", no_modules, {}),
    ("masked-lm", masked_lm, {}),
    ("classifier-as-embedding", classifier, {"task": "embedding"}),
    ("cross-encoder-as-embedding", cross_encoder, {"task": "embedding"}),
    ("new-classes", new_classes, {}),
    ("custom-class", custom_class, None),
    ("harmless-keys", harmless, {}),
]


def by_lmtext(folder, options):
    """Embeddings of the texts, or None where the import is refused."""
    script = f"""
        BEGIN;
        CREATE EXTENSION IF NOT EXISTS lmtext;
        SELECT lmtext.import_model('variant', :'folder', :'options');
        SELECT lmtext.embed(body, 'variant') FROM json_array_elements_text(:'texts') WITH ORDINALITY AS t(body, id)
        ORDER BY id;
        ROLLBACK;
        """
    run = subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-v", f"folder={folder}",
                          "-v", f"options={json.dumps(options)}", "-v", f"texts={json.dumps(TEXTS)}"],
                         input=script, capture_output=True, text=True)
    if run.returncode != 0:
        return None, run.stderr.strip().replace("\n", " ")
    return numpy.array([[float(x) for x in line[1:-1].split(",")] for line in run.stdout.splitlines()[1:]]), ""


def by_library(folder):
    try:
        return SentenceTransformer(str(folder), device="cpu").encode(TEXTS, convert_to_numpy=True)
    except ValueError:
        return None


def compare(model, base, name, change, options):
    folder = base / name
    shutil.copytree(model, folder, copy_function=shutil.copy)
    change(folder)
    subprocess.run(["chmod", "-R", "a+rX", base], check=True)
    ours, said = by_lmtext(folder, options or {})
    theirs = by_library(folder)
    shutil.rmtree(folder)
    if options is None:
        return "" if ours is None and theirs is None else "one of the two takes it"
    if ours is None or theirs is None:
        return said or "the library refuses it"
    if ours.shape != theirs.shape:
        return f"{ours.shape} and not {theirs.shape}"
    length = numpy.maximum(1, numpy.linalg.norm(theirs, axis=1, keepdims=True))
    distance = float((numpy.abs(ours - theirs) / length).max())
    return "" if distance <= BOUND else f"{distance:.2e} apart"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--share", default="0/1", help="K/N: each N-th of the variants, from the K-th on")
    arguments = parser.parse_args()
    model = arguments.model
    first, parts = map(int, arguments.share.split("/"))
    # Its threads spin while they wait for each other.
    torch.set_num_threads(1)
    failed = 0
    with tempfile.TemporaryDirectory(dir="/var/tmp") as base:
        for name, change, options in VARIANTS[first::parts]:
            wrong = compare(model, pathlib.Path(base), name, change, options)
            failed += bool(wrong)
            print(f"not ok {name}: {wrong}" if wrong else f"ok {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
