"""A case of the corpus: a sound model folder with some files replaced, and what an import must say."""
import dataclasses
import json
import os
import struct

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
INDEX = "model.safetensors.index.json"

ACCEPTED = "00000"
BAD_MODEL = "22P03"
BAD_JSON = "22P02"
UNSUPPORTED = "0A000"
TOO_DEEP = "54001"
TOO_LARGE = "54000"
DENIED = "42501"
NO_FILE = "58P01"

MISSING = object()  # in place of a value: it is not there at all


@dataclasses.dataclass
class Sparse:
    """A file of some bytes and then zeros up to a size that costs no disk."""
    head: bytes
    size: int


@dataclasses.dataclass
class Case:
    """Files that replace those of the base folder, the SQLSTATE, and words that the message must have."""
    name: str
    state: str
    files: dict
    said: tuple = ()
    base: str = "bert"


class Model:
    """A sound folder of models/tiny, read whole."""

    def __init__(self, root, name):
        self.name, self.files = name, {}
        top = os.path.join(root, name)
        for folder, _, names in os.walk(top):
            for file in names:
                path = os.path.join(folder, file)
                if file != "golden.json":
                    with open(path, "rb") as handle:
                        self.files[os.path.relpath(path, top)] = handle.read()

    def json(self, name):
        return json.loads(self.files[name])

    def edited(self, name, change):
        """The bytes of a JSON file after change(parsed), which works in place or returns another."""
        parsed = self.json(name)
        changed = change(parsed)
        return dump(parsed if changed is None else changed)

    def replaced(self, name, old, new):
        """The bytes of a file with the first occurrence of a text replaced, which must be there."""
        data = self.files[name]
        assert old in data, f"{name} has no {old}"
        return data.replace(old, new, 1)

    def weights(self, name=WEIGHTS):
        return Weights(self.files[name])


class Weights:
    """A safetensors file: entries by name as (dtype, shape, bytes), in the order of the data."""

    def __init__(self, data):
        length = struct.unpack("<Q", data[:8])[0]
        self.header = json.loads(data[8:8 + length])
        self.data = data[8 + length:]
        self.metadata = self.header.pop("__metadata__", None)
        order = sorted(self.header, key=lambda name: self.header[name]["data_offsets"])
        self.header = {name: self.header[name] for name in order}

    def names(self):
        return list(self.header)

    def bytes_of(self, name):
        begin, end = self.header[name]["data_offsets"]
        return self.data[begin:end]

    def tensors(self):
        """A list that callers may change and give to pack()."""
        return [(name, entry["dtype"], entry["shape"], self.bytes_of(name))
                for name, entry in self.header.items()]

    def with_entry(self, name, **members):
        """The file with members of one tensor's entry replaced; MISSING takes one out."""
        header = {key: dict(entry) for key, entry in self.header.items()}
        for member, value in members.items():
            if value is MISSING:
                del header[name][member]
            else:
                header[name][member] = value
        return join(header, self.data)

    def poked(self, name, index, raw):
        """The file with one element of a tensor replaced by raw bytes."""
        at = self.header[name]["data_offsets"][0] + index * len(raw)
        return join(self.header, self.data[:at] + raw + self.data[at + len(raw):])


def dump(value):
    return json.dumps(value, ensure_ascii=False).encode()


def join(header, data, length=None):
    """A safetensors file of a header (bytes, or what json.dumps takes) and data."""
    text = header if isinstance(header, bytes) else dump(header)
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def pack(tensors, metadata=MISSING):
    """A sound safetensors file of (name, dtype, shape, bytes)."""
    header, data = {}, b""
    if metadata is not MISSING:
        header["__metadata__"] = metadata
    for name, dtype, shape, raw in tensors:
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    return join(header, data)
