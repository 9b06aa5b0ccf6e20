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


def measure(name, model, texts, file):
    reference, others = peers.Torch("fp32", model), peers.all_but_torch(model)
    tokens, wanted = reference.tokens(texts), reference.embed(texts)
    works, cosines = {}, {}
    for precision in PRECISIONS:
        key = f"lmtext {precision}, the engine alone"
        with tempfile.NamedTemporaryFile() as vectors:
            common.engine_seconds(precision, file, model=model, vectors=vectors.name)
            cosines[key] = (numpy.fromfile(vectors.name, "<f4").reshape(wanted.shape) * wanted).sum(1)
        works[key] = (precision, Work(lambda p=precision: common.engine_seconds(p, file, model=model)))
    for peer in [reference] + others:
        works[peer.name] = (peer.precision, Work(lambda p=peer: p.embed(texts)))
        cosines[peer.name] = (peer.embed(texts) * wanted).sum(1)
    times = common.interleaved({key: work for key, (_, work) in works.items()}, rounds=3, warm=0)
    rows = []
    for key, (precision, _) in works.items():
        best = max((tokens / times[peer.name].cpu for peer in [reference] + others if peer.precision == precision),
                   default=None)
        speed, cosine = tokens / times[key].cpu, cosines[key]
        rows.append((key, f"{speed:,.0f}", f"{speed / best:.2f}" if best else "",
                     f"{cosine.min():.5f} / {cosine.mean():.5f}"))
    common.table(f"{name}, random weights: {len(texts)} mixed texts, {tokens} tokens; one core",
                 ("", "tokens/s", "÷ best peer of that precision", "cosine to torch fp32, min / mean"), rows)


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
