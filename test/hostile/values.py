"""Row 10: weights that are no numbers, one element of one tensor at a time; and denormal ones."""
import struct

from folder import ACCEPTED, BAD_MODEL, WEIGHTS, Case, pack

# No number in each dtype, as little-endian bytes.
POISONS = {
    "F32": (("nan", b"\x00\x00\xc0\x7f"), ("signalling", b"\x01\x00\x80\x7f"),
            ("infinity", b"\x00\x00\x80\x7f"), ("minus-infinity", b"\x00\x00\x80\xff"),
            ("all-ones", b"\xff\xff\xff\xff")),
    "F16": (("nan", b"\x00\x7e"), ("infinity", b"\x00\x7c"), ("minus-infinity", b"\x00\xfc")),
    "BF16": (("nan", b"\xc0\x7f"), ("infinity", b"\x80\x7f"), ("all-ones", b"\xff\xff")),
    "F64": (("nan", struct.pack("<d", float("nan"))), ("infinity", struct.pack("<d", float("inf"))),
            ("beyond-float", struct.pack("<d", 1e300)), ("minus-beyond-float", struct.pack("<d", -4e38))),
}


def elements(name, raw, size):
    """First, middle and last element: pieces, vectors of a kernel and their rests."""
    count = len(raw) // size
    return sorted({0, count // 2, count - 1})


def poisoned(model, dtype, size):
    weights = model.weights()
    for number, name in enumerate(weights.names()):
        poisons = POISONS[dtype] if number < 2 else POISONS[dtype][number % 2::2][:1]
        for what, raw in poisons:
            for at in elements(name, weights.bytes_of(name), size)[-1 if number % 3 else 0:]:
                yield Case(f"{what}-{dtype}-{name}-{at}", BAD_MODEL,
                           {WEIGHTS: weights.poked(name, at, raw)}, (WEIGHTS, name), model.name)


def doubles(model):
    """The same model in F64, where a value may be too large for float."""
    tensors = [(name, "F64", shape, struct.pack(f"<{len(raw) // 4}d", *struct.unpack(f"<{len(raw) // 4}f", raw)))
               for name, _, shape, raw in model.weights().tensors()]
    yield Case("odd-F64", ACCEPTED, {WEIGHTS: pack(tensors)})
    for what, poison in POISONS["F64"]:
        for index in (0, 5, len(tensors) - 1):
            name, dtype, shape, raw = tensors[index]
            changed = tensors[:index] + [(name, dtype, shape, raw[:-8] + poison)] + tensors[index + 1:]
            yield Case(f"{what}-F64-{name}", BAD_MODEL, {WEIGHTS: pack(changed)}, (WEIGHTS, name))


def denormal(model):
    """Too small for a normal float, and still numbers: such models work."""
    weights = model.weights()
    least = struct.pack("<f", 1e-45)
    for name in weights.names()[::5]:
        yield Case(f"odd-denormal-{name}", ACCEPTED, {WEIGHTS: weights.poked(name, 0, least)})
    tensors = [(name, dtype, shape, least * (len(raw) // 4) if name.endswith("weight") else raw)
               for name, dtype, shape, raw in weights.tensors()]
    yield Case("odd-denormal-all-weights", ACCEPTED, {WEIGHTS: pack(tensors)})


def cases(models, effort):
    yield from poisoned(models["bert"], "F32", 4)
    yield from list(poisoned(models["bert-f16"], "F16", 2))[::3]
    yield from list(poisoned(models["bert-bf16"], "BF16", 2))[::3]
    yield from doubles(models["bert"])
    yield from denormal(models["bert"])
