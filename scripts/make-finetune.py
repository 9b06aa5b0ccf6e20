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
CRF = ["bert-token", "modernbert-token"]
CRF_RATE = 10  # of its parameters, times the learning rate
WORDS = ["hello world", "the cat is on the mat", "a", "no way , not now", "world of the cats", "is it on", "now",
         "the world", "cat and mat", "hello hello a cat", "it is not", "way on the way now"]


def tokens(tokenizer, text, window):
    return tokenizer(text, truncation=True, max_length=window)["input_ids"]


class Crf(torch.nn.Module):
    """A linear-chain CRF by its definition: the score of the path, less the logarithm of the sum over all paths."""

    def __init__(self, labels, dtype):
        super().__init__()
        draw = torch.Generator().manual_seed(5)
        for name, shape in (("start_transitions", (labels,)), ("end_transitions", (labels,)), ("transitions", (labels, labels))):
            values = torch.randn(shape, generator=draw, dtype=torch.float32) * 0.5
            setattr(self, name, torch.nn.Parameter(values.to(dtype)))

    def forward(self, scores, path):
        every = self.start_transitions + scores[0]
        own = self.start_transitions[path[0]] + scores[0, path[0]]
        for at in range(1, len(path)):
            every = torch.logsumexp(every[:, None] + self.transitions, 0) + scores[at]
            own = own + self.transitions[path[at - 1], path[at]] + scores[at, path[at]]
        return torch.logsumexp(every + self.end_transitions, 0) - own - self.end_transitions[path[-1]]


def groups(model, crf=None):
    rows = [(p, 1e-3) for p in model.parameters()] + [(p, 1e-3 * CRF_RATE) for p in (crf.parameters() if crf else ())]
    return [{"params": [p], "lr": rate, "weight_decay": 0.01 if p.dim() == 2 else 0.0} for p, rate in rows]


def crf_loss(model, crf, ids, targets):
    """Mean over texts; a path goes over the tokens that have a target."""
    losses = []
    for text, target in zip(ids, targets):
        logits = model(input_ids=torch.tensor([text]), attention_mask=torch.ones(1, len(text), dtype=torch.long)).logits[0]
        at = [i for i, label in enumerate(target) if label != -100]
        losses.append(crf(logits[at], [target[i] for i in at]))
    return torch.stack(losses).mean()


def loss_of(model, ids, targets, labels, crf=None):
    """Mean over targets of a batch, each text alone: nothing is padded. `targets` of -100 count for nothing."""
    if crf:
        return crf_loss(model, crf, ids, targets)
    rows, wanted = [], []
    for text, target in zip(ids, targets):
        logits = model(input_ids=torch.tensor([text]), attention_mask=torch.ones(1, len(text), dtype=torch.long)).logits
        rows.append(logits.reshape(-1, labels))
        wanted.append(torch.tensor(target).reshape(-1))
    return torch.nn.functional.cross_entropy(torch.cat(rows), torch.cat(wanted))


def record(name, kind, with_crf=False):
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
    crf = Crf(labels, torch.float64) if with_crf else None
    loss = loss_of(model, ids, targets, labels, crf)
    loss.backward()
    gradients, values = {}, {}
    for key, parameter in (crf.named_parameters() if crf else ()):
        values["crf." + key] = [float(f"{value:.9g}") for value in parameter.reshape(-1).tolist()]
    named = list(model.named_parameters()) + [("crf." + key, p) for key, p in (crf.named_parameters() if crf else ())]
    for key, parameter in named:
        if parameter.grad is None:
            continue
        flat = parameter.grad.reshape(-1)
        at = torch.arange(flat.numel(), dtype=torch.float64)
        gradients[key] = [float(f"{value:.9g}") for value in
                          [flat.norm().item()] + [(flat * torch.cos(rate * at)).sum().item() for rate in RATES]]
    model = fresh(torch.float32)
    crf = Crf(labels, torch.float32) if with_crf else None
    optimizer = torch.optim.AdamW(groups(model, crf), lr=1e-3)
    curve = []
    for step in range(STEPS):
        rows = [(step * BATCH + i) % len(ids) for i in range(BATCH)]
        optimizer.zero_grad()
        value = loss_of(model, [ids[i] for i in rows], [targets[i] for i in rows], labels, crf)
        value.backward()
        optimizer.step()
        curve.append(float(f"{value.item():.7g}"))
    names = config.get("id2label") or {str(i): f"LABEL_{i}" for i in range(labels)}
    more = {"crf": values, "crf_rate": CRF_RATE} if with_crf else {}
    return {**more, "folder": name, "task": kind, "labels": [names[str(i)] for i in range(labels)], "window": window,
            "texts": WORDS, "ids": ids, "targets": targets, "loss": loss.item(), "gradients": gradients, "curve": curve}


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    cases = [record(name, "classification") for name in SEQUENCE] + [record(name, "tagging") for name in TOKEN] + \
        [record(name, "tagging", True) for name in CRF]
    with open(OUT, "w", encoding="utf-8") as file:
        json.dump({"rates": RATES, "batch": BATCH, "cases": cases}, file, indent=None, separators=(",", ":"))
        file.write("\n")


main()
