"""Models of other sizes, with random weights: 12 layers of all-MiniLM-L6-v2's width, and BERT-base.

The reference library makes them; int8 is calibrated on the texts that ship. The engine alone, beside the peers.
"""
import json
import os
import pathlib
import shutil
import tempfile

import numpy
import torch
import transformers

import common
import peers
from common import Work

PRECISIONS = ("fp32", "bf16", "int8")
SIZES = {
    "12 layers × 384": {"num_hidden_layers": 12},
    "BERT-base, 12 layers × 768": {"num_hidden_layers": 12, "hidden_size": 768, "intermediate_size": 3072},
}
POOLING = pathlib.Path("1_Pooling") / "config.json"


def make(model, settings):
    """A folder as the real model's, with other weights."""
    shutil.rmtree(model, ignore_errors=True)
    shutil.copytree(common.MODEL, model)
    for weights in model.glob("*.safetensors"):
        weights.unlink()
    config = transformers.AutoConfig.from_pretrained(common.MODEL, **settings)
    torch.manual_seed(1)
    transformers.AutoModel.from_config(config, dtype=torch.float32).save_pretrained(model)
    pooling = json.loads((model / POOLING).read_text())
    pooling["word_embedding_dimension"] = config.hidden_size
    (model / POOLING).write_text(json.dumps(pooling))


def calibrate(model):
    """The same folder with its matrices in int8."""
    folder = common.folder("int8", model)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(model, folder, copy_function=os.link)
    common.engine("engine_quantize", model, folder)


def engine_embed(precision, file, model):
    with tempfile.NamedTemporaryFile() as vectors:
        common.engine_seconds(precision, file, model=model, vectors=vectors.name)
        width = json.loads((model / "config.json").read_text())["hidden_size"]
        return numpy.fromfile(vectors.name, "<f4").reshape(-1, width)


def measure(name, model, texts, file):
    reference = peers.Torch("fp32", model)
    tokens = reference.tokens(texts)
    works = {f"lmtext {precision}, the engine alone":
             (precision, Work(lambda p=precision: common.engine_seconds(p, file, model=model)),
              lambda p=precision: engine_embed(p, file, model)) for precision in PRECISIONS}
    for peer in [reference] + peers.all_but_torch(model):
        works[peer.name] = (peer.precision, Work(lambda p=peer: p.embed(texts)), lambda p=peer: p.embed(texts))
    common.compare(f"{name}, random weights: {len(texts)} mixed texts, {tokens} tokens; one core", tokens,
                   reference.embed(texts), works, rounds=3)


def main():
    texts = common.corpus(60)
    with common.texts_file(texts) as file:
        for number, (name, settings) in enumerate(SIZES.items()):
            model = common.MODEL.parent / f"random_{number}"
            make(model, settings)
            calibrate(model)
            measure(name, model, texts, file)


if __name__ == "__main__":
    main()
