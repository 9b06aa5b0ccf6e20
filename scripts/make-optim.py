#!/usr/bin/env python3
"""Record torch's optimizers and schedules, and losses of torch and sentence-transformers with their gradients:
test/golden/optim.json, for src/engine/optim. In float64; running this again with the pinned versions (make-golden.py)
gives the same file.

    python3 scripts/make-optim.py
"""
import json
import os

import torch
import transformers
from sentence_transformers import util
from sentence_transformers.sentence_transformer.losses import TripletDistanceMetric

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "golden", "optim.json")
F = torch.nn.functional
STEPS, NUMBERS = 20, 37


def flat(value):
    return [float(f"{number:.8g}") for number in value.detach().flatten().tolist()]


def random(*shape):
    """Numbers that float32 has."""
    return torch.randn(*shape).double()


# ---- Optimizers: 20 steps along the same gradients, with a rate that changes ----

GRADIENTS = []


def optimizer(name, kind, **options):
    value = torch.nn.Parameter(START.clone())
    steps = kind([value], **options)
    rate = steps.param_groups[0]["lr"]
    for step, gradient in enumerate(GRADIENTS):
        steps.param_groups[0]["lr"] = rate * (1 - step / 40)
        value.grad = gradient.clone()
        steps.step()
    return {"name": name, "kind": kind.__name__.lower(), **{key: value for key, value in options.items() if key != "betas"},
            **({"beta1": options["betas"][0], "beta2": options["betas"][1]} if "betas" in options else {}),
            "value": flat(value)}


# ---- Schedules ----

def schedule(name, kind, steps=0, warmup=0, every=0, gamma=0):
    of = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    made = torch.optim.lr_scheduler.StepLR(of, every, gamma) if kind == "step" else \
        transformers.get_scheduler("constant_with_warmup" if kind == "constant" else kind, of, warmup, steps)
    factors = []
    for _ in range(steps):
        factors.append(float(f"{made.get_last_lr()[0]:.10g}"))
        of.step()
        made.step()
    return {"name": name, "kind": kind, "steps": steps, "warmup": warmup, "every": every, "gamma": gamma, "factors": factors}


# ---- Losses ----

def loss(name, function, constants=None, **inputs):
    for value in inputs.values():
        value.requires_grad_(True)
    y = function(*inputs.values())
    gradients = torch.autograd.grad(y, list(inputs.values()))
    return {"name": name, **(constants or {}), **{key: flat(value) for key, value in inputs.items()}, "loss": float(f"{y.item():.10g}"),
            **{"d" + key: flat(value) for key, value in zip(inputs, gradients)}}


def cross_entropies():
    targets = torch.tensor([0, 3, -100, 2, 1, 3])
    weights = torch.tensor([0.5, 2.0, 1.0, 3.0]).double()
    for name, weight, smoothing in [("plain", None, 0), ("weighted", weights, 0), ("smooth", None, 0.1), ("both", weights, 0.2)]:
        yield loss("cross_entropy_" + name,
                   lambda x, w=weight, s=smoothing: F.cross_entropy(x, targets, weight=w, label_smoothing=s),
                   {"targets": targets.tolist(), "class_weights": [] if weight is None else weight.tolist(), "smoothing": smoothing},
                   scores=3 * random(6, 4))


def losses():
    yield from cross_entropies()
    targets = torch.rand(9).float().double()
    yield loss("binary_cross_entropy", lambda x: F.binary_cross_entropy_with_logits(x, targets), {"targets": targets.tolist()},
               scores=4 * random(9))
    yield loss("squared", lambda x: F.mse_loss(x, targets), {"targets": targets.tolist()}, scores=random(9))
    teacher = 2 * random(3, 5)
    yield loss("distillation",
               lambda x: F.kl_div(F.log_softmax(x / 2, -1), F.softmax(teacher / 2, -1), reduction="batchmean") * 4,
               {"teacher": flat(teacher)}, scores=2 * random(3, 5))
    wanted = torch.tensor([0.25, 1.0, -0.5, 0.0]).double()
    yield loss("cosine", lambda a, b: F.mse_loss(torch.cosine_similarity(a, b), wanted), {"targets": wanted.tolist()},
               a=random(4, 7), b=random(4, 7))
    metric = TripletDistanceMetric.EUCLIDEAN
    yield loss("triplet", lambda a, p, n: F.relu(metric(a, p) - metric(a, n) + 2).mean(), a=random(4, 7), p=random(4, 7),
               n=random(4, 7))
    yield loss("ranking", lambda a, b: F.cross_entropy(util.cos_sim(a, b) * 20, torch.arange(4)), a=random(4, 7), b=random(6, 7))


def main():
    global START
    torch.manual_seed(19)
    START = random(NUMBERS)
    GRADIENTS.extend(random(NUMBERS) for _ in range(STEPS))
    optim = torch.optim
    found = {
        "start": flat(START),
        "gradients": [flat(gradient) for gradient in GRADIENTS],
        "optimizers": [
            optimizer("sgd", optim.SGD, lr=0.1), optimizer("sgd_momentum", optim.SGD, lr=0.1, momentum=0.9),
            optimizer("sgd_nesterov", optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
            optimizer("adam", optim.Adam), optimizer("adam_decay", optim.Adam, lr=0.01, weight_decay=0.1, betas=(0.8, 0.99)),
            optimizer("adamw", optim.AdamW), optimizer("adamw_decay", optim.AdamW, lr=0.01, weight_decay=0.5, eps=1e-3),
            optimizer("adagrad", optim.Adagrad), optimizer("adagrad_decay", optim.Adagrad, lr=0.1, weight_decay=0.1),
            optimizer("rmsprop", optim.RMSprop),
            optimizer("rmsprop_momentum", optim.RMSprop, lr=0.01, alpha=0.9, momentum=0.5, weight_decay=0.1),
        ],
        "schedules": [
            schedule("constant", "constant", 10, 4), schedule("linear", "linear", 17, 5), schedule("linear_cold", "linear", 9),
            schedule("cosine", "cosine", 17, 5), schedule("step", "step", 12, every=5, gamma=0.3),
        ],
        "losses": list(losses()),
    }
    with open(OUT, "w") as out:
        json.dump(found, out, separators=(",", ":"))
        out.write("\n")


if __name__ == "__main__":
    main()
