#!/usr/bin/env python3
"""Tokens a second of fine-tuning MiniLM for classification in fp32, beside torch in the same run, on one core each.

    python3 bench/bench_finetune.py MINILM TEXTS.csv [rows [workers]]

TEXTS.csv has a text and a label a row, with a header. The database is the one that libpq's variables name, with lmtext in it;
psql is called. Both take the same rows in the same order, batches of 32, AdamW at 5e-5 and dropout as the model's files say;
torch pads each batch to its longest text. Tokens are counted without padding. Turns alternate, and the best of three counts. With workers (1 by default; 0: none) the same training runs with them as well.
"""
import csv
import json
import os
import subprocess
import sys
import time

import torch
import transformers

BATCH, TURNS = 32, 3


def psql(sql):
    return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1"], input=sql, text=True, check=True,
                          capture_output=True).stdout.strip()


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def ours(count, workers=0):
    psql("""CALL lmtext.train('bench_tuned', 'SELECT body, label FROM bench_finetune ORDER BY i',
        '{"base": "bench_minilm", "method": "finetune", "epochs": 1, "hold_out": 0, "shuffle": false, "batch_size": %d,
          "schedule": "constant", "memory": 2000, "workers": %d}')""" % (BATCH, workers))
    return count / float(psql("""SELECT metrics ->> 'train_seconds' FROM lmtext.models WHERE name = 'bench_tuned'
                                 ORDER BY version DESC LIMIT 1"""))


def torchs(folder, rows, tokenizer, labels, count):
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(labels))
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)
    begin = time.perf_counter()
    for at in range(0, len(rows), BATCH):
        part = rows[at:at + BATCH]
        batch = tokenizer([text for text, _ in part], padding=True, truncation=True, max_length=256, return_tensors="pt")
        loss = model(**batch, labels=torch.tensor([labels[label] for _, label in part])).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return count / (time.perf_counter() - begin)


def main():
    folder, path = os.path.abspath(sys.argv[1]), sys.argv[2]
    torch.set_num_threads(1)
    with open(path, encoding="utf-8", newline="") as file:
        rows = [tuple(row[:2]) for row in csv.reader(file)][1:]
    rows = rows[::max(1, len(rows) // int(sys.argv[3] if len(sys.argv) > 3 else 640))]
    labels = {label: i for i, label in enumerate(sorted({label for _, label in rows}))}
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    count = sum(len(ids) for ids in tokenizer([text for text, _ in rows])["input_ids"])
    psql("DROP TABLE IF EXISTS bench_finetune; CREATE TABLE bench_finetune (i int, body text, label text);")
    psql("INSERT INTO bench_finetune VALUES " + ",".join(
        f"({i},{quoted(text)},{quoted(label)})" for i, (text, label) in enumerate(rows)))
    psql(f"SELECT lmtext.import_model('bench_minilm', {quoted(folder)})")
    workers = int(sys.argv[4] if len(sys.argv) > 4 else 1)
    best = {"lmtext": 0.0, "torch": 0.0, **({"shared": 0.0} if workers else {})}
    for _ in range(TURNS):
        best["lmtext"] = max(best["lmtext"], ours(count))
        if workers:
            best["shared"] = max(best["shared"], ours(count, workers))
        best["torch"] = max(best["torch"], torchs(folder, rows, tokenizer, labels, count))
    psql("DROP TABLE bench_finetune; SELECT lmtext.drop_model('bench_tuned'), lmtext.drop_model('bench_minilm')")
    print(json.dumps({"rows": len(rows), "tokens": count, **{key: round(value) for key, value in best.items()},
                      "ratio": round(best["lmtext"] / best["torch"], 3),
                      **({"workers": workers, "shared_ratio": round(best["shared"] / best["lmtext"], 3)} if workers else {})}))


main()
