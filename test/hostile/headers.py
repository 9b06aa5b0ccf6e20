"""Rows 1 to 4: headers of safetensors files whose size, ranges, shapes or dtypes lie."""
import struct

from folder import BAD_MODEL, MISSING, UNSUPPORTED, WEIGHTS, Case, Sparse, dump, join, pack

FIRST, MATRIX = "embeddings.LayerNorm.bias", "encoder.layer.0.attention.self.key.weight"

# Bytes per element of every dtype that the reference knows; None: less than a byte.
DTYPES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "F4": None,
          "F6_E2M3": None, "F6_E3M2": None, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4,
          "U32": 4, "F32": 4, "C64": 8, "F64": 8, "I64": 8, "U64": 8}
WEIGHT_DTYPES = {"F32", "F16", "BF16", "F64"}
READ_DTYPES = WEIGHT_DTYPES | {"BOOL", "U8", "I8", "I16", "U16", "I32", "U32", "I64", "U64"}


def bad(name, data, *said):
    return Case(name, BAD_MODEL, {WEIGHTS: data}, (WEIGHTS, *said))


def lengths(model):
    """Row 1: what the first eight bytes say."""
    whole = model.files[WEIGHTS]
    true = struct.unpack("<Q", whole[:8])[0]
    rest = len(whole) - 8
    for what, size in (("0", 0), ("1", 1), ("2", 2), ("less-1", true - 1), ("more-1", true + 1),
                       ("all", rest), ("past-end", rest + 1), ("limit", 100_000_000),
                       ("over-limit", 100_000_001), ("2e31", 2**31), ("2e32", 2**32),
                       ("2e63-1", 2**63 - 1), ("2e63", 2**63), ("2e64-8", 2**64 - 8),
                       ("2e64-1", 2**64 - 1)):
        yield bad(f"length-{what}", struct.pack("<Q", size) + whole[8:])
    for size in (0, 1, 7, 8):
        yield bad(f"file-of-{size}", whole[:size])
    for what, data, said in (
            ("pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 612\n", "git-lfs"),
            ("html", b"<!DOCTYPE html><html>Not found</html>", "HTML"), ("zip", b"PK\3\4" + whole, "zip"),
            ("pickle", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "pickle"), ("gguf", b"GGUF" + b"\3" * 60, "GGUF"),
            ("short-pointer", b"version https://", ""), ("nine-bytes", b"version h", "")):
        yield bad(f"file-of-{what}", data, *([said] if said else []))
    # The file is as large as it says, and still is not believed.
    yield bad("length-over-limit-and-there",
              Sparse(struct.pack("<Q", 100_000_001) + b"{", 300_000_000))
    yield bad("terabyte-of-trailing-zeros", Sparse(whole, 1 << 40))


def ranges(model):
    """Row 2: data_offsets that do not tile the data."""
    weights = model.weights()
    names, end = weights.names(), len(weights.data)
    for place, name in (("first", names[0]), ("middle", names[len(names) // 2]),
                        ("last", names[-1])):
        begin, stop = weights.header[name]["data_offsets"]
        for what, value in (
                ("reversed", [stop, begin]), ("begins-late", [begin + 4, stop]),
                ("ends-early", [begin, stop - 4]), ("ends-late", [begin, stop + 4]),
                ("moved-on", [begin + 4, stop + 4]), ("empty", [begin, begin]),
                ("past-end", [begin, end + 4]), ("far-away", [end, end + stop - begin]),
                ("int64", [begin, 2**63 - 1]), ("beyond-int64", [begin, 2**63]),
                ("uint64", [2**64 - 4, 2**64 - 1]), ("beyond-uint64", [begin, 2**64]),
                ("negative", [-4, stop]), ("one", [begin]), ("three", [begin, stop, stop]),
                ("none", []), ("text", [str(begin), str(stop)]), ("null", [None, stop]),
                ("float", [float(begin), float(stop)]), ("nested", [[begin, stop]]),
                ("number", begin), ("object", {"begin": begin, "end": stop})):
            yield bad(f"range-{place}-{what}", weights.with_entry(name, data_offsets=value), name)
        yield bad(f"range-{place}-missing", weights.with_entry(name, data_offsets=MISSING), name)
    yield from tilings(weights, names, end)


def tilings(weights, names, end):
    """Row 2, of the file as a whole: each range fits its own tensor."""
    def shifted(by, first=0):
        return {name: {**entry, "data_offsets": [at + by for at in entry["data_offsets"]]}
                if index >= first else entry
                for index, (name, entry) in enumerate(weights.header.items())}

    half = len(names) // 2
    yield bad("tiling-not-from-0", join(shifted(8), b"\0" * 8 + weights.data), names[0])
    yield bad("tiling-gap", join(shifted(8, half), weights.data + b"\0" * 8), names[half])
    yield bad("tiling-overlap", join(shifted(-4, half), weights.data), "overlap")
    for extra in (1, 8, 4096):
        yield bad(f"tiling-trailing-{extra}", join(weights.header, weights.data + b"\0" * extra))
    for less in (1, 4, end):
        yield bad(f"tiling-short-{less}", join(weights.header, weights.data[:end - less]))
    for at in (0, end // 2, end):
        header = {**weights.header,
                  "nothing": {"dtype": "F32", "shape": [0], "data_offsets": [at, at]}}
        yield bad(f"tiling-zero-size-at-{at}", join(header, weights.data), "nothing")
    twin = dict(weights.header)
    twin["twin"] = twin[names[half]]
    yield bad("tiling-two-at-one-place", join(twin, weights.data), "overlap")
    yield bad("tiling-spans-all", join({**weights.header, "all": {
        "dtype": "U8", "shape": [end], "data_offsets": [0, end]}}, weights.data), "overlap")


def shapes(model):
    """Row 3: shapes whose product wraps, or that are none."""
    weights = model.weights()
    for what, value in (
            ("wraps-to-36", [36, 2**62, 4]), ("wraps-to-0", [2**32, 2**32]),
            ("wraps-twice", [2**63 - 1, 2**63 - 1, 36]), ("wraps-bytes", [2**62, 1, 1]),
            ("wraps-to-bytes", [2**62 + 36]), ("rank-9", [36] + [1] * 8),
            ("rank-10000", [1] * 10000), ("zero", [0]), ("zero-and-huge", [0, 2**63 - 1]),
            ("minus-1", [-1]), ("minus-36", [-36]), ("minus-twice", [-6, -6]), ("half", [1.5]),
            ("float", [36.0]), ("text", ["36"]), ("null", [None]), ("true", [True]),
            ("nested", [[36]]), ("beyond-int64", [2**63]), ("beyond-uint64", [2**64 + 36]),
            ("other", [35]), ("scalar", []), ("number", 36), ("string", "36"), ("object", {})):
        yield bad(f"shape-{what}", weights.with_entry(FIRST, shape=value), FIRST)
    yield bad("shape-missing", weights.with_entry(FIRST, shape=MISSING), FIRST)
    for what, text in (("1e400", b"[1e400]"), ("3e1", b"[3.6e1]"), ("minus-0", b"[-0]"),
                       ("00036", b"[00036]"), ("infinity", b"[Infinity]"), ("plus", b"[+36]")):
        header = dump(weights.header).replace(b'"shape": [36]', b'"shape": ' + text, 1)
        yield bad(f"shape-{what}", join(header, weights.data))
    # Shapes that fit the bytes and not the model.
    for what, value in (("transposed", [4, 324]), ("flat", [1296]), ("deeper", [36, 36, 1])):
        yield bad(f"shape-{what}", weights.with_entry(MATRIX, shape=value), MATRIX)
    yield bad("shape-vector-as-column", weights.with_entry(FIRST, shape=[36, 1]), FIRST)


def dtypes(model):
    """Row 4: every dtype over bytes of every size."""
    weights = model.weights()
    for dtype, size in DTYPES.items():
        if dtype == "F32":
            continue
        unknown = dtype not in READ_DTYPES
        over = UNSUPPORTED if unknown or size == 4 else BAD_MODEL
        yield Case(f"dtype-{dtype}-over-F32", over, {WEIGHTS: weights.with_entry(FIRST, dtype=dtype)},
                   (WEIGHTS, FIRST, dtype) if over == UNSUPPORTED else (WEIGHTS, FIRST))
        if dtype in WEIGHT_DTYPES:
            continue
        for each in (1, 2, 4, 8):
            tensors = [(name, dtype if name == FIRST else kind, shape,
                        b"\0" * (36 * each) if name == FIRST else raw)
                       for name, kind, shape, raw in weights.tensors()]
            good = each == size
            state = UNSUPPORTED if unknown or good else BAD_MODEL
            yield Case(f"dtype-{dtype}-of-{each}", state, {WEIGHTS: pack(tensors)}, (WEIGHTS, FIRST))
    for what, value in (("lower", "f32"), ("empty", ""), ("nul", "F32\0"), ("space", " F32"),
                        ("long", "F" * 100000), ("torch", "torch.float32")):
        yield Case(f"dtype-{what}", UNSUPPORTED, {WEIGHTS: weights.with_entry(FIRST, dtype=value)},
                   (WEIGHTS, FIRST))
    for what, value in (("null", None), ("number", 4), ("list", ["F32"])):
        yield bad(f"dtype-{what}", weights.with_entry(FIRST, dtype=value), FIRST)
    yield bad("dtype-missing", weights.with_entry(FIRST, dtype=MISSING), FIRST)


def entries(model):
    """Entries that are no entries, and metadata that is none."""
    weights = model.weights()
    for what, value in (("null", None), ("number", 5), ("list", []), ("string", "F32"), ("empty", {})):
        yield bad(f"entry-{what}", join({**weights.header, FIRST: value}, weights.data), FIRST)
    for what, value in (("number", 5), ("list", []), ("values", {"format": 5}),
                        ("nested", {"a": {"b": "c"}})):
        yield bad(f"metadata-{what}", join({"__metadata__": value, **weights.header}, weights.data),
                  "__metadata__")
    for what, name in (("empty-name", ""), ("nul-in-name", "a\0b"), ("nul-behind-name", FIRST + "\0")):
        header = {name if key == FIRST else key: entry for key, entry in weights.header.items()}
        yield bad(what, join(header, weights.data))
    for what, header in (("list", []), ("string", "x"), ("number", 5), ("null", None)):
        yield bad(f"header-{what}", join(header, weights.data))
    text = dump(weights.header)
    for what, header in (("space-first", b" " + text), ("bom-first", b"\xef\xbb\xbf" + text),
                         ("text-behind", text + b"x"), ("twice", text + text),
                         ("nul-behind", text + b"\0"), ("no-end", text[:-1]),
                         ("comma", text[:-1] + b",}")):
        yield bad(f"header-{what}", join(header, weights.data))


def cases(models, effort):
    model = models["bert"]
    for part in (lengths, ranges, shapes, dtypes, entries):
        yield from part(model)
