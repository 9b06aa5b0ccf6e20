#!/usr/bin/env python3
"""Records losses of torch with adversarial noise on word embeddings: test/golden/adversarial.json, read by test/unit/test_finetune.c.
Twenty steps of AdamW on a tiny model (models/tiny) with a head, dropout off, float32: FGM and PGD in the form that is common in
torch, which adds to the table `word_embeddings` and lets the gradients of the passes add up.

    python3 scripts/make-adversarial.py
"""
import json
import os

import torch
import transformers

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "test", "golden", "adversarial.json")
FOLDER, STEPS, BATCH, WINDOW = "bert-sequence", 20, 4, 16
WORDS = ["hello world", "the cat is on the mat", "a", "no way , not now", "world of the cats", "is it on", "now",
         "the world", "cat and mat", "hello hello a cat", "it is not", "way on the way now"]


def loss_of(model, ids, targets):
    rows = [model(input_ids=torch.tensor([text]), attention_mask=torch.ones(1, len(text), dtype=torch.long)).logits for text in ids]
    return torch.nn.functional.cross_entropy(torch.cat(rows), torch.tensor(targets))


def noisy_passes(model, loss, noise):
    """Behind the clean pass: gradients of the perturbed ones are added to it."""
    table = model.get_input_embeddings().weight
    clean = table.data.clone()
    kept = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    steps = noise.get("steps", 1)
    alpha = noise.get("alpha", noise["eps"])
    for step in range(steps):
        norm = torch.norm(table.grad)
        if norm != 0:
            table.data.add_(alpha * table.grad / norm)
        r = table.data - clean
        if torch.norm(r) > noise["eps"]:
            table.data = clean + noise["eps"] * r / torch.norm(r)
        if step + 1 < steps:
            model.zero_grad()
        else:
            for parameter, gradient in zip(model.parameters(), kept):
                parameter.grad = gradient
        loss().backward()
    table.data = clean


def curve(noise):
    folder = os.path.join(HERE, "..", "models", "tiny", FOLDER)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    model.eval()
    ids = [tokenizer(text, truncation=True, max_length=WINDOW)["input_ids"] for text in WORDS]
    targets = [i % model.config.num_labels for i in range(len(ids))]
    decayed = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}], lr=1e-3)
    losses = []
    for step in range(STEPS):
        rows = [(step * BATCH + i) % len(ids) for i in range(BATCH)]

        def loss():
            return loss_of(model, [ids[i] for i in rows], [targets[i] for i in rows])

        optimizer.zero_grad()
        value = loss()
        value.backward()
        noisy_passes(model, loss, noise)
        optimizer.step()
        losses.append(float(f"{value.item():.7g}"))
    return losses


def main():
    torch.set_num_threads(1)
    noises = [{"kind": "fgm", "eps": 0.5}, {"kind": "pgd", "eps": 1.0, "alpha": 0.4, "steps": 3}]
    with open(OUT, "w", encoding="utf-8") as file:
        json.dump({"folder": FOLDER, "cases": [{"noise": n, "curve": curve(n)} for n in noises]}, file)
        file.write("\n")


main()
