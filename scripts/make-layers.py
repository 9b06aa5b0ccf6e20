#!/usr/bin/env python3
"""Records what torch computes of small nets: test/golden/layers.json, read by test/unit/test_net.c.

Of each net (its description as users write it): outputs and gradients of all parameters for four texts of different lengths,
one after the other without padding. Then a CRF by brute force over all paths, curves of twenty steps, and language models: losses
of both directions, gradients, and means of their layers.
Weights follow from a formula that the test has too, so that the file holds results only.

usage: make-layers.py > test/golden/layers.json   (torch 2.x)
"""
import itertools
import json
import math

import torch
from torch import nn

torch.set_num_threads(1)
VOCABULARY, LENGTHS = 11, [3, 1, 6, 4]
TEXTS = []
at = 0
for length in LENGTHS:
    TEXTS.append([(5 * (at + i) + 3) % VOCABULARY for i in range(length)])
    at += length


def number(param, i):
    """Of parameter `param`, place i: within ± .5."""
    return ((i * 1103515245 + param * 12345 + 7 + i * i * 2654435) % 2147483648) / 2147483648 - 0.5


def weigh(parameters, scale=1.0):
    for p, parameter in enumerate(parameters):
        flat = [number(p, i) * scale for i in range(parameter.numel())]
        with torch.no_grad():
            parameter.copy_(torch.tensor(flat, dtype=torch.float64).reshape(parameter.shape).to(parameter.dtype))


class Recurrent(nn.Module):
    def __init__(self, kind, size, both, layers=1, biases=2, activation="tanh", width=0):
        super().__init__()
        cls = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind]
        more = {"nonlinearity": activation} if kind == "rnn" else {}
        self.net = cls(width, size, num_layers=layers, bidirectional=both, **more)
        self.biases = biases

    def forward(self, x):
        return self.net(x)[0]

    def ours(self):
        return [p for n, p in self.net.named_parameters() if self.biases == 2 or not n.startswith("bias_hh")]

    def others(self):
        return [p for n, p in self.net.named_parameters() if self.biases == 1 and n.startswith("bias_hh")]


class Stacked(nn.Module):
    """Stacked layers one by one: each direction reads its own alone, a layer's input is added to its output, and the output is a
    mix of all of them with weights that are learnt, each as it is asked for."""

    def __init__(self, kind, size, both, layers, width, separate=False, residual=False, mix=False):
        super().__init__()
        cls = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind]
        self.both, self.separate, self.residual, self.size = both, separate, residual, size
        above = size if separate or not both else 2 * size
        self.ways = nn.ModuleList([nn.ModuleList([cls(above if layer else width, size) for _ in range(1 + both)])
                                   for layer in range(layers)])
        self.mix = nn.ParameterList([nn.Parameter(torch.zeros(layers + (width == size))), nn.Parameter(torch.zeros(1))]) if mix else None

    def layers(self, x):
        """The input for each direction where it is as wide, and what lies behind each layer."""
        outputs = [torch.cat([x] * (1 + self.both), 1)] if x.shape[1] == self.size else []
        for layer, ways in enumerate(self.ways):
            split = self.separate and layer > 0
            given = [x[:, w * self.size:(w + 1) * self.size] if split else x for w in range(len(ways))]
            y = torch.cat([way(g.flip(0))[0].flip(0) if w else way(g)[0] for w, (way, g) in enumerate(zip(ways, given))], 1)
            x = y + x if self.residual and layer > 0 else y
            outputs.append(x)
        return outputs

    def forward(self, x):
        outputs = self.layers(x)
        if self.mix is None:
            return outputs[-1]
        return self.mix[1] * sum(s * h for s, h in zip(torch.softmax(self.mix[0], 0), outputs))

    def ours(self):
        return [p for ways in self.ways for way in ways for p in way.parameters()] + list(self.mix or [])


class Characters(nn.Module):
    """A word by its bytes between two marks: convolutions without padding of each width, their greatest, and a function behind it.
    A word shorter than a window has zeros behind it."""

    def __init__(self, size, filters, kernel, activation):
        super().__init__()
        self.table = nn.Embedding(258, size)
        self.convs = nn.ModuleList([nn.Conv1d(size, filters, width) for width in range(1, kernel + 1)])
        self.activation = activation

    def forward(self, ids):
        return torch.stack([self.word(spell(int(i))) for i in ids])

    def word(self, letters):
        x = self.table(torch.tensor([256, *letters[:48], 257])).T[None]
        greatest = []
        for conv in self.convs:
            short = max(0, conv.kernel_size[0] - x.shape[2])
            greatest.append(conv(nn.functional.pad(x, (0, short)))[0].max(1).values)
        return ACTS[self.activation](torch.cat(greatest))

    def ours(self):
        return list(self.parameters())


def spell(word):
    """The bytes of a word by its number."""
    return [97 + (7 * word + 3 * i) % 26 for i in range(word % 5 + (60 if word == 8 else 1))]


class Keras(nn.Module):
    """LSTM and GRU by the formulas of Keras' documentation: kernels stand the other way round, gates are
    i f c o and z r h, and only the GRU has a second bias, that of the states, where reset_after is true."""

    def __init__(self, kind, size, both, biases, width, after=True):
        super().__init__()
        self.after = after
        self.kind, self.size, self.both, self.biases = kind, size, both, biases
        gates = 4 if kind == "lstm" else 3
        shapes = [(width, gates * size), (size, gates * size), (gates * size,), (gates * size,)][:2 + biases]
        self.ways = nn.ParameterList([nn.Parameter(torch.zeros(s[::-1])) for _ in range(1 + both) for s in shapes])

    def step(self, x, h, c, kernel, recurrent, bias, recurrent_bias):
        inner, given = h @ recurrent + recurrent_bias, x @ kernel + bias
        if self.kind == "lstm":
            i, f, g, o = (given + inner).chunk(4)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            return torch.sigmoid(o) * torch.tanh(c), c
        (xz, xr, xh), (hz, hr, hh) = given.chunk(3), inner.chunk(3)
        z, r = torch.sigmoid(xz + hz), torch.sigmoid(xr + hr)
        new = r * hh if self.after else (r * h) @ recurrent[:, 2 * self.size:]
        return z * h + (1 - z) * torch.tanh(xh + new), c

    def way(self, x, kernel, recurrent, bias, recurrent_bias=None):
        h, c, states = torch.zeros(self.size), torch.zeros(self.size), []
        for row in x:
            h, c = self.step(row, h, c, kernel.T, recurrent.T, bias, torch.zeros_like(bias) if recurrent_bias is None else recurrent_bias)
            states.append(h)
        return torch.stack(states)

    def forward(self, x):
        each = 2 + self.biases
        ways = [self.way(x, *self.ways[:each])]
        if self.both:
            ways.append(self.way(x.flip(0), *self.ways[each:]).flip(0))
        return torch.cat(ways, 1)

    def ours(self):
        return list(self.ways)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.net = nn.MultiheadAttention(width, heads)

    def forward(self, x):
        return self.net(x, x, x, need_weights=False)[0]

    def ours(self):
        return list(self.net.parameters())


class Conv(nn.Module):
    def __init__(self, width, out, kernel):
        super().__init__()
        self.net = nn.Conv1d(width, out, kernel, padding="same")

    def forward(self, x):
        return self.net(x.T[None])[0].T

    def ours(self):
        return list(self.net.parameters())


class Transformer(nn.Module):
    def __init__(self, width, heads, inner, activation, norm_first, layers):
        super().__init__()
        one = nn.TransformerEncoderLayer(width, heads, inner, 0.0, activation, norm_first=norm_first)
        self.net = nn.TransformerEncoder(one, layers, enable_nested_tensor=False) if layers > 1 else one

    def forward(self, x):
        return self.net(x[:, None])[:, 0]

    def ours(self):
        return list(self.net.parameters())


class Pool(nn.Module):
    def __init__(self, kind, width, both):
        super().__init__()
        self.kind, self.both = kind, both
        self.project = nn.Linear(width, width) if kind == "attention" else None
        self.context = nn.Linear(width, 1, bias=False) if kind == "attention" else None

    def forward(self, x):
        half = x.shape[1] // 2
        if self.kind == "mean":
            return x.mean(0, keepdim=True)
        if self.kind == "max":
            return x.max(0, keepdim=True).values
        if self.kind == "first":
            return x[:1]
        if self.kind == "final" and self.both:
            return torch.cat([x[-1:, :half], x[:1, half:]], 1)
        if self.kind in ("last", "final"):
            return x[-1:]
        weights = torch.softmax(self.context(torch.tanh(self.project(x))), 0)
        return (weights * x).sum(0, keepdim=True)

    def ours(self):
        return [] if self.project is None else [self.project.weight, self.project.bias, self.context.weight]


ACTS = {"none": lambda x: x, "relu": torch.relu, "tanh": torch.tanh, "gelu": nn.functional.gelu, "silu": nn.functional.silu}


def build(description, by_text):
    """Modules with the functions behind them, and parameters in our order."""
    steps, parameters, width, both = [], [], VOCABULARY, False
    pooled = any("pool" in layer for layer in description)
    last = max((i for i, layer in enumerate(description) if not {"linear", "layer_norm"} & set(layer)), default=0)
    for place, layer in enumerate(description):
        key = next(k for k in layer if k not in ("layers", "biases", "activation", "kernel", "inner", "norm_first", "keras_order", "reset_after",
                                                "separate", "residual", "mix", "filters"))
        value = layer[key]
        plain = key[2:] if key.startswith("bi") else key
        act = "none"
        if key == "embedding":
            module, width = nn.Embedding(width, value), value
        elif key == "characters":
            module = Characters(value, layer["filters"], layer.get("kernel", 3), layer.get("activation", "tanh"))
            width = layer["filters"] * layer.get("kernel", 3)
        elif layer.get("keras_order"):
            both = key != plain
            module, width = Keras(plain, value, both, layer.get("biases", 2), width, layer.get("reset_after", True)), value * (2 if both else 1)
        elif {"separate", "residual", "mix"} & set(layer):
            both = key != plain
            more = {k: layer[k] for k in ("separate", "residual", "mix") if k in layer}
            module, width = Stacked(plain, value, both, layer.get("layers", 1), width, **more), value * (2 if both else 1)
        elif plain in ("rnn", "lstm", "gru"):
            both = key != plain
            module = Recurrent(plain, value, both, layer.get("layers", 1), layer.get("biases", 2), layer.get("activation", "tanh"), width)
            for other in module.others():
                nn.init.zeros_(other)
            width = value * (2 if both else 1)
        elif key == "linear":
            module, width, act = nn.Linear(width, value), value, layer.get("activation", "none")
        elif key == "attention":
            module = Attention(width, value)
        elif key == "conv":
            module, width, act = Conv(width, value, layer.get("kernel", 3)), value, layer.get("activation", "none")
        elif key == "layer_norm":
            module = nn.LayerNorm(width)
        elif key == "transformer":
            module = Transformer(width, value, layer.get("inner", 4 * width), layer.get("activation", "relu"),
                                 layer.get("norm_first", False), layer.get("layers", 1))
        elif key == "pool":
            module = Pool(value, width, both)
        steps.append((module, ACTS[act]))
        parameters += module.ours() if hasattr(module, "ours") else list(module.parameters())
        if place == last and by_text and not pooled:
            implied = Pool("final" if plain in ("rnn", "lstm", "gru") else "mean", width, both)
            steps.append((implied, ACTS["none"]))
    return steps, parameters


def run(steps, text):
    x = torch.tensor(text)
    for module, act in steps:
        x = act(module(x))
    return x


def flat(tensor):
    return [float(f"{v:.8g}") for v in tensor.detach().double().reshape(-1).tolist()]


def case(name, description, by_text):
    steps, parameters = build(description, by_text)
    weigh(parameters)
    out = torch.cat([run(steps, text) for text in TEXTS])
    weights = torch.tensor([number(99, i) for i in range(out.numel())], dtype=torch.float64).float().reshape(out.shape)
    (out * weights).sum().backward()
    grads = [flat(p.grad if p.grad is not None else torch.zeros_like(p)) for p in parameters]
    return {"name": name, "layers": description, "by_text": by_text, "out": flat(out), "grads": grads}


def cases():
    tokens = []
    for kind in ("rnn", "lstm", "gru"):
        for both in ("", "bi"):
            for more in ({}, {"layers": 2}, {"biases": 1}):
                tokens.append([{"embedding": 4}, {both + kind: 3, **more}])
    tokens.append([{"embedding": 4}, {"birnn": 3, "activation": "relu", "layers": 2}])
    tokens.append([{"embedding": 4}])
    for act in ("none", "relu", "tanh", "gelu", "silu"):
        tokens.append([{"embedding": 4}, {"linear": 3, "activation": act}])
        tokens.append([{"embedding": 4}, {"conv": 3, "kernel": 3, "activation": act}])
    tokens.append([{"embedding": 4}, {"conv": 3, "kernel": 4}])
    tokens.append([{"embedding": 4}, {"conv": 3, "kernel": 1}])
    tokens.append([{"embedding": 4}, {"attention": 2}])
    tokens.append([{"embedding": 4}, {"attention": 1}])
    tokens.append([{"embedding": 4}, {"layer_norm": True}])
    for act in ("relu", "gelu"):
        for first in (False, True):
            tokens.append([{"embedding": 4}, {"transformer": 2, "inner": 5, "activation": act, "norm_first": first}])
    tokens.append([{"embedding": 4}, {"transformer": 2, "inner": 5, "layers": 2}])
    tokens.append([{"embedding": 4}, {"conv": 4, "activation": "relu"}, {"bigru": 3}, {"attention": 2}, {"layer_norm": True}, {"linear": 2}])
    for key in ("lstm", "bilstm", "gru", "bigru"):
        for biases in (1, 2):
            tokens.append([{"embedding": 4}, {key: 3, "biases": biases, "keras_order": True}])
    for key in ("gru", "bigru"):
        tokens.append([{"embedding": 4}, {key: 3, "biases": 1, "keras_order": True, "reset_after": False}])
    for width, key, more in ((4, "bilstm", {"separate": True}), (4, "bilstm", {"separate": True, "residual": True}),
                             (4, "bigru", {"separate": True}), (4, "bilstm", {"residual": True}), (4, "lstm", {"residual": True}),
                             (4, "bilstm", {"mix": True}), (3, "lstm", {"mix": True, "residual": True}),
                             (3, "birnn", {"separate": True, "mix": True}), (3, "bilstm", {"separate": True, "residual": True, "mix": True})):
        tokens.append([{"embedding": width}, {key: 3, "layers": 2, **more}])
    tokens.append([{"embedding": 3}, {"bilstm": 3, "layers": 3, "separate": True, "mix": True}, {"bigru": 3}, {"linear": 2}])
    for more in ({"kernel": 1}, {"kernel": 3}, {"kernel": 4, "activation": "relu"}):
        tokens.append([{"characters": 3, "filters": 2, **more}])
    tokens.append([{"characters": 3, "filters": 1, "kernel": 3}, {"bilstm": 3, "layers": 2, "separate": True, "mix": True}])
    texts = []
    for pool in ("mean", "max", "first", "last", "final", "attention"):
        texts.append([{"embedding": 4}, {"bilstm": 3}, {"pool": pool}, {"linear": 3}])
        texts.append([{"embedding": 4}, {"gru": 3}, {"pool": pool}])
    texts.append([{"embedding": 4}, {"bilstm": 3, "layers": 2}, {"linear": 3, "activation": "tanh"}, {"linear": 2}])
    texts.append([{"embedding": 4}, {"lstm": 3}, {"linear": 3}])
    texts.append([{"embedding": 4}, {"transformer": 2, "inner": 8}, {"layer_norm": True}, {"linear": 3}])
    texts.append([{"embedding": 4}, {"linear": 3}])
    for by_text, list_ in ((False, tokens), (True, texts)):
        for description in list_:
            name = " ".join(f"{k}={v}" for layer in description[1:] for k, v in layer.items()) or "embedding"
            yield case(name, description, by_text)


def crf():
    """−log p, its gradients, the best path and marginals, by adding up all paths."""
    labels, results = 3, []
    for tokens in (1, 2, 5):
        x = torch.tensor([number(1, i) * 3 for i in range(tokens * labels)], dtype=torch.float64).reshape(tokens, labels)
        start, end = (torch.tensor([number(p, i) for i in range(labels)], dtype=torch.float64) for p in (2, 3))
        move = torch.tensor([number(4, i) for i in range(labels * labels)], dtype=torch.float64).reshape(labels, labels)
        for t in (x, start, end, move):
            t.requires_grad_()
        paths = list(itertools.product(range(labels), repeat=tokens))

        def score(path):
            return start[path[0]] + end[path[-1]] + sum(x[t, y] for t, y in enumerate(path)) + sum(
                (move[a, b] for a, b in zip(path, path[1:])), torch.zeros((), dtype=torch.float64))

        scores = torch.stack([score(p) for p in paths])
        right = [(2 * t + 1) % labels for t in range(tokens)]
        loss = torch.logsumexp(scores, 0) - score(right)
        loss.backward()
        p = torch.softmax(scores, 0)
        marginals = [[float(sum(p[i].item() for i, path in enumerate(paths) if path[t] == y)) for y in range(labels)] for t in range(tokens)]
        results.append({"tokens": tokens, "labels": right, "loss": loss.item(), "best": list(paths[int(scores.argmax())]),
                        "marginals": [v for row in marginals for v in row], "dx": flat(x.grad), "dstart": flat(start.grad),
                        "dend": flat(end.grad), "dmove": flat(move.grad if move.grad is not None else torch.zeros_like(move))})
    return results


def language():
    """−log p of all words by each direction, gradients of their mean, and the mean of all layers."""
    for width, key, layers, more in ((3, "bilstm", 2, {"separate": True, "residual": True}), (4, "bilstm", 2, {"separate": True}),
                                     (3, "gru", 1, {}), (4, "bigru", 3, {"separate": True})):
        both, size = key.startswith("bi"), 3
        net = Stacked(key[2:] if both else key, size, both, layers, width, **more)
        table, softmax = nn.Embedding(VOCABULARY, width), nn.Linear(size, VOCABULARY)
        start = nn.Parameter(torch.zeros(1 + both, size))
        parameters = [table.weight, *net.ours(), softmax.weight, softmax.bias, start]
        weigh(parameters)
        losses, means, words = [0.0] * (1 + both), [], 0
        for text in TEXTS:
            outputs = net.layers(table(torch.tensor(text)))
            means.append(sum(outputs) / len(outputs))
            words += len(text)
            for way in range(1 + both):
                states = outputs[-1][:, way * size:(way + 1) * size]
                before = torch.cat([states[1:], start[1:]]) if way else torch.cat([start[:1], states[:-1]])
                losses[way] = losses[way] + nn.functional.cross_entropy(softmax(before), torch.tensor(text), reduction="sum")
        (sum(losses) / (words * len(losses))).backward()
        yield {"layers": [{"embedding": width}, {key: size, "layers": layers, **more}], "losses": [v.item() for v in losses],
               "mean": flat(torch.cat(means)), "grads": [flat(p.grad) for p in parameters]}


def curve(description, by_text, optimizer, rate):
    """Losses of twenty steps over batches of two texts in the order of rows."""
    steps, parameters = build(description, by_text)
    weigh(parameters)
    update = getattr(torch.optim, optimizer)(parameters, lr=rate)
    classes, losses = description[-1]["linear"], []
    for step in range(20):
        batch = [2 * (step % 2), 2 * (step % 2) + 1]
        out = torch.cat([run(steps, TEXTS[b]) for b in batch])
        targets = [b % classes for b in batch] if by_text else [i % classes for b in batch for i in TEXTS[b]]
        loss = nn.functional.cross_entropy(out, torch.tensor(targets))
        update.zero_grad()
        loss.backward()
        update.step()
        losses.append(loss.item())
    return {"layers": description, "by_text": by_text, "optimizer": optimizer.lower(), "rate": rate, "losses": losses}


def count(description, words):
    """Numbers of the parameters, as torch counts them; Keras' count has one bias a gate."""
    global VOCABULARY
    VOCABULARY, kept = words, VOCABULARY
    steps, parameters = build(description, True)
    VOCABULARY = kept
    return sum(p.numel() for p in parameters)


print(json.dumps({
    "lengths": LENGTHS,
    "vocabulary": VOCABULARY,
    "counts": [
        {"layers": d, "words": w, "count": count(d, w)}
        for d, w in (([{"embedding": 10}, {"lstm": 50, "biases": 1}, {"linear": 3}], 22),
                     ([{"embedding": 100}, {"bilstm": 256, "layers": 2}, {"linear": 4}], 25002))
    ],
    "cases": list(cases()),
    "crf": crf(),
    "language": list(language()),
    "curves": [
        curve([{"embedding": 4}, {"bilstm": 3, "layers": 2}, {"linear": 3}], True, "Adam", 0.05),
        curve([{"embedding": 4}, {"bigru": 3}, {"linear": 3}], False, "SGD", 0.5),
        curve([{"embedding": 4}, {"conv": 4, "activation": "relu"}, {"pool": "max"}, {"linear": 2}], True, "AdamW", 0.05),
        curve([{"embedding": 4}, {"transformer": 2, "inner": 6}, {"pool": "attention"}, {"linear": 2}], True, "Adam", 0.02),
        curve([{"embedding": 4}, {"birnn": 3}, {"attention": 2}, {"linear": 3}], False, "RMSprop", 0.01),
    ],
}))
