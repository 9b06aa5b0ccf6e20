"""Row 11: an index over shards that names what it must not, or what is not there."""
from folder import (ACCEPTED, BAD_JSON, BAD_MODEL, DENIED, INDEX, MISSING, NO_FILE, TOO_LARGE, WEIGHTS, Case,
                    dump, join, pack)

BASE = "bert-sharded"
SHARD = "model-0000{}-of-00003.safetensors"
TENSOR = "embeddings.LayerNorm.bias"


def names(model):
    """A shard's name in the weight map."""
    for what, state, name in (
            ("parent", DENIED, "../secret.safetensors"), ("grandparent", DENIED, "../../secret.safetensors"),
            ("parent-inside", DENIED, "a/../../secret.safetensors"), ("absolute", DENIED, "/etc/passwd"),
            ("absolute-suffix", DENIED, "/etc/passwd.safetensors"), ("dot", DENIED, "./" + SHARD.format(1)),
            ("double-slash", DENIED, "a//b.safetensors"), ("slash-first", DENIED, "//x.safetensors"),
            ("windows", NO_FILE, "..\\secret.safetensors"), ("nul", DENIED, SHARD.format(1) + "\0"),
            ("nul-inside", DENIED, "a\0.safetensors"), ("control", DENIED, "a\n.safetensors"),
            ("empty", DENIED, ""), ("suffix-only", DENIED, ".safetensors"), ("index-itself", DENIED, INDEX),
            ("other-file", DENIED, "config.json"), ("pickle", DENIED, "pytorch_model.bin"),
            ("long", DENIED, "x" * 300 + ".safetensors"), ("very-long", DENIED, "x" * 100_000 + ".safetensors"),
            ("deep", DENIED, "a/" * 200 + "x.safetensors"), ("missing", NO_FILE, "model-00004-of-00003.safetensors"),
            ("folder", DENIED, "folder.safetensors")):
        files = {INDEX: model.edited(INDEX, lambda index: index["weight_map"].update({TENSOR: name}))}
        if what == "folder":
            files["folder.safetensors/x"] = b""
        yield Case(f"shard-{what}", state, files, (), BASE)
    for what, value in (("null", None), ("number", 5), ("list", [SHARD.format(1)]), ("object", {})):
        yield Case(f"shard-name-{what}", BAD_MODEL,
                   {INDEX: model.edited(INDEX, lambda index: index["weight_map"].update({TENSOR: value}))},
                   (INDEX, TENSOR), BASE)


def maps(model):
    """The weight map itself."""
    true = model.json(INDEX)["weight_map"]
    swap = {SHARD.format(n): SHARD.format(n % 3 + 1) for n in (1, 2, 3)}
    one = {name: SHARD.format(1) for name in true}
    for what, state, value, *said in (
            ("is-missing", BAD_MODEL, MISSING, "weight_map"), ("is-null", BAD_MODEL, None, "weight_map"),
            ("is-list", BAD_MODEL, [], "weight_map"), ("is-empty", BAD_MODEL, {}, "weight_map"),
            ("is-text", BAD_MODEL, SHARD.format(1), "weight_map"),
            ("swapped", BAD_MODEL, {name: swap[file] for name, file in true.items()}, INDEX),
            ("all-in-one", BAD_MODEL, one, INDEX),
            ("one-more-tensor", BAD_MODEL, {**true, "nothing": SHARD.format(1)}, "nothing"),
            ("nul-in-tensor", BAD_MODEL, {**true, TENSOR + "\0": SHARD.format(1)}, INDEX),
            ("a-shard-less", BAD_MODEL, {name: file for name, file in true.items() if file != SHARD.format(2)}, ""),
            ("1001-shards", TOO_LARGE, {f"t{n}": f"m{n:04}.safetensors" for n in range(1001)}, "1001"),
            ("100001-tensors", TOO_LARGE, {f"t{n}": SHARD.format(1) for n in range(100_001)}, "")):
        def change(index, value=value):
            index.pop("weight_map")
            if value is not MISSING:
                index["weight_map"] = value
        yield Case(f"map-{what}", state, {INDEX: model.edited(INDEX, change)}, tuple(said), BASE)
    for what, text in (("list", b"[]"), ("string", b'"x"'), ("null", b"null")):
        yield Case(f"index-is-{what}", BAD_MODEL, {INDEX: text}, (INDEX,), BASE)
    yield Case("index-is-empty", BAD_JSON, {INDEX: b""}, (INDEX,), BASE)
    yield Case("no-index", NO_FILE, {INDEX: MISSING}, (), BASE)
    # A tensor that only a header has is taken, as the reference takes it.
    yield Case("odd-map-leaves-one-out", ACCEPTED, {INDEX: dump({"weight_map": dict(list(true.items())[1:])})},
               (), BASE)
    yield Case("odd-single-file-beside-index", ACCEPTED, {WEIGHTS: pack(all_tensors(model))}, (), BASE)


def all_tensors(model):
    return [tensor for n in (1, 2, 3) for tensor in model.weights(SHARD.format(n)).tensors()]


def shards(model):
    """Files that are damaged, missing, or hold the same tensor."""
    for n in (1, 2, 3):
        file = SHARD.format(n)
        data = model.files[file]
        yield Case(f"shard-{n}-gone", NO_FILE, {file: MISSING}, (file,), BASE)
        yield Case(f"shard-{n}-empty", BAD_MODEL, {file: b""}, (file,), BASE)
        yield Case(f"shard-{n}-cut", BAD_MODEL, {file: data[:-4]}, (file,), BASE)
        yield Case(f"shard-{n}-longer", BAD_MODEL, {file: data + b"\0" * 4}, (file,), BASE)
        other = model.weights(SHARD.format(n % 3 + 1)).tensors()[0]
        both = pack(model.weights(file).tensors() + [other])
        yield Case(f"shard-{n}-repeats", BAD_MODEL, {file: both}, (other[0],), BASE)
        yield Case(f"shard-{n}-is-another", BAD_MODEL, {file: model.files[SHARD.format(n % 3 + 1)]}, (), BASE)
        tensors = model.weights(file).tensors()
        name, dtype, shape, raw = tensors[0]
        yield Case(f"shard-{n}-nan", BAD_MODEL,
                   {file: pack([(name, dtype, shape, b"\0\0\xc0\x7f" + raw[4:])] + tensors[1:])}, (file, name), BASE)
    # The name of what an int8 version keeps beside its weights.
    quantized = {name: file.replace(SHARD.format(1), "quantized.safetensors")
                 for name, file in model.json(INDEX)["weight_map"].items()}
    yield Case("shard-quantized", DENIED,
               {INDEX: dump({"weight_map": quantized}), "quantized.safetensors": model.files[SHARD.format(1)]},
               ("quantized.safetensors",), BASE)
    yield Case("shard-without-tensors", BAD_MODEL, {SHARD.format(1): join({}, b"")}, (), BASE)


def cases(models, effort):
    model = models[BASE]
    for part in (names, maps, shards):
        yield from part(model)
