#!/usr/bin/env python3
"""Record gradients of torch: test/golden/grad.json, of the parts that src/engine/nn/*_grad.c have. In float64; running this
again with the pinned versions (make-golden.py) gives the same file.

    python3 scripts/make-grad.py
"""
import json
import os

import torch

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "golden", "grad.json")
F = torch.nn.functional


def rms_norm(x, gain):
    return x / (x.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * gain


def attention(qkv, bias, heads, kv_heads, dim, mask):
    """Of one text; `mask` says which keys a query sees; the bias is by distance, key - query + tokens - 1."""
    tokens = qkv.shape[0]
    q, k, v = (part.reshape(tokens, -1, dim).transpose(0, 1)
               for part in qkv.split([heads * dim, kv_heads * dim, kv_heads * dim], -1))
    k, v = (part.repeat_interleave(heads // kv_heads, 0) for part in (k, v))
    at = torch.arange(tokens)
    scores = 0.5 * q @ k.transpose(1, 2) + bias[:, at[None, :] - at[:, None] + tokens - 1]
    scores = scores.masked_fill(~mask, -torch.inf)
    return (torch.softmax(scores, -1) @ v).transpose(0, 1).reshape(tokens, heads * dim)


def case(name, function, **inputs):
    """Outputs, and what a random gradient of them gives for each input."""
    for value in inputs.values():
        value.requires_grad_(True)
    y = function(*inputs.values())
    dy = torch.randn(y.shape).double()
    gradients = torch.autograd.grad(y, list(inputs.values()), dy)

    def flat(value):
        return [float(f"{number:.8g}") for number in value.detach().flatten().tolist()]
    return {"name": name, **{key: flat(value) for key, value in inputs.items()}, "y": flat(y), "dy": flat(dy),
            **{"d" + key: flat(value) for key, value in zip(inputs, gradients)}}


def random(*shape):
    """Numbers that float32 has."""
    return torch.randn(*shape).double()


def main():
    torch.manual_seed(19)
    at = torch.arange(5)
    far = (at[None, :] - at[:, None]).abs()
    cases = [
        case("linear", lambda x, w, b: x @ w.T + b, x=random(3, 4), weight=random(5, 4), bias=random(5)),
        case("layer_norm", lambda x, g, b: F.layer_norm(x, (6,), g, b, 1e-5), x=random(3, 6), gain=random(6), bias=random(6)),
        case("rms_norm", rms_norm, x=random(3, 6), gain=random(6)),
        case("none", lambda x: x * 1, x=random(9)),
        case("gelu", F.gelu, x=3 * random(9)),
        case("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), x=3 * random(9)),
        case("relu", F.relu, x=random(9)),
        case("silu", F.silu, x=3 * random(9)),
        case("tanh", torch.tanh, x=random(9)),
        case("gate", lambda x: F.silu(x[:, :3]) * x[:, 3:], x=random(2, 6)),
        case("softmax", lambda x: torch.softmax(x, -1), x=random(7)),
        case("normalize", lambda x: F.normalize(x, dim=-1), x=random(7)),
        case("attention", lambda x, b: attention(x, b, 2, 2, 3, far >= 0), x=random(5, 18), bias=random(2, 9)),
        case("causal", lambda x, b: attention(x, b, 4, 2, 2, at[None, :] <= at[:, None]), x=random(5, 16), bias=random(4, 9)),
        case("window", lambda x, b: attention(x, b, 2, 1, 3, far <= 1), x=random(5, 12), bias=random(2, 9)),
    ]
    points = [-9, -3.5, -2, -0.75, -0.3, 0.1, 0.4, 0.8, 1.5, 2.5, 4, 7, 25]
    pointwise = {}
    for name in json.load(open(os.path.join(os.path.dirname(OUT), "pointwise.json"), encoding="utf-8"))["values"]:
        x = torch.tensor(points).double().requires_grad_(True)
        gradient, = torch.autograd.grad(getattr(torch.nn, name)().eval()(x).sum(), x)
        pointwise[name] = [float(f"{number:.8g}") for number in gradient.tolist()]
    with open(OUT, "w", encoding="utf-8") as file:
        file.write('{"cases": [\n' + ",\n".join(json.dumps(each) for each in cases) + "\n],\n")
        file.write('"x": %s,\n"slopes": {\n' % json.dumps(points))
        file.write(",\n".join(f"{json.dumps(name)}: {json.dumps(values)}" for name, values in pointwise.items()) + "\n}}\n")


if __name__ == "__main__":
    main()
