"""Models of other sizes and families, with random weights: 12 layers of all-MiniLM-L6-v2's width, BERT-base, and the
base models of the families that people use most.

The reference library makes them, with all-MiniLM-L6-v2's words; int8 is calibrated on the texts that ship. The engine
alone, beside the peers.
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
# model_type, and what differs from that family's defaults: those of its base model.
SIZES = {
    "BERT, 12 layers × 384": ("bert", {"hidden_size": 384, "intermediate_size": 1536}),
    "BERT-base, 12 layers × 768": ("bert", {}),
    "DistilBERT, 6 layers × 768": ("distilbert", {}),
    "MPNet-base, 12 layers × 768": ("mpnet", {}),
    "XLM-R-base, 12 layers × 768": ("xlm-roberta", {"max_position_embeddings": 514, "type_vocab_size": 1}),
    "ModernBERT-base, 22 layers × 768": ("modernbert", {}),
}
# Beside fp32 and bf16 of the best peer and int8 of ONNX Runtime.
GOALS = {"fp32": 1.15, "bf16": 1.15, "int8": 1.8}
POOLING = pathlib.Path("1_Pooling") / "config.json"
TOKENS = {"pad_token_id": 0, "cls_token_id": 101, "bos_token_id": 101, "sep_token_id": 102, "eos_token_id": 102}


def make(model, kind, settings):
    """A folder as the real model's, of another kind and with other weights."""
    shutil.rmtree(model, ignore_errors=True)
    shutil.copytree(common.MODEL, model)
    for weights in model.glob("*.safetensors"):
        weights.unlink()
    config = transformers.AutoConfig.for_model(kind, **TOKENS, vocab_size=common_words(), **settings)
    torch.manual_seed(1)
    transformers.AutoModel.from_config(config, dtype=torch.float32).save_pretrained(model)
    pooling = json.loads((model / POOLING).read_text())
    pooling["word_embedding_dimension"] = config.hidden_size
    (model / POOLING).write_text(json.dumps(pooling))


def common_words():
    return transformers.AutoConfig.from_pretrained(common.MODEL).vocab_size


def calibrate(model):
    """The same folder with its matrices in int8."""
    folder = common.folder("int8", model)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(model, folder, copy_function=os.link)
    common.engine("engine_quantize", model, folder)


def engine_embed(precision, file, model):
    with tempfile.NamedTemporaryFile() as vectors:
        common.engine_seconds(precision, file, model=model, vectors=vectors.name)
        width = transformers.AutoConfig.from_pretrained(model).hidden_size
        return numpy.fromfile(vectors.name, "<f4").reshape(-1, width)


def measure(name, model, texts, file):
    reference = peers.Torch("fp32", model)
    tokens = reference.tokens(texts)
    works = {f"lmtext {precision}, the engine alone":
             (precision, Work(lambda p=precision: common.engine_seconds(p, file, model=model)),
              lambda p=precision: engine_embed(p, file, model)) for precision in PRECISIONS}
    for peer in [reference] + peers.all_but_torch(model):
        works[peer.name] = (peer.precision, Work(lambda p=peer: p.embed(texts)), lambda p=peer: p.embed(texts))
    speeds, cosines = common.compare(f"{name}, random weights: {len(texts)} mixed texts, {tokens} tokens; one core", tokens,
                                     reference.embed(texts), works, rounds=3)
    for precision, least in GOALS.items():
        ours = f"lmtext {precision}, the engine alone"
        best = max((speeds[peer] for peer, (kind, _, _) in works.items() if kind == precision and peer != ours), default=None)
        if best:
            common.goal(f"{name}: {precision} ÷ the best peer", speeds[ours] / best, least=least)
        if precision != "fp32":
            common.goal(f"{name}: mean cosine of {precision}", cosines[ours].mean(), least=.999, digits=5)


def main():
    texts = common.corpus(60)
    with common.texts_file(texts) as file:
        for name, (kind, settings) in SIZES.items():
            if os.environ.get("LMTEXT_SIZES", "") not in name:
                continue
            model = common.MODEL.parent / f"random_{list(SIZES).index(name)}"
            make(model, kind, settings)
            calibrate(model)
            measure(name, model, texts, file)


if __name__ == "__main__":
    main()
