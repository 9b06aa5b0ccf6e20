"""Weights of torch.save: the archive and its pickle. Nothing of a pickle may run; what is odd is refused by name."""
import io
import pickle
import pickletools
import struct
import zipfile

from folder import ACCEPTED, BAD_JSON, BAD_MODEL, CONFIG, DENIED, MISSING, NO_FILE, TOO_LARGE, UNSUPPORTED, WEIGHTS, Case

BASE = "bert-bin"
SHARDED = "bert-bin-sharded"
FILE = "pytorch_model.bin"
INDEX = "pytorch_model.bin.index.json"
PICKLE = "pytorch_model/data.pkl"
TENSOR = "bert.embeddings.word_embeddings.weight"


def entries(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def archive(parts, method=zipfile.ZIP_STORED, comment=b""):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in parts:
            file.writestr(zipfile.ZipInfo(name), data, compress_type=method)
        file.comment = comment
    return out.getvalue()


def replaced(parts, name, data):
    return archive([(n, data if n == name else d) for n, d in parts if n != name or data is not MISSING])


class Evil:
    """What runs a command where a pickle is run."""

    def __reduce__(self):
        import os
        return os.system, ("touch /tmp/lmtext-evil",)


def archives(model):
    """The zip archive around the pickle."""
    whole = model.files[FILE]
    parts = entries(whole)
    # A second version of the archive's directory: by Python's own writer, which is sound, too.
    yield Case("odd-bin-by-zipfile", ACCEPTED, {FILE: archive(parts)}, (), BASE)
    yield Case("odd-bin-other-folder", ACCEPTED,
               {FILE: archive([(n.replace("pytorch_model/", "archive/"), d) for n, d in parts])}, (), BASE)
    for what, size in (("empty", 0), ("byte", 1), ("head", 4), ("local-header", 30), ("half", len(whole) // 2),
                       ("directory", len(whole) - 200), ("end", len(whole) - 22), ("byte-less", len(whole) - 1)):
        yield Case(f"bin-cut-{what}", BAD_MODEL, {FILE: whole[:size]}, (FILE,), BASE)
    yield Case("bin-longer", BAD_MODEL, {FILE: whole + b"\0"}, (FILE, "end record"), BASE)
    yield Case("bin-comment", BAD_MODEL, {FILE: archive(parts, comment=b"hello")}, (FILE,), BASE)
    yield Case("bin-deflated", UNSUPPORTED, {FILE: archive(parts, zipfile.ZIP_DEFLATED)}, (FILE, "stored"), BASE)
    yield Case("bin-without-pickle", BAD_MODEL, {FILE: replaced(parts, PICKLE, MISSING)}, (FILE, "data.pkl"), BASE)
    yield Case("bin-big-endian", UNSUPPORTED, {FILE: replaced(parts, "pytorch_model/byteorder", b"big")},
               (FILE, "little"), BASE)
    yield Case("bin-storage-gone", BAD_MODEL, {FILE: replaced(parts, "pytorch_model/data/0", MISSING)}, (FILE,), BASE)
    yield Case("bin-storage-cut", BAD_MODEL,
               {FILE: replaced(parts, "pytorch_model/data/0", dict(parts)["pytorch_model/data/0"][:-4])}, (FILE,), BASE)
    yield Case("bin-storage-longer", BAD_MODEL,
               {FILE: replaced(parts, "pytorch_model/data/0", dict(parts)["pytorch_model/data/0"] + bytes(4))},
               (FILE,), BASE)
    yield Case("bin-nan", BAD_MODEL,
               {FILE: replaced(parts, "pytorch_model/data/0",
                               b"\0\0\xc0\x7f" + dict(parts)["pytorch_model/data/0"][4:])}, (TENSOR,), BASE)
    yield Case("bin-is-html", BAD_MODEL, {FILE: b"<!DOCTYPE html><html>"}, (FILE, "HTML"), BASE)
    yield Case("bin-is-pointer", BAD_MODEL, {FILE: b"version https://git-lfs.github.com/spec/v1\n"},
               (FILE, "git-lfs"), BASE)
    yield Case("bin-old-form", UNSUPPORTED, {FILE: b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."},
               (FILE, "1.6"), BASE)
    end = whole.rindex(b"PK\5\6")
    for what, at, value in (("count", 10, b"\xff\xff"), ("size", 12, b"\xff\xff\xff\x7f"),
                            ("offset", 16, b"\xff\xff\xff\x7f")):
        damaged = bytearray(archive(parts))
        end = damaged.rindex(b"PK\5\6")
        damaged[end + at:end + at + len(value)] = value
        yield Case(f"bin-end-{what}", BAD_MODEL, {FILE: bytes(damaged)}, (FILE,), BASE)
    first = archive(parts).index(b"PK\1\2")
    for what, at, value in (("header-offset", 42, b"\xff\xff\xff\x7f"), ("header-other", 42, b"\1\0\0\0"),
                            ("size", 20, b"\0\0\0\x7f\0\0\0\x7f"), ("name-length", 28, b"\xff\xff"),
                            ("zip64-missing", 42, b"\xff\xff\xff\xff")):
        damaged = bytearray(archive(parts))
        damaged[first + at:first + at + len(value)] = value
        state = TOO_LARGE if what == "size" else BAD_MODEL
        yield Case(f"bin-entry-{what}", state, {FILE: bytes(damaged)}, (FILE,), BASE)


def pickles(model):
    """The pickle in the archive."""
    parts = entries(model.files[FILE])
    sound = dict(parts)[PICKLE]

    def case(what, state, data, *said):
        return Case(f"pickle-{what}", state, {FILE: replaced(parts, PICKLE, data)}, (FILE, *said), BASE)

    def odd(what, data):
        return Case(f"odd-pickle-{what}", ACCEPTED, {FILE: replaced(parts, PICKLE, data)}, (), BASE)

    for protocol in (0, 3, 4, 5):
        yield case(f"protocol-{protocol}", UNSUPPORTED, pickle.dumps({}, protocol))
    yield case("system", UNSUPPORTED, pickle.dumps({"w": Evil()}, 2), "system")
    yield case("eval", UNSUPPORTED, b"\x80\2c__builtin__\neval\nX\1\0\0\0x\x85R.", "__builtin__.eval")
    yield case("getattr", UNSUPPORTED, b"\x80\2cbuiltins\ngetattr\n.", "builtins.getattr")
    yield case("torch-load", UNSUPPORTED, b"\x80\2ctorch\nload\n.", "torch.load")
    yield case("dotted", UNSUPPORTED, b"\x80\2ctorch\n_utils.os.system\n.", "torch._utils.os.system")
    yield case("name-of-60000", UNSUPPORTED, b"\x80\2c" + b"x" * 60000 + b"\n" + b"y" * 60000 + b"\n.", "xxx")
    yield case("list", UNSUPPORTED, pickle.dumps([1, 2], 2))
    yield case("set-state", UNSUPPORTED, sound[:-1] + b"K\1}b.")
    yield case("number", UNSUPPORTED, pickle.dumps(5, 2))
    yield case("nested", UNSUPPORTED, pickle.dumps({"state_dict": {}}, 2), "state_dict")
    yield case("empty", BAD_MODEL, b"")
    for size in (1, 2, 10, len(sound) // 2, len(sound) - 1):
        yield case(f"cut-{size}", BAD_MODEL, sound[:size], "truncated")
    # 2^60 values, had each been followed; as many as there are bytes, as it is.
    levels = b"".join(b"h" + bytes([n]) + b"h" + bytes([n]) + b"\x86q" + bytes([n + 1]) for n in range(60))
    yield case("memo-bomb", UNSUPPORTED, b"\x80\2)q\0" + levels + b".")
    last = memo_size(sound)
    levels = b"".join(b"j%sj%s\x86r%s" % (*[struct.pack("<I", last + n)] * 2, struct.pack("<I", last + n + 1))
                      for n in range(60))
    yield odd("memo-bomb-in-state", sound[:-1] + b"()r" + struct.pack("<I", last) + levels +
               b"tb.")
    yield case("deep-tuples", UNSUPPORTED, b"\x80\2)" + b"\x85" * 500_000 + b".")
    yield case("many-marks", TOO_LARGE, b"\x80\2" + b"(" * 500_000 + b".")
    yield case("many-dicts", TOO_LARGE, b"\x80\2" + b"}" * 500_000 + b".")
    yield case("text-of-4GB", BAD_MODEL, b"\x80\2}X\xff\xff\xff\xff", "truncated")
    yield case("memo-of-4-billion", BAD_MODEL, b"\x80\2}r\xff\xff\xff\xff.", "memo")
    yield case("100001-items", TOO_LARGE, b"\x80\2}(" + b"X\1\0\0\0aN" * 30_000 + b"u" +
               (b"(" + b"X\1\0\0\0aN" * 30_000 + b"u") * 3 + b".")
    # Sizes, strides and offsets of the first tensor.
    vocab = sound.index(TENSOR.encode())
    at = sound.index(b"\x86", vocab)  # of (rows, columns)
    yield case("rows-more", BAD_MODEL, sound[:at - 4] + b"K\xff" + sound[at - 2:], "past the end")
    stride = sound.index(b"\x86", at + 1)
    yield case("strides-swapped", UNSUPPORTED, sound[:stride - 4] + sound[stride - 2:stride] +
               sound[stride - 4:stride - 2] + sound[stride:], "follow each other")


def memo_size(data):
    return max(argument for opcode, argument, _ in pickletools.genops(data) if "PUT" in opcode.name) + 1


def shards(model):
    """The index of shards."""
    def case(what, state, name, *said):
        def change(index):
            index["weight_map"]["embeddings.LayerNorm.bias"] = name
        return Case(f"bin-shard-{what}", state, {INDEX: model.edited(INDEX, change)}, said, SHARDED)

    for what, name in (("parent", "../pytorch_model-1.bin"), ("absolute", "/etc/passwd"), ("other", "config.json"),
                       ("safetensors", "model-00001.safetensors"), ("folder", "a/pytorch_model-1.bin"),
                       ("empty", ""), ("number", 5), ("long", "pytorch_model-" + "x" * 300 + ".bin"),
                       ("nul", "pytorch_model-1.bin\0")):
        yield case(what, DENIED, name, INDEX)
    yield case("missing", NO_FILE, "pytorch_model-00003-of-00002.bin")
    yield case("swapped", BAD_MODEL, "pytorch_model-00002-of-00002.bin"
               if model.json(INDEX)["weight_map"]["embeddings.LayerNorm.bias"].startswith("pytorch_model-00001")
               else "pytorch_model-00001-of-00002.bin")
    yield Case("bin-index-empty", BAD_JSON, {INDEX: b""}, (INDEX,), SHARDED)
    yield Case("bin-index-list", BAD_MODEL, {INDEX: b"[]"}, (INDEX,), SHARDED)
    yield Case("bin-shard-gone", NO_FILE, {"pytorch_model-00002-of-00002.bin": MISSING}, (), SHARDED)


def others(model):
    """Formats that are not read, where there is nothing else; and what wins over what."""
    for file, name in (("model.gguf", "GGUF"), ("model.onnx", "ONNX"), ("onnx/model.onnx", "ONNX"),
                       ("openvino_model.xml", "OpenVINO"), ("tf_model.h5", "Keras"), ("flax_model.msgpack", "Flax")):
        what = file.replace("/", "-").replace(".", "-")
        yield Case(f"only-{what}", UNSUPPORTED, {FILE: MISSING, file: b"x"}, (file, name), BASE)
        yield Case(f"alone-{what}", UNSUPPORTED, {FILE: MISSING, CONFIG: MISSING, file: b"x"}, (file, name), BASE)
    yield Case("safetensors-win", BAD_MODEL, {WEIGHTS: b"x"}, (WEIGHTS,), BASE)
    yield Case("odd-bin-beside-others", ACCEPTED, {"model.gguf": b"x", "model.onnx": b"x"}, (), BASE)


def cases(models, effort):
    model = models[BASE]
    for part in (archives, pickles, others):
        yield from part(model)
    yield from shards(models[SHARDED])
