#!/usr/bin/env python3
"""Training a BiLSTM 100/256×2/.5 of 25,002 words and four labels beside torch: tokens a second of one core, batches of 64
texts of about 40 tokens, Adam. torch packs its sequences, as lmtext always does.

usage: bench_layers.py ENGINE_LAYERS [ROUNDS]   (ENGINE_LAYERS: build/unit/bench/engine_layers; needs torch)
"""
import re
import subprocess
import sys
import time

import torch
from torch import nn

WORDS, TEXTS, LABELS, MEAN, STEPS = 25002, 64, 4, 40, 6


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 100)
        self.lstm = nn.LSTM(100, 256, num_layers=2, dropout=0.5, bidirectional=True, batch_first=True)
        self.linear = nn.Linear(512, LABELS)

    def forward(self, ids, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.lstm(packed)
        return self.linear(torch.cat([hidden[-2], hidden[-1]], 1))


def torch_round():
    torch.manual_seed(1)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    tokens, start = 0, 0.0
    for step in range(-1, STEPS):
        if step == 0:
            start = time.process_time()
        lengths = torch.randint(MEAN // 2, MEAN // 2 + MEAN + 1, (TEXTS,))
        ids = (WORDS * torch.rand(TEXTS, int(lengths.max())) ** 3).long()
        loss = nn.functional.cross_entropy(net(ids, lengths), torch.randint(0, LABELS, (TEXTS,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        tokens += int(lengths.sum()) if step >= 0 else 0
    return tokens / (time.process_time() - start)


def engine_round(program):
    out = subprocess.run([program, str(STEPS), str(MEAN)], capture_output=True, text=True, check=True).stdout
    return float(re.search(r"(\d+) tokens/s", out).group(1))


torch.set_num_threads(1)
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
pairs = [(engine_round(sys.argv[1]), torch_round()) for _ in range(rounds)]
ours, theirs = (sorted(column)[len(pairs) // 2] for column in zip(*pairs))
print(f"lmtext {ours:.0f} tokens/s, torch {torch.__version__} {theirs:.0f} tokens/s: {ours / theirs:.2f} times")
