"""The matrices of a calibrated int8 version, beside a sound model: read by who asks for int8 only."""
import struct

from folder import ACCEPTED, BAD_MODEL, MISSING, UNSUPPORTED, Case, pack
from truncation import cuts
from values import POISONS, elements

QUANTIZED = "quantized.safetensors"
FORM = {"format": "lmtext.int8", "version": "1"}
QUERY, QKV = "attention.self.query.weight", "attention.self.qkv.weight"
LAYER = (QUERY, "attention.output.dense.weight", "intermediate.dense.weight", "output.dense.weight")


def matrix(weights, names):
    """The rows of some tensors of one width, one behind the other."""
    rows = []
    for name in names:
        width = weights.header[name]["shape"][1]
        values = struct.unpack(f"<{len(weights.bytes_of(name)) // 4}f", weights.bytes_of(name))
        rows += [values[at:at + width] for at in range(0, len(values), width)]
    return rows


def rounded(name, rows):
    """The four tensors of a matrix, each row rounded to 127 steps of its greatest value."""
    scales = [max(map(abs, row)) / 127 for row in rows]
    codes = bytes(round(value / scale) & 255 for row, scale in zip(rows, scales) for value in row)
    width = len(rows[0])
    return [(f"{name}.codes", "I8", [len(rows), width], codes),
            (f"{name}.scales", "F32", [len(rows)], struct.pack(f"<{len(rows)}f", *scales)),
            (f"{name}.gain", "F32", [width], struct.pack(f"<{width}f", *[1] * width)),
            (f"{name}.offset", "F32", [len(rows)], bytes(4 * len(rows)))]


def tensors(model):
    """What lmtext itself would write: the matrices in the order of its weights."""
    weights = model.weights()
    made = rounded("pooler.dense.weight", matrix(weights, ["pooler.dense.weight"]))
    for layer in range(model.json("config.json")["num_hidden_layers"]):
        at = f"encoder.layer.{layer}."
        for last in LAYER:
            names = [at + last.replace("query", part) for part in ("query", "key", "value")] if last == QUERY else [at + last]
            made += rounded(at + (QKV if last == QUERY else last), matrix(weights, names))
    return made


def forms(sound):
    """Each tensor in turn is not as it must be: a dtype, a shape, no tensor, another place."""
    for at, (name, dtype, shape, raw) in enumerate(sound):
        size = len(raw) // (4 if dtype == "F32" else 1)
        others = (("dtype", "F16" if dtype == "F32" else "U8", shape, bytes(2 * size) if dtype == "F32" else raw),
                  ("longer", dtype, [shape[0] + 1, *shape[1:]], raw + bytes(len(raw) // shape[0])),
                  ("shorter", dtype, [shape[0] - 1, *shape[1:]], raw[:len(raw) - len(raw) // shape[0]]),
                  ("rank", dtype, [1, *shape], raw), ("scalar", dtype, [], raw[:4 if dtype == "F32" else 1]),
                  ("empty", dtype, [0, *shape[1:]], b""))
        for what, *changed in others:
            yield f"{what}-{name}", [*sound[:at], (name, *changed), *sound[at + 1:]], name
        yield f"missing-{name}", sound[:at] + sound[at + 1:], name
        if at > 0:
            yield f"early-{name}", [*sound[:at - 1], sound[at], sound[at - 1], *sound[at + 1:]], sound[at - 1][0]


def poked(sound):
    """Values that are no codes, no scales, no numbers: the first, one in the middle, the last."""
    for at, (name, dtype, shape, raw) in enumerate(sound):
        width = 4 if dtype == "F32" else 1
        wrong = [*POISONS["F32"]] if width == 4 else [("minus128", b"\x80")]
        if name.endswith(".scales"):
            wrong += [("negative", struct.pack("<f", -1e-30))]
        for what, value in wrong:
            for index in elements(name, raw, width):
                begin = index * width
                changed = raw[:begin] + value + raw[begin + width:]
                yield f"{what}-{index}-{name}", [*sound[:at], (name, dtype, shape, changed), *sound[at + 1:]], name


def cases(models, effort):
    sound = tensors(models["bert"])

    def case(what, state, content, *said):
        file = content if isinstance(content, bytes) else pack(content, FORM)
        return Case(f"quantized-{what}", state, {QUANTIZED: file}, (said or (QUANTIZED,)) if state != ACCEPTED else ())

    yield case("sound", ACCEPTED, sound)
    zeros = [(name, dtype, shape, bytes(len(raw)) if name.endswith((".codes", ".scales", ".gain")) else raw)
             for name, dtype, shape, raw in sound]
    yield case("zeros", ACCEPTED, zeros)
    for what, metadata in (("none", MISSING), ("empty", {}), ("other", {**FORM, "format": "gptq"}),
                           ("later", {**FORM, "version": "2"}), ("half", {"format": "lmtext.int8"})):
        yield case(f"form-{what}", UNSUPPORTED, pack(sound, metadata))
    for what, content, name in (*forms(sound), *poked(sound)):
        yield case(what, BAD_MODEL, content, QUANTIZED, name)
    extra = ("embeddings.word_embeddings.weight.codes", "I8", [1, 1], b"\0")
    yield case("first-of-no-matrix", BAD_MODEL, [extra, *sound], sound[0][0])
    yield case("last-of-no-matrix", BAD_MODEL, [*sound, extra], extra[0])
    yield case("no-tensors", BAD_MODEL, [], sound[0][0])
    whole = pack(sound, FORM)
    for at in cuts(len(whole), {"quick": 10, "all": 50, "long": 500}[effort]):
        yield case(f"cut-{at}", BAD_MODEL, whole[:at])
