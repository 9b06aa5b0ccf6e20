#!/usr/bin/env python3
"""Record what torch trains: test/golden/finetune.json. Of tiny models (models/tiny) with a head: the loss and the gradients of
all weights on a few texts, and the losses of 20 steps of AdamW. In float64 for gradients, float32 for the steps, dropout off;
running this again with the pinned versions (make-golden.py) gives the same file.

    python3 scripts/make-finetune.py

A gradient is recorded by its length and by its products with three fixed vectors: cos(rate * i) for its elements i.
"""
import json
import os

import torch
import transformers

HERE = os.path.dirname(os.path.abspath(__file__))
TINY = os.path.join(HERE, "..", "models", "tiny")
OUT = os.path.join(HERE, "..", "test", "golden", "finetune.json")
RATES = (0.37, 1.3, 2.9)
STEPS, BATCH = 20, 4

SEQUENCE = ["bert-sequence", "distilbert-sequence", "roberta-sequence", "electra-sequence", "albert-sequence",
            "ernie-sequence", "megatron-bert-sequence", "rembert-sequence", "modernbert-sequence",
            "roberta-prelayernorm-sequence"]
TOKEN = ["bert-token", "distilbert-token", "electra-token", "modernbert-token"]
WORDS = ["hello world", "the cat is on the mat", "a", "no way , not now", "world of the cats", "is it on", "now",
         "the world", "cat and mat", "hello hello a cat", "it is not", "way on the way now"]


def tokens(tokenizer, text, window):
    return tokenizer(text, truncation=True, max_length=window)["input_ids"]


def groups(model):
    decayed = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    return [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]


def loss_of(model, ids, targets, labels):
    """Mean over targets of a batch, each text alone: nothing is padded. `targets` of -100 count for nothing."""
    rows, wanted = [], []
    for text, target in zip(ids, targets):
        logits = model(input_ids=torch.tensor([text]), attention_mask=torch.ones(1, len(text), dtype=torch.long)).logits
        rows.append(logits.reshape(-1, labels))
        wanted.append(torch.tensor(target).reshape(-1))
    return torch.nn.functional.cross_entropy(torch.cat(rows), torch.cat(wanted))


def record(name, kind, dtype=torch.float64):
    folder = os.path.join(TINY, name)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    load = transformers.AutoModelForSequenceClassification if kind == "classification" else \
        transformers.AutoModelForTokenClassification
    config = json.load(open(os.path.join(folder, "config.json")))
    window = 16

    def fresh(dtype):
        model = load.from_pretrained(folder, dtype=dtype, attn_implementation="eager")
        model.train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        for key in ("attention_dropout", "dropout_prob", "dropout"):
            for module in model.modules():
                if isinstance(getattr(module, key, None), float):
                    setattr(module, key, 0.0)
        return model

    model = fresh(torch.float64)
    labels = model.config.num_labels
    ids = [tokens(tokenizer, text, window) for text in WORDS]
    if kind == "classification":
        targets = [i % labels for i in range(len(ids))]
    else:
        special = set(tokenizer.all_special_ids)
        targets = [[-100 if token in special and token != tokenizer.unk_token_id else (i + at) % labels
                    for at, token in enumerate(text)] for i, text in enumerate(ids)]
    loss = loss_of(model, ids, targets, labels)
    loss.backward()
    gradients = {}
    for key, parameter in model.named_parameters():
        if parameter.grad is None:
            continue
        flat = parameter.grad.reshape(-1)
        at = torch.arange(flat.numel(), dtype=torch.float64)
        gradients[key] = [float(f"{value:.9g}") for value in
                          [flat.norm().item()] + [(flat * torch.cos(rate * at)).sum().item() for rate in RATES]]
    model = fresh(torch.float32)
    optimizer = torch.optim.AdamW(groups(model), lr=1e-3)
    curve = []
    for step in range(STEPS):
        rows = [(step * BATCH + i) % len(ids) for i in range(BATCH)]
        optimizer.zero_grad()
        value = loss_of(model, [ids[i] for i in rows], [targets[i] for i in rows], labels)
        value.backward()
        optimizer.step()
        curve.append(float(f"{value.item():.7g}"))
    names = config.get("id2label") or {str(i): f"LABEL_{i}" for i in range(labels)}
    return {"folder": name, "task": kind, "labels": [names[str(i)] for i in range(labels)], "window": window,
            "texts": WORDS, "ids": ids, "targets": targets, "loss": loss.item(), "gradients": gradients, "curve": curve}


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    cases = [record(name, "classification") for name in SEQUENCE] + [record(name, "tagging") for name in TOKEN]
    with open(OUT, "w", encoding="utf-8") as file:
        json.dump({"rates": RATES, "batch": BATCH, "cases": cases}, file, indent=None, separators=(",", ":"))
        file.write("\n")


main()
