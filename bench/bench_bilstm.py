"""A BiLSTM 100/256 × 2/.5 from scratch on 5,000 short texts of four kinds, five epochs, Adam 1e-3, batches of 64, beside torch on the same
words: the first words of descriptions of Debian's packages, their section the label.

LMTEXT_SEEDS says how many seeds each has (2).
"""
import collections
import json
import os
import re
import statistics

import numpy
import torch
from torch import nn

import bench_train
import common
from bench_tuned import WORKERS, accuracy, exists, interval, metrics, note

SECTIONS, TRAIN, TEST, WORDS = ("devel", "net", "science", "utils"), 5000, 1500, 24
VOCABULARY, EPOCHS, BATCH, RATE = 25002, 5, 64, 1e-3
OPTIONS = {"method": "layers", "layers": [{"embedding": 100}, {"bilstm": 256, "layers": 2, "dropout": 0.5}, {"linear": len(SECTIONS)}],
           "vocabulary": {"words": "whitespace", "max_size": VOCABULARY}, "epochs": EPOCHS, "batch_size": BATCH, "optimizer": "adam",
           "learning_rate": RATE, "hold_out": 0, **WORKERS}


def texts():
    """As many of each section; words alone, in lower case, so that both cut them alike."""
    folder = next(path for path in (common.BUILD / "corpus", common.BUILD / "corpus-all") if (path / "corpus.jsonl").exists())
    found = collections.defaultdict(list)
    with open(folder / "corpus.jsonl", encoding="utf-8") as file:
        for row in map(json.loads, file):
            if row["lang"] == "en" and row["section"] in SECTIONS:
                words = re.findall(r"\w+", row["body"].lower())[:WORDS]
                found[row["section"]].append((row["md5"], " ".join(words)))
    each, rows = (TRAIN + TEST) // len(SECTIONS), []
    for section in SECTIONS:
        assert len(found[section]) >= each
        rows += [(md5[16:], text, section) for md5, text in sorted(found[section])[:each]]
    rows = [(text, section) for _, text, section in sorted(rows)]
    return rows[:TRAIN], rows[TRAIN:]


class Net(nn.Module):
    def __init__(self, words):
        super().__init__()
        self.embedding = nn.Embedding(words, 100)
        self.lstm = nn.LSTM(100, 256, num_layers=2, dropout=0.5, bidirectional=True, batch_first=True)
        self.linear = nn.Linear(512, len(SECTIONS))

    def forward(self, lists):
        lengths = [len(ids) for ids in lists]
        padded = nn.utils.rnn.pad_sequence([torch.tensor(ids) for ids in lists], batch_first=True)
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(padded), lengths, batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.lstm(packed)
        return self.linear(torch.cat([hidden[-2], hidden[-1]], 1))


def torchs(train, test, seed):
    torch.manual_seed(seed)
    counts = collections.Counter(word for text, _ in train for word in text.split())
    numbers = {word: i + 2 for i, (word, _) in enumerate(counts.most_common(VOCABULARY - 2))}
    ids = [[[numbers.get(word, 1) for word in text.split()] for text, _ in rows] for rows in (train, test)]
    wanted = [torch.tensor([SECTIONS.index(section) for _, section in rows]) for rows in (train, test)]
    net, order = Net(len(numbers) + 2), numpy.random.default_rng(seed)
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    for _ in range(EPOCHS):
        rows = order.permutation(len(train))
        for at in range(0, len(rows), BATCH):
            part = rows[at:at + BATCH]
            loss = nn.functional.cross_entropy(net([ids[0][i] for i in part]), wanted[0][part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    with torch.inference_mode():
        found = torch.cat([net(ids[1][at:at + 256]).argmax(1) for at in range(0, len(test), 256)])
    return (found == wanted[1]).double().mean().item()


def ours(connection, seed):
    name = f"bilstm_{seed}"
    if not exists(connection, name):
        connection.execute("CALL lmtext.train(%s, 'SELECT body, label FROM bilstm_train', %s)", (name, json.dumps({**OPTIONS, "seed": seed})))
    return accuracy(connection, name, "bilstm_test")


def main():
    torch.set_num_threads(int(os.environ.get("LMTEXT_THREADS", 1)))
    train, test = texts()
    found = {"lmtext": [], "torch": []}
    with common.prepare() as connection:
        bench_train.load(connection, "bilstm_train", train)
        bench_train.load(connection, "bilstm_test", test)
        for seed in range(1, int(os.environ.get("LMTEXT_SEEDS", 2)) + 1):
            found["lmtext"].append(ours(connection, seed))
            note("lmtext", seed, found["lmtext"][-1], metrics(connection, f"bilstm_{seed}")["train_seconds"])
            found["torch"].append(torchs(train, test, seed))
            note("torch", seed, found["torch"][-1])
    common.table(f"BiLSTM 100/256 × 2/.5, {TRAIN} texts of at most {WORDS} words, {len(SECTIONS)} labels, {TEST} texts to test: accuracy", ("", "mean (95 %)", "seeds"),
                 [(name, interval(statistics.mean(values), TEST), ", ".join(f"{value:.4f}" for value in values)) for name, values in found.items()])
    common.goal("BiLSTM: the least of torch's accuracies − lmtext's mean", min(found["torch"]) - statistics.mean(found["lmtext"]), most=0.01, digits=4)


if __name__ == "__main__":
    main()
